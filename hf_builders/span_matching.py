"""The trained spans of a row, and what its record's assistant says, in; whether the one is the other, out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from collators.template_frames import Frame
from hf_builders.labelled_spans import Row, Span
from hf_builders.spoken_turns import Called, Said, Utterance, is_written
from hf_builders.turn_borders import THINK, Borders


@dataclass(frozen=True)
class Outcome:
    """How a row fits its record; `fault` says what is wrong with it, "" if nothing is."""

    fault: str = ""
    text: str = ""
    """What the fault is about."""
    num_straddling: int = 0
    """Tokens on both sides of a turn's border, which are not trained."""
    is_cut: bool = False
    """Whether a turn is there in part, or no longer."""


class Matcher:
    """Compares texts as a tokenizer gives them back.

    Args:
        frame: what the template writes around texts.
        decode: ids to text, control tokens included.
        encode: text to ids, nothing added.
        train_thinking: whether reasoning that the template writes has to be trained.
        untrained: whether the spans to compare are those that must not be trained.
    """

    def __init__(
        self,
        frame: Frame,
        decode: Callable[[Sequence[int]], str],
        encode: Callable[[str], Sequence[int]],
        *,
        train_thinking: bool,
        untrained: bool,
    ) -> None:
        self._decode = decode
        self._encode = encode
        self._train_thinking = train_thinking
        self._ends_last = frame.ends_last
        self._borders = Borders(frame, decode, train_thinking=train_thinking, untrained=untrained)
        self._is_cut = False

    def of_turns(self, row: Row) -> Row:
        """The row with only those spans that have something of a turn."""
        return row if self._train_thinking else self._borders.without_lead_ins(row)

    def match(self, row: Row, utterances: Sequence[Utterance]) -> Outcome:
        """Whether every span is one or more of the utterances, in order, and every one of them is in a span."""
        self._borders.num_straddling, self._is_cut, place = 0, False, 0
        for span in row.spans:
            num = self._num_spoken(row, span, utterances[place:])
            if not num:
                return Outcome("is trained, and it is no turn that comes here", span.text)
            if not self._borders.is_behind_prompt(row, span):
                return Outcome("is trained, but not from its beginning", span.text)
            if thought := self._thought_untrained(row, span, utterances[place]):
                return Outcome("is what the assistant thought, and it is not trained", thought)
            place += num
        place += self._num_unwritten(utterances[place:])
        if place < len(utterances) and not row.is_cut:
            missing = utterances[place]
            text = missing.name if isinstance(missing, Called) else missing.text
            return Outcome("is a turn of the record, and it is not trained", text)
        is_cut = self._is_cut or place < len(utterances)
        return Outcome(num_straddling=self._borders.num_straddling, is_cut=is_cut)

    def missing(self, row: Row, utterances: Sequence[Utterance]) -> str:
        """The first of the utterances that is not in the row, in order; "" if all are."""
        rest = self._decode(row.ids)
        for each, following in zip(utterances, [*utterances[1:], None], strict=False):
            if isinstance(each, Called):
                if not self._is_called(each, rest):
                    return each.name
                rest = rest.partition(each.name)[2]
            elif not isinstance(following, Called):  # some templates write no text beside a call
                texts = [each.text.strip(), self._round_trip(each.text).strip()]
                found = next((text for text in texts if text in rest), None)
                if found is None:
                    return each.text
                rest = rest.partition(found)[2] if found else rest
        return ""

    def _num_spoken(self, row: Row, span: Span, utterances: Sequence[Utterance]) -> int:
        """How many of the utterances the span holds."""
        if not utterances:
            return 0
        first, rest, num_said = utterances[0], span.text, 0
        if isinstance(first, Said):
            if self._is_said(row, span, first):
                return 1
            if not isinstance(next(iter(utterances[1:]), None), Called):
                return 0
            behind = self._behind(row, span, first)
            if behind is None:
                return 0
            rest, num_said = behind, 1
        num = num_said
        while num < len(utterances):
            call = utterances[num]
            if not isinstance(call, Called) or not self._is_called(call, rest):
                break
            rest, num = rest.partition(call.name)[2], num + 1
        if num == num_said:
            # Nothing can be told of a call that is cut in two.
            self._is_cut = row.is_open(span) and num < len(utterances) and isinstance(utterances[num], Called)
            return num + 1 if self._is_cut else 0
        if isinstance(first, Called) and not self._borders.begins_as_call(row, span, first.name):
            return 0
        return num

    def _is_said(self, row: Row, span: Span, said: Said) -> bool:
        core = span.text.strip()
        for text in self._variants(said):
            answer, whole = text.strip(), core.rstrip("\ufffd")  # half a character, where a row was cut
            if core.endswith(answer) and self._is_before_text(core[: len(core) - len(answer)], said):
                if core == answer:
                    return self._borders.begins_as_answer(row, span, text)
                return bool(said.metadata) or self._borders.begins_as_thought(row, span)
            if (
                any(
                    # White space at the head of the span may be the answer's own.
                    answer.endswith(tail) and self._borders.lacks_head(row, span, answer[: len(answer) - len(tail)])
                    for tail in dict.fromkeys([core, span.text.rstrip()])
                )
                or (answer.startswith(core) and self._borders.lacks_tail(row, span, answer[len(core) :]))
                or self._borders.has_more_at_head(row, span, answer)
            ):
                return True
            if answer.startswith(whole) and row.is_open(span):
                self._is_cut = True
                return True
        begun = _squeeze(re.sub("<[/think]*$", "", core))  # a mark may be cut in two
        if row.is_open(span) and _squeeze(said.metadata + said.reasoning + said.text).startswith(begun):
            self._is_cut = True
        return self._is_cut

    def _behind(self, row: Row, span: Span, said: Said) -> str | None:
        """What comes behind an answer that is followed by a call in the same turn; None if it is not that answer."""
        for variant in map(str.strip, self._variants(said)):
            head, found, rest = span.text.partition(variant) if variant else ("", "", span.text)
            if (found or not variant) and self._is_before_text(head, said):
                return rest
        before = self._borders.text_before(row, span).rstrip()
        is_left_out = any(variant and before.endswith(variant) for variant in map(str.strip, self._variants(said)))
        return None if is_left_out else span.text  # some templates write no text beside a call

    def _variants(self, said: Said) -> Iterator[str]:
        """The text as the record has it, then as the tokenizer gives it back; with the thinking before it, without."""
        texts = list(dict.fromkeys([said.written, said.text]))
        yield from texts
        yield from map(self._round_trip, texts)

    def _round_trip(self, text: str) -> str:
        return self._decode(self._encode(text))

    def _is_before_text(self, head: str, said: Said) -> bool:
        """Whether `head` is what may be trained before an answer: metadata, reasoning and the marks around it."""
        rest = THINK.sub("", head).strip().removeprefix(said.metadata).strip()
        return not rest or rest in (said.reasoning.strip(), self._round_trip(said.reasoning).strip())

    def _thought_untrained(self, row: Row, span: Span, utterance: Utterance) -> str:
        """The reasoning of the turn, if it is to be trained, and stands before the span instead of in it."""
        if not self._train_thinking or not isinstance(utterance, Said) or utterance.reasoning in span.text:
            return ""
        before = self._borders.text_before(row, span).rstrip().removesuffix("</think>").rstrip()
        return utterance.reasoning if before.endswith(utterance.reasoning) else ""

    def _num_unwritten(self, utterances: Sequence[Utterance]) -> int:
        """1 where all that is left is an empty answer behind which the template writes nothing."""
        if self._ends_last or len(utterances) != 1:
            return 0
        (last,) = utterances
        return int(isinstance(last, Said) and not last.text.strip())

    def _is_called(self, call: Called, text: str) -> bool:
        if call.name not in text:
            return False
        leaves = [leaf for leaf in call.leaves if not is_written(leaf, text)]
        return all(is_written(self._round_trip(leaf).strip(), text) for leaf in leaves)


def _squeeze(text: str) -> str:
    return "".join(THINK.sub("", text).replace("\ufffd", "").split())
