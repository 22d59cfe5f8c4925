"""Messages as people write them in, messages as chat templates read them out: tools, calls, results, reasoning.

Chat templates read OpenAI's form: an assistant message with `tool_calls`, then a message of role `tool` with the
result. ChatGLM3's form, one `tool` message with `name`, `parameters` and `observation`, is turned into that.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from collators.turns import LOSS_UNSET, ROLES, Conversation, Message

ALL_ROLES = (*ROLES, "tool", "observation")
REASONING = ("reasoning_content", "reasoning", "thinking")
"""Names under which a message's reasoning is known."""
STRUCTURED = ("tool_calls", "tool_call_id", "name", "metadata", "parameters", "observation", *REASONING)
"""Fields that make a message more than its text."""
LOSS_NAMES = ("loss", "weight", "train")
"""Names of a message's own loss: ours and ChatGLM3's, OpenAI's, axolotl's."""


class MessageFault(Exception):
    """What is wrong with a message, for whoever knows its place."""


def read_conversation(messages: Sequence[Any]) -> Conversation:
    """One row, each of its messages with its own keys only.

    >>> call = {"role": "tool", "name": "weather", "parameters": {"city": "北京"}, "observation": "晴"}
    >>> row = read_conversation([{"role": "user", "content": "天气?"}, call])
    >>> row.messages[1]["tool_calls"]
    [{'type': 'function', 'function': {'name': 'weather', 'arguments': {'city': '北京'}}}]
    >>> row.messages[2]
    {'role': 'tool', 'name': 'weather', 'content': '晴'}

    Raises:
        MessageFault: with the message's place, a role, a field or a value that cannot be read.
    """
    read: list[tuple[Message, int]] = []
    for place, message in enumerate(messages):
        try:
            loss = _loss_of(message)
            own = {name: value for name, value in message.items() if value is not None and name not in LOSS_NAMES}
            if not _is_call_with_result(own):
                read.append((_checked(own), loss))
                continue
            call, *result = _call_and_result(own, loss)
            if read and _is_said_before(*read[-1], loss):
                # What is said and what is called are one turn, as a model writes it.
                call = ({**read.pop()[0], "tool_calls": call[0]["tool_calls"]}, loss)
            read += [call, *result]
        except MessageFault as fault:
            raise MessageFault(f"[{place}]: {fault}") from None
    return Conversation(tuple(each for each, _ in read), tuple(loss for _, loss in read))


def parsed_tools(tools: Any) -> Any:
    """Tools as a value: ShareGPT's files hold them as JSON text. None for all that says there are none."""
    if isinstance(tools, str):
        with contextlib.suppress(ValueError, RecursionError):  # A description in words is a value too.
            tools = json.loads(tools) if tools.strip() else None
    if isinstance(tools, list) and tools and all(isinstance(tool, str) for tool in tools):
        values = [_object_in(tool) for tool in tools]
        tools = values if all(isinstance(value, dict) for value in values) else tools
    return tools or None


def _checked(message: dict[str, Any]) -> Message:
    role, content = message.get("role"), message.get("content", "")
    if role not in ALL_ROLES:
        raise MessageFault(f"role is {role!r}; expected one of {', '.join(ALL_ROLES)}")
    if "function_call" in message:
        raise MessageFault("function_call is not read; write it as tool_calls")
    if not isinstance(content, str):
        raise MessageFault(
            f"content is {type(content).__name__}; expected a string (join the text parts of multi-part content first)"
        )
    if not is_encodable(content):
        raise MessageFault("content holds half of a surrogate pair, which is no text; mend the row, or drop it")
    if "content" not in message and not (role == "assistant" and message.get("tool_calls")):
        raise MessageFault("content is null; drop the row or give the message text")
    for name in REASONING:
        if not isinstance(message.get(name, ""), str):
            raise MessageFault(f"{name} is {type(message[name]).__name__}; expected a string")
    known = {name: message[name] for name in ("tool_call_id", "name", "metadata", *REASONING) if message.get(name)}
    calls = message.get("tool_calls")
    if not calls:
        return {"role": role, "content": content, **known}
    if role != "assistant":
        raise MessageFault(f"tool_calls stand in a message of role {role!r}; only an assistant calls tools")
    if not isinstance(calls, list):
        raise MessageFault(f"tool_calls is {type(calls).__name__}; expected a list of calls")
    return {"role": role, "content": content, **known, "tool_calls": [_call(call) for call in calls]}


def _call(call: Any) -> dict[str, Any]:
    call = _object_in(call)
    function = _object_in(call.get("function", call)) if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise MessageFault(f"tool_calls holds {call!r:.80}; expected {{function: {{name, arguments}}}}")
    # Templates expect an object (so does transformers' guide); the text of one, as OpenAI sends it, would be quoted.
    function = {**function, "arguments": _object_in(function.get("arguments", {}))}
    return {**call, "function": function} if "function" in call else function


def _is_call_with_result(message: Mapping[str, Any]) -> bool:
    """Whether it is ChatGLM3's tool message. OpenAI's result has a content, and ours of the view `messages` may keep
    beside it, as `observation`, the value it is the text of."""
    if message.get("role") != "tool" or not {"parameters", "observation"} & set(message):
        return False
    if message.get("content") and "parameters" in message:
        raise MessageFault("content and parameters in one tool message; a call has parameters, a result has content")
    return not message.get("content")


def _call_and_result(message: dict[str, Any], loss: int) -> list[tuple[Message, int]]:
    """ChatGLM3's tool message as a call and its result."""
    if not isinstance(message.get("name"), str):
        raise MessageFault(f"the tool message has the name {message.get('name')!r}; expected which tool it is")
    function = {"name": message["name"], "arguments": message.get("parameters", {})}
    call: Message = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function}]}
    if "observation" not in message:
        return [(call, loss)]
    result = message["observation"]
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    return [(call, loss), ({"role": "tool", "name": message["name"], "content": text}, LOSS_UNSET)]


def _is_said_before(message: Message, loss: int, loss_of_call: int) -> bool:
    return message["role"] == "assistant" and loss == loss_of_call and not {"tool_calls", "metadata"} & set(message)


def _loss_of(message: Any) -> int:
    if not isinstance(message, Mapping):
        raise MessageFault(f"is {message!r:.60}; expected an object with role and content")
    for name in LOSS_NAMES:
        value = message.get(name)
        if value is not None:
            if value not in (0, 1):
                raise MessageFault(f"{name} is {value!r}; expected true or false")
            return int(value)
    return LOSS_UNSET


def is_encodable(text: str) -> bool:
    """Whether a text holds no half of a surrogate pair, as an emoji that was cut in two does."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _object_in(value: Any) -> Any:
    """The object that a JSON text holds; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found if isinstance(found, dict) else value
