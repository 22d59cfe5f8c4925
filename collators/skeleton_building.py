"""A probe in; where its format writes what, and which of it the model must produce, out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from collators.chat_templates import ChatTemplate, TemplateRefusal, num_shared
from collators.controls import GuardedBackend
from collators.probes import Probe, Rendering, Span, probe_of_shape
from collators.shapes import Turn
from collators.skeletons import Piece, Skeleton
from collators.turns import ASSISTANT, SYSTEM, TOOL, USER, Message

_PADDINGS = (" ", "\n", "\t", "\u3000")
# One space right before it is its own: SentencePiece's prefix of the text.
_THOUGHT = re.compile(r"\s*?( ?<think>.*?</think>\s*)", re.DOTALL)
_REST_OF_THOUGHT = re.compile(r"(.*?</think>\s*)", re.DOTALL)


class _Region(NamedTuple):
    """Characters of one assistant turn, from behind the generation prompt through the token that ends it."""

    start: int
    end: int
    turn: int
    trained: bool


class SkeletonBuilder:
    """Renders probes with one template and marks what is trained.

    With `all_trained` everything is, but for assistant turns whose `trained` is false. Without `train_thinking`, what
    stands in an answer up to `</think>` and the white space behind it is not.
    """

    def __init__(
        self, template: ChatTemplate, guarded: GuardedBackend, *, all_trained: bool, train_thinking: bool
    ) -> None:
        self._template = template
        self._guarded = guarded
        self._all_trained = all_trained
        self._train_thinking = train_thinking

    def build(self, probe: Probe) -> Skeleton:
        """Where the template writes what of `probe`.

        Raises:
            TemplateRefusal: it does not take the conversation, or does not write each text exactly once.
        """
        rendering = probe.rendered_by(self._template, self._guarded)
        regions: list[_Region] = []
        words_at_end, has_unended = None, False
        for index, turn in enumerate(probe.shape):
            if turn.role != ASSISTANT:
                continue
            start = self._start(rendering, index)
            end = self._end(rendering, index, start)
            is_last = not any(_is_written(rendering, later) for later in range(index + 1, len(probe.shape)))
            # An earlier turn trained without an end would teach the model not to stop.
            trained = turn.trained and (end is not None or is_last or self._all_trained)
            has_unended |= turn.trained and not trained
            if end is None:
                end = self._end_without_token(rendering, start) if is_last else max(start, rendering.extent(index)[1])
                words_at_end = self._words_behind_last if trained and is_last else words_at_end
            if trained != self._all_trained:
                regions.append(_Region(start, end, index, trained))
            if trained and not self._train_thinking:
                regions += [_Region(*span, index, False) for span in self._thinking(rendering, start, end)]
        return Skeleton(
            tuple(self._cut(rendering, regions)),
            words_at_end=words_at_end,
            has_unended=has_unended,
            num_left_out=len(probe.slots) - len(rendering.spans),
        )

    def trims(self, probe: Probe) -> bool:
        """Whether white space around texts does not come through unchanged."""
        text = self._template.render(probe.messages, probe.tools)
        contents = [slot.placeholder for slot in probe.slots.values()]
        for padding in _PADDINGS:
            expected, padded = text, [dict(message) for message in probe.messages]
            for content in contents:
                expected = expected.replace(content, f"{padding}{content}{padding}")
            for message in padded:
                message["content"] = f"{padding}{message['content']}{padding}" if message["content"] else ""
            try:
                if self._template.render(padded, probe.tools) != expected:
                    return True
            except TemplateRefusal:
                return True
        return False

    def _start(self, rendering: Rendering, index: int) -> int:
        """The place behind the generation prompt of turn `index`."""
        text, probe = rendering.text, rendering.probe
        start, end = rendering.extent(index)
        is_empty = start == end
        stops = (rendering.extent(place)[1] for place in range(index))
        earliest = max((stop for stop in stops if is_empty or stop <= start), default=0)
        latest = start
        if is_empty:
            later = (rendering.extent(place) for place in range(index + 1, len(probe.shape)))
            latest = min((first for first, last in later if last > first), default=len(text))
        prompt = self._template.generation_prompt
        if is_empty and (as_if_filled := self._start_as_if_filled(rendering, index)) is not None:
            return as_if_filled
        if prompt and not is_empty and text.count(prompt, earliest, latest) == 1:
            return text.index(prompt, earliest, latest) + len(prompt)
        before = self._rendered_prefix(rendering, probe.messages[:index], generation_prompt=bool(prompt))
        if earliest <= before <= latest and self._speaks_at(rendering, before, latest, is_call=index in probe.anchors):
            return before
        # Earlier turns read differently without this one. Rightmost: what is before may end like a prompt.
        found = (text.find if is_empty else text.rfind)(prompt, earliest, latest) if prompt else -1
        if found >= 0:
            return found + len(prompt)
        if index in probe.anchors:
            return self._start_as_if_plain(rendering, index, earliest)
        if is_empty:
            raise TemplateRefusal(
                "template_rewrites", f"where message {index} (assistant, empty) stands cannot be told"
            )
        space = "" if prompt else self._space_before_answers or ""
        return start - len(space) if text.endswith(space, earliest, start) else start

    def _start_as_if_filled(self, rendering: Rendering, index: int) -> int | None:
        """Where the empty turn `index` begins, if it does so where it would with a text."""
        try:
            filled = rendering.probe.filled(index).rendered_by(self._template, self._guarded)
            start = self._start(filled, index)
        except TemplateRefusal:
            return None
        return start if rendering.text.startswith(filled.text[:start]) else None

    def _speaks_at(self, rendering: Rendering, before: int, latest: int, *, is_call: bool) -> bool:
        """Whether behind `before`, all that is written ahead of a turn, the model speaks, and no header is to come."""
        text, prompt = rendering.text, self._template.generation_prompt
        if prompt:
            # Some templates invite an answer only behind a user, some not behind the result of a tool.
            return text.endswith(prompt, 0, before) or prompt not in text[before:latest]
        if is_call:
            return self._space_before_answers is not None
        # No generation prompt: the model speaks right behind the user's turn (Llama-2's [/INST]), unless the template
        # writes a header there, which it then forgot to offer as generation prompt.
        following = next((first for first, _, _ in rendering.controls if first >= before), latest)
        return not text[before : min(following, latest)].strip()

    @cached_property
    def _space_before_answers(self) -> str | None:
        """What stands between a question and its answer and is offered by no generation prompt; None for words."""
        shape = (Turn(USER, False, False), Turn(ASSISTANT, True, False))
        try:
            rendering = probe_of_shape(shape).rendered_by(self._template, self._guarded)
        except TemplateRefusal:
            return None
        before = self._rendered_prefix(rendering, rendering.probe.messages[:1], generation_prompt=False)
        words = rendering.text[before : rendering.extent(1)[0]]
        return words if before >= 0 and not words.strip() else None

    def _start_as_if_plain(self, rendering: Rendering, index: int, earliest: int) -> int:
        """Where a turn that calls tools begins: up to there, the text is the same if it says something instead."""
        plain = rendering.probe.filled(index).rendered_by(self._template, self._guarded)
        shared = min(num_shared(rendering.text, plain.text), plain.extent(index)[0])
        if shared < earliest or plain.text[shared : plain.extent(index)[0]].strip():
            fact = f"where message {index} (assistant, with calls) begins cannot be told"
            raise TemplateRefusal("template_rewrites", fact)
        return shared

    def _rendered_prefix(self, rendering: Rendering, messages: Sequence[Message], *, generation_prompt: bool) -> int:
        """How many characters `messages` alone render to, if the text starts with these; else -1."""
        if not messages:
            return -1
        try:
            before = self._template.render(messages, rendering.probe.tools, generation_prompt=generation_prompt)
        except TemplateRefusal:
            return -1
        return len(before) if rendering.text.startswith(before) else -1

    def _end(self, rendering: Rendering, index: int, start: int) -> int | None:
        """The place behind the token that ends turn `index`; None where the template writes none."""
        behind = max(start, rendering.extent(index)[1]) if _is_written(rendering, index) else start
        others = (rendering.extent(place) for place in range(len(rendering.probe.shape)))
        limit = min((first for first, last in others if behind <= first < last), default=None)
        # Calls and reasoning have control tokens of their own; what ends an ordinary turn ends every turn.
        ends = [end for begin, end, control in rendering.controls if begin >= behind and control.text in self._closers]
        if rendering.probe.shape[index].empty:
            words = self._guarded.find(self._words_before_text(rendering.probe, index))
            ends = ends[sum(control.text in self._closers for _, _, control in words) :]
        return ends[0] if ends and (limit is None or ends[0] <= limit) else None

    def _end_without_token(self, rendering: Rendering, start: int) -> int:
        """The place behind the last turn's own words, where no control token ends it."""
        return max(start, len(rendering.text.removesuffix(self._words_behind_last)))

    @cached_property
    def _words_behind_last(self) -> str:
        """What the template writes behind the last answer of a conversation."""
        shape = (Turn(USER, False, False), Turn(ASSISTANT, True, False))
        try:
            rendering = probe_of_shape(shape).rendered_by(self._template, self._guarded)
        except TemplateRefusal:
            return ""
        return rendering.text[rendering.extent(1)[1] :]

    def _words_before_text(self, probe: Probe, index: int) -> str:
        """What the template writes between generation prompt and text of the empty turn `index`, were there a text."""
        rendering = probe.filled(index).rendered_by(self._template, self._guarded)
        return rendering.text[self._start(rendering, index) : rendering.extent(index)[0]]

    @cached_property
    def _closers(self) -> frozenset[str]:
        """The control tokens that end an ordinary answer, whoever speaks next."""
        system, user, assistant, tool = (Turn(role, False, False) for role in (SYSTEM, USER, ASSISTANT, TOOL))
        found = set()
        for shape in (
            (user, assistant),
            *((user, assistant, each, assistant) for each in (user, tool, assistant, system)),
        ):
            role = self._template.role_of_results or "tool"
            try:
                rendering = probe_of_shape(shape, role_of_results=role).rendered_by(self._template, self._guarded)
            except TemplateRefusal:
                continue
            for turn in (1, len(shape) - 1):
                behind = rendering.extent(turn)[1]
                closing = next((control.text for begin, _, control in rendering.controls if begin >= behind), None)
                found |= {closing} if closing is not None else set()
        return frozenset(found)

    def _thinking(self, rendering: Rendering, start: int, end: int) -> list[Span]:
        """Where a turn's reasoning stands, if it has any: through the white space behind `</think>`."""
        is_open = self._template.generation_prompt.rstrip().endswith("<think>")
        match = (_REST_OF_THOUGHT if is_open else _THOUGHT).match(rendering.text, start, end)
        return [match.span(1)] if match is not None else []

    def _cut(self, rendering: Rendering, regions: Sequence[_Region]) -> list[Piece]:
        """Cut the text at the borders of texts, control tokens and regions."""
        slot_at = {span: number for number, span in rendering.spans.items()}
        control_at = {(start, end): control for start, end, control in rendering.controls}
        borders = {0, len(rendering.text)}
        for start, end in (*slot_at, *control_at, *((region.start, region.end) for region in regions)):
            borders |= {start, end}
        pieces = []
        for start, end in pairwise(sorted(borders)):
            # The last one counts: thinking lies inside its turn.
            region = next((each for each in reversed(regions) if each.start <= start < each.end), None)
            trained = region.trained if region is not None else self._all_trained
            slot, control = slot_at.get((start, end)), control_at.get((start, end))
            words = "" if slot is not None or control is not None else rendering.text[start:end]
            turn = _turn_of(rendering.probe, slot, region)
            pieces.append(Piece(trained, words, slot, turn, control))
        return pieces


def _turn_of(probe: Probe, slot: int | None, region: _Region | None) -> int | None:
    if slot is not None:
        return probe.slots[slot].turn
    return region.turn if region is not None and region.trained else None


def _is_written(rendering: Rendering, turn: int) -> bool:
    start, end = rendering.extent(turn)
    return start < end
