"""ClinicalTrials.gov: criteria under the right heading and none lost, text blocks unwrapped, real files as they are."""

from __future__ import annotations

import datetime
import json
import re
import xml.etree.ElementTree
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hf_builders
from hf_builders import Account
from hf_builders.clinical_trials.api_study import without_escapes
from hf_builders.clinical_trials.eligibility import Criteria, split_criteria
from hf_builders.clinical_trials.legacy_text import unwrapped
from tests.hf_builders.clinical_trials_files import load, rows_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\> \< \& \[a\] \* \_ \~ \# \\ \! \` \| \-", r"> < & [a] * _ ~ # \ ! ` | -"),
        (r"C:\new \é \1 \ x", r"C:\new \é \1 \ x"),
        (r"\\>", r"\>"),
        ("ends in \\", "ends in \\"),
        ("* bullet\n\n  * inner\n\n1. number &lt; **bold**", "* bullet\n\n  * inner\n\n1. number &lt; **bold**"),
    ],
)
def test_a_backslash_goes_before_ascii_punctuation_only_and_all_else_stays(text: str, expected: str) -> None:
    assert without_escapes(text) == expected


SPELLINGS = [
    "{}clusion Criteria:", "{}clusion criteria", "{}CLUSION CRITERIA:", "* {}CLUSION CRITERIA",
    "-  {}clusion criteria:",
    "1. {}clusion Criteria:", "A. {}clusion Criteria", "I. {}clusion criteria:", "## {}clusion Criteria",
    "**{}clusion Criteria:**", "{}clusion criteria -", "  {}clusion Criteria : ", "{}clusion:", "{}clusion",
    "* {}clusions:",
    "Key {}clusion Criteria:", "Main {}clusion criteria", "Key Subject {}clusion Criteria:", "{}clusion Criterion:",
    "Criteria for {}clusion:", "{}clusion Criteria：", "{}clusion：", "{}clusions Criteria:", "* {}CLUSIONS CRITERIA",
    "\u00a0{}clusion Criteria:\r",
]  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_headings_are_found_in_every_spelling(spelling: str) -> None:
    inclusion = spelling.format("IN" if spelling.isupper() else "In")
    exclusion = spelling.format("EX" if spelling.isupper() else "Ex")
    text = f"before\n\n{inclusion}\n\n* a\n* b\n\n{exclusion}\n\n* c\n"
    assert split_criteria(text) == Criteria("* a\n* b", "* c", "before")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("", "", "")),
        ("Adults.\n\n* one", ("", "", "Adults.\n\n* one")),
        ("Inclusion Criteria:\n\n* a", ("* a", "", "")),
        ("Exclusion Criteria:\n\n* a", ("", "* a", "")),
        ("Exclusion Criteria:\n* b\nInclusion Criteria:\n* a", ("* a", "* b", "")),
        ("Inclusion criteria: adults\nExclusion criteria : none.", ("adults", "none.", "")),
        ("Inclusion: -5 dioptres\nExclusion: b", ("-5 dioptres", "b", "")),
        ("* Inclusion Criteria: adults", ("adults", "", "")),
        ("Inclusion criteria： adults\nExclusion： none", ("adults", "none", "")),
        ("Cohort A Exclusion Criteria：\na", ("", "Cohort A Exclusion Criteria：\na", "")),
        ("Non-inclusions Criteria:\n* a", ("", "* a", "")),
        # Headings on one line.
        ("Inclusion Criteria: Age over 18. Exclusion Criteria: Pregnancy.", ("Age over 18.", "Pregnancy.", "")),
        ("inclusion criteria: adults exclusion criteria : cough;Inclusion criteria: c", ("adults\n\nc", "cough;", "")),
        ("* Exclusion Criteria: b. **Key Inclusion Criteria:** a\n* c", ("a\n* c", "b.", "")),
        ("Inclusion: adults. Exclusion: cough", ("adults.", "cough", "")),
        ("Inclusion Criteria: Exclusion Criteria: cough", ("", "cough", "")),
        ("Inclusion Criteria: none of the exclusion criteria: see below\n* a",
         ("none of the exclusion criteria: see below\n* a", "", "")),
        ("Inclusion Criteria: no reason for exclusion: a", ("no reason for exclusion: a", "", "")),
        ("Non-inclusion Criteria:\n* a\nNon inclusion criteria\n* b", ("", "* a\n\n* b", "")),
        # Headings that say more than that are kept.
        ("Inclusion Criteria for Cohort A\n* a\nExclusion Criteria (all)\n* b",
         ("Inclusion Criteria for Cohort A\n* a", "Exclusion Criteria (all)\n* b", "")),
        ("Exclusion Criteria:\n\nPre-Operative Exclusion Criteria:\n\n* b\n\nIntra-operative Exclusion Criteria:\n\nx",
         ("", "Pre-Operative Exclusion Criteria:\n\n* b\n\nIntra-operative Exclusion Criteria:\n\nx", "")),
        ("Cohort 1 inclusion criteria:\n* a\nCohort 2 inclusion criteria:\n* b",
         ("Cohort 1 inclusion criteria:\n* a\n\nCohort 2 inclusion criteria:\n* b", "", "")),
        # Headings that come again.
        ("Inclusion Criteria:\n* a\nExclusion Criteria:\n* b\nInclusion Criteria:\n* c\nExclusion Criteria:\n* d",
         ("* a\n\n* c", "* b\n\n* d", "")),
        # Lines that only speak of criteria.
        ("Inclusion Criteria:\n* Inclusion Criteria 1. Adults\n* Exclusion of other causes\n* inclusion criteria met\n"
         "Exclusion Criteria:\n* Not meeting the inclusion criteria:\n* b (see inclusion criteria)\n"
         "Patients who fail the inclusion criteria:\nOther inclusion/exclusion criteria may apply.",
         ("* Inclusion Criteria 1. Adults\n* Exclusion of other causes\n* inclusion criteria met",
          "* Not meeting the inclusion criteria:\n* b (see inclusion criteria)\n"
          "Patients who fail the inclusion criteria:\nOther inclusion/exclusion criteria may apply.", "")),
        ("Exclusion Criteria\n\nInclusion criteria not met\n\nPregnant",
         ("", "Inclusion criteria not met\n\nPregnant", "")),
        ("Exclusion Criteria\n\nInclusion criteria not met: any\nInclusion criteria that you fail\nPregnant",
         ("", "Inclusion criteria not met: any\nInclusion criteria that you fail\nPregnant", "")),
        # Headings of criteria that say no.
        ("Inclusion Criteria\na\nExclusion Criteria - No cough\nb\nInclusion Criteria for people without asthma\nc",
         ("a\n\nInclusion Criteria for people without asthma\nc", "Exclusion Criteria - No cough\nb", "")),
        ("Inclusion/Exclusion Criteria:\n* a", ("", "", "Inclusion/Exclusion Criteria:\n* a")),
        ("Exclusion of the other eye\nInclusions in it", ("", "", "Exclusion of the other eye\nInclusions in it")),
        ("DISEASE CHARACTERISTICS:\n\n* a", ("", "", "DISEASE CHARACTERISTICS:\n\n* a")),
    ],
)  # fmt: skip
def test_lines_stand_under_their_heading(text: str, expected: tuple[str, str, str]) -> None:
    assert split_criteria(text) == Criteria(*expected)


