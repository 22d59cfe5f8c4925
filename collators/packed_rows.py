"""Token rows as flat columns in; those that fit a window, and packed rows made of them, out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from datasets import Features, List, Value

from collators.bin_packing import IntArray
from collators.errors import TokenizationError
from collators.overflow import ANSWER_CUT_OFF, TOO_LONG
from collators.ragged import Ragged
from collators.turns import IGNORE_INDEX

PackOverflow = Literal["error", "drop", "truncate"]

NO_TOKEN = "no_token"
"""A row without tokens, as `token_rows` leaves of a row it set aside."""

_ROWS_AT_ONCE = 256


class Fitted(NamedTuple):
    """The rows that go into packs, and what became of the others."""

    rows: IntArray
    """Their places, in the order of the dataset."""
    lengths: IntArray
    """How many tokens of each, from its beginning."""
    set_aside: Counter[str]
    """How many rows are left out, by reason."""
    num_cut: Counter[str]
    """How many `rows` are cut, by how many `tokens`."""


def fit(
    lengths: IntArray,
    labels_of: Callable[[IntArray], Ragged],
    *,
    max_length: int,
    overflow: PackOverflow,
    name_of: Callable[[int], str],
) -> Fitted:
    """Which rows of `lengths` tokens go into packs of `max_length`, and how much of them.

    `labels_of` gives the labels of some rows, `name_of` the name of one. A row that is cut and has no trained token
    left besides its first, which is never predicted, is set aside.

    Raises:
        TokenizationError: a row longer than `max_length`, with `overflow="error"`.
    """
    kept = np.minimum(lengths, max_length)
    too_long = np.flatnonzero(lengths > max_length)
    set_aside = Counter({NO_TOKEN: int((lengths == 0).sum())})
    if overflow == "error":
        for row in too_long[:1].tolist():
            raise TokenizationError(
                f"{name_of(row)}: {lengths[row]} tokens, longer than max_length={max_length}; raise max_length, "
                "tokenize with this max_length, or choose overflow='drop' or 'truncate'"
            )
    elif overflow == "drop":
        kept[too_long] = 0
        set_aside[TOO_LONG] = len(too_long)
    else:
        lost = too_long[~_stays_trained(too_long, labels_of, max_length)]
        kept[lost] = 0
        set_aside[ANSWER_CUT_OFF] = len(lost)
    rows = np.flatnonzero(kept)
    cut = (lengths - kept)[rows]
    num_cut = Counter({"rows": int((cut > 0).sum()), "tokens": int(cut.sum())})
    return Fitted(rows, kept[rows], +set_aside, +num_cut)


def _stays_trained(rows: IntArray, labels_of: Callable[[IntArray], Ragged], max_length: int) -> Any:
    """Whether each of `rows` has a trained token among those behind its first and before `max_length`."""
    found = np.zeros(len(rows), np.bool_)
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        labels = labels_of(rows[first : first + _ROWS_AT_ONCE])
        row_of = np.repeat(np.arange(len(labels.lengths)), labels.lengths)
        places = np.arange(len(labels.values)) - np.repeat(labels.starts, labels.lengths)
        is_trained = (labels.values != IGNORE_INDEX) & (places > 0) & (places < max_length)
        found[first + row_of[is_trained]] = True
    return found


def taken(column: Ragged, rows: IntArray) -> Ragged:
    """Some rows of a column.

    >>> taken(Ragged(np.array([5, 6, 7, 8]), np.array([1, 2, 1])), np.array([2, 1])).values.tolist()
    [8, 6, 7]
    """
    lengths = column.lengths[rows]
    starts = column.starts[rows]
    parts = [column.values[start:end] for start, end in zip(starts.tolist(), (starts + lengths).tolist(), strict=True)]
    return Ragged(np.concatenate([column.values[:0], *parts]), lengths)


def cut_to(column: Ragged, max_length: int) -> Ragged:
    """The first `max_length` values of each row.

    >>> cut_to(Ragged(np.array([5, 6, 7, 8]), np.array([3, 1])), 2).values.tolist()
    [5, 6, 8]
    """
    if not len(column.lengths) or column.lengths.max() <= max_length:
        return column
    places = np.arange(len(column.values)) - np.repeat(column.starts, column.lengths)
    return Ragged(column.values[places < max_length], np.minimum(column.lengths, max_length))


def packed_features(source: Features) -> Features:
    """The columns of packed rows, made from token rows with the columns `source`.

    Raises:
        TokenizationError: these are no token rows, or rows that are packed already.
    """
    for name in ("seq_lengths", "position_ids"):
        if name in source:
            raise TokenizationError(f"column {name!r}: these rows are packed already; pack token rows, once")
    for name in ("input_ids", "labels"):
        if name not in source:
            raise TokenizationError(
                f"columns {', '.join(source) or '(none)'}: no {name}; pack takes what collators.tokenize gives"
            )
        item = getattr(source[name], "feature", None)
        if not isinstance(item, Value) or "int" not in item.dtype:
            raise TokenizationError(f"column {name!r}: expected lists of whole numbers, found {source[name]}")
    ids = {"ids": List(source["id"])} if "id" in source else {}
    return Features(
        ids
        | {
            "input_ids": List(source["input_ids"].feature),
            "labels": List(source["labels"].feature),
            "position_ids": List(Value("int32")),
            "seq_lengths": List(Value("int32")),
            "length": Value("int32"),
        }
    )


def packed_table(
    columns: Mapping[str, Ragged], ids_of_records: pa.Array | None, num_records: IntArray, features: Features
) -> pa.Table:
    """Packed rows of records that lie one after another, `num_records` (1 or more) in each row."""
    ids, labels = columns["input_ids"], columns["labels"]
    starts = ids.starts
    trained = labels.values.copy()
    # Alone, the first token of a record is given, not predicted; here it would be, from the record before.
    trained[starts] = IGNORE_INDEX
    positions = np.arange(len(ids.values)) - np.repeat(starts, ids.lengths)
    records = np.concatenate([[0], np.cumsum(num_records)])
    tokens = np.concatenate([starts, [len(ids.values)]])[records]
    schema = features.arrow_schema

    def lists(name: str, values: Any, borders: IntArray) -> pa.Array:
        kind = schema.field(name).type
        flat = pa.array(values.astype(kind.value_type.to_pandas_dtype(), copy=False))
        return pa.ListArray.from_arrays(pa.array(borders.astype(np.int32)), flat).cast(kind)

    names = {}
    if ids_of_records is not None:
        kind = schema.field("ids").type
        flat = ids_of_records.cast(kind.value_type)
        names = {"ids": pa.ListArray.from_arrays(pa.array(records.astype(np.int32)), flat).cast(kind)}
    return pa.table(
        names
        | {
            "input_ids": lists("input_ids", ids.values, tokens),
            "labels": lists("labels", trained, tokens),
            "position_ids": lists("position_ids", positions, tokens),
            "seq_lengths": lists("seq_lengths", ids.lengths, records),
            "length": pa.array(np.diff(tokens).astype(np.int32)),
        },
        schema=schema,
    )
