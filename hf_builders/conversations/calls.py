"""Tool calls as the formats write them, and their one form: `{"type": "function", "function": {name, arguments}}`."""

from __future__ import annotations

from typing import Any

from hf_builders.conversations.fields import Message
from hf_builders.json_values import parse_exactly, type_name
from hf_builders.quarantine import RowProblem


def call_of(value: object, place: str) -> Message:
    """The call in `{"name": …, "arguments": …}`, or in such an object under `function`; keeps its `id`.

    >>> call_of({"name": "天气", "arguments": '{"城市": "北京"}'}, "messages[1]")
    {'type': 'function', 'function': {'name': '天气', 'arguments': {'城市': '北京'}}}
    """
    function = value.get("function", value) if isinstance(value, dict) else value
    if not isinstance(function, dict):
        raise RowProblem("call_not_json", f"{place} calls {type_name(function)} ({function!r:.60}); expected an object")
    name = function.get("name")
    if not isinstance(name, str) or not name.strip():
        raise RowProblem("tool_without_name", f"{place}: the call has no name; a tool is called by its name")
    call: Message = {"type": "function", "function": {"name": name}}
    arguments = function.get("arguments", function.get("parameters"))
    if arguments is not None:
        call["function"]["arguments"] = unwrapped(arguments)
    if isinstance(value, dict) and function is not value and value.get("id") is not None:
        call["id"] = value["id"]
    return call


def calls_of_text(text: object, place: str) -> list[Message]:
    """The calls of ShareGPT's `function_call`: JSON text of one call or of a list of them."""
    value = text
    if isinstance(text, str):
        try:
            value = parse_exactly(text)
        except (ValueError, RecursionError) as error:
            raise RowProblem(
                "call_not_json",
                f"{place}: the function call is no JSON ({text!r:.60}: {error}); write name and arguments",
            ) from error
    calls = [call_of(call, place) for call in (value if isinstance(value, list) else [value])]
    if not calls:
        raise RowProblem("call_not_json", f"{place}: the function call calls nothing")
    return calls


def unwrapped(value: Any, kinds: tuple[type, ...] = (dict,)) -> Any:
    """A text that holds JSON of one of these kinds as that value; anything else as it is.

    >>> unwrapped('{"n": 3.0}'), unwrapped("[1]"), unwrapped({"n": 3})
    ({'n': 3.0}, '[1]', {'n': 3})
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            held = parse_exactly(value)
        except (ValueError, RecursionError):
            return value
        return held if isinstance(held, kinds) else value
    return value
