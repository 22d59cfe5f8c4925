"""A row of ADMISSIONS in, the admission with its patient, codes and prescriptions out; and as text to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from datasets import Features, List, Value
from datasets.utils.logging import get_logger

from hf_builders.corpus_builder import Record
from hf_builders.mimic3.lookups import Lookups
from hf_builders.mimic3.tables import TABLES, bad_row, read_table, values_of
from hf_builders.quarantine import Quarantine
from hf_builders.schema import text_features
from hf_builders.sources import SourceFile

logger = get_logger(__name__)

_CODES = List({"seq_num": Value("int32"), **text_features("icd9_code", "short_title", "long_title")})
_OLDEST = 89
FEATURES = Features(
    {
        **text_features("hadm_id", "subject_id"),
        **text_features("admittime", "dischtime", "deathtime", "edregtime", "edouttime"),
        **text_features("admission_type", "admission_location", "discharge_location", "insurance", "language"),
        **text_features("religion", "marital_status", "ethnicity", "diagnosis"),
        "hospital_expire_flag": Value("bool"),
        "has_chartevents_data": Value("bool"),
        "age": Value("int32"),
        "is_over_89": Value("bool"),
        "patient": {**text_features("gender", "dob", "dod", "dod_hosp", "dod_ssn"), "expire_flag": Value("bool")},
        "diagnoses": _CODES,
        "procedures": _CODES,
        "prescriptions": List(text_features(*(name for name in TABLES["PRESCRIPTIONS"] if name != "hadm_id"))),
    }
)
LOOKED_UP = tuple(name for name in TABLES if name not in ("ADMISSIONS", "NOTEEVENTS"))


def read_admissions(source: SourceFile, lookups: Lookups, bad_rows: Quarantine) -> Iterator[Record]:
    """The admissions of a file, each joined with what the other tables say of it."""
    seen: set[str] = set()
    for rows in read_table(source, "ADMISSIONS", bad_rows):
        for place, cells in zip(rows.ids.to_pylist(), rows.table.to_pylist(), strict=True):
            hadm_id = cells["hadm_id"]
            if hadm_id in seen:
                fact = f"hadm_id {hadm_id} stands twice; the table has a row for each admission, so leave one out"
                bad_rows.add(bad_row(place, "duplicate_id", fact, cells))
                continue
            seen.add(hadm_id)
            yield _record(values_of(cells, "ADMISSIONS"), lookups)
    _tell_of_others(source, lookups, seen)


def _record(admission: dict[str, Any], lookups: Lookups) -> Record:
    hadm_id, subject_id = admission["hadm_id"], admission["subject_id"]
    patient = next(iter(lookups.rows("PATIENTS", subject_id)), None)
    codes = {name: lookups.codes(f"{name.upper()}_ICD", hadm_id) for name in ("diagnoses", "procedures")}
    prescriptions = lookups.rows("PRESCRIPTIONS", hadm_id)
    for row in prescriptions:
        row["ndc"] = None if row["ndc"] == "0" else row["ndc"]
    age = _age(admission["admittime"], patient["dob"] if patient else None)
    values = {
        **admission,
        "age": age if age is not None and age <= _OLDEST else None,
        "is_over_89": None if age is None else age > _OLDEST,
        "patient": patient or dict.fromkeys(FEATURES["patient"]),
        **codes,
        "prescriptions": prescriptions,
    }
    notes = {
        "no_patient": patient is None and lookups.has("PATIENTS"),
        "diagnosis_without_title": lookups.is_without_title("DIAGNOSES_ICD", codes["diagnoses"]),
        "procedure_without_title": lookups.is_without_title("PROCEDURES_ICD", codes["procedures"]),
    }
    told = [note for note, is_so in notes.items() if is_so]
    return Record(f"admission-{hadm_id}", values, notes=told, split_key=subject_id)  # a patient stays in one split


def _age(admitted: str | None, born: str | None) -> int | None:
    """Whole years at admission, which are 300 and more where the publisher hides that someone is over 89.

    >>> _age("2199-02-03 04:05:06", "2129-02-03 00:00:00"), _age("2199-02-02 04:05:06", "2129-02-03 00:00:00")
    (70, 69)
    """
    if admitted is None or born is None or admitted[:10] < born[:10]:
        return None
    return int(admitted[:4]) - int(born[:4]) - (admitted[5:10] < born[5:10])


def _tell_of_others(source: SourceFile, lookups: Lookups, seen: set[str]) -> None:
    """A part of the admissions with all of another table is common; still nothing goes missing silently."""
    for table in ("DIAGNOSES_ICD", "PROCEDURES_ICD", "PRESCRIPTIONS"):
        num_rows, keys = lookups.others(table, seen)
        if num_rows:
            some = ", ".join(key or "empty" for key in keys[:3]) + (", …" if len(keys) > 3 else "")
            logger.warning(
                f"{source.name}: {num_rows:,} rows of {table} are of none of its admissions, so they are in no record "
                f"(hadm_id {some})"
            )


def facts_at_admission(values: Mapping[str, Any]) -> list[str]:
    """What is known when the patient comes in, a line each; nothing that turned out later."""
    age = "over 89" if values["is_over_89"] else values["age"]
    return _lines(
        ("Admission type", values["admission_type"]),
        ("Admission location", values["admission_location"]),
        ("Age", age),
        ("Gender", values["patient"]["gender"]),
        ("Admission diagnosis", values["diagnosis"]),
    )


def _lines(*facts: tuple[str, Any]) -> list[str]:
    said = [(name, str(value).strip()) for name, value in facts if value is not None]
    return [f"{name}: {value}" for name, value in said if value]


def admission_text(values: Mapping[str, Any]) -> str:
    """An admission in lines of a fixed order; what is not known has no line."""
    lines = _lines(
        ("Admitted", values["admittime"]), ("Discharged", values["dischtime"]), ("Died", values["deathtime"])
    )
    lines += facts_at_admission(values)
    lines += _lines(
        ("Insurance", values["insurance"]),
        ("Language", values["language"]),
        ("Religion", values["religion"]),
        ("Marital status", values["marital_status"]),
        ("Ethnicity", values["ethnicity"]),
        ("Discharge location", values["discharge_location"]),
    )
    for heading, items in (
        ("Diagnoses", numbered(code_line(code) for code in values["diagnoses"])),
        ("Procedures", numbered(code_line(code) for code in values["procedures"])),
        ("Prescriptions", [f"- {line}" for line in _prescription_lines(values["prescriptions"])]),
    ):
        if items:
            lines += ["", f"{heading}:", *items]
    return "\n".join(lines)


def code_line(code: Mapping[str, Any]) -> str:
    """A code with its title, or alone; empty where the row has no code."""
    return " ".join(part for part in (code["icd9_code"], code["long_title"] or code["short_title"]) if part)


def numbered(lines: Iterable[str]) -> list[str]:
    return [f"{number}. {line}" for number, line in enumerate(filter(None, lines), start=1)]


def _prescription_lines(prescriptions: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each; the same drug ordered the same way for the same days is told once."""
    lines = []
    for row in prescriptions:
        dose = " ".join(filter(None, (row["dose_val_rx"], row["dose_unit_rx"])))
        days = " to ".join(day[:10] for day in (row["startdate"], row["enddate"]) if day)
        parts = (row["drug"], row["prod_strength"], dose, row["route"], days)
        lines.append(", ".join(part.strip() for part in parts if part and part.strip()))
    return list(dict.fromkeys(filter(None, lines)))
