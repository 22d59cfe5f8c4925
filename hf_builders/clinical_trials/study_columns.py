"""The columns of a study, the same for both generations of the registry's files."""

from __future__ import annotations

import datetime
import re

from datasets import Features, List, Value

from hf_builders.quarantine import RowProblem

_TEXT = Value("string")
_OUTCOME = {"measure": _TEXT, "description": _TEXT, "time_frame": _TEXT}
_NCT_ID = re.compile(r"NCT[0-9]{8}")
_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?")

FEATURES = Features(
    {
        "nct_id": _TEXT,
        "org_study_id": _TEXT,
        "brief_title": _TEXT,
        "official_title": _TEXT,
        "acronym": _TEXT,
        "overall_status": _TEXT,
        "study_type": _TEXT,
        "phases": List(_TEXT),
        "conditions": List(_TEXT),
        "keywords": List(_TEXT),
        "interventions": List({"type": _TEXT, "name": _TEXT, "description": _TEXT}),
        "arms": List({"label": _TEXT, "type": _TEXT, "description": _TEXT}),
        "primary_outcomes": List(_OUTCOME),
        "secondary_outcomes": List(_OUTCOME),
        "brief_summary": _TEXT,
        "detailed_description": _TEXT,
        "eligibility_criteria": _TEXT,
        "eligibility_inclusion": _TEXT,
        "eligibility_exclusion": _TEXT,
        "eligibility_other": _TEXT,
        "sex": _TEXT,
        "minimum_age": _TEXT,
        "maximum_age": _TEXT,
        "healthy_volunteers": Value("bool"),
        "enrollment": Value("int64"),
        "start_date": _TEXT,
        "completion_date": _TEXT,
        "last_update_posted": Value("date32"),
        "sponsor": _TEXT,
        "countries": List(_TEXT),
        "references": List({"type": _TEXT, "pmid": _TEXT, "citation": _TEXT}),
        "has_results": Value("bool"),
    }
)


def checked_nct_id(text: str | None, member: str) -> str:
    """The id of a study.

    Raises:
        RowProblem: `no_nct_id`, there is none; `bad_nct_id`, it is none of the registry's.
    """
    if text is None or not text.strip():
        raise RowProblem("no_nct_id", f"the study has no {member}; expected NCT and eight digits")
    if not _NCT_ID.fullmatch(text.strip()):
        raise RowProblem("bad_nct_id", f"{member} is {text!r:.40}; expected NCT and eight digits")
    return text.strip()


def checked_date(text: str | None, member: str) -> str | None:
    """A date as API v2 writes it, down to the day or the month.

    Raises:
        RowProblem: `bad_date`, it is written otherwise, or no calendar has it.
    """
    if text is not None and not (_DATE.fullmatch(text) and is_in_calendar(text)):
        raise RowProblem("bad_date", f"{member} is {text!r:.40}; expected 2024-01 or 2024-01-31")
    return text


def is_in_calendar(text: str) -> bool:
    """Whether there is such a day, month or year.

    >>> is_in_calendar("2024-02-29"), is_in_calendar("2024-02"), is_in_calendar("2024-02-30"), is_in_calendar("2024-13")
    (True, True, False, False)
    """
    try:
        datetime.date.fromisoformat(f"{text}-01-01"[:10])
    except ValueError:
        return False
    return True


def whole_date(text: str | None, member: str) -> datetime.date | None:
    """A date down to the day.

    >>> whole_date("2024-01-31", "lastUpdatePostDateStruct")
    datetime.date(2024, 1, 31)

    Raises:
        RowProblem: `bad_date`, it is none.
    """
    try:
        return None if text is None else datetime.datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise RowProblem("bad_date", f"{member} is {text!r:.40}; expected a day, as 2024-01-31") from None


def each_once(texts: list[str]) -> list[str]:
    """The texts in their order, each the first time only.

    >>> each_once(["Italy", "Japan", "Italy"])
    ['Italy', 'Japan']
    """
    return list(dict.fromkeys(texts))
