"""What every stage behind the columns works on: the messages of a batch, flat where they are plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

IGNORE_INDEX = -100
"""The label of a token that takes no loss (what torch's cross entropy and transformers ignore)."""

ROLES = ("system", "user", "assistant")
"""The roles of plain messages."""
SYSTEM, USER, ASSISTANT, TEXT, TOOL = range(5)
"""Codes of the roles; `TEXT` is the one turn of a row in the `text` shape, `TOOL` what a tool answers."""

LOSS_UNSET = -1
"""Code of a message that brings no `loss` of its own."""

Message = Mapping[str, Any]
"""One message as chat templates read it, with no key that has no value."""


@dataclass(frozen=True)
class Conversation:
    """A row with more in it than texts of system, user and assistant: tools, calls, results, reasoning, metadata."""

    messages: tuple[Message, ...]
    loss: tuple[int, ...]
    """Per message, 1 (trained), 0 (not) or `LOSS_UNSET`."""
    tools: Any = None
    """As the data has them, most often a list of JSON schemas; None where there are none."""

    @property
    def roles(self) -> list[int]:
        return [ROLES.index(message["role"]) if message["role"] in ROLES else TOOL for message in self.messages]


@dataclass(frozen=True)
class Turns:
    """The messages of N rows. Plain rows are flat: row `r` owns the messages `starts[r]:starts[r + 1]`."""

    starts: np.ndarray[Any, np.dtype[np.int64]]
    """N + 1 message positions."""
    roles: np.ndarray[Any, np.dtype[np.int8]]
    """Per message, `SYSTEM`, `USER`, `ASSISTANT` or `TEXT`."""
    contents: pa.LargeStringArray
    """Per message, its text; never null."""
    loss: np.ndarray[Any, np.dtype[np.int8]]
    """Per message, 1 (trained), 0 (not) or `LOSS_UNSET`."""
    structured: Mapping[int, Conversation] = field(default_factory=dict)
    """The other rows; they own no flat message."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    def messages(self, row: int) -> list[Message]:
        """Row `row` as chat templates read it."""
        return list(self.conversation(row).messages)

    def conversation(self, row: int) -> Conversation:
        if row in self.structured:
            return self.structured[row]
        first, last = int(self.starts[row]), int(self.starts[row + 1])
        texts = zip(self.roles[first:last].tolist(), self.contents[first:last].to_pylist(), strict=True)
        messages = tuple({"role": ROLES[role], "content": content} for role, content in texts)
        return Conversation(messages, tuple(self.loss[first:last].tolist()))

    def with_structured(self, rows: Mapping[int, Conversation]) -> Turns:
        """The same batch with these rows as conversations instead of flat messages."""
        if not rows:
            return self
        lengths = np.diff(self.starts)
        stays = np.ones(len(self), np.bool_)
        stays[list(rows)] = False
        messages = np.repeat(stays, lengths)
        return Turns(
            np.concatenate([[0], np.cumsum(np.where(stays, lengths, 0))]).astype(np.int64),
            self.roles[messages],
            self.contents.filter(pa.array(messages)),
            self.loss[messages],
            {**self.structured, **rows},
        )

    def without_loss(self) -> Turns:
        """The same messages, none of them trained that does not say so itself: a prompt is given, not produced."""

        def unset(loss: Sequence[int]) -> tuple[int, ...]:
            return tuple(0 if own == LOSS_UNSET else own for own in loss)

        structured = {row: replace(each, loss=unset(each.loss)) for row, each in self.structured.items()}
        return replace(self, loss=np.where(self.loss == LOSS_UNSET, 0, self.loss), structured=structured)


def gather(conversations: Sequence[Conversation]) -> Turns:
    """A batch from its rows, flat where a row is plain."""
    plain = [() if is_structured(row) else row.messages for row in conversations]
    flat = [message for messages in plain for message in messages]
    losses = [
        loss for row, messages in zip(conversations, plain, strict=True) for loss in (row.loss if messages else ())
    ]
    return Turns(
        np.concatenate([[0], np.cumsum([len(messages) for messages in plain])]).astype(np.int64),
        np.array([ROLES.index(message["role"]) for message in flat], np.int8),
        pa.array([message["content"] for message in flat], pa.large_string()),
        np.array(losses, np.int8),
        {place: row for place, row in enumerate(conversations) if is_structured(row)},
    )


def is_structured(row: Conversation) -> bool:
    """Whether `row` is more than texts of system, user and assistant."""
    return row.tools is not None or any(message["role"] not in ROLES or len(message) > 2 for message in row.messages)
