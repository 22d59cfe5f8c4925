"""The shape of a conversation in; where its format writes what, and which of it the model must produce, out.

All conversations of one shape are the same text around different messages, so the template is rendered once per shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from collators.chat_templates import ChatTemplate, Message, TemplateRefusal
from collators.columns import ASSISTANT, ROLES
from collators.controls import Control, GuardedBackend
from collators.shapes import Shape


@dataclass(frozen=True)
class Piece:
    """A stretch of the rendered text: a control token, a message's text, or words of the template."""

    trained: bool
    text: str = ""
    """The template's own words."""
    message: int | None = None
    control: Control | None = None


@dataclass(frozen=True)
class Skeleton:
    """What every conversation of one shape looks like once rendered."""

    pieces: tuple[Piece, ...]
    trims: bool
    """Whether the template takes white space away from the ends of a message."""
    words_at_end: str | None = None
    """What stands behind the last trained turn where no control token ends it, so that a model cannot learn to stop."""

    @property
    def controls(self) -> list[Control]:
        return [piece.control for piece in self.pieces if piece.control is not None]


# Holds what a template might escape, change or test for, and cannot meet a control token.
_PLACEHOLDER = "Qx{0}z <&>\"'\\\n é中 Zx{0}q"
_PADDINGS = (" ", "\n", "\t", "\u3000")


def build_skeleton(shape: Shape, template: ChatTemplate, guarded: GuardedBackend, *, all_trained: bool) -> Skeleton:
    """Render `shape` and mark what is trained: from behind the generation prompt through the token that ends the turn.

    With `all_trained` everything is, but for assistant turns whose `trained` is false.

    Raises:
        TemplateRefusal: the template does not take this shape, or does not write each message exactly once.
    """
    messages = _placeholders(shape)
    text = template.render(messages)
    spans = _content_spans(text, messages)
    controls = guarded.find(text)
    regions: list[tuple[int, int, bool]] = []
    words_at_end = None
    for index, turn in enumerate(shape):
        if turn.role != ASSISTANT or turn.trained == all_trained:
            continue
        start = _answer_start(template, text, messages, spans, controls, index)
        end = _answer_end(shape, template, guarded, spans, controls, index, start)
        words_at_end = text[spans[index][1] :] if end is None else None
        if end is None:
            words = _words_before_text(shape, template, guarded, index) if turn.empty else ""
            end = start + len(words) if turn.empty and text.startswith(words, start) else max(start, spans[index][1])
        regions.append((start, end, turn.trained))
    return Skeleton(
        pieces=tuple(_cut(text, spans, controls, regions, shape, all_trained)),
        trims=_trims(template, messages, text),
        words_at_end=words_at_end,
    )


def _placeholders(shape: Shape) -> list[Message]:
    return [
        {"role": ROLES[turn.role], "content": "" if turn.empty else _PLACEHOLDER.format(index)}
        for index, turn in enumerate(shape)
    ]


def _content_spans(text: str, messages: Sequence[Message]) -> list[tuple[int, int]]:
    """Where each message stands in `text`; an empty one where the message before it ends."""
    spans: list[tuple[int, int]] = []
    for index, message in enumerate(messages):
        content = message["content"]
        if not content:
            spans.append((spans[-1][1],) * 2 if spans else (0, 0))
            continue
        if (count := text.count(content)) != 1:
            fact = f"the chat template writes message {index} ({message['role']}) {count} times, not once as it is"
            raise TemplateRefusal("template_rewrites", fact)
        start = text.index(content)
        spans.append((start, start + len(content)))
    return spans


def _answer_start(
    template: ChatTemplate,
    text: str,
    messages: Sequence[Message],
    spans: Sequence[tuple[int, int]],
    controls: Sequence[tuple[int, int, Control]],
    index: int,
) -> int:
    """The place behind the generation prompt of turn `index`."""
    start, end = spans[index]
    is_empty = start == end
    earliest = max((stop for _, stop in spans[:index] if is_empty or stop <= start), default=0)
    later = (begin for begin, stop in spans[index + 1 :] if stop > begin)
    latest = min(later, default=len(text)) if is_empty else start
    prompt = template.generation_prompt
    before = _rendered_prefix(template, text, messages[:index], generation_prompt=bool(prompt))
    is_prefix = earliest <= before <= latest
    if prompt:
        # Some templates invite an answer only behind a user: then the turn's own header is still to come.
        if is_prefix and text.endswith(prompt, 0, before):
            return before
        # Earlier turns read differently without this one. Rightmost: the words before may end like a generation prompt.
        found = (text.find if is_empty else text.rfind)(prompt, earliest, latest)
        if found >= 0:
            return found + len(prompt)
    elif is_prefix:
        # No generation prompt: the model speaks right behind the user's turn (Llama-2's [/INST]), unless the template
        # writes a header there, which it then forgot to offer as generation prompt.
        text_start = next((first for first, _, _ in controls if first >= before), len(text)) if is_empty else start
        if not text[before:text_start].strip():
            return before
    if is_empty:
        raise TemplateRefusal("template_rewrites", f"where message {index} (assistant, empty) stands cannot be told")
    return start


