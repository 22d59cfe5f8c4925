"""Tables that others are joined with: their rows by patient, admission or code, in a few bytes for each row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from hf_builders.mimic3.tables import TABLES, TEXT, Kind, read_table, table_of, value_of
from hf_builders.quarantine import Quarantine
from hf_builders.sources import SourceFile

_KEYS = {
    "PATIENTS": "subject_id",
    "DIAGNOSES_ICD": "hadm_id",
    "PROCEDURES_ICD": "hadm_id",
    "PRESCRIPTIONS": "hadm_id",
    "D_ICD_DIAGNOSES": "icd9_code",
    "D_ICD_PROCEDURES": "icd9_code",
}
"""The column by which the rows of each table are found."""
_TITLES = {"DIAGNOSES_ICD": "D_ICD_DIAGNOSES", "PROCEDURES_ICD": "D_ICD_PROCEDURES"}
_NO_TITLE = {"short_title": None, "long_title": None}


class _Column(NamedTuple):
    """n cells: each different value once, and a number for each cell. The 4 million prescriptions fit so."""

    values: list[Any]
    numbers: np.ndarray


class _GrowingColumn:
    def __init__(self) -> None:
        self._number_of_word: dict[str, int] = {}
        self._blocks: list[np.ndarray] = []

    def add(self, cells: pa.ChunkedArray) -> None:
        encoded = cells.combine_chunks().dictionary_encode()
        known = self._number_of_word
        numbers = np.array([known.setdefault(word, len(known)) for word in encoded.dictionary.to_pylist()], np.uint32)
        block = numbers[encoded.indices.to_numpy()]
        self._blocks.append(block.astype(np.min_scalar_type(len(known))))

    def finish(self, kind: Kind) -> _Column:
        numbers = np.concatenate([np.zeros(0, np.uint8), *self._blocks])
        return _Column([value_of(word, kind) for word in self._number_of_word], numbers)


@dataclass(frozen=True)
class Grouped:
    """The rows of a table, found by their key, in their order in the file."""

    group_of_key: Mapping[str, int]
    starts: np.ndarray
    columns: Mapping[str, _Column]

    def rows(self, key: str) -> list[dict[str, Any]]:
        if (group := self.group_of_key.get(key)) is None:
            return []
        span = slice(self.starts[group], self.starts[group + 1])
        cells = [
            [column.values[number] for number in column.numbers[span].tolist()] for column in self.columns.values()
        ]
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*cells, strict=True)]

    def others(self, keys: Collection[str]) -> tuple[int, list[str]]:
        """How many rows have none of these keys, and the keys they have."""
        others = {key: group for key, group in self.group_of_key.items() if key not in keys}
        groups = np.array(list(others.values()), int)
        return int((self.starts[groups + 1] - self.starts[groups]).sum()), list(others)


def read_grouped(sources: Iterable[SourceFile], table: str, bad_rows: Quarantine) -> Grouped:
    """A table in memory. Its key is left out of the rows: who looks them up knows it."""
    growing = {name: _GrowingColumn() for name in TABLES[table]}
    for source in sources:
        for rows in read_table(source, table, bad_rows):
            for name, column in growing.items():
                column.add(rows.table[name])
    key = growing.pop(_KEYS[table]).finish(TEXT)
    order = np.argsort(key.numbers, kind="stable")
    starts = np.searchsorted(key.numbers[order], np.arange(len(key.values) + 1))
    columns = {}
    for name in list(growing):  # one column at a time is there twice
        values, numbers = growing.pop(name).finish(TABLES[table][name])
        columns[name] = _Column(values, numbers[order])
    # Rows of nobody have no key; no record asks for the empty one.
    return Grouped({word or "": number for number, word in enumerate(key.values)}, starts, columns)


class Lookups:
    """What other tables say about a patient or an admission."""

    def __init__(self, sources: Sequence[SourceFile], tables: Collection[str], bad_rows: Quarantine) -> None:
        by_content = {(source.sha256, source.member): source for source in sources}  # one may be there for each split
        files = {table: [each for each in by_content.values() if table_of(each) == table] for table in tables}
        self._tables = {table: read_grouped(found, table, bad_rows) for table, found in files.items() if found}

    def rows(self, table: str, key: str) -> list[dict[str, Any]]:
        """The rows of a table with this key; none where there is no such table."""
        return self._tables[table].rows(key) if table in self._tables else []

    def has(self, table: str) -> bool:
        return table in self._tables

    def codes(self, table: str, hadm_id: str | None) -> list[dict[str, Any]]:
        """The codes of an admission, by `seq_num`, with their titles; those of a code without a row are null."""
        rows = self.rows(table, hadm_id) if hadm_id else []
        rows.sort(key=lambda row: (row["seq_num"] is None, row["seq_num"] or 0))
        return [{**_NO_TITLE, **row, **self._titles(table, row["icd9_code"])} for row in rows]

    def _titles(self, table: str, code: str | None) -> dict[str, Any]:
        found = self.rows(_TITLES[table], code) if code else []
        return found[0] if found else {}

    def is_without_title(self, table: str, codes: Iterable[Mapping[str, Any]]) -> bool:
        """Whether one of these codes has no row in the list of codes, where there is one."""
        return self.has(_TITLES[table]) and any(code["icd9_code"] and not code["long_title"] for code in codes)

    def others(self, table: str, keys: Collection[str]) -> tuple[int, list[str]]:
        return self._tables[table].others(keys) if table in self._tables else (0, [])
