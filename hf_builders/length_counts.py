"""How many rows have how many tokens: counted as they are written, asked when all are."""

from __future__ import annotations

from typing import Any

import numpy as np

_SHARES = (("min", 0.0), ("50", 0.5), ("95", 0.95), ("max", 1.0))


class LengthCounts:
    """Rows by their number of tokens.

    >>> counts = LengthCounts()
    >>> counts.add(np.array([3, 5, 5, 9]))
    >>> counts.rows, counts.tokens, counts.percentiles()
    (4, 22, {'min': 3, '50': 5, '95': 9, 'max': 9})
    """

    def __init__(self) -> None:
        self._rows_of_length = np.zeros(1, np.int64)

    def add(self, lengths: np.ndarray[Any, Any]) -> None:
        """Count some rows more."""
        counts = np.bincount(lengths, minlength=len(self._rows_of_length))
        counts[: len(self._rows_of_length)] += self._rows_of_length
        self._rows_of_length = counts

    @property
    def rows(self) -> int:
        return int(self._rows_of_length.sum())

    @property
    def tokens(self) -> int:
        return int(self._rows_of_length @ np.arange(len(self._rows_of_length)))

    def percentiles(self) -> dict[str, int]:
        """The shortest length, the longest, and those that half and 95 % of the rows do not exceed."""
        ends = np.cumsum(self._rows_of_length)
        return {name: int(np.searchsorted(ends, max(np.ceil(share * ends[-1]), 1))) for name, share in _SHARES}
