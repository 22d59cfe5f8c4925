"""Flat columns of lists in, tensors of one width out."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch

from collators.errors import TokenizationError
from collators.ragged import Ragged

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


def token_places(
    lengths: np.ndarray[Any, np.dtype[np.int64]],
    *,
    pad_to_multiple_of: int = 1,
    max_length: int | None = None,
    padding_side: Literal["right", "left"] = "right",
) -> BoolArray:
    """B × T: where tokens stand in a batch of rows of these lengths.

    Args:
        max_length: tokens; T is made from this, else from the longest row; both ways rounded up to the multiple.

    Raises:
        TokenizationError: a row is longer than `max_length`.

    >>> token_places(np.array([2, 1]), pad_to_multiple_of=4).astype(int)
    array([[1, 1, 0, 0],
           [1, 0, 0, 0]])
    """
    longest = int(lengths.max())
    if max_length is not None and longest > max_length:
        raise TokenizationError(
            f"row {int(lengths.argmax())} of the batch: {longest} tokens, longer than max_length={max_length}; "
            "tokenize with this max_length"
        )
    width = -(-(max_length or longest) // pad_to_multiple_of) * pad_to_multiple_of
    places = np.arange(width)
    if padding_side == "left":
        return places >= width - lengths[:, None]
    return places < lengths[:, None]


def padded(column: Ragged, is_token_BT: BoolArray, fill: int) -> torch.Tensor:
    """B × T, int64: the values where tokens stand, `fill` elsewhere."""
    padded_BT = np.full(is_token_BT.shape, fill, np.int64)
    padded_BT[is_token_BT] = column.values
    return torch.from_numpy(padded_BT)


def checked_multiple(pad_to_multiple_of: int | None) -> int:
    """1 for None. Raises `TokenizationError` where it is less."""
    multiple = 1 if pad_to_multiple_of is None else pad_to_multiple_of
    if multiple < 1:
        raise TokenizationError(f"pad_to_multiple_of={pad_to_multiple_of}: expected 1 (no rounding) or more")
    return multiple


def pad_token_id(tokenizer: Any) -> int:
    """Any token will do, as no mask lets it through: pad, else unk, else eos."""
    for name in ("pad_token_id", "unk_token_id", "eos_token_id"):
        found = getattr(tokenizer, name, None)
        if found is not None:
            return int(found)
    raise TokenizationError(f"{type(tokenizer).__name__} has no pad, unk or eos token; set tokenizer.pad_token")
