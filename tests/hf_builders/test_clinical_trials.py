"""ClinicalTrials.gov: every form of its files gives the same columns, each study once, and bad ones are told."""

from __future__ import annotations

import gzip
import json
import re
import socket
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import hf_builders
from hf_builders import Account, RowError, SourceError, json_documents, json_files
from hf_builders.clinical_trials import versions
from hf_builders.sources import SourceFile
from tests.hf_builders.clinical_trials_files import LEGACY, ROW, STUDY, legacy, load, rows_of, set_aside, study, write

EXPECTED = (
    "expected studies of ClinicalTrials.gov: JSON of API v2 (an array, a page with 'studies', a study, or JSON Lines) "
    "or legacy XML"
)
OTHER = study("NCT99000002")
FORMS: dict[str, Any] = {
    "array": [STUDY, OTHER],
    "array of one line": json.dumps([STUDY, OTHER]) + "\n",
    "array over many lines": "\ufeff\n " + json.dumps([STUDY, OTHER], indent=1),
    "page": {"studies": [STUDY, OTHER], "nextPageToken": "x"},
    "page that begins with its token": {"nextPageToken": "x", "totalCount": 2, "studies": [STUDY, OTHER]},
    "page over many lines": json.dumps({"totalCount": 2, "studies": [STUDY, OTHER]}, indent=2),
    "page with a member of its own": {"answered": {"at": [1]}, "studies": [STUDY, OTHER]},
    "JSON Lines": json.dumps(STUDY) + "\n\n" + json.dumps(OTHER) + "\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_several_studies_gives_the_same_rows(tmp_path: Path, form: str) -> None:
    folder = write(tmp_path / "in", {"studies.json": FORMS[form]})
    rows = rows_of(folder)
    assert [row["nct_id"] for row in rows] == ["NCT99000001", "NCT99000002"]
    assert rows[0] == ROW
    streamed = load(folder, streaming=True)["train"]
    assert [row["nct_id"] for row in streamed] == ["NCT99000001", "NCT99000002"]


@pytest.mark.parametrize(
    "text",
    [json.dumps(STUDY), json.dumps(STUDY, indent=2), "\n" + json.dumps(STUDY, indent="\t") + "\n\n", LEGACY],
    ids=["one line", "many lines", "tabs", "XML"],
)
@pytest.mark.parametrize("name", ["NCT99000001", "anything"])
def test_a_file_of_one_study_gives_it_in_either_generation(tmp_path: Path, name: str, text: str) -> None:
    ending = "xml" if text is LEGACY else "json"
    assert rows_of(write(tmp_path / "in", {f"{name}.{ending}": text})) == [ROW]


def test_xml_with_a_rank_and_a_declaration_is_read_and_json_lines_may_be_called_so(tmp_path: Path) -> None:
    ranked = '<?xml version="1.0" encoding="UTF-8"?>\n' + LEGACY.replace(
        "<clinical_study>", '<clinical_study rank="3">'
    )
    lines = json.dumps(OTHER) + "\n" + json.dumps(study("NCT99000003"))
    rows = rows_of(write(tmp_path / "in", {"a.xml": ranked, "b.jsonl": lines, "c.jsonl": study("NCT99000004")}))
    assert rows[0] == ROW
    assert [row["nct_id"] for row in rows] == ["NCT99000001", "NCT99000002", "NCT99000003", "NCT99000004"]


def test_missing_and_unknown_modules_are_no_fault(tmp_path: Path) -> None:
    bare = {
        "protocolSection": {"identificationModule": {"nctId": "NCT99000002"}, "newModule": [1], "designModule": None}
    }
    rows = rows_of(write(tmp_path / "in", {"a.json": [bare], "b.xml": legacy("NCT99000003")}))
    assert [{name: value for name, value in row.items() if value} for row in rows] == [
        {"nct_id": "NCT99000003", "brief_title": "A title"},
        {"nct_id": "NCT99000002"},
    ]
    assert {rows[1][name] for name in ("eligibility_criteria", "has_results", "enrollment")} == {None}
    assert {rows[1][f"eligibility_{name}"] for name in ("inclusion", "exclusion", "other")} == {""}


@pytest.mark.parametrize(
    ("more", "column", "expected"),
    [
        ("<overall_status>Active, not recruiting</overall_status>", "overall_status", "ACTIVE_NOT_RECRUITING"),
        ("<overall_status>Not yet recruiting</overall_status>", "overall_status", "NOT_YET_RECRUITING"),
        ("<overall_status>Enrolling by invitation</overall_status>", "overall_status", "ENROLLING_BY_INVITATION"),
        ("<overall_status>Unknown status</overall_status>", "overall_status", "UNKNOWN"),
        ("<overall_status>No longer available</overall_status>", "overall_status", "NO_LONGER_AVAILABLE"),
        ("<phase>N/A</phase>", "phases", ["NA"]),
        ("<phase>Early Phase 1</phase>", "phases", ["EARLY_PHASE1"]),
        ("<phase>Phase 0</phase>", "phases", ["EARLY_PHASE1"]),
        ("<phase>Phase 1/Phase 2</phase>", "phases", ["PHASE1", "PHASE2"]),
        ("<study_type>Observational [Patient Registry]</study_type>", "study_type", "OBSERVATIONAL"),
        ("<study_type>Expanded Access</study_type>", "study_type", "EXPANDED_ACCESS"),
        ("<eligibility><gender>Both</gender></eligibility>", "sex", "ALL"),
        ("<eligibility><gender>Female</gender></eligibility>", "sex", "FEMALE"),
        ("<eligibility><minimum_age>N/A</minimum_age></eligibility>", "minimum_age", None),
        ("<eligibility><healthy_volunteers>Accepts Healthy Volunteers</healthy_volunteers></eligibility>",
         "healthy_volunteers", True),
        ("<lastchanged_date>June 9, 2009</lastchanged_date>", "last_update_posted", "2009-06-09"),
        ("<reference><citation>B.</citation></reference>", "references",
         [{"type": "BACKGROUND", "pmid": None, "citation": "B."}]),
        ("<clinical_results/>", "has_results", True),
        ("<arm_group><arm_group_type>Sham Comparator</arm_group_type></arm_group>", "arms",
         [{"label": None, "type": "SHAM_COMPARATOR", "description": None}]),
    ],
)  # fmt: skip
def test_words_of_the_legacy_xml_become_those_of_api_v2(tmp_path: Path, more: str, column: str, expected: Any) -> None:
    (row,) = rows_of(write(tmp_path / "in", {"a.xml": legacy(more=more)}))
    assert row[column] == expected


def test_the_tasks_ask_for_the_title_and_for_the_criteria(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"a.json": [STUDY, OTHER]})
    loaded = load(folder, "instruction")
    assert loaded["train"].to_list() == [
        {
            "id": "NCT99000001/summary_to_title",
            "instruction": "Write a short title for the clinical study described in this summary.",
            "input": "Tea against cough in R&D staff.",
            "output": r"Tea \> Coffee for Cough",
        },
        {
            "id": "NCT99000001/description_to_eligibility",
            "instruction": "Write the eligibility criteria for this clinical study: who can take part, and who cannot.",
            "input": "Tea \\> Coffee for Cough\n\nTea against cough in R&D staff.\n\n"
            "One cup a day.\n\n* hot\n* with honey",
            "output": "Inclusion Criteria:\n* Age >= 18\n\nExclusion Criteria:\n* Asthma",
        },
    ]
    assert hf_builders.account(loaded)["train"] == Account(
        4, 2, Counter(no_summary_to_title=1, no_description_to_eligibility=1)
    )
    (row,) = load(folder, "messages", tasks=["summary_to_title"])["train"]
    assert [message["content"] for message in row["messages"]] == [
        "Write a short title for the clinical study described in this summary.\n\nTea against cough in R&D staff.",
        r"Tea \> Coffee for Cough",
    ]


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ("Adults\n\nInclusion Criteria:\n\n* A", "Adults\n\nInclusion Criteria:\n* A"),
        ("Exclusion Criteria:\n\n* B", "Exclusion Criteria:\n* B"),
        ("DISEASE CHARACTERISTICS:\n\n* A", "DISEASE CHARACTERISTICS:\n\n* A"),
        (" \n", None),
        ("Inclusion Criteria:", None),
    ],
)
def test_criteria_answer_with_what_they_have_or_not_at_all(tmp_path: Path, criteria: str, expected: str | None) -> None:
    modules = {
        "eligibilityModule": {"eligibilityCriteria": criteria},
        "descriptionModule": {"briefSummary": "A summary"},
    }
    loaded = load(write(tmp_path / "in", {"a.json": [study(**modules)]}), "instruction")["train"]
    answers = [row["output"] for row in loaded if row["id"].endswith("eligibility")]
    assert answers == ([] if expected is None else [expected])


