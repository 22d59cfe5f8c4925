"""SentencePiece itself, with threads, for tokenizers that are a SentencePiece BPE model (ChatGLM3, Llama 2)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from collators.encoding import Encoded, in_worker_process, joined, num_cores
from collators.errors import TokenizationError
from collators.sentencepiece_bpe import BPE, BYTE, NORMAL, UNKNOWN, USER_DEFINED

_PREPEND = {"type": "Prepend", "prepend": "▁"}
_ESCAPE = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
_BYTE_PIECE = re.compile(r"<0x[0-9A-F]{2}>")


class SentencePieceEngine:
    """Rebuilds the model from a backend's JSON: its pieces by id, scored by the merges that make them.

    Raises:
        TokenizationError: the backend does not work as SentencePiece's BPE does.
    """

    name = "sentencepiece"

    def __init__(self, state: str) -> None:
        from sentencepiece import SentencePieceProcessor

        config = json.loads(state)
        self._prefixed = _prefixed_stretches(config)
        self._processor = SentencePieceProcessor(model_proto=_model(config))
        added = sorted((re.escape(token["content"]) for token in config["added_tokens"]), key=len, reverse=True)
        self._added = f"({'|'.join(added)})" if added else ""

    def encode(self, texts: pa.LargeStringArray) -> Encoded:
        # Its threads live for one call, so that none is missed after a fork.
        num_threads = 1 if in_worker_process() else num_cores()
        return joined(self._processor.encode(self._with_prefixes(texts).to_pylist(), num_threads=num_threads))

    def _with_prefixes(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        """Put the dummy prefix, a space, where the backend does: SentencePiece knows only whole texts."""
        kind = pa.large_string()
        space, nothing = pa.scalar(" ", kind), pa.scalar("", kind)
        prefixed = pc.binary_join_element_wise(space, texts, nothing)
        if self._added:
            if self._prefixed == "all":
                prefixed = pc.replace_substring_regex(prefixed, self._added, r"\1 ")
                # Where two added tokens meet, nothing stands between them that could have a prefix. Each pass sees
                # every second meeting.
                for _ in range(2):
                    prefixed = pc.replace_substring_regex(prefixed, f"{self._added} {self._added}", r"\1\2")
                prefixed = pc.replace_substring_regex(prefixed, f"{self._added} $", r"\1")
            prefixed = pc.replace_substring_regex(prefixed, f"^ {self._added}", r"\1")
        if self._prefixed == "first":
            # Metaspace leaves alone a text that has its space already.
            has_one = pc.match_substring_regex(texts, "^[ ▁]")
            prefixed = pc.if_else(has_one, texts, prefixed)
        return pc.if_else(pc.equal(texts, nothing), texts, prefixed)


def _prefixed_stretches(config: dict[str, Any]) -> Literal["all", "first"]:
    """Which of the stretches between added tokens get the dummy prefix."""
    model, normalizer, pre_tokenizer = config["model"], config["normalizer"], config["pre_tokenizer"]
    is_bpe = model["type"] == "BPE" and model.get("byte_fallback") and not model.get("dropout")
    plain = not any(model.get(name) for name in ("continuing_subword_prefix", "end_of_word_suffix", "ignore_merges"))
    flags = ("single_word", "lstrip", "rstrip")
    tidy = not any(" " in token["content"] or any(map(token.get, flags)) for token in config["added_tokens"])
    if is_bpe and plain and tidy:
        if normalizer == {"type": "Sequence", "normalizers": [_PREPEND, _ESCAPE]} and pre_tokenizer is None:
            return "all"
        metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
        if normalizer is None and pre_tokenizer == metaspace:
            return "first"
    raise TokenizationError("the tokenizer is not a SentencePiece BPE model")


def _check_merges(pieces: Sequence[str], merges: Sequence[Sequence[str]]) -> None:
    """SentencePiece joins any two pieces that make a third, the best result first: so must the merges.

    Raises:
        TokenizationError: they do not.
    """
    places: dict[str, list[int]] = {}
    for rank, pair in enumerate(merges):
        places.setdefault("".join(pair), []).append(rank)
    known = set(pieces)
    for piece in pieces:
        num_pairs = sum(piece[:cut] in known and piece[cut:] in known for cut in range(1, len(piece)))
        ranks = places.get(piece, [])
        # Llama 2 has the merges of its runs of spaces in another order; `engines` compares runs.
        is_scattered = ranks and ranks[-1] - ranks[0] != num_pairs - 1 and len(set(piece)) > 1
        if len(ranks) != num_pairs or is_scattered:
            raise TokenizationError(f"the tokenizer merges {piece!r} as no SentencePiece model does")


def _model(config: dict[str, Any]) -> bytes:
    from sentencepiece import sentencepiece_model_pb2

    vocab, added = config["model"]["vocab"], {token["content"]: token["id"] for token in config["added_tokens"]}
    pieces = sorted({**vocab, **added}.items(), key=lambda item: item[1])
    if [id_ for _, id_ in pieces] != list(range(len(pieces))):
        raise TokenizationError("the tokenizer's ids have gaps, which a SentencePiece model cannot have")
    ranks: dict[str, int] = {}
    for rank, pair in enumerate(config["model"]["merges"]):
        ranks.setdefault("".join(pair), rank)
    _check_merges([text for text, _ in pieces if text not in added], config["model"]["merges"])
    model = sentencepiece_model_pb2.ModelProto()
    for text, _ in pieces:
        kind = NORMAL
        if text in added:
            kind = USER_DEFINED
        elif _BYTE_PIECE.fullmatch(text):
            kind = BYTE
        model.pieces.add(piece=text, score=-float(ranks.get(text, len(ranks))), type=kind)
    spec = model.trainer_spec
    # A model must have a piece for what it does not know; here bytes stand for that, and no text gives this one.
    model.pieces.add(piece="<not known>", score=0, type=UNKNOWN)
    spec.model_type, spec.byte_fallback, spec.vocab_size = BPE, True, len(pieces) + 1
    spec.bos_id = spec.eos_id = spec.pad_id = -1
    spec.unk_id = len(pieces)
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = False
    model.normalizer_spec.remove_extra_whitespaces = False
    return bytes(model.SerializeToString())
