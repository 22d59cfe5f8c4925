"""One text or two in, the special tokens the tokenizer writes around them out; and rows laid out so, all at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from collators.encoding import IdArray, IntArray
from collators.errors import TokenizationError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_TEXTS = ("一", "a")


@dataclass(frozen=True)
class Segment:
    """Special tokens, or the place of a text."""

    text: int | None
    """0 or 1, the first or the second text; None for special tokens."""
    ids: tuple[int, ...]
    type_ids: tuple[int, ...]
    """Of the special tokens, or the one of all tokens of the text."""


@dataclass(frozen=True)
class PairFrame:
    """`[CLS] first [SEP] second [SEP]`, or what else a tokenizer makes of one text or two.

    >>> from transformers import BertTokenizer
    >>> pieces = {piece: id_ for id_, piece in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "一"])}
    >>> frame = read_frame(BertTokenizer(vocab=pieces).backend_tokenizer, num_texts=2)
    >>> [(segment.text, segment.ids, segment.type_ids) for segment in frame.segments]
    [(None, (2,), (0,)), (0, (), (0,)), (None, (3,), (0,)), (1, (), (1,)), (None, (3,), (1,))]
    """

    segments: tuple[Segment, ...]

    @cached_property
    def num_special(self) -> int:
        return sum(len(segment.ids) for segment in self.segments)

    def lay_out(self, *parts: Parts) -> Layout:
        """R rows, each with its part of the first text and of the second."""
        num_rows = len(parts[0].starts)
        lengths = np.array(
            [
                np.full(num_rows, len(segment.ids)) if segment.text is None else parts[segment.text].lengths
                for segment in self.segments
            ]
        )  # segments × R
        ends = lengths.T.reshape(-1).cumsum()
        row_lengths = lengths.sum(axis=0)
        # Segments × R, in the flat rows.
        begins = (ends - lengths.T.reshape(-1)).reshape(num_rows, len(self.segments)).T
        total = int(row_lengths.sum())
        ids, type_ids = np.empty(total, np.int32), np.empty(total, np.int8)
        places, text_of = np.full(total, -1, np.int64), np.full(total, -1, np.int8)
        for segment, own_begins, own_lengths in zip(self.segments, begins, lengths, strict=True):
            if segment.text is None:
                for offset, (id_, type_id) in enumerate(zip(segment.ids, segment.type_ids, strict=True)):
                    ids[own_begins + offset], type_ids[own_begins + offset] = id_, type_id
                continue
            part = parts[segment.text]
            target, source = ranges(own_begins, own_lengths), ranges(part.starts, own_lengths)
            ids[target], type_ids[target] = part.ids[source], segment.type_ids[0]
            places[target], text_of[target] = source, segment.text
        firsts = {
            segment.text: own for segment, own in zip(self.segments, begins, strict=True) if segment.text is not None
        }
        row_starts = row_lengths.cumsum() - row_lengths
        return Layout(
            ids, type_ids, row_lengths, places, text_of, {text: own - row_starts for text, own in firsts.items()}
        )


@dataclass(frozen=True)
class Parts:
    """What each of R rows has of one of its texts: tokens `starts` to `starts + lengths` of a flat run."""

    ids: IdArray
    starts: IntArray
    lengths: IntArray


@dataclass(frozen=True)
class Layout:
    """R rows, end to end; N tokens."""

    ids: IdArray
    type_ids: np.ndarray[Any, np.dtype[np.int8]]
    lengths: IntArray
    places: IntArray
    """N: where in its part's flat run a token stands; -1 for special tokens."""
    texts: np.ndarray[Any, np.dtype[np.int8]]
    """N: the text a token is of, 0 or 1; -1 for special tokens."""
    firsts: dict[int, IntArray]
    """For each text R: at which token of the row it begins."""


def ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """Ranges of whole numbers, end to end.

    >>> ranges(np.array([5, 0]), np.array([3, 2])).tolist()
    [5, 6, 7, 0, 1]
    """
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    values: IntArray = np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - lengths), lengths)
    return values


def read_frame(backend: Tokenizer, *, num_texts: int) -> PairFrame:
    """What a tokenizer's backend writes around one text or two.

    Raises:
        TokenizationError: the texts do not come out as they went in, each once and in order.
    """
    first, second = _TEXTS
    encoding = backend.encode(first, second if num_texts == 2 else None)
    segments: list[Segment] = []
    tokens = zip(encoding.ids, encoding.type_ids, encoding.sequence_ids, strict=True)
    for id_, type_id, text in tokens:
        last = segments[-1] if segments else None
        if last is not None and last.text == text:
            if text is None:
                segments[-1] = Segment(None, (*last.ids, id_), (*last.type_ids, type_id))
        else:
            segments.append(Segment(text, (id_,) if text is None else (), (type_id,)))
    if [segment.text for segment in segments if segment.text is not None] != list(range(num_texts)):
        raise TokenizationError(
            f"the tokenizer does not write {'two texts one behind the other' if num_texts > 1 else 'a text'} as they "
            "are; is it one of an encoder, such as BERT?"
        )
    return PairFrame(tuple(segments))
