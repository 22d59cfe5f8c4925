"""Numbers in, where the marks of a chart stand out; `report_charts.jinja` draws them as inline SVG.

There is no plotting library and no script: a chart is part of the one small page, and takes its colours, light or dark,
from the page's CSS variables. Places across are percent of the width and heights are pixels, so that a chart is as wide
as its column while its letters stay as large as the page's, on a phone too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hf_builders.report_words import percent

HEIGHT = 150
"""Pixels of the tallest bar."""
_GAP = 0.14  # of a bar's width is left free
_THINNEST = 0.8  # percent of a stacked bar that a part with anything in it takes at least
_NUM_TICKS = 5
_FAR = 2  # times as long as the longest row is too far to be drawn


class Bar(NamedTuple):
    x: float
    width: float
    """Percent, as `x`."""
    height: float
    """Pixels."""
    kind: str
    """A class of `report.css`."""
    title: str
    """Shown where the mouse is; the same in every language."""


class Tick(NamedTuple):
    place: float
    """Percent on the axis of lengths, pixels above the base on that of rows."""
    label: str


class Mark(NamedTuple):
    x: float
    value: int
    kind: str
    """Which text of the report names it: `max_length` or `recommended`."""
    is_beyond: bool
    """It lies to the right of all that is drawn."""


@dataclass(frozen=True)
class Histogram:
    bars: list[Bar]
    ticks: list[Tick]
    grid: list[Tick]
    marks: list[Mark]
    height: int = HEIGHT


def histogram(bins: Sequence[Sequence[int]], marks: Mapping[str, int], *, limit: int | None = None) -> Histogram:
    """Rows by length, as `LengthCounts.bins` counts them. The last bin may hold all that is far out; it is drawn as
    wide as two others, with its own label.

    Args:
        marks: lengths to point at, by name.
        limit: bars of longer rows only are of the kind `over`.

    >>> chart = histogram([[0, 9, 5], [10, 19, 10], [20, 700, 1]], {"max_length": 256}, limit=256)
    >>> [(bar.x, bar.height, bar.title) for bar in chart.bars]
    [(1.75, 75.0, '0–9: 5'), (26.75, 150.0, '10–19: 10'), (53.5, 15.0, '20–700: 1')]
    >>> [tick.label for tick in chart.ticks], chart.marks
    (['0', '5', '10', '15', '≥ 20'], [Mark(x=67.401, value=256, kind='max_length', is_beyond=False)])
    """
    width = bins[0][1] - bins[0][0] + 1
    last = bins[-1]
    tail = last[0] if last[1] - last[0] >= width else None  # where the last bin begins that is wider than the others
    end = last[1] + 1 if tail is None else tail
    if tail is None:  # there is room to show a mark that lies a little to the right
        end = max([end, *(value + 1 for value in marks.values() if value < _FAR * end)])
    end = -(-end // width) * width
    slot = 100 / (end / width + (2 if tail is not None else 0))
    tallest = max(rows for *_, rows in bins)
    bars = []
    for first, to, rows in bins:
        wide = slot * (2 if first == tail else 1)
        kind = "over" if limit is not None and first > limit else "usual"
        title = f"{first:,}–{to:,}: {rows:,}" if to > first else f"{first:,}: {rows:,}"
        bars.append(
            Bar(
                round(first / width * slot + wide * _GAP / 2, 3),
                round(wide * (1 - _GAP), 3),
                round(max(rows / tallest * HEIGHT, 1.5), 1),
                kind,
                title,
            )
        )
    ticks = [
        Tick(round(place / width * slot, 3), f"{place:,}")
        for place in _round_numbers(end, _NUM_TICKS)
        if tail is None or place / width * slot < 100 - 2 * slot - 12 or place == 0
    ]
    if tail is not None:
        ticks.append(Tick(round(100 - slot, 3), f"≥ {tail:,}"))
    grid = [Tick(round(rows / tallest * HEIGHT, 1), f"{rows:,}") for rows in _round_numbers(tallest, 3) if rows]
    return Histogram(
        bars, ticks, grid, [_mark(kind, value, end, last[1], slot, width) for kind, value in marks.items()]
    )


def _mark(kind: str, value: int, end: int, longest: int, slot: float, width: int) -> Mark:
    """A row of exactly `value` tokens still fits, so that the line stands behind it.

    >>> [_mark("recommended", value, 100, 199, 10, 10).x for value in (99, 100, 149, 199, 200)]
    [100.0, 80.2, 90.0, 100.0, 100]
    """
    if value < end:
        return Mark(round((value + 1) / width * slot, 3), value, kind, False)
    if value <= longest:  # in the last bin, which is two slots wide
        return Mark(round(100 - 2 * slot * (longest - value) / (longest + 1 - end), 3), value, kind, False)
    return Mark(100, value, kind, True)


def _round_numbers(end: int, count: int) -> list[int]:
    """From 0, at most `count` + 1 of them, none beyond `end`.

    >>> _round_numbers(157, 5), _round_numbers(3, 5), _round_numbers(240, 3)
    ([0, 50, 100, 150], [0, 1, 2, 3], [0, 100, 200])
    """
    tens = 10 ** max(int(math.log10(max(end / count, 1))), 0)
    step = next(each * tens for each in (1, 2, 5, 10) if each * tens * count >= end)
    return list(range(0, end + 1, step))


def stack(parts: Mapping[str, int]) -> list[Bar]:
    """The parts of a whole beside each other, in percent; one that is there can always be seen.

    >>> [(bar.kind, bar.x, bar.width, bar.title) for bar in stack({"kept": 999, "bad": 0, "set_aside": 1})]
    [('kept', 0.0, 99.2, '999'), ('set_aside', 99.2, 0.8, '1')]
    """
    there = {kind: count for kind, count in parts.items() if count}
    whole = sum(there.values())
    widths = {kind: max(count / whole * 100, _THINNEST) for kind, count in there.items()}
    largest = max(widths, key=widths.__getitem__, default="")
    if largest:
        widths[largest] -= sum(widths.values()) - 100
    bars, x = [], 0.0
    for kind, width in widths.items():
        bars.append(Bar(round(x, 3), round(width, 3), 0, kind, f"{there[kind]:,}"))
        x += width
    return bars


@dataclass(frozen=True)
class Columns:
    """A few bars with their value above and their name below."""

    bars: list[Bar]
    names: list[Tick]
    """Of the last bar an empty one, where it has none of its own."""
    height: int = HEIGHT


def columns(shares: Mapping[str, float], last: float | None) -> Columns:
    """A bar for each share by its name; `last` stands apart, without a name, as what the others are compared with.

    >>> chart = columns({"1": 0.1, "8": 0.4}, 0.02)
    >>> [(bar.x, bar.height, bar.kind, bar.title) for bar in chart.bars]
    [(4.839, 37.5, 'usual', '10.0%'), (37.097, 150.0, 'usual', '40.0%'), (72.581, 7.5, 'packed', '2.0%')]
    """

    every = [*shares.values(), *([] if last is None else [last])]
    tallest = max(*every, 0.01)
    slot = 100 / (len(shares) + (0 if last is None else 1.1))
    bars, names = [], []
    for place, share in enumerate(every):
        is_last = place == len(shares)
        x = (place + 0.1 * is_last + 0.15) * slot
        height = round(max(share / tallest * HEIGHT, 1.5), 1)
        bars.append(Bar(round(x, 3), round(slot * 0.7, 3), height, "packed" if is_last else "usual", percent(share)))
    names = [Tick(round((place + 0.5) * slot, 3), name) for place, name in enumerate(shares)]
    if last is not None:
        names.append(Tick(round(bars[-1].x + bars[-1].width / 2, 3), ""))
    return Columns(bars, names)


def padding_chart(statistics: Mapping[str, Any]) -> Columns:
    """How much of a batch is padding, by its rows, beside what packed rows leave empty."""
    packing = statistics["packing"]
    return columns(statistics["padding"], None if packing is None else 1 - packing["fill"])
