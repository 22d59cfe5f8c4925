"""Token rows of anybody in; the columns, of the types that our checks read, out.

Others have 64-bit ids, other kinds of lists, rows without names, padding to one length, or packed rows without the
columns that can be computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators import IGNORE_INDEX
from hf_builders.labelled_spans import BoolArray, IntArray
from hf_builders.packed_rows import Fail

_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_TEXTS = (pa.types.is_string, pa.types.is_large_string)


def why_no_token_rows(schema: pa.Schema) -> str:
    """What is missing, or of another type; "" where there are token rows.

    >>> lists, number = pa.list_(pa.int64()), pa.int64()
    >>> why_no_token_rows(pa.schema({"input_ids": lists, "labels": pa.large_list(number)}))
    ''
    >>> why_no_token_rows(pa.schema({"input_ids": lists, "labels": number}))
    'labels is int64, no list of whole numbers'
    """
    for name in ("input_ids", "labels"):
        if name not in schema.names:
            return f"there is no column {name}"
        if not _has_numbers(schema, name):
            return f"{name} is {schema.field(name).type}, no list of whole numbers"
    return ""


class TokenColumns:
    """Reads the batches of one split in their order; rows that cannot be read are told to `fail` and left out."""

    def __init__(self, schema: pa.Schema, fail: Fail) -> None:
        self._fail, self._num_read = fail, 0
        self.is_packed = _has_numbers(schema, "seq_lengths")
        self._is_padded = not self.is_packed and _has_numbers(schema, "attention_mask")
        name = "ids" if self.is_packed else "id"
        kind = schema.field(name).type if name in schema.names else pa.null()
        if self.is_packed and any(is_list(kind) for is_list in _LISTS):
            kind = kind.value_type
        self._names = name if any(is_text(kind) for is_text in _TEXTS) else None
        present = ["position_ids"] if _has_numbers(schema, "position_ids") else []
        self._read = ["input_ids", "labels", *(["seq_lengths", *present] if self.is_packed else [])]
        self._read += ["attention_mask"] if self._is_padded else []

    def longest(self, batch: pa.Table) -> int:
        """Tokens of the longest token row."""
        if self.is_packed:
            return int(_Lists.of(batch["seq_lengths"]).flat.max(initial=0))
        if self._is_padded:
            mask = _Lists.of(batch["attention_mask"])
            return int(mask.filtered(mask.flat != 0).lengths.max(initial=0))
        return int(_Lists.of(batch["input_ids"]).lengths.max(initial=0))

    def read(self, batch: pa.Table) -> pa.Table:
        """`id`, `input_ids`, `labels`, `length`; of packed rows `ids`, `seq_lengths` and `position_ids` too."""
        names = [f"row {self._num_read + number}" for number in range(len(batch))]
        self._num_read += len(batch)
        lists = {name: _Lists.of(batch[name]) for name in self._read}
        if self._names == "id":
            names = [own or name for own, name in zip(batch["id"].to_pylist(), names, strict=True)]
        is_bad = np.zeros(len(batch), np.bool_)
        for name, each in lists.items():
            is_bad |= self._failed(names, each.has_null & ~is_bad, f"has nulls in its {name}")
        if self.is_packed:
            return self._packed(batch, lists, names).filter(pa.array(~is_bad))
        for name, each in lists.items():
            what = name.removesuffix("s").replace("_", " ")
            is_uneven = each.lengths != lists["input_ids"].lengths
            is_bad |= self._failed(names, is_uneven & ~is_bad, f"has not one {what} for each of its ids")
        good = {name: each.without(is_bad) for name, each in lists.items()}
        names = [name for name, bad in zip(names, is_bad, strict=True) if not bad]
        return self._unpadded(good, names) if self._is_padded else _table(good, names)

    def _unpadded(self, lists: dict[str, _Lists], names: list[str]) -> pa.Table:
        is_real = lists.pop("attention_mask").flat != 0
        is_wrong = ~is_real & (lists["labels"].flat != IGNORE_INDEX)
        is_bad = self._failed(names, lists["labels"].filtered(is_wrong).lengths > 0, "trains its padding")
        table = _table({name: each.filtered(is_real) for name, each in lists.items()}, names)
        return table.filter(pa.array(~is_bad))

    def _packed(self, batch: pa.Table, lists: dict[str, _Lists], names: list[str]) -> pa.Table:
        of_records = lists["seq_lengths"]
        if "position_ids" not in lists:  # collators compute them
            lists["position_ids"] = _counted(of_records, lists["input_ids"])
        if self._names is None:
            repeated = np.repeat(np.array(names, object), of_records.lengths)
            ids = pa.ListArray.from_arrays(of_records.starts, pa.array(repeated, pa.string()))
        else:
            ids = batch["ids"].combine_chunks().cast(pa.list_(pa.string()))
        return pa.table({"ids": ids, **{name: each.to_arrow() for name, each in lists.items()}})

    def _failed(self, names: list[str], is_bad: BoolArray, fault: str) -> BoolArray:
        for number in np.flatnonzero(is_bad):
            self._fail(names[number], fault)
        return is_bad


@dataclass(frozen=True)
class _Lists:
    """A column of N lists of numbers."""

    flat: IntArray
    lengths: IntArray
    has_null: BoolArray
    """N: whether a number is null; a list that is null counts as empty."""

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> _Lists:
        whole = column.combine_chunks()
        lengths = pc.list_value_length(whole).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        values = whole.flatten()
        rows = np.repeat(np.arange(len(lengths)), lengths)
        has_null = np.zeros(len(lengths), np.bool_)
        if values.null_count:
            has_null[rows[values.is_null().to_numpy(zero_copy_only=False)]] = True
        flat = values.cast(pa.int64(), safe=False).fill_null(0).to_numpy(zero_copy_only=False)
        return cls(flat, lengths, has_null)

    @property
    def starts(self) -> IntArray:
        """N + 1: where each list begins, and the end."""
        return np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int32)

    def filtered(self, is_kept: BoolArray) -> _Lists:
        """With these numbers alone."""
        rows = np.repeat(np.arange(len(self.lengths)), self.lengths)[is_kept]
        return _Lists(self.flat[is_kept], np.bincount(rows, minlength=len(self.lengths)), self.has_null)

    def without(self, is_bad: BoolArray) -> _Lists:
        """Without these lists."""
        return _Lists(self.flat[np.repeat(~is_bad, self.lengths)], self.lengths[~is_bad], self.has_null[~is_bad])

    def to_arrow(self) -> pa.ListArray:
        return pa.ListArray.from_arrays(self.starts, pa.array(self.flat))


def _counted(seq_lengths: _Lists, ids: _Lists) -> _Lists:
    """The positions that tokens of packed records have; in rows whose lengths do not fit, which fail for it, zeros."""
    ends = seq_lengths.starts.tolist()
    positions = []
    for start, end, num_ids in zip(ends, ends[1:], ids.lengths.tolist(), strict=False):
        of_row = seq_lengths.flat[start:end]
        fits = of_row.sum() == num_ids and of_row.min(initial=1) > 0
        positions.append(
            np.concatenate([np.arange(0), *map(np.arange, of_row)]) if fits else np.zeros(num_ids, np.int64)
        )
    return _Lists(np.concatenate([np.arange(0), *positions]), ids.lengths, ids.has_null)


def _table(lists: Mapping[str, _Lists], names: list[str]) -> pa.Table:
    arrays = {name: lists[name].to_arrow() for name in ("input_ids", "labels")}
    lengths = pa.array(lists["input_ids"].lengths.astype(np.int32))
    return pa.table({"id": pa.array(names, pa.string()), **arrays, "length": lengths})


def _has_numbers(schema: pa.Schema, name: str) -> bool:
    """Whether a column is one of lists of whole numbers."""
    if name not in schema.names:
        return False
    kind = schema.field(name).type
    return any(is_list(kind) for is_list in _LISTS) and pa.types.is_integer(kind.value_type)
