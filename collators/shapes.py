"""Turns in, groups of rows that have the same shape out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow.compute as pc

from collators.columns import ASSISTANT, LOSS_UNSET, TEXT, Turns

LossMode = Literal["assistant", "last", "all"]


@dataclass(frozen=True)
class Turn:
    """One message of a shape."""

    role: int
    trained: bool
    empty: bool


Shape = tuple[Turn, ...]
"""Who speaks, in which order, which turns are trained and which are empty: all that a format's frame depends on."""


def group_by_shape(turns: Turns, loss: LossMode) -> Iterator[tuple[Shape, np.ndarray[Any, np.dtype[np.int64]]]]:
    """Each shape among the rows, with the rows that have it, in order."""
    empty = pc.equal(pc.binary_length(turns.contents), 0).to_numpy(zero_copy_only=False)
    codes = (turns.roles * 4 + trained_turns(turns, loss) * 2 + empty).astype(np.uint8)
    num_messages = np.diff(turns.starts)
    for length in np.unique(num_messages):
        rows = np.flatnonzero(num_messages == length)
        places = turns.starts[rows][:, None] + np.arange(length)
        if not length:
            yield (), rows
            continue
        kinds, kind_of_row = np.unique(codes[places], axis=0, return_inverse=True)
        for kind, shape_codes in enumerate(kinds):
            shape = tuple(Turn(code // 4, bool(code & 2), bool(code & 1)) for code in shape_codes.tolist())
            yield shape, rows[kind_of_row.ravel() == kind]


def trained_turns(turns: Turns, loss: LossMode) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Per message, whether the model must produce it: by `loss`, unless an assistant message says otherwise itself."""
    is_assistant = turns.roles == ASSISTANT
    chosen = is_assistant.copy()
    if loss == "last":
        places = np.flatnonzero(is_assistant)
        row_of = np.searchsorted(turns.starts, places, side="right")
        chosen[places[:-1][row_of[:-1] == row_of[1:]]] = False
    chosen = np.where(turns.loss == LOSS_UNSET, chosen, turns.loss == 1)
    return (chosen & is_assistant) | (turns.roles == TEXT)  # type: ignore[no-any-return]