def test_criteria_without_a_heading_are_noted(tmp_path: Path) -> None:
    texts = ["DISEASE CHARACTERISTICS:\n\n* A", "Inclusion Criteria:\n\n* A", "Exclusion: B"]
    studies = [study(f"NCT9900000{n}", eligibilityModule={"eligibilityCriteria": text}) for n, text in enumerate(texts)]
    loaded = load(write(tmp_path / "in", {"a.json": studies}))
    assert hf_builders.account(loaded)["train"] == Account(3, 3, noted=Counter(eligibility_not_split=1))


def test_the_text_has_everything_under_its_name(tmp_path: Path) -> None:
    (row, bare) = load(write(tmp_path / "in", {"a.json": [STUDY, OTHER]}), "text")["train"]
    assert row == {
        "id": "NCT99000001",
        "text": "Tea \\> Coffee for Cough\n\nOfficial title: A Trial of Tea in Cough\n\nConditions: Cough; Thirst\n\n"
        "Interventions: Tea\n\nBrief summary:\nTea against cough in R&D staff.\n\nDetailed description:\n"
        "One cup a day.\n\n* hot\n* with honey\n\nPrimary outcomes:\n* Coughs \\< 5 (1 week): < 5 an hour\n\n"
        "Secondary outcomes:\n* Sleep\n\nEligibility:\nInclusion Criteria:\n\n* Age >= 18\n\nExclusion Criteria:\n\n"
        "* Asthma",
    }
    assert bare["text"] == "A title"


