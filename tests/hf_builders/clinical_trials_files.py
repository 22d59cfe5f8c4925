"""Small studies in each form of ClinicalTrials.gov's files, and how to load them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hf_builders

STUDY: dict[str, Any] = {
    "protocolSection": {
        "identificationModule": {
            "nctId": "NCT99000001",
            "orgStudyIdInfo": {"id": "A/1", "type": "NIH"},
            "organization": {"fullName": "Port Clinic", "class": "OTHER"},
            "briefTitle": r"Tea \> Coffee for Cough",
            "officialTitle": "A Trial of Tea in Cough",
            "acronym": "TEA",
        },
        "statusModule": {
            "overallStatus": "COMPLETED",
            "startDateStruct": {"date": "2020-01"},
            "completionDateStruct": {"date": "2021-02-03", "type": "ACTUAL"},
            "lastUpdatePostDateStruct": {"date": "2022-05-06", "type": "ACTUAL"},
        },
        "sponsorCollaboratorsModule": {"leadSponsor": {"name": "Port Clinic", "class": "OTHER"}},
        "descriptionModule": {
            "briefSummary": r"Tea against cough in R\&D staff.",
            "detailedDescription": "One cup a day.\n\n* hot\n* with honey",
        },
        "conditionsModule": {"conditions": ["Cough", "Thirst"], "keywords": ["Tea"]},
        "designModule": {
            "studyType": "INTERVENTIONAL",
            "phases": ["PHASE2", "PHASE3"],
            "enrollmentInfo": {"count": 40, "type": "ACTUAL"},
        },
        "armsInterventionsModule": {
            "armGroups": [{"label": "Tea", "type": "EXPERIMENTAL", "description": r"\> 1 cup"}, {"label": "Nothing"}],
            "interventions": [{"type": "DIETARY_SUPPLEMENT", "name": "Tea", "description": r"Cup of \[black\] tea"}],
        },
        "outcomesModule": {
            "primaryOutcomes": [{"measure": r"Coughs \< 5", "description": r"\< 5 an hour", "timeFrame": "1 week"}],
            "secondaryOutcomes": [{"measure": "Sleep"}],
        },
        "eligibilityModule": {
            "eligibilityCriteria": "Inclusion Criteria:\n\n* Age \\>= 18\n\nExclusion Criteria:\n\n* Asthma",
            "healthyVolunteers": False,
            "sex": "ALL",
            "minimumAge": "18 Years",
        },
        "contactsLocationsModule": {
            "locations": [{"city": "Port", "country": "Norland"}, {"country": "Aruvia"}, {"country": "Norland"}]
        },
        "referencesModule": {"references": [{"pmid": "99900001", "type": "RESULT", "citation": "Brandt A. Tea."}]},
    },
    "derivedSection": {"miscInfoModule": {"versionHolder": "2025-01-01"}},
    "hasResults": False,
}

ROW: dict[str, Any] = {
    "nct_id": "NCT99000001",
    "org_study_id": "A/1",
    "brief_title": r"Tea \> Coffee for Cough",
    "official_title": "A Trial of Tea in Cough",
    "acronym": "TEA",
    "overall_status": "COMPLETED",
    "study_type": "INTERVENTIONAL",
    "phases": ["PHASE2", "PHASE3"],
    "conditions": ["Cough", "Thirst"],
    "keywords": ["Tea"],
    "interventions": [{"type": "DIETARY_SUPPLEMENT", "name": "Tea", "description": "Cup of [black] tea"}],
    "arms": [
        {"label": "Tea", "type": "EXPERIMENTAL", "description": "> 1 cup"},
        {"label": "Nothing", "type": None, "description": None},
    ],
    "primary_outcomes": [{"measure": r"Coughs \< 5", "description": "< 5 an hour", "time_frame": "1 week"}],
    "secondary_outcomes": [{"measure": "Sleep", "description": None, "time_frame": None}],
    "brief_summary": "Tea against cough in R&D staff.",
    "detailed_description": "One cup a day.\n\n* hot\n* with honey",
    "eligibility_criteria": "Inclusion Criteria:\n\n* Age >= 18\n\nExclusion Criteria:\n\n* Asthma",
    "eligibility_inclusion": "* Age >= 18",
    "eligibility_exclusion": "* Asthma",
    "eligibility_other": "",
    "sex": "ALL",
    "minimum_age": "18 Years",
    "maximum_age": None,
    "healthy_volunteers": False,
    "enrollment": 40,
    "start_date": "2020-01",
    "completion_date": "2021-02-03",
    "last_update_posted": "2022-05-06",
    "sponsor": "Port Clinic",
    "countries": ["Norland", "Aruvia"],
    "references": [{"type": "RESULT", "pmid": "99900001", "citation": "Brandt A. Tea."}],
    "has_results": False,
}

LEGACY = """<clinical_study>
  <!-- This xml conforms to an XML Schema at:
    https://clinicaltrials.gov/ct2/html/images/info/public.xsd -->
  <required_header><url>https://clinicaltrials.gov/show/NCT99000001</url></required_header>
  <id_info>
    <org_study_id>A/1</org_study_id>
    <nct_id>NCT99000001</nct_id>
    <nct_alias>NCT99000009</nct_alias>
  </id_info>
  <brief_title>Tea \\&gt; Coffee for Cough</brief_title>
  <acronym>TEA</acronym>
  <official_title>A Trial of Tea in Cough</official_title>
  <sponsors>
    <lead_sponsor><agency>Port Clinic</agency></lead_sponsor>
    <collaborator><agency>Other Clinic</agency></collaborator>
  </sponsors>
  <brief_summary>
    <textblock>
      Tea against cough in
      R&amp;D staff.
    </textblock>
  </brief_summary>
  <detailed_description>
    <textblock>
      One cup
      a day.

        -  hot

        -  with
           honey
    </textblock>
  </detailed_description>
  <overall_status>Completed</overall_status>
  <start_date>January 2020</start_date>
  <completion_date type="Actual">February 3, 2021</completion_date>
  <phase>Phase 2/Phase 3</phase>
  <study_type>Interventional</study_type>
  <primary_outcome>
    <measure>Coughs \\&lt; 5</measure>
    <time_frame>1 week</time_frame>
    <description>&lt; 5 an hour</description>
  </primary_outcome>
  <secondary_outcome><measure>Sleep</measure></secondary_outcome>
  <enrollment type="Actual">40</enrollment>
  <condition>Cough</condition>
  <condition>Thirst</condition>
  <arm_group>
    <arm_group_label>Tea</arm_group_label>
    <arm_group_type>Experimental</arm_group_type>
    <description>&gt; 1 cup</description>
  </arm_group>
  <arm_group><arm_group_label>Nothing</arm_group_label></arm_group>
  <intervention>
    <intervention_type>Dietary Supplement</intervention_type>
    <intervention_name>Tea</intervention_name>
    <description>Cup of [black] tea</description>
  </intervention>
  <eligibility>
    <study_pop><textblock>Nobody reads this</textblock></study_pop>
    <criteria>
      <textblock>
        Inclusion Criteria:

          -  Age
             &gt;= 18

        Exclusion Criteria:

          -  Asthma
      </textblock>
    </criteria>
    <gender>All</gender>
    <minimum_age>18 Years</minimum_age>
    <maximum_age>N/A</maximum_age>
    <healthy_volunteers>No</healthy_volunteers>
  </eligibility>
  <location><facility><address><city>Port</city><country>Norland</country></address></facility></location>
  <location><facility><address><country>Aruvia</country></address></facility></location>
  <location><facility><address><country>Norland</country></address></facility></location>
  <results_reference><citation>Brandt A. Tea.</citation><PMID>99900001</PMID></results_reference>
  <last_update_posted type="Actual">May 6, 2022</last_update_posted>
  <keyword>Tea</keyword>
