"""MIMIC-III, the open demo: every cell of every table is in the record it belongs to, by Python's `csv` alone."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import hf_builders
from tests.hf_builders.mimic3_files import account_of, load, rows_of, write

DEMO = "mimic3/mimic-iii-clinical-database-demo-1.4"
NUM_ROWS = {
    "ADMISSIONS": 129,
    "PATIENTS": 100,
    "DIAGNOSES_ICD": 1_761,
    "PROCEDURES_ICD": 506,
    "PRESCRIPTIONS": 10_398,
    "D_ICD_DIAGNOSES": 14_567,
    "D_ICD_PROCEDURES": 3_882,
    "NOTEEVENTS": 0,
}
FLAGS = {"hospital_expire_flag", "has_chartevents_data", "expire_flag"}
MOVED = {"ndc": "0"}  # a word that means nothing
Row = dict[str, str]


@pytest.fixture
def folder(shared_realdata: Callable[[str], Path]) -> Path:
    return shared_realdata(DEMO)


@pytest.fixture
def tables(folder: Path) -> dict[str, list[Row]]:
    return {name: _read(folder / f"{name}.csv") for name in NUM_ROWS}


def _read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _by(rows: Iterable[Row], key: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


def _said(name: str, value: Any) -> str:
    """A value of a record as a cell of the file."""
    if value is None:
        return ""
    return str(int(value)) if name in FLAGS or name == "seq_num" else str(value)


def _check_cells(record: dict[str, Any], row: Row, names: Iterable[str]) -> int:
    num_checked = 0
    for name in names:
        cell = "" if row[name] == MOVED.get(name) else row[name]
        assert _said(name, record[name]) == cell, (name, row)
        num_checked += 1
    return num_checked


@pytest.mark.realdata
def test_the_demo_has_the_rows_it_is_said_to_have(tables: dict[str, list[Row]]) -> None:
    assert {name: len(rows) for name, rows in tables.items()} == NUM_ROWS


@pytest.mark.realdata
def test_no_admission_is_lost_or_made_and_each_is_the_one_in_the_file(
    folder: Path, tables: dict[str, list[Row]]
) -> None:
    records = rows_of(folder)
    account = account_of(folder)
    assert (account.read, account.kept, len(records)) == (129, 129, 129)
    assert (account.left_out, account.quarantined) == ({}, {})
    patients = {row["subject_id"]: row for row in tables["PATIENTS"]}
    num_checked = 0
    for record, row in zip(records, tables["ADMISSIONS"], strict=True):
        num_checked += _check_cells(record, row, [name for name in row if name != "row_id"])
        patient = patients[row["subject_id"]]
        num_checked += _check_cells(record["patient"], patient, [*record["patient"]])
        born, came = (datetime.fromisoformat(time) for time in (patient["dob"], row["admittime"]))
        age = came.year - born.year - ((came.month, came.day) < (born.month, born.day))
        assert (record["age"], record["is_over_89"]) == ((age, False) if age <= 89 else (None, True))
    assert num_checked == 129 * (18 + 6)
    assert sum(record["is_over_89"] for record in records) == 9


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "num_without", "note", "num_noted"),
    [("diagnoses", 45, "diagnosis_without_title", 35), ("procedures", 3, "procedure_without_title", 3)],
)
def test_every_code_is_in_its_admission_with_its_title_or_alone(
    name: str, num_without: int, note: str, num_noted: int, folder: Path, tables: dict[str, list[Row]]
) -> None:
    codes, titles = f"{name.upper()}_ICD", f"D_ICD_{name.upper()}"
    rows_by_admission = _by(tables[codes], "hadm_id")
    title_of = {row["icd9_code"]: row for row in tables[titles]}
    without = Counter[str]()
    num_codes = 0
    for record in rows_of(folder):
        rows = sorted(rows_by_admission.pop(record["hadm_id"], []), key=lambda row: int(row["seq_num"]))
        for code, row in zip(record[name], rows, strict=True):
            num_codes += 1
            assert (str(code["seq_num"]), code["icd9_code"]) == (row["seq_num"], row["icd9_code"])
            title = title_of.get(row["icd9_code"])
            assert (code["short_title"], code["long_title"]) == (
                (title["short_title"], title["long_title"]) if title else (None, None)
            )
            without[row["icd9_code"]] += title is None
    assert not rows_by_admission
    assert num_codes == NUM_ROWS[codes]
    assert without.total() == num_without
    assert account_of(folder).noted[note] == num_noted
    if name == "diagnoses":
        assert (without["0414"], without["2554"], without["2765"]) == (8, 3, 5)
        assert {code[0] for code in title_of} >= {"0", "E", "V"}


@pytest.mark.realdata
def test_every_prescription_is_in_its_admission_in_the_order_of_the_file(
    folder: Path, tables: dict[str, list[Row]]
) -> None:
    rows_by_admission = _by(tables["PRESCRIPTIONS"], "hadm_id")
    num_prescriptions = num_checked = num_without_ndc = num_without_any = 0
    for record in rows_of(folder):
        rows = rows_by_admission.pop(record["hadm_id"], [])
        num_without_any += not rows
        for prescription, row in zip(record["prescriptions"], rows, strict=True):
            num_prescriptions += 1
            num_without_ndc += prescription["ndc"] is None
            names = [name for name in row if name not in ("row_id", "subject_id", "hadm_id")]
            assert sorted(names) == sorted(prescription)
            num_checked += _check_cells(prescription, row, names)
    assert not rows_by_admission
    assert (num_prescriptions, num_checked) == (10_398, 10_398 * 16)
    assert (num_without_ndc, num_without_any) == (1_478, 7)


@pytest.mark.realdata
def test_every_admission_is_asked_for_its_diagnoses_and_told_nothing_of_them(
    folder: Path, tables: dict[str, list[Row]]
) -> None:
    titles = {row["icd9_code"]: row["long_title"] for row in tables["D_ICD_DIAGNOSES"]}
    rows_by_admission = _by(tables["DIAGNOSES_ICD"], "hadm_id")
    admissions = {row["hadm_id"]: row for row in tables["ADMISSIONS"]}
    rows = rows_of(folder, "instruction")
    assert len(rows) == 129
    for row in rows:
        hadm_id = row["id"].removeprefix("admission-").removesuffix("/admission_to_diagnoses")
        codes = [each["icd9_code"] for each in rows_by_admission[hadm_id]]
        lines = [f"{n}. {titles.get(code, f'ICD-9 {code}')}" for n, code in enumerate(codes, start=1)]
        assert row["output"].split("\n") == lines
        facts = dict(line.split(": ", 1) for line in row["input"].split("\n"))
        assert set(facts) == {"Admission type", "Admission location", "Age", "Gender", "Admission diagnosis"}
        assert facts["Admission diagnosis"] == admissions[hadm_id]["diagnosis"].strip()


@pytest.mark.realdata
def test_two_processes_streaming_zips_and_the_other_header_give_the_same(folder: Path, tmp_path: Path) -> None:
    expected = rows_of(folder)
    assert list(load(folder, streaming=True)["train"]) == expected
    again = load(folder, num_proc=2, download_mode="force_redownload")
    assert again["train"].to_list() == expected
    files = {}
    for name in NUM_ROWS:
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows([[column.upper() for column in header], *rows])
        files[f"{name}.csv"] = text.getvalue()
    assert rows_of(write(tmp_path / "full", files, zipped=True)) == expected


@pytest.mark.realdata
def test_no_drug_code_or_title_of_the_sample_is_real(tables: dict[str, list[Row]]) -> None:
    sample = Path(hf_builders.__file__).parent / "mimic3" / "sample"
    num_checked = 0
    for names, columns in (
        (["PRESCRIPTIONS"], ["drug", "drug_name_poe", "drug_name_generic", "formulary_drug_cd", "gsn", "ndc"]),
        (["DIAGNOSES_ICD", "D_ICD_DIAGNOSES"], ["icd9_code"]),
        (["PROCEDURES_ICD", "D_ICD_PROCEDURES"], ["icd9_code"]),
        (["D_ICD_DIAGNOSES"], ["short_title", "long_title"]),
        (["D_ICD_PROCEDURES"], ["short_title", "long_title"]),
    ):
        invented = [row for name in names for row in _read(sample / f"{name}.csv")]
        real = [row for name in names for row in tables[name]]
        for column in columns:
            words = {row[column.upper()].strip() for row in invented} - {"", "0"}
            assert words.isdisjoint(row[column].strip() for row in real), (names, column)
            num_checked += len(words)
    assert num_checked > 800


@pytest.mark.realdata
def test_every_admission_is_a_text_that_names_all_its_codes(folder: Path, tables: dict[str, list[Row]]) -> None:
    codes_by_admission = _by([*tables["DIAGNOSES_ICD"], *tables["PROCEDURES_ICD"]], "hadm_id")
    rows = hf_builders.load_dataset("mimic3", "text", data_dir=str(folder))["train"]
    num_codes = 0
    for row in rows:
        lines = [line.split(" ") for line in row["text"].split("\n")]
        told = Counter(words[1] for words in lines if words[0].removesuffix(".").isdigit())
        codes = Counter(code["icd9_code"] for code in codes_by_admission[row["id"].removeprefix("admission-")])
        assert told == codes
        num_codes += codes.total()
    assert num_codes == 1_761 + 506