@pytest.mark.parametrize("num_proc", [None, 2])
def test_of_a_study_in_several_places_the_version_updated_last_is_shown(tmp_path: Path, num_proc: int | None) -> None:
    folder = write(
        tmp_path / "in",
        {
            # A tie goes to the last one; in one array, on two pages, and in files named after their study.
            "a.json": [study("NCT99000001", "2024-01-02", "new"), study("NCT99000002", "2024-01-01", "twin"),
                       study("NCT99000002", "2024-01-01", "last twin"), study("NCT99000003", title="undated")],
            "b.json": {"studies": [study("NCT99000001", "2023-12-31", "old"),
                                   study("NCT99000003", "2001-01-01", "dated")]},
            "NCT99000004.json": study("NCT99000004", "2024-05-01", "new API"),
            "NCT99000004.xml": legacy("NCT99000004", "<last_update_posted>April 30, 2024</last_update_posted>"),
            "NCT99000005.xml": legacy("NCT99000005", "<last_update_posted>May 1, 2024</last_update_posted>"),
            "c.jsonl": study("NCT99000005", "2024-04-30", "old API"),
            "more/NCT99000006.xml": legacy("NCT99000006", "<last_update_posted>May 1, 2024</last_update_posted>"),
            "NCT99000006.json": study("NCT99000006", "2024-05-01", "as new"),
        },
    )  # fmt: skip
    loaded = load(folder, num_proc=num_proc)
    assert sorted(zip(loaded["train"]["nct_id"], loaded["train"]["brief_title"], strict=True)) == [
        ("NCT99000001", "new"),
        ("NCT99000002", "last twin"),
        ("NCT99000003", "dated"),
        ("NCT99000004", "new API"),
        ("NCT99000005", "A title"),
        ("NCT99000006", "as new"),
    ]
    assert hf_builders.account(loaded)["train"] == Account(12, 6, Counter(superseded=6))
    assert sorted(row["nct_id"] for row in load(folder, streaming=True)["train"]) == sorted(loaded["train"]["nct_id"])


