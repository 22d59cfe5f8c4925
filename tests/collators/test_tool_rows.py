"""Conversations with tools: ids and labels of every form and template, against slow references."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

pytest.importorskip("transformers", reason="chat templates are rendered by transformers")

from datasets import Dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collators import token_rows
from tests.collators.conversation_families import FAMILIES, Message, with_family
from tests.collators.conversation_references import (
    IGNORED,
    Reference,
    as_messages,
    rendered_reference,
    without_controls,
)
from tests.collators.conversation_rows import (
    WEATHER,
    WEATHER_TOOLS,
    asks_the_same_at_the_end,
    conversations,
    demo_chatglm3,
    json_values,
    rows_of,
    trained_text,
)

PARTS = [
    "",
    "hello",
    " ",
    "\n",
    "  x",
    "你好",
    "e\u0301",
    "😀",
    "\u3000",
    "\n\n",
    "user",
    '"',
    "\\",
    "a",
    "。",
    "tool",
    "{",
]
CONTROLS = ["<|user|>", "</s>", "[gMASK]", "<|observation|>", "<|assistant|>\n"]
quick = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def is_trained(reference: Reference) -> bool:
    return any(label != IGNORED for label in reference.labels[1:])


def test_chatglm3_is_sentencepieces_pieces_message_by_message() -> None:
    tokenizer, reference = demo_chatglm3()
    parts = [*PARTS, *CONTROLS]
    tools = st.none() | st.lists(json_values(parts), max_size=2)
    row = st.tuples(conversations(parts, loss=True, interpreter=True), tools)
    num_checked = 0

    @given(drawn=st.lists(row, min_size=2, max_size=6))
    @quick
    def check(drawn: list[tuple[list[Message], Any]]) -> None:
        nonlocal num_checked
        rows = rows_of([chat for chat, _ in drawn], [tools for _, tools in drawn], tokenizer)
        for (chat, tools), row in zip(drawn, rows, strict=True):
            expected = reference(chat, tools)
            if not is_trained(expected):
                assert row["set_aside"] == "nothing_to_train"
                continue
            assert row["set_aside"] is None
            assert (row["input_ids"], row["labels"]) == (expected.ids, expected.labels)
            num_checked += 1

    check()
    assert num_checked > 20


def test_chatglm3_in_openais_form_gives_the_same_tokens() -> None:
    tokenizer, reference = demo_chatglm3()
    num_checked = 0

    @given(drawn=st.lists(conversations([*PARTS, *CONTROLS], loss=True), min_size=2, max_size=6))
    @quick
    def check(drawn: list[list[Message]]) -> None:
        nonlocal num_checked
        rows = rows_of([as_messages(chat) for chat in drawn], [WEATHER_TOOLS] * len(drawn), tokenizer)
        for chat, row in zip(drawn, rows, strict=True):
            expected = reference(chat, WEATHER_TOOLS)
            if is_trained(expected):
                assert (row["input_ids"], row["labels"]) == (expected.ids, expected.labels), chat
                num_checked += 1

    check()
    assert num_checked > 20


def test_two_calls_in_one_turn_are_two_tool_messages_for_chatglm3_paired_by_id() -> None:
    tokenizer, reference = demo_chatglm3()

    def call(id_: str, city: str) -> Message:
        return {"type": "function", "id": id_, "function": {"name": "查天气", "arguments": {"城市": city}}}

    question, answer = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
    results = [
        {"role": "tool", "tool_call_id": "2", "content": "晴"},
        {"role": "tool", "tool_call_id": "1", "content": "雨"},
    ]
    asked = {"role": "assistant", "content": "", "tool_calls": [call("1", "杭州"), call("2", "北京")]}
    tools = [
        {"role": "tool", "name": "查天气", "parameters": {"城市": city}, "observation": weather}
        for city, weather in (("杭州", "雨"), ("北京", "晴"))
    ]
    (row,) = rows_of([[question, asked, *results, answer]], None, tokenizer)
    expected = reference([question, *tools, answer], None)
    assert (row["input_ids"], row["labels"]) == (expected.ids, expected.labels)


@pytest.mark.parametrize("name", FAMILIES)
def test_ids_are_apply_chat_templates_and_every_turn_of_the_assistant_is_trained(
    name: str, backends: dict[str, str]
) -> None:
    family = FAMILIES[name]
    tokenizer = with_family(backends["byte_level"], family)
    json_object = st.dictionaries(st.sampled_from(["name", "a", "说明"]), json_values(PARTS), min_size=1, max_size=2)
    row = st.tuples(conversations(PARTS, loss=True), st.none() | st.lists(json_object, min_size=1, max_size=2))
    num_checked = 0

    @given(drawn=st.lists(row, min_size=2, max_size=4))
    @quick
    def check(drawn: list[tuple[list[Message], Any]]) -> None:
        nonlocal num_checked
        chats, tools = [as_messages(chat) for chat, _ in drawn], [tools for _, tools in drawn]
        converted = rows_of([chat for chat, _ in drawn], tools, tokenizer)
        for chat, tool, row, other in zip(chats, tools, rows_of(chats, tools, tokenizer), converted, strict=True):
            expected = rendered_reference(tokenizer, family, chat, tool)
            assert row == other, chat
            if not is_trained(expected):
                assert row["set_aside"] == "nothing_to_train"
                continue
            if asks_the_same_at_the_end(chat) and row["set_aside"] == "template_rewrites":
                assert name == "mistral"  # It writes system text and tools before every one of these questions.
                continue
            assert row["set_aside"] is None, chat
            assert (row["input_ids"], row["labels"]) == (expected.ids, expected.labels), (chat, tool)
            num_checked += 1

    check()
    assert num_checked > 20


def test_what_a_template_refuses_is_set_aside(backends: dict[str, str]) -> None:
    tokenizer = with_family(backends["byte_level"], FAMILIES["llama31"])
    chat = as_messages(WEATHER)
    chat[2]["tool_calls"] *= 2
    twice, once = rows_of([chat, as_messages(WEATHER)], [WEATHER_TOOLS] * 2, tokenizer)
    assert (twice["set_aside"], twice["input_ids"], once["set_aside"]) == ("template_refuses", [], None)


@pytest.mark.parametrize("name", FAMILIES)
def test_control_tokens_typed_anywhere_stay_text_and_are_counted(name: str, backends: dict[str, str]) -> None:
    family = FAMILIES[name]
    tokenizer = with_family(backends["byte_level"], family)
    added = tokenizer.added_tokens_decoder.values()
    typed = [token.content for token in added if token.special or token.content in family.marks]
    assert len(typed) > 10
    stand_ins = {chr(0xE000 + place): text for place, text in enumerate(typed)}
    chat, tools = copy.deepcopy(as_messages(WEATHER)), copy.deepcopy(WEATHER_TOOLS)
    marks = "".join(stand_ins)
    places = [0, 1, 3, 4, 5, 6]
    for place in places:
        chat[place]["content"] += marks + "x"
    chat[2]["tool_calls"][0]["function"]["arguments"] |= {"说明": marks, f"a{marks}": [{"b": f"{marks}c"}]}
    tools[0]["description"] += marks
    tools[0]["parameters"]["properties"][marks] = {}
    text = tokenizer.apply_chat_template(chat, tools=tools, tokenize=False)
    expected = without_controls(tokenizer, stand_ins, text)

    def written(value: Any, instead: dict[str, str]) -> Any:
        text = json.dumps(value, ensure_ascii=False)
        for stand_in, typed in instead.items():
            text = text.replace(stand_in, typed)
        return json.loads(text)

    nothing = dict.fromkeys(stand_ins, "")
    chats, tools_of = zip(*((written(chat, w), written(tools, w)) for w in (nothing, stand_ins)), strict=True)
    clean, row = rows_of([*chats], [*tools_of], tokenizer)
    assert row["input_ids"] == expected
    controls = set(tokenizer.convert_tokens_to_ids(typed))
    for column in ("input_ids", "labels"):
        assert [id_ for id_ in row[column] if id_ in controls] == [id_ for id_ in clean[column] if id_ in controls]
    assert (clean["control_texts"], row["control_texts"]) == (0, len(typed) * (len(places) + 3 + 2))


def test_control_tokens_typed_in_a_chatglm3_conversation_are_counted() -> None:
    tokenizer, reference = demo_chatglm3()
    chat, tools = copy.deepcopy(WEATHER), copy.deepcopy(WEATHER_TOOLS)
    chat[1]["content"] += "<|user|></s>"
    chat[3]["parameters"]["<|assistant|>"] = ["</s>", {"a": "[gMASK]"}]
    chat[3]["observation"] = {"天气": "<|observation|>"}
    tools[0]["description"] = "<|system|>"
    clean, row = rows_of([WEATHER, chat], [WEATHER_TOOLS, tools], tokenizer)
    assert row["input_ids"] == reference(chat, tools).ids
    assert (clean["control_texts"], row["control_texts"]) == (0, 7)


def test_tools_come_as_values_as_json_text_as_structs_or_not_at_all(backends: dict[str, str]) -> None:
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    text = json.dumps(WEATHER_TOOLS, ensure_ascii=False)
    for tokenizer in (demo_chatglm3()[0], with_family(backends["byte_level"], FAMILIES["hermes"])):
        with_tools, without = rows_of([chat, chat], [WEATHER_TOOLS, None], tokenizer)
        assert with_tools["length"] > without["length"] > 0
        assert trained_text(tokenizer, with_tools) == trained_text(tokenizer, without)
        texts = Dataset.from_dict({"messages": [chat] * 4, "tools": [text, "", "[]", None]})
        assert list(token_rows(texts, tokenizer)) == [with_tools, without, without, without]
        structs = Dataset.from_list([{"messages": chat, "tools": WEATHER_TOOLS}])
        assert list(token_rows(structs, tokenizer)) == [with_tools]
        assert rows_of([chat], [[]], tokenizer) == [without]
    tokenizer, reference = demo_chatglm3()
    # ToolAlpaca's tools are texts, and none of JSON's other values is refused.
    odd: list[Any] = ["查天气: 查询天气", 3.0, None, {"a": None}]
    (row,) = rows_of([chat], [odd], tokenizer)
    assert row["input_ids"] == reference(chat, odd).ids


def test_messages_as_structs_lose_their_null_fields(backends: dict[str, str]) -> None:
    chat = as_messages(WEATHER)
    structs = Dataset.from_list([{"messages": chat, "tools": WEATHER_TOOLS}])
    # Arrow gives every message the fields of all.
    assert structs[0]["messages"][0]["tool_calls"] is None
    for tokenizer in (demo_chatglm3()[0], with_family(backends["byte_level"], FAMILIES["qwen3"])):
        assert list(token_rows(structs, tokenizer)) == rows_of([chat], [WEATHER_TOOLS], tokenizer)


@pytest.mark.parametrize(
    ("loss", "own", "trained"),
    [
        ("assistant", {}, (True, True, True)),
        ("assistant", {2: False, 3: False}, (False, True, True)),
        ("assistant", {6: False}, (True, True, False)),
        ("last", {}, (False, False, True)),
        ("last", {2: True, 3: True}, (True, False, True)),
        ("last", {6: False, 4: True}, (False, True, False)),
    ],
)
def test_loss_rules_decide_by_turn_and_a_call_is_one(
    loss: str, own: dict[int, bool], trained: tuple[bool, ...], backends: dict[str, str]
) -> None:
    chat = [message | ({"loss": own[place]} if place in own else {}) for place, message in enumerate(WEATHER)]
    for name in ("hermes", "glm45", "deepseek"):
        family = FAMILIES[name]
        tokenizer = with_family(backends["byte_level"], family)
        expected = rendered_reference(tokenizer, family, as_messages(WEATHER), WEATHER_TOOLS, trained=trained)
        for form in (chat, as_messages(chat)):
            (row,) = rows_of([form], [WEATHER_TOOLS], tokenizer, loss=loss)
            assert (row["input_ids"], row["labels"]) == (expected.ids, expected.labels)


def test_a_call_of_another_loss_than_its_announcement_is_a_turn_of_its_own(backends: dict[str, str]) -> None:
    family = FAMILIES["hermes"]
    tokenizer = with_family(backends["byte_level"], family)
    chat = [message | ({"loss": False} if place == 2 else {}) for place, message in enumerate(WEATHER)]
    (row,) = rows_of([chat], [WEATHER_TOOLS], tokenizer)
    assert trained_text(tokenizer, row) == (
        '<tool_call>\n{"name": "查天气", "arguments": {"城市": "杭州", "天数": 1}}\n</tool_call><|im_end|>'
        "今天有小雨，请带伞。<|im_end|>不客气。<|im_end|>"
    )


def test_chatglm3_loss_last_and_all() -> None:
    tokenizer, reference = demo_chatglm3()
    only_last = [
        message | ({"loss": place == 6} if message["role"] in ("assistant", "tool") else {})
        for place, message in enumerate(WEATHER)
    ]
    (row,) = rows_of([WEATHER], [WEATHER_TOOLS], tokenizer, loss="last")
    assert row["labels"] == reference(only_last, WEATHER_TOOLS).labels
    (row,) = rows_of([WEATHER], [WEATHER_TOOLS], tokenizer, loss="all")
    assert row["labels"] == row["input_ids"] == reference(WEATHER, WEATHER_TOOLS).ids
