"""Every input shape becomes the same flat turns."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from collators.columns import RowNames, columns_read, read_turns, shape_of
from collators.errors import TokenizationError

CONVERSATION = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


def read(columns: dict[str, Any]) -> list[list[tuple[str, str]]]:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    ids = table["id"].combine_chunks() if "id" in table.column_names else None
    turns = read_turns(table, RowNames(ids))
    return [[(m["role"], m["content"]) for m in turns.messages(row)] for row in range(len(turns))]


ONE_ROUND = [[("user", "q"), ("assistant", "a")]]


@pytest.mark.parametrize(
    "columns",
    [
        {"messages": [CONVERSATION]},
        {"conversations": [CONVERSATION]},
        {"prompt": ["q"], "completion": ["a"]},
        {"prompt": ["q"], "response": ["a"]},
        {"prompt": [CONVERSATION[:1]], "completion": [CONVERSATION[1:]]},
        {"instruction": ["q"], "output": ["a"]},
        {"instruction": ["q"], "input": [""], "output": ["a"]},
        {"instruction": ["q"], "input": pa.array([None], pa.string()), "output": ["a"]},
        {"messages": [CONVERSATION], "tools": pa.array([None], pa.string())},
        {"messages": [CONVERSATION], "history": pa.array([[]], pa.list_(pa.string()))},
    ],
)  # fmt: skip
def test_every_shape_reads_the_same(columns: dict[str, Any]) -> None:
    assert read(columns) == ONE_ROUND


def test_input_follows_its_instruction_on_a_new_line() -> None:
    rows = read({"instruction": ["q", "q"], "input": ["more", ""], "output": ["a", "b"]})
    assert [row[0] for row in rows] == [("user", "q\nmore"), ("user", "q")]


def test_message_lists_of_prompt_and_completion_are_joined_row_by_row() -> None:
    system = [{"role": "system", "content": "s"}, *CONVERSATION[:1]]
    rows = read({"prompt": [system, CONVERSATION[:1], []], "completion": [CONVERSATION[1:], CONVERSATION[1:] * 2, []]})
    assert [[role for role, _ in row] for row in rows] == [
        ["system", "user", "assistant"], ["user", "assistant", "assistant"], [],
    ]  # fmt: skip


def lists_of(kind: Any) -> pa.Array:
    struct = pa.struct([("role", pa.large_string()), ("content", pa.string())])
    return pa.array([CONVERSATION, CONVERSATION[:1], CONVERSATION], kind(struct))


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list, pa.list_view])
def test_slices_chunks_and_other_list_layouts_read_alike(kind: Any) -> None:
    whole = lists_of(kind)
    table = pa.table({"messages": pa.chunked_array([whole, whole.slice(1, 2)])})
    expected = [2, 1, 2, 1, 2]
    assert [len(row) for row in read(table)] == expected
    assert [len(row) for row in read(table.slice(1, 3))] == expected[1:4]
    assert read(table.slice(2, 1)) == ONE_ROUND


def test_loss_is_read_and_null_is_unset() -> None:
    messages = [[{**CONVERSATION[1], "loss": loss} for loss in (True, False, None)]]
    assert read_turns(pa.table({"messages": messages}), RowNames(None)).loss.tolist() == [1, 0, -1]


def test_loss_may_be_a_number() -> None:
    messages = [[{**CONVERSATION[1], "loss": loss} for loss in (1, 0, None)]]
    assert read_turns(pa.table({"messages": messages}), RowNames(None)).loss.tolist() == [1, 0, -1]


def test_only_needed_columns_are_fetched() -> None:
    assert columns_read(["id", "x", "messages", "tools"]) == ["messages", "id", "tools"]
    assert shape_of(["text", "messages"]) == ("messages",)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [1]}, "columns a: no conversation found; rename yours to one of these shapes: messages; "),
        ({"messages": ["text"]}, "column 'messages': expected lists of {role, content}, found string"),
        ({"conversations": [[{"from": "human", "value": "q"}]]},
         "column 'conversations': messages have the fields from, value; expected role and content (for ShareGPT's"),
        ({"messages": [CONVERSATION, None]}, "row 1 of the batch: messages is null; drop the row or give it messages"),
        ({"messages": [CONVERSATION, [None]]},
         "row 1 of the batch: messages[0]: is None; expected an object with role and content"),
        ({"id": ["x", "y"], "messages": [CONVERSATION, [{"role": "bot", "content": "c"}]]},
         "row 1 of the batch (id 'y'): messages[0]: role is 'bot'; expected one of system, user, assistant, tool, "),
        ({"messages": [CONVERSATION, [*CONVERSATION, {"role": "user", "content": None}]]},
         "row 1 of the batch: messages[2]: content is null; drop the row or give the message text"),
        ({"messages": [[{"role": "user", "content": ["q"]}]]},
         "row 0 of the batch: messages[0]: content is list; expected a string (join the text parts of multi-part"),
        ({"messages": [[{"role": "assistant", "content": "", "tool_calls": ["f"]}]]},
         "row 0 of the batch: messages[0]: tool_calls holds 'f'; expected {function: {name, arguments}}"),
        ({"messages": [[{"role": "user", "content": "q", "tool_calls": [{"name": "f"}]}]]},
         "row 0 of the batch: messages[0]: tool_calls stand in a message of role 'user'; only an assistant calls"),
        ({"messages": [[{"role": "tool", "name": "f", "content": "c", "parameters": "x"}]]},
         "row 0 of the batch: messages[0]: content and parameters in one tool message; a call has parameters, "),
        ({"messages": [[{"role": "tool", "parameters": "x"}]]},
         "row 0 of the batch: messages[0]: the tool message has the name None; expected which tool it is"),
        ({"messages": [CONVERSATION, [{**CONVERSATION[1], "loss": "false"}]]},
         "row 1 of the batch: messages[0]: loss is 'false'; expected true or false"),
        ({"messages": [[{**CONVERSATION[1], "loss": 1.0}, {**CONVERSATION[1], "loss": 0.5}]]},
         "row 0 of the batch: messages[1]: loss is 0.5; expected true or false"),
        ({"text": ["a", "b"], "system": ["", "s"]}, "row 1 of the batch: system stands beside a plain text, "),
        ({"messages": [[{"role": "system", "content": "s"}, *CONVERSATION]], "system": ["t"]},
         "row 0 of the batch: column 'system' has a text, and the messages begin with one; keep one of them"),
        ({"instruction": ["q"], "output": ["a"], "history": [["q0"]]},
         "row 0 of the batch: history holds 'q0'; expected pairs of a question and its answer"),
        ({"instruction": ["q"], "output": [None]}, "column 'output': expected strings, found null"),
        ({"instruction": ["q", "q"], "output": ["a", None]},
         "row 1 of the batch: output is null; drop the row or give it text"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_on_is_named(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenizationError) as raised:
        read(columns)
    assert str(raised.value).startswith(message)
