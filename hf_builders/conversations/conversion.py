"""ChatGLM3's `conversations` into OpenAI's `messages` and back, without a loss.

The two write a tool call differently: ChatGLM3 as one message that holds call and result, OpenAI as `tool_calls` of an
assistant message and a message with the result.
"""

from __future__ import annotations

from collections.abc import Sequence

from hf_builders.conversations.fields import Message, is_trained_like, set_before_loss
from hf_builders.json_columns import json_text
from hf_builders.json_values import parse_exactly
from hf_builders.quarantine import RowProblem


def to_messages(conversation: Sequence[Message]) -> list[Message]:
    """OpenAI's form of a conversation that `check_order` lets through.

    >>> to_messages([{"role": "tool", "name": "天气", "parameters": {"城市": "北京"}, "observation": {"温度": 3.0}}])
    ... # doctest: +NORMALIZE_WHITESPACE
    [{'role': 'assistant', 'content': '',
      'tool_calls': [{'type': 'function', 'function': {'name': '天气', 'arguments': {'城市': '北京'}}}]},
     {'role': 'tool', 'name': '天气', 'content': '{"温度": 3.0}', 'observation': {'温度': 3.0}}]
    """
    messages: list[Message] = []
    for message in conversation:
        if message["role"] == "tool":
            _add_call(messages, message)
            if "observation" in message:
                messages.append({"role": "tool", "name": message["name"], **result_of(message["observation"])})
        elif message["role"] == "observation":
            messages.append({**message, "role": "tool"})
        else:
            messages.append(dict(message))
    return messages


def result_of(observation: object) -> Message:
    """The content of a result; what is no text is written as JSON and kept beside it as it is."""
    if isinstance(observation, str):
        return {"content": observation}
    return {"content": json_text(observation), "observation": observation}


def _add_call(messages: list[Message], tool: Message) -> None:
    """Into the assistant message right before, where both are trained alike; else in one of its own."""
    function = {"name": tool["name"]}
    if "parameters" in tool:
        function["arguments"] = tool["parameters"]
    call = {"type": "function", "function": function}
    loss = {"loss": tool["loss"]} if "loss" in tool else {}
    last: Message = messages[-1] if messages else {"role": "none"}
    if last["role"] == "assistant" and "metadata" not in last and is_trained_like(last, loss):
        set_before_loss(last, "tool_calls", [*last.get("tool_calls", ()), call])
    else:
        messages.append({"role": "assistant", "content": "", "tool_calls": [call], **loss})


def to_conversation(messages: Sequence[Message]) -> list[Message]:
    """ChatGLM3's form; parallel calls become one tool message each, with its own result.

    Raises:
        RowProblem: a result that answers no call.
    """
    conversation: list[Message] = []
    waiting: list[tuple[object, Message]] = []  # calls without a result so far: id, and the tool message it goes to
    for message in messages:
        if message["role"] == "tool":
            _add_result(conversation, waiting, message)
            continue
        waiting.clear()  # whether a call may stay without a result, the order decides
        own = {field: value for field, value in message.items() if field != "tool_calls"}
        calls = message.get("tool_calls", ())
        has_text = bool(own.get("content", "").strip() or own.get("reasoning_content", "").strip())
        if has_text or not calls:
            conversation.append(own)
        for call in calls:
            tool = {"role": "tool", "name": call["function"]["name"]}
            if "arguments" in call["function"]:
                tool["parameters"] = call["function"]["arguments"]
            if "loss" in message:
                tool["loss"] = message["loss"]
            conversation.append(tool)
            waiting.append((call.get("id"), tool))
    return conversation


def _add_result(conversation: list[Message], waiting: list[tuple[object, Message]], result: Message) -> None:
    """Pair a result with its call: by id where it has one, else the first that waits, else the text right before."""
    call_id = result.get("tool_call_id")
    if not waiting:
        if conversation and conversation[-1]["role"] == "assistant":
            _observation(result)  # an observation message is the text alone: a value beside it must be the same
            loss = {"loss": result["loss"]} if "loss" in result else {}
            conversation.append({"role": "observation", "content": result["content"], **loss})
            return
        raise RowProblem(
            "observation_without_call",
            f"the result {result['content']!r:.60} answers no call; add the call, or remove it",
        )
    places = [i for i, (waiting_id, _) in enumerate(waiting) if call_id is None or waiting_id in (None, call_id)]
    if not places:
        raise RowProblem(
            "observation_without_call",
            f"tool_call_id is {call_id!r}, and the calls that wait for a result are {[each for each, _ in waiting]}",
        )
    _, tool = waiting.pop(places[0])
    if (name := result.get("name", tool["name"])) != tool["name"]:
        raise RowProblem(
            "result_of_another_call", f"the result is of {name!r}, the call of {tool['name']!r}; put them in one order"
        )
    set_before_loss(tool, "observation", _observation(result))


def _observation(result: Message) -> object:
    if "observation" not in result:
        return result["content"]
    try:
        value = parse_exactly(result["content"])
    except (ValueError, RecursionError):
        value = None
    # The text is exact; the value beside it may have come through a decoder that loses the last digit of a number.
    if not _is_nearly(value, result["observation"]):
        raise RowProblem(
            "observation_twice",
            f"content ({result['content']!r:.60}) and observation ({result['observation']!r:.60}) are not the same; "
            "keep one of them",
        )
    return value


def _is_nearly(a: object, b: object) -> bool:
    """Whether two values are the same but for the last digits of numbers with a fraction."""
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= 1e-12 * max(abs(a), abs(b)) + 1e-300
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_is_nearly, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_is_nearly(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b
