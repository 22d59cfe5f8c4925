"""Do two pipelines give the same ids, and the same labels, for the same rows?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

NOT_TRAINED = -100
_SHOWN = 12  # tokens around the first difference


@dataclass(frozen=True)
class Agreement:
    rows: int
    """Compared."""
    ids_equal: int
    """Rows."""
    labels_equal: int
    """Rows, of those with equal ids."""
    trained_by_other: int
    """Tokens, in rows with equal ids, that only the other pipeline trains."""
    trained_by_ours: int
    first_difference: str | None
    """Of ids."""

    @property
    def all_ids_equal(self) -> bool:
        return self.ids_equal == self.rows


def compare_files(ours: Path, other: Path) -> Agreement:
    with np.load(ours) as one, np.load(other) as two:
        return compare(one, two)


def compare(ours: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> Agreement:
    """Compare `lengths`, and `ids` and `labels` end to end; the longer of the two is cut to the rows of the shorter.

    >>> one = {"lengths": np.array([2, 1]), "ids": np.array([5, 6, 7]), "labels": np.array([-100, 6, 7])}
    >>> two = {"lengths": np.array([2]), "ids": np.array([5, 6]), "labels": np.array([5, 6])}
    >>> compare(one, two)
    Agreement(rows=1, ids_equal=1, labels_equal=0, trained_by_other=1, trained_by_ours=0, first_difference=None)
    """
    rows = min(len(ours["lengths"]), len(other["lengths"]))
    ours_at, other_at = (np.concatenate([[0], np.cumsum(each["lengths"])]) for each in (ours, other))
    ours_ids, other_ids, ours_labels, other_labels = ours["ids"], other["ids"], ours["labels"], other["labels"]
    ids_equal = labels_equal = only_other = only_ours = 0
    first = None
    for row in range(rows):
        here, there = slice(*ours_at[row : row + 2]), slice(*other_at[row : row + 2])
        if not np.array_equal(ours_ids[here], other_ids[there]):
            first = first or _difference(row, ours_ids[here], other_ids[there])
            continue
        ids_equal += 1
        is_ours, is_other = ours_labels[here] != NOT_TRAINED, other_labels[there] != NOT_TRAINED
        labels_equal += bool(np.array_equal(ours_labels[here], other_labels[there]))
        only_ours += int(np.count_nonzero(is_ours & ~is_other))
        only_other += int(np.count_nonzero(is_other & ~is_ours))
    return Agreement(rows, ids_equal, labels_equal, only_other, only_ours, first)


def _difference(row: int, ours: np.ndarray, other: np.ndarray) -> str:
    shared = min(len(ours), len(other))
    place = int(np.argmax(ours[:shared] != other[:shared])) if (ours[:shared] != other[:shared]).any() else shared
    first, last = max(0, place - 2), place + _SHOWN
    return (
        f"row {row}, token {place} ({len(ours)} and {len(other)} tokens): "
        f"ours … {ours[first:last].tolist()}, other … {other[first:last].tolist()}"
    )
