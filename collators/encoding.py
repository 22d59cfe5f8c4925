"""Texts in, one flat run of token ids out: the tokenizer's own backend, by which every other engine is judged."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from tokenizers import Tokenizer

IntArray = np.ndarray[Any, np.dtype[np.int64]]
IdArray = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True)
class Encoded:
    """The tokens of N texts, end to end."""

    ids: IdArray
    starts: IntArray
    """N + 1 positions in `ids`: text `n` has the tokens `starts[n]:starts[n + 1]`."""
    spans: IntArray | None = None
    """Tokens × 2: the first character of each token in its text, and the one behind its last; if asked for."""


class Engine(Protocol):
    """Whatever encodes texts as they are, adding no tokens around them."""

    name: str

    def encode(self, texts: pa.LargeStringArray) -> Encoded: ...


class TokenizersEngine:
    """The tokenizer's own backend.

    >>> import pyarrow as pa
    >>> from tokenizers import Tokenizer, models, pre_tokenizers
    >>> backend = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    >>> backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    >>> encoded = TokenizersEngine(backend).encode(pa.array(["a b", "", "b"], pa.large_string()))
    >>> encoded.ids.tolist(), encoded.starts.tolist()
    ([0, 1, 1], [0, 2, 2, 3])
    """

    name = "tokenizers"

    def __init__(self, backend: Tokenizer) -> None:
        self._backend = backend

    def encode(self, texts: pa.LargeStringArray) -> Encoded:
        _stay_single_in_workers()
        # The fast one leaves out the offsets, which cost about a third of the time.
        return flat(self._backend.encode_batch_fast(texts.to_pylist(), add_special_tokens=False))

    def encode_with_spans(self, texts: pa.LargeStringArray) -> Encoded:
        """The same, with the characters each token stands for."""
        _stay_single_in_workers()
        encodings = self._backend.encode_batch(texts.to_pylist(), add_special_tokens=False)
        without = flat(encodings)
        pairs = chain.from_iterable(chain.from_iterable(encoding.offsets for encoding in encodings))
        spans = np.fromiter(pairs, np.int64, 2 * len(without.ids)).reshape(-1, 2)
        return Encoded(without.ids, without.starts, spans)


def flat(encodings: Sequence[Any]) -> Encoded:
    """Encodings of `tokenizers`, end to end."""
    return joined([encoding.ids for encoding in encodings])


def joined(ids: Sequence[Sequence[int]]) -> Encoded:
    """Lists of ids, end to end.

    >>> joined([[7, 8], [], [9]]).starts.tolist()
    [0, 2, 2, 3]
    """
    starts = np.zeros(len(ids) + 1, np.int64)
    np.cumsum([len(row) for row in ids], out=starts[1:])
    return Encoded(np.fromiter(chain.from_iterable(ids), np.int32, int(starts[-1])), starts)


def num_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_worker_process() -> bool:
    """Whether other processes share the cores with this one: it is a worker of a map or of a DataLoader."""
    return multiprocessing.parent_process() is not None


def _stay_single_in_workers() -> None:
    """One thread a worker: more would fight for the cores; those from before a fork are gone, waited for in vain."""
    if in_worker_process():
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
