"""A record in any view in; what its assistant says, turn by turn, out.

This reads records by itself, so that what it says of them proves something about the code that made token rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_REASONING = ("reasoning_content", "reasoning", "thinking")


@dataclass(frozen=True)
class Said:
    """Text of an assistant's turn; it may be empty."""

    turn: int
    """Which assistant's turn of the record, from 0."""
    text: str
    reasoning: str = ""
    """What it thought before, where that stands in a field of its own or in `<think>…</think>` before the text."""
    written: str = ""
    """Text and thinking as the record has them in one, if it does."""
    metadata: str = ""


@dataclass(frozen=True)
class Called:
    """The call of a tool."""

    turn: int
    name: str
    leaves: tuple[str, ...]
    """Every text among the arguments' values."""


Utterance = Said | Called


def chosen_utterances(record: Mapping[str, Any], loss: str, *, only_last: bool = False) -> list[Utterance]:
    """What the assistant says and the model must produce, in order; with `loss="all"`, what it must not.

    `only_last` leaves out every turn but the last, whatever it says of itself.

    >>> record = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    >>> [said.text for said in chosen_utterances(record, "assistant")], chosen_utterances(record, "all")
    (['b'], [])
    """
    turns = list(_turns(record))
    last = len(turns) - 1
    while last > 0 and turns[last - 1][1].is_said_before_call:  # one turn, as a model writes it
        last -= 1
    utterances: list[Utterance] = []
    for place, (own, said) in enumerate(turns):
        chosen = loss != "last" or place >= last
        is_trained = chosen if own is None else bool(own)
        if is_trained != (loss == "all") and (place >= last or not only_last):
            utterances += said(place)
    return utterances


class _Message:
    """One assistant's message; calling it with its place gives its utterances."""

    def __init__(self, message: Mapping[str, Any], *, is_said_before_call: bool = False) -> None:
        self._message = {key: value for key, value in message.items() if value is not None}
        self.is_said_before_call = is_said_before_call

    def __call__(self, turn: int) -> list[Utterance]:
        if "content" not in self._message and "name" in self._message:  # ChatGLM3's message of a call and its result
            return [Called(turn, str(self._message["name"]), tuple(_leaves(self._message.get("parameters"))))]
        calls = [call.get("function") or call for call in self._message.get("tool_calls") or []]
        called = [Called(turn, str(call["name"]), tuple(_leaves(_parsed(call.get("arguments"))))) for call in calls]
        content = str(self._message.get("content", ""))
        apart = next((str(self._message[name]) for name in _REASONING if self._message.get(name)), "")
        inline, found, text = content.rpartition("</think>")
        said = Said(
            turn,
            text if found and not apart else content,
            reasoning=apart or inline.replace("<think>", "").strip(),
            written=content,
            metadata=str(self._message.get("metadata", "")),
        )
        return [*([said] if content.strip() or said.reasoning or not called else []), *called]


def _turns(record: Mapping[str, Any]) -> Iterator[tuple[Any, _Message]]:
    """The assistant's messages, each with its own `loss` (None where it has none)."""
    messages = record.get("messages", record.get("conversations"))
    if messages is not None:
        for message, following in zip(messages, [*messages[1:], {}], strict=False):
            if message["role"] == "assistant" or _is_call(message):
                is_plain = not (message.get("metadata") or message.get("tool_calls") or _is_call(message))
                is_before = is_plain and _is_call(following) and message.get("loss") == following.get("loss")
                yield message.get("loss"), _Message(message, is_said_before_call=is_before)
    elif "text" in record:
        yield None, _Message({"content": record["text"]})
    else:
        for _, answer in record.get("history") or []:
            yield None, _Message({"content": answer})
        yield None, _Message({"content": record["output"]})


def _is_call(message: Mapping[str, Any]) -> bool:
    """Whether it is ChatGLM3's message of a call and its result."""
    return message.get("role") == "tool" and message.get("content") is None


def _parsed(arguments: Any) -> Any:
    """Arguments that come as the text of a JSON object, as that object."""
    try:
        value = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return arguments
    return value if isinstance(value, (dict, list)) else arguments


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, Sequence):
        for each in value:
            yield from _leaves(each)


def is_written(text: str, place: str) -> bool:
    r"""Whether `text` stands in `place`, as it is or escaped as JSON or Python write it, also as JSON within JSON.

    >>> is_written('a "b"', r'{"key": "a \"b\""}'), is_written("c", "{'key': 'd'}")
    (True, False)
    """
    if text in place:
        return True
    for escape_all in (False, True):
        once = json.dumps(text, ensure_ascii=escape_all)
        if once[1:-1] in place or json.dumps(once, ensure_ascii=escape_all)[3:-3] in place:
            return True
    # repr() quotes with ' unless that stands in the text and " does not.
    return repr(text)[1:-1] in place or repr(text + '"')[1:-2] in place
