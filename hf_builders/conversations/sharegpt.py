"""ShareGPT's format: `from` and `value`, under the role names of many tools; the result is OpenAI's form."""

from __future__ import annotations

from typing import Any

from hf_builders.conversations.calls import calls_of_text
from hf_builders.conversations.fields import (
    Message,
    fields_of,
    is_trained_like,
    loss_of,
    loss_of_result,
    refuse_other_fields,
    set_before_loss,
    text_of,
)
from hf_builders.quarantine import RowProblem

_ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "bard": "assistant",
    "bing": "assistant",
    "model": "assistant",
    "function_call": "call",
    "observation": "tool",
    "tool": "tool",
    "function_response": "tool",
}
OWN_ROLES = frozenset(_ROLES) - {"system", "user", "assistant", "tool", "observation"}
"""Role names that other formats do not have."""
_FIELDS = ("from", "value", "loss", "weight", "train")
_OTHER_NAMES = {"role": "from", "content": "value"}


def read_sharegpt(messages: list[Any]) -> list[Message]:
    """The messages of a row in OpenAI's form; a call joins the text right before it, where both are trained alike.

    Raises:
        RowProblem: a message that is none of this format.
    """
    read: list[Message] = []
    names: list[str] = []  # of the calls that wait for a result
    for i, message in enumerate(messages):
        place = f"conversations[{i}]"
        fields = _fields(message, place)
        given = fields.get("from")
        role = _ROLES.get(given) if isinstance(given, str) else None
        if role is None:
            raise RowProblem("unknown_role", f"{place}: from is {given!r:.60}; ShareGPT's are {', '.join(_ROLES)}")
        refuse_other_fields(fields, _FIELDS, place)
        if role == "call":
            calls = calls_of_text(fields.get("value"), place)
            names = [call["function"]["name"] for call in calls]
            _add_calls(read, calls, loss_of(fields, place))
            continue
        text = text_of(fields.get("value"), f"{place}: value")
        if role == "tool":
            name = {"name": names.pop(0)} if names else {}
            read.append({"role": "tool", **name, "content": text, **loss_of_result(fields, place)})
        else:
            read.append({"role": role, "content": text, **loss_of(fields, place)})
    return read


def _fields(message: object, place: str) -> Message:
    given = fields_of(message, place)
    fields = {_OTHER_NAMES.get(field, field): value for field, value in given.items()}
    if len(fields) < len(given):
        raise RowProblem("unknown_field", f"{place}: both from/value and role/content are there; keep one of the two")
    return fields


def _add_calls(messages: list[Message], calls: list[Message], loss: Message) -> None:
    last: Message = messages[-1] if messages else {"role": "none"}
    if last["role"] == "assistant" and "tool_calls" not in last and is_trained_like(last, loss):
        set_before_loss(last, "tool_calls", calls)
    else:
        messages.append({"role": "assistant", "content": "", "tool_calls": calls, **loss})