</clinical_study>
"""


def study(id_: str | None = "NCT99000001", updated: str | None = None, title: str = "A title", **modules: Any) -> Any:
    """A study of little more than an id; `modules` are others of its protocol, by name."""
    status = {} if updated is None else {"lastUpdatePostDateStruct": {"date": updated}}
    identification = {"briefTitle": title} if id_ is None else {"nctId": id_, "briefTitle": title}
    return {"protocolSection": {"identificationModule": identification, "statusModule": status, **modules}}


def legacy(id_: str = "NCT99000001", more: str = "", root: str = "clinical_study") -> str:
    return f"<{root}><id_info><nct_id>{id_}</nct_id></id_info><brief_title>A title</brief_title>{more}</{root}>"


def write(folder: Path, files: dict[str, Any]) -> Path:
    """Text as it is, anything else as JSON."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def load(folder: Path, view: str = "source", **options: Any) -> Any:
    return hf_builders.load_dataset("clinical_trials", view, data_dir=folder, **options)


def rows_of(folder: Path, view: str = "source", **options: Any) -> list[dict[str, Any]]:
    """Rows with the date as JSON has it."""
    rows: list[dict[str, Any]] = load(folder, view, **options)["train"].to_list()
    return [
        {**row, "last_update_posted": row["last_update_posted"].isoformat()} if row.get("last_update_posted") else row
        for row in rows
    ]


def set_aside(loaded: Any) -> list[dict[str, Any]]:
    """The bad rows of a load with `on_bad_row="quarantine"`."""
    folder = Path(loaded["train"].cache_files[0]["filename"]).parent
    return [
        json.loads(line)
        for path in sorted(folder.glob("quarantine-*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
