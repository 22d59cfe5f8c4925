"""Token rows in, what one wants to know of them before training out; the manifest and the report have it.

Lengths are tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from collators.bin_packing import best_fit
from hf_builders.length_counts import LengthCounts
from hf_builders.row_contents import Repeated, RowContents
from hf_builders.summaries import TRAIN, PackSummary, rounded

_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)
_WHOLE = Fraction(995, 1000)
_MULTIPLE = 64
_USUAL = (128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)


@dataclass(frozen=True)
class Lengths:
    rows: int
    tokens: int
    percentiles: dict[str, int]
    """At `min`, `5`, `25`, `50`, `75`, `90`, `95`, `99` and `max`."""
    bins: list[list[int]]
    """First length, last length, rows."""

    @classmethod
    def of(cls, counts: LengthCounts) -> Lengths:
        return cls(counts.rows, counts.tokens, counts.percentiles(all_shares=True), counts.bins())


@dataclass(frozen=True)
class WindowChoice:
    """What a `max_length` would keep."""

    max_length: int
    rows_whole: float
    """The share of records it cuts nothing of."""
    tokens_kept: float
    """The share of tokens that is left, if the others are cut to it."""


@dataclass(frozen=True)
class SplitStatistics:
    lengths: dict[str, Lengths]
    """Of what is kept: `total`, `prompt` and `answer` (the tokens not trained, and trained; over all turns). `uncut` is
    of records before `max_length` took anything off them or set them aside."""
    padding: dict[str, float]
    """The share of a batch that is padding, by rows of a batch, where rows meet by chance (`LengthCounts.padding`)."""
    packing: PackSummary | None
    """How full packed rows are, or would be. This and the next two are not for windows, which are cut as they are."""
    choices: list[WindowChoice]
    recommended_max_length: int | None
    """The smallest multiple of 64 that holds 99.5 % of the records whole."""
    repeated: dict[str, Repeated]
    """Contents that more than one row has, by their kind: `row`, `prompt`, `answer`."""
    in_train: dict[str, int]
    """How many rows have a content that stands in `train` too; empty for `train` itself."""


def all_statistics(
    contents: Mapping[str, RowContents],
    uncut: Mapping[str, LengthCounts],
    max_length: int,
    packed_length: int | None = None,
) -> dict[str, SplitStatistics]:
    """The statistics of every split.

    Args:
        contents: of the rows as they were written, before they were packed.
        uncut: lengths of the records before `max_length` was applied, those it set aside included; none for windows.
        max_length: of a row.
        packed_length: of a packed row; None is `max_length`.
    """
    train = contents.get(TRAIN)
    return {
        name: _split_statistics(
            each, uncut.get(name), max_length, packed_length or max_length, train if name != TRAIN else None
        )
        for name, each in contents.items()
    }


def _split_statistics(
    contents: RowContents,
    uncut: LengthCounts | None,
    max_length: int,
    packed_length: int,
    train: RowContents | None,
) -> SplitStatistics:
    total, lengths = LengthCounts(), {}
    total.add(contents.prompt_lengths + contents.answer_lengths)
    for name, each in (("prompt", contents.prompt_lengths), ("answer", contents.answer_lengths)):
        if name in contents.hashes:
            counts = LengthCounts()
            counts.add(each)
            lengths[name] = Lengths.of(counts)
    lengths = {"total": Lengths.of(total), **lengths}
    packing, choices, recommended = None, [], None
    if uncut is not None:
        lengths["uncut"] = Lengths.of(uncut)
        recommended = recommended_max_length(uncut)
        choices = [_choice(uncut, each) for each in _lengths_to_choose(uncut, {max_length, recommended})]
        packing = PackSummary.of(len(best_fit(total.each(), packed_length).starts) - 1, packed_length, total.tokens)
    return SplitStatistics(
        lengths=lengths,
        padding={str(size): rounded(total.padding(size), 4) for size in _BATCH_SIZES},
        packing=packing,
        choices=choices,
        recommended_max_length=recommended,
        repeated=contents.repeated(),
        in_train=contents.shared_with(train) if train is not None else {},
    )


def recommended_max_length(uncut: LengthCounts) -> int:
    """The smallest multiple of 64 that holds 99.5 % of the records whole.

    >>> import numpy as np
    >>> counts = LengthCounts()
    >>> counts.add(np.array([100] * 995 + [2000] * 5))
    >>> recommended_max_length(counts)
    128
    """
    return -(-uncut.longest_of(_WHOLE) // _MULTIPLE) * _MULTIPLE


def _lengths_to_choose(uncut: LengthCounts, others: set[int]) -> list[int]:
    """The usual ones between where one in ten records is whole and where all are, and some others."""
    useful = {each for each in _USUAL if uncut.within(each) >= uncut.rows / 10 and uncut.within(each // 2) < uncut.rows}
    return sorted(useful | others)


def _choice(uncut: LengthCounts, max_length: int) -> WindowChoice:
    rows, tokens = uncut.within(max_length) / uncut.rows, uncut.cut_to(max_length) / uncut.tokens
    return WindowChoice(max_length, rounded(rows, 6), rounded(tokens, 6))
