"""A `vocab.txt` alone, as the original BERT releases have it, in; the fast tokenizer of that model out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from collators.errors import TokenizationError

VOCABULARY = "vocab.txt"
_CONFIG = "tokenizer_config.json"
_NEEDED = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_OPTIONS = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")


def is_bare_vocabulary(folder: Path) -> bool:
    """Whether a folder has a `vocab.txt` and nothing that tells `AutoTokenizer` what to make of it.

    Nor does a `bert_config.json` of the original releases, renamed `config.json` or not: it has no `model_type`.
    """
    if not (folder / VOCABULARY).is_file() or (folder / "tokenizer.json").exists():
        return False
    return "tokenizer_class" not in _read(folder / _CONFIG) and "model_type" not in _read(folder / "config.json")


def load_bert(folder: Path) -> Any:
    """The BERT tokenizer of a vocabulary, a piece a line, its number the id.

    A vocabulary that has no piece with an upper-case letter is an uncased one, as Chinese BERT and RoBERTa have;
    `do_lower_case` in a `tokenizer_config.json` goes before that.

    Raises:
        TokenizationError: the file is no such vocabulary.
    """
    from transformers import BertTokenizer

    path = folder / VOCABULARY
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise TokenizationError(f"{path}: not UTF-8 ({error.reason}); fetch the file again") from None
    if not lines[-1]:
        lines.pop()
    pieces = {line.rstrip("\r"): id_ for id_, line in enumerate(lines)}
    if absent := [piece for piece in _NEEDED if piece not in pieces]:
        raise TokenizationError(f"{path}: has no piece {', '.join(absent)}; is it the vocab.txt of a BERT model?")
    if len(pieces) < len(lines):
        twin = next(line for id_, line in enumerate(lines) if pieces[line.rstrip("\r")] != id_)
        raise TokenizationError(f"{path}: the piece {twin!r} stands there twice; fetch the file again")
    words = (piece.removeprefix("##") for piece in pieces)
    is_uncased = not any(word.isalpha() and word != word.lower() for word in words)  # `[CLS]` and `<S>` are no words
    given = _read(folder / _CONFIG)
    options = {name: value for name, value in given.items() if name in _OPTIONS and value is not None}
    for name, value in options.items():
        if not isinstance(value, bool):
            raise TokenizationError(f"{folder / _CONFIG}: {name} is {value!r}; expected true or false")
    return BertTokenizer(vocab=pieces, **{"do_lower_case": is_uncased, **options})


def _read(path: Path) -> dict[str, Any]:
    """What a JSON file says; nothing if there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise TokenizationError(f"{path}: not JSON ({error}); fetch the file again") from None
    return content if isinstance(content, dict) else {}