def test_a_line_of_many_marks_takes_no_longer_than_its_length() -> None:
    for line in ("*" * 50_000 + " clusion", "1. " * 20_000 + "clusion", "inclusion" + " " * 50_000 + "x"):
        assert split_criteria(line).other == line
    for mark in ("I. ", "X) ", "II. ", "V. 1. "):
        assert split_criteria(mark * 5000 + "clusion").other == mark * 5000 + "clusion"


def test_a_line_of_many_headings_takes_no_longer_than_its_length() -> None:
    assert split_criteria("Inclusion criteria: " + "key " * 50_000).inclusion == "key " * 49_999 + "key"
    assert split_criteria("Inclusion criteria: " + "the exclusion criteria: " * 20_000).exclusion == ""
    assert split_criteria("Inclusion criteria: " + "Exclusion criteria: a. " * 20_000).exclusion.count("a.") == 20_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("  \n ", ""),
        ("One line", "One line"),
        ("\n      A paragraph\n      goes on.\n\n\n      Another.\n    ", "A paragraph goes on.\n\nAnother."),
        ("\n   Head:\n\n     -  one\n        goes on\n\n     -  two\n\n   After",
         "Head:\n\n* one goes on\n* two\n\nAfter"),
        ("\n   Head:\n     -  one\n     -  two\n   Next:\n     -  three", "Head:\n\n* one\n* two\n\nNext:\n\n* three"),
        ("\n   1. one\n      goes on\n\n   2. two\n\n        -  inner\n\n   3. three",
         "1. one goes on\n2. two\n\n   * inner\n3. three"),
        ("\n   -  one\n\n        1. inner\n\n        2. inner\n\n             -  innermost\n\n   -  two",
         "* one\n\n  1. inner\n  2. inner\n\n     * innermost\n* two"),
        ("\n   -  one\n\n      goes on as a paragraph\n\n   -  two", "* one\n\n  goes on as a paragraph\n\n* two"),
        ("\n   At least\n   1. of these, or\n   2. of those", "At least 1. of these, or 2. of those"),
        ("\n   Head:\n     1. one\n     2. two", "Head:\n\n1. one\n2. two"),
        ("\n   - one dash and one space\n   is no item - but text", "- one dash and one space is no item - but text"),
        ("\n-  no indent\nat all\n\n-  two", "* no indent at all\n* two"),
        ("\n\t-  a tab\n\n\t-  two", "* a tab\n* two"),
    ],
)  # fmt: skip
def test_wrapped_and_indented_text_becomes_a_line_for_each_paragraph_and_item(text: str, expected: str) -> None:
    assert unwrapped(text) == expected


