"""A study as text to read, and the questions it answers itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hf_builders.corpus_builder import Exchange

_TITLE = "Write a short title for the clinical study described in this summary."
_ELIGIBILITY = "Write the eligibility criteria for this clinical study: who can take part, and who cannot."


def summary_to_title(values: Mapping[str, Any]) -> Iterator[Exchange]:
    """Asks for a title from the brief summary; the brief title answers."""
    summary, title = _clean(values["brief_summary"]), _clean(values["brief_title"])
    if summary and title:
        yield Exchange(_TITLE, summary, title)


def description_to_eligibility(values: Mapping[str, Any]) -> Iterator[Exchange]:
    """Asks who can take part from title, summary and description; the criteria answer, inclusion and exclusion apart.

    Criteria that name neither answer as they stand.
    """
    description = [_clean(values[name]) for name in ("brief_summary", "detailed_description")]
    answer = _paragraphs(
        [
            ("", values["eligibility_other"]),
            ("Inclusion Criteria:\n", values["eligibility_inclusion"]),
            ("Exclusion Criteria:\n", values["eligibility_exclusion"]),
        ]
    )
    if any(description) and answer:
        yield Exchange(_ELIGIBILITY, _paragraphs([("", _clean(values["brief_title"])), *_plain(description)]), answer)


def text_of_study(values: Mapping[str, Any]) -> str:
    """Titles, what is studied, the descriptions, the outcomes and who can take part, each under its name."""
    interventions = [each["name"] for each in values["interventions"] if each["name"]]
    return _paragraphs(
        [
            ("", values["brief_title"]),
            ("Official title: ", values["official_title"]),
            ("Conditions: ", "; ".join(values["conditions"])),
            ("Interventions: ", "; ".join(interventions)),
            ("Brief summary:\n", values["brief_summary"]),
            ("Detailed description:\n", values["detailed_description"]),
            ("Primary outcomes:\n", _outcomes(values["primary_outcomes"])),
            ("Secondary outcomes:\n", _outcomes(values["secondary_outcomes"])),
            ("Eligibility:\n", values["eligibility_criteria"]),
        ]
    )


def _outcomes(outcomes: Sequence[Mapping[str, str | None]]) -> str:
    return "\n".join(_outcome(outcome) for outcome in outcomes if outcome["measure"] or outcome["description"])


def _outcome(outcome: Mapping[str, str | None]) -> str:
    when = f" ({outcome['time_frame']})" if outcome["time_frame"] else ""
    what = ": ".join(text for text in (f"{outcome['measure'] or ''}{when}".strip(), outcome["description"]) if text)
    return f"* {what}"


def _plain(texts: Sequence[str]) -> list[tuple[str, str]]:
    return [("", text) for text in texts]


def _paragraphs(parts: Sequence[tuple[str, str | None]]) -> str:
    """Each text behind its name, those without text left out."""
    return "\n\n".join(f"{name}{_clean(text)}" for name, text in parts if _clean(text))


def _clean(text: str | None) -> str:
    return (text or "").strip()
