"""ChatGLM3's fine-tuning format: tool messages that hold the call and its result."""

from __future__ import annotations

from typing import Any

from hf_builders.conversations.calls import unwrapped
from hf_builders.conversations.fields import (
    Message,
    fields_of,
    loss_of,
    loss_of_result,
    refuse_other_fields,
    text_of,
)
from hf_builders.quarantine import RowProblem

_LOSS = ("loss", "weight", "train")
_FIELDS = {
    "system": ("role", "content", *_LOSS),
    "user": ("role", "content", *_LOSS),
    "assistant": ("role", "content", "metadata", "reasoning_content", *_LOSS),
    "tool": ("role", "name", "parameters", "observation", *_LOSS),
    "observation": ("role", "content", *_LOSS),
}


def read_chatglm3(messages: list[Any]) -> list[Message]:
    """The messages of a row with exactly the fields they have.

    Raises:
        RowProblem: a message that is none of this format.
    """
    return [_read(message, f"conversations[{i}]") for i, message in enumerate(messages)]


def _read(message: object, place: str) -> Message:
    fields = fields_of(message, place)
    role = fields.get("role")
    if not isinstance(role, str) or role not in _FIELDS:
        raise RowProblem("unknown_role", f"{place}: role is {role!r:.60}; ChatGLM3's are {', '.join(_FIELDS)}")
    if role == "tool":
        return _read_tool(fields, place)
    refuse_other_fields(fields, _FIELDS[role], place)
    read = {"role": role, "content": text_of(fields.get("content"), f"{place}: content")}
    for field in ("metadata", "reasoning_content"):
        if field in fields:
            read[field] = text_of(fields[field], f"{place}: {field}")
    if not read.get("metadata", "text"):  # what ChatGLM3 itself writes for an answer to the user
        del read["metadata"]
    return {**read, **(loss_of_result if role == "observation" else loss_of)(fields, place)}


def _read_tool(fields: Message, place: str) -> Message:
    if not fields.get("content", "text"):
        del fields["content"]
    refuse_other_fields(fields, _FIELDS["tool"], place)
    name = fields.get("name")
    if not isinstance(name, str) or not name.strip():
        raise RowProblem("tool_without_name", f"{place}: the tool message has no name; a tool is called by its name")
    read: Message = {"role": "tool", "name": name}
    if "parameters" in fields:
        read["parameters"] = unwrapped(fields["parameters"])
    if "observation" in fields:
        read["observation"] = fields["observation"]
    return {**read, **loss_of(fields, place)}
