"""Rows in any form in, flat columns out: the values one after another, and how many each row has."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.errors import TokenizationError


class Ragged(NamedTuple):
    """A column of lists: N values in all, B rows."""

    values: np.ndarray[Any, Any]
    """N, of the type they came in."""
    lengths: np.ndarray[Any, np.dtype[np.int64]]
    """B."""

    @property
    def starts(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """B: where in `values` each row begins."""
        ends: np.ndarray[Any, np.dtype[np.int64]] = np.cumsum(self.lengths)
        return ends - self.lengths


class RaggedRows(Sequence[dict[str, np.ndarray[Any, Any]]]):
    """Token rows as flat columns: a collator of ours takes the columns, to any other it is a list of dicts.

    >>> rows = RaggedRows({"input_ids": Ragged(np.array([5, 6, 7]), np.array([2, 1]))})
    >>> len(rows), rows[1]
    (2, {'input_ids': array([7])})
    """

    __slots__ = ("columns",)

    def __init__(self, columns: Mapping[str, Ragged]) -> None:
        self.columns = dict(columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).lengths)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return list(self)[place]
        row = range(len(self))[place]
        return {name: np.split(each.values, each.starts[1:])[row] for name, each in self.columns.items()}

    def __iter__(self) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
        parts = {name: np.split(each.values, each.starts[1:]) for name, each in self.columns.items()}
        for row in zip(*parts.values(), strict=True):
            yield dict(zip(parts, row, strict=True))


def columns_of(rows: Any, names: Sequence[str]) -> dict[str, Any]:
    """Those of the columns `names` that the rows have; each goes through `ragged`.

    Takes `RaggedRows`, an Arrow table or record batch, a dict of columns, or dicts that are rows.

    Raises:
        TokenizationError: no row, no `input_ids`, something that is no row, or a column only some rows have.
    """
    if isinstance(rows, RaggedRows):
        columns: Mapping[str, Any] = rows.columns
    elif isinstance(rows, pa.Table | pa.RecordBatch):
        columns = {name: rows[name] for name in rows.column_names}
    elif isinstance(rows, Mapping):
        columns = rows
    else:
        return _columns_of_rows(rows if isinstance(rows, list) else list(rows), names)
    first = next(iter(columns.values()), ())
    _check_not_empty(len(first.lengths if isinstance(first, Ragged) else first), columns)
    return {name: columns[name] for name in names if name in columns}


def ragged(name: str, column: Any) -> Ragged:
    """Flat values and lengths of the column `name` of id lists.

    Raises:
        TokenizationError: something in it is no list of whole numbers.
    """
    if isinstance(column, Ragged):
        return column
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.Array) and pa.types.is_integer(getattr(column.type, "value_type", pa.null())):
        values = column.flatten()
        if not column.null_count and not values.null_count:
            lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
            return Ragged(values.to_numpy(zero_copy_only=False), lengths)
    if column is None:
        raise TokenizationError(f"the column {name!r} is None; leave it out or give it a list for each row")
    return _of_lists(column) or _of_arrays(name, column)


def are_packed(columns: Mapping[str, Any]) -> bool:
    """Whether rows of these columns hold several records: they have `seq_lengths`, or `position_ids` that restart.

    >>> are_packed({"position_ids": [[0, 1, 0]]}), are_packed({"position_ids": [[0, 1, 2]]}), are_packed({})
    (True, False, False)
    """
    if "seq_lengths" in columns or "position_ids" not in columns:
        return "seq_lengths" in columns
    positions = ragged("position_ids", columns["position_ids"])
    return int(np.count_nonzero(positions.values == 0)) > int(np.count_nonzero(positions.lengths))


def check_same_lengths(columns: Mapping[str, Ragged]) -> None:
    """Raise `TokenizationError` unless each row has as many values in every column as in `input_ids`."""
    lengths = columns["input_ids"].lengths
    for name, (_, others) in columns.items():
        if others is not lengths and not np.array_equal(others, lengths):
            row = int(np.flatnonzero(others != lengths)[0]) if len(others) == len(lengths) else len(others)
            raise TokenizationError(f"row {row} of the batch: {name} and input_ids differ in length")


def _columns_of_rows(rows: list[Any], names: Sequence[str]) -> dict[str, Any]:
    for place, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TokenizationError(f"row {place} of the batch: {type(row).__name__}; expected a dict of columns")
    _check_not_empty(len(rows), rows[0] if rows else ())
    columns = {}
    for name in names:
        column = [row[name] for row in rows if name in row]
        if 0 < len(column) < len(rows):
            raise TokenizationError(f"some rows of the batch have the column {name!r}, some have not")
        if column:
            columns[name] = column
    return columns


def _check_not_empty(num_rows: int, names: Collection[str]) -> None:
    if not num_rows:
        raise TokenizationError("an empty batch; the collator needs one row or more")
    if "input_ids" not in names:
        raise TokenizationError(f"rows have the columns {', '.join(names) or '(none)'}; expected input_ids")


def _of_lists(column: Any) -> Ragged | None:
    """Of Python lists of whole numbers of 32 bits, what `datasets` gives; None if anything is something else."""
    lengths = []
    packed = []
    for row in column:
        if type(row) is not list:
            return None
        try:
            # Half of what NumPy takes to read a list, and it refuses all but whole numbers.
            packed.append(struct.pack(f"{len(row)}i", *row))
        except struct.error:
            return None
        lengths.append(len(row))
    return Ragged(np.asarray(memoryview(b"".join(packed)).cast("i")), np.array(lengths, np.int64))


def _of_arrays(name: str, column: Any) -> Ragged:
    arrays = [_ids_of(name, place, row) for place, row in enumerate(column)]
    return Ragged(np.concatenate(arrays), np.fromiter(map(len, arrays), np.int64, len(arrays)))


def _ids_of(name: str, place: int, row: Any) -> np.ndarray[Any, Any]:
    try:
        ids = np.asarray(row.values if isinstance(row, pa.ListScalar | pa.LargeListScalar) else row)
    except ValueError:  # Lists in it that differ in length.
        ids = np.array(None)
    if not ids.size and ids.ndim == 1:
        return ids.astype(np.int64)  # NumPy takes an empty list for floats.
    if ids.ndim != 1 or ids.dtype.kind not in "iub":
        found = f"of shape {ids.shape}" if ids.ndim > 1 else repr(row)[:60]
        raise TokenizationError(f"row {place} of the batch: {name} is {found}; expected a flat list of whole numbers")
    return ids
