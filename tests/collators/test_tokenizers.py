"""A ChatGLM3 folder becomes a fast tokenizer equal to SentencePiece, and stays one when saved."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="load_tokenizer gives a transformers tokenizer")
spm = pytest.importorskip("sentencepiece", reason="the reference for ChatGLM3's ids")

from datasets import Dataset  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from collators import TokenizationError, load_tokenizer, token_rows, tokenize  # noqa: E402
from collators.tokenizers import CHATGLM3_SPECIALS  # noqa: E402

ODD_TEXTS = [
    "", " ", "  ", "   a", "a  b ", "\n", "\r\n", "\t", "\x00", "a\x00b", "\x07\x1b[0m", "▁", "▁▁", "▁ ▁", "😀👩‍👩‍👧🇨🇳",
    "ＡＢＣ１２３，。！", "\u3000缩进", "e\u0301", "\ufffd", "\ufeffbom", "\u200b", "\U000e0001", "\U0003ffff",
    "------------", "=====  =====", "aaaaaaaaaaa", "abababababa", "哈哈哈哈哈哈", "<0x41>", "<", "<s", "s>", "\u2028",
    "١٢٣", "ไทย", "\u0378", "𠮷野家",
]  # fmt: skip
# Where these stand in text, a tokenizer that reads templates takes them for control tokens; our own path does not.
CONTROL_TEXTS = ["<s>", "</s>", "<unk>", "a</s>b", *CHATGLM3_SPECIALS, "<|user|>\n hi", "[gMASK]sop<|user|>"]


def any_text() -> st.SearchStrategy[str]:
    odd = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    runs = st.builds(lambda chars, n: chars * n, st.text(" ▁ab-=\n的哈", min_size=1, max_size=3), st.integers(1, 9))
    return st.lists(st.one_of(odd, runs, st.sampled_from(ODD_TEXTS)), max_size=6).map("".join)


def without_controls(text: str) -> bool:
    return not any(control in text for control in ("<s>", "</s>", "<unk>", *CHATGLM3_SPECIALS))


def check_equal(tokenizer: Any, reference: Any, texts: list[str]) -> None:
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
    for text, ids, expected in zip(texts, encoded, reference.encode(texts), strict=True):
        assert ids == expected, repr(text)


@pytest.fixture(scope="module")
def small(chatglm_folder: Path) -> tuple[Any, Any]:
    reference = spm.SentencePieceProcessor(model_file=str(chatglm_folder / "tokenizer.model"))
    return load_tokenizer(chatglm_folder), reference


@pytest.fixture(scope="module")
def real(shared_tokenizer: Callable[[str], Path]) -> tuple[Any, Any]:
    folder = shared_tokenizer("chatglm3")
    return load_tokenizer(folder), spm.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))


def test_small_model_equals_sentencepiece_on_odd_texts(small: tuple[Any, Any]) -> None:
    check_equal(*small, ODD_TEXTS)


@given(text=any_text().filter(without_controls))
@settings(max_examples=500, deadline=None)
def test_small_model_equals_sentencepiece_on_any_text(small: tuple[Any, Any], text: str) -> None:
    check_equal(*small, [text])


def test_specials_follow_the_vocabulary(small: tuple[Any, Any]) -> None:
    tokenizer, reference = small
    size = reference.get_piece_size()
    assert tokenizer.convert_tokens_to_ids(list(CHATGLM3_SPECIALS)) == list(range(size, size + 9))
    assert len(tokenizer) == size + 9
    names = ("unk_token", "pad_token", "bos_token", "eos_token")
    assert [(getattr(tokenizer, n), getattr(tokenizer, f"{n}_id")) for n in names] == [
        ("<unk>", 0), ("<unk>", 0), ("<s>", 1), ("</s>", 2),
    ]  # fmt: skip
    assert tokenizer.padding_side == "left"


def test_decoding_gives_the_text_back(small: tuple[Any, Any]) -> None:
    tokenizer, reference = small
    num_checked = 0
    for text in ODD_TEXTS:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == reference.decode(ids) or "\ufffd" in reference.decode(ids), repr(text)
        if "▁" not in text:  # SentencePiece writes a space so, and cannot tell the two apart either.
            assert tokenizer.decode(ids) == text
            num_checked += 1
    assert num_checked > 30


def chatglm3_ids(reference: Any, messages: list[dict[str, str]]) -> list[int]:
    """The format, from its description: every piece of text encoded on its own."""
    size = reference.get_piece_size()
    special = {name: size + place for place, name in enumerate(CHATGLM3_SPECIALS)}
    ids = [special["[gMASK]"], special["sop"]]
    for message in messages:
        ids += [special[f"<|{message['role']}|>"], *reference.encode("\n"), *reference.encode(message["content"])]
    return [*ids, 2]


ODD_CHATS = [
    [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    for question in ODD_TEXTS
    for answer in ("", " a", "\n\nb", "fine")
]


def test_saved_tokenizer_loads_anywhere_with_the_format_in_its_template(small: tuple[Any, Any], tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer, reference = small
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    for chat in ODD_CHATS:
        text = loaded.apply_chat_template(chat, tokenize=False)
        assert loaded(text, add_special_tokens=False)["input_ids"] == chatglm3_ids(reference, chat)
        prompt = loaded.apply_chat_template(chat[:1], add_generation_prompt=True, return_dict=False)
        assert prompt == [*chatglm3_ids(reference, chat[:1])[:-1], reference.get_piece_size() + 7]
    assert loaded.decode(loaded("  hi there", add_special_tokens=False)["input_ids"]) == "  hi there"
    assert loaded("a")["input_ids"] == tokenizer("a")["input_ids"] == [
        tokenizer.convert_tokens_to_ids("[gMASK]"), tokenizer.convert_tokens_to_ids("sop"), *reference.encode("a"),
    ]  # fmt: skip


@pytest.mark.realdata
def test_real_chatglm3_has_its_ids(real: tuple[Any, Any]) -> None:
    tokenizer, _ = real
    assert tokenizer.convert_tokens_to_ids(list(CHATGLM3_SPECIALS)) == list(range(64789, 64798))


@pytest.mark.realdata
@given(text=any_text().filter(without_controls))
@settings(max_examples=3000, deadline=None)
def test_real_chatglm3_equals_sentencepiece_on_any_text(real: tuple[Any, Any], text: str) -> None:
    check_equal(*real, [text])


@pytest.mark.realdata
def test_real_chatglm3_equals_sentencepiece_on_repeated_patterns(real: tuple[Any, Any]) -> None:
    """Runs make many pairs with one score, where the choice of the leftmost shows."""
    draw = random.Random(0)
    letters = list(" ▁ab\n\r中的。是-=_*/#.,\"'12 0oeniast\t{}()")
    texts = [
        "".join(draw.choices(draw.sample(letters, draw.randint(1, 4)), k=draw.randint(1, 40))) for _ in range(10_000)
    ]
    check_equal(*real, texts)


@pytest.mark.realdata
def test_real_chatglm3_equals_sentencepiece_on_all_real_texts(
    real: tuple[Any, Any], real_conversations: list[list[dict[str, str]]]
) -> None:
    check_equal(*real, [message["content"] for chat in real_conversations for message in chat])


@pytest.mark.realdata
def test_real_template_gives_the_format_on_all_real_rows(
    real: tuple[Any, Any], real_conversations: list[list[dict[str, str]]]
) -> None:
    tokenizer, reference = real
    for chat in [*real_conversations, *ODD_CHATS]:
        assert tokenizer.apply_chat_template(chat, return_dict=False) == chatglm3_ids(reference, chat)


def test_a_string_path_will_do(chatglm_folder: Path) -> None:
    assert len(load_tokenizer(str(chatglm_folder))) == len(load_tokenizer(chatglm_folder))


def test_a_chatglm2_folder_gets_its_own_format(chatglm_folder: Path, tmp_path: Path) -> None:
    config = {"tokenizer_class": "ChatGLMTokenizer", "name_or_path": "THUDM/chatglm2-6b"}
    write(tmp_path, tokenizer__model=(chatglm_folder / "tokenizer.model").read_bytes(), tokenizer_config__json=config)
    tokenizer = load_tokenizer(tmp_path)
    assert len(tokenizer) == len(load_tokenizer(chatglm_folder)) - 4
    rows = Dataset.from_dict({"prompt": ["q"], "completion": ["a"]})
    with pytest.raises(TokenizationError, match=r"template='chatglm3': the tokenizer has no control token '<\|system"):
        tokenize(rows, tokenizer, template="chatglm3")
    # The original encodes the whole prompt, and the last answer on its own; the answer and its end are trained.
    spm = pytest.importorskip("sentencepiece")
    reference = spm.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    prompt = "[Round 1]\n\n问：hello\n\n答：world\n\n[Round 2]\n\n问： a\n\n答："
    chat = [("user", "hello"), ("assistant", "world"), ("user", " a"), ("assistant", " b c")]
    messages = [[{"role": role, "content": content} for role, content in chat]]
    (row,) = token_rows(Dataset.from_dict({"messages": messages}), tokenizer)
    asked = [*tokenizer.convert_tokens_to_ids(["[gMASK]", "sop"]), *reference.encode(prompt)]
    answer = [*reference.encode(" b c"), tokenizer.eos_token_id]
    assert (row["input_ids"], row["labels"]) == (asked + answer, [-100] * len(asked) + answer)


def test_any_other_folder_goes_to_auto_tokenizer(tokenizer_of: Callable[..., Any], tmp_path: Path) -> None:
    tokenizer_of().save_pretrained(tmp_path)
    assert load_tokenizer(tmp_path)("hello")["input_ids"] == tokenizer_of()("hello")["input_ids"]


def write(folder: Path, **files: Any) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def test_what_cannot_be_loaded_is_named(tmp_path: Path, chatglm_folder: Path) -> None:
    def message(path: Any) -> str:
        with pytest.raises(TokenizationError) as raised:
            load_tokenizer(path)
        return str(raised.value).replace(str(tmp_path), "TMP")

    assert message(tmp_path / "no") == "TMP/no: no such folder; expected a model folder or the name of one on the hub"
    assert message(tmp_path).startswith("TMP: AutoTokenizer cannot load it (")
    config = {"auto_map": {"AutoTokenizer": ["tokenization_chatglm.ChatGLMTokenizer", None]}}
    write(tmp_path, tokenizer_config__json=config)
    assert message(tmp_path) == (
        "TMP/tokenizer.model: no such file; a ChatGLM3 folder needs it beside tokenizer_config.json"
    )
    write(tmp_path, tokenizer__model=b"MTIz 0\nNDU2 1\n")
    assert message(tmp_path).startswith("TMP/tokenizer.model: not a SentencePiece model (GLM-4's file")
    write(tmp_path, tokenizer_config__json={"tokenizer_class": "ChatGLM4Tokenizer"})
    assert message(tmp_path).startswith("TMP: ChatGLM4Tokenizer keeps tiktoken ranks in tokenizer.model")
    write(tmp_path, tokenizer_config__json=[])
    assert message(tmp_path) == "TMP/tokenizer_config.json: [] is no JSON object; fetch the file again"
    assert message(tmp_path / "tokenizer.model") == "TMP/tokenizer.model: is a file; name its folder"
    assert message(None) == "path None: expected a model folder or the name of one on the hub"
    write(tmp_path, tokenizer_config__json=b"{")
    assert message(tmp_path).startswith("TMP/tokenizer_config.json: not JSON (")


def test_a_sentencepiece_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    write(tmp_path, tokenizer_config__json={"tokenizer_class": "ChatGLMTokenizer"})
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d e f g"] * 9), model_prefix=str(tmp_path / "tokenizer"), vocab_size=12,
        model_type="unigram", hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    with pytest.raises(
        TokenizationError, match=r"model_type 1 is not BPE \(2\); byte_fallback is off; extra white space"
    ):
        load_tokenizer(tmp_path)
