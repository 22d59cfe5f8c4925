"""A probe in; where its format writes what, and which of it the model must produce, out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from collators.chat_templates import ChatTemplate, TemplateRefusal
from collators.controls import GuardedBackend
from collators.probes import Probe, Rendering, Span
from collators.skeletons import Piece, Skeleton
from collators.turn_spans import TurnSpans
from collators.turns import ASSISTANT

_PADDINGS = (" ", "\n", "\t", "\u3000")
# One space right before it is its own: SentencePiece's prefix of the text.
_THOUGHT = re.compile(r"\s*?( ?<think>.*</think>\s*|\S.*</think>\s*)", re.DOTALL)
_REST_OF_THOUGHT = re.compile(r"(.*</think>\s*)", re.DOTALL)


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
        self._spans = TurnSpans(template, guarded)
        self._all_trained = all_trained
        self._train_thinking = train_thinking

    def build(self, probe: Probe) -> Skeleton:
        """Where the template writes what of `probe`.

        Raises:
            TemplateRefusal: it does not take the conversation, or does not write each text exactly once.
        """
        rendering = probe.rendered_by(self._template, self._guarded)
        if not self._spans.can_be_told:
            raise TemplateRefusal("template_refuses", "the chat template refuses even a question and its answer")
        regions: list[_Region] = []
        words_at_end, has_unended = None, False
        for index, turn in enumerate(probe.shape):
            if turn.role != ASSISTANT:
                continue
            start = self._spans.start(rendering, index)
            end = self._spans.end(rendering, index, start)
            is_last = not any(rendering.is_written(later) for later in range(index + 1, len(probe.shape)))
            # An earlier turn trained without an end would teach the model not to stop.
            trained = turn.trained and (end is not None or is_last or self._all_trained)
            has_unended |= turn.trained and not trained
            if end is None and not is_last and index in probe.anchors:
                fact = f"where message {index} (assistant, with calls) ends cannot be told"
                raise TemplateRefusal("template_rewrites", fact)
            if end is None:
                end = (
                    self._spans.end_without_token(rendering, start)
                    if is_last
                    else max(start, rendering.extent(index)[1])
                )
                words_at_end = self._spans.words_behind_last if trained and is_last else words_at_end
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
