"""Packed rows in, the token rows they hold out, with what is wrong where they do not hold them as they should."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators import IGNORE_INDEX

_BATCH_SIZE = 1000

Fail = Callable[[object, str], None]
"""Takes the name of a row and what is wrong with it."""


def is_packed(rows: datasets.Dataset) -> bool:
    return "seq_lengths" in rows.column_names


def record_ids(rows: datasets.Dataset) -> pa.Array:
    """The ids of the records of all rows, packed or not, in their order."""
    ids = rows.with_format("arrow")["ids" if is_packed(rows) else "id"][:].combine_chunks()
    return ids.flatten() if is_packed(rows) else ids


def token_row_batches(
    rows: datasets.Dataset, fail: Fail, *, max_length: int, first_trained: bool
) -> Iterator[pa.Table]:
    """Token rows (`id`, `input_ids`, `labels`, `length`) of packed ones, or of plain ones as they are.

    The first token of a packed record is never trained. With `first_trained` its label is given back, as the rule has
    it where all is trained. A packed row longer than `max_length`, or with borders that are not those of its records,
    fails, and its records are left out.
    """
    for table in rows.with_format("arrow").iter(_BATCH_SIZE):
        table = table.combine_chunks()
        yield unpacked(table, fail, max_length=max_length, first_trained=first_trained) if is_packed(rows) else table


def unpacked(table: pa.Table, fail: Fail, *, max_length: int, first_trained: bool) -> pa.Table:
    """The token rows of a batch of packed ones, as `token_row_batches` gives them."""
    table = table.combine_chunks()
    faults = _faults(table, max_length)
    for row, fault in faults.items():
        fail(f"packed row with {next(iter(table['ids'][row].as_py() or ['no record']))}", fault)
    good = np.setdiff1d(np.arange(len(table)), list(faults))
    return _unpacked(table.take(pa.array(good)).combine_chunks(), first_trained=first_trained)


def _faults(table: pa.Table, max_length: int) -> dict[int, str]:
    """What is wrong with how some rows are packed."""
    lengths = pc.list_value_length(table["input_ids"]).to_numpy()
    faults: dict[int, str] = {}
    for row, (names, seq_lengths, positions, labels) in enumerate(
        zip(*(_lists(table, name) for name in ("ids", "seq_lengths", "position_ids", "labels")), strict=True)
    ):
        starts = np.cumsum(seq_lengths) - seq_lengths
        if sum(seq_lengths) != lengths[row] or len(seq_lengths) != len(names) or min(seq_lengths, default=0) < 1:
            faults[row] = "has seq_lengths that are not the lengths of its records"
        elif len(positions) != lengths[row] or not np.array_equal(
            positions, np.arange(len(positions)) - np.repeat(starts, seq_lengths)
        ):
            faults[row] = "has position_ids that do not count the tokens of its records"
        elif len(labels) != lengths[row]:
            faults[row] = "has not one label for each of its ids"
        elif (labels[starts] != IGNORE_INDEX).any():
            faults[row] = "trains the first token of a record, which another record would predict"
        elif lengths[row] > max_length:
            faults[row] = f"has {lengths[row]:,} tokens, more than max_length={max_length:,}"
    return faults


def _lists(table: pa.Table, name: str) -> list[np.ndarray[Any, Any]]:
    column = table[name].combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    ends = np.cumsum(column.value_lengths().to_numpy(zero_copy_only=False))
    return np.split(flat, ends[:-1])[: len(ends)]  # no rows would be split into one part


def _unpacked(table: pa.Table, *, first_trained: bool) -> pa.Table:
    ids, labels, lengths, names = (
        table[name].combine_chunks().flatten() for name in ("input_ids", "labels", "seq_lengths", "ids")
    )
    ends = np.cumsum(lengths.to_numpy())
    starts = np.concatenate([[0], ends]).astype(np.int32)
    if first_trained:
        given_back = labels.to_numpy().copy()
        given_back[starts[:-1]] = ids.to_numpy()[starts[:-1]]
        labels = pa.array(given_back)
    return pa.table(
        {
            "id": names,
            "input_ids": pa.ListArray.from_arrays(starts, ids),
            "labels": pa.ListArray.from_arrays(starts, labels),
            "length": lengths,
        }
    )
