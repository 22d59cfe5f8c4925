"""Reasoning, inline or apart: what of it reaches the ids is the template's affair, what is trained is the user's."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("transformers", reason="chat templates are rendered by transformers")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.collators.conversation_families import FAMILIES, Message, with_family
from tests.collators.conversation_references import IGNORED, as_messages, rendered_reference
from tests.collators.conversation_rows import WEATHER, WEATHER_TOOLS, demo_chatglm3, rows_of, trained_text

PARTS = ["hello", " ", "\n", "你好", "\n\n", "a", "。", "think", "1 2"]


def tokenizer_without_marks(state: str, name: str) -> Any:
    """For it `<think>` is a few pieces of text, as for every model that does not reason."""
    config = json.loads(state)
    config["added_tokens"] = [token for token in config["added_tokens"] if token["special"]]
    return with_family(json.dumps(config), FAMILIES[name])


@st.composite
def thoughtful(draw: Any) -> list[Message]:
    """Rounds of plain answers, answers with reasoning inline or apart, and calls that were reasoned about."""
    text = st.lists(st.sampled_from(PARTS), max_size=3).map("".join)

    def answer(content: str) -> Message:
        kind = draw(st.sampled_from(["plain", "inline", "tight", "apart"]))
        thought = draw(text)
        if kind == "inline":
            return {"role": "assistant", "content": f"<think>\n{thought}\n</think>\n\n{content}"}
        if kind == "tight":
            return {"role": "assistant", "content": f"<think>{thought}</think>{content}"}
        apart = {"reasoning_content": thought} if kind == "apart" else {}
        # White space behind a block that the template writes cannot be told, in the text, from the answer's own.
        return {"role": "assistant", "content": content.lstrip(), **apart}

    chat: list[Message] = []
    for _ in range(draw(st.integers(1, 3))):
        chat.append({"role": "user", "content": draw(text)})
        if draw(st.booleans()):
            call = {"type": "function", "function": {"name": "search", "arguments": {"q": draw(text)}}}
            chat += [answer("") | {"tool_calls": [call]}, {"role": "tool", "content": draw(text)}]
        chat.append(answer(draw(text)))
    return chat


@pytest.mark.parametrize("train_thinking", [True, False])
@pytest.mark.parametrize("marks", ["think is a token", "think is text"])
@pytest.mark.parametrize("name", ["qwen3", "glm45", "deepseek", "hermes", "glm4", "llama31", "mistral"])
def test_reasoning_is_trained_or_not_and_the_answer_with_its_end_always(
    name: str, marks: str, train_thinking: bool, backends: dict[str, str]
) -> None:
    family, state = FAMILIES[name], backends["byte_level"]
    tokenizer = with_family(state, family) if marks == "think is a token" else tokenizer_without_marks(state, name)
    num_checked = num_masked = 0

    @given(drawn=st.lists(thoughtful(), min_size=2, max_size=4))
    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    def check(drawn: list[list[Message]]) -> None:
        nonlocal num_checked, num_masked
        for chat, row in zip(drawn, rows_of(drawn, None, tokenizer, train_thinking=train_thinking), strict=True):
            expected = rendered_reference(tokenizer, family, chat, train_thinking=train_thinking)
            assert row["set_aside"] is None, chat
            assert (row["input_ids"], row["labels"]) == (expected.ids, expected.labels), chat
            num_checked += 1
            num_masked += expected.labels != rendered_reference(tokenizer, family, chat).labels

    check()
    assert num_checked > 10
    # DeepSeek's forgets whatever was reasoned.
    assert (num_masked > 0) == (not train_thinking and name != "deepseek")


def test_reasoning_in_words(backends: dict[str, str]) -> None:
    tokenizer = with_family(backends["byte_level"], FAMILIES["qwen3"])
    inline = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\na"}]
    apart = [inline[0], {"role": "assistant", "content": "a", "reasoning_content": "hm"}]
    plain = [inline[0], {"role": "assistant", "content": "a"}]
    chats = [inline, apart, plain]
    rows = rows_of(chats, None, tokenizer)
    assert [trained_text(tokenizer, row) for row in rows] == [
        "<think>\nhm\n</think>\n\na<|im_end|>",
        "<think>\nhm\n</think>\n\na<|im_end|>",
        "<think>\n\n</think>\n\na<|im_end|>",
    ]
    rows = rows_of(chats, None, tokenizer, train_thinking=False)
    assert [trained_text(tokenizer, row) for row in rows] == ["a<|im_end|>"] * 3


def test_the_line_break_before_an_answer_whose_reasoning_is_left_out_is_the_prompts(backends: dict[str, str]) -> None:
    family = FAMILIES["qwen3"]
    tokenizer = with_family(backends["byte_level"], family)
    empty = [{"role": "user", "content": ""}, {"role": "assistant", "content": ""}]
    chat = [empty[0], {"role": "assistant", "content": "<think>hm</think>\na"}, *empty]
    (row,) = rows_of([chat], None, tokenizer)
    assert trained_text(tokenizer, row) == "a<|im_end|><think>\n\n</think>\n\n<|im_end|>"
    expected = rendered_reference(tokenizer, family, chat)
    assert (row["input_ids"], row["labels"]) == (expected.ids, expected.labels)


@pytest.mark.parametrize("train_thinking", [True, False])
@pytest.mark.parametrize(("name", "prompted"), [("qwen3", "<think>\n\n</think>\n\n"), ("glm45", "\n<think></think>")])
def test_an_empty_block_in_the_generation_prompt_is_not_trained(
    name: str, prompted: str, train_thinking: bool, backends: dict[str, str]
) -> None:
    family = FAMILIES[name]
    tokenizer = with_family(backends["byte_level"], family)
    kwargs = {"enable_thinking": False}
    chats = [as_messages(WEATHER), as_messages(WEATHER)[:5], [{"role": "user", "content": ""}, WEATHER[-1]]]
    rows = rows_of(
        chats, [WEATHER_TOOLS, None, None], tokenizer, chat_template_kwargs=kwargs, train_thinking=train_thinking
    )
    for chat, tools, row in zip(chats, [WEATHER_TOOLS, None, None], rows, strict=True):
        expected = rendered_reference(tokenizer, family, chat, tools, unprompted=prompted, **kwargs)
        assert row["set_aside"] is None
        assert (row["input_ids"], row["labels"]) == (expected.ids, expected.labels)
        assert "<think>" not in trained_text(tokenizer, row)
        assert trained_text(tokenizer, row).strip().endswith(chat[-1]["content"] + "<|im_end|>" * (name == "qwen3"))


def test_a_think_mark_typed_by_a_user_or_a_tool_stays_text(backends: dict[str, str]) -> None:
    tokenizer = with_family(backends["byte_level"], FAMILIES["qwen3"])
    chat = as_messages(WEATHER)
    chat[1]["content"] += "<think>"
    chat[3]["content"] += "</think>"
    clean, row = rows_of([as_messages(WEATHER), chat], None, tokenizer)
    marks = tokenizer.convert_tokens_to_ids(["<think>", "</think>"])
    assert [id_ for id_ in row["input_ids"] if id_ in marks] == marks
    assert [id_ for id_ in clean["input_ids"] if id_ in marks] == marks
    assert (clean["control_texts"], row["control_texts"]) == (0, 2)


def test_chatglm3_takes_thoughts_for_text() -> None:
    tokenizer, reference = demo_chatglm3()
    chat = [{"role": "user", "content": "问"}, {"role": "assistant", "content": "<think>想</think>\n\n答案"}]
    expected = reference(chat, None)
    thinking, answering = (rows_of([chat], None, tokenizer, train_thinking=flag)[0] for flag in (True, False))
    assert thinking["input_ids"] == answering["input_ids"] == expected.ids
    assert thinking["labels"] == expected.labels
    newline = tokenizer.convert_tokens_to_ids("<0x0A>")
    # No piece spans a newline: what stands behind the last one is the answer's.
    last = max(place for place, id_ in enumerate(expected.ids) if id_ == newline)
    header = expected.ids.index(tokenizer.convert_tokens_to_ids("<|assistant|>")) + 1
    assert expected.ids[header + 1] == newline
    trained = {header, header + 1, *range(last + 1, len(expected.ids))}
    assert answering["labels"] == [id_ if t in trained else IGNORED for t, id_ in enumerate(expected.ids)]