def test_a_paragraph_of_many_lines_takes_no_longer_than_its_length() -> None:
    assert unwrapped("  a line\n" * 300_000) == "a line " * 299_999 + "a line"


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def plain(text: str | None) -> str | None:
    """CommonMark's escapes undone in another way than ours: character by character."""
    if text is None:
        return None
    out, rest = "", iter(text)
    for char in rest:
        after = next(rest, "") if char == "\\" else ""
        out += after if after and after in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" else char + after
    return out


def api_row(study: Any) -> dict[str, Any]:
    """The columns of a study of API v2, but for the parts of its criteria."""
    protocol = study["protocolSection"]
    modules = {name.removesuffix("Module"): module for name, module in protocol.items()}
    identification, status, design = (modules.get(name, {}) for name in ("identification", "status", "design"))
    description, eligibility = modules.get("description", {}), modules.get("eligibility", {})
    arms, outcomes = modules.get("armsInterventions", {}), modules.get("outcomes", {})
    countries: list[str] = []
    for location in modules.get("contactsLocations", {}).get("locations", []):
        if "country" in location and location["country"] not in countries:
            countries.append(location["country"])

    def described(items: list[Any], **names: str) -> list[dict[str, Any]]:
        return [
            {
                **{ours: item.get(theirs) for ours, theirs in names.items()},
                "description": plain(item.get("description")),
            }
            for item in items
        ]

    return {
        "nct_id": identification["nctId"],
        "org_study_id": identification.get("orgStudyIdInfo", {}).get("id"),
        "brief_title": identification.get("briefTitle"),
        "official_title": identification.get("officialTitle"),
        "acronym": identification.get("acronym"),
        "overall_status": status.get("overallStatus"),
        "study_type": design.get("studyType"),
        "phases": design.get("phases", []),
        "conditions": modules.get("conditions", {}).get("conditions", []),
        "keywords": modules.get("conditions", {}).get("keywords", []),
        "interventions": described(arms.get("interventions", []), type="type", name="name"),
        "arms": described(arms.get("armGroups", []), label="label", type="type"),
        "primary_outcomes": described(outcomes.get("primaryOutcomes", []), measure="measure", time_frame="timeFrame"),
        "secondary_outcomes": described(
            outcomes.get("secondaryOutcomes", []), measure="measure", time_frame="timeFrame"
        ),
        "brief_summary": plain(description.get("briefSummary")),
        "detailed_description": plain(description.get("detailedDescription")),
        "eligibility_criteria": plain(eligibility.get("eligibilityCriteria")),
        "sex": eligibility.get("sex"),
        "minimum_age": eligibility.get("minimumAge"),
        "maximum_age": eligibility.get("maximumAge"),
        "healthy_volunteers": eligibility.get("healthyVolunteers"),
        "enrollment": design.get("enrollmentInfo", {}).get("count"),
        "start_date": status.get("startDateStruct", {}).get("date"),
        "completion_date": status.get("completionDateStruct", {}).get("date"),
        "last_update_posted": status.get("lastUpdatePostDateStruct", {}).get("date"),
        "sponsor": modules.get("sponsorCollaborators", {}).get("leadSponsor", {}).get("name"),
        "countries": countries,
        "references": [
            {name: reference.get(name) for name in ("type", "pmid", "citation")}
            for reference in modules.get("references", {}).get("references", [])
        ],
        "has_results": study.get("hasResults"),
    }


