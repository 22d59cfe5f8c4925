"""Small tokenizers of encoders, one of each family, and texts with what may be hard for them."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = [
    *SPECIALS, *"谁在哪里来了多少年？，。：灯塔高米小明和红", "1958", "##年", "19", "##58", "3", "##1", "31", "hello",
    "world", "wor", "##ld", "he", "##llo", "a", "b", "##a", "##b", "e", "##e", "mask", "sep", "cls", "[", "]", "<", ">",
    "/", "s", "(", ")", "-",
]  # fmt: skip
IDS = {piece: id_ for id_, piece in enumerate(PIECES)}
TRAINED_ON = [
    "hello world, 小明和小红 hello",
    "灯塔高31米，在1958年。",
    "谁在哪里来了多少年？",
    "a b ab (hello) [world] mask",
] * 3


def bert(**options: Any) -> Any:
    from transformers import BertTokenizer

    return BertTokenizer(vocab=dict(IDS), **options)


def distilbert() -> Any:
    """As BERT, for a model that knows no token_type_ids."""
    from transformers import DistilBertTokenizer

    tokenizer = DistilBertTokenizer(vocab=dict(IDS))
    assert "token_type_ids" not in tokenizer.model_input_names
    return tokenizer


def cased() -> Any:
    """Upper case, accents and Chinese words stay as they are."""
    return bert(do_lower_case=False, strip_accents=False, tokenize_chinese_chars=False)


def roberta(*, trim_offsets: bool = True) -> Any:
    """Bytes; several tokens may stand for one character, and a space belongs to the word behind it."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import RobertaTokenizer

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=alphabet, special_tokens=specials, show_progress=False
    )
    backend.train_from_iterator(TRAINED_ON, trainer)
    model = json.loads(backend.to_str())["model"]
    merges = [tuple(merge) for merge in model["merges"]]
    return RobertaTokenizer(vocab=model["vocab"], merges=merges, trim_offsets=trim_offsets)


def _pieces(specials: list[str]) -> list[tuple[str, float]]:
    words = ["▁", "▁hello", "▁wor", "ld", "▁he", "llo", "1958", "年", "31", "小明"]
    characters = sorted({*"".join(TRAINED_ON)} - {" ", "年"})
    scores = [(piece, -float(number)) for number, piece in enumerate([*words, *characters], 2)]
    return [(piece, 0.0) for piece in specials] + scores


def albert() -> Any:
    from transformers import AlbertTokenizer

    return AlbertTokenizer(vocab=_pieces(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]))


def xlm_roberta() -> Any:
    from transformers import XLMRobertaTokenizer

    return XLMRobertaTokenizer(vocab=_pieces(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]))


def deberta() -> Any:
    """Counts the space before a word to the word."""
    from transformers import DebertaV2Tokenizer

    return DebertaV2Tokenizer(vocab=_pieces(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))


MAKERS: dict[str, Callable[[], Any]] = {
    "bert": bert,
    "cased": cased,
    "distilbert": distilbert,
    "roberta": roberta,
    "roberta_untrimmed": lambda: roberta(trim_offsets=False),
    "albert": albert,
    "xlm_roberta": xlm_roberta,
    "deberta": deberta,
}


@cache
def encoder_of(family: str) -> Any:
    """The same one for all who only read it."""
    return MAKERS[family]()


# Pieces of the vocabularies and others, upper case, accents in one character and in two, width, signs, controls.
_PARTS = [
    *"谁在灯塔高米小明和红年？，。", "龘", "𠮷", "hello", "world", "Hello", "ABBA", "a", "b", "1958年", "31", "3.5",
    " ", "  ", "\u3000", "\n", "\t", "😀", "👩\u200d👩\u200d👧", "é", "e\u0301", "ạ\u0323\u0301", "ﬁ", "Ⅷ", "ＡＢ",
    "㎏", "\u200b", "\x00", "\x07", "\ufffd", "\u0301", "-", "(", "]", "<", "“", "…", "İ",
]  # fmt: skip
_CONTROLS = [*map(str.lower, SPECIALS), "<s>", "</s>", "<pad>", "<unk>", "<mask>"]


def texts(max_parts: int = 30) -> st.SearchStrategy[str]:
    """Texts without control tokens, as transformers' tokenizers would take these for such."""
    runs = st.lists(st.sampled_from(_PARTS), max_size=max_parts).map("".join)
    any_text = runs | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    return any_text.filter(lambda text: not any(control in text.lower() for control in _CONTROLS))


def kept(text: str) -> str:
    """What a tokenizer keeps of a text, whatever its family: no white space, controls and accents, and one case."""
    plain = unicodedata.normalize("NFKD", text).lower()
    dropped = ("Mn", "Mc", "Me", "Cc", "Cf", "Zs", "Zl", "Zp", "Co", "Cn")
    return "".join(
        char for char in plain if unicodedata.category(char) not in dropped and not char.isspace() and char != "\ufffd"
    )
