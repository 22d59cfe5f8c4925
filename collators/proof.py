"""Encoded rows in; an error where they are not what the tokenizer makes of the same conversations as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from collators.controls import GuardedBackend
from collators.errors import TokenizationError
from collators.skeletons import Skeleton
from collators.token_runs import Runs

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_NUM_ROWS = 3


def prove(
    runs: Runs,
    skeleton: Skeleton,
    rendered: Callable[[int], str],
    *,
    reference: Tokenizer,
    guarded: GuardedBackend,
) -> bool:
    """Compare a few rows of a shape, spread over the batch, with their `rendered` texts encoded whole.

    Returns whether any could be compared: one with a control token in its text cannot.

    Raises:
        TokenizationError: a row has other ids.
    """
    starts = np.concatenate([[0], np.cumsum(runs.counts.sum(axis=1))])
    num_compared = 0
    num_rows = len(runs.counts)
    for place in np.unique(np.linspace(0, num_rows - 1, _NUM_ROWS, dtype=int)).tolist() if num_rows else ():
        text = rendered(place)
        if len(guarded.find(text)) != len(skeleton.controls):
            continue  # The reference would take it for a real one.
        expected = reference.encode(text, add_special_tokens=False).ids
        if expected != runs.ids[starts[place] : starts[place + 1]].tolist():
            raise TokenizationError(
                f"the chat template gives other ids for {text[:80]!r}… than its own parts; "
                "it cannot be masked safely: choose another template, and please report this one"
            )
        num_compared += 1
    return num_compared > 0
