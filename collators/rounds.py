"""Rows too long in, the same rows without their oldest rounds out, as few as will do.

A round is a user message and all up to the next one. System messages and tools stay, and so does the last round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from collators.labelled import Labelled, in_order
from collators.overflow import KEPT, TOO_LONG
from collators.turns import Conversation, Turns, gather


def without_oldest(conversation: Conversation, num_rounds: int) -> Conversation:
    """The conversation from round `num_rounds` on, which must be there."""
    first = _starts(conversation)[num_rounds]
    stays = [place >= first or message["role"] == "system" for place, message in enumerate(conversation.messages)]
    return Conversation(
        tuple(message for message, kept in zip(conversation.messages, stays, strict=True) if kept),
        tuple(loss for loss, kept in zip(conversation.loss, stays, strict=True) if kept),
        conversation.tools,
    )


def _starts(conversation: Conversation) -> list[int]:
    return [place for place, message in enumerate(conversation.messages) if message["role"] == "user"]


def shorten(turns: Turns, labelled: Labelled, label: Callable[[Turns], Labelled]) -> Labelled:
    """`labelled` with rows too long labelled once more, one round shorter each time.

    A row that is too long even with its last round alone, or trains nothing then, stays set aside.
    """
    pending = {int(row): turns.conversation(int(row)) for row in np.flatnonzero(labelled.set_aside == TOO_LONG)}
    done, is_done, num_dropped = [], np.zeros(len(turns), np.bool_), 1
    while pending := {row: whole for row, whole in pending.items() if len(_starts(whole)) > num_dropped}:
        rows = np.array(list(pending), np.int64)
        rest = [without_oldest(whole, num_dropped) for whole in pending.values()]
        again = label(gather(rest))
        fits = again.set_aside == KEPT
        num_messages = [
            len(whole.messages) - len(left.messages) for whole, left in zip(pending.values(), rest, strict=True)
        ]
        done.append(
            replace(
                again.without(~fits),
                rows=rows[fits],
                cut=(labelled.length[rows] - again.length)[fits],
                cut_trained=(labelled.trained[rows] - again.trained)[fits],
                cut_turns=np.array(num_messages)[fits],
            )
        )
        is_done[rows[fits]] = True
        pending = {row: pending[row] for row in rows[again.set_aside == TOO_LONG].tolist()}
        num_dropped += 1
    return in_order([labelled.without(is_done), *done], len(turns)) if done else labelled
