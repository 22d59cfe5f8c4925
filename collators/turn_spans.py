"""A rendered probe in; where each turn of the assistant begins and ends in it, out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from collators.chat_templates import AN_EXAMPLE_CALL, AN_EXAMPLE_TOOL, ChatTemplate, TemplateRefusal, num_shared
from collators.controls import GuardedBackend
from collators.probes import Probe, Rendering, probe_of_shape
from collators.shapes import Turn
from collators.turns import ASSISTANT, SYSTEM, TOOL, USER, Message


class TurnSpans:
    """Finds turns in what one template writes: from behind the generation prompt through the token that ends the turn.

    Every method raises `TemplateRefusal` where a place cannot be told.
    """

    def __init__(self, template: ChatTemplate, guarded: GuardedBackend) -> None:
        self._template = template
        self._guarded = guarded

    def start(self, rendering: Rendering, index: int) -> int:
        """The place behind the generation prompt of turn `index`."""
        text, probe = rendering.text, rendering.probe
        prompt = self._template.generation_prompt
        start, end = rendering.extent(index)
        bare, _ = rendering.extent(index, with_lead=False)
        if prompt and text.endswith(prompt, 0, bare):
            start = bare  # Reasoning was left out with its line break: the one that stands here is the prompt's own.
        is_empty = start == end
        stops = (rendering.extent(place)[1] for place in range(index))
        earliest = max((stop for stop in stops if is_empty or stop <= start), default=0)
        latest = start
        if is_empty:
            later = (rendering.extent(place) for place in range(index + 1, len(probe.shape)))
            latest = min((first for first, last in later if last > first), default=len(text))
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
            start = self.start(filled, index)
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
        if (rendering := self._one_round) is None:
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

    def end(self, rendering: Rendering, index: int, start: int) -> int | None:
        """The place behind the token that ends turn `index`; None where the template writes none."""
        behind = max(start, rendering.extent(index)[1]) if rendering.is_written(index) else start
        others = (rendering.extent(place) for place in range(len(rendering.probe.shape)))
        limit = min((first for first, last in others if behind <= first < last), default=None)
        # Calls and reasoning have control tokens of their own; what ends an ordinary turn ends every turn. Where it is
        # not there, a call has an end of its own.
        controls = [(end, control.text) for begin, end, control in rendering.controls if begin >= behind]
        ends = [end for end, text in controls if text in self._closers]
        if index in rendering.probe.anchors and (not ends or (limit is not None and ends[0] > limit)):
            ends = [end for end, text in controls if text == self._closer_of_calls]
        if rendering.probe.shape[index].empty:
            words = self._guarded.find(self._words_before_text(rendering.probe, index))
            ends = ends[sum(control.text in self._closers for _, _, control in words) :]
        return ends[0] if ends and (limit is None or ends[0] <= limit) else None

    def end_without_token(self, rendering: Rendering, start: int) -> int:
        """The place behind the last turn's own words, where no control token ends it."""
        return max(start, len(rendering.text.removesuffix(self.words_behind_last)))

    @cached_property
    def words_behind_last(self) -> str:
        """What the template writes behind the last answer of a conversation."""
        return "" if self._one_round is None else self._one_round.text[self._one_round.extent(1)[1] :]

    def _words_before_text(self, probe: Probe, index: int) -> str:
        """What the template writes between generation prompt and text of the empty turn `index`, were there a text."""
        rendering = probe.filled(index).rendered_by(self._template, self._guarded)
        return rendering.text[self.start(rendering, index) : rendering.extent(index)[0]]

    @property
    def can_be_told(self) -> bool:
        """Whether the template takes the ordinary conversations that show how it frames an answer."""
        return self._one_round is not None

    @cached_property
    def _one_round(self) -> Rendering | None:
        """A question and its answer; None where the template refuses them."""
        return self._rendered(probe_of_shape((Turn(USER, False, False), Turn(ASSISTANT, True, False))))

    def _rendered(self, probe: Probe) -> Rendering | None:
        """An ordinary conversation; with a tool where the template takes none without."""
        for tools in (None, [AN_EXAMPLE_TOOL]):
            try:
                return replace(probe, tools=tools).rendered_by(self._template, self._guarded)
            except TemplateRefusal:
                continue
        return None

    @cached_property
    def _closer_of_calls(self) -> str | None:
        """The control token behind a call that nothing follows, with nothing behind it (gpt-oss's `<|call|>`)."""
        messages = [{"role": "user", "content": "text"}, AN_EXAMPLE_CALL]
        try:
            text = self._template.render(messages, [AN_EXAMPLE_TOOL]).rstrip()
        except TemplateRefusal:
            return None
        last = [control.text for _, end, control in self._guarded.find(text) if end == len(text)]
        return last[0] if last else None

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
            if (rendering := self._rendered(probe_of_shape(shape, role_of_results=role))) is None:
                continue
            for turn in (1, len(shape) - 1):
                behind = rendering.extent(turn)[1]
                closing = next((control.text for begin, _, control in rendering.controls if begin >= behind), None)
                found |= {closing} if closing is not None else set()
        return frozenset(found)
