"""Packed rows in, one batch out in which no token sees another record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from collators.errors import TokenizationError
from collators.padding_collator import PaddingCollator
from collators.ragged import Ragged, RaggedRows, check_same_lengths, columns_of, ragged
from collators.turns import IGNORE_INDEX

IntArray = np.ndarray[Any, np.dtype[np.int64]]

# Suffixes: B rows, T tokens, N tokens of all rows one after another, R records of all rows.


class PackingCollator:
    """Batches packed rows (`collators.pack`) as `Trainer`'s `data_collator` or a `DataLoader`'s `collate_fn`.

    Where records begin is read from `seq_lengths`, else from `position_ids` that restart at 0; rows with neither are
    one record each. Rows come in every form `PaddingCollator` takes. The first token of a record is never trained: it
    would be predicted from the record before. What keeps the records apart depends on `attention`, the model's own
    (`model.config._attn_implementation`):

    - `"sdpa"` and `"eager"`: `input_ids`, `labels` and `position_ids`, B × T of int64, and `attention_mask`,
      B × 1 × T × T: true where a token sees another (`"sdpa"`), or what is added to the scores, 0 there and float32's
      minimum elsewhere (`"eager"`). A token sees itself and those before it in its record; one of padding sees itself.
    - `"flash_attention_2"` or another with `flash` in its name: all rows as one, 1 × N, without padding and without a
      mask; `cu_seq_lens_q` and `cu_seq_lens_k` (int32, R + 1) say where records begin and end, `max_length_q` and
      `max_length_k` how long the longest is.

    A model whose layers look back over a window only (Mistral's first, Gemma's) takes a ready mask instead of its own
    window: if records are longer than the window, use flash attention.

    Args:
        max_length: tokens; T is made from this; None takes the longest row. Flash attention needs neither this nor
            `pad_to_multiple_of`, to which T is rounded up (1 or None: not at all).

    >>> from types import SimpleNamespace
    >>> collate = PackingCollator(SimpleNamespace(pad_token_id=0), pad_to_multiple_of=4)
    >>> batch = collate([{"input_ids": [5, 6, 7], "labels": [5, 6, 7], "seq_lengths": [2, 1]}])
    >>> batch["labels"], batch["position_ids"]
    (tensor([[-100,    6, -100, -100]]), tensor([[0, 1, 0, 0]]))
    >>> batch["attention_mask"].int()
    tensor([[[[1, 0, 0, 0],
              [1, 1, 0, 0],
              [0, 0, 1, 0],
              [0, 0, 0, 1]]]], dtype=torch.int32)
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        attention: str = "sdpa",
        max_length: int | None = None,
        pad_to_multiple_of: int | None = 8,
    ) -> None:
        # As transformers tells them: versions and kernels of flash attention share this word, and their arguments.
        self.is_flat = "flash" in str(attention)
        if not self.is_flat:
            if attention not in ("sdpa", "eager"):
                raise TokenizationError(
                    f"attention={attention!r}: expected 'sdpa', 'eager' or 'flash_attention_2', the one the model is "
                    "loaded with (attn_implementation=)"
                )
            self._pad = PaddingCollator(tokenizer, max_length=max_length, pad_to_multiple_of=pad_to_multiple_of)
        self.attention = attention

    def __call__(
        self, rows: Iterable[Mapping[str, Any]] | Mapping[str, Any] | pa.Table | RaggedRows
    ) -> dict[str, torch.Tensor | int]:
        """One batch.

        Raises:
            TokenizationError: as `PaddingCollator` does, or a row without tokens, or one whose records are not told
                apart: `seq_lengths` that are not the lengths of its records, `position_ids` that do not count them.
        """
        names = ("input_ids", "labels", "position_ids", "seq_lengths")
        columns = {name: ragged(name, column) for name, column in columns_of(rows, names).items()}
        seq_lengths = columns.pop("seq_lengths", None)
        check_same_lengths(columns)
        given = columns.pop("position_ids", None)
        lengths_R = _record_lengths(columns["input_ids"].lengths, seq_lengths, given)
        starts_R = np.cumsum(lengths_R) - lengths_R
        positions_N = np.arange(len(columns["input_ids"].values)) - np.repeat(starts_R, lengths_R)
        if given is not None:
            _check_positions(given, positions_N)
        if "labels" in columns:
            labels_N = columns["labels"].values.astype(np.int64)
            labels_N[starts_R] = IGNORE_INDEX
            columns["labels"] = Ragged(labels_N, columns["labels"].lengths)
        if self.is_flat:
            return _flat_batch(columns, positions_N, lengths_R)
        return self._padded_batch(columns, positions_N, lengths_R)

    def _padded_batch(
        self, columns: Mapping[str, Ragged], positions_N: IntArray, lengths_R: IntArray
    ) -> dict[str, torch.Tensor | int]:
        padded = self._pad(RaggedRows(columns))
        is_token_BT = padded.pop("attention_mask").numpy().astype(np.bool_)
        positions_BT = np.zeros(is_token_BT.shape, np.int64)
        positions_BT[is_token_BT] = positions_N
        mask = _mask_of_records(is_token_BT, lengths_R, is_added=self.attention == "eager")
        return {**padded, "position_ids": torch.from_numpy(positions_BT), "attention_mask": torch.from_numpy(mask)}


