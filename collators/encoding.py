"""Texts in, one flat run of token ids out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

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


def encode(backend: Tokenizer, texts: pa.LargeStringArray, *, with_spans: bool = False) -> Encoded:
    """Encode every text as it is, adding no tokens around it.

    >>> import pyarrow as pa
    >>> from tokenizers import Tokenizer, models, pre_tokenizers
    >>> backend = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    >>> backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    >>> encoded = encode(backend, pa.array(["a b", "", "b"], pa.large_string()))
    >>> encoded.ids.tolist(), encoded.starts.tolist()
    ([0, 1, 1], [0, 2, 2, 3])
    """
    words = texts.to_pylist()
    # encode_batch_fast leaves out the offsets, which cost about a third of the time.
    batch = backend.encode_batch if with_spans else backend.encode_batch_fast
    encodings = batch(words, add_special_tokens=False)
    ids = [encoding.ids for encoding in encodings]
    starts = np.zeros(len(ids) + 1, np.int64)
    np.cumsum([len(row) for row in ids], out=starts[1:])
    flat = np.fromiter(chain.from_iterable(ids), np.int32, int(starts[-1]))
    return Encoded(flat, starts, _spans(encodings, int(starts[-1])) if with_spans else None)


def _spans(encodings: Sequence[Any], num_tokens: int) -> IntArray:
    pairs = chain.from_iterable(chain.from_iterable(encoding.offsets for encoding in encodings))
    return np.fromiter(pairs, np.int64, 2 * num_tokens).reshape(-1, 2)
