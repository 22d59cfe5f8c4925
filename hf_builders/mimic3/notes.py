"""NOTEEVENTS in, a stream of notes out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from datasets import Features, Value

from hf_builders.corpus_builder import Record
from hf_builders.mimic3.lookups import Lookups
from hf_builders.mimic3.marks import replace_marks
from hf_builders.mimic3.tables import bad_row, read_table, values_of
from hf_builders.quarantine import Quarantine
from hf_builders.schema import text_features
from hf_builders.sources import SourceFile

DISCHARGE_SUMMARY = "Discharge summary"
FEATURES = Features(
    {
        **text_features("id", "row_id", "subject_id", "hadm_id", "chartdate", "charttime", "storetime", "category"),
        **text_features("description", "cgid"),
        "iserror": Value("bool"),
        "text": Value("string"),
    }
)
LOOKED_UP = ("DIAGNOSES_ICD", "PROCEDURES_ICD", "D_ICD_DIAGNOSES", "D_ICD_PROCEDURES")


@dataclass(frozen=True)
class NoteReader:
    categories: Collection[str] | None
    """Only notes of these; the full set writes some with a blank at the end, which does not count."""
    has_placeholders: bool
    """Instead of the marks of de-identification."""
    lookups: Lookups | None
    """With the codes of admissions, where they are asked for."""

    def read(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Record]:
        is_new = seen_ids()
        for rows in read_table(source, "NOTEEVENTS", bad_rows):
            for place, cells in zip(rows.ids.to_pylist(), rows.table.to_pylist(), strict=True):
                if not is_new(int(cells["row_id"])):
                    fact = f"row_id {cells['row_id']} stands twice; leave one of the two notes out"
                    bad_rows.add(bad_row(place, "duplicate_id", fact, cells))
                    continue
                yield self._record(values_of(cells, "NOTEEVENTS"))

    def _record(self, note: dict[str, Any]) -> Record:
        note["id"] = f"note-{note['row_id']}"
        left_out = self._left_out(note)
        if left_out is None:
            if self.has_placeholders and note["text"]:
                note["text"] = replace_marks(note["text"])
            if self.lookups is not None:
                for name in ("diagnoses", "procedures"):
                    note[name] = self.lookups.codes(f"{name.upper()}_ICD", note["hadm_id"])
        return Record(note["id"], note, left_out, split_key=note["subject_id"])

    def _left_out(self, note: dict[str, Any]) -> str | None:
        if note["iserror"]:
            return "iserror"
        if self.categories is not None and same_category(note["category"] or "") not in self.categories:
            return "other_category"
        return None


def same_category(category: str) -> str:
    """What makes two spellings of a category one.

    >>> same_category("Physician ") == same_category("physician")
    True
    """
    return category.strip().casefold()


def seen_ids() -> Callable[[int], bool]:
    """A function that says of a number whether it comes up for the first time: 2 million of them are 300 kB."""
    bits, large = bytearray(), set[int]()

    def is_new(number: int) -> bool:
        if number >= 1 << 27:
            num_large = len(large)
            large.add(number)
            return len(large) > num_large
        place, bit = number >> 3, 1 << (number & 7)
        if place >= len(bits):
            bits.extend(bytes(place + 1 - len(bits)))
        was_there = bits[place] & bit
        bits[place] |= bit
        return not was_there

    return is_new
