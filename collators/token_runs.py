"""Conversations of one shape in; their ids, and how many tokens each part of the shape has in each row, out.

A *run* is a stretch of tokens with one meaning: a control token, a message's text, the template's words, or the tokens
that straddle two of these. All rows of a shape have the same runs; only the counts differ. So what is trained, and
what may be cut, is decided on a small matrix, and never token by token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.encoding import Encoded, IdArray, IntArray
from collators.engines import Encoder
from collators.errors import TokenizationError
from collators.skeletons import Piece, Skeleton

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Contents = Sequence[pa.LargeStringArray]
"""Per slot of the skeleton, the texts of all rows."""


@dataclass(frozen=True)
class Run:
    """What the tokens of one column of `Runs.counts` are."""

    trained: bool
    turn: int | None = None
    """The turn whose text this is, or that the trained words around it belong to, where texts are kept apart."""
    straddles: bool = False
    """Whether these tokens lie on both sides of a border between trained and not trained."""


@dataclass(frozen=True)
class Runs:
    """The tokens of N rows of one shape."""

    ids: IdArray
    """All rows end to end, each row's runs in order."""
    counts: IntArray
    """N × R: how many tokens of row n belong to run r."""
    kinds: tuple[Run, ...]
    """R descriptions."""

    @property
    def trained(self) -> BoolArray:
        """Per run."""
        return np.array([kind.trained for kind in self.kinds], np.bool_)

    def select(self, rows: BoolArray) -> Runs:
        """Some of the rows, by a mask."""
        return Runs(self.ids[np.repeat(rows, self.counts.sum(axis=1))], self.counts[rows], self.kinds)


@dataclass(frozen=True)
class Part:
    """Neighbouring pieces, all trained or all not, that nothing needs to tell apart."""

    pieces: tuple[Piece, ...]
    turn: int | None
    end: int
    """How many pieces of the skeleton come before its end."""

    @property
    def trained(self) -> bool:
        return self.pieces[0].trained

    @property
    def is_constant(self) -> bool:
        return all(piece.slot is None for piece in self.pieces)


Span = tuple[Part, ...]
"""What stands between two control tokens; the tokenizer sees it as one text."""