def test_a_bad_version_does_not_hide_a_good_one(tmp_path: Path) -> None:
    bad = study("NCT99000001", "2024-01-02", "new", conditionsModule=[])
    folder = write(tmp_path / "in", {"a.json": [bad, study("NCT99000001", "2023-01-01", "old")]})
    loaded = load(folder, on_bad_row="quarantine")
    assert loaded["train"]["brief_title"][:] == ["old"]
    assert hf_builders.account(loaded)["train"] == Account(2, 1, quarantined=Counter(wrong_type=1))


def test_a_name_that_is_not_its_study_is_not_believed(tmp_path: Path) -> None:
    # The registry answers for an obsolete number with the study that took its place.
    files = {"NCT99000001.json": study("NCT99000002", title="a"), "NCT99000002.json": study("NCT99000002", title="b")}
    loaded = load(write(tmp_path / "in", files))
    assert loaded["train"]["brief_title"][:] == ["b"]
    assert hf_builders.account(loaded)["train"] == Account(2, 1, Counter(superseded=1))


def test_files_named_after_their_one_study_are_not_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    real = versions.read_studies

    def recorded(source: SourceFile, *args: Any) -> Any:
        compared.append(source.name)
        return real(source, *args)

    monkeypatch.setattr(versions, "read_studies", recorded)
    files = {f"NCT9900000{n}.json": study(f"NCT9900000{n}") for n in range(1, 6)}
    files |= {"NCT99000006.json": [study("NCT99000006"), study("NCT99000003")], "others.json": [study("NCT99000005")]}
    loaded = load(write(tmp_path / "in", files))
    assert compared == ["NCT99000006.json", "others.json", "NCT99000003.json", "NCT99000005.json"]
    assert hf_builders.account(loaded)["train"] == Account(8, 6, Counter(superseded=2))


def started(date: str) -> Any:
    return study(statusModule={"startDateStruct": {"date": date}})


BAD: list[tuple[Any, str, str, str]] = [
    (study(None), "", "no_nct_id", "the study has no nctId; expected NCT and eight digits"),
    (study(" "), "", "no_nct_id", "the study has no nctId; expected NCT and eight digits"),
    (study("NCT12"), ": NCT12", "bad_nct_id", "nctId is 'NCT12'; expected NCT and eight digits"),
    (7, "", "not_an_object", "it is a number (7); expected a study, an object"),
    (study(conditionsModule={"conditions": "Cough"}), ": NCT99000001", "wrong_type",
     "'protocolSection.conditionsModule.conditions' has text ('Cough'); expected an array"),
    (study(conditionsModule={"keywords": [7]}), ": NCT99000001", "wrong_type",
     "'protocolSection.conditionsModule.keywords' has a number (7); expected an array of texts"),
    (study(conditionsModule=[]), ": NCT99000001", "wrong_type",
     "'protocolSection.conditionsModule' has an array ([]); expected an object"),
    (study(outcomesModule={"primaryOutcomes": [{"measure": 1}]}), ": NCT99000001", "wrong_type",
     "'protocolSection.outcomesModule.primaryOutcomes[0].measure' has a number (1); expected text"),
    (study(outcomesModule={"primaryOutcomes": ["x"]}), ": NCT99000001", "wrong_type",
     "'protocolSection.outcomesModule.primaryOutcomes' has text ('x'); expected an array of objects"),
    (study(designModule={"enrollmentInfo": {"count": True}}), ": NCT99000001", "wrong_type",
     "'protocolSection.designModule.enrollmentInfo.count' has a boolean (True); expected a whole number"),
    (study(designModule={"enrollmentInfo": {"count": 2**63}}), ": NCT99000001", "wrong_type",
     "'protocolSection.designModule.enrollmentInfo.count' has a number (9223372036854775808); expected a whole number"),
    (study(eligibilityModule={"healthyVolunteers": "No"}), ": NCT99000001", "wrong_type",
     "'protocolSection.eligibilityModule.healthyVolunteers' has text ('No'); expected true or false"),
    (study(updated="2024-13-01"), ": NCT99000001", "bad_date",
     "lastUpdatePostDateStruct is '2024-13-01'; expected 2024-01 or 2024-01-31"),
    (study(updated="2024-05"), ": NCT99000001", "bad_date",
     "lastUpdatePostDateStruct is '2024-05'; expected a day, as 2024-01-31"),
    (started("2024-13-45"), ": NCT99000001", "bad_date",
     "startDateStruct is '2024-13-45'; expected 2024-01 or 2024-01-31"),
    (started("2024-00"), ": NCT99000001", "bad_date", "startDateStruct is '2024-00'; expected 2024-01 or 2024-01-31"),
    (started("2023-02-29"), ": NCT99000001", "bad_date",
     "startDateStruct is '2023-02-29'; expected 2024-01 or 2024-01-31"),
    (started("0000"), ": NCT99000001", "bad_date", "startDateStruct is '0000'; expected 2024-01 or 2024-01-31"),
    (started("May 2024"), ": NCT99000001", "bad_date",
     "startDateStruct is 'May 2024'; expected 2024-01 or 2024-01-31"),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "behind", "reason", "fact"), BAD, ids=range(len(BAD)))
