"""Rows with tools, calls, results or reasoning in; groups of rows that can be encoded together out.

What stands around the texts of such a row differs from row to row (its tools, the arguments of its calls), so each is
rendered with a template twice: as it is, and as a probe. The second says what each stretch of the first is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from collators.chat_templates import ChatTemplate, TemplateRefusal
from collators.controls import GuardedBackend
from collators.encoding import IntArray
from collators.probes import probe_of_row
from collators.shapes import LossMode, Shape, shape_of_conversation
from collators.skeleton_building import SkeletonBuilder
from collators.skeletons import Piece, Skeleton, fit
from collators.structured_messages import is_encodable
from collators.turns import LOSS_UNSET, Conversation, Message


@dataclass(frozen=True)
class WrittenRow:
    """One row as its template writes it: every piece with the words of this row."""

    row: int
    shape: Shape
    skeleton: Skeleton
    words: tuple[str, ...]
    rendered: str


@dataclass(frozen=True)
class RowGroup:
    """Rows whose pieces are of the same kinds, one for one."""

    rows: IntArray
    shape: Shape
    skeleton: Skeleton
    """Its slots are columns of `contents`."""
    contents: list[pa.LargeStringArray]
    rendered: list[str]


def write_row(
    row: int,
    conversation: Conversation,
    template: ChatTemplate,
    guarded: GuardedBackend,
    builder: SkeletonBuilder,
    *,
    loss: LossMode,
    splits_thinking: bool,
) -> WrittenRow:
    """One row as `template` writes it.

    Raises:
        TemplateRefusal: the template does not take the row, or does with a text what cannot be followed.
    """
    conversation = as_template_takes(conversation, template)
    shape = shape_of_conversation(conversation, loss)
    try:
        rendered = template.render(conversation.messages, conversation.tools)
    except TemplateRefusal:
        # DeepSeek's and Functionary's join arguments to other words, so they have to be text.
        conversation = _with_text_arguments(conversation)
        rendered = template.render(conversation.messages, conversation.tools)
    if not is_encodable(rendered):
        raise TemplateRefusal("not_text", "it holds half of a surrogate pair, which no tokenizer encodes")
    probed = probe_of_row(conversation, shape, guarded, splits_thinking=splits_thinking)
    skeleton = builder.build(probed.probe)
    own = [
        replace(piece, text=unmarked) if (unmarked := probed.unmarked(piece.text)) != piece.text else piece
        for piece in skeleton.pieces
    ]
    written = fit(replace(skeleton, pieces=tuple(own)), rendered, probed.texts)
    if written is None:
        raise TemplateRefusal("template_rewrites", "the chat template changes a text or leaves it out")
    words = tuple(written[piece.slot] if piece.slot is not None else piece.words for piece in own)
    return WrittenRow(row, shape, skeleton, words, rendered)


def _with_text_arguments(conversation: Conversation) -> Conversation:
    """The arguments of every call as JSON text, as OpenAI sends them."""

    def as_text(call: Message) -> Message:
        if "function" in call:
            return {**call, "function": as_text(call["function"])}
        arguments = call["arguments"]
        return {
            **call,
            "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False),
        }

    messages = [
        {**message, "tool_calls": [as_text(call) for call in message["tool_calls"]]}
        if "tool_calls" in message
        else message
        for message in conversation.messages
    ]
    return replace(conversation, messages=tuple(messages))


def as_template_takes(conversation: Conversation, template: ChatTemplate) -> Conversation:
    """Results by the role the template knows; one call a message where the format has each result behind its call."""
    messages: list[Message] = []
    loss: list[int] = []
    pending = list(zip(conversation.messages, conversation.loss, strict=True))
    while pending:
        message, own = pending.pop(0)
        if message["role"] in ("tool", "observation") and template.role_of_results is not None:
            message = {**message, "role": template.role_of_results}
        calls = message.get("tool_calls", [])
        if template.answers_each_call and len(calls) > 1:
            results = _results_of(calls, [each for each, _ in pending])
            del pending[: len(results)]
            for number, call in enumerate(calls):
                text = message["content"] if not number else ""
                messages.append({**message, "content": text, "tool_calls": [call]})
                messages += results[number : number + 1]
                loss += [own, LOSS_UNSET][: 1 + (number < len(results))]
            continue
        messages.append(message)
        loss.append(own)
    return Conversation(tuple(messages), tuple(loss), conversation.tools)


def _results_of(calls: Sequence[Message], following: Sequence[Message]) -> list[Message]:
    """The messages right behind that answer these calls, in the order of the calls."""
    results = []
    for message in following[: len(calls)]:
        if message["role"] not in ("tool", "observation"):
            break
        results.append(message)
    order = {call.get("id"): place for place, call in enumerate(calls)}
    if all(message.get("tool_call_id") in order for message in results) and len(results) == len(calls):
        results.sort(key=lambda message: order[message.get("tool_call_id")])
    return results


def group_written(rows: Sequence[WrittenRow]) -> Iterator[RowGroup]:
    """Rows whose pieces are of the same kinds, together; words that are the same in all of them stay the skeleton's."""
    groups: dict[tuple[object, ...], list[WrittenRow]] = {}
    for row in rows:
        kinds = tuple((piece.trained, piece.turn, piece.control) for piece in row.skeleton.pieces)
        groups.setdefault((row.shape, kinds, row.skeleton.num_left_out), []).append(row)
    for members in groups.values():
        columns = list(zip(*(row.words for row in members), strict=True))
        pieces: list[Piece] = []
        contents: list[pa.LargeStringArray] = []
        for piece, words in zip(members[0].skeleton.pieces, columns, strict=True):
            if piece.control is not None:
                pieces.append(piece)
            elif len(set(words)) == 1:
                pieces.append(replace(piece, text=words[0], slot=None))
            else:
                pieces.append(replace(piece, text="", slot=len(contents)))
                contents.append(pa.array(words, pa.large_string()))
        yield RowGroup(
            np.array([row.row for row in members], np.int64),
            members[0].shape,
            replace(members[0].skeleton, pieces=tuple(pieces)),
            contents,
            [row.rendered for row in members],
        )


def thinks_inline(conversation: Conversation) -> bool:
    """Whether an assistant's content holds its reasoning."""
    return any(message["role"] == "assistant" and "</think>" in message["content"] for message in conversation.messages)