class ShapeEncoder:
    """Encodes the conversations of one shape.

    With `apart`, the texts of each turn become runs of their own, apart from the template's words around them.
    """

    def __init__(self, encoder: Encoder, skeleton: Skeleton, *, apart: bool) -> None:
        self._encoder = encoder
        self._skeleton = skeleton
        self._apart = apart

    def encode(self, contents: Contents, num_rows: int) -> Runs:
        """Encode N conversations.

        Raises:
            TokenizationError: control tokens did not come out as they went in.
        """
        texts = self._texts(contents, num_rows)
        encoded = self._encoder.encode_with_spans(texts) if self._needs_offsets else self._encoder.encode(texts)
        firsts, lasts = self._span_bounds(encoded)
        columns = []
        for number, span in enumerate(self._spans):
            first, last = firsts[:, number], lasts[:, number]
            if len(span) < 2:
                counts = (last - first)[:, None]
            elif self._needs_offsets:
                counts = _split_by_offsets(encoded, first, last, self._borders(span, contents, num_rows))
            else:
                counts = self._split_behind_prefix(number, contents, texts, encoded, first, last)
            columns += [np.ones((num_rows, 1), np.int64), counts]
        # Before the first span stands no control token.
        return Runs(encoded.ids, np.concatenate(columns[1:], axis=1), self._kinds)

    @cached_property
    def _controls(self) -> list[Piece]:
        return [piece for piece in self._skeleton.pieces if piece.control is not None]

    @cached_property
    def _control_ids(self) -> IntArray:
        return np.array([control.id for control in self._skeleton.controls], np.int64)

    @cached_property
    def _spans(self) -> list[Span]:
        """One more than there are control tokens."""
        spans: list[list[Part]] = [[]]

        def key(numbered: tuple[int, Piece]) -> tuple[int | None, bool, int | None]:
            place, piece = numbered
            return (
                None if piece.control is None else place,
                piece.trained,
                piece.turn if self._apart else None,
            )

        for (control_place, _, turn), group in groupby(enumerate(self._skeleton.pieces), key):
            numbered = list(group)
            if control_place is not None:
                spans.append([])
            else:
                spans[-1].append(Part(tuple(piece for _, piece in numbered), turn, numbered[-1][0] + 1))
        return [tuple(span) for span in spans]

    @cached_property
    def _kinds(self) -> tuple[Run, ...]:
        kinds: list[Run] = []
        for number, span in enumerate(self._spans):
            if number:
                control = self._controls[number - 1]
                kinds.append(Run(control.trained, control.turn if self._apart else None))
            if not span:
                # Nothing is written here; some tokenizers put a prefix space all the same.
                neighbours = self._controls[max(number - 1, 0) : number + 1]
                kinds.append(Run(all(control.trained for control in neighbours)))
            for place, part in enumerate(span):
                if place:
                    both = part.trained and span[place - 1].trained
                    kinds.append(Run(both, straddles=part.trained != span[place - 1].trained))
                kinds.append(Run(part.trained, part.turn))
        return tuple(kinds)

    @cached_property
    def _needs_offsets(self) -> bool:
        """Whether a border lies behind text that differs from row to row."""
        return any(len(span) > 2 or (len(span) == 2 and not span[0].is_constant) for span in self._spans)

    def _texts(self, contents: Contents, num_rows: int) -> pa.LargeStringArray:
        kind = pa.large_string()
        words: list[Any] = [
            contents[piece.slot]
            if piece.slot is not None
            else pa.scalar(piece.control.name if piece.control is not None else piece.text, kind)
            for piece in self._skeleton.pieces
        ]
        # Joined to an array of empty texts, so that a shape of constants still makes one text a row.
        return pc.binary_join_element_wise(pa.array([""] * num_rows, kind), *words, pa.scalar("", kind))

    def _span_bounds(self, encoded: Encoded) -> tuple[IntArray, IntArray]:
        """For each row and span, its first token and the one behind its last."""
        num_rows, wanted = len(encoded.starts) - 1, self._control_ids
        is_control = np.zeros(max(int(wanted.max(initial=0)), int(encoded.ids.max(initial=0))) + 1, np.bool_)
        is_control[wanted] = True
        places = np.flatnonzero(is_control[encoded.ids])
        if len(places) != num_rows * len(wanted) or not np.array_equal(
            encoded.ids[places].reshape(num_rows, -1), np.broadcast_to(wanted, (num_rows, len(wanted)))
        ):
            raise TokenizationError(
                "the tokenizer does not encode its template's control tokens one for one "
                f"({', '.join(control.text for control in self._skeleton.controls)}); "
                "load it with collators.load_tokenizer, or report it with its tokenizer.json"
            )
        places_NC = places.reshape(num_rows, len(wanted))
        firsts = np.concatenate([encoded.starts[:-1, None], places_NC + 1], axis=1)
        return firsts, np.concatenate([places_NC, encoded.starts[1:, None]], axis=1)

    def _split_behind_prefix(
        self,
        number: int,
        contents: Contents,
        texts: pa.LargeStringArray,
        encoded: Encoded,
        first: IntArray,
        last: IntArray,
    ) -> IntArray:
        """Counts of a span that starts with constant words: where their own tokens lead, the border is behind them."""
        span = self._spans[number]
        prefix = self._prefix_ids(number)
        counts = np.zeros((len(first), 3), np.int64)
        counts[:, 0] = len(prefix)
        counts[:, 2] = last - first - len(prefix)
        proven = counts[:, 2] >= 0
        window = first[proven, None] + np.arange(len(prefix))
        proven[proven] = (encoded.ids[window] == prefix).all(axis=1)
        rows = np.flatnonzero(~proven)
        if len(rows):
            # A token straddles the border: only offsets can tell where.
            again = self._encoder.encode_with_spans(texts.take(pa.array(rows)))
            firsts, lasts = self._span_bounds(again)
            borders = self._borders(span, [texts.take(pa.array(rows)) for texts in contents], len(rows))
            counts[rows] = _split_by_offsets(again, firsts[:, number], lasts[:, number], borders)
        return counts

    def _prefix_ids(self, number: int) -> IdArray:
        """The tokens of the constant words that a span starts with, behind the same control token as in the rows."""
        words = "".join(piece.text for piece in self._spans[number][0].pieces)
        control = self._controls[number - 1].control if number else None
        text = (control.name if control is not None else "") + words
        ids = self._encoder.encode(pa.array([text], pa.large_string())).ids
        return ids[1 if control is not None else 0 :]

    def _borders(self, span: Span, contents: Contents, num_rows: int) -> IntArray:
        """For each row, the character behind each part of `span` but the last."""
        pieces = self._skeleton.pieces[: span[-1].end]
        ends = np.zeros((num_rows, len(pieces)), np.int64)
        for place, piece in enumerate(pieces):
            if piece.slot is not None:
                ends[:, place] = pc.utf8_length(contents[piece.slot]).to_numpy(zero_copy_only=False)
            else:
                ends[:, place] = len(piece.control.name if piece.control is not None else piece.text)
        return np.cumsum(ends, axis=1)[:, [part.end - 1 for part in span[:-1]]]