HEADING_WORD = re.compile(
    r"(?:non)?(?:in|ex)clusions?|non|criteri(?:a|as|on|um)|for|of|key|main|major|general|primary|principal|core|study"
    r"|trial|patients?|subjects?|participants?|[0-9]{1,2}|[a-z]|[ivx]+|_+",  # with the numbers and letters before one
    re.IGNORECASE,
)


def studies_of(path: Path) -> list[Any]:
    """Of a file that is an array, a page or one study."""
    value = json.loads(path.read_text(encoding="utf-8"))
    return list(value) if isinstance(value, list) else list(value.get("studies", [value]))


def lines_of(text: str | None) -> list[str]:
    return [line.strip() for line in (text or "").split("\n") if line.strip()]


def check_parts(criteria: str | None, other: str, inclusion: str, exclusion: str) -> bool:
    """Each line is in a part, and of a heading what it says more; whether the parts could be told exactly."""
    lines, kept = lines_of(criteria), [line for part in (other, inclusion, exclusion) for line in lines_of(part)]
    assert not Counter(line for line in lines if "clusion" not in line.lower()) - Counter(kept)
    all_words, kept_words = Counter(words("\n".join(lines))), Counter(words("\n".join(kept)))
    assert not kept_words - all_words, "nothing is invented"
    assert [word for word in all_words - kept_words if not HEADING_WORD.fullmatch(word)] == []
    headings = [n for n, line in enumerate(lines) if "clusion" in line.lower()]
    told = [re.fullmatch(r"(In|Ex)clusion Criteria:?", lines[n]) for n in headings]
    if [each and each[1] for each in told] != ["In", "Ex"]:
        return False
    first, second = headings
    assert lines_of(other) == lines[:first]
    assert lines_of(inclusion) == lines[first + 1 : second]
    assert lines_of(exclusion) == lines[second + 1 :]
    return True


@pytest.mark.realdata
def test_every_real_study_of_api_v2_equals_an_independent_parse(shared_realdata: Callable[[str], Path]) -> None:
    folder = shared_realdata("clinicaltrials") / "api_v2"
    studies = [study for path in sorted(folder.glob("*.json")) for study in studies_of(path)]
    versions: dict[str, list[dict[str, Any]]] = {}
    for study in studies:
        versions.setdefault(study["protocolSection"]["identificationModule"]["nctId"], []).append(api_row(study))
    rows = rows_of(folder)
    assert {row["nct_id"] for row in rows} == set(versions)
    assert len(rows) == len(versions) > 0
    num_told = 0
    for row in rows:
        num_told += check_parts(
            row["eligibility_criteria"],
            *(row.pop(f"eligibility_{name}") for name in ("other", "inclusion", "exclusion")),
        )
        assert row in versions[row["nct_id"]]
    assert num_told > 0 or len(rows) < 10, "no study has two bare headings; are these real ones?"


