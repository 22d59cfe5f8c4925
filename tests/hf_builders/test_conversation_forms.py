"""ChatGLM3's form and OpenAI's form of a conversation hold the same: there and back is the identity."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_builders.conversations.conversion import to_conversation, to_messages
from hf_builders.conversations.formats import read_row
from hf_builders.conversations.order import check_order
from hf_builders.quarantine import RowProblem


def exactly(value: Any) -> str:
    """Tells 3 from 3.0 and True from 1."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def call(name: str, arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


USER = {"role": "user", "content": "天气如何？"}

PAIRS = [
    ("plain turns", [USER, {"role": "assistant", "content": "晴", "loss": False}], None),
    (
        "a call whose result is text",
        [USER, {"role": "tool", "name": "f", "parameters": {"n": 3}, "observation": "3.0"}],
        [
            USER,
            {"role": "assistant", "content": "", "tool_calls": [call("f", {"n": 3})]},
            {"role": "tool", "name": "f", "content": "3.0"},
        ],
    ),
    (
        "a call whose result is no text",
        [USER, {"role": "tool", "name": "f", "parameters": [], "observation": {"温度": [3.0, None]}, "loss": True}],
        [
            USER,
            {"role": "assistant", "content": "", "tool_calls": [call("f", [])], "loss": True},
            {"role": "tool", "name": "f", "content": '{"温度": [3.0, null]}', "observation": {"温度": [3.0, None]}},
        ],
    ),
    (
        "text and call trained alike are one message",
        [USER, {"role": "assistant", "content": "我查", "loss": True}, {"role": "tool", "name": "f", "loss": True}],
        [
            USER,
            {
                "role": "assistant",
                "content": "我查",
                "loss": True,
                "tool_calls": [{"type": "function", "function": {"name": "f"}}],
            },
        ],
    ),
    (
        "text and call trained differently are two",
        [USER, {"role": "assistant", "content": "我查"}, {"role": "tool", "name": "f", "parameters": 1, "loss": False}],
        [
            USER,
            {"role": "assistant", "content": "我查"},
            {"role": "assistant", "content": "", "tool_calls": [call("f", 1)], "loss": False},
        ],
    ),
    (
        "reasoning without text stays",
        [
            USER,
            {"role": "assistant", "content": "", "reasoning_content": "想"},
            {"role": "tool", "name": "f", "parameters": {}, "observation": ""},
        ],
        [
            USER,
            {"role": "assistant", "content": "", "reasoning_content": "想", "tool_calls": [call("f", {})]},
            {"role": "tool", "name": "f", "content": ""},
        ],
    ),
    (
        "the code interpreter",
        [
            USER,
            {"role": "assistant", "content": "我算"},
            {"role": "assistant", "content": "1 + 1", "metadata": "interpreter"},
            {"role": "observation", "content": "2", "loss": False},
        ],
        [
            USER,
            {"role": "assistant", "content": "我算"},
            {"role": "assistant", "content": "1 + 1", "metadata": "interpreter"},
            {"role": "tool", "content": "2", "loss": False},
        ],
    ),
    (
        "a call written as text",
        [USER, {"role": "assistant", "content": "f(1)"}, {"role": "observation", "content": "2", "loss": False}],
        [USER, {"role": "assistant", "content": "f(1)"}, {"role": "tool", "content": "2", "loss": False}],
    ),
    (
        "a call written as text behind one that is none",
        [
            USER,
            {"role": "tool", "name": "f", "observation": 1},
            {"role": "assistant", "content": "g()"},
            {"role": "observation", "content": "2"},
            {"role": "tool", "name": "f", "observation": "3"},
        ],
        [
            USER,
            {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "f"}}]},
            {"role": "tool", "name": "f", "content": "1", "observation": 1},
            {"role": "assistant", "content": "g()"},
            {"role": "tool", "content": "2"},
            {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "f"}}]},
            {"role": "tool", "name": "f", "content": "3"},
        ],
    ),
    (
        "user turns that nobody answers",
        [USER, {"role": "user", "content": " "}, {"role": "assistant", "content": "晴"}, USER, USER],
        None,
    ),
    (
        "calls at the end that nobody answers",
        [USER, {"role": "tool", "name": "f", "parameters": 1}, {"role": "tool", "name": "g", "parameters": 2}],
        [USER, {"role": "assistant", "content": "", "tool_calls": [call("f", 1), call("g", 2)]}],
    ),
]


