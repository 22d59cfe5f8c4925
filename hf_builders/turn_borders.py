"""A trained span and the tokens around it in; whether a turn begins and ends just there, out.

A tokenizer may join the last of the prompt and the first of the answer into one token (or the end of the answer and
what follows). Such a token *straddles* the border and is not trained, so the span lacks its share of the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from collators.template_frames import Frame
from hf_builders.labelled_spans import Row, Span

THINK = re.compile(r"</?think>")
_NUM_TOKENS_OF_MARK = 16
"""Enough for `<think>`, where it is no token of its own."""


class Borders:
    """Looks at the tokens around spans, and counts those that straddle (`num_straddling`).

    Args:
        frame: what the template writes around texts.
        decode: ids to text, control tokens included.
        train_thinking: whether reasoning is trained with the answer.
        untrained: whether the spans are those that must not be trained; then straddling tokens are in them.
    """

    def __init__(
        self, frame: Frame, decode: Callable[[Sequence[int]], str], *, train_thinking: bool, untrained: bool
    ) -> None:
        self._decode = decode
        self._train_thinking = train_thinking
        self._untrained = untrained
        self._prompt_ends = frame.prompt_ends
        self._call_lead_ins = sorted(text.replace(" ", "") for text in frame.call_lead_ins)
        self._lead_ins = sorted({_lead(text) for text in frame.lead_ins if not text.strip()})
        self._thought_leads = sorted({_lead(text) for text in frame.lead_ins if text.lstrip().startswith("<think>")})
        self.num_straddling = 0

    def without_lead_ins(self, row: Row) -> Row:
        """The row without spans of mere white space before thinking that is not trained (ChatGLM3's newline)."""

        def leads_in(span: Span) -> bool:
            behind = row.ids[span.end : span.end + _NUM_TOKENS_OF_MARK]
            return not (span.is_ended or span.text.strip()) and self._decode(behind).lstrip().startswith("<think>")

        return replace(row, spans=[span for span in row.spans if not leads_in(span)])

    def text_before(self, row: Row, span: Span) -> str:
        """What stands between the span before and this one."""
        start = max((each.end for each in row.spans if each.end <= span.start), default=0)
        return self._decode(row.ids[start : span.start])

    def is_behind_prompt(self, row: Row, span: Span) -> bool:
        """Whether the token before the span is one behind which the model speaks, where it always is such a token."""
        if not self._prompt_ends or row.ids[span.start - 1] in self._prompt_ends:
            return True
        return not self._train_thinking and "</think>" in self.text_before(row, span)

    def begins_as_answer(self, row: Row, span: Span, text: str) -> bool:
        """Whether no more and no less white space is trained before `text` than the template and it have there."""
        lead, wanted = _lead(span.text), {before + _lead(text) for before in self._lead_ins}
        if not wanted or not self._train_thinking or lead in wanted:
            return True  # white space behind thinking goes with it
        if self._untrained:
            more = [lead.removesuffix(each) for each in wanted if lead.endswith(each)]
            is_so = any(self._is_half(row, span.start, before=each) for each in more)
        else:
            missing = [each.removesuffix(lead) for each in wanted if each.endswith(lead)]
            is_so = any(self.lacks_head(row, span, each) for each in missing)
        # Some templates take white space away from the ends of a text, or newlines alone.
        return is_so or lead in {before + own for before in self._lead_ins for own in ("", _lead(text.lstrip("\n")))}

    def begins_as_thought(self, row: Row, span: Span) -> bool:
        """Whether thinking is trained from `<think>` on, where the template has the model write that."""
        if not self._thought_leads or not self._train_thinking:
            return True
        lead = _lead(span.text)
        missing = [each.removesuffix(lead) for each in self._thought_leads if each != lead and each.endswith(lead)]
        is_so = lead in self._thought_leads or any(self.lacks_head(row, span, each) for each in missing)
        return is_so and span.text.lstrip().startswith("<think>")

    def begins_as_call(self, row: Row, span: Span, name: str) -> bool:
        """Whether a call of the tool `name` is trained from its beginning, and nothing before it."""
        text = span.text.replace(" ", "")
        if not self._call_lead_ins or not self._train_thinking or THINK.search(text):
            return True
        for head in (lead + name.replace(" ", "") for lead in self._call_lead_ins):
            cuts = (cut for cut in range(1, len(head)) if text.startswith(head[cut:]))
            if text.startswith(head) or any(self.lacks_head(row, span, head[:cut]) for cut in cuts):
                return True
        return False

    def lacks_head(self, row: Row, span: Span, missing: str) -> bool:
        """Whether the token before the span ends with what the span lacks, and begins with what comes before."""
        return span.start > 0 and self._is_half(row, span.start - 1, behind=missing)

    def lacks_tail(self, row: Row, span: Span, missing: str) -> bool:
        """Whether the token behind the span begins with what the span lacks, and ends with what follows."""
        return not span.is_ended and self._is_half(row, span.end, before=missing)

    def has_more_at_head(self, row: Row, span: Span, answer: str) -> bool:
        """Whether the first token of a span that is not trained is half prompt, and the rest is the answer."""
        if not self._untrained:
            return False
        inner = self._decode(row.ids[span.start + 1 : span.end - span.is_ended]).strip()
        return bool(inner) and answer.endswith(inner) and self._is_half(row, span.start, behind=answer[: -len(inner)])

    def _is_half(self, row: Row, place: int, before: str = "", behind: str = "") -> bool:
        """Whether the token there begins with `before`, ends with `behind`, and holds more than that."""
        token = self._decode(row.ids[place : place + 1])
        is_so = token.startswith(before) and token.endswith(behind) and len(token) > len(before) + len(behind)
        self.num_straddling += is_so
        return is_so


def _lead(text: str) -> str:
    """The white space a text begins with, but for spaces, which tokenizers put and take at will."""
    return text[: len(text) - len(text.lstrip())].replace(" ", "")