@pytest.mark.realdata
def test_the_real_legacy_study_equals_an_independent_parse(shared_realdata: Callable[[str], Path]) -> None:
    folder = shared_realdata("clinicaltrials") / "xml"
    files = sorted(folder.glob("*.xml"))
    rows = {row["nct_id"]: row for row in rows_of(folder)}
    assert len(rows) == len(files) > 0
    for path in files:
        root = xml.etree.ElementTree.parse(path).getroot()
        row = rows[str(root.findtext("id_info/nct_id"))]
        for column, name in (("brief_title", "brief_title"), ("sponsor", "source"), ("acronym", "acronym")):
            assert row[column] == root.findtext(name)
        assert row["official_title"] == root.findtext("official_title")
        assert row["org_study_id"] == root.findtext("id_info/org_study_id")
        assert row["conditions"] == [each.text for each in root.findall("condition")]
        assert row["keywords"] == [each.text for each in root.findall("keyword")]
        names = [each.text for each in root.findall("intervention/intervention_name")]
        assert [each["name"] for each in row["interventions"]] == names
        assert [each["label"] for each in row["arms"]] == [
            each.text for each in root.findall("arm_group/arm_group_label")
        ]
        for part in ("primary", "secondary"):
            measures = [each.text for each in root.findall(f"{part}_outcome/measure")]
            assert [each["measure"] for each in row[f"{part}_outcomes"]] == measures
        for column, name in (
            ("brief_summary", "brief_summary"),
            ("detailed_description", "detailed_description"),
            ("eligibility_criteria", "eligibility/criteria"),
        ):
            text = root.findtext(f"{name}/textblock")
            assert words(row[column] or "") == words(text or "")
            assert not re.search(r"^ {4}|[^.:\s]\n[a-z]", row[column] or "", re.MULTILINE)
        assert row["overall_status"].replace("_", " ").lower() == str(root.findtext("overall_status")).lower()
        assert row["study_type"] == str(root.findtext("study_type")).upper()
        phases = (root.findtext("phase") or "").replace("N/A", "")
        assert "/".join(row["phases"]).removeprefix("NA").replace("_", "") == phases.upper().replace(" ", "")
        kinds = [str(each.text).upper().replace(" ", "_") for each in root.findall("intervention/intervention_type")]
        assert [each["type"] for each in row["interventions"]] == kinds
        assert row["sex"] == str(root.findtext("eligibility/gender")).upper().replace("BOTH", "ALL")
        for name in ("minimum_age", "maximum_age"):
            age = root.findtext(f"eligibility/{name}")
            assert row[name] == (None if age == "N/A" else age)
        assert row["healthy_volunteers"] == (root.findtext("eligibility/healthy_volunteers") != "No")
        assert str(row["enrollment"]) == str(root.findtext("enrollment"))
        for name in ("start_date", "completion_date", "last_update_posted"):
            date = root.findtext(name)
            form = "%B %d, %Y" if date and "," in date else "%B %Y"
            parsed = datetime.datetime.strptime(date, form).date().isoformat() if date else None
            assert row[name] == (parsed if parsed is None or "," in str(date) else parsed[:7])
        citations = [*root.findall("reference/citation"), *root.findall("results_reference/citation")]
        assert [each["citation"] for each in row["references"]] == [each.text for each in citations]
        assert set(row["countries"]) == {each.text for each in root.findall("location_countries/country")}
        assert row["has_results"] == (root.find("clinical_results") is not None)


@pytest.mark.realdata
def test_the_two_generations_give_a_study_the_same_shape(shared_realdata: Callable[[str], Path]) -> None:
    loaded = load(shared_realdata("clinicaltrials"))
    account = hf_builders.account(loaded)["train"]
    assert account == Account(loaded["train"].num_rows, loaded["train"].num_rows)
    (row,) = [row for row in loaded["train"] if row["nct_id"] == "NCT00000102"]
    assert row["eligibility_inclusion"] == (
        "* diagnosed with Congenital Adrenal Hyperplasia (CAH)\n* normal ECG during baseline evaluation"
    )
    assert row["phases"] == ["PHASE1", "PHASE2"]
    assert row["last_update_posted"].isoformat() == "2005-06-24"
