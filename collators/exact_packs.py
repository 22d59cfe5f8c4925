"""How many records there are of each length in, packs full to the last token out, as long as such are found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

_MOST_TRIES = 20_000
_MOST_BITS = 2**31
"""Bounds of the search, in packs and in bits looked at: where lengths hardly repeat, best fit is as good and faster."""


def exact_packs(supply: list[int], capacity: int) -> Iterator[tuple[int, Counter[int]]]:
    """Kinds of pack of exactly `capacity` tokens: how many packs of a kind, and how many records of each length in one.

    `supply` counts the records of each length, from 0 to at most `capacity`; what is packed is taken out of it. A kind
    begins with the longest record left, goes on with the longest that fit, and ends with some that are about as long
    as each other: these are many, and so a few of them come to any sum. It is repeated as often as the supply allows.

    >>> supply = [0, 0, 0, 3, 0, 3, 0]
    >>> list(exact_packs(supply, 8)), supply
    ([(3, Counter({5: 1, 3: 1}))], [0, 0, 0, 0, 0, 0, 0])
    """
    lengths = _Lengths(supply, capacity)
    untried = lengths.bits
    for _ in range(min(_MOST_TRIES, _MOST_BITS // capacity)):
        untried &= lengths.bits
        if not untried:
            return
        longest = untried.bit_length() - 1
        kind = _kind_of_pack(lengths, longest)
        if kind is None:
            untried ^= 1 << longest
            continue
        more = min(supply[length] // num for length, num in kind.items())
        for length, num in kind.items():
            lengths.take(length, num * more)
        yield more + 1, kind


class _Lengths:
    """The records left, by length: `supply` counts them, bit `n` of `bits` says whether one of `n` tokens is left."""

    def __init__(self, supply: list[int], capacity: int) -> None:
        self.supply = supply
        self.capacity = capacity
        is_there = np.zeros(capacity + 1, np.bool_)
        is_there[: len(supply)] = np.array(supply) > 0
        self.bits = _bits(is_there)
        # From the other end: shifted, these show for every length whether what is missing to some sum is there.
        self.mirrored = _bits(is_there[::-1])

    def take(self, length: int, num: int = 1) -> None:
        """Take records out; give them back if `num` is negative."""
        had = self.supply[length] > 0
        self.supply[length] -= num
        if had != (self.supply[length] > 0):
            self.bits ^= 1 << length
            self.mirrored ^= 1 << (self.capacity - length)

    def next_from(self, length: int) -> int | None:
        """The smallest length not below `length`."""
        above = self.bits >> length
        return length + lowest_bit(above) if above else None

    def two(self, tokens: int) -> list[int]:
        """Two lengths that add up to `tokens`, as near to each other as there are; none if there are no such two."""
        half = (tokens + 1) // 2
        larger = (self.bits & (self.mirrored >> (self.capacity - tokens))) >> half
        # The lowest bit is this length twice.
        if larger & 1 and 2 * half == tokens and self.supply[half] == 1:
            larger &= ~1
        if not larger:
            return []
        length = half + lowest_bit(larger)
        return [length, tokens - length]

    def three(self, tokens: int) -> list[int]:
        """Three lengths that add up to `tokens`, after a few tries; none if none were found."""
        first = self.next_from(-(-tokens // 3))
        for _ in range(8):
            if first is None or first >= tokens:
                break
            self.take(first)
            rest = self.two(tokens - first)
            self.take(first, -1)
            if rest:
                return [first, *rest]
            first = self.next_from(first + 1)
        return []


def _kind_of_pack(lengths: _Lengths, longest: int) -> Counter[int] | None:
    """Lengths that fill a pack and include `longest`, taken out once; None, and nothing taken, if none were found."""
    chosen = [longest]
    lengths.take(longest)
    left = lengths.capacity - longest
    while left:
        more = _next_lengths(lengths, left)
        if not more:
            for length in chosen:
                lengths.take(length, -1)
            return None
        for length in more:
            lengths.take(length)
        chosen += more
        left -= sum(more)
    return Counter(chosen)


def _next_lengths(lengths: _Lengths, left: int) -> list[int]:
    fitting = lengths.bits & ((2 << left) - 1)
    if not fitting:
        return []
    longest = fitting.bit_length() - 1
    at_least = -(-left // longest)
    if at_least == 1 or at_least > 6:
        return [longest]
    if at_least <= 3 and (last := lengths.two(left) or lengths.three(left)):
        return last
    if at_least == 2:
        return []
    mean = lengths.next_from(-(-left // at_least))
    return [longest if mean is None or mean > longest else mean]


def _bits(flags: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")


def lowest_bit(bits: int) -> int:
    """The place of the lowest bit that is set.

    >>> lowest_bit(0b1100)
    2
    """
    return (bits & -bits).bit_length() - 1
