"""A token row in, its stretches out: neighbouring tokens of one speaker that are all trained, or all not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from collators.template_frames import Frame, roles_of
from collators.token_texts import TokenText, token_texts
from collators.turns import IGNORE_INDEX

TRAINED, UNTRAINED, WRONG = "+", "-", "!"
"""Marks of a stretch; `WRONG` where a label is neither its token's id nor `IGNORE_INDEX`."""

NOBODY = "-"
"""The role of what no speaker of the template says."""


@dataclass(frozen=True)
class ShownToken:
    """One token, or the several that share a character."""

    ids: tuple[int, ...]
    text: str
    is_control: bool


@dataclass(frozen=True)
class Stretch:
    mark: str
    role: str
    tokens: tuple[ShownToken, ...]
    labels: tuple[int, ...]
    record: int
    """Which record of a packed row this is of, from 0."""

    @property
    def ids(self) -> list[int]:
        return [id_ for token in self.tokens for id_ in token.ids]

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.tokens)


def stretches_of(
    ids: Sequence[int], labels: Sequence[int], starts: Sequence[int], tokenizer: Any, frame: Frame
) -> list[Stretch]:
    """All tokens of a row, once and in order.

    `starts` are where its records begin, the first at 0. The text of a character whose tokens lie in two stretches is
    in the first of them.
    """
    marks = [_mark(id_, label) for id_, label in zip(ids, labels, strict=True)]
    texts = token_texts(ids, tokenizer, frame.stand_ins)
    roles: list[str] = []
    for start, end in zip(starts, [*starts[1:], len(ids)], strict=True):
        roles += _roles(ids[start:end], marks[start:end], [text for _, text in _each(texts, start, end)], frame)
    record_of = [sum(start <= place for start in starts) - 1 for place in range(len(ids))]
    kinds = list(zip(marks, roles, record_of, strict=True))
    stretches = []
    for (mark, role, record), places in groupby(range(len(ids)), kinds.__getitem__):
        first, *rest = places
        end = rest[-1] + 1 if rest else first + 1
        tokens = tuple(
            ShownToken(tuple(ids[start:stop]), text, ids[start] in frame.stand_ins)
            for start, stop, text in _within(texts, first, end)
        )
        stretches.append(Stretch(mark, role, tokens, tuple(labels[first:end]), record))
    return stretches


def _mark(id_: int, label: int) -> str:
    return TRAINED if label == id_ else UNTRAINED if label == IGNORE_INDEX else WRONG


def _roles(ids: Sequence[int], marks: Sequence[str], texts: Sequence[str], frame: Frame) -> list[str]:
    """The role of each token of one record; where the template tells none, what is trained is the assistant's."""
    roles = roles_of(frame, ids, texts)
    if not any(roles):
        return ["assistant" if mark == TRAINED else NOBODY for mark in marks]
    for place in range(1, len(ids)):
        # ChatGLM3's next role token ends the turn: the model produces it.
        ends_turn = marks[place - 1] == marks[place] == TRAINED and ids[place] in frame.ends
        if ends_turn and roles[place - 1] == "assistant":
            roles[place] = "assistant"
    return [role or NOBODY for role in roles]


def _within(texts: Sequence[TokenText], first: int, end: int) -> Iterator[TokenText]:
    """The tokens `first` to `end`; of a character cut in two the text goes with its first token."""
    for start, stop, text in texts:
        if start < end and stop > first:
            yield TokenText(max(start, first), min(stop, end), text if start >= first else "")


def _each(texts: Sequence[TokenText], first: int, end: int) -> Iterator[tuple[int, str]]:
    """The place and text of each single token, the text of a shared character with its first."""
    for start, stop, text in _within(texts, first, end):
        yield from ((place, text if place == start else "") for place in range(start, stop))
