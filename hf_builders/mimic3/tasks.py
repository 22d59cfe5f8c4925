"""What a record of MIMIC-III answers: the codes of a stay, from what was known at its start or written at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hf_builders.corpus_builder import Exchange
from hf_builders.mimic3.admissions import code_line, facts_at_admission, numbered

_TO_DIAGNOSES = "List the diagnoses of this hospital stay as they were coded at discharge, the most important first."
_TO_CODES = (
    "List the ICD-9 codes of this hospital stay, first the diagnoses, then the procedures, each in the order in which "
    "they were coded."
)


def admission_to_diagnoses(values: Mapping[str, Any]) -> Iterable[Exchange]:
    """Asks for the diagnoses of a stay, by their titles, given what was known at admission."""
    facts = facts_at_admission(values)
    diagnoses = numbered(_title(code) for code in values["diagnoses"])
    return [Exchange(_TO_DIAGNOSES, "\n".join(facts), "\n".join(diagnoses))] if facts and diagnoses else []


def note_to_codes(values: Mapping[str, Any]) -> Iterable[Exchange]:
    """Asks for the ICD-9 codes of a stay, given a note about it (by default its discharge summary)."""
    note = (values["text"] or "").strip()
    lines = []
    for heading, codes in (("Diagnoses", values["diagnoses"]), ("Procedures", values["procedures"])):
        if items := numbered(map(code_line, codes)):
            lines += [f"{heading}:", *items]
    return [Exchange(_TO_CODES, note, "\n".join(lines))] if note and lines else []


def _title(code: Mapping[str, Any]) -> str:
    """In words; a code that no table explains stands for itself."""
    return code["long_title"] or code["short_title"] or (f"ICD-9 {code['icd9_code']}" if code["icd9_code"] else "")
