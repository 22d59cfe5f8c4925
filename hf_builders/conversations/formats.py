"""One row of a file in, its conversation in both forms out; the row itself tells which format it is."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

from hf_builders.conversations.calls import unwrapped
from hf_builders.conversations.chatglm3 import read_chatglm3
from hf_builders.conversations.conversion import to_conversation, to_messages
from hf_builders.conversations.fields import Message
from hf_builders.conversations.openai import has_speaker_name, read_openai
from hf_builders.conversations.order import check_order
from hf_builders.conversations.sharegpt import OWN_ROLES, read_sharegpt
from hf_builders.json_values import type_name
from hf_builders.quarantine import RowProblem

Format = Literal["chatglm3", "sharegpt", "openai"]
FORMATS: tuple[Format, ...] = get_args(Format)
_FIELDS_READ = {
    "chatglm3": ("conversations", "tools", "system"),
    "sharegpt": ("conversations", "tools", "system"),
    "openai": ("messages", "tools", "functions", "system"),
}


class Conversation(NamedTuple):
    """One row."""

    conversations: list[Message]
    """ChatGLM3's form."""
    messages: list[Message]
    """OpenAI's form."""
    tools: Any
    """None where the row has none."""
    fields_left_out: list[str]
    """Of the row: what no view carries."""


def detect_format(row: object) -> Format | None:
    """The format of a row, or None where it is none of them.

    >>> detect_format({"conversations": [{"from": "human", "value": "你好"}]})
    'sharegpt'
    """
    if not isinstance(row, dict):
        return None
    if isinstance(row.get("messages"), list):
        return "openai"
    messages = row.get("conversations")
    if not isinstance(messages, list) or not messages:
        return None
    fields = {field for message in messages if isinstance(message, dict) for field in message}
    roles = {str(message.get("role")) for message in messages if isinstance(message, dict)}
    if "from" in fields or roles & OWN_ROLES:
        return "sharegpt"
    return "openai" if "tool_calls" in fields else "chatglm3" if "role" in fields else None


def read_row(row: object, format: Format | None) -> Conversation:
    """The conversation of a row of a file of this format.

    Raises:
        RowProblem: the row is no conversation, or none that can be trained on.
    """
    if not isinstance(row, dict):
        raise RowProblem("not_an_object", f"the row is {type_name(row)}, not an object; expected {_EXPECTED}")
    if format is None:
        raise _unknown_format(row)
    # OpenAI's messages stand under ChatGLM3's name in some files.
    field = "messages" if format == "openai" and row.get("messages") is not None else "conversations"
    given = _messages_of(row, field)
    system = _system_of(row)
    if format == "chatglm3":
        read = read_chatglm3(given)
    else:
        read = read_sharegpt(given) if format == "sharegpt" else read_openai(given, field)
    read = [*system, *read]
    conversation = read if format == "chatglm3" else to_conversation(read)
    check_order(conversation)
    messages = to_messages(conversation) if format == "chatglm3" else read
    left_out = [name for name, value in row.items() if name not in (field, *_FIELDS_READ[format]) and value is not None]
    if format == "openai" and any(has_speaker_name(message) for message in given):
        left_out.append(f"{field}[].name")
    return Conversation(conversation, messages, _tools_of(row, format), left_out)


_EXPECTED = "conversations (ChatGLM3, ShareGPT) or messages (OpenAI)"


def _messages_of(row: dict[str, Any], field: str) -> list[Any]:
    given = row.get(field)
    if given is None:
        raise RowProblem("no_conversation", f"{field!r} is missing; the row has {', '.join(row) or 'no fields'}")
    if not isinstance(given, list):
        raise RowProblem(
            "no_conversation", f"{field!r} is {type_name(given)} ({given!r:.60}); expected a list of messages"
        )
    if not given:
        raise RowProblem("empty_conversation", f"{field!r} holds no message")
    return given


def _unknown_format(row: dict[str, Any]) -> RowProblem:
    """The problem of a row that does not tell its format, at the head of a file."""
    for field in ("messages", "conversations"):
        if row.get(field) is not None:
            try:
                first = _messages_of(row, field)[0]
            except RowProblem as problem:
                return problem
            has = f"has the fields {', '.join(first)}" if isinstance(first, dict) else f"is {type_name(first)}"
            return RowProblem(
                "no_conversation",
                f"{field}[0] {has}; expected role and content (ChatGLM3, OpenAI), or from and value (ShareGPT)",
            )
    return RowProblem(
        "no_conversation",
        f"the row has the fields {', '.join(row) or '(none)'}; expected {_EXPECTED}; for instruction files load "
        "hf_builders/instructions",
    )


def fitting_format(row: object, refused: Format) -> Format | None:
    """The format a row looks like and can be read in, where it is not the one it was refused in.

    >>> fitting_format({"conversations": [{"from": "user", "value": "问"}, {"from": "gpt", "value": "答"}]}, "chatglm3")
    'sharegpt'
    """
    format = detect_format(row)
    if format in (None, refused):
        return None
    try:
        read_row(row, format)
    except RowProblem:
        return None
    return format


def _system_of(row: dict[str, Any]) -> list[Message]:
    """The system message that stands beside the conversation."""
    text = row.get("system")
    if text is None or text == "":
        return []
    if not isinstance(text, str):
        raise RowProblem("content_not_text", f"'system' is {type_name(text)} ({text!r:.60}); expected text")
    return [{"role": "system", "content": text}]


def _tools_of(row: dict[str, Any], format: Format) -> Any:
    """The tools as a value: JSON text of some is unpacked, none at all (`""`, `[]`) is None."""
    tools = unwrapped(row.get("tools"), (dict, list))
    functions = row.get("functions") if format == "openai" else None
    if tools and functions:
        raise RowProblem("tools_twice", "the row has tools and functions, which is their older name; keep one of them")
    if isinstance(functions, list):
        tools = [{"type": "function", "function": function} for function in functions]
    return None if tools in ("", []) else tools
