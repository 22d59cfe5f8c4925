"""Token rows of any length in, one padded batch out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch

from collators.errors import TokenizationError
from collators.padded import checked_multiple, pad_token_id, padded, token_places
from collators.ragged import RaggedRows, are_packed, check_same_lengths, columns_of, ragged
from collators.turns import IGNORE_INDEX

_FILLED = ("input_ids", "attention_mask", "labels")
"""The columns of a batch; others are left out."""

_PACKED = ("seq_lengths", "position_ids")
"""Columns that tell packed rows."""


class PaddingCollator:
    """Pads token rows to one length and stacks them, as `Trainer`'s `data_collator` or a `DataLoader`'s `collate_fn`.

    Takes rows as dicts (of lists, NumPy arrays, tensors or Arrow scalars), or a batch as an Arrow table or record
    batch, as a dict of columns, or as `FlatRows` gives it, by far the fastest. Gives `input_ids` (padded with the pad
    token), `attention_mask` (0 on padding) and, if the rows have them, `labels` (-100 on padding): int64 tensors,
    B × T. Other columns (`id`, `length`) are left out; an `attention_mask` is kept. Packed rows are an error, as their
    records would see each other: they need `PackingCollator`.

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
        self.pad_token_id = pad_token_id(tokenizer)
        self.pad_to_multiple_of = checked_multiple(pad_to_multiple_of)
        self.padding_side = padding_side
        self.max_length = max_length

    def __call__(
        self, rows: Iterable[Mapping[str, Any]] | Mapping[str, Any] | pa.Table | RaggedRows
    ) -> dict[str, torch.Tensor]:
        """One batch.

        Raises:
            TokenizationError: no rows, no `input_ids`, values that are no flat lists of ids, columns of unequal length,
                a row longer than `max_length`, or packed rows.
        """
        given = columns_of(rows, (*_FILLED, *_PACKED))
        if are_packed(given):
            told_by = "have seq_lengths" if "seq_lengths" in given else "have position_ids that restart"
            raise TokenizationError(
                f"rows of the batch {told_by}: they are packed, and padded like this their records would see each "
                "other; use PackingCollator"
            )
        columns = {name: ragged(name, given[name]) for name in _FILLED if name in given}
        check_same_lengths(columns)
        is_token_BT = token_places(
            columns["input_ids"].lengths,
            pad_to_multiple_of=self.pad_to_multiple_of,
            max_length=self.max_length,
            padding_side=self.padding_side,
        )
        fills = {"input_ids": self.pad_token_id, "attention_mask": 0, "labels": IGNORE_INDEX}
        batch = {}
        for name, fill in fills.items():
            if name in columns:
                batch[name] = padded(columns[name], is_token_BT, fill)
            elif name == "attention_mask":
                batch[name] = torch.from_numpy(is_token_BT.astype(np.int64))
        return batch
