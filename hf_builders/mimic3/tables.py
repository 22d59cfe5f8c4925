"""The tables of MIMIC-III in, rows whose ids, times and flags are what the format says out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pyarrow.compute as pc

from hf_builders.csv_reader import read_csv, read_header
from hf_builders.encodings import source_encoding
from hf_builders.errors import SourceError
from hf_builders.quarantine import BadRow, Quarantine
from hf_builders.sources import Rows, SourceFile, told_as_source_error
from hf_builders.views import column


class Kind(NamedTuple):
    """What the cells of a column hold."""

    pattern: str = ""
    """What each of them fits; empty where anything goes."""
    reason: str = ""
    """The word a row with another one is counted under."""
    expected: str = ""


_DAY = "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-9])"
_HOUR = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
TEXT = Kind()
KEY = Kind("^[0-9]{1,18}$", "bad_id", "a whole number")
ID = Kind("^[0-9]{0,18}$", "bad_id", "a whole number or nothing")
NUMBER = Kind("^[0-9]{0,9}$", "bad_number", "a whole number or nothing")
FLAG = Kind("^[01]?$", "bad_flag", "0, 1 or nothing")
TIME = Kind(
    f"^([0-9]{{4}}-({_DAY})( {_HOUR})?)?$",
    "bad_time",
    "a time as in '2199-02-03 04:05:06', or nothing (a spreadsheet that saves the table writes times its own way: take "
    "the table as published)",
)

_CODED = {"hadm_id": ID, "seq_num": NUMBER, "icd9_code": TEXT}
_TITLES = dict.fromkeys(("icd9_code", "short_title", "long_title"), TEXT)
TABLES: Mapping[str, Mapping[str, Kind]] = {
    "ADMISSIONS": {
        "subject_id": KEY,
        "hadm_id": KEY,
        **dict.fromkeys(("admittime", "dischtime", "deathtime", "edregtime", "edouttime"), TIME),
        **dict.fromkeys(("admission_type", "admission_location", "discharge_location", "insurance"), TEXT),
        **dict.fromkeys(("language", "religion", "marital_status", "ethnicity", "diagnosis"), TEXT),
        "hospital_expire_flag": FLAG,
        "has_chartevents_data": FLAG,
    },
    "NOTEEVENTS": {
        "row_id": KEY,
        "subject_id": KEY,
        "hadm_id": ID,
        **dict.fromkeys(("chartdate", "charttime", "storetime"), TIME),
        "category": TEXT,
        "description": TEXT,
        "cgid": ID,
        "iserror": FLAG,
        "text": TEXT,
    },
    "PATIENTS": {
        "subject_id": KEY,
        "gender": TEXT,
        **dict.fromkeys(("dob", "dod", "dod_hosp", "dod_ssn"), TIME),
        "expire_flag": FLAG,
    },
    "DIAGNOSES_ICD": _CODED,
    "PROCEDURES_ICD": _CODED,
    "PRESCRIPTIONS": {
        "hadm_id": ID,
        "icustay_id": ID,
        **dict.fromkeys(("startdate", "enddate"), TIME),
        **dict.fromkeys(("drug_type", "drug", "drug_name_poe", "drug_name_generic", "formulary_drug_cd"), TEXT),
        **dict.fromkeys(("gsn", "ndc", "prod_strength", "dose_val_rx", "dose_unit_rx"), TEXT),
        **dict.fromkeys(("form_val_disp", "form_unit_disp", "route"), TEXT),
    },
    "D_ICD_DIAGNOSES": _TITLES,
    "D_ICD_PROCEDURES": _TITLES,
}
"""The columns that are read of each table; the official files have `row_id` besides, and a file may have more."""

OTHER_TABLES = frozenset({
    "CALLOUT", "CAREGIVERS", "CHARTEVENTS", "CPTEVENTS", "DATETIMEEVENTS", "D_CPT", "D_ITEMS", "D_LABITEMS",
    "DRGCODES", "ICUSTAYS", "INPUTEVENTS_CV", "INPUTEVENTS_MV", "LABEVENTS", "MICROBIOLOGYEVENTS", "OUTPUTEVENTS",
    "PROCEDUREEVENTS_MV", "SERVICES", "TRANSFERS",
})  # fmt: skip
"""The tables of the publisher that are not read."""


def is_other_table(source: SourceFile) -> bool:
    return PurePosixPath(source.name).name.partition(".")[0].upper() in OTHER_TABLES


def table_of(source: SourceFile) -> str:
    """The table a file is, by its name.

    Raises:
        SourceError: the name is that of none.
    """
    stem = PurePosixPath(source.name).name.upper()
    table = next((table for table in TABLES if table in stem), source.part)
    if not table:
        raise SourceError(
            f"{source.name}: is named like none of the tables that are read ({', '.join(TABLES)}); leave the file out, "
            "or give it the name of its table"
        )
    return table


def is_header_alone(source: SourceFile) -> bool:
    """Whether a file has one line and nothing below it, as the notes of the open demo."""
    with told_as_source_error(source), source.open() as file:
        return bool(file.readline().strip()) and not any(line.strip() for line in file)


def read_table(source: SourceFile, table: str, bad_rows: Quarantine) -> Iterator[Rows]:
    """The rows of a table with the columns in `TABLES`, all text; one whose cells are not of their kinds is a bad row.

    Raises:
        SourceError: a column is missing, or there twice.
    """
    encoding = source_encoding(source)  # for which the whole file is read
    header = read_header(source, encoding)
    names = [name.lower() for name in header]
    missing = [name for name in TABLES[table] if name not in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if missing or twice:
        what = f"lacks the columns {', '.join(missing)}" if missing else f"has {', '.join(twice)} twice"
        raise SourceError(
            f"{source.name}:1: the header {what}; {table} of MIMIC-III has {', '.join(TABLES[table])}, and this file "
            f"{','.join(header)!r:.300}; is it a table of another database?"
        )
    for rows in read_csv(source, names, bad_rows, dict(zip(header, names, strict=True)), encoding):
        yield _without_bad_cells(Rows(rows.table.select(list(TABLES[table])), rows.ids), table, bad_rows)


def _without_bad_cells(rows: Rows, table: str, bad_rows: Quarantine) -> Rows:
    for name, kind in TABLES[table].items():
        if not kind.pattern or not len(rows.table):
            continue
        is_good = pc.match_substring_regex(column(rows.table, name), kind.pattern)
        if pc.all(is_good).as_py():
            continue
        bad = rows.filter(pc.invert(is_good))
        for place, row in zip(bad.ids.to_pylist(), bad.table.to_pylist(), strict=True):
            fact = f"{name} is {row[name]!r:.80}; expected {kind.expected}"
            bad_rows.add(bad_row(place, kind.reason, fact, row))
        rows = rows.filter(is_good)
    return rows


def bad_row(place: str, reason: str, fact: str, cells: Mapping[str, str]) -> BadRow:
    return BadRow(place, reason, fact, json.dumps(cells, ensure_ascii=False))


def values_of(cells: Mapping[str, str], table: str) -> dict[str, Any]:
    """The cells of a row as values; an empty one is null."""
    return {name: value_of(cells[name], kind) for name, kind in TABLES[table].items()}


def value_of(cell: str, kind: Kind) -> Any:
    """One cell as a value.

    >>> value_of("0", FLAG), value_of("7", NUMBER), value_of("007", ID), value_of("", TIME)
    (False, 7, '007', None)
    """
    if not cell:
        return None
    if kind is FLAG:
        return cell == "1"
    return int(cell) if kind is NUMBER else cell