def test_a_bad_study_stops_the_load_or_is_set_aside_with_its_reason(
    tmp_path: Path, bad: Any, behind: str, reason: str, fact: str
) -> None:
    good = json.dumps(study("NCT99000007"))
    folder = write(tmp_path / "in", {"a.json": f"[{good},\n{json.dumps(bad)}]"})
    with pytest.raises(RowError) as error:
        load(folder)
    assert (error.value.place, error.value.reason, error.value.fact) == (f"a.json:2{behind}", reason, fact)
    loaded = load(folder, on_bad_row="quarantine")
    assert loaded["train"]["nct_id"][:] == ["NCT99000007"]
    assert hf_builders.account(loaded)["train"] == Account(2, 1, quarantined=Counter({reason: 1}))


BAD_LEGACY = [
    (legacy(" "), "a.xml", "no_nct_id", "the study has no nct_id; expected NCT and eight digits"),
    (legacy(more="<start_date>2024</start_date>"), "a.xml: NCT99000001", "bad_date",
     "start_date is '2024'; expected January 2024 or January 31, 2024"),
    (legacy(more="<start_date>January 32, 2024</start_date>"), "a.xml: NCT99000001", "bad_date",
     "start_date is 'January 32, 2024'; expected January 2024 or January 31, 2024"),
    (legacy(more="<completion_date>February 29, 2023</completion_date>"), "a.xml: NCT99000001", "bad_date",
     "completion_date is 'February 29, 2023'; expected January 2024 or January 31, 2024"),
    (legacy(more="<start_date>May 0000</start_date>"), "a.xml: NCT99000001", "bad_date",
     "start_date is 'May 0000'; expected January 2024 or January 31, 2024"),
    (legacy(more="<last_update_posted>May 2024</last_update_posted>"), "a.xml: NCT99000001", "bad_date",
     "last_update_posted is '2024-05'; expected a day, as 2024-01-31"),
    (legacy(more="<enrollment>many</enrollment>"), "a.xml: NCT99000001", "wrong_type",
     "'enrollment' has 'many'; expected a whole number"),
    (legacy(more="<eligibility><healthy_volunteers>?</healthy_volunteers></eligibility>"), "a.xml: NCT99000001",
     "wrong_type", "'healthy_volunteers' has '?'; expected Yes or No"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "reason", "fact"), BAD_LEGACY, ids=range(len(BAD_LEGACY)))
def test_a_bad_study_in_xml_is_told_too(tmp_path: Path, text: str, place: str, reason: str, fact: str) -> None:
    folder = write(tmp_path / "in", {"a.xml": text, "b.xml": legacy("NCT99000007")})
    with pytest.raises(RowError) as error:
        load(folder)
    assert (error.value.place, error.value.reason, error.value.fact) == (place, reason, fact)
    loaded = load(folder, on_bad_row="quarantine")
    assert hf_builders.account(loaded)["train"] == Account(2, 1, quarantined=Counter({reason: 1}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"instruction": "a", "output": "b"}]', f"its first object has 'instruction', 'output'; {EXPECTED}"),
        ('{"FullStudiesResponse": {"APIVrs": "1"}}', f"its first object has 'FullStudiesResponse'; {EXPECTED}"),
        ("{}", f"its first object has no member; {EXPECTED}"),
        ('"studies"', f"is neither JSON nor XML, it begins with '\"studies\"'; {EXPECTED}"),
        ("NCT Number,Study Title\n", f"is neither JSON nor XML, it begins with 'NCT Number,Study Tit'; {EXPECTED}"),
        ("", "the file is empty; get it again, or leave it out"),
        ("<search_results></search_results>", f"the root is <search_results>, not <clinical_study>; {EXPECTED}"),
    ],
)
def test_a_file_of_another_form_is_named_with_what_it_has(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SourceError) as error:
        load(write(tmp_path / "in", {"NCT.json": text}))
    assert str(error.value) == f"NCT.json: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps([STUDY])[:-9], r"NCT\.json:1: invalid JSON.*: mend the file, or get it again"),
        (LEGACY[:-30], r"NCT\.json:\d+: the XML is broken here \(.+\); get the file again"),
    ],
    ids=["array", "XML"],
)
def test_a_broken_file_is_told_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SourceError) as error:
        load(write(tmp_path / "in", {"NCT.json": text}))
    assert re.fullmatch(message, str(error.value)), error.value


