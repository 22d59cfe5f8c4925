"""A dataset of token rows in, its rows as views of the memory-mapped Arrow buffers out: no Python list in between."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Dataset

from collators.errors import TokenizationError
from collators.ragged import Ragged, RaggedRows


class FlatRows:
    """Token rows for a `DataLoader` or `Trainer`, many times faster than the dataset itself.

    Holds every column that is a list of whole numbers (`input_ids`, `labels`, `position_ids`, `seq_lengths`, …); others
    (`id`, `length`) are left out. Nothing is copied: values are read where Arrow has them, on disk if the dataset is
    memory-mapped; a worker process gets the path, not the values. `select`, `shuffle` and other mappings hold.

    `rows[n]` is a dict of read-only NumPy views. A batch (`__getitems__`, what a `DataLoader` asks for) is a
    `RaggedRows`, which the collators here take as flat columns; to other collators it is a sequence of such dicts.

    Raises:
        TokenizationError: not a `datasets.Dataset`, no column `input_ids` of lists of whole numbers, or a null in one.

    >>> rows = FlatRows(Dataset.from_dict({"input_ids": [[5, 6, 7], [8]], "labels": [[-100, 6, 7], [8]]}))
    >>> rows[0]["labels"]
    array([-100,    6,    7])
    >>> rows.lengths
    array([3, 1])
    """

    def __init__(self, dataset: Dataset) -> None:
        if not isinstance(dataset, Dataset):
            raise TokenizationError(
                f"{type(dataset).__name__}: FlatRows reads a datasets.Dataset; give one split, and no stream"
            )
        self.dataset = dataset
        table = dataset.data.table
        columns = {name: table[name] for name in table.column_names if _holds_ids(table[name].type)}
        if "input_ids" not in columns:
            raise TokenizationError(
                f"rows have the columns {', '.join(table.column_names) or '(none)'}; "
                "expected input_ids, lists of whole numbers, as tokenize() gives them"
            )
        # Which row of the table each row is, after `select` or `shuffle`.
        mapping = dataset._indices
        self._places = None if mapping is None else mapping.column(0).to_numpy().astype(np.int64, copy=False)
        self._columns = {name: _Chunks(column) for name, column in columns.items()}
        for name, column in self._columns.items():
            self._check_no_null(name, column)

    @property
    def column_names(self) -> list[str]:
        return list(self._columns)

    def __len__(self) -> int:
        return len(self.dataset)

    def __reduce__(self) -> tuple[Any, ...]:
        return FlatRows, (self.dataset,)

    def __getitem__(self, row: int) -> dict[str, np.ndarray[Any, Any]]:
        places = self._places_of([range(len(self))[row]])
        return {name: column.parts(places)[0] for name, column in self._columns.items()}

    def __getitems__(self, rows: Sequence[int] | np.ndarray[Any, Any]) -> RaggedRows:
        places = self._places_of(rows)
        return RaggedRows({name: column.take(places) for name, column in self._columns.items()})

    @cached_property
    def lengths(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Tokens of each row."""
        lengths = self._columns["input_ids"].lengths()
        return lengths if self._places is None else lengths[self._places]

    def _places_of(self, rows: Sequence[int] | np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
        wanted = np.asarray(rows, np.int64)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"rows {wanted.min():,} to {wanted.max():,} of {len(self):,}")
        return wanted if self._places is None else self._places[wanted]

    def _check_no_null(self, name: str, column: _Chunks) -> None:
        """Only of rows that are here: a mapping may have left the others out for that very reason."""
        for places, what in ((column.null_rows, name), (column.rows_of_null_values, f"a value of {name}")):
            if len(places):
                rows = places if self._places is None else np.flatnonzero(np.isin(self._places, places))
                for row in rows[:1]:
                    raise TokenizationError(f"row {row:,}: {what} is null; filter such rows out")


class _Chunks:
    """One column of lists as Arrow holds it: for every chunk the values, and where in them each row begins."""

    null_rows: np.ndarray[Any, np.dtype[np.int64]]
    rows_of_null_values: np.ndarray[Any, np.dtype[np.int64]]

    def __init__(self, column: pa.ChunkedArray) -> None:
        chunks = [chunk for chunk in column.chunks if len(chunk)]
        # Before the first row of each chunk.
        self._bounds = np.cumsum([0, *map(len, chunks)])
        self._values: list[np.ndarray[Any, Any]] = []
        self._offsets: list[memoryview] = []
        null_rows, rows_of_null_values = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for chunk, first in zip(chunks, self._bounds.tolist(), strict=False):
            values, offsets = _buffers_of(chunk)
            if chunk.null_count:
                null_rows.append(first + _nulls(chunk))
            if values.null_count:
                holders = np.searchsorted(offsets, _nulls(values), side="right") - 1
                rows_of_null_values.append(first + holders[(holders >= 0) & (holders < len(chunk))])
            self._values.append(_without_nulls(values))
            self._offsets.append(memoryview(offsets))  # type: ignore[arg-type]
        self.null_rows, self.rows_of_null_values = np.concatenate(null_rows), np.concatenate(rows_of_null_values)
        self._empty = np.empty(0, column.type.value_type.to_pandas_dtype())

    def parts(self, places: np.ndarray[Any, np.dtype[np.int64]]) -> list[np.ndarray[Any, Any]]:
        """A view for each place."""
        chunks = np.searchsorted(self._bounds, places, side="right") - 1
        parts = []
        for chunk, row in zip(chunks.tolist(), (places - self._bounds[chunks]).tolist(), strict=True):
            offsets = self._offsets[chunk]
            parts.append(self._values[chunk][offsets[row] : offsets[row + 1]])
        return parts

    def take(self, places: np.ndarray[Any, np.dtype[np.int64]]) -> Ragged:
        parts = self.parts(places)
        values = np.concatenate(parts) if parts else self._empty
        return Ragged(values, np.fromiter(map(len, parts), np.int64, len(parts)))

    def lengths(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Values of each row of the table."""
        lengths = [np.diff(np.asarray(offsets)) for offsets in self._offsets]
        return np.concatenate([*lengths, np.empty(0, np.int64)])


def _holds_ids(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(is_list and pa.types.is_integer(kind.value_type))


def _buffers_of(chunk: Any) -> tuple[Any, np.ndarray[Any, Any]]:
    """Values and offsets of a chunk (one more than its rows), both zero-copy."""
    if pa.types.is_fixed_size_list(chunk.type):
        size = chunk.type.list_size
        # `flatten` would leave out the places of null rows.
        return chunk.values.slice(chunk.offset * size, len(chunk) * size), np.arange(len(chunk) + 1) * size
    return chunk.values, chunk.offsets.to_numpy()


def _nulls(array: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))


def _without_nulls(values: Any) -> np.ndarray[Any, Any]:
    """All values, and anything where they are null."""
    if values.null_count:
        values = pa.Array.from_buffers(values.type, len(values), [None, values.buffers()[1]], offset=values.offset)
    found: np.ndarray[Any, Any] = values.to_numpy()
    return found
