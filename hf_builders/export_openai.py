"""Records as OpenAI's fine-tuning takes them: `messages`, an untrained answer with `weight` 0, and `tools`.

Arguments are JSON text and every call has an id, which its result names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from collators.turns import Message
from hf_builders.export_records import ExportRecord, reasoning_of
from hf_builders.export_target import Line, Note, Place, Target, function_of, text_of

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class OpenAI(Target):
    title = "OpenAI"
    takes_texts = False
    reads_control_texts = False

    def line(self, record: ExportRecord, note: Note) -> Line:
        made = [call for message in record.messages for call in message.get("tool_calls", [])]
        calls = _Calls(str(call["id"]) for call in made if call.get("id"))
        messages = [
            self._message(message, is_trained, calls, note)
            for message, is_trained in zip(record.messages, record.trained, strict=True)
        ]
        if record.messages[-1]["role"] != "assistant":
            note("the last message is not an answer, and OpenAI refuses such a row")
        if self.run.loss == "all":
            note("all is trained, and OpenAI trains answers only")
        line: Line = {"messages": messages}
        if tools := self.schemas(record):
            line["tools"] = [_wrapped(tool) for tool in tools]
        names = [tool["function"].get("name") for tool in line.get("tools", [])] + [
            function_of(call)[0] for call in made
        ]
        if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
            note("a function is not named in 1 to 64 of the signs a-z, A-Z, 0-9, _ and -, as OpenAI asks")
        return line

    def _message(self, message: Message, is_trained: bool, calls: _Calls, note: Note) -> Line:
        for what, is_there in (("metadata", message.get("metadata")), ("reasoning", reasoning_of(message))):
            if is_there:
                note(f"the {what} of an answer is left out: OpenAI has no place for it")
        role, content = message["role"], message["content"]
        if role in ("tool", "observation"):
            id = calls.answered(message)
            if id is None:
                note("a result answers no call, and OpenAI refuses such a row")
            return {"role": "tool", **({} if id is None else {"tool_call_id": id}), "content": content}
        line: Line = {"role": role, "content": content}
        if made := message.get("tool_calls"):
            line["content"] = content or None
            line["tool_calls"] = [calls.made(call) for call in made]
        if role == "assistant" and not is_trained:
            line["weight"] = 0
        return line

    def features(self) -> list[dict[str, Any]]:
        columns = [{"name": "messages", "list": "json"}]
        return [*columns, {"name": "tools", "list": "json"}] if self.survey.tools else columns

    def settings(self, place: Place) -> dict[str, str]:
        return {}

    def command(self, place: Place) -> str:
        return f"upload {place.folder}/{place.names[place.first]}.jsonl with purpose=fine-tune"


class _Calls:
    """The ids of the calls of one record: its own where it has them, else numbers."""

    def __init__(self, own: Iterable[str]) -> None:
        self._own = set(own)
        self._num_made = 0
        self._open: list[str] = []

    def made(self, call: Message) -> Line:
        self._num_made += 1
        id = str(call.get("id") or self._unused())
        self._open.append(id)
        name, arguments = function_of(call)
        text = arguments if isinstance(arguments, str) else text_of(arguments)
        return {"id": id, "type": "function", "function": {"name": name, "arguments": text}}

    def _unused(self) -> str:
        id = f"call_{self._num_made}"
        while id in self._own:
            id += "_"
        return id

    def answered(self, result: Message) -> str | None:
        """The call a result is of: the one it names, else the first without a result."""
        id = result.get("tool_call_id")
        if id not in self._open:
            id = self._open[0] if self._open and id is None else None
        if id is not None:
            self._open.remove(id)
        return id


def _wrapped(tool: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", **tool} if "function" in tool else {"type": "function", "function": tool}