DAMAGED = [
    ('{"protocolSection": {}', ":1", "invalid JSON at column 23 (Expecting ',' delimiter); get the file again"),
    ('{"protocolSection": {}}\n \n }', ":3", "invalid JSON at column 2 (Extra data); get the file again"),
    ('{"protocolSection": {},\n"hasResults": NaN}', ":1",
     "invalid JSON (the row holds NaN, which is no number in JSON; write null, or leave it out); get the file again"),
    ('{"protocolSection": {"x": "\\ud83d"}}', "", "holds bytes or escapes that are no text; get the file again"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "fact"), DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_of_one_study_is_a_bad_row_and_hides_no_other(
    tmp_path: Path, text: str, line: str, fact: str
) -> None:
    folder = write(tmp_path / "in", {})
    with zipfile.ZipFile(folder / "ctg-studies.zip", "w") as archive:
        for name, content in (("NCT99000001", text), ("NCT99000007", json.dumps(study("NCT99000007"))), ("x", text)):
            archive.writestr(f"{name}.json", content)
    with pytest.raises(RowError) as error:
        load(folder)
    place = f"NCT99000001.json{line}"
    assert (error.value.place, error.value.reason, error.value.fact) == (place, "damaged_study", fact)
    assert str(error.value) == f"{place}: {fact}; fix the row, or set it aside with on_bad_row='quarantine'"
    loaded = load(folder, on_bad_row="quarantine")
    assert loaded["train"]["nct_id"][:] == ["NCT99000007"]
    assert hf_builders.account(loaded)["train"] == Account(3, 1, quarantined=Counter(damaged_study=2))
    (bad, _) = set_aside(loaded)
    assert bad == {"place": place, "reason": "damaged_study", "fact": fact, "raw": text}
    assert [row["nct_id"] for row in load(folder, on_bad_row="quarantine", streaming=True)["train"]] == ["NCT99000007"]


def test_a_byte_that_is_no_text_is_a_bad_row_with_the_byte_shown(tmp_path: Path) -> None:
    write(tmp_path, {"b.json": study("NCT99000007")})
    text = '{"protocolSection": {"x": "' + "é" * 50
    (tmp_path / "a.json").write_bytes(text.encode() + b'\xff"}}')
    loaded = load(tmp_path, on_bad_row="quarantine")
    assert hf_builders.account(loaded)["train"] == Account(2, 1, quarantined=Counter(damaged_study=1))
    (bad,) = set_aside(loaded)
    assert (bad["place"], bad["raw"]) == ("a.json", text + '\\xff"}}')


def test_utf_16_is_named_and_a_folder_without_studies_says_what_it_looked_for(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([STUDY]), encoding="utf-16")
    with pytest.raises(SourceError, match=r"^a\.json: the file is UTF-16; save it as UTF-8$"):
        load(tmp_path)
    with pytest.raises(
        SourceError, match=r"holds none of the files of clinical_trials \(\*\.xml, \*\.json, \*\.jsonl\)"
    ):
        load(write(tmp_path / "in", {"studies.csv": "NCT Number"}))


LONG = json.dumps({**STUDY, "resultsSection": {"title": "x" * (1 << 20)}})


@pytest.mark.parametrize("name", ["a.json", "NCT99000001.json"])
@pytest.mark.parametrize("num_lines", [1, 2])
def test_a_study_that_is_too_long_to_be_one_is_a_bad_row(
    tmp_path: Path, name: str, num_lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_documents, "MAX_BYTES", 1 << 20)
    folder = write(tmp_path / "in", {name: "\n".join([LONG] * num_lines), "b.json": study("NCT99000007")})
    with pytest.raises(RowError) as error:
        load(folder)
    assert (error.value.place, error.value.reason, error.value.fact) == (
        name,
        "damaged_study",
        "is one JSON document of more than 1 MiB, and no paper or study is so long; is it a file of another kind?",
    )
    loaded = load(folder, on_bad_row="quarantine")
    assert loaded["train"]["nct_id"][:] == ["NCT99000007"]
    assert hf_builders.account(loaded)["train"] == Account(2, 1, quarantined=Counter(damaged_study=1))
    (bad,) = set_aside(loaded)
    assert bad["raw"] == LONG[: 1 << 20]


@pytest.mark.parametrize("num_lines", [1, 2])
def test_of_json_lines_a_line_that_is_too_long_stops_the_load_since_others_may_follow(
    tmp_path: Path, num_lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_documents, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr(json_files, "_MAX_VALUE", 1 << 20)
    folder = write(tmp_path / "in", {"a.jsonl": f"{LONG}\n" * num_lines})
    with pytest.raises(SourceError) as error:
        load(folder, on_bad_row="quarantine")
    assert str(error.value) == (
        "a.jsonl:1: one JSON value of more than 1 MiB; a row is never so long: is a bracket or a line end missing? "
        "split the file"
    )


def test_a_first_study_longer_than_what_is_looked_at_is_read_whole(tmp_path: Path) -> None:
    long = {**STUDY, "resultsSection": {"title": "x" * (3 << 20)}}
    files = {"a.json": json.dumps(long) + "\n" + json.dumps(OTHER), "b.json": [{**long, **study("NCT99000003")}]}
    assert [row["nct_id"] for row in rows_of(write(tmp_path / "in", files))] == [
        "NCT99000001",
        "NCT99000002",
        "NCT99000003",
    ]


def test_hostile_xml_is_refused_and_no_address_is_asked(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/public.dtd"
        kept = f'<!DOCTYPE clinical_study SYSTEM "{address}">{legacy()}'
        assert len(rows_of(write(tmp_path / "in", {"a.xml": kept}))) == 1
        for entity in ('SYSTEM "file:///etc/passwd"', f'SYSTEM "{address}"', '"aaaa"'):
            text = f"<!DOCTYPE clinical_study [<!ENTITY x {entity}>]>{legacy(more='<source>&x;</source>')}"
            with pytest.raises(
                SourceError, match=r"^a\.xml: declares the entity 'x', which files of this kind never do"
            ):
                load(write(tmp_path / "in", {"a.xml": text}))
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_zip_and_a_gz_are_read_in_place_and_a_name_that_leads_out_writes_nothing(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {})
    with zipfile.ZipFile(folder / "AllPublicXML.zip", "w") as archive:
        archive.writestr("Contents.txt", "no study")
        archive.writestr("NCT9900xxxx/NCT99000002.xml", legacy("NCT99000002"))
        archive.writestr("../../NCT99000003.json", json.dumps(study("NCT99000003")))
        archive.writestr("/NCT99000004.json", json.dumps(study("NCT99000004")))
    (folder / "studies.json.gz").write_bytes(gzip.compress(json.dumps([STUDY]).encode()))
    assert sorted(row["nct_id"] for row in rows_of(folder)) == [f"NCT9900000{n}" for n in (1, 2, 3, 4)]
    there = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert there == ["in", "in/AllPublicXML.zip", "in/studies.json.gz"]


def test_many_files_of_one_study_give_one_account(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {})
    with zipfile.ZipFile(folder / "ctg-studies.zip", "w") as archive:
        for number in range(300):
            archive.writestr(f"NCT99{number:06}.json", json.dumps(study(f"NCT99{number:06}")))
    loaded = load(folder, validation=0.1)
    accounts = hf_builders.account(loaded)
    assert accounts["train"].kept + accounts["validation"].kept == 300
    assert accounts["validation"].kept > 10
    assert not set(loaded["train"]["nct_id"]) & set(loaded["validation"]["nct_id"])
