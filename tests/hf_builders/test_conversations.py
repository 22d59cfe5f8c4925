"""The user's own conversations: three formats, two views, every refusal with its reason, every row accounted for."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, Features, Json, List, Value, load_dataset

import hf_builders
from hf_builders import OptionError
from tests.hf_builders.chat_files import ANSWER, TOOL, USER, load, write

NAME = "hf_builders/conversations"


def read(path: Path, view: str | None = None, **options: Any) -> list[dict[str, Any]]:
    return list(load(path, view, **options))


def texts(dataset: Dataset, column: str) -> list[list[str]]:
    """The messages as the Arrow file holds them."""
    lists: list[list[str]] = dataset.with_format("arrow")[:][column].to_pylist()
    return lists


def reread(dataset: Dataset, path: Path, view: str, **options: Any) -> Dataset:
    """The rows of a view, written as JSON Lines and loaded in another view."""
    (column,) = {"conversations", "messages"} & set(dataset.column_names)
    table = dataset.with_format("arrow")[:]
    lines = [
        f'{{"{column}": [{", ".join(messages)}], "tools": {tools or "null"}}}\n'
        for messages, tools in zip(table[column].to_pylist(), table["tools"].to_pylist(), strict=True)
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return load(path, view, **options)


def test_the_views_have_the_columns_the_card_says(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"tools": ["f: 查天气"], "conversations": [USER, TOOL, ANSWER]})
    for view in ("conversations", "messages"):
        dataset = load(path, view)
        assert dataset.features == Features({"id": Value("string"), view: List(Json()), "tools": Json()})
        assert (dataset["id"][0], dataset["tools"][0]) == ("a.jsonl:1", ["f: 查天气"])
    assert list(load(path)) == list(load(path, "conversations"))


def test_each_message_has_exactly_its_own_keys_and_every_value_as_it_was(tmp_path: Path) -> None:
    message = {"role": "tool", "name": "f", "parameters": {"a": 3, "b": 3.0, "c": None, "d": 1e22, "e": 2**60}}
    conversation = [{"role": "system", "content": ""}, USER, {**message, "observation": {"v": [0.1 + 0.2]}}, ANSWER]
    path = write(tmp_path / "a.jsonl", {"conversations": conversation, "tools": {"x": 3.0}})
    assert texts(load(path), "conversations") == [[json.dumps(each, ensure_ascii=False) for each in conversation]]
    (row,) = read(path)
    assert repr(row["conversations"]) == repr(conversation)
    assert repr(row["tools"]) == "{'x': 3.0}"
    assert repr(read(path, "messages")[0]["messages"][2]) == repr(
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": message["parameters"]}}],
        }
    )


FORMATS: dict[str, tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]] | None]] = {
    "chatglm3": (
        {"conversations": [USER, {**ANSWER, "loss": None, "metadata": "", "tool_calls": None}], "tools": None},
        [USER, ANSWER],
        None,
    ),
    "chatglm3 with weight": (
        {"conversations": [USER, {**ANSWER, "weight": 0}, USER, {**ANSWER, "train": True}]},
        [USER, {**ANSWER, "loss": False}, USER, {**ANSWER, "loss": True}],
        None,
    ),
    "sharegpt": (
        {
            "system": "简短回答。",
            "conversations": [
                {"from": "human", "value": "天气如何？"},
                {"from": "gpt", "value": "我查。"},
                {"from": "function_call", "value": '{"name": "f", "arguments": "{\\"n\\": 3.0}"}'},
                {"from": "observation", "value": "[1]"},
                {"from": "gpt", "value": "晴。", "loss": True},
            ],
            "tools": '[{"name": "f"}]',
        },
        [
            {"role": "system", "content": "简短回答。"},
            USER,
            {"role": "assistant", "content": "我查。"},
            {"role": "tool", "name": "f", "parameters": {"n": 3.0}, "observation": "[1]"},
            {**ANSWER, "loss": True},
        ],
        [
            {"role": "system", "content": "简短回答。"},
            USER,
            {
                "role": "assistant",
                "content": "我查。",
                "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"n": 3.0}}}],
            },
            {"role": "tool", "name": "f", "content": "[1]"},
            {**ANSWER, "loss": True},
        ],
    ),
    "sharegpt under role and content": (
        {"conversations": [{"role": "human", "content": "天气如何？"}, {"role": "bard", "content": "晴。"}]},
        [USER, ANSWER],
        None,
    ),
    "openai": (
        {
            "messages": [
                {"role": "developer", "content": "简短回答。"},
                {"role": "user", "content": [{"type": "text", "text": "天气"}, {"type": "text", "text": "如何？"}]},
                {
                    "role": "assistant",
                    "content": None,
                    "reasoning_content": "查一下",
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"n": 3}'}}],
                },
                {"role": "tool", "tool_call_id": "c", "content": "[1]"},
                {**ANSWER, "weight": 1, "tool_calls": []},
            ]
        },
        [
            {"role": "system", "content": "简短回答。"},
            USER,
            {"role": "assistant", "content": "", "reasoning_content": "查一下"},
            {"role": "tool", "name": "f", "parameters": {"n": 3}, "observation": "[1]"},
            {**ANSWER, "loss": True},
        ],
        [
            {"role": "system", "content": "简短回答。"},
            USER,
            {
                "role": "assistant",
                "content": "",
                "reasoning_content": "查一下",
                "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"n": 3}}, "id": "c"}],
            },
            {"role": "tool", "content": "[1]", "tool_call_id": "c"},
            {**ANSWER, "loss": True},
        ],
    ),
    "openai of old": (
        {
            "messages": [
                USER,
                {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "no JSON"}},
                {"role": "function", "name": "f", "content": "1"},
                ANSWER,
            ],
            "functions": [{"name": "f"}],
        },
        [USER, {"role": "tool", "name": "f", "parameters": "no JSON", "observation": "1"}, ANSWER],
        [
            USER,
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "no JSON"}}],
            },
            {"role": "tool", "content": "1", "name": "f"},
            ANSWER,
        ],
    ),
    "openai under conversations": (
        {
            "conversations": [
                USER,
                {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f"}}]},
                {"role": "tool", "content": "1"},
            ]
        },
        [USER, {"role": "tool", "name": "f", "observation": "1"}],
        [
            USER,
            {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "f"}}]},
            {"role": "tool", "content": "1"},
        ],
    ),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("as_array", [False, True])
def test_each_format_is_told_by_content_and_read_into_both_views(tmp_path: Path, name: str, as_array: bool) -> None:
    row, conversation, messages = FORMATS[name]
    path = tmp_path / "a.json"
    path.write_text(json.dumps([row] if as_array else row, ensure_ascii=False), encoding="utf-8")
    place = "a.json#1" if as_array else "a.json:1"
    stated = name.split()[0]
    for options in ({}, {"format": stated}):
        (read_conversation,), (read_messages,) = read(path, **options), read(path, "messages", **options)
        assert (read_conversation["id"], read_messages["id"]) == (place, place)
        assert repr(read_conversation["conversations"]) == repr(conversation)
        assert repr(read_messages["messages"]) == repr(conversation if messages is None else messages)


@pytest.mark.parametrize(
    ("fields", "tools"),
    [
        ({}, None),
        ({"tools": None}, None),
        ({"tools": ""}, None),
        ({"tools": []}, None),
        ({"tools": "[]"}, None),
        ({"tools": '[{"name": "f", "n": 3.0}]'}, [{"name": "f", "n": 3.0}]),
        ({"tools": "f: 查天气"}, "f: 查天气"),
        ({"tools": ["f: 查天气", 3]}, ["f: 查天气", 3]),
        ({"tools": {"f": {}}}, {"f": {}}),
        ({"functions": [{"name": "f"}]}, [{"type": "function", "function": {"name": "f"}}]),
    ],
)
def test_tools_of_any_shape_are_carried_and_none_is_null(tmp_path: Path, fields: dict[str, Any], tools: Any) -> None:
    path = write(tmp_path / "a.jsonl", {"messages": [USER, ANSWER], **fields})
    for view in ("conversations", "messages"):
        dataset = load(path, view)
        assert repr(dataset["tools"][0]) == repr(tools)
        assert dataset.with_format("arrow")[:]["tools"].null_count == (tools is None)


def conversation(*messages: Any, **row: Any) -> dict[str, Any]:
    return {"conversations": list(messages), **row}


def sharegpt(*turns: tuple[str, Any], **row: Any) -> dict[str, Any]:
    return conversation(*({"from": speaker, "value": value} for speaker, value in turns), **row)


def openai(*messages: Any, **row: Any) -> dict[str, Any]:
    return {"messages": list(messages), **row}


def test_user_turns_in_a_row_blank_or_without_an_answer_load_as_they_are(tmp_path: Path) -> None:
    asked = [("user", "a"), ("user", "\u3000\n"), ("assistant", "b"), ("user", ""), ("user", "c")]
    turns = [{"role": role, "content": text} for role, text in asked]
    paths = [
        write(tmp_path / "chatglm3.jsonl", conversation(*turns)),
        write(tmp_path / "sharegpt.jsonl", sharegpt(*(({"user": "human"}.get(r, "gpt"), text) for r, text in asked))),
        write(tmp_path / "openai.jsonl", openai(*turns)),
    ]
    for path in paths:
        for view in ("conversations", "messages"):
            assert [row[view] for row in load(path, view)] == [turns]


def test_a_result_behind_a_call_that_was_written_as_text_is_an_observation(tmp_path: Path) -> None:
    said = {"role": "assistant", "content": "查天气(北京)"}
    result = {"role": "tool", "content": "[1]"}
    expected = [USER, said, {"role": "observation", "content": "[1]"}, ANSWER]
    named = {"name": "f", "tool_call_id": "c"}
    turns = [("human", "天气如何？"), ("gpt", "查天气(北京)"), ("observation", "[1]"), ("gpt", "晴。")]
    for row, result_in_messages in [
        (conversation(*expected), result),
        (sharegpt(*turns), result),
        (openai(USER, said, result, ANSWER), result),
        (openai(USER, said, {**result, **named, "observation": [1]}, ANSWER), {**result, **named, "observation": [1]}),
    ]:
        path = write(tmp_path / "a.jsonl", row)
        assert read(path)[0]["conversations"] == expected
        assert read(path, "messages")[0]["messages"] == [USER, said, result_in_messages, ANSWER]


def test_fields_that_no_view_carries_are_counted_once_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    row = conversation(USER, ANSWER, id="x", source="y", lang=None)
    path = write(tmp_path / "a.jsonl", row, conversation(USER, ANSWER), {**row, "lang": "zh"})
    assert load(path).num_rows == 3
    assert [message for message in caplog.messages if "a.jsonl" in message] == [
        "a.jsonl: not in the records: the field 'id' (2 rows), the field 'lang' (1 rows), the field 'source' (2 rows)"
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "alpaca"}, "format='alpaca': takes None, 'chatglm3', 'sharegpt', 'openai'"),
        ({"divisions": 1}, "conversations has no option 'divisions'"),
        ({"name": "source"}, "conversations has no view 'source'; its views are conversations, messages"),
        (
            {"download": True},
            "conversations: download=True, but these are files of your own, which no address offers; "
            "name them with data_files= or data_dir=",
        ),
    ],
)
def test_options_that_do_not_exist_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    write(tmp_path / "a.jsonl", conversation(USER, ANSWER))
    for route in (load_dataset, hf_builders.load_dataset):
        with pytest.raises(OptionError) as error:
            route(NAME, options.get("name"), data_dir=tmp_path, **{k: v for k, v in options.items() if k != "name"})
        assert str(error.value) == message


def test_a_folder_gives_its_splits_by_name_and_every_route_the_same_rows(tmp_path: Path) -> None:
    folder = tmp_path / "chats"
    folder.mkdir()
    for name in ("a.jsonl", "b.jsonl", "dev.jsonl"):
        write(folder / name, *[conversation({**USER, "content": f"{name}{i}"}, TOOL, ANSWER) for i in range(1_500)])
    (folder / "test.json.gz").write_bytes(gzip.compress(json.dumps([openai(USER, ANSWER)]).encode("utf-8-sig")))
    loaded = load_dataset(NAME, "messages", data_dir=folder)
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 3_000, "validation": 1_500, "test": 1}
    assert loaded["train"]["id"][1_499:1_501] == ["a.jsonl:1500", "b.jsonl:1"]
    assert loaded["test"]["id"][:] == ["test.json#1"]
    assert all(account.is_balanced() for account in hf_builders.account(loaded).values())
    streamed = load_dataset(NAME, "messages", data_dir=folder, streaming=True)
    two = load_dataset(NAME, "messages", data_dir=folder, num_proc=2, cache_dir=str(tmp_path / "other"))
    for split, rows in loaded.items():
        expected = list(rows)
        assert list(streamed[split]) == expected
        assert list(two[split]) == expected


def test_the_rows_on_the_card_are_what_the_views_give(tmp_path: Path) -> None:
    card = (Path(hf_builders.__file__).parent / "conversations" / "README.md").read_text(encoding="utf-8")
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", card, re.DOTALL)]
    assert [list(row)[1] for row in shown] == ["conversations", "messages"]
    for given in shown:
        path = write(tmp_path / "chats.jsonl", {name: value for name, value in given.items() if name != "id"})
        assert [read(path, view)[0] for view in ("conversations", "messages")] == shown


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_sample_goes_there_and_back(tmp_path: Path, split: str) -> None:
    first = load_dataset(NAME, sample=True, split=split)
    messages = reread(first, tmp_path / "conversations.jsonl", "messages")
    again = reread(messages, tmp_path / "messages.jsonl", "conversations")
    assert texts(again, "conversations") == texts(first, "conversations")
    assert again["tools"][:] == first["tools"][:]
    assert len(first) >= 20


GLAIVE = "chatglm3_tools/LLaMA-Factory/data/glaive_toolcall_zh_demo.json"


def expected_conversation(turns: list[dict[str, str]]) -> list[dict[str, Any]]:
    """A real row by hand: a function call and the observation behind it are one tool message.

    In one row the assistant wrote its call as text: the observation behind it is a message of its own.
    """
    expected: list[dict[str, Any]] = []
    for turn in turns:
        if turn["from"] == "function_call":
            call = json.loads(turn["value"])
            expected.append({"role": "tool", "name": call["name"], "parameters": call["arguments"]})
        elif turn["from"] == "observation" and expected[-1]["role"] == "tool":
            expected[-1]["observation"] = turn["value"]
        else:
            role = {"human": "user", "gpt": "assistant", "observation": "observation"}[turn["from"]]
            expected.append({"role": role, "content": turn["value"]})
    return expected


@pytest.mark.realdata
def test_every_real_tool_conversation_is_the_one_in_the_file(
    tmp_path: Path, shared_realdata: Callable[[str], Path]
) -> None:
    path = shared_realdata(GLAIVE)
    rows = json.loads(path.read_text(encoding="utf-8"))
    loaded = load(path)
    account = hf_builders.account(loaded)["train"]
    assert (account.read, account.kept, account.quarantined) == (200, 200, Counter())
    num_calls, num_calls_as_text = 0, 0
    for record in loaded:
        row = rows[int(record["id"].rpartition("#")[2]) - 1]
        assert record["conversations"] == expected_conversation(row["conversations"])
        assert record["tools"] == (json.loads(row["tools"]) or None)
        num_calls += sum(message["role"] == "tool" for message in record["conversations"])
        num_calls_as_text += sum(message["role"] == "observation" for message in record["conversations"])
    assert num_calls_as_text == 1
    assert num_calls == sum(turn["from"] == "function_call" for row in rows for turn in row["conversations"]) > 100
    messages = reread(loaded, tmp_path / "conversations.jsonl", "messages")
    assert texts(messages, "messages") == texts(load(path, "messages"), "messages")
    again = reread(messages, tmp_path / "messages.jsonl", "conversations")
    assert texts(again, "conversations") == texts(loaded, "conversations")


@pytest.mark.realdata
def test_tools_as_toolalpaca_writes_them_survive(tmp_path: Path, shared_realdata: Callable[[str], Path]) -> None:
    """ChatGLM3's own converter puts the documentation of an API into `tools` as one text, and calls in this shape."""
    apis = json.loads(shared_realdata("chatglm3_tools/ToolAlpaca/data/eval_real.json").read_text(encoding="utf-8"))
    rows, num_refused = [], 0
    for api in apis:
        for instruction, golden in zip(api["Instructions"], api["Golden_Answers"], strict=True):
            calls = []
            for step in golden:
                try:
                    parameters = json.loads(step["Action_Input"])
                except ValueError:
                    num_refused += 1
                    continue
                calls.append({"role": "tool", "name": step["Action"], "parameters": parameters, "observation": {}})
            turns = [{"role": "user", "content": instruction}, *calls, ANSWER]
            rows.append({"tools": [api["NLDocumentation"]], "conversations": turns})
    assert (len(rows), num_refused) == (114, 4)
    first = load(write(tmp_path / "a.jsonl", *rows))
    assert [[row["tools"], row["conversations"]] for row in first] == [
        [row["tools"], row["conversations"]] for row in rows
    ]
    again = reread(reread(first, tmp_path / "b.jsonl", "messages"), tmp_path / "c.jsonl", "conversations")
    assert texts(again, "conversations") == texts(first, "conversations")
