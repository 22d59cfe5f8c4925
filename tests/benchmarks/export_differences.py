"""Two makings of the same rows in, what differs between them out: counted by kind, each kind with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.benchmarks.agreement import NOT_TRAINED

_SHOWN = 8  # characters

_OF_THE_FORMAT = {
    r"only the peer trains '\\n' behind '<\|im_end\|>'": (
        "Qwen's template writes a newline behind the end of a turn. No model has to say it; the peer trains it."
    ),
    r"only the peer trains '\\n' behind 'assistant'": (
        "TRL's own copy of Qwen's template begins to train inside of the head of a turn, at its newline."
    ),
    r"only ours trains it behind the beginning": (
        "The first token of a row: no token before it predicts it, so its label is never used."
    ),
}
"""Kinds in which what is answered is trained alike."""
_REASONS = {
    **_OF_THE_FORMAT,
    r"both train, ours says '<\|(user|observation)\|>', the peer '</s>'": (
        "ChatGLM3 ends an answer with the role of whoever speaks next. LLaMA-Factory trains `</s>` in that place, "
        "which the model never sees there (`efficient_eos`, supervised.py)."
    ),
    r"only the peer trains ('\[gMASK\]'|'<\|user\|>') behind .*": (
        "With `mask_history` LLaMA-Factory sets the label `</s>` at the first token of every earlier question "
        "(`efficient_eos`, supervised.py)."
    ),
    r"only the peer trains a stretch .*": (
        "The record does not train this answer, which the export noted: the peer trains each."
    ),
    r"only the peer trains '<\|im_end\|>' and what is behind it": (
        "ms-swift trains the end of the last turn whatever its `loss` says, which the export noted."
    ),
    r"the peer leaves it out": "Question and answer do not take turns, which the export noted.",
    r"behind '.*assistant\\n'": (
        "Reasoning: the peer writes it as `<think>…</think>`. Qwen2.5's own template leaves it out, as `prepare` tells."
    ),
    r"behind '.*我查。'": (
        "Qwen's template writes a newline between what is said and the call, ms-swift none, as the export noted."
    ),
    r"behind '.*system\\n'": "An empty system text, for which LLaMA-Factory writes its default, as the export noted.",
    r"behind '<\|im_start\|>'": "An empty system text, for which ms-swift writes nothing, as the export noted.",
    r"behind '.*user\\n天气？'": "Two questions side by side, which ms-swift joins, as the export noted.",
    r"behind 'r\\n天气？<\|im_end\|>\\n'": (
        "A question at the end, behind which ms-swift opens an answer; the export noted it."
    ),
    r"behind 'tags:\\n<tools>\\n\{\"'": (
        'The tools are written without `{"type": "function", "function": …}`. The chat template writes them as they '
        "are, LLaMA-Factory and ms-swift wrap each, which the export noted. Wrapped in the data, ids are the same: the "
        "set below."
    ),
    r"behind 'sop<\|system\|> \\n '": (
        "LLaMA-Factory writes tools and calls for `chatglm3` in the words of GLM-4, ours in those of ChatGLM3's demo."
    ),
    r"behind ''": (
        "For plain texts LLaMA-Factory asks the tokenizer for no special tokens; ChatGLM3's writes `[gMASK] sop` "
        "before a text."
    ),
}


@dataclass(frozen=True)
class Row:
    ids: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]


@dataclass
class Differences:
    rows: int = 0
    """Of ours."""
    read: int = 0
    """Of the peer's."""
    ids_equal: int = 0
    labels_equal: int = 0
    """Of the rows with equal ids."""
    answers_equal: int = 0
    """Of these rows, also those whose labels differ at tokens only that the format itself writes."""
    kinds: dict[str, int] = field(default_factory=dict)
    """Rows by kind of difference."""
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, example: str = "") -> None:
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        self.examples.setdefault(kind, example)

    def lines(self) -> Iterator[str]:
        """Each kind with its count, an example and the reason."""
        for kind, count in sorted(self.kinds.items(), key=lambda item: -item[1]):
            example = f", as {self.examples[kind]}" if self.examples[kind] else ""
            yield f"{count:,} row{'' if count == 1 else 's'}: {kind}{example}. {reason(kind)}"


