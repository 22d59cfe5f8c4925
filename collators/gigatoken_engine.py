"""gigatoken (extra `fast`): byte-level and SentencePiece-like BPE, Arrow in and out, faster than all others."""

from __future__ import annotations

import math
import mmap
from typing import Any

import numpy as np
import pyarrow as pa

from collators.encoding import Encoded
from collators.errors import TokenizationError

_MOST_BYTES = 64 * 2**20
"""Of text, after which it is made anew if memory grew: it remembers every word, and Chinese has no end of these."""
_MOST_GROWTH = 384 * 2**20
"""Bytes of memory that this process may take more than when it was first made."""


class GigatokenEngine:
    """Encodes with a backend's JSON.

    Raises:
        ImportError: gigatoken is not installed.
        Exception: it does not know this kind of tokenizer.
    """

    name = "gigatoken"

    def __init__(self, state: str) -> None:
        if '"single_word":true' in state:
            raise TokenizationError("the tokenizer has added tokens that are whole words only, which it does not know")
        self._state = state
        self._tokenizer = self._made_anew()
        self._memory_at_first = _memory()

    def encode(self, texts: pa.LargeStringArray) -> Encoded:
        import awkward as ak

        self._num_bytes += texts.nbytes
        if self._num_bytes > _MOST_BYTES and _memory() >= self._memory_at_first + _MOST_GROWTH:
            # Another thread may still be at work with the old one; it goes when nobody is.
            self._tokenizer = self._made_anew()
        # In worker processes and after a fork it uses one thread, by itself.
        layout = self._tokenizer.encode_batch(ak.from_arrow(texts)).layout
        starts = np.asarray(layout.offsets.data, np.int64)
        ids = np.asarray(layout.content.data).view(np.int32)
        return Encoded(ids[starts[0] : starts[-1]], starts - starts[0])

    def _made_anew(self) -> Any:
        import gigatoken

        self._num_bytes = 0
        return gigatoken.Tokenizer.from_json(self._state)


def _memory() -> float:
    """Bytes this process holds; without end where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * mmap.PAGESIZE
    except OSError:
        return math.inf