def _flat_batch(
    columns: Mapping[str, Ragged], positions_N: IntArray, lengths_R: IntArray
) -> dict[str, torch.Tensor | int]:
    borders = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths_R)]).astype(np.int32))
    longest = int(lengths_R.max())
    flat = {name: column.values for name, column in columns.items()} | {"position_ids": positions_N}
    return {
        **{name: torch.from_numpy(values_N.astype(np.int64)[None]) for name, values_N in flat.items()},
        "cu_seq_lens_q": borders,
        "cu_seq_lens_k": borders,
        "max_length_q": longest,
        "max_length_k": longest,
    }


def _mask_of_records(
    is_token_BT: np.ndarray[Any, np.dtype[np.bool_]], lengths_R: IntArray, *, is_added: bool
) -> np.ndarray[Any, Any]:
    """B × 1 × T × T: which token (third axis) sees which (fourth)."""
    num_rows, width = is_token_BT.shape
    longest = int(lengths_R.max())
    if is_added:
        hidden, seen = np.float32(np.finfo(np.float32).min), np.float32(0)
        mask_BTT = np.full((num_rows, width, width), hidden, np.float32)
        triangle = np.where(np.tri(longest, dtype=np.bool_), seen, hidden)
    else:
        seen = np.bool_(True)
        mask_BTT = np.zeros((num_rows, width, width), np.bool_)
        triangle = np.tri(longest, dtype=np.bool_)
    # A softmax over nothing has no value, and would spoil the gradient of every token.
    row_of, place_of = np.nonzero(~is_token_BT)
    mask_BTT[row_of, place_of, place_of] = seen
    tokens_before_B = np.cumsum(is_token_BT.sum(axis=1)) - is_token_BT.sum(axis=1)
    starts_R = np.cumsum(lengths_R) - lengths_R
    row_of_R = np.searchsorted(tokens_before_B, starts_R, side="right") - 1
    # By record, as to write what is seen is a small part of what comparing all pairs of tokens takes.
    starts_in_row_R = (starts_R - tokens_before_B[row_of_R]).tolist()
    for row, start, length in zip(row_of_R.tolist(), starts_in_row_R, lengths_R.tolist(), strict=True):
        mask_BTT[row, start : start + length, start : start + length] = triangle[:length, :length]
    return mask_BTT[:, None]


def _record_lengths(lengths_B: IntArray, seq_lengths: Ragged | None, position_ids: Ragged | None) -> IntArray:
    """R: tokens of each record, row after row."""
    for row in np.flatnonzero(lengths_B == 0)[:1]:
        raise TokenizationError(f"row {row} of the batch has no token; leave it out")
    if seq_lengths is not None:
        return _checked_seq_lengths(lengths_B, seq_lengths)
    if position_ids is None:
        return lengths_B
    row_starts_B = np.cumsum(lengths_B) - lengths_B
    for row in np.flatnonzero(position_ids.values[row_starts_B] != 0)[:1]:
        raise TokenizationError(
            f"row {row} of the batch: position_ids begin with {position_ids.values[row_starts_B[row]]}; expected them "
            "to count from 0 in each record, as collators.pack writes them"
        )
    starts_R = np.flatnonzero(position_ids.values == 0)
    return np.diff(starts_R, append=len(position_ids.values))


def _checked_seq_lengths(lengths_B: IntArray, seq_lengths: Ragged) -> IntArray:
    if len(seq_lengths.lengths) != len(lengths_B):
        raise TokenizationError(
            f"seq_lengths of {len(seq_lengths.lengths)} rows and input_ids of {len(lengths_B)}; give each row its own"
        )
    lengths_R = seq_lengths.values.astype(np.int64)
    ends_R = np.concatenate([[0], np.cumsum(lengths_R)])
    ends_B = np.cumsum(seq_lengths.lengths)
    sums_B = ends_R[ends_B] - ends_R[ends_B - seq_lengths.lengths]
    row_of_R = np.repeat(np.arange(len(lengths_B)), seq_lengths.lengths)
    is_wrong_B = (sums_B != lengths_B) | (np.bincount(row_of_R[lengths_R < 1], minlength=len(lengths_B)) > 0)
    for row in np.flatnonzero(is_wrong_B)[:1]:
        found = lengths_R[row_of_R == row]
        raise TokenizationError(
            f"row {row} of the batch: seq_lengths {found.tolist()!s:.60} add up to {sums_B[row]}, input_ids has "
            f"{lengths_B[row]} tokens; expected the tokens of each record, 1 or more, as collators.pack writes them"
        )
    return lengths_R


def _check_positions(given: Ragged, positions_N: IntArray) -> None:
    for place in np.flatnonzero(given.values != positions_N)[:1]:
        row = int(np.searchsorted(np.cumsum(given.lengths), place, side="right"))
        token = int(place - given.starts[row])
        raise TokenizationError(
            f"row {row} of the batch: position_ids of token {token} is {given.values[place]}, {positions_N[place]} by "
            "its place in the record; pack the rows with collators.pack, or leave position_ids out"
        )
