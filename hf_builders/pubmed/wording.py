"""A citation in words: its title, its abstract in paragraphs, its MeSH headings as MEDLINE writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_BRACKETED = re.compile(r"\[(.*)\]\.?")
_NO_TITLE = "not available"  # NLM writes `[Not Available].` where it has no English title
_NO_LABELS = ("", "UNLABELLED")


def paragraphs(parts: Iterable[Mapping[str, Any]]) -> str:
    """The parts of an abstract, a line each, behind their labels; NLM's word for a part without one is none.

    >>> parts = [{"label": "AIM:", "text": "To count."}, {"label": None, "text": "We counted."}]
    >>> paragraphs([*parts, {"label": "UNLABELLED", "text": "All were there."}])
    'AIM: To count.\\nWe counted.\\nAll were there.'
    """
    labelled = (((part["label"] or "").rstrip(": "), part["text"]) for part in parts)
    return "\n".join(text if label.upper() in _NO_LABELS else f"{label}: {text}" for label, text in labelled)


def readable_title(values: Mapping[str, Any]) -> str | None:
    """The English title, without the brackets that mark it as NLM's translation; None where there is none.

    >>> readable_title({"title": "[Vaccines are drugs].", "language": ["ita"]})
    'Vaccines are drugs.'
    >>> readable_title({"title": "[Not Available].", "language": ["fre"]})
    """
    title: str | None = values["title"]
    if title is None or not (found := _BRACKETED.fullmatch(title)):
        return title
    inner = found[1].strip()
    if inner.lower().rstrip(".") == _NO_TITLE or not inner:
        return None
    if all(code == "eng" for code in values["language"]) or not _is_balanced(inner):
        return title
    return inner if inner.endswith((".", "?", "!", "…")) else f"{inner}."


def _is_balanced(text: str) -> bool:
    """Whether no bracket in a text closes one before it, as in the inside of `[A] and [B]`.

    >>> _is_balanced("A [B] C"), _is_balanced("A] and [B")
    (True, False)
    """
    depth = 0
    for character in text:
        depth += {"[": 1, "]": -1}.get(character, 0)
        if depth < 0:
            return False
    return depth == 0


def written_heading(heading: Mapping[str, Any]) -> str:
    """A heading with its qualifiers, what is a major topic behind an asterisk.

    >>> qualifiers = [{"name": "drug effects", "major": False}, {"name": "physiology", "major": True}]
    >>> written_heading({"descriptor": "Sleep", "major": False, "qualifiers": qualifiers})
    'Sleep/drug effects/*physiology'
    """
    names = [(heading["descriptor"], heading["major"]), *((q["name"], q["major"]) for q in heading["qualifiers"])]
    return "/".join(f"*{name}" if is_major else name for name, is_major in names)
