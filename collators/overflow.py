"""Rows longer than the model's window in; which of their tokens stay, and why a row is set aside, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from collators.encoding import IntArray
from collators.shapes import Shape
from collators.token_runs import BoolArray, Run, Runs
from collators.turns import ASSISTANT, SYSTEM

Overflow = Literal["drop", "truncate", "truncate_prompt", "truncate_turns", "error"]

TOO_LONG = "too_long"
"""Longer than `max_length`, and the policy is to drop."""
ANSWER_TOO_LONG = "answer_too_long"
"""Longer than `max_length` even without a token of untrained text."""
ANSWER_CUT_OFF = "answer_cut_off"
"""Its first trained token comes after `max_length`."""
NOTHING_TO_TRAIN = "nothing_to_train"
"""Whole, it has no trained token."""

Reasons = np.ndarray[Any, np.dtype[np.object_]]
"""Per row, why it is set aside; `KEPT` if it is not."""
KEPT = ""


def limit(runs: Runs, shape: Shape, max_length: int, overflow: Overflow) -> tuple[IntArray, Reasons]:
    """How many tokens of each run each row keeps, from the run's beginning; and why rows are set aside.

    With `"error"` and `"truncate_turns"`, rows too long are set aside as by `"drop"`; the rest is the caller's.
    """
    counts = runs.counts
    reasons: Reasons = np.full(len(counts), KEPT, object)
    is_long = counts.sum(axis=1) > max_length
    kept = counts
    if overflow == "truncate":
        kept = np.diff(np.minimum(np.cumsum(counts, axis=1), max_length), axis=1, prepend=0)
        reasons[is_long & (num_predicted(kept, runs.trained) == 0)] = ANSWER_CUT_OFF
    elif overflow == "truncate_prompt":
        kept = _shorten_texts(counts, _cutting_order(runs.kinds, shape), max_length)
        reasons[kept.sum(axis=1) > max_length] = ANSWER_TOO_LONG
    else:
        reasons[is_long] = TOO_LONG
    # First things first: a row that trains nothing would not be saved by a longer window.
    reasons[num_predicted(counts, runs.trained) == 0] = NOTHING_TO_TRAIN
    return np.where((reasons == KEPT)[:, None], kept, 0), reasons


def num_predicted(counts: IntArray, trained: BoolArray) -> IntArray:
    """Trained tokens per row that a model can be asked for: the first of a row is given, never predicted.

    >>> num_predicted(np.array([[2, 3], [0, 1]]), np.array([False, True])).tolist()
    [3, 0]
    """
    first_run = (counts > 0).argmax(axis=1)
    given = trained[first_run] & (counts.sum(axis=1) > 0)
    predicted: IntArray = np.asarray(counts @ trained.astype(np.int64) - given, np.int64)
    return predicted


def num_turns_cut(is_cut: BoolArray, kinds: Sequence[Run]) -> IntArray:
    """Turns per row that lost tokens, given which runs (N × R) did.

    >>> kinds = (Run(False, turn=0), Run(True, turn=1), Run(True, turn=1))
    >>> num_turns_cut(np.array([[False, True, True]]), kinds).tolist()
    [1]
    """
    turns = sorted({kind.turn for kind in kinds if kind.turn is not None})
    members = np.array([[kind.turn == turn for kind in kinds] for turn in turns], np.bool_).reshape(-1, len(kinds))
    return (is_cut[:, None, :] & members).any(axis=2).sum(axis=1)  # type: ignore[no-any-return]


def _cutting_order(kinds: Sequence[Run], shape: Shape) -> list[int]:
    """Runs that may be cut: questions, oldest first, then answers that are not trained, the system text last."""
    texts = [place for place, kind in enumerate(kinds) if kind.turn is not None and not kind.trained]

    def rank(place: int) -> tuple[bool, bool, int]:
        turn = kinds[place].turn
        assert turn is not None
        role = shape[turn].role
        return role == SYSTEM, role == ASSISTANT, turn

    return sorted(texts, key=rank)


def _shorten_texts(counts: IntArray, order: Sequence[int], max_length: int) -> IntArray:
    kept: IntArray = counts.copy()
    excess = np.maximum(counts.sum(axis=1) - max_length, 0)
    for run in order:
        cut = np.minimum(kept[:, run], excess)
        kept[:, run] -= cut
        excess -= cut
    return kept
