"""Runs of tokens and what is kept of them in, ids and labels with their ledger out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from collators.encoding import IdArray, IntArray
from collators.overflow import KEPT, Reasons, num_turns_cut
from collators.token_runs import BoolArray, Runs
from collators.turns import IGNORE_INDEX


@dataclass(frozen=True)
class Labelled:
    """Ids and labels of some rows, end to end; everything else is a value per row."""

    ids: IdArray
    labels: IdArray
    rows: IntArray
    """Which row of the batch."""
    kept: IntArray
    """How many tokens it has in `ids`; none for a row set aside."""
    length: IntArray
    """How many tokens it had before any were cut, if it is set aside; else `kept`."""
    trained: IntArray
    """How many trained tokens it had before any were cut."""
    set_aside: Reasons
    """Why it is not to be trained on; `KEPT` if it is."""
    straddling: IntArray
    """Tokens on both sides of a border between trained and not trained; they are not trained."""
    cut: IntArray
    """How many tokens were cut to fit; none for a row set aside, here and below."""
    cut_trained: IntArray
    """How many of these were trained."""
    cut_turns: IntArray
    """How many messages lost tokens."""
    left_out: IntArray
    """How many texts the template does not write: reasoning of earlier turns, what is said beside a call."""

    def without(self, rows: BoolArray) -> Labelled:
        """The same less some rows that are set aside, and so have no ids."""
        assert not self.kept[rows].any()
        rest = {each.name: getattr(self, each.name)[~rows] for each in fields(self)[2:]}
        return Labelled(self.ids, self.labels, **rest)


def assemble(rows: IntArray, runs: Runs, kept: IntArray, reasons: Reasons, *, num_left_out: int) -> Labelled:
    """Labelled rows of which each run keeps its first `kept` tokens."""
    counts = runs.counts.ravel()
    is_trained = np.repeat(np.tile(runs.trained, len(rows)), counts)
    labels = np.where(is_trained, runs.ids, np.int32(IGNORE_INDEX))
    ids = runs.ids
    if not np.array_equal(kept, runs.counts):
        place_in_run = np.arange(len(ids)) - np.repeat(np.cumsum(counts) - counts, counts)
        stays = place_in_run < np.repeat(kept.ravel(), counts)
        ids, labels = ids[stays], labels[stays]
    is_kept = reasons == KEPT
    lost = np.where(is_kept[:, None], runs.counts - kept, 0)
    return Labelled(
        ids,
        labels,
        rows=rows,
        kept=kept.sum(axis=1),
        length=(runs.counts - lost).sum(axis=1),
        trained=runs.counts @ runs.trained.astype(np.int64),
        set_aside=reasons,
        straddling=kept @ np.array([kind.straddles for kind in runs.kinds], np.int64),
        cut=lost.sum(axis=1),
        cut_trained=lost @ runs.trained.astype(np.int64),
        cut_turns=num_turns_cut(lost > 0, runs.kinds),
        left_out=np.where(is_kept, num_left_out, 0),
    )


def all_set_aside(rows: IntArray, reasons: Reasons) -> Labelled:
    """Rows without a token, each with its reason."""
    none, zeros = np.zeros(0, np.int32), np.zeros(len(rows), np.int64)
    return Labelled(none, none, rows, zeros, zeros, zeros, reasons, zeros, zeros, zeros, zeros, zeros)


def in_order(groups: Sequence[Labelled], num_rows: int) -> Labelled:
    """The rows of all groups in the order of the batch."""
    if len(groups) == 1 and len(groups[0].rows) == num_rows:
        return groups[0]
    rows = np.concatenate([group.rows for group in groups]) if groups else np.zeros(0, np.int64)
    order = np.argsort(rows)
    columns: dict[str, Any] = {
        each.name: np.concatenate([getattr(group, each.name) for group in groups])[order] if groups else rows
        for each in fields(Labelled)[2:]
    }
    kept = columns["kept"]
    starts = np.zeros(num_rows, np.int64)
    starts[columns["rows"]] = np.cumsum(kept) - kept
    ids, labels = np.empty(int(kept.sum()), np.int32), np.empty(int(kept.sum()), np.int32)
    for group in groups:
        moved = np.repeat(starts[group.rows] - (np.cumsum(group.kept) - group.kept), group.kept)
        places = moved + np.arange(len(group.ids))
        ids[places], labels[places] = group.ids, group.labels
    return Labelled(ids, labels, **columns)
