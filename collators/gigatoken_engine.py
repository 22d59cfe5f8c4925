"""gigatoken (extra `fast`): byte-level and SentencePiece-like BPE, Arrow in and out, faster than all others."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from collators.encoding import Encoded
from collators.errors import TokenizationError


class GigatokenEngine:
    """Encodes with a backend's JSON.

    Raises:
        ImportError: gigatoken is not installed.
        Exception: it does not know this kind of tokenizer.
    """

    name = "gigatoken"

    def __init__(self, state: str) -> None:
        import gigatoken

        if '"single_word":true' in state:
            raise TokenizationError("the tokenizer has added tokens that are whole words only, which it does not know")
        self._tokenizer = gigatoken.Tokenizer.from_json(state)

    def encode(self, texts: pa.LargeStringArray) -> Encoded:
        import awkward as ak

        # In worker processes and after a fork it uses one thread, by itself.
        layout = self._tokenizer.encode_batch(ak.from_arrow(texts)).layout
        starts = np.asarray(layout.offsets.data, np.int64)
        ids = np.asarray(layout.content.data).view(np.int32)
        return Encoded(ids[starts[0] : starts[-1]], starts - starts[0])
