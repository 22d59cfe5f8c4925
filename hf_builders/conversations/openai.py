"""OpenAI's chat format, today's (`tool_calls`, role `tool`) and the older one (`function_call`, role `function`)."""

from __future__ import annotations

from typing import Any

from hf_builders.conversations.calls import call_of
from hf_builders.conversations.fields import (
    Message,
    fields_of,
    loss_of,
    loss_of_result,
    refuse_other_fields,
    text_of,
)
from hf_builders.quarantine import RowProblem

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
_LOSS = ("loss", "weight", "train")
_FIELDS = {
    "system": ("role", "content", *_LOSS),
    "user": ("role", "content", *_LOSS),
    "assistant": ("role", "content", "tool_calls", "function_call", "reasoning_content", "metadata", *_LOSS),
    "tool": ("role", "content", "tool_call_id", "name", "observation", *_LOSS),
}
_NAMED = ("system", "developer", "user")
_EMPTY_IN_EXPORTS = ("annotations", "refusal", "audio")
"""What the API's answers, saved as they come, have beside the text; empty they say nothing, else they are refused."""


def read_openai(messages: list[Any], tools_place: str = "messages") -> list[Message]:
    """The messages of a row, each with the fields it has: roles and calls in one form, content as text.

    Raises:
        RowProblem: a message that is none of this format.
    """
    return [_read(message, f"{tools_place}[{i}]") for i, message in enumerate(messages)]


def has_speaker_name(message: Any) -> bool:
    """Whether the message says who of several speakers it is from: chat templates have no place for that name."""
    return isinstance(message, dict) and message.get("name") is not None and message.get("role") in _NAMED


def _read(message: object, place: str) -> Message:
    fields = fields_of(message, place)
    given = fields.get("role")
    role = _ROLES.get(given) if isinstance(given, str) else None
    if role is None:
        raise RowProblem("unknown_role", f"{place}: role is {given!r:.60}; OpenAI's are {', '.join(_ROLES)}")
    if given in _NAMED:
        fields.pop("name", None)  # `read_row` tells of it
    for field in _EMPTY_IN_EXPORTS:
        if fields.get(field) in ("", [], {}):
            del fields[field]
    refuse_other_fields(fields, _FIELDS[role], place)
    if role == "tool":
        return _read_result(fields, place)
    calls = _calls(fields, place)
    # Null is how OpenAI writes the content of a message that only calls.
    content = fields.get("content", "") if role == "assistant" else fields.get("content")
    read: Message = {"role": role, "content": text_of(content, f"{place}: content")}
    for field in ("reasoning_content", "metadata"):
        if field in fields:
            read[field] = text_of(fields[field], f"{place}: {field}")
    if not read.get("metadata", "text"):
        del read["metadata"]
    if calls and "metadata" in read:
        raise RowProblem("unknown_field", f"{place}: 'metadata' beside tool_calls; a message has one or the other")
    return {**read, **({"tool_calls": calls} if calls else {}), **loss_of(fields, place)}


def _calls(fields: Message, place: str) -> list[Message]:
    calls = fields.get("tool_calls", [])
    if not isinstance(calls, list):
        raise RowProblem("call_not_json", f"{place}: tool_calls is {calls!r:.60}; expected a list of calls")
    if "function_call" in fields:
        calls = [*calls, fields["function_call"]]
    return [call_of(call, place) for call in calls]


def _read_result(fields: Message, place: str) -> Message:
    read: Message = {"role": "tool", "content": text_of(fields.get("content"), f"{place}: content")}
    for field in ("name", "tool_call_id", "observation"):
        if field in fields:
            read[field] = fields[field]
    return {**read, **loss_of_result(fields, place)}