@pytest.mark.parametrize(("conversation", "messages"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
def test_each_form_is_made_of_the_other(
    conversation: list[dict[str, Any]], messages: list[dict[str, Any]] | None
) -> None:
    before = exactly(conversation)
    expected = exactly(conversation if messages is None else messages)
    check_order(conversation)
    assert exactly(to_messages(conversation)) == expected
    assert exactly(to_conversation(to_messages(conversation))) == before
    assert exactly(conversation) == before, "the input is left as it was"


@pytest.mark.parametrize("ids", [("c1", "c2", "c2", "c1"), (None, None, None, None)])
def test_parallel_calls_become_one_message_each_with_its_own_result(ids: tuple[str | None, ...]) -> None:
    first, second, *of_results = ids
    calls = [{**call(name, {}), **({"id": id} if id else {})} for name, id in (("f", first), ("g", second))]
    texts = ["of g", "of f"] if first else ["of f", "of g"]
    results = [
        {"role": "tool", "content": text, **({"tool_call_id": id} if id else {})}
        for text, id in zip(texts, of_results, strict=True)
    ]
    assert to_conversation([USER, {"role": "assistant", "content": "", "tool_calls": calls}, *results]) == [
        USER,
        {"role": "tool", "name": "f", "parameters": {}, "observation": "of f"},
        {"role": "tool", "name": "g", "parameters": {}, "observation": "of g"},
    ]


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ([{"role": "tool", "content": "1"}, {"role": "tool", "content": "2"}], "observation_without_call"),
        ([{"role": "tool", "content": "1", "tool_call_id": "c9"}], "observation_without_call"),
        ([{"role": "tool", "content": "1", "name": "g"}], "result_of_another_call"),
        ([USER], "call_without_result"),
        ([{"role": "tool", "content": "1", "observation": 2}], "observation_twice"),
        ([{"role": "tool", "content": "x", "observation": {"a": 1}}], "observation_twice"),
        ([{"role": "tool", "content": "1", "observation": 1.0}], "observation_twice"),
    ],
)
def test_results_that_answer_no_call_are_refused(results: list[dict[str, Any]], reason: str) -> None:
    calls = {"role": "assistant", "content": "", "tool_calls": [{**call("f", {}), "id": "c1"}]}
    with pytest.raises(RowProblem) as problem:
        check_order(to_conversation([USER, calls, *results]))
    assert problem.value.reason == reason


def test_the_text_of_a_result_counts_where_a_decoder_lost_its_last_digit() -> None:
    calls = {"role": "assistant", "content": "", "tool_calls": [call("f", {})]}
    exact, nearly = '{"v": [0.30000000000000004]}', {"v": [0.3]}
    result = {"role": "tool", "content": exact, "observation": nearly}
    assert exactly(to_conversation([USER, calls, result])[1]["observation"]) == exact


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SPOKEN = TEXT.filter(str.strip)
SCALAR = st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner | st.none(), max_size=3) | st.dictionaries(TEXT, inner | st.none(), max_size=3),
    max_leaves=6,
)
LOSS = st.sampled_from([{}, {}, {"loss": True}, {"loss": False}])


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Everything that ChatGLM3's format allows, from left to right."""

    def says(role: str, **more: Any) -> dict[str, Any]:
        return {"role": role, "content": draw(SPOKEN), **more, **draw(LOSS)}

    def asks(at_least: int) -> list[dict[str, Any]]:
        return [{"role": "user", "content": draw(TEXT), **draw(LOSS)} for _ in range(draw(st.integers(at_least, 2)))]

    def thinks() -> dict[str, Any]:
        content, reasoning = draw(st.tuples(TEXT, TEXT).filter(lambda pair: any(map(str.strip, pair))))
        return {"role": "assistant", "content": content, "reasoning_content": reasoning, **draw(LOSS)}

    def calls() -> dict[str, Any]:
        parameters = {"parameters": draw(JSON)} if draw(st.booleans()) else {}
        return {"role": "tool", "name": draw(SPOKEN), **parameters, **draw(LOSS)}

    turns = [{"role": "system", "content": draw(TEXT), **draw(LOSS)}] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        turns += asks(1)
        for step in draw(st.lists(st.sampled_from(["tool", "said tool", "code", "said code", "text"]), max_size=3)):
            if step.startswith("said"):
                turns.append(draw(st.sampled_from([says("assistant"), thinks()])))
            if step.endswith("tool"):
                turns.append({**calls(), "observation": draw(JSON)})
                continue
            turns.append(says("assistant", **({} if step == "text" else {"metadata": draw(SPOKEN)})))
            result = {"role": "observation", "content": draw(TEXT)}
            turns.append({**result, **draw(st.sampled_from([{}, {"loss": False}]))})
        turns.append(thinks() if draw(st.booleans()) else says("assistant"))
    return turns + (asks(0) if draw(st.booleans()) else [calls() for _ in range(draw(st.integers(0, 2)))])


@given(conversations())
def test_there_and_back_is_the_identity(conversation: list[dict[str, Any]]) -> None:
    check_order(conversation)
    messages = to_messages(conversation)
    assert exactly(to_conversation(messages)) == exactly(conversation)
    assert {message["role"] for message in messages} <= {"system", "user", "assistant", "tool"}
    for before, message in pairwise(messages):
        assert message["role"] != "tool" or before["role"] == "assistant"


@given(conversations(), JSON)
def test_a_file_of_either_form_is_read_as_the_same_conversation(conversation: list[dict[str, Any]], tools: Any) -> None:
    # As the files hold them: what one reader unpacks (JSON text in a text), the other must unpack too.
    row = json.loads(json.dumps({"conversations": conversation, "tools": tools}))
    read = read_row(row, "chatglm3")
    written = json.loads(json.dumps({"id": "a:1", "messages": read.messages, "tools": read.tools}))
    again = read_row(written, "openai")
    assert exactly(again.conversations) == exactly(read.conversations)
    assert exactly(again.messages) == exactly(read.messages)
    assert exactly(again.tools) == exactly(read.tools)
    assert exactly(read_row({"conversations": again.conversations}, "chatglm3")[:2]) == exactly(read[:2])
