"""A chat template in; small conversations as it renders them, taken apart at their texts, out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_Message = dict[str, Any]

FIRST_STAND_IN = 0x100000
"""The first of the characters that stand for control tokens: a private plane of Unicode, which texts do not use."""


@dataclass(frozen=True)
class Seen:
    """One rendered conversation of N messages, control tokens as stand-ins; every list has an entry a message."""

    roles: list[str]
    calls: list[bool]
    """Whether the message is the call of a tool."""
    before: list[str]
    """What stands between the text of the message before and its own."""
    behind: list[str]
    """What stands between its text and that of the next one, or the end."""
    tails: list[str]
    """What would stand behind its text, were it the last; "" where the template refuses that."""
    prompts: list[tuple[str, str] | None]
    """The last character of what invites the message, and what then comes before its text; None if that is unknown."""

    @property
    def answers(self) -> list[int]:
        """The places of the assistant's messages."""
        return [place for place, role in enumerate(self.roles) if role == "assistant"]

    @property
    def has_tools(self) -> bool:
        return "tool" in self.roles


class FrameProbe:
    """Renders conversations with one template (none: it refuses all of them).

    Control tokens are the special ones, and those added tokens that the template writes.
    """

    def __init__(self, tokenizer: Any, source: str | None, values: Mapping[str, Any]) -> None:
        self._tokenizer, self._source, self._values = tokenizer, source, values
        written = [text for messages, tools in _conversations() if (text := self._render(messages, tools)) is not None]
        self.stand_ins: dict[int, str] = {}
        """By its id, each control token as one character."""
        of_text: dict[str, str] = {}
        for id_, token in tokenizer.added_tokens_decoder.items():
            if token.special or any(token.content in text for text in written):
                of_text[token.content] = self.stand_ins[id_] = chr(FIRST_STAND_IN + len(of_text))
        longest_first = sorted(map(re.escape, of_text), key=len, reverse=True)
        self._pattern, self._of_text = re.compile("|".join(longest_first) or r"(?!)"), of_text

    def seen(self) -> list[Seen]:
        """The conversations that the template takes, writing each text once and in order."""
        return [found for messages, tools in _conversations() if (found := self._read(messages, tools)) is not None]

    def _read(self, messages: list[_Message], tools: list[Any] | None) -> Seen | None:
        text = self._render(messages, tools)
        words = [f"zq{place}qz" for place in range(len(messages))]
        if text is None or re.findall("|".join(words), text) != words:
            return None
        parts = re.split("|".join(words), self.stand_in(text))
        return Seen(
            roles=["tool" if message["role"] == "observation" else str(message["role"]) for message in messages],
            calls=["tool_calls" in message for message in messages],
            before=parts[:-1],
            behind=parts[1:],
            tails=[
                self.stand_in((self._render(messages[: place + 1], tools) or "").partition(word)[2])
                for place, word in enumerate(words)
            ],
            prompts=[
                self._prompt(text[: text.index(word)], messages[:place], tools) for place, word in enumerate(words)
            ],
        )

    def _prompt(self, before: str, messages: list[_Message], tools: list[Any] | None) -> tuple[str, str] | None:
        prompt = self._render(messages, tools, prompt=True) if messages else None
        if not prompt or not before.startswith(prompt):
            return None
        return self.stand_in(prompt)[-1], before[len(prompt) :]

    def stand_in(self, text: str) -> str:
        """The text with its control tokens as stand-ins."""
        return self._pattern.sub(lambda match: self._of_text[match.group()], text)

    def _render(self, messages: list[_Message], tools: list[Any] | None, prompt: bool = False) -> str | None:
        """The rendered text; None where the template refuses."""
        if self._source is None:
            return None
        from jinja2 import TemplateError

        try:
            rendered = self._tokenizer.apply_chat_template(
                messages,
                tools=tools,
                chat_template=self._source,
                tokenize=False,
                add_generation_prompt=prompt,
                **self._values,
            )
        # Templates call Python methods on what they are given, so these may all come of a message they do not expect.
        except (TemplateError, ValueError, TypeError, KeyError, IndexError, AttributeError):
            return None
        return str(rendered)


def _conversations() -> Iterator[tuple[list[_Message], list[Any] | None]]:
    """What templates are asked to render; message n says `zq<n>qz`."""

    def said(*roles: str) -> list[_Message]:
        return [{"role": role, "content": f"zq{place}qz"} for place, role in enumerate(roles)]

    rounds = ("user", "assistant", "user", "assistant")
    yield said(*rounds), None
    yield said("system", *rounds), None
    yield said("user", "assistant", "assistant", "user", "assistant"), None
    call = {"type": "function", "function": {"name": "zq1qz", "arguments": {"key": "value"}}}
    schema = {"type": "object", "properties": {"key": {"type": "string", "description": "a key"}}, "required": ["key"]}
    tool = {"type": "function", "function": {"name": "name", "description": "a tool", "parameters": schema}}
    for role in ("tool", "observation"):
        called = said("user", "assistant", role, "assistant")
        called[1] |= {"content": "", "tool_calls": [call]}
        called[2]["name"] = "name"
        yield called, [tool]
        yield said("user", "assistant", role, "assistant"), None
