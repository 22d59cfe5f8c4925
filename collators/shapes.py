"""Turns in, groups of rows that have the same shape out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow.compute as pc

from collators.structured_messages import REASONING
from collators.turns import ASSISTANT, LOSS_UNSET, TEXT, Conversation, Turns

LossMode = Literal["assistant", "last", "all"]


@dataclass(frozen=True)
class Turn:
    """One message of a shape."""

    role: int
    trained: bool
    empty: bool
    """Whether it holds nothing at all: no text, no call, no reasoning."""


Shape = tuple[Turn, ...]
"""Who speaks, in which order, which turns are trained and which are empty: all that a format's frame depends on."""


def group_by_shape(turns: Turns, loss: LossMode) -> Iterator[tuple[Shape, np.ndarray[Any, np.dtype[np.int64]]]]:
    """Each shape among the plain rows, with the rows that have it, in order."""
    empty = pc.equal(pc.binary_length(turns.contents), 0).to_numpy(zero_copy_only=False)
    codes = (turns.roles * 4 + trained_turns(turns, loss) * 2 + empty).astype(np.uint8)
    num_messages = np.diff(turns.starts)
    num_messages[list(turns.structured)] = -1
    for length in np.unique(num_messages[num_messages >= 0]):
        rows = np.flatnonzero(num_messages == length)
        places = turns.starts[rows][:, None] + np.arange(length)
        if not length:
            yield (), rows
            continue
        kinds, kind_of_row = np.unique(codes[places], axis=0, return_inverse=True)
        for kind, shape_codes in enumerate(kinds):
            shape = tuple(Turn(code // 4, bool(code & 2), bool(code & 1)) for code in shape_codes.tolist())
            yield shape, rows[kind_of_row.ravel() == kind]


def shape_of_conversation(conversation: Conversation, loss: LossMode) -> Shape:
    """The shape of a row that is more than plain texts."""
    roles = conversation.roles
    last = max((place for place, role in enumerate(roles) if role == ASSISTANT), default=-1)
    shape = []
    for place, (role, own, message) in enumerate(zip(roles, conversation.loss, conversation.messages, strict=True)):
        chosen = loss != "last" or place == last
        trained = role == ASSISTANT and (chosen if own == LOSS_UNSET else own == 1)
        holds = bool(message["content"].strip() or message.get("tool_calls") or any(map(message.get, REASONING)))
        shape.append(Turn(role, trained, empty=not holds))
    return tuple(shape)


def trained_turns(turns: Turns, loss: LossMode) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Per flat message, whether the model must produce it: by `loss`, unless an assistant message says so itself."""
    is_assistant = turns.roles == ASSISTANT
    chosen = is_assistant.copy()
    if loss == "last":
        places = np.flatnonzero(is_assistant)
        row_of = np.searchsorted(turns.starts, places, side="right")
        chosen[places[:-1][row_of[:-1] == row_of[1:]]] = False
    chosen = np.where(turns.loss == LOSS_UNSET, chosen, turns.loss == 1)
    return (chosen & is_assistant) | (turns.roles == TEXT)  # type: ignore[no-any-return]
