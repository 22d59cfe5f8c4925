"""A conversation in; the same with placeholders for its texts out, and where a template writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from collators.chat_templates import ChatTemplate, TemplateRefusal
from collators.controls import Control, GuardedBackend
from collators.shapes import Shape
from collators.skeletons import as_json_string
from collators.structured_messages import REASONING
from collators.turns import ASSISTANT, ROLES, Conversation, Message

# Holds what a template might escape, change or test for, and cannot meet a control token.
_PLACEHOLDER = "Qx{0}z <&>\"'\\\n é中 Zx{0}q"
# Through the last mark: no reasoning is left behind it. Data for prompts that end with `<think>` has no mark before it.
_THOUGHT = re.compile(r"(\s*(?:<think>)?)(.*)(</think>\s*)", re.DOTALL)
Span = tuple[int, int]


@dataclass(frozen=True)
class Slot:
    """A text of the row that the probe has a placeholder for."""

    turn: int
    placeholder: str
    may_be_left_out: bool = False
    """Templates drop the reasoning of earlier turns, and some what is said beside a call."""
    lead: str = ""
    """Words of the same text right before it, such as `<think>`, which no placeholder may hide from the template."""


@dataclass(frozen=True)
class Probe:
    """A conversation with placeholders for its texts."""

    shape: Shape
    messages: tuple[Message, ...]
    slots: Mapping[int, Slot]
    tools: Any = None
    anchors: Mapping[int, Sequence[str]] = field(default_factory=dict)
    """Per turn that calls tools, what stands before the name of each function and nowhere else."""

    def rendered_by(self, template: ChatTemplate, guarded: GuardedBackend) -> Rendering:
        """Raises `TemplateRefusal` where the template takes no such conversation or does not write a text once."""
        text = template.render(self.messages, self.tools)
        spans = {number: span for number, slot in self.slots.items() if (span := self._span(text, slot)) is not None}
        for turn, anchors in self.anchors.items():
            if any(anchor not in text for anchor in anchors):
                raise TemplateRefusal(
                    "template_rewrites", f"the chat template does not write the calls of message {turn}"
                )
        return Rendering(self, text, spans, guarded.find(text))

    def _span(self, text: str, slot: Slot) -> Span | None:
        counts = {form: text.count(form) for form in as_json_string(slot.placeholder)}
        count = sum(counts.values())
        if count == 0 and slot.may_be_left_out:
            return None
        if count != 1:
            role = self.messages[slot.turn]["role"]
            fact = f"the chat template writes message {slot.turn} ({role}) {count} times, not once as it is"
            raise TemplateRefusal("template_rewrites", fact)
        form = max(counts, key=lambda form: counts[form])
        start = text.index(form)
        return start, start + len(form)

    def filled(self, turn: int) -> Probe:
        """The same with nothing but a text in `turn`."""
        number = max(self.slots, default=-1) + 1
        slot = Slot(turn, _placeholder(number))
        message = {"role": self.messages[turn]["role"], "content": slot.placeholder}
        others = {place: each for place, each in self.slots.items() if each.turn != turn}
        return replace(
            self,
            shape=tuple(replace(each, empty=each.empty and i != turn) for i, each in enumerate(self.shape)),
            messages=(*self.messages[:turn], message, *self.messages[turn + 1 :]),
            slots={**others, number: slot},
            anchors={place: each for place, each in self.anchors.items() if place != turn},
        )


@dataclass(frozen=True)
class Rendering:
    """What a template makes of a probe."""

    probe: Probe
    text: str
    spans: Mapping[int, Span]
    """Where the text of each slot stands; none for one left out."""
    controls: Sequence[tuple[int, int, Control]]

    def extent(self, turn: int, *, with_lead: bool = True) -> Span:
        """From the first to the last thing of a turn; where it has none, nothing behind the turn before.

        `with_lead` counts what stands between reasoning and answer as the answer's, where it stands before it.
        """
        slots = self.probe.slots
        spans = []
        for number, (start, end) in self.spans.items():
            if slots[number].turn == turn:
                lead = slots[number].lead if with_lead else ""
                spans.append((start - len(lead) if self.text.endswith(lead, 0, start) else start, end))
        for anchor in self.probe.anchors.get(turn, ()):
            if (start := self.text.find(anchor)) >= 0:
                spans.append((start, start + len(anchor)))
        if spans:
            return min(start for start, _ in spans), max(end for _, end in spans)
        return (self.extent(turn - 1)[1],) * 2 if turn else (0, 0)

    def is_written(self, turn: int) -> bool:
        """Whether anything of a turn stands in the text."""
        start, end = self.extent(turn)
        return start < end


def _placeholder(number: int) -> str:
    return _PLACEHOLDER.format(number)


def probe_of_shape(shape: Shape, *, role_of_results: str = "tool") -> Probe:
    """The probe of plain messages: slot `i` is the content of message `i`."""
    slots = {place: Slot(place, _placeholder(place)) for place, turn in enumerate(shape) if not turn.empty}
    messages = tuple(
        {
            "role": ROLES[turn.role] if turn.role <= ASSISTANT else role_of_results,
            "content": slots[place].placeholder if place in slots else "",
        }
        for place, turn in enumerate(shape)
    )
    return Probe(shape, messages, slots)


@dataclass(frozen=True)
class ProbedRow:
    """A row's probe, the texts that belong into its slots, and how to undo what keeps its control tokens text."""

    probe: Probe
    texts: Mapping[int, str]
    marks: tuple[str, str]

    @cached_property
    def _mark(self) -> re.Pattern[str]:
        mark, anchor = (rf"(?:{letter}|\\u{ord(letter):04x})" for letter in self.marks)  # some templates escape letters
        return re.compile(rf"{anchor}\d+\.\d+{anchor}|{mark}")

    def unmarked(self, words: str) -> str:
        """Words of the rendered probe as the row itself would have them."""
        return self._mark.sub("", words)


