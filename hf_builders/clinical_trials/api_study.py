"""A study of API v2, parsed JSON, in; its columns out, the escapes of CommonMark undone."""

from __future__ import annotations

import re
from typing import Any

from hf_builders.clinical_trials.eligibility import split_criteria
from hf_builders.clinical_trials.json_members import Members
from hf_builders.clinical_trials.study_columns import checked_date, checked_nct_id, each_once, whole_date
from hf_builders.json_values import type_name
from hf_builders.quarantine import RowProblem

_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")  # CommonMark 2.4: any ASCII punctuation character, and no other


def values_of_api_study(study: Any) -> dict[str, Any]:
    """The columns of the view `source`.

    Raises:
        RowProblem: it is no study, has no NCT id, or a member of another type than the API's.
    """
    if not isinstance(study, dict):
        raise RowProblem("not_an_object", f"it is {type_name(study)} ({study!r:.60}); expected a study, an object")
    whole = Members(study)
    protocol = whole.object("protocolSection")
    identification = protocol.object("identificationModule")
    status, design = protocol.object("statusModule"), protocol.object("designModule")
    description, conditions = protocol.object("descriptionModule"), protocol.object("conditionsModule")
    arms, outcomes = protocol.object("armsInterventionsModule"), protocol.object("outcomesModule")
    eligibility = protocol.object("eligibilityModule")
    criteria = without_escapes(eligibility.text("eligibilityCriteria"))
    locations = protocol.object("contactsLocationsModule").objects("locations")
    return {
        "nct_id": checked_nct_id(identification.text("nctId"), "nctId"),
        "org_study_id": identification.object("orgStudyIdInfo").text("id"),
        "brief_title": identification.text("briefTitle"),
        "official_title": identification.text("officialTitle"),
        "acronym": identification.text("acronym"),
        "overall_status": status.text("overallStatus"),
        "study_type": design.text("studyType"),
        "phases": design.texts("phases"),
        "conditions": conditions.texts("conditions"),
        "keywords": conditions.texts("keywords"),
        "interventions": [_described(each, "type", "name") for each in arms.objects("interventions")],
        "arms": [_described(each, "label", "type") for each in arms.objects("armGroups")],
        "primary_outcomes": [_outcome(each) for each in outcomes.objects("primaryOutcomes")],
        "secondary_outcomes": [_outcome(each) for each in outcomes.objects("secondaryOutcomes")],
        "brief_summary": without_escapes(description.text("briefSummary")),
        "detailed_description": without_escapes(description.text("detailedDescription")),
        "eligibility_criteria": criteria,
        **split_criteria(criteria or "").as_columns(),
        "sex": eligibility.text("sex"),
        "minimum_age": eligibility.text("minimumAge"),
        "maximum_age": eligibility.text("maximumAge"),
        "healthy_volunteers": eligibility.flag("healthyVolunteers"),
        "enrollment": design.object("enrollmentInfo").whole("count"),
        "start_date": _date(status, "startDateStruct"),
        "completion_date": _date(status, "completionDateStruct"),
        "last_update_posted": whole_date(_date(status, "lastUpdatePostDateStruct"), "lastUpdatePostDateStruct"),
        "sponsor": protocol.object("sponsorCollaboratorsModule").object("leadSponsor").text("name"),
        "countries": each_once([country for each in locations if (country := each.text("country"))]),
        "references": [_reference(each) for each in protocol.object("referencesModule").objects("references")],
        "has_results": whole.flag("hasResults"),
    }


def without_escapes(text: str | None) -> str | None:
    """The text of a member that is CommonMark; bullets and the rest of its marks stay.

    >>> without_escapes(r"* BMI \\>= 30 \\\\ R\\&D, C:\\new")
    '* BMI >= 30 \\\\ R&D, C:\\\\new'
    """
    return None if text is None else _ESCAPE.sub(r"\1", text)


def _described(members: Members, *names: str) -> dict[str, str | None]:
    plain = {name: members.text(name) for name in names}
    return {**plain, "description": without_escapes(members.text("description"))}


def _outcome(outcome: Members) -> dict[str, str | None]:
    return {**_described(outcome, "measure"), "time_frame": outcome.text("timeFrame")}


def _reference(reference: Members) -> dict[str, str | None]:
    return {name: reference.text(name) for name in ("type", "pmid", "citation")}


def _date(status: Members, name: str) -> str | None:
    return checked_date(status.object(name).text("date"), name)
