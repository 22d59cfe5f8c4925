"""A batch of token rows in; the faults one sees without their records, and the spans to compare with these, out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from collators import IGNORE_INDEX
from collators.template_frames import Frame

IntArray = np.ndarray[Any, np.dtype[np.int64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
DecodeAll = Callable[[list[list[int]]], list[str]]


@dataclass(frozen=True)
class Span:
    """Neighbouring trained tokens of a row, cut behind each token that ends a turn."""

    start: int
    end: int
    text: str
    """Without the token that ends the turn, if there is one."""
    is_ended: bool


@dataclass(frozen=True)
class Row:
    ids: Sequence[int]
    spans: Sequence[Span]
    is_cut: bool
    """Whether its end may have been cut off."""

    def is_open(self, span: Span) -> bool:
        """Whether the rest of what `span` says may have been cut off."""
        return self.is_cut and not span.is_ended and span.end == len(self.ids)


@dataclass(frozen=True)
class Labelled:
    """N rows, ids and labels end to end: row `r` has the tokens `starts[r]` to `starts[r + 1]`."""

    ids: IntArray
    labels: IntArray
    starts: IntArray

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> Labelled:
        """The rows of a batch whose ids and labels are equally long (`uneven` finds the others)."""
        ids, labels = batch.column("input_ids"), batch.column("labels")
        starts = np.concatenate([[0], np.cumsum(_lengths(ids))]).astype(np.int64)
        return cls(ids.flatten().to_numpy().astype(np.int64), labels.flatten().to_numpy().astype(np.int64), starts)

    @property
    def is_trained(self) -> BoolArray:
        is_trained: BoolArray = self.labels != IGNORE_INDEX
        return is_trained

    def row_of(self, places: IntArray) -> IntArray:
        """The rows of these tokens."""
        return np.searchsorted(self.starts, places, side="right") - 1

    def faults(self, max_length: int, *, all_trained: bool) -> dict[int, str]:
        """What is wrong with the labels of some rows by themselves."""
        lengths = np.diff(self.starts)
        untrained = np.unique(self.row_of(np.flatnonzero(~self.is_trained))) if all_trained else ()
        faults = {
            int(row): f"has {lengths[row]:,} tokens, more than max_length={max_length:,}"
            for row in np.flatnonzero(lengths > max_length)
        }
        faults |= {int(row): "has tokens that are not trained; of a plain text all are" for row in untrained}
        can_be_asked = self.is_trained.copy()
        can_be_asked[self.starts[:-1][lengths > 0]] = False  # the first token of a row is given, never predicted
        asked = np.unique(self.row_of(np.flatnonzero(can_be_asked)))
        for row in np.setdiff1d(np.arange(len(lengths)), asked):
            faults[int(row)] = "has no trained token that a model could predict"
        others = np.flatnonzero(self.is_trained & (self.labels != self.ids))
        for place in others[::-1]:  # so that the first of a row is the one told
            row = int(self.row_of(place))
            facts = f"token {place - self.starts[row]} is {self.ids[place]}, and its label is {self.labels[place]}"
            faults[row] = f"{facts}; expected the same or {IGNORE_INDEX}"
        return faults


def uneven(batch: pa.RecordBatch) -> BoolArray:
    """Which rows have not one label for each of `length` ids."""
    num_ids, num_labels = _lengths(batch.column("input_ids")), _lengths(batch.column("labels"))
    return (num_ids != num_labels) | (num_ids != batch.column("length").to_numpy())  # type: ignore[no-any-return]


def _lengths(lists: pa.ListArray) -> IntArray:
    return lists.value_lengths().to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def turn_rows(
    labelled: Labelled, frame: Frame, decode_all: DecodeAll, *, trained: bool, can_be_cut: BoolArray
) -> list[Row]:
    """Every row with its trained spans (or those that are not), cut behind each token that ends a turn."""
    chosen = labelled.is_trained == trained
    is_end = chosen & np.isin(labelled.ids, list(frame.ends))
    num_tokens = len(chosen)
    is_border = np.zeros(num_tokens + 1, np.bool_)  # before each token: whether a span cannot go on across
    is_border[labelled.starts] = True
    is_border[1:] |= is_end
    is_border[1:-1] |= chosen[1:] != chosen[:-1]
    firsts, stops = np.flatnonzero(chosen & is_border[:-1]), np.flatnonzero(chosen & is_border[1:]) + 1
    return _rows(labelled, firsts, stops, is_end[stops - 1], stops - is_end[stops - 1], decode_all, can_be_cut)


def text_rows(labelled: Labelled, frame: Frame, decode_all: DecodeAll, *, can_be_cut: BoolArray) -> list[Row]:
    """Every row of a plain text as one span, without what the tokenizer writes around it."""
    is_control = np.isin(labelled.ids, list(frame.stand_ins))
    firsts, stops = labelled.starts[:-1].copy(), labelled.starts[1:].copy()
    ends = stops.copy()
    for row in range(len(firsts)):
        while firsts[row] < stops[row] and is_control[firsts[row]]:
            firsts[row] += 1
        while ends[row] > firsts[row] and is_control[ends[row] - 1]:
            ends[row] -= 1
    return _rows(labelled, firsts, stops, ends < stops, ends, decode_all, can_be_cut)


def _rows(
    labelled: Labelled,
    firsts: IntArray,
    stops: IntArray,
    is_ended: BoolArray,
    text_ends: IntArray,
    decode_all: DecodeAll,
    can_be_cut: BoolArray,
) -> list[Row]:
    ids, starts = labelled.ids.tolist(), labelled.starts.tolist()
    texts = decode_all([ids[first:end] for first, end in zip(firsts.tolist(), text_ends.tolist(), strict=True)])
    spans: list[list[Span]] = [[] for _ in range(len(starts) - 1)]
    found = zip(
        labelled.row_of(firsts).tolist(), firsts.tolist(), stops.tolist(), texts, is_ended.tolist(), strict=True
    )
    for row, first, stop, text, ended in found:
        spans[row].append(Span(first - starts[row], stop - starts[row], text, ended))
    return [
        Row(ids[starts[row] : starts[row + 1]], of_row, bool(cut))
        for row, (of_row, cut) in enumerate(zip(spans, can_be_cut, strict=True))
    ]
