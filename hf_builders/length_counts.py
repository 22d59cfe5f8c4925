"""How many rows have how many tokens: counted as they are written, asked when all are."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

IntArray = np.ndarray[Any, np.dtype[np.int64]]

_SHARES = (("min", 0.0), ("50", 0.5), ("95", 0.95), ("max", 1.0))
_ALL_SHARES = (
    *(("min", 0.0), ("5", 0.05), ("25", 0.25), ("50", 0.5), ("75", 0.75)),
    *(("90", 0.9), ("95", 0.95), ("99", 0.99), ("max", 1.0)),
)
_NUM_BINS = 40
_ROUND = (1, 2, 5)


class LengthCounts:
    """Rows by their number of tokens.

    >>> counts = LengthCounts()
    >>> counts.add(np.array([3, 5, 5, 9]))
    >>> counts.rows, counts.tokens, counts.percentiles()
    (4, 22, {'min': 3, '50': 5, '95': 9, 'max': 9})
    >>> counts.within(5), counts.cut_to(5)
    (3, 18)
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
        return int(self._rows_of_length @ self._lengths)

    @property
    def longest(self) -> int:
        return int(np.flatnonzero(self._rows_of_length)[-1])

    def percentiles(self, *, all_shares: bool = False) -> dict[str, int]:
        """The shortest length, the longest, and those that half and 95 % of the rows do not exceed; or more shares."""
        ends = np.cumsum(self._rows_of_length)
        shares = _ALL_SHARES if all_shares else _SHARES
        return {name: int(np.searchsorted(ends, max(np.ceil(share * ends[-1]), 1))) for name, share in shares}

    def longest_of(self, share: Fraction) -> int:
        """The length that so many rows do not exceed.

        >>> counts = LengthCounts()
        >>> counts.add(np.array([10] * 199 + [500]))
        >>> counts.longest_of(Fraction(199, 200)), counts.longest_of(Fraction(1))
        (10, 500)
        """
        return int(np.searchsorted(np.cumsum(self._rows_of_length), math.ceil(share * self.rows)))

    def within(self, max_length: int) -> int:
        """How many rows have at most so many tokens."""
        return int(self._rows_of_length[: max_length + 1].sum())

    def cut_to(self, max_length: int) -> int:
        """How many tokens there are, if each row keeps at most so many."""
        return int(self._rows_of_length @ np.minimum(self._lengths, max_length))

    def bins(self) -> list[list[int]]:
        """At most 41 bins of equal width, a round number: first and last length, and rows. What is far out is in the
        last of them; bins without rows are left out.

        >>> counts = LengthCounts()
        >>> counts.add(np.array([1] * 60 + [2] * 39 + [7_000]))
        >>> counts.bins()
        [[1, 1, 60], [2, 2, 39], [3, 7000, 1]]
        """
        usual = self.percentiles(all_shares=True)["99"] + 1
        tens = 10 ** int(np.log10(max(usual / _NUM_BINS, 1)))
        width = next(each * tens for each in (*_ROUND, 10) if each * tens * _NUM_BINS >= usual)
        rows = np.add.reduceat(self._rows_of_length, np.arange(0, min(usual, len(self._rows_of_length)), width))
        bins = [[place * width, (place + 1) * width - 1, int(count)] for place, count in enumerate(rows)]
        rest = len(bins) * width
        if rest <= self.longest:  # the last of `reduceat` has all that follows
            bins[-1][2] -= self.rows - self.within(rest - 1)
            bins.append([rest, self.longest, self.rows - self.within(rest - 1)])
        return [each for each in bins if each[2]]

    def padding(self, batch_size: int, multiple: int = 8) -> float:
        """The share of a batch that is padding, on average, where rows meet by chance and the longest, rounded up to a
        multiple, gives the width.

        >>> counts = LengthCounts()
        >>> counts.add(np.array([8, 16]))
        >>> counts.padding(1), round(counts.padding(2), 4)  # three of four pairs are 16 wide
        (0.0, 0.1429)
        """
        at_most = np.cumsum(self._rows_of_length)[::multiple] / self.rows
        # A width of more than `w` is needed unless all rows have at most `w` tokens.
        width = multiple * float((1 - at_most**batch_size).sum())
        return max(round(1 - self.tokens / self.rows / width, 12), 0.0)  # what a float is off by is no padding

    def each(self) -> IntArray:
        """The length of every row, the shortest first."""
        return np.repeat(self._lengths, self._rows_of_length)

    @property
    def _lengths(self) -> IntArray:
        return np.arange(len(self._rows_of_length))
