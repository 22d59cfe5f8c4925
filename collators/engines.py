"""Which engine encodes, and the proof that it gives the ids of the tokenizer's own backend.

An accelerator is compared with the reference on whole rows of the data, spread over the first batch and then now and
then, and around every character that the data brings for the first time: where two tokenizers differ, it is on a
character that one of them treats in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.controls import GuardedBackend
from collators.encoding import Encoded, Engine, IntArray, TokenizersEngine
from collators.errors import TokenizationError
from collators.gigatoken_engine import GigatokenEngine
from collators.sentencepiece_engine import SentencePieceEngine

EngineName = Literal["gigatoken", "sentencepiece", "tokenizers"]
"""Fastest first."""

_MAKERS: dict[str, Callable[[str], Engine]] = {"gigatoken": GigatokenEngine, "sentencepiece": SentencePieceEngine}
_NUM_FIRST_ROWS = 256
_ROWS_BETWEEN = 1000
_CONTEXT = 8
"""Characters on each side of a new one that are compared with it."""


class EngineMismatch(TokenizationError):
    """An accelerator gave other ids than the tokenizer's own backend."""


class EngineUnavailable(TokenizationError):
    """An engine is not installed, or not made for the tokenizer."""


class ProvenEngine:
    """An accelerator whose ids are compared with the reference's all along.

    >>> class Wrong:
    ...     name = "wrong"
    ...     def encode(self, texts):
    ...         return Encoded(np.zeros(len(texts), np.int32), np.arange(len(texts) + 1))
    >>> class Right(Wrong):
    ...     name = "right"
    ...     def encode(self, texts):
    ...         return Encoded(np.ones(len(texts), np.int32), np.arange(len(texts) + 1))
    >>> ProvenEngine(Wrong(), Right()).encode(pa.array(["hi"], pa.large_string()))
    Traceback (most recent call last):
        ...
    collators.engines.EngineMismatch: wrong gives other ids than right for 'hi'
    """

    def __init__(self, accelerator: Engine, reference: Engine) -> None:
        self.name = accelerator.name
        self._accelerator = accelerator
        self._reference = reference
        self._num_texts = 0
        self._is_proven = np.zeros(0x110000, np.bool_)
        """Per character."""

    def encode(self, texts: pa.LargeStringArray) -> Encoded:
        """Encode, and compare a part.

        Raises:
            EngineMismatch: the reference gives other ids.
        """
        with _failures_told(self.name):
            encoded = self._accelerator.encode(texts)
        places = self._places_to_compare(len(texts))
        self._num_texts += len(texts)
        if len(places):
            self._compare(texts.take(pa.array(places)), encoded, places)
        new, around = self._new_characters(texts)
        if len(new):
            self.prove(around)
            self._is_proven[new] = True
        return encoded

    def prove(self, texts: pa.LargeStringArray) -> None:
        """Compare all of some texts. Raises as `encode` does."""
        with _failures_told(self.name):
            given = self._accelerator.encode(texts)
        self._compare(texts, given, np.arange(len(texts)))

    def _places_to_compare(self, num_texts: int) -> IntArray:
        wanted = (self._num_texts + num_texts) // _ROWS_BETWEEN - self._num_texts // _ROWS_BETWEEN
        if self._num_texts < _NUM_FIRST_ROWS:
            wanted = _NUM_FIRST_ROWS
        return np.unique(np.linspace(0, num_texts - 1, min(wanted, num_texts), dtype=np.int64))

    def _compare(self, texts: pa.LargeStringArray, given: Encoded, places: IntArray) -> None:
        """See that the texts have the ids that stand at `places` of what was given."""
        expected = self._reference.encode(texts)
        for row, place in enumerate(places.tolist()):
            ours = given.ids[given.starts[place] : given.starts[place + 1]]
            if not np.array_equal(ours, expected.ids[expected.starts[row] : expected.starts[row + 1]]):
                raise EngineMismatch(
                    f"{self.name} gives other ids than {self._reference.name} for {texts[row].as_py()!r:.60}"
                )

    def _new_characters(self, texts: pa.LargeStringArray) -> tuple[IntArray, pa.LargeStringArray]:
        """The characters not seen before, and for each the stretch of text around the first one there is."""
        characters = _characters(texts)
        places = np.flatnonzero(~self._is_proven[characters])
        new, firsts = np.unique(characters[places], return_index=True)
        ends = np.cumsum(pc.utf8_length(texts).to_numpy(zero_copy_only=False)) if len(new) else ()
        around = []
        for place in np.sort(places[firsts]).tolist():
            row = int(np.searchsorted(ends, place, side="right"))
            start, end = max(place - _CONTEXT, int(ends[row - 1]) if row else 0), min(place + _CONTEXT + 1, ends[row])
            around.append("".join(map(chr, characters[start:end].tolist())))
        return new, pa.array(around, pa.large_string())


