"""Texts in, their tokens out, each with the characters it stands for, as an encoder's tokenizer gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from collators.controls import GuardedBackend
from collators.encoding import IdArray, IntArray, TokenizersEngine
from collators.pair_frames import PairFrame, Parts, read_frame
from collators.tokenizers import backend_json

_FAR = 1 << 40  # more than any text has characters


@dataclass(frozen=True)
class TextTokens:
    """The tokens of N texts; texts that are the same share theirs."""

    ids: IdArray
    spans: IntArray
    """Tokens × 2: the first character of a token in its text, and the one behind its last."""
    numbers: IntArray
    """N: the number of a text among the distinct ones, whose tokens lie end to end in this order."""
    bounds: IntArray
    """Distinct texts + 1: where in `ids` the tokens of each begin."""

    @property
    def starts(self) -> IntArray:
        return self.bounds[self.numbers]

    @property
    def lengths(self) -> IntArray:
        return self.bounds[self.numbers + 1] - self.starts

    def tokens_of(self, texts: IntArray, first_chars: IntArray, end_chars: IntArray) -> tuple[IntArray, IntArray]:
        """The first and the last token that stand for any of some characters; none does where last < first.

        Args:
            texts: A places of texts among the N.
            first_chars, end_chars: A; of each the first character, and the one behind the last.
        """
        numbers = self.numbers[texts]
        far = np.repeat(np.arange(len(self.bounds) - 1) * _FAR, np.diff(self.bounds))
        # One search in all texts: characters of a later text are farther than any of an earlier one.
        first = np.searchsorted(self.spans[:, 1] + far, first_chars + numbers * _FAR, side="right")
        last = np.searchsorted(self.spans[:, 0] + far, end_chars + numbers * _FAR, side="left") - 1
        return first - self.bounds[numbers], last - self.bounds[numbers]

    def parts(self, texts: IntArray, begins: IntArray, lengths: IntArray) -> Parts:
        """R parts: of each the text, its first token and the number of its tokens."""
        return Parts(self.ids, self.bounds[self.numbers[texts]] + begins, lengths)


class EncoderTexts:
    """What of a fast tokenizer makes the rows of an encoder. Text never becomes a control token. Can be pickled."""

    def __init__(self, tokenizer: Any) -> None:
        # Plain values only: what is pickled is what decides the result, and nothing that calls change.
        self._state = backend_json(tokenizer)
        self._controls = "\n".join(tokenizer.all_special_tokens)
        self.has_type_ids = "token_type_ids" in tokenizer.model_input_names
        self._make()

    def frame(self, num_texts: int) -> PairFrame:
        """The special tokens around one text or two."""
        return self._frames[num_texts]

    def encode(self, texts: pa.Array | pa.ChunkedArray) -> TextTokens:
        """The tokens of N texts without special ones; each distinct text is encoded once."""
        distinct = (texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts).dictionary_encode()
        encoded = self._engine.encode_with_spans(distinct.dictionary)
        assert encoded.spans is not None  # it was asked for them
        return TextTokens(encoded.ids, encoded.spans, distinct.indices.to_numpy().astype(np.int64), encoded.starts)

    def _make(self) -> None:
        from tokenizers import Tokenizer

        original = Tokenizer.from_str(self._state)
        self._frames = {number: read_frame(original, num_texts=number) for number in (1, 2)}
        guarded = GuardedBackend(self._state, [self._controls]).backend
        if original.post_processor is not None:  # with some tokenizers it takes white space off the characters
            guarded.post_processor = original.post_processor
        self._engine = TokenizersEngine(guarded)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_frames", "_engine")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make()
