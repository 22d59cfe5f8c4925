"""The eligibility criteria of a study, one text, in; what stands under its inclusion and exclusion headings out."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal, NamedTuple

Part = Literal["inclusion", "exclusion", "other"]

# `* `, `-  `, `1. `, `A) `, `## ` and `**` before a heading.
# No two of them may match the same text, or the time would double with each.
_MARKS = r"(?P<marks>\s*(?:[*•·▪●○#_–-]\s*|[0-9]{1,2}[.)]\s*|[A-Z][.)]\s+|[IVX]{2,}[.)]\s+)*)"
_USUAL_WORD = r"(?:key|main|major|general|primary|principal|core|study|trial|patients?|subjects?|participants?)"
_USUAL = rf"(?:{_USUAL_WORD}\s+)*"
_CRITERIA = r"criteri(?:a|on|as|um)"
_NAMES = {
    "exclusion": rf"(?:(?:exclusions?|non-?\s?inclusions?)\s+{_CRITERIA}|{_CRITERIA}\s+(?:for|of)\s+exclusion)",
    "inclusion": rf"(?:inclusions?\s+{_CRITERIA}|{_CRITERIA}\s+(?:for|of)\s+inclusion)",
}
_SHORT = {"exclusion": r"exclusions?", "inclusion": r"inclusions?"}
_BOTH = re.compile(rf"{_MARKS}{_USUAL}(?:inclusion|exclusion)\s*(?:/|and|&)\s*(?:inclusion|exclusion)\b", re.IGNORECASE)
_NEGATION = re.compile(r"\b(?:not|no|fail|fails|failing|failure|unable|without|unless|than)\b", re.IGNORECASE)
_WHOSE = re.compile(r"(?:for|in|of)\b|\W", re.IGNORECASE)
_COLON = re.compile(r"[\s*_]*[:：][*_]*\s*")  # some write the full-width one
_FRINGE = " \t*_:：.;,–-#"
_ANY_NAME = "|".join(_NAMES.values())
_FIRST = re.compile(rf"(?:{_MARKS}{_USUAL}(?:{_ANY_NAME})|\s*(?:in|ex)clusions?)\b{_COLON.pattern}", re.IGNORECASE)
_NEXT = re.compile(
    rf"(?:(?<=[.;\s])[*_]{{0,2}}(?:{_USUAL_WORD}\s){{0,3}}(?:{_ANY_NAME})|(?<=[.;]\s)(?:in|ex)clusions?)\b{_COLON.pattern}",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"\b(?:the|of|any|all|no|see|to|meet|meets|meeting|and|or)\s$", re.IGNORECASE)
_LONGEST_WORD = 10
"""Characters of the longest of `_SENTENCE`, and more."""
_MAX_QUALIFIED = 100
"""Characters of a heading that says more than which criteria follow: whose, or when."""


class Criteria(NamedTuple):
    """Each line of the text is in one of these; only headings that say nothing else are in none."""

    inclusion: str
    exclusion: str
    other: str
    """What stands before the first heading; all of it where there is none."""

    def as_columns(self) -> dict[str, str]:
        return {f"eligibility_{name}": text for name, text in self._asdict().items()}


class _Heading(NamedTuple):
    part: Part
    rest: str
    """What the line says beside being a heading; it is kept."""


def split_criteria(text: str) -> Criteria:
    """Sort lines by the heading they stand under; headings may come again, as one for each cohort.

    >>> split_criteria("Inclusion Criteria:\\n\\n* Adults\\n\\nExclusion Criteria:\\n\\n* Cough")
    Criteria(inclusion='* Adults', exclusion='* Cough', other='')
    """
    part: Part = "other"
    lines: dict[str, list[str]] = {name: [] for name in Criteria._fields}
    for line in text.split("\n"):
        for piece in _broken(line):
            heading = _heading_of(piece)
            if heading is None:
                lines[part].append(piece)
                continue
            part = heading.part
            lines[part] += ["", heading.rest] if heading.rest else [""]
    return Criteria(**{name: _joined(some) for name, some in lines.items()})


def _broken(line: str) -> list[str]:
    """A line that begins with a heading, broken before others in it: `Inclusion Criteria: Adults. Exclusion: Cough`."""
    if (first := _FIRST.match(line)) is None:
        return [line]
    starts = [found.start() for found in _NEXT.finditer(line, first.end())]
    starts = [start for start in starts if not _SENTENCE.search(line, max(0, start - _LONGEST_WORD), start)]
    return [line[start:end] for start, end in pairwise([0, *starts, len(line)])]


def _heading_of(line: str) -> _Heading | None:
    if "clusion" not in line.lower():
        return None
    if _BOTH.match(line):  # says nothing of what follows: other lines stay where they would have been
        return None
    for part in ("exclusion", "inclusion"):
        if (found := _plain_heading(line, part) or _qualified_heading(line, part)) is not None:
            return found
    return None


def _plain_heading(line: str, part: Part) -> _Heading | None:
    """`Inclusion Criteria:`, `* KEY INCLUSION CRITERIA`, and with the first criterion on the same line."""
    start = re.match(rf"{_MARKS}{_USUAL}{_NAMES[part]}\b", line, re.IGNORECASE)
    is_short = start is None
    if start is None:
        start = re.match(rf"{_MARKS}{_SHORT[part]}\b", line, re.IGNORECASE)
    if start is None:
        return None
    rest = line[start.end() :].strip()
    if not rest.strip(_FRINGE):
        return _Heading(part, "")
    is_item = bool(start["marks"].strip())
    if (colon := _COLON.match(rest)) and not (is_short and is_item):
        return _Heading(part, rest[colon.end() :])
    # A list item that begins like this is a criterion with a label ("* Exclusion Criteria 3. Infection"), a line that
    # is none goes on about what follows ("Inclusion Criteria for Cohort A").
    return None if is_item or is_short or _denies(rest) else _Heading(part, line)


def _denies(rest: str) -> bool:
    """Whether it goes on like `Inclusion criteria not met`, a criterion; `… for people without asthma` is a heading."""
    is_whose = _WHOSE.match(rest) or ":" in rest or "：" in rest
    return bool(_NEGATION.match(rest) or (_NEGATION.search(rest) and not is_whose))


def _qualified_heading(line: str, part: Part) -> _Heading | None:
    """`Cohort A Inclusion Criteria:`, which is kept as a line of what it heads."""
    stripped = line.strip()
    if len(stripped) > _MAX_QUALIFIED or not stripped.strip("*_").endswith((":", "：")) or _NEGATION.search(stripped):
        return None
    if re.match(r"\s*(?:[*•·▪●○–-]|[0-9]+[.)])\s", line):
        return None
    return _Heading(part, line) if re.search(rf"\b{_NAMES[part]}\b", stripped, re.IGNORECASE) else None


def _joined(lines: list[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