def _split_by_offsets(encoded: Encoded, first: IntArray, last: IntArray, borders: IntArray) -> IntArray:
    """N × (2B + 1) counts around B borders a row: tokens before, straddling, between, straddling, …, after."""
    assert encoded.spans is not None
    num_rows, num_borders = borders.shape
    # Characters of row n are moved to [n * stride, (n + 1) * stride), so that one search serves all rows.
    stride = int(max(encoded.spans.max(initial=0), borders.max(initial=0))) + 1
    row_of_token = np.repeat(np.arange(num_rows), np.diff(encoded.starts))
    begins = np.maximum.accumulate(encoded.spans[:, 0] + row_of_token * stride)
    ends = np.maximum.accumulate(encoded.spans[:, 1] + row_of_token * stride)
    keys = borders + np.arange(num_rows)[:, None] * stride
    edges = np.empty((num_rows, 2 * num_borders + 2), np.int64)
    edges[:, 0], edges[:, -1] = first, last
    edges[:, 1:-1:2] = np.searchsorted(ends, keys, side="right")
    edges[:, 2:-1:2] = np.searchsorted(begins, keys, side="left")
    edges = np.clip(edges, first[:, None], last[:, None])
    return np.diff(np.maximum.accumulate(edges, axis=1), axis=1)


def wrap(runs: Runs, before: Sequence[int], after: Sequence[int]) -> Runs:
    """Put the same tokens around every row; they are trained, as all of a plain text is.

    >>> runs = Runs(np.array([5, 6, 7]), np.array([[2], [1]]), (Run(True),))
    >>> wrap(runs, [1], [2, 2]).ids.tolist()
    [1, 5, 6, 2, 2, 1, 7, 2, 2]
    """
    num_rows, widths = len(runs.counts), (len(before), len(after))
    ends = np.cumsum(runs.counts.sum(axis=1))
    edges = np.stack([ends - runs.counts.sum(axis=1), ends], axis=1)
    # np.insert keeps the order of what it inserts at one place.
    places = np.repeat(edges.ravel(), np.tile(widths, num_rows))
    ids = np.insert(runs.ids, places, np.tile([*before, *after], num_rows).astype(runs.ids.dtype))
    ones = np.ones(num_rows, np.int64)[:, None]
    return Runs(
        ids,
        np.concatenate([ones * widths[0], runs.counts, ones * widths[1]], axis=1),
        (Run(True), *runs.kinds, Run(True)),
    )
