"""Token rows of any length in, one padded batch out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch

from collators.errors import TokenizationError
from collators.turns import IGNORE_INDEX

_FILLED = ("input_ids", "attention_mask", "labels")
"""The columns of a batch; others are left out."""

# Suffixes: B rows, T tokens. A Ragged column is its flat values and B lengths.
Ragged = tuple[np.ndarray[Any, Any], np.ndarray[Any, np.dtype[np.int64]]]


class PaddingCollator:
    """Pads token rows to one length and stacks them, as `Trainer`'s `data_collator` or a `DataLoader`'s `collate_fn`.

    Takes rows as dicts (of lists, NumPy arrays, tensors or Arrow scalars), or a batch as an Arrow table or record batch
    or as a dict of columns. Gives `input_ids` (padded with the pad token), `attention_mask` (0 on padding) and, if the
    rows have them, `labels` (-100 on padding): int64 tensors, B × T. Other columns (`id`, `length`) are left out; an
    `attention_mask` is kept.

    Args:
        pad_to_multiple_of: tokens; T is rounded up to a multiple, which tensor cores like; 1 or None turns it off.
        padding_side: "right" for training, "left" for generation.
        max_length: tokens; T is made from this, for hardware that wants one shape; None takes the longest row.

    >>> from types import SimpleNamespace
    >>> collate = PaddingCollator(SimpleNamespace(pad_token_id=0), pad_to_multiple_of=4)
    >>> batch = collate([{"input_ids": [5, 6, 7], "labels": [-100, 6, 7]}, {"input_ids": [8], "labels": [8]}])
    >>> batch["input_ids"]
    tensor([[5, 6, 7, 0],
            [8, 0, 0, 0]])
    >>> batch["labels"]
    tensor([[-100,    6,    7, -100],
            [   8, -100, -100, -100]])
    >>> batch["attention_mask"]
    tensor([[1, 1, 1, 0],
            [1, 0, 0, 0]])
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        pad_to_multiple_of: int | None = 8,
        padding_side: Literal["right", "left"] = "right",
        max_length: int | None = None,
    ) -> None:
        if padding_side not in ("right", "left"):
            raise TokenizationError(f"padding_side={padding_side!r}: expected 'right' or 'left'")
        pad_to_multiple_of = 1 if pad_to_multiple_of is None else pad_to_multiple_of
        if pad_to_multiple_of < 1:
            raise TokenizationError(f"pad_to_multiple_of={pad_to_multiple_of}: expected 1 (no rounding) or more")
        self.pad_token_id = _pad_token_id(tokenizer)
        self.pad_to_multiple_of = pad_to_multiple_of
        self.padding_side = padding_side
        self.max_length = max_length

    def __call__(self, rows: Sequence[Mapping[str, Any]] | Mapping[str, Any] | pa.Table) -> dict[str, torch.Tensor]:
        """One batch.

        Raises:
            TokenizationError: no rows, no `input_ids`, values that are no flat lists of ids, columns of unequal length,
                or a row longer than `max_length`.
        """
        columns = _columns(rows)
        if "input_ids" not in columns:
            raise TokenizationError(f"rows have the columns {', '.join(columns) or '(none)'}; expected input_ids")
        names = ["input_ids", *(name for name in _FILLED[1:] if name in columns)]
        ragged = {name: _ragged(name, columns[name]) for name in names}
        lengths = ragged["input_ids"][1]
        for name, (_, others) in ragged.items():
            if not np.array_equal(others, lengths):
                row = int(np.flatnonzero(others != lengths)[0]) if len(others) == len(lengths) else len(others)
                raise TokenizationError(f"row {row} of the batch: {name} and input_ids differ in length")
        ids, _ = ragged["input_ids"]
        ragged.setdefault("attention_mask", (np.ones(len(ids), np.int64), lengths))
        fills = {"input_ids": self.pad_token_id, "attention_mask": 0, "labels": IGNORE_INDEX}
        is_token_BT = self._layout(lengths)
        batch = {}
        for name, (values, _) in ragged.items():
            padded_BT = np.full(is_token_BT.shape, fills[name], np.int64)
            padded_BT[is_token_BT] = values
            batch[name] = torch.from_numpy(padded_BT)
        return batch

    def _layout(self, lengths: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """B × T: where tokens stand."""
        longest = int(lengths.max())
        if self.max_length is not None and longest > self.max_length:
            raise TokenizationError(
                f"row {int(lengths.argmax())} of the batch: {longest} tokens, longer than "
                f"max_length={self.max_length}; tokenize with this max_length"
            )
        width = -(-(self.max_length or longest) // self.pad_to_multiple_of) * self.pad_to_multiple_of
        places = np.arange(width)
        if self.padding_side == "left":
            return places >= width - lengths[:, None]
        return places < lengths[:, None]


def _pad_token_id(tokenizer: Any) -> int:
    """Any token will do, as no mask lets it through: pad, else unk, else eos."""
    for name in ("pad_token_id", "unk_token_id", "eos_token_id"):
        found = getattr(tokenizer, name, None)
        if found is not None:
            return int(found)
    raise TokenizationError(f"{type(tokenizer).__name__} has no pad, unk or eos token; set tokenizer.pad_token")


def _columns(rows: Any) -> dict[str, Any]:
    if isinstance(rows, pa.Table | pa.RecordBatch):
        columns = {name: rows[name] for name in rows.column_names}
    elif isinstance(rows, Mapping):
        columns = dict(rows)
    else:
        rows = list(rows)
        for place, row in enumerate(rows):
            if not isinstance(row, Mapping):
                raise TokenizationError(f"row {place} of the batch: {type(row).__name__}; expected a dict of columns")
        for name in _FILLED:
            if 0 < sum(name in row for row in rows) < len(rows):
                raise TokenizationError(f"some rows of the batch have the column {name!r}, some have not")
        columns = {name: [row.get(name) for row in rows] for name in (rows[0] if rows else ()) if name != "id"}
    if not len(next(iter(columns.values()), ())):
        raise TokenizationError("an empty batch; the collator needs one row or more")
    return columns


def _ragged(name: str, column: Any) -> Ragged:
    """Flat values and lengths of a column of id lists.

    Raises:
        TokenizationError: something in it is no list of whole numbers.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.Array) and pa.types.is_integer(getattr(column.type, "value_type", pa.null())):
        values = column.flatten()
        if not column.null_count and not values.null_count:
            lengths = pa.compute.list_value_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
            return values.to_numpy(zero_copy_only=False), lengths
    if column is None:
        raise TokenizationError(f"the column {name!r} is None; leave it out or give it a list for each row")
    arrays = [_ids_of(name, place, row) for place, row in enumerate(column)]
    lengths = np.fromiter(map(len, arrays), np.int64, len(arrays))
    return np.concatenate(arrays), lengths


def _ids_of(name: str, place: int, row: Any) -> np.ndarray[Any, Any]:
    ids = np.asarray(row.values if isinstance(row, pa.ListScalar | pa.LargeListScalar) else row)
    if not ids.size and ids.ndim == 1:
        return ids.astype(np.int64)  # NumPy takes an empty list for floats.
    if ids.ndim != 1 or ids.dtype.kind not in "iub":
        found = f"of shape {ids.shape}" if ids.ndim > 1 else repr(row)[:60]
        raise TokenizationError(f"row {place} of the batch: {name} is {found}; expected a flat list of whole numbers")
    return ids
