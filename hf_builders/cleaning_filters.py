"""Filters: which texts stay. A row is dropped when one of its texts does not."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hf_builders.cleaning_step import FilterStep

_SPACE = r"\s\x0b\x{85}\p{Z}"
_CLASSES = {
    "han": r"\p{Han}",
    "latin": r"\p{Latin}",
    "letters": r"\p{L}",
    "digits": r"\p{Nd}",
    "punctuation": r"\p{P}",
    "symbols": r"\p{S}",
}


def _range_faults(name: str, low: float | None, high: float | None) -> Iterator[str]:
    """`name` is the pair of options, such as `min_chars and max_chars`."""
    if low is None and high is None:
        yield f"{name.replace(' and ', ' or ')} is missing; without both nothing is dropped"
    elif low is not None and high is not None and low > high:
        yield f"{name} are {low} and {high}; every row would be dropped"


@dataclass(frozen=True, kw_only=True)
class Length(FilterStep):
    """Texts of some length, in characters.

    >>> Length(min_chars=2).keeps(pa.array(["好", "好的", None])).to_pylist()
    [False, True, None]
    """

    name: ClassVar[str] = "length"

    min_chars: int | None = None
    max_chars: int | None = None

    def contradictions(self) -> Iterator[str]:
        yield from _range_faults("min_chars and max_chars", self.min_chars, self.max_chars)
        for name in ("min_chars", "max_chars"):
            if (getattr(self, name) or 0) < 0:
                yield f"{name} is {getattr(self, name)}; it takes 0 or more"

    def keeps(self, texts: pa.Array) -> pa.Array:
        return _within(pc.utf8_length(texts), self.min_chars, self.max_chars)


@dataclass(frozen=True, kw_only=True)
class CharacterRatio(FilterStep):
    """Texts with some share of one kind of characters among all that are not white space; 0 where there are none.

    >>> CharacterRatio(of="han", min=0.5).keeps(pa.array(["头痛 CT", "头 CT", ""])).to_pylist()
    [True, False, False]
    """

    name: ClassVar[str] = "character_ratio"

    of: Literal["han", "latin", "letters", "digits", "punctuation", "symbols"]
    """By Unicode's categories: `letters` are those of every script, Chinese characters too; `symbols` are `+`, `￥`
    and emoji."""
    min: float | None = None
    max: float | None = None

    def contradictions(self) -> Iterator[str]:
        yield from _range_faults("min and max", self.min, self.max)
        for name in ("min", "max"):
            if not 0 <= (getattr(self, name) or 0) <= 1:
                yield f"{name} is {getattr(self, name)}; a share is from 0 to 1"

    def keeps(self, texts: pa.Array) -> pa.Array:
        ends = pc.fill_null(pc.utf8_length(texts), 0).to_numpy().astype(np.int64).cumsum()
        # All texts in one piece, as numbers of characters.
        characters = np.frombuffer("".join(texts.drop_null().to_pylist()).encode("utf-32-le"), np.uint32)
        num_chars = _count_before(ends, ~_members(_SPACE)[characters])
        num_of_kind = _count_before(ends, _members(_CLASSES[self.of])[characters])
        shares = num_of_kind / np.maximum(num_chars, 1)  # 0 of 0 is 0 of 1
        return _within(pa.array(shares, mask=texts.is_null().to_numpy(zero_copy_only=False)), self.min, self.max)


def _count_before(ends: np.ndarray, is_member: np.ndarray) -> np.ndarray:
    """How many members each of n texts has; text i is what is before `ends[i]` and not before the end of text i - 1."""
    return np.diff(np.concatenate([[0], is_member.cumsum()])[ends], prepend=0)


@functools.cache
def _members(character_class: str) -> np.ndarray:
    """Which of all characters are in a class of RE2, by their numbers (booleans)."""
    surrogates = range(0xD800, 0xE000)
    characters = pa.array(["" if code in surrogates else chr(code) for code in range(sys.maxunicode + 1)])
    return np.asarray(pc.match_substring_regex(characters, f"[{character_class}]").to_numpy(zero_copy_only=False))


def _within(numbers: pa.Array, low: float | None, high: float | None) -> pa.Array:
    """Which of n numbers lie in a range, both ends of it included; null for null."""
    is_within = pc.is_valid(numbers) if low is None else pc.greater_equal(numbers, low)
    if high is not None:
        is_within = pc.and_(is_within, pc.less_equal(numbers, high))
    return pc.if_else(pc.is_null(numbers), None, is_within)
