"""A SentencePiece BPE model file in, an equal `tokenizers` backend out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collators.errors import TokenizationError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# SentencePiece's own numbers (sentencepiece_model.proto): TrainerSpec.ModelType and SentencePiece.Type.
BPE = 2
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6


def convert(path: Path, specials: Sequence[str]) -> Tokenizer:
    """Rebuild the model in `path` piece by piece: same pieces, same ids, same choice of merges.

    `specials` become control tokens with the ids that follow the model's own. Control pieces of the model
    (`<s>`, `</s>`) and `<unk>` are control tokens too.

    Raises:
        TokenizationError: `path` is no SentencePiece model, or one with features that this conversion does not carry.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

    model = _read(path)
    pieces = [piece.piece for piece in model.pieces]
    scores = {piece.piece: piece.score for piece in model.pieces if piece.type == NORMAL}
    unk_id = model.trainer_spec.unk_id
    backend = Tokenizer(
        models.BPE(
            vocab={piece: id_ for id_, piece in enumerate(pieces)},
            merges=_merges(scores),
            unk_token=pieces[unk_id],
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    # SentencePiece writes a space as U+2581 and puts one, the dummy prefix, before every text that is not empty.
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    controls = [p.piece for id_, p in enumerate(model.pieces) if p.type == CONTROL or id_ == unk_id]
    backend.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in [*controls, *specials]])
    return backend


def _read(path: Path) -> Any:
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError:
        raise TokenizationError(
            f"{path}: not a SentencePiece model (GLM-4's file of this name is a tiktoken rank list); "
            "use the -hf release of the model, whose tokenizer.json needs no conversion"
        ) from None
    spec, normalizer = model.trainer_spec, model.normalizer_spec
    facts = {
        f"model_type {spec.model_type} is not BPE ({BPE})": spec.model_type != BPE,
        "byte_fallback is off": not spec.byte_fallback,
        "there is no dummy prefix": not normalizer.add_dummy_prefix,
        "extra white space is removed": normalizer.remove_extra_whitespaces,
        "text is normalized": bool(normalizer.precompiled_charsmap),
        "white space is a suffix": spec.treat_whitespace_as_suffix,
        "it has user-defined pieces": any(piece.type == USER_DEFINED for piece in model.pieces),
        "a piece spans lines": any("\n" in piece.piece for piece in model.pieces),
    }
    found = [fact for fact, is_so in facts.items() if is_so]
    if found:
        raise TokenizationError(
            f"{path}: {'; '.join(found)}: not the kind of model ChatGLM3 has; save a tokenizer.json with the model's "
            "own code and load that folder"
        )
    return model


def _merges(scores: dict[str, float]) -> list[tuple[str, str]]:
    """Every way to join two pieces into a third, best first.

    SentencePiece joins the pair whose result scores best, leftmost first. Pairs with the same result share its
    score; there the longer left piece goes first, as when a run of one character is eaten from its left end.
    """
    merges = [
        (-score, -cut, piece[:cut], piece[cut:])
        for piece, score in scores.items()
        for cut in range(1, len(piece))
        if piece[:cut] in scores and piece[cut:] in scores
    ]
    merges.sort(key=lambda merge: merge[:2])
    return [(left, right) for _, _, left, right in merges]