def _rendered_prefix(template: ChatTemplate, text: str, messages: Sequence[Message], *, generation_prompt: bool) -> int:
    """How many characters `messages` alone render to, if `text` starts with these; else -1."""
    if not messages:
        return -1
    try:
        before = template.render(messages, generation_prompt=generation_prompt)
    except TemplateRefusal:
        return -1
    return len(before) if text.startswith(before) else -1


def _answer_end(
    shape: Shape,
    template: ChatTemplate,
    guarded: GuardedBackend,
    spans: Sequence[tuple[int, int]],
    controls: Sequence[tuple[int, int, Control]],
    index: int,
    start: int,
) -> int | None:
    """The place behind the token that ends turn `index`; None where the template writes none."""
    behind = max(start, spans[index][1])
    limit = min((begin for begin, stop in spans if behind <= begin < stop), default=None)
    words = _words_before_text(shape, template, guarded, index) if shape[index].empty else ""
    ends = [end for begin, end, _ in controls if begin >= behind][len(guarded.find(words)) :]
    return ends[0] if ends and (limit is None or ends[0] <= limit) else None


def _words_before_text(shape: Shape, template: ChatTemplate, guarded: GuardedBackend, index: int) -> str:
    """What the template writes between generation prompt and text of turn `index`, were there a text."""
    filled = tuple(replace(turn, empty=turn.empty and i != index) for i, turn in enumerate(shape))
    messages = _placeholders(filled)
    text = template.render(messages)
    spans = _content_spans(text, messages)
    start = _answer_start(template, text, messages, spans, guarded.find(text), index)
    return text[start : spans[index][0]]


def _trims(template: ChatTemplate, messages: Sequence[Message], text: str) -> bool:
    """Whether white space around messages does not come through unchanged."""
    for padding in _PADDINGS:
        padded, expected = [], text
        for message in messages:
            content = message["content"]
            wide = f"{padding}{content}{padding}" if content else ""
            padded.append({**message, "content": wide})
            expected = expected.replace(content, wide) if content else expected
        try:
            if template.render(padded) != expected:
                return True
        except TemplateRefusal:
            return True
    return False


def _cut(
    text: str,
    spans: Sequence[tuple[int, int]],
    controls: Sequence[tuple[int, int, Control]],
    regions: Sequence[tuple[int, int, bool]],
    shape: Shape,
    all_trained: bool,
) -> list[Piece]:
    """Cut `text` at the borders of messages, control tokens and regions."""
    message_at = {span: index for index, span in enumerate(spans) if not shape[index].empty}
    control_at = {(start, end): control for start, end, control in controls}
    borders = {0, len(text)}
    for start, end in (*message_at, *control_at, *((start, end) for start, end, _ in regions)):
        borders |= {start, end}
    ordered = sorted(borders)
    pieces = []
    for start, end in pairwise(ordered):
        trained = next((flag for first, last, flag in regions if first <= start < last), all_trained)
        message, control = message_at.get((start, end)), control_at.get((start, end))
        literal = "" if message is not None or control is not None else text[start:end]
        pieces.append(Piece(trained, literal, message, control))
    return pieces


def fit(skeleton: Skeleton, rendered: str, contents: Sequence[str]) -> list[str] | None:
    """The messages' texts as they stand in `rendered`, a row's own rendering; None if it is not of this skeleton.

    >>> pieces = (Piece(False, "Q: "), Piece(False, message=0), Piece(False, "!"))
    >>> fit(Skeleton(pieces, trims=True), "Q: hi!", [" hi "])
    ['hi']
    >>> fit(Skeleton(pieces, trims=True), "Q: HI!", [" hi "]) is None
    True
    """
    written = list(contents)
    literals = [_literal_after(skeleton, place) for place in range(len(skeleton.pieces))]
    place = 0
    for piece, following in zip(skeleton.pieces, literals, strict=True):
        if piece.message is None:
            words = [piece.control.text if piece.control is not None else piece.text]
        else:
            content = contents[piece.message]
            words = [content, content.strip(), content.lstrip(), content.rstrip(), content.strip("\n")]
        found = next((word for word in words if rendered.startswith(word + following, place)), None)
        if found is None:
            return None
        if piece.message is not None:
            written[piece.message] = found
        place += len(found)
    return written if place == len(rendered) else None


def _literal_after(skeleton: Skeleton, place: int) -> str:
    """The template's own text between this piece and the next message."""
    text = ""
    for piece in skeleton.pieces[place + 1 :]:
        if piece.message is not None:
            break
        text += piece.control.text if piece.control is not None else piece.text
    return text
