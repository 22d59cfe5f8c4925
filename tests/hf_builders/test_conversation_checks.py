"""Conversations that cannot be trained on: each with its reason, its place, the fact and the way out."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

import hf_builders
from hf_builders import RowError, SourceError
from tests.hf_builders.chat_files import ANSWER, TOOL, USER, load, write


def conversation(*messages: Any, **row: Any) -> dict[str, Any]:
    return {"conversations": list(messages), **row}


def sharegpt(*turns: tuple[str, Any], **row: Any) -> dict[str, Any]:
    return conversation(*({"from": speaker, "value": value} for speaker, value in turns), **row)


def openai(*messages: Any, **row: Any) -> dict[str, Any]:
    return {"messages": list(messages), **row}


RESULT = {"role": "observation", "content": "2"}
CODE = {"role": "assistant", "content": "1 + 1", "metadata": "interpreter"}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {}}}]}
BAD: list[tuple[Any, str, str]] = [
    (
        [1],
        "not_an_object",
        "the row is an array, not an object; expected conversations (ChatGLM3, ShareGPT) or messages (OpenAI)",
    ),
    (
        {"instruction": "a", "output": "b"},
        "no_conversation",
        "'conversations' is missing; the row has instruction, output",
    ),
    (conversation(), "empty_conversation", "'conversations' holds no message"),
    ({"conversations": "text"}, "no_conversation", "'conversations' is text ('text'); expected a list of messages"),
    (conversation(USER, "晴"), "message_not_an_object", "conversations[1] is text; expected an object"),
    (
        conversation(USER, {"role": "robot", "content": "晴"}),
        "unknown_role",
        "conversations[1]: role is 'robot'; ChatGLM3's are system, user, assistant, tool, observation",
    ),
    (conversation(USER, {"content": "晴"}), "unknown_role", "conversations[1]: role is None; ChatGLM3's are system"),
    (
        conversation(USER, {**ANSWER, "score": 1}),
        "unknown_field",
        "conversations[1]: 'score' is no field of a message of assistant; it may have role, content",
    ),
    (
        conversation(USER, ANSWER, USER, CALL),
        "unknown_field",
        "; the first conversation of the file says 'chatglm3', and this row is 'openai': load with format='openai', "
        "or split the file",
    ),
    (
        conversation(USER, {**TOOL, "content": "x"}),
        "unknown_field",
        "conversations[1]: 'content' is no field of a message of tool; it may have role, name",
    ),
    (
        conversation(USER, {"role": "assistant", "content": 3}),
        "content_not_text",
        "conversations[1]: content is a number (3); expected text",
    ),
    (
        conversation({"role": "user", "content": None}, ANSWER),
        "content_not_text",
        "conversations[0]: content is null (None); expected text",
    ),
    (
        conversation(USER, {**ANSWER, "loss": "false"}),
        "loss_not_boolean",
        "conversations[1]: loss is 'false'; expected true or false",
    ),
    (
        conversation(USER, {**ANSWER, "loss": 1}),
        "loss_not_boolean",
        "conversations[1]: loss is 1; expected true or false",
    ),
    (
        conversation(USER, {**ANSWER, "weight": 0.5}),
        "loss_not_boolean",
        "conversations[1]: weight is 0.5; expected 0 or 1",
    ),
    (conversation(USER, {**ANSWER, "weight": 1, "loss": False}), "loss_twice", "conversations[1]: loss and weight"),
    (
        conversation(USER, CODE, {"role": "observation", "content": "2", "loss": True}),
        "trained_result",
        "conversations[2]: loss is true for a result, which the model does not write",
    ),
    (
        conversation({"role": "system", "content": "a"}, USER, ANSWER, system="b"),
        "second_system",
        "a second system message ('a'); join it with the first",
    ),
    (
        conversation(USER, {"role": "system", "content": "a"}, ANSWER),
        "late_system",
        "the system message ('a') comes after a turn; put it first",
    ),
    (
        conversation(ANSWER, USER, ANSWER),
        "first_turn_not_user",
        "the first turn is of the assistant ('晴。'); a conversation begins with the user, behind system",
    ),
    (conversation(TOOL, ANSWER), "first_turn_not_user", "the first turn is of the tool ('f')"),
    (
        conversation(USER, ANSWER, ANSWER),
        "two_assistant_turns",
        "two assistant turns in a row ('晴。', '晴。'), and no",
    ),
    (conversation(USER, CODE, ANSWER), "two_assistant_turns", "two assistant turns in a row ('1 + 1', '晴。')"),
    (conversation(USER, {"role": "assistant", "content": " "}), "blank_assistant", "an assistant message is blank"),
    (
        conversation(USER, {"role": "assistant", "content": ""}, TOOL),
        "blank_assistant",
        "an assistant message is blank; a turn needs text, reasoning or a call",
    ),
    (openai(USER, {"role": "assistant", "content": None}), "blank_assistant", "an assistant message is blank"),
    (conversation(USER, {"role": "tool", "parameters": {}}), "tool_without_name", "conversations[1]: the tool message"),
    (
        conversation(USER, {"role": "tool", "name": " ", "parameters": {}}),
        "tool_without_name",
        "conversations[1]: the tool message has no name; a tool is called by its name",
    ),
    (
        conversation(USER, {"role": "observation", "content": "2"}, ANSWER),
        "observation_without_call",
        "the result '2' answers no call; an observation follows an assistant message, a tool message brings its own",
    ),
    (
        conversation(USER, ANSWER, RESULT, RESULT),
        "observation_without_call",
        "the result '2' answers no call; an observation follows an assistant message",
    ),
    (conversation(USER, TOOL, RESULT), "observation_without_call", "the result '2' answers no call; an observation"),
    (
        conversation({"role": "observation", "content": "2"}, ANSWER),
        "observation_without_call",
        "the result '2' answers",
    ),
    (
        conversation(USER, {"role": "tool", "name": "f", "observation": None}, ANSWER),
        "call_without_result",
        "the call of 'f' has no result, and the conversation goes on; add the observation",
    ),
    (conversation({"role": "system", "content": "a"}), "no_assistant", "the conversation has no assistant turn"),
    (conversation(USER), "no_assistant", "the conversation has no assistant turn; there is nothing to train on"),
    (conversation(USER, USER), "no_assistant", "the conversation has no assistant turn; there is nothing to train on"),
    (sharegpt(("human", "a"), ("robot", "b")), "unknown_role", "conversations[1]: from is 'robot'; ShareGPT's are"),
    (
        conversation({"from": "human", "value": "a", "role": "user"}),
        "unknown_field",
        "conversations[0]: both from/value and role/content are there; keep one of the two",
    ),
    (
        sharegpt(("human", "a"), ("function_call", "f(1)")),
        "call_not_json",
        "conversations[1]: the function call is no JSON ('f(1)': ",
    ),
    (sharegpt(("human", "a"), ("function_call", "[]")), "call_not_json", "conversations[1]: the function call calls"),
    (
        sharegpt(("human", "a"), ("function_call", "3")),
        "call_not_json",
        "conversations[1] calls a number (3); expected",
    ),
    (sharegpt(("human", "a"), ("function_call", "{}")), "tool_without_name", "conversations[1]: the call has no name"),
    (
        sharegpt(("human", "a"), ("observation", "c"), ("gpt", "d")),
        "observation_without_call",
        "the result 'c' answers no call; add the call, or remove it",
    ),
    (
        sharegpt(("human", "a"), ("gpt", "b"), ("observation", "c"), ("observation", "d")),
        "observation_without_call",
        "the result 'd' answers no call; add the call, or remove it",
    ),
    (
        sharegpt(("human", "a"), ("function_call", '{"name": "f"}'), ("gpt", "b"), ("observation", "c")),
        "call_without_result",
        "the call of 'f' has no result, and the conversation goes on; add the observation",
    ),
    (
        openai({"role": "system", "content": "a"}, {"role": "tool", "content": "1"}, USER, ANSWER),
        "observation_without_call",
        "the result '1' answers no call; add the call, or remove it",
    ),
    (
        openai(USER, ANSWER, {"role": "tool", "content": "1", "observation": 2}),
        "observation_twice",
        "content ('1') and observation (2) are not the same; keep one of them",
    ),
    (
        sharegpt(
            ("human", "a"), ("function_call", '[{"name": "f"}, {"name": "g"}]'), ("observation", "c"), ("gpt", "d")
        ),
        "call_without_result",
        "the call of 'g' has no result",
    ),
    (
        sharegpt(("human", "a"), ("gpt", "b"), system=["s"]),
        "content_not_text",
        "'system' is an array (['s']); expected",
    ),
    (
        openai({"role": "user", "content": [{"type": "image_url"}]}, ANSWER),
        "content_not_text",
        "messages[0]: content holds a part that is no text ('image_url'); only text is trained on",
    ),
    (
        openai(USER, {**ANSWER, "name": "小明"}),
        "unknown_field",
        "messages[1]: 'name' is no field of a message of assistant",
    ),
    (openai(USER, {**CALL, "metadata": "x"}), "unknown_field", "messages[1]: 'metadata' beside tool_calls"),
    (openai(USER, {**CALL, "tool_calls": {"name": "f"}}), "call_not_json", "messages[1]: tool_calls is {'name': 'f'};"),
    (
        openai(USER, CALL, {"role": "tool", "tool_call_id": "d", "content": "1"}),
        "observation_without_call",
        "tool_call_id is 'd', and the calls that wait for a result are ['c']",
    ),
    (openai(USER, CALL, {"role": "tool", "content": None}), "content_not_text", "messages[2]: content is null (None)"),
    (
        openai(USER, ANSWER, tools=[{}], functions=[{}]),
        "tools_twice",
        "the row has tools and functions, which is their older name; keep one of them",
    ),
    (
        conversation(USER, {**TOOL, "parameters": 2**64}),
        "unreadable_value",
        "the row holds a whole number below -2**63",
    ),
    (conversation(USER, ANSWER, tools=[2**64]), "unreadable_value", "the row holds a whole number below -2**63"),
    (
        sharegpt(("human", "a"), ("function_call", '{"name": "f", "arguments": {"a": "\\ud800"}}')),
        "undecodable",
        "the row holds escapes that are no text",
    ),
]


@pytest.mark.parametrize(("row", "reason", "fact"), BAD, ids=[f"{i} {case[1]}" for i, case in enumerate(BAD)])
def test_what_cannot_be_trained_on_stops_the_load_or_is_set_aside_with_its_reason(
    tmp_path: Path, row: Any, reason: str, fact: str
) -> None:
    good: dict[str, Any] = conversation(USER, ANSWER)
    if isinstance(row, dict) and "messages" in row:
        good = openai(USER, ANSWER)
    elif isinstance(row, dict) and "from" in str(row):
        good = sharegpt(("human", "a"), ("gpt", "b"))
    path = write(tmp_path / "a.jsonl", good, row, good)
    for view in ("conversations", "messages"):
        with pytest.raises(RowError) as error:
            load(path, view)
        assert (error.value.place, error.value.reason) == ("a.jsonl:2", reason)
        assert fact in error.value.fact
        loaded = load(path, view, on_bad_row="quarantine")
        assert loaded["id"][:] == ["a.jsonl:1", "a.jsonl:3"]
        account = hf_builders.account(loaded)["train"]
        assert (account.read, account.kept, account.quarantined) == (3, 2, Counter({reason: 1}))


def test_the_card_names_every_reason_there_is() -> None:
    folder = Path(hf_builders.__file__).parent / "conversations"
    card = (folder / "README.md").read_text(encoding="utf-8")
    reasons = {reason for _, reason, _ in BAD} | {"result_of_another_call", "observation_twice"}
    code = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py")))
    assert len(reasons) == 25
    assert [reason for reason in sorted(reasons) if f"`{reason}`" not in card] == []
    assert set(re.findall(r'RowProblem\(\s*"(\w+)"', code)) == reasons


def test_a_file_of_other_data_is_sent_to_the_right_dataset(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"instruction": "a", "output": "b"})
    with pytest.raises(RowError) as error:
        load(path)
    assert error.value.reason == "no_conversation"
    assert error.value.fact == (
        "the row has the fields instruction, output; expected conversations (ChatGLM3, ShareGPT) or messages (OpenAI); "
        "for instruction files load hf_builders/instructions"
    )


@pytest.mark.parametrize(
    ("row", "reason", "fact"),
    [
        ({"conversations": "text"}, "no_conversation", "'conversations' is text ('text'); expected a list of messages"),
        ({"messages": "[]"}, "no_conversation", "'messages' is text ('[]'); expected a list of messages"),
        (conversation(), "empty_conversation", "'conversations' holds no message"),
        (
            conversation({"text": "a"}),
            "no_conversation",
            "conversations[0] has the fields text; expected role and content (ChatGLM3, OpenAI), or from and value "
            "(ShareGPT)",
        ),
        (
            conversation("a"),
            "no_conversation",
            "conversations[0] is text; expected role and content (ChatGLM3, OpenAI)",
        ),
    ],
)
def test_a_first_row_that_tells_no_format_has_its_own_fault_named(
    tmp_path: Path, row: dict[str, Any], reason: str, fact: str
) -> None:
    with pytest.raises(RowError) as error:
        load(write(tmp_path / "a.jsonl", row))
    assert error.value.reason == reason
    assert error.value.fact.startswith(fact)


def test_a_row_of_another_format_than_the_file_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", conversation(USER, ANSWER), sharegpt(("human", "问"), ("gpt", "答")))
    told = ", and this row is 'sharegpt': load with format='sharegpt', or split the file"
    for options, says in (({}, "the first conversation of the file says"), ({"format": "chatglm3"}, "format= says")):
        with pytest.raises(RowError) as error:
            load(path, **options)
        assert (error.value.place, error.value.reason) == ("a.jsonl:2", "unknown_role")
        assert error.value.fact.endswith(f"; {says} 'chatglm3'{told}")
    assert load(path, format="sharegpt").num_rows == 2
    bad_in_both = write(tmp_path / "b.jsonl", conversation(USER, ANSWER), sharegpt(("human", "问"), ("bot", "答")))
    with pytest.raises(RowError, match=r"role is None") as error:
        load(bad_in_both)
    assert "sharegpt" not in error.value.fact, "it is no good row of that format either"


@pytest.mark.parametrize("packing", ["", "gz"])
def test_parquet_is_refused_with_what_is_read(tmp_path: Path, packing: str) -> None:
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pa.table({"messages": [[USER, ANSWER]]}), path)
    if packing:
        data, path = gzip.compress(path.read_bytes()), tmp_path / "a.parquet.gz"
        path.write_bytes(data)
    with pytest.raises(
        SourceError, match=r"^a\.parquet: is Parquet, and conversations reads JSON and JSON Lines only;"
    ):
        load(path)


def test_what_exports_of_the_api_have_beside_the_text_does_no_harm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    empty = {"refusal": None, "annotations": [], "audio": None, "function_call": None, "tool_calls": None}
    developer = {"role": "developer", "content": "简短。"}
    plain = write(tmp_path / "plain.jsonl", openai(developer, USER, ANSWER))
    named = openai({**developer, "name": "店主"}, {**USER, "name": "小明"}, {**ANSWER, **empty})
    path = write(tmp_path / "a.jsonl", named, openai(USER, {**ANSWER, "refusal": ""}))
    for view in ("conversations", "messages"):
        assert load(path, view)[0][view] == load(plain, view)[0][view]
        assert load(path, view)[1][view] == [USER, ANSWER]
    (said,) = {message for message in caplog.messages if "a.jsonl" in message}
    assert said == "a.jsonl: not in the records: the field 'messages[].name' (1 rows)"
    for field, value in (("refusal", "不行"), ("annotations", [{"type": "url_citation"}]), ("audio", {"id": "a"})):
        with pytest.raises(RowError, match=f"{field!r} is no field of a message of assistant"):
            load(write(tmp_path / "bad.jsonl", openai(USER, {**ANSWER, field: value})))


@pytest.mark.parametrize("depth", [900, 5_000])
def test_values_nested_too_deeply_stop_no_load(tmp_path: Path, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    result = f'{{"role": "tool", "content": "{deep}", "observation": {deep}}}'
    messages = f'{{"messages": [{json.dumps(USER)}, {json.dumps(CALL)}, {result}]}}\n'
    path = tmp_path / "a.jsonl"
    path.write_text(messages + json.dumps(openai(USER, ANSWER)), encoding="utf-8")
    loaded = load(path, on_bad_row="quarantine")
    is_read = len(list(loaded)) == 2  # from Python 3.12 on, which nests deeper
    assert not (is_read and depth > 1_024)
    quarantined = hf_builders.account(loaded)["train"].quarantined
    assert quarantined.total() == (0 if is_read else 1)
    assert quarantined.keys() <= {"unreadable_value", "invalid_json"}