def probe_of_row(row: Conversation, shape: Shape, guarded: GuardedBackend, *, splits_thinking: bool) -> ProbedRow:
    """The probe of a row with tools, calls, results or reasoning.

    Contents and reasoning become slots. All else stays, with a mark inside every control token that stands in it, so
    that it is none, and one before the name of each function, so that it is found. With `splits_thinking`,
    `<think>…</think>` at the head of an assistant's content becomes a slot of its own.
    """
    marks = _unused_letters(row)
    texts: dict[int, str] = {}
    slots: dict[int, Slot] = {}
    anchors: dict[int, list[str]] = {}

    def slot(turn: int, text: str, *, may_be_left_out: bool = False, lead: str = "") -> str:
        """What stands for `text`: a blank one for itself, since templates write other words around it, or none."""
        if not text.strip():
            return text
        number = len(slots)
        texts[number], slots[number] = text, Slot(turn, _placeholder(number), may_be_left_out, lead)
        return slots[number].placeholder

    messages = []
    for turn, message in enumerate(row.messages):
        probed = {
            key: value if key in ("role", "content", *REASONING) else _marked(value, guarded, marks[0])
            for key, value in message.items()
        }
        for key in REASONING:
            if key in message:
                probed[key] = slot(turn, message[key], may_be_left_out=True)
        content, calls = message["content"], probed.get("tool_calls", ())
        thought = _THOUGHT.match(content) if splits_thinking and message["role"] == "assistant" else None
        if thought is not None:
            head, reasoning, tail = thought.groups()
            inside = slot(turn, reasoning, may_be_left_out=True, lead=head.lstrip())
            before_rest = tail.removeprefix("</think>") if reasoning.strip() else (head + inside + tail).lstrip()
            rest = slot(turn, content[thought.end() :], may_be_left_out=bool(calls), lead=before_rest)
            probed["content"] = head + inside + tail + rest
        else:
            probed["content"] = slot(turn, content, may_be_left_out=bool(calls))
        for number, call in enumerate(calls):
            function = call.get("function", call)
            anchor = f"{marks[1]}{turn}.{number}{marks[1]}"
            function["name"] = anchor + function["name"]
            anchors.setdefault(turn, []).append(anchor)
        messages.append(probed)
    probe = Probe(shape, tuple(messages), slots, _marked(row.tools, guarded, marks[0]), anchors)
    return ProbedRow(probe, texts, marks)


def _unused_letters(row: Conversation) -> tuple[str, str]:
    """Two letters of the private use area that stand nowhere in the row."""
    text = json.dumps([row.messages, row.tools], ensure_ascii=False, default=str)
    unused = (chr(code) for code in range(0xE000, 0xF8FF) if chr(code) not in text)
    return next(unused), next(unused)


def _marked(value: Any, guarded: GuardedBackend, mark: str) -> Any:
    """`value` with `mark` behind the first letter of every control token in its texts and keys."""
    if isinstance(value, str):
        for start, _, _ in reversed(guarded.find(value)):
            value = value[: start + 1] + mark + value[start + 1 :]
        return value
    if isinstance(value, Mapping):
        return {_marked(key, guarded, mark): _marked(item, guarded, mark) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(item, guarded, mark) for item in value]
    return value
