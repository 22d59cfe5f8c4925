"""What became of one split of a prepared folder, in numbers; the manifest has them, the command line prints them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hf_builders.cleaning import StepCounts

TRAIN = "train"
"""The split that models are trained on; the others are to evaluate on."""


def first_split(splits: Iterable[str]) -> str:
    """The one to train on, where there is one.

    >>> first_split(["test", "train"]), first_split(["trial", "test"])
    ('train', 'trial')
    """
    names = list(splits)
    return TRAIN if TRAIN in names else names[0]


@dataclass(frozen=True)
class PackSummary:
    rows: int
    """Packed rows."""
    max_length: int
    """Tokens one can hold."""
    fill: float
    """The share of these that is there, of all rows together."""

    @classmethod
    def of(cls, rows: int, max_length: int, tokens: int) -> PackSummary:
        return cls(rows, max_length, rounded(tokens / rows / max_length, 6))


def rounded(share: float, digits: int) -> float:
    """What is not quite all is not rounded to all, nor what is not quite nothing to nothing.

    >>> rounded(0.123456, 4), rounded(0.9999999, 4), rounded(0.0000001, 4), rounded(1, 4)
    (0.1235, 0.9999, 0.0001, 1)
    """
    least = 10**-digits
    return round(min(max(share, least), 1 - least), digits) if 0 < share < 1 else share


@dataclass(frozen=True)
class SplitSummary:
    """Of token rows. Rows: `read = kept + left_out + quarantined + set_aside`."""

    rows_read: int
    rows_kept: int
    packed: PackSummary | None
    """How they were laid together; None where a row is a record."""
    left_out: dict[str, int]
    """Good raw rows the dataset's options keep out, by reason."""
    quarantined: dict[str, int]
    """Bad raw rows, by reason."""
    noted: dict[str, int]
    """Records with something to know of them, such as a mended offset, by reason."""
    cleaned: list[StepCounts]
    """What each step of `clean` did, in order; the rows it dropped are among those left out."""
    set_aside: dict[str, int]
    """Records that gave no token row, by reason."""
    rows_cut: int
    """Kept rows that lost tokens to `max_length`, and what they lost:"""
    tokens_cut: int
    trained_tokens_cut: int
    turns_cut: int
    """Messages of them that lost tokens."""
    texts_left_out: int
    """Texts the chat template does not write: reasoning of earlier turns, what is said beside a call."""
    control_texts: int
    """Control tokens that stand in the records' texts, where they stay text."""
    tokens_straddling: int
    """Tokens across the border of prompt and answer; they are not trained."""
    tokens: int
    trained_tokens: int
    length_percentiles: dict[str, int]
    """Tokens of a kept row, at `min`, `50`, `95` and `max`."""


@dataclass(frozen=True)
class WindowSummary:
    """Of windows. Records: `read = kept + left_out + quarantined + set_aside`."""

    rows_read: int
    rows_kept: int
    """Records that have windows."""
    left_out: dict[str, int]
    quarantined: dict[str, int]
    noted: dict[str, int]
    """As in `SplitSummary`."""
    set_aside: dict[str, int]
    """Records without windows, as their answer is whole in none, by reason."""
    unlocated: dict[str, int]
    """The same of records that are kept all the same, to be evaluated on."""
    windows: int
    windows_answered: int
    """Windows that hold an answer; the others point at `[CLS]`."""
    tokens: int
    length_percentiles: dict[str, int]
    """Tokens of a window, at `min`, `50`, `95` and `max`."""
