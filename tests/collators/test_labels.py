"""The label rule, for every template family and every kind of tokenizer, against a slow reference by offsets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

pytest.importorskip("transformers", reason="chat templates are rendered by transformers")

import pyarrow as pa
from datasets import Dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collators import IGNORE_INDEX, TokenizationError, load_tokenizer, token_rows
from collators.chat_templates import ChatTemplate
from tests.collators.conftest import BACKENDS, CHATML, FAMILIES, GLM4, LLAMA2, QWEN3, SPECIALS

# What the model must produce, read off the rendered text: from behind the generation prompt through what ends the turn.
ANSWERS = {
    "chatml": r"<\|im_start\|>assistant\n(.*?<\|im_end\|>)",
    "llama2": r"\[/INST\](.*?</s>)",
    "llama3": r"<\|im_start\|>assistant<think>\n\n(.*?<\|im_end\|>)",
    "glm4": r"<\|assistant\|>(.*?(?:<\|user\|>|\Z))",
    "alpaca": r"### Response:\n(.*?</s>)",
    "chatglm3": r"<\|assistant\|>(.*?(?:<\|user\|>|</s>))",
}
ANSWERS |= dict.fromkeys(["qwen", "qwen3", "trimming"], ANSWERS["chatml"])

PARTS = [
    "", "hello", " ", "\n", "  x", "你好", "e\u0301", "\u0301", "é", "😀", "\u3000", "\n\n", "\t", "user", "assistant",
    "# ", "world", "1 2", "a", "。", " \n ", "tabs", "ＡＢ", "\x00",
]  # fmt: skip


def texts(parts: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(parts), max_size=5).map("".join)


def chats(parts: list[str], *, system: bool = True) -> st.SearchStrategy[list[dict[str, str]]]:
    def message(role: str) -> st.SearchStrategy[dict[str, str]]:
        return st.builds(lambda text: {"role": role, "content": text}, texts(parts))

    rounds = st.lists(st.tuples(message("user"), message("assistant")), min_size=1, max_size=3)
    head = st.lists(message("system"), max_size=1 if system else 0)
    return st.builds(lambda first, pairs: [*first, *(m for pair in pairs for m in pair)], head, rounds)


def tokenize_chats(chats: list[list[dict[str, Any]]], tokenizer: Any, **options: Any) -> list[dict[str, Any]]:
    return list(token_rows(Dataset.from_dict({"messages": chats}), tokenizer, **options))


@cache
def whole_offsets_backend(tokenizer: Any) -> Any:
    """The backend without its post-processor: a byte-level one takes the spaces out of the offsets."""
    backend = tokenizer.backend_tokenizer
    return type(backend).from_str(json.dumps(json.loads(backend.to_str()) | {"post_processor": None}))


def slow_labels(tokenizer: Any, text: str, answer: str) -> tuple[list[int], list[int]]:
    """Ids of a rendered text, and labels of the tokens that lie wholly inside a match of `answer`."""
    encoding = whole_offsets_backend(tokenizer).encode(text, add_special_tokens=False)
    controls = {id_: len(token.content) for id_, token in tokenizer.added_tokens_decoder.items()}
    regions = [match.span(1) for match in re.finditer(answer, text, re.DOTALL)]
    labels = [
        # A control token that swallows white space is as long as it is written.
        id_
        if any(first <= start and min(end, start + controls.get(id_, end)) <= last for first, last in regions)
        else IGNORE_INDEX
        for id_, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
    ]
    return encoding.ids, labels


def check_rows(tokenizer: Any, family: str, chats: list[list[dict[str, str]]], **options: Any) -> int:
    """Compare with the reference; how many rows were."""
    num_checked = 0
    for chat, row in zip(chats, tokenize_chats(chats, tokenizer, **options), strict=True):
        if row["set_aside"] in ("template_rewrites", "nothing_to_train"):
            continue
        assert row["set_aside"] is None
        text = tokenizer.apply_chat_template(chat, tokenize=False)
        assert row["input_ids"] == tokenizer.apply_chat_template(chat, return_dict=False), chat
        ids, labels = slow_labels(tokenizer, text, ANSWERS[family])
        assert (row["input_ids"], row["labels"]) == (ids, labels), (chat, text)
        num_checked += 1
    return num_checked


@pytest.mark.parametrize("kind", BACKENDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_ids_are_apply_chat_templates_and_labels_the_answers(
    family: str, kind: str, tokenizer_of: Callable[..., Any]
) -> None:
    tokenizer = tokenizer_of(kind, FAMILIES[family])

    @given(drawn=st.lists(chats(PARTS), min_size=4, max_size=8))
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    def check(drawn: list[list[dict[str, str]]]) -> None:
        check_rows(tokenizer, family, drawn)

    check()
    ordinary = [{"role": "user", "content": "hello world"}, {"role": "assistant", "content": "a b"}]
    assert check_rows(tokenizer, family, [ordinary, ordinary * 2]) == 2


@pytest.mark.parametrize("overflow", ["truncate", "truncate_prompt"])
@pytest.mark.parametrize("family", ["chatml", "llama2", "alpaca"])
def test_a_policy_changes_no_row_that_fits(family: str, overflow: str, tokenizer_of: Callable[..., Any]) -> None:
    chat = [{"role": "user", "content": "\nhello"}, {"role": "assistant", "content": "\n\nworld "}]
    assert check_rows(tokenizer_of("byte_level", FAMILIES[family]), family, [chat, chat * 3], overflow=overflow) == 2


@pytest.mark.parametrize("kind", BACKENDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_control_tokens_in_data_stay_text(family: str, kind: str, tokenizer_of: Callable[..., Any]) -> None:
    tokenizer = tokenizer_of(kind, FAMILIES[family])
    typed = [*SPECIALS, "<think>"] if "think" in FAMILIES[family] else SPECIALS
    plain = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    steered = [{**m, "content": m["content"] + " " + " ".join(typed) + " a"} for m in plain]
    clean, row = tokenize_chats([plain, steered], tokenizer)
    controls = set(tokenizer.convert_tokens_to_ids(typed))
    assert row["set_aside"] is None
    assert [i for i in row["input_ids"] if i in controls] == [i for i in clean["input_ids"] if i in controls]
    # Trained control tokens are still those that end the turn.
    assert [i for i in row["labels"] if i in controls] == [i for i in clean["labels"] if i in controls]
    if kind == "byte_level":
        assert "<|im_end|>" in tokenizer.decode([i for i in row["input_ids"] if i not in controls])


def trained_text(tokenizer: Any, row: dict[str, Any]) -> str:
    return str(tokenizer.decode([label for label in row["labels"] if label != IGNORE_INDEX]))


CHAT = [
    {"role": "system", "content": "s"}, {"role": "user", "content": "u1"}, {"role": "assistant", "content": "a1"},
    {"role": "user", "content": "u2"}, {"role": "assistant", "content": "a2"},
]  # fmt: skip


@pytest.mark.parametrize(
    ("loss", "flags", "expected"),
    [
        ("assistant", (None, None), "a1<|im_end|>a2<|im_end|>"),
        ("assistant", (False, None), "a2<|im_end|>"),
        ("assistant", (True, False), "a1<|im_end|>"),
        ("last", (None, None), "a2<|im_end|>"),
        ("last", (True, None), "a1<|im_end|>a2<|im_end|>"),
        ("last", (True, False), "a1<|im_end|>"),
    ],
)
def test_loss_modes_and_the_messages_own_loss(
    loss: str, flags: tuple[bool | None, bool | None], expected: str, tokenizer_of: Callable[..., Any]
) -> None:
    tokenizer = tokenizer_of()
    # The user's own `loss` says nothing: only what an assistant wrote can be trained.
    own = iter([True, True, flags[0], True, flags[1]])
    (row,) = tokenize_chats([[{**message, "loss": next(own)} for message in CHAT]], tokenizer, loss=loss)
    assert trained_text(tokenizer, row) == expected


def test_all_trains_every_token(tokenizer_of: Callable[..., Any]) -> None:
    (row,) = tokenize_chats([CHAT], tokenizer_of(), loss="all")
    assert row["labels"] == row["input_ids"]


def test_one_token_across_the_border_is_not_trained_and_counted(tokenizer_of: Callable[..., Any]) -> None:
    tokenizer = tokenizer_of("metaspace_always")
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "\nb"}]
    (row,) = tokenize_chats([chat], tokenizer)
    # The tokenizer joins the header's newline and the answer's.
    trained = tokenizer.convert_ids_to_tokens([label for label in row["labels"] if label != IGNORE_INDEX])
    assert (row["straddling"], trained) == (1, ["b", "<|im_end|>"])


def test_an_empty_answer_trains_its_end(tokenizer_of: Callable[..., Any]) -> None:
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": ""}]
    tokenizer = tokenizer_of()
    (row,) = tokenize_chats([chat], tokenizer)
    assert trained_text(tokenizer, row) == "<|im_end|>"
    tokenizer = tokenizer_of(template=QWEN3)
    (row,) = tokenize_chats([chat], tokenizer)
    assert trained_text(tokenizer, row) == "<think>\n\n</think>\n\n<|im_end|>"


def test_a_template_that_refuses_or_rewrites_a_row_sets_it_aside(tokenizer_of: Callable[..., Any]) -> None:
    twice = [CHAT[1], CHAT[1], CHAT[2]]
    (refused,) = tokenize_chats([twice], tokenizer_of(template=LLAMA2))
    assert (refused["set_aside"], refused["input_ids"], refused["length"]) == ("template_refuses", [], 0)
    shouting = CHATML.replace("m['content']", "m['content'] | upper")
    (row,) = tokenize_chats([CHAT], tokenizer_of(template=shouting))
    assert row["set_aside"] == "template_rewrites"


def test_a_template_that_teaches_no_end_is_warned_of(
    tokenizer_of: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    tokenize_chats([CHAT], tokenizer_of(template=CHATML))
    assert not caplog.messages
    tokenize_chats([CHAT], tokenizer_of(template=GLM4))
    assert caplog.messages == ["the chat template writes nothing after the last answer: no model learns to stop there"]
    caplog.clear()
    tokenize_chats([CHAT], tokenizer_of(template=CHATML.replace("<|im_end|>", "<|end|>")))
    assert caplog.messages == [
        "the chat template ends the last answer with '<|end|>\\n', which is no control token of this tokenizer: "
        "no model learns to stop there"
    ]


def test_plain_texts_get_the_tokenizers_own_frame_and_are_all_trained(tokenizer_of: Callable[..., Any]) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = tokenizer_of("metaspace_first", None)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=["<s>", "$A"], special_tokens=[("<s>", tokenizer.bos_token_id)]
    )
    written = ["hello world", "a </s> b", " x"]
    *rows, empty = token_rows(Dataset.from_dict({"text": [*written, ""]}), tokenizer)
    assert empty["set_aside"] == "nothing_to_train"
    for text, row in zip(written, rows, strict=True):
        assert row["labels"] == row["input_ids"]
        assert row["input_ids"].count(tokenizer.eos_token_id) == 1
        if "</s>" not in text:
            assert row["input_ids"] == [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]


def test_chatglm3_labels_are_the_formats(chatglm_folder: Any) -> None:
    """Token t counts if the message that holds token t - 1 is trained."""
    spm = pytest.importorskip("sentencepiece")
    reference = spm.SentencePieceProcessor(model_file=str(chatglm_folder / "tokenizer.model"))
    tokenizer = load_tokenizer(chatglm_folder)
    role = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in ("system", "user", "assistant")}
    prefix = tokenizer.convert_tokens_to_ids(["[gMASK]", "sop"])

    @given(drawn=st.lists(chats([*PARTS, "<|user|>", "</s>", "[gMASK]"]), min_size=1, max_size=5))
    @settings(max_examples=60, deadline=None)
    def check(drawn: list[list[dict[str, str]]]) -> None:
        for chat, row in zip(drawn, tokenize_chats(drawn, tokenizer, max_length=10_000), strict=True):
            ids, is_trained = list(prefix), [False, False]
            for message in chat:
                pieces = [role[message["role"]], *reference.encode("\n"), *reference.encode(message["content"])]
                ids += pieces
                is_trained += [message["role"] == "assistant"] * len(pieces)
            ids.append(2)
            labels = [IGNORE_INDEX] + [i if t else IGNORE_INDEX for i, t in zip(ids[1:], is_trained, strict=True)]
            assert (row["input_ids"], row["labels"]) == (ids, labels)

    check()


def test_a_control_token_that_gets_lost_is_an_error(tokenizer_of: Callable[..., Any]) -> None:
    from tokenizers import AddedToken

    tokenizer = tokenizer_of(template=CHATML.replace("<|im_end|>", "<|end|>"))
    # Found in text only where no letter touches it, which differs from row to row.
    tokenizer.add_tokens([AddedToken("<|end|>", special=True, single_word=True)])
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    with pytest.raises(
        TokenizationError, match=r"does not encode its template's control tokens one for one \(<\|im_start"
    ):
        tokenize_chats([chat], tokenizer)


def test_a_template_that_changes_texts_behind_our_back_is_an_error(
    tokenizer_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Were the cut overlooked in the source: nothing that a probe could meet, it shortens only what is longer than any.
    monkeypatch.setattr(ChatTemplate, "may_rewrite", lambda _, texts: pa.array([False] * len(texts)))
    cutting = CHATML.replace("m['content']", "m['content'][:200]")
    chat = [{"role": "user", "content": "a" * 300}, {"role": "assistant", "content": "b"}]
    with pytest.raises(TokenizationError, match=r"cannot be masked safely: choose another template"):
        tokenize_chats([chat], tokenizer_of(template=cutting))


def test_a_header_that_no_generation_prompt_offers_is_not_trained(tokenizer_of: Callable[..., Any]) -> None:
    # Phi-3-vision: no invitation behind an assistant turn, so the second answer's header must be found.
    template = CHATML.replace("add_generation_prompt", "add_generation_prompt and messages[-1].role != 'assistant'")
    tokenizer = tokenizer_of(template=template)
    (row,) = tokenize_chats([[*CHAT, {"role": "assistant", "content": "a3"}]], tokenizer)
    assert trained_text(tokenizer, row) == "a1<|im_end|>a2<|im_end|>a3<|im_end|>"
