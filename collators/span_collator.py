"""Windows of a text, or rows of a pair, in; one padded batch for an encoder out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from collators.errors import TokenizationError
from collators.padded import checked_multiple, pad_token_id, padded, token_places
from collators.ragged import RaggedRows, check_same_lengths, columns_of, ragged

_LISTS = ("input_ids", "attention_mask", "token_type_ids")
_NUMBERS = ("start_positions", "end_positions", "labels")
"""One number a row."""


class SpanCollator:
    """Pads what `TokenizeSpans` or `TokenizePair` made: `Trainer`'s `data_collator`, a `DataLoader`'s `collate_fn`.

    Takes rows as dicts, or a batch as an Arrow table or a dict of columns. Gives `input_ids` (padded with the pad
    token), `attention_mask` (0 on padding) and, if the rows have them, `token_type_ids`: int64, B × T; and
    `start_positions`, `end_positions` or `labels`, B numbers. Padding is on the right, so positions hold. Other columns
    are left out.

    Args:
        pad_to_multiple_of: tokens; T is rounded up to a multiple, which tensor cores like; 1 or None turns it off.
        max_length: tokens; T is made from this, for hardware that wants one shape; None takes the longest row.

    >>> from types import SimpleNamespace
    >>> collate = SpanCollator(SimpleNamespace(pad_token_id=0), pad_to_multiple_of=4)
    >>> rows = [{"input_ids": [5, 6, 7], "start_positions": 1, "end_positions": 2}]
    >>> collate([*rows, {"input_ids": [8], "start_positions": 0, "end_positions": 0}])
    {'input_ids': tensor([[5, 6, 7, 0],
            [8, 0, 0, 0]]), 'attention_mask': tensor([[1, 1, 1, 0],
            [1, 0, 0, 0]]), 'start_positions': tensor([1, 0]), 'end_positions': tensor([2, 0])}
    """

    def __init__(self, tokenizer: Any, *, pad_to_multiple_of: int | None = 8, max_length: int | None = None) -> None:
        self.pad_token_id = pad_token_id(tokenizer)
        self.pad_token_type_id = int(getattr(tokenizer, "pad_token_type_id", 0) or 0)
        self.pad_to_multiple_of = checked_multiple(pad_to_multiple_of)
        self.max_length = max_length

    def __call__(
        self, rows: Iterable[Mapping[str, Any]] | Mapping[str, Any] | pa.Table | RaggedRows
    ) -> dict[str, torch.Tensor]:
        """One batch.

        Raises:
            TokenizationError: no rows, no `input_ids`, lists of unequal length, a row longer than `max_length`, or
                token rows with a label for each token, which need `PaddingCollator`.
        """
        given = columns_of(rows, (*_LISTS, *_NUMBERS))
        columns = {name: ragged(name, given[name]) for name in _LISTS if name in given}
        check_same_lengths(columns)
        lengths = columns["input_ids"].lengths
        is_token_BT = token_places(lengths, pad_to_multiple_of=self.pad_to_multiple_of, max_length=self.max_length)
        fills = {"input_ids": self.pad_token_id, "attention_mask": 0, "token_type_ids": self.pad_token_type_id}
        batch = {name: padded(column, is_token_BT, fills[name]) for name, column in columns.items()}
        if "attention_mask" not in batch:
            batch["attention_mask"] = torch.from_numpy(is_token_BT.astype(np.int64))
        for name in _NUMBERS:
            if name in given:
                batch[name] = _numbers(name, given[name], len(lengths))
        return batch


def _numbers(name: str, column: Any, num_rows: int) -> torch.Tensor:
    """B numbers: int64, or float32 where they are none of whole."""
    values = column.to_pylist() if isinstance(column, pa.Array | pa.ChunkedArray) else column
    values = [value.as_py() if isinstance(value, pa.Scalar) else value for value in ([] if values is None else values)]
    try:
        numbers = np.asarray([np.asarray(value) for value in values])
    except ValueError:  # lists that differ in length
        numbers = np.empty((num_rows, 0))
    if numbers.shape != (num_rows,) or numbers.dtype.kind not in "iubf":
        raise TokenizationError(
            f"{name}: expected one number a row, as TokenizeSpans and TokenizePair give; rows with a label for each "
            "token need PaddingCollator"
        )
    return torch.from_numpy(numbers.astype(np.float32 if numbers.dtype.kind == "f" else np.int64))
