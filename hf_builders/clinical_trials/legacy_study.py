"""A study of the legacy XML, `clinical_study`, in; its columns out, in the words API v2 has for them."""

from __future__ import annotations

import re
from typing import Any

from lxml.etree import _Element

from hf_builders.clinical_trials.eligibility import split_criteria
from hf_builders.clinical_trials.legacy_text import unwrapped
from hf_builders.clinical_trials.study_columns import checked_nct_id, each_once, is_in_calendar, whole_date
from hf_builders.quarantine import RowProblem
from hf_builders.xml_files import text_of

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DATE = re.compile(rf"({'|'.join(_MONTHS)}) (?:([0-9]{{1,2}}), )?([0-9]{{4}})")
_OTHER_WORDS = {
    "Both": "ALL",  # `gender` before 2017
    "N/A": "NA",
    "Not Applicable": "NA",
    "Observational [Patient Registry]": "OBSERVATIONAL",
    "Phase 0": "EARLY_PHASE1",
    "Unknown status": "UNKNOWN",
}
_VOLUNTEERS = {"": None, "Yes": True, "Accepts Healthy Volunteers": True, "No": False}


def values_of_legacy_study(study: _Element) -> dict[str, Any]:
    """The columns of the view `source`.

    Raises:
        RowProblem: it has no NCT id, or a date, a number or an answer of yes or no that is none.
    """
    criteria = _block(study, "eligibility/criteria")
    updated = "last_update_posted" if study.find("last_update_posted") is not None else "lastchanged_date"
    phase = _text(study, "phase") or ""
    return {
        "nct_id": checked_nct_id(_text(study, "id_info/nct_id"), "nct_id"),
        "org_study_id": _text(study, "id_info/org_study_id"),
        "brief_title": _text(study, "brief_title"),
        "official_title": _text(study, "official_title"),
        "acronym": _text(study, "acronym"),
        "overall_status": _word(study, "overall_status"),
        "study_type": _word(study, "study_type"),
        "phases": [word_of(each) for each in ([phase] if phase == "N/A" else phase.split("/")) if each],
        "conditions": _texts(study, "condition"),
        "keywords": _texts(study, "keyword"),
        "interventions": [
            {
                "type": _word(each, "intervention_type"),
                "name": _text(each, "intervention_name"),
                "description": _block(each, "description"),
            }
            for each in study.iterfind("intervention")
        ],
        "arms": [
            {
                "label": _text(each, "arm_group_label"),
                "type": _word(each, "arm_group_type"),
                "description": _block(each, "description"),
            }
            for each in study.iterfind("arm_group")
        ],
        "primary_outcomes": _outcomes(study, "primary_outcome"),
        "secondary_outcomes": _outcomes(study, "secondary_outcome"),
        "brief_summary": _block(study, "brief_summary"),
        "detailed_description": _block(study, "detailed_description"),
        "eligibility_criteria": criteria,
        **split_criteria(criteria or "").as_columns(),
        "sex": _word(study, "eligibility/gender"),
        "minimum_age": _age(study, "eligibility/minimum_age"),
        "maximum_age": _age(study, "eligibility/maximum_age"),
        "healthy_volunteers": _volunteers(study),
        "enrollment": _enrollment(study),
        "start_date": _date(study, "start_date"),
        "completion_date": _date(study, "completion_date"),
        "last_update_posted": whole_date(_date(study, updated), updated),
        "sponsor": _text(study, "sponsors/lead_sponsor/agency"),
        "countries": each_once(_texts(study, "location/facility/address/country")),
        "references": [*_references(study, "reference"), *_references(study, "results_reference")],
        "has_results": study.find("clinical_results") is not None,
    }


def word_of(text: str) -> str:
    """A word of the legacy vocabularies as API v2 has it.

    >>> [word_of(text) for text in ("Active, not recruiting", "Phase 2", "Early Phase 1", "Dietary Supplement", "Both")]
    ['ACTIVE_NOT_RECRUITING', 'PHASE2', 'EARLY_PHASE1', 'DIETARY_SUPPLEMENT', 'ALL']
    """
    return _OTHER_WORDS.get(text) or re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_").replace("PHASE_", "PHASE")


def date_of(text: str, member: str) -> str | None:
    """A date as API v2 writes it.

    >>> date_of("November 3, 1999", "start_date"), date_of("January 2004", "start_date")
    ('1999-11-03', '2004-01')

    Raises:
        RowProblem: `bad_date`, it is written otherwise, or no calendar has it.
    """
    if not text:
        return None
    if found := _DATE.fullmatch(text):
        month, day, year = found.groups()
        date = f"{year}-{_MONTHS.index(month) + 1:02}" + (f"-{int(day):02}" if day else "")
        if is_in_calendar(date):
            return date
    raise RowProblem("bad_date", f"{member} is {text!r:.40}; expected January 2024 or January 31, 2024")


def _text(parent: _Element, path: str) -> str | None:
    return text_of(parent.find(path)) or None


def _texts(parent: _Element, path: str) -> list[str]:
    return [text for each in parent.iterfind(path) if (text := text_of(each))]


def _word(parent: _Element, path: str) -> str | None:
    text = _text(parent, path)
    return None if text is None else word_of(text)


def _block(parent: _Element, path: str) -> str | None:
    """A text of several paragraphs, which mostly stands in a `textblock`."""
    found = parent.find(path)
    return None if found is None else unwrapped("".join(found.itertext())) or None


def _date(study: _Element, name: str) -> str | None:
    return date_of(_text(study, name) or "", name)


def _age(study: _Element, path: str) -> str | None:
    text = _text(study, path)
    return None if text == "N/A" else text  # API v2 leaves out an age that has no limit


def _volunteers(study: _Element) -> bool | None:
    text = _text(study, "eligibility/healthy_volunteers") or ""
    if text not in _VOLUNTEERS:
        raise RowProblem("wrong_type", f"'healthy_volunteers' has {text!r:.60}; expected Yes or No")
    return _VOLUNTEERS[text]


def _enrollment(study: _Element) -> int | None:
    text = _text(study, "enrollment") or ""
    if text and not re.fullmatch("[0-9]{1,18}", text):
        raise RowProblem("wrong_type", f"'enrollment' has {text!r:.60}; expected a whole number")
    return int(text) if text else None


def _outcomes(study: _Element, name: str) -> list[dict[str, str | None]]:
    return [
        {
            "measure": _text(each, "measure"),
            "description": _block(each, "description"),
            "time_frame": _text(each, "time_frame"),
        }
        for each in study.iterfind(name)
    ]


def _references(study: _Element, name: str) -> list[dict[str, str | None]]:
    kind = "BACKGROUND" if name == "reference" else "RESULT"
    return [
        {"type": kind, "pmid": _text(each, "PMID"), "citation": _text(each, "citation")}
        for each in study.iterfind(name)
    ]