class Encoder:
    """Encodes with the engine in use, at first the tokenizer's own backend."""

    def __init__(self, guarded: GuardedBackend) -> None:
        self._guarded = guarded
        self._reference = TokenizersEngine(guarded.backend)
        self._engine: Engine = self._reference

    @property
    def engine(self) -> str:
        """Its name."""
        return self._engine.name

    def use(self, name: str) -> None:
        """Encode with this engine from now on; an accelerator is not trusted for what it gave before.

        Raises:
            EngineUnavailable: it is not installed, or not made for this tokenizer.
            EngineMismatch: it gives other ids for runs of white space or control tokens.
        """
        if name == TokenizersEngine.name:
            self._engine = self._reference
        else:
            engine = ProvenEngine(_accelerator(name, self._guarded.state), self._reference)
            engine.prove(pa.array(_runs(self._guarded), pa.large_string()))
            self._engine = engine

    def encode(self, texts: pa.LargeStringArray) -> Encoded:
        return self._engine.encode(texts)

    def encode_with_spans(self, texts: pa.LargeStringArray) -> Encoded:
        """The same, with the characters each token stands for, which only the backend itself can tell."""
        return self._reference.encode_with_spans(texts)


def _runs(guarded: GuardedBackend) -> list[str]:
    """Texts that few rows have and tokenizers differ on: runs of one character, control tokens side by side."""
    names = [control.name for control in guarded.controls.values()]
    runs = [character * length for character in " \n\t\r\u3000。.-=" for length in (*range(1, 20), 33, 64, 100)]
    return [*runs, *(f"{first}{rest} \n{first}a" for first in names for rest in ("", "a", " ", "\n"))]


@lru_cache(maxsize=4)  # They take a second to make, and keep nothing of what they encode but to be faster.
def _accelerator(name: str, state: str) -> Engine:
    try:
        return _MAKERS[name](state)
    except ImportError as error:
        raise EngineUnavailable(f"engine {name!r}: {error}; pip install 'hf-builders[fast]'") from None
    except TokenizationError as error:
        raise EngineUnavailable(f"engine {name!r}: {error}") from None
    except BaseException as error:
        _reraise_if_ours(error)
        raise EngineUnavailable(f"engine {name!r}: cannot take this tokenizer ({error})") from error


@contextmanager
def _failures_told(name: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        _reraise_if_ours(error)
        raise EngineMismatch(f"{name} fails ({error})") from error


def _reraise_if_ours(error: BaseException) -> None:
    """Let stop what the user stops; a panic of Rust code is a BaseException too, and no reason to stop."""
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit | MemoryError):
        raise error


def _characters(texts: pa.LargeStringArray) -> np.ndarray[Any, Any]:
    """The code points of all texts, end to end; 16 bits each where that is enough."""
    _, offsets, data = texts.buffers()
    if not len(texts) or data is None:
        return np.zeros(0, np.uint16)
    bounds = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    words = str(memoryview(data)[bounds[0] : bounds[-1]], "utf-8")
    units = np.frombuffer(words.encode("utf-16-le", "surrogatepass"), np.uint16)
    return units if len(units) == len(words) else np.frombuffer(words.encode("utf-32-le"), np.uint32)
