"""Lengths of records in, packs of records that fill a window out, over a whole split at once."""

from __future__ import annotations

from array import array
from typing import Any, NamedTuple

import numpy as np

from collators.exact_packs import exact_packs, lowest_bit

IntArray = np.ndarray[Any, np.dtype[np.int64]]

Range = tuple[int, int]
"""Of bins with equal space: the first, and one behind the last."""


class Packs(NamedTuple):
    """Which records lie together: pack `p` holds `order[starts[p] : starts[p + 1]]`, in the order of the dataset."""

    order: IntArray
    starts: IntArray


def best_fit(lengths: np.ndarray[Any, Any], capacity: int, *, seed: int = 0) -> Packs:
    """Pack records whole: the longest first, each where the least space is left that holds it, else in a new pack.

    If that takes more packs than the tokens alone would, packs full to the last token are looked for first, and the
    rest is packed so; the result has never more packs than best fit by itself. (Where short records are few, as in
    dialogues, best fit leaves 1 to 2 % of its packs empty: it uses up the middle lengths before it looks for sums.)

    `lengths` are whole numbers from 1 to `capacity` (tokens). The packs come in an order drawn by `seed`, as they are
    made from long records to short ones. Equal input gives equal packs.

    >>> packs = best_fit(np.array([3, 5, 2, 6, 4]), 8)
    >>> sorted(rows.tolist() for rows in np.split(packs.order, packs.starts[1:-1]))
    [[0, 1], [2, 3], [4]]
    """
    if not len(lengths):
        return Packs(np.zeros(0, np.int64), np.zeros(1, np.int64))
    counts = np.bincount(lengths)
    assert counts[0] == 0
    assert len(counts) <= capacity + 1
    bins = _Bins(capacity, counts)
    num_tokens = int(np.arange(len(counts)) @ counts)
    if bins.num > -(-num_tokens // capacity):
        bins = min(bins, _Bins(capacity, counts, exact_first=True), key=lambda each: each.num)
    # Raw bits, as only these stay the same from one version of NumPy to the next.
    drawn = np.argsort(np.random.PCG64(seed).random_raw(bins.num), kind="stable")
    pack_of_bin = np.empty(bins.num, np.int64)
    pack_of_bin[drawn] = np.arange(bins.num)
    pack_of_record = np.empty(len(lengths), np.int64)
    pack_of_record[stable_order(lengths)] = pack_of_bin[bins.by_length()]
    starts = np.concatenate([[0], np.cumsum(np.bincount(pack_of_record))])
    return Packs(stable_order(pack_of_record), starts)


def stable_order(values: np.ndarray[Any, Any]) -> IntArray:
    """`np.argsort(values, kind="stable")` of whole numbers from 0 to 2³², several times faster.

    >>> stable_order(np.array([70_000, 3, 70_000, 0])).tolist()
    [3, 1, 0, 2]
    """
    # NumPy sorts 16 bits by counting; more of them it compares.
    order: IntArray = np.argsort(values.astype(np.uint16), kind="stable")
    upper = values >> 16
    if upper.any():
        order = order[np.argsort(upper.astype(np.uint16)[order], kind="stable")]
    return order


class _Bins:
    """Bins, and which records went where: by length, all records of one length at once.

    Bins that have equal space left behave alike, and one that took a record of some length is again the tightest for
    the next of that length, until it cannot hold one more. So whole ranges of bins move from one space to another, and
    no record is looked at alone.
    """

    def __init__(self, capacity: int, counts: IntArray, *, exact_first: bool = False) -> None:
        self.num = 0
        self._capacity = capacity
        self._ranges: dict[int, list[Range]] = {}
        self._spaces = _SpaceSet(capacity)
        # What was done: a length, a first bin, how many bins, and how many records of the length in each of them.
        self._moves = (array("q"), array("q"), array("q"), array("q"))
        supply = counts.tolist()
        if exact_first:
            for num_bins, kind in exact_packs(supply, capacity):
                for length, size in kind.items():
                    self._note(length, self.num, num_bins, size)
                self.num += num_bins
        for length in np.flatnonzero(supply)[::-1].tolist():
            self._add(length, supply[length])

    def by_length(self) -> IntArray:
        """The bin of every record, the shortest records first."""
        lengths, firsts, nums, sizes = (np.frombuffer(column, np.int64) for column in self._moves)
        order = np.argsort(lengths, kind="stable")
        firsts, nums, sizes = firsts[order], nums[order], sizes[order]
        each = np.repeat(sizes, nums)
        within = np.arange(len(each)) - np.repeat(np.cumsum(nums) - nums, nums)
        return np.repeat(np.repeat(firsts, nums) + within, each)

    def _add(self, length: int, num_records: int) -> None:
        """Best fit of records of one length, none longer than those before."""
        while num_records and (space := self._spaces.at_least(length)) is not None:
            ranges = self._ranges[space]
            while num_records and ranges:
                first, end = ranges.pop()
                num_records, first = self._fill(length, num_records, space, first, end)
                if first < end:
                    ranges.append((first, end))
            if not ranges:
                self._spaces.discard(space)
        if num_records:
            first = self.num
            self.num += -(-num_records // (self._capacity // length))
            self._fill(length, num_records, self._capacity, first, self.num)

    def _fill(self, length: int, num_records: int, space: int, first: int, end: int) -> tuple[int, int]:
        """Fill bins from `first` on; gives how many records are left, and the first bin that took none."""
        size = space // length
        num_full = min(end - first, num_records // size)
        rest = num_records - num_full * size
        if num_full:
            self._move(length, size, space, first, num_full)
        first += num_full
        if rest and first < end:
            self._move(length, rest, space, first, 1)
            return 0, first + 1
        return rest, first

    def _move(self, length: int, size: int, space: int, first: int, num: int) -> None:
        self._note(length, first, num, size)
        left = space - size * length
        if left:
            self._ranges.setdefault(left, []).append((first, first + num))
            self._spaces.add(left)

    def _note(self, *move: int) -> None:
        for column, value in zip(self._moves, move, strict=True):
            column.append(value)


class _SpaceSet:
    """Whole numbers up to a limit, asked for the smallest that is not below a value: bits in words, and of the words.

    >>> spaces = _SpaceSet(5_000)
    >>> for space in (7, 4_321):
    ...     spaces.add(space)
    >>> spaces.at_least(7), spaces.at_least(8), spaces.at_least(4_322)
    (7, 4321, None)
    """

    WIDTH = 512

    def __init__(self, limit: int) -> None:
        self._words = [0] * (limit // self.WIDTH + 1)
        self._used = 0

    def add(self, space: int) -> None:
        word, bit = divmod(space, self.WIDTH)
        self._words[word] |= 1 << bit
        self._used |= 1 << word

    def discard(self, space: int) -> None:
        word, bit = divmod(space, self.WIDTH)
        self._words[word] &= ~(1 << bit)
        if not self._words[word]:
            self._used &= ~(1 << word)

    def at_least(self, space: int) -> int | None:
        word, bit = divmod(space, self.WIDTH)
        here = self._words[word] >> bit
        if here:
            return space + lowest_bit(here)
        above = self._used >> (word + 1)
        if not above:
            return None
        word += 1 + lowest_bit(above)
        return word * self.WIDTH + lowest_bit(self._words[word])
