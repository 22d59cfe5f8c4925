"""MIMIC-III: every admission joined with every row of the other tables, every note in its place, nothing shared."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

import hf_builders
from hf_builders import Account, RowError
from hf_builders.mimic3.marks import placeholder_of, replace_marks
from hf_builders.mimic3.notes import seen_ids
from tests.hf_builders.mimic3_files import (
    FIRST,
    SUMMARY,
    TABLES,
    VIEWS,
    account_of,
    demo,
    load,
    rows_of,
    with_rows,
    write,
)

NOTE: dict[str, Any] = {
    "id": "note-31",
    "row_id": "31",
    "subject_id": "900",
    "hadm_id": "8001",
    "chartdate": "2150-03-09",
    "charttime": None,
    "storetime": None,
    "category": "Discharge summary",
    "description": "Report",
    "cgid": None,
    "iserror": None,
    "text": SUMMARY,
}
TO_DIAGNOSES = "List the diagnoses of this hospital stay as they were coded at discharge, the most important first."
FACTS = (
    "Admission type: EMERGENCY\nAdmission location: CLINIC REFERRAL/PREMATURE\nAge: 69\nGender: M\n"
    'Admission diagnosis: WEAK HEART;COUGH\\ "WET"'
)
DIAGNOSES = "1. Weak heart, with water in the lungs\n2. Scar of the lung from an old infection\n3. ICD-9 0418"
TO_CODES = (
    "List the ICD-9 codes of this hospital stay, first the diagnoses, then the procedures, each in the order in which "
    "they were coded."
)
CODES = (
    "Diagnoses:\n1. 42898 Weak heart, with water in the lungs\n2. 01999 Scar of the lung from an old infection\n3. "
    "0418\nProcedures:\n1. 0099 Placing of one stent in a vessel"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "mimic", demo(TABLES))


class TestAdmissions:
    def test_an_admission_is_joined_with_patient_codes_titles_and_prescriptions(self, folder: Path) -> None:
        first, _ = rows_of(folder)
        assert first == FIRST

    def test_who_is_over_89_has_no_age_and_says_so(self, folder: Path) -> None:
        _, second = rows_of(folder)
        assert (second["patient"]["dob"], second["age"], second["is_over_89"]) == ("1860-01-02 00:00:00", None, True)

    def test_an_admission_no_other_table_knows_is_there_with_empty_lists(self, tmp_path: Path) -> None:
        tables = with_rows(ADMISSIONS=[*TABLES["ADMISSIONS"], TABLES["ADMISSIONS"][0].replace("900,8001", "999,8009")])
        last = rows_of(write(tmp_path, demo(tables)))[-1]
        assert last["hadm_id"] == "8009"
        assert (last["diagnoses"], last["procedures"], last["prescriptions"]) == ([], [], [])
        assert last["patient"] == dict.fromkeys(FIRST["patient"])
        assert (last["age"], last["is_over_89"]) == (None, None)
        assert account_of(tmp_path).noted == {"no_patient": 1, "diagnosis_without_title": 1}

    def test_a_diagnosis_row_without_a_code_is_kept_and_asked_by_no_task(self, folder: Path) -> None:
        _, second = rows_of(folder)
        assert second["diagnoses"] == [{"seq_num": None, "icd9_code": None, "short_title": None, "long_title": None}]
        assert account_of(folder, "messages").left_out["no_admission_to_diagnoses"] == 1

    def test_a_code_without_a_title_is_noted_where_there_is_a_list_of_codes(self, tmp_path: Path) -> None:
        assert account_of(write(tmp_path / "a", demo(TABLES))).noted == {"diagnosis_without_title": 1}
        without = {name: lines for name, lines in TABLES.items() if not name.startswith("D_ICD")}
        assert account_of(write(tmp_path / "b", demo(without))).noted == {}

    def test_an_admission_that_stands_twice_is_a_bad_row(self, tmp_path: Path) -> None:
        tables = with_rows(ADMISSIONS=[TABLES["ADMISSIONS"][0]] * 2)
        folder = write(tmp_path, demo(tables))
        with pytest.raises(RowError) as error:
            load(folder)
        assert str(error.value) == (
            "ADMISSIONS.csv#2: hadm_id 8001 stands twice; the table has a row for each admission, so leave one out; "
            "fix the row, or set it aside with on_bad_row='quarantine'"
        )
        account = account_of(folder, on_bad_row="quarantine")
        assert (account.read, account.kept, account.quarantined) == (2, 1, {"duplicate_id": 1})

    def test_rows_of_other_admissions_are_told(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        tables = with_rows(ADMISSIONS=TABLES["ADMISSIONS"][1:], PROCEDURES_ICD=["1,900,,1,0099", "2,900,8001,1,0099"])
        folder = write(tmp_path, demo(tables))
        with caplog.at_level(logging.WARNING):
            assert account_of(folder).kept == 1
        told = [record.message for record in caplog.records if "in no record" in record.message]
        end = "are of none of its admissions, so they are in no record (hadm_id"
        assert told == [
            f"ADMISSIONS.csv: 3 rows of DIAGNOSES_ICD {end} 8001)",
            f"ADMISSIONS.csv: 2 rows of PROCEDURES_ICD {end} empty, 8001)",
            f"ADMISSIONS.csv: 2 rows of PRESCRIPTIONS {end} 8001)",
        ]

    def test_as_text_they_are_lines_of_a_fixed_order(self, folder: Path) -> None:
        first, second = rows_of(folder, "text", text_from="admissions")
        assert first == {
            "id": "admission-8001",
            "text": "Admitted: 2150-03-01 14:05:00\nDischarged: 2150-03-09 11:00:00\n"
            f"{FACTS}\nInsurance: Medicare\nReligion: CATHOLIC\nMarital status: MARRIED\nEthnicity: WHITE\n"
            f"Discharge location: SNF\n\n{CODES.replace('Procedures', chr(10) + 'Procedures')}\n\nPrescriptions:\n"
            "- Velocorin, 10 mg Tab, 5-10 mg, PO, 2150-03-01 to 2150-03-04\n"
            "- Salt Water 0.9%, 1000mL Bag, 1000 mL, IV, 2150-03-02",
        }
        assert "Died: 2160-01-05 10:00:00\n" in second["text"]
        assert "\nAge: over 89\n" in second["text"]


class TestNotes:
    def test_a_note_keeps_its_lines_quotes_and_marks(self, folder: Path) -> None:
        first, second, third = rows_of(folder, "notes")
        assert first == NOTE
        assert (second["category"], second["cgid"], second["charttime"]) == (
            "Physician ",
            "15001",
            "2150-03-02 07:00:00",
        )
        assert (third["id"], third["hadm_id"]) == ("note-34", None)

    def test_a_note_its_writer_called_an_error_is_left_out(self, folder: Path) -> None:
        assert account_of(folder, "notes") == Account(4, 3, Counter(iserror=1))

    def test_marks_become_placeholders_where_asked_for(self, folder: Path) -> None:
        first, *_ = rows_of(folder, "notes", deidentified="placeholder")
        assert first["text"] == 'Admission Date:  [DATE]\n\nMr. [NAME] said "no", twice.\n'
        for view in ("text", "instruction"):
            row = next(row for row in rows_of(folder, view, deidentified="placeholder") if "note-31" in row["id"])
            assert row[{"text": "text", "instruction": "input"}[view]].strip() == first["text"].strip()

    def test_categories_are_chosen_by_name_whatever_their_case_and_blanks(self, folder: Path) -> None:
        ids = [row["id"] for row in rows_of(folder, "notes", note_categories=["physician", "ECG"])]
        assert ids == ["note-32", "note-34"]
        account = account_of(folder, "notes", note_categories=["physician", "ECG"])
        assert account == Account(4, 2, Counter(iserror=1, other_category=1))

    def test_a_note_without_text_is_kept_and_no_text(self, tmp_path: Path) -> None:
        folder = write(
            tmp_path, demo(with_rows(NOTEEVENTS=["1,900,,2150-01-01,,,ECG,Report,,,", *TABLES["NOTEEVENTS"]]))
        )
        assert rows_of(folder, "notes")[0]["text"] is None
        assert account_of(folder, "text", text_from="notes").left_out == {"no_text": 1, "iserror": 1}

    def test_an_id_that_stands_twice_is_a_bad_row(self, tmp_path: Path) -> None:
        big = f"{1 << 40},900,,2150-01-01,,,ECG,Report,,,Even beat."
        lines = [*TABLES["NOTEEVENTS"], TABLES["NOTEEVENTS"][3], big, big]
        folder = write(tmp_path, demo(with_rows(NOTEEVENTS=lines)))
        with pytest.raises(RowError) as error:
            load(folder, "notes")
        assert str(error.value) == (
            "NOTEEVENTS.csv#5: row_id 34 stands twice; leave one of the two notes out; fix the row, or set it aside "
            "with on_bad_row='quarantine'"
        )
        account = account_of(folder, "notes", on_bad_row="quarantine")
        assert account == Account(7, 4, Counter(iserror=1), Counter(duplicate_id=2))

    def test_what_was_seen_is_remembered_for_numbers_of_any_size_in_any_order(self) -> None:
        is_new = seen_ids()
        numbers = [9, 8, 0, 1 << 27, (1 << 27) - 1, 1 << 62, 7]
        assert [is_new(number) for number in [*numbers, *numbers]] == [True] * 7 + [False] * 7

    @pytest.mark.parametrize(
        ("label", "placeholder"),
        [
            ("2199-2-3", "DATE"), ("2-3", "DATE"), ("-9/2199", "DATE"), ("9-/2199", "DATE"), ("2199", "DATE"),
            ("1-/2199", "DATE"), ("Date range (1) 9917", "DATE"), ("Month (only) 9958", "DATE"), ("Holiday 1", "DATE"),
            ("Month/Day/Year 12", "DATE"), ("Year (4 digits) 9977", "DATE"), ("January 2020", "DATE"),
            ("Day Month Year 3", "DATE"), ("Hospital9 77", "HOSPITAL"), ("Hospital Unit Name 9953", "HOSPITAL"),
            ("Hospital Ward Name 9905", "HOSPITAL"), ("Wardname 4", "HOSPITAL"),
            ("First Name8 (NamePattern2) ", "NAME"), ("Last Name (STitle) 99132", "NAME"), ("Name6 (MD) ", "NAME"),
            ("Known lastname ", "NAME"), ("Known firstname 2", "NAME"), ("Initials (NamePattern4) ", "NAME"),
            ("Name Initial (MD) ", "NAME"), ("Female First Name (un) 1", "NAME"), ("Doctor Last Name 3", "NAME"),
            ("Known\nlastname 5", "NAME"), ("Telephone/Fax (1) 99123", "PHONE"), ("Pager number 4", "PHONE"),
            ("Location (un) 9986", "LOCATION"), ("State 9950", "LOCATION"), ("Country 9951", "LOCATION"),
            ("Street Address(2) ", "LOCATION"), ("Apartment Address(1) 5", "LOCATION"), ("PO Box 7", "LOCATION"),
            ("Age over 90 ", "AGE"), ("MD Number(1) 2", "ID"), ("Clip Number (Radiology) 12", "ID"),
            ("Medical Record Number 1", "ID"), ("Numeric Identifier 5", "ID"), ("Job Number 9", "ID"),
            ("Social Security Number 1", "ID"), ("Unit Number 8", "ID"), ("99163", "ID"),
            ("Attending Info 5", "OTHER"), ("Company 9931", "OTHER"), ("University/College 1", "OTHER"),
            ("E-mail address 2", "OTHER"), ("URL 3", "OTHER"), (" ", "OTHER"), ("", "OTHER"),
        ],
    )  # fmt: skip
    def test_a_mark_says_what_stood_there(self, label: str, placeholder: str) -> None:
        assert placeholder_of(label) == placeholder
        assert replace_marks(f"a [**{label}**] b") == f"a [{placeholder}] b"

    def test_a_mark_that_is_not_closed_stays_and_hides_no_other(self) -> None:
        assert replace_marks("[**Hospital9 77 and [**2-3**], **] [* *]") == "[**Hospital9 77 and [DATE], **] [* *]"
        assert replace_marks("[**" * 5_000) == "[**" * 5_000

    def test_as_text_they_stand_beside_admissions(self, folder: Path) -> None:
        ids = [row["id"] for row in rows_of(folder, "text")]
        assert ids == ["admission-8001", "admission-8002", "note-31", "note-32", "note-34"]
        assert rows_of(folder, "text", text_from="notes")[0] == {"id": "note-31", "text": SUMMARY}


class TestTasks:
    def test_admission_to_diagnoses_tells_what_was_known_at_admission_and_no_more(self, folder: Path) -> None:
        (row,) = rows_of(folder, "instruction", tasks=["admission_to_diagnoses"])
        assert row == {
            "id": "admission-8001/admission_to_diagnoses",
            "instruction": TO_DIAGNOSES,
            "input": FACTS,
            "output": DIAGNOSES,
        }

    def test_note_to_codes_asks_the_discharge_summary_for_the_codes_of_its_admission(self, folder: Path) -> None:
        (row,) = rows_of(folder, "messages", tasks=["note_to_codes"])
        assert row == {
            "id": "note-31/note_to_codes",
            "messages": [
                {"role": "user", "content": f"{TO_CODES}\n\n{SUMMARY.strip()}"},
                {"role": "assistant", "content": CODES},
            ],
        }

    def test_notes_of_other_categories_are_asked_where_named_and_without_codes_counted(self, folder: Path) -> None:
        options: dict[str, Any] = {"tasks": ["note_to_codes"], "note_categories": ["Physician", "ECG"]}
        ids = [row["id"] for row in rows_of(folder, "messages", **options)]
        assert ids == ["note-32/note_to_codes"]
        account = account_of(folder, "messages", **options)
        assert account == Account(4, 1, Counter(iserror=1, other_category=1, no_note_to_codes=1))

    def test_a_record_is_not_asked_what_only_the_other_kind_answers(self, folder: Path) -> None:
        account = account_of(folder, "messages")
        left_out = Counter(no_admission_to_diagnoses=1, iserror=1, other_category=2)
        assert account == Account(6, 2, left_out, noted=Counter(diagnosis_without_title=1))

    def test_admissions_and_notes_of_a_patient_stay_in_one_split(self, tmp_path: Path) -> None:
        tables: dict[str, list[str]] = {"ADMISSIONS": [], "DIAGNOSES_ICD": [], "NOTEEVENTS": []}
        for n in range(200):
            hadm_id = 8000 + n
            tables["ADMISSIONS"].append(TABLES["ADMISSIONS"][0].replace("900,8001", f"{900 + n // 2},{hadm_id}"))
            tables["DIAGNOSES_ICD"].append(f"{n},{900 + n // 2},{hadm_id},1,01999")
            tables["NOTEEVENTS"].append(f"{n},{900 + n // 2},{hadm_id},2150-01-01,,,Discharge summary,Report,,,Well.")
        loaded = load(write(tmp_path, demo(tables)), "messages", validation=0.3, test=0.2)
        patients: dict[str, set[int]] = {}
        for split, rows in loaded.items():
            number = [int(id_.partition("/")[0].partition("-")[2]) % 8000 for id_ in rows["id"]]
            patients[split] = {n // 2 for n in number}
            assert len(number) == 4 * len(patients[split]) > 30
        assert sum(map(len, patients.values())) == len(set().union(*patients.values())) == 100


class TestSample:
    def test_what_is_odd_in_it_is_what_the_card_says(self) -> None:
        loaded = load_dataset("hf_builders/mimic3", sample=True)
        noted = hf_builders.account(loaded)["train"].noted
        assert noted == {"diagnosis_without_title": 25, "procedure_without_title": 7}
        assert sum(row["is_over_89"] for row in loaded["train"]) == 13
        notes = load_dataset("hf_builders/mimic3", "notes", sample=True)
        assert hf_builders.account(notes)["train"] == Account(184, 180, Counter(iserror=4))
        assert sum(row["hadm_id"] is None for row in notes["train"]) == 8
        assert "[**Known\nlastname" in "".join(notes["train"]["text"])

    def test_the_rows_on_the_card_are_what_the_views_give(self) -> None:
        card = (Path(hf_builders.__file__).parent / "mimic3" / "README.md").read_text(encoding="utf-8")
        shown = [json.loads(line) for line in card.splitlines() if line.startswith("{")]
        assert len(shown) == len(VIEWS)
        for view, row in zip(("source", "notes", "text", "messages", "instruction"), shown, strict=True):
            key = "hadm_id" if view == "source" else "id"
            loaded = load_dataset("hf_builders/mimic3", view, sample=True, split="train")
            assert [each for each in loaded if each[key] == row[key]] == [row]
