"""Token ids in, the text each of them stands for out: no half characters, and joined exactly what decoding gives."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

_HALF = "\ufffd"
"""What decoders write for bytes that are no character, or not yet one."""


class TokenText(NamedTuple):
    """The tokens `start` to `end`, and their text: more than one token only where they share a character."""

    start: int
    end: int
    text: str


def token_texts(ids: Sequence[int], tokenizer: Any, control_ids: Collection[int]) -> list[TokenText]:
    """The text of every token, in order; joined they are `tokenizer.decode(ids)`, special tokens included.

    Tokens that hold bytes of one character go together; a control token always stands alone. As in decoding, what
    SentencePiece puts before a text (its dummy prefix) is a space, but for the first of the row, which is not shown.

    >>> from tokenizers import Tokenizer, decoders, models
    >>> from transformers import PreTrainedTokenizerFast
    >>> backend = Tokenizer(models.BPE({"<0xE4>": 0, "<0xB8>": 1, "<0xAD>": 2, "a": 3}, []))
    >>> backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    >>> [tuple(each) for each in token_texts([3, 0, 1, 2, 3], PreTrainedTokenizerFast(tokenizer_object=backend), ())]
    [(0, 1, 'a'), (1, 4, '中'), (4, 5, 'a')]
    """
    backend = tokenizer.backend_tokenizer

    def decode(start: int, end: int) -> str:
        return str(backend.decode(list(ids[start:end]), skip_special_tokens=False))

    found: list[TokenText] = []
    start = 0
    while start < len(ids):
        end = start + 1
        while True:
            # What a token stands for depends on the one before it: alone, it might lose its space.
            context = found[-1].start if found else start
            before, text = decode(context, start), decode(context, end)
            if not text.startswith(before) and ids[found[-1].start] not in control_ids:
                start = found.pop().start  # Bytes that turn out to be no character take those before them along.
            elif text.endswith(_HALF) and end < len(ids) and not {ids[end - 1], ids[end]} & set(control_ids):
                end += 1
            else:
                break
        found.append(TokenText(start, end, text[len(before) :]))
        start = end
    return found


def visible(text: str) -> str:
    """Text on one line: a newline as ⏎, and what else has no shape of its own, or could steer a terminal, by a sign.

    >>> visible("a\\nb\\t\\x1b[31m")
    'a⏎b␉␛[31m'
    """
    return "".join(map(_sign, text)) if any(map(_is_shapeless, text)) else text


def _is_shapeless(char: str) -> bool:
    # Line and paragraph separators, control characters, and those that turn the direction of writing.
    return unicodedata.category(char) in ("Cc", "Zl", "Zp") or unicodedata.bidirectional(char) in _DIRECTIONS


_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def _sign(char: str) -> str:
    if char == "\n":
        return "⏎"
    if not _is_shapeless(char):
        return char
    code = ord(char)
    return chr(0x2400 + code) if code < 0x20 else f"\\u{code:04x}"