def reason(kind: str) -> str:
    """
    >>> reason("labels: only the peer trains '\\\\n' behind 'x'")
    '**Not explained.**'
    """
    _, _, bare = kind.partition(": ")
    return next((why for pattern, why in _REASONS.items() if re.fullmatch(pattern, bare)), "**Not explained.**")


def compare(ours: Sequence[Row], other: Sequence[Row], tokenizer: Any) -> Differences:
    """Rows in the same order; one that the peer left out is found where the next ones are the same."""
    found = Differences(len(ours), len(other))
    for mine, theirs in _aligned(ours, other):
        if theirs is None:
            found.add("rows: the peer leaves it out")
        elif not np.array_equal(mine.ids, theirs.ids):
            found.add(*_ids_kind(mine.ids, theirs.ids, tokenizer))
        else:
            found.ids_equal += 1
            found.labels_equal += np.array_equal(mine.labels, theirs.labels)
            kinds = _label_kinds(mine, theirs, tokenizer)
            found.answers_equal += all(reason(kind) in _OF_THE_FORMAT.values() for kind in kinds)
            for kind in kinds:
                found.add(kind)
    return found


def _aligned(ours: Sequence[Row], other: Sequence[Row]) -> Iterator[tuple[Row, Row | None]]:
    missing, place = len(ours) - len(other), 0
    for number, mine in enumerate(ours):
        theirs = other[place] if place < len(other) else None
        if missing and theirs is not None and not np.array_equal(mine.ids, theirs.ids):
            following = ours[number + 1 : number + 1 + missing]
            if any(np.array_equal(each.ids, theirs.ids) for each in following):
                theirs = None
        missing -= theirs is None
        place += theirs is not None
        yield mine, theirs


def _ids_kind(ours: np.ndarray[Any, Any], other: np.ndarray[Any, Any], tokenizer: Any) -> tuple[str, str]:
    mine, theirs = (tokenizer.decode(each, skip_special_tokens=False) for each in (ours, other))
    if mine == theirs:
        return "ids: the same text in other tokens", ""
    pairs = enumerate(zip(mine, theirs, strict=False))
    shared = next((n for n, (a, b) in pairs if a != b), min(len(mine), len(theirs)))
    here, there = (text[shared : shared + _SHOWN] for text in (mine, theirs))
    return f"ids: behind {mine[max(0, shared - 2 * _SHOWN) : shared]!r}", f"ours goes on {here!r}, the peer {there!r}"


def _label_kinds(ours: Row, other: Row, tokenizer: Any) -> set[str]:
    """What kinds of stretch only one of the two trains in a row, or both in other words."""

    def text(place: int) -> str:
        return repr(tokenizer.decode(ours.ids[place : place + 1], skip_special_tokens=False))

    found: set[str] = set()
    is_ours, is_other = ours.labels != NOT_TRAINED, other.labels != NOT_TRAINED
    for first, last in _stretches(is_ours != is_other):
        who = "ours" if is_ours[first] else "the peer"
        if first == 0:
            found.add(f"labels: only {who} trains {'it' if who == 'ours' else text(0)} behind the beginning")
        elif first == last:
            found.add(f"labels: only {who} trains {text(first)} behind {text(first - 1)}")
        elif int(ours.ids[first]) in tokenizer.all_special_ids:
            found.add(f"labels: only {who} trains {text(first)} and what is behind it")
        else:
            found.add(f"labels: only {who} trains a stretch that ends with {text(last)}")
    for place in np.flatnonzero(is_ours & is_other & (ours.labels != other.labels)).tolist():
        mine, theirs = (
            tokenizer.decode([int(each.labels[place])], skip_special_tokens=False) for each in (ours, other)
        )
        found.add(f"labels: both train, ours says {mine!r}, the peer {theirs!r}")
    return found


def _stretches(mask: np.ndarray[Any, Any]) -> Iterator[tuple[int, int]]:
    """The first and the last place of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    yield from ((int(first), int(end) - 1) for first, end in zip(edges[::2], edges[1::2], strict=True))
