"""A question on a text and its answers as a raw file gives them in, the answers found in the text out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hf_builders.json_values import type_name
from hf_builders.quarantine import RowProblem

FILLED = "answer_start_filled"
CORRECTED = "answer_start_corrected"
NOT_IN_CONTEXT = "answer_not_in_context"
WAS_NUMBER = "answer_was_number"
BLANK_ANSWER = "blank_answer"
NO_ANSWER = "no_answer"
BLANK_QUESTION = "blank_question"

NOWHERE = -1
"""The `answer_start` of an answer that does not stand in its context."""


class Answer(NamedTuple):
    text: str
    start: int
    """The character of the context it begins at, or `NOWHERE`."""


class Reading(NamedTuple):
    """One question on one context."""

    id: str
    title: str
    context: str
    question: str
    answers: Sequence[Answer]
    """None where the context holds no answer."""
    notes: frozenset[str]
    """What is worth knowing of it, as words it is counted under."""
    source: Mapping[str, Any]
    """The row of the view `source`."""


def find_answer(context: str, text: str, start: int | None = None) -> tuple[Answer, str | None]:
    """An answer where it really stands, and what had to be done about its offset, if anything.

    Args:
        start: the offset the file gives, in characters; None where it gives none. A right one stays. Instead of a wrong
            one the nearest place is taken, instead of none or -1 the first, as the publishers of CMRC 2018 do: the
            first that is no piece of a number or Latin word, where there is one.

    >>> find_answer("红裙子，红上衣", "红", 4)
    (Answer(text='红', start=4), None)
    >>> find_answer("红裙子，红上衣", "红", 5)
    (Answer(text='红', start=4), 'answer_start_corrected')
    >>> find_answer("红裙子，红上衣", "蓝", 5)
    (Answer(text='蓝', start=-1), 'answer_not_in_context')
    >>> find_answer("1972年夺得7面金牌", "7")
    (Answer(text='7', start=7), None)
    """
    if start is not None and start >= 0 and context.startswith(text, start):
        return Answer(text, start), None
    first = first_place(context, text)
    if first == NOWHERE:
        return Answer(text, NOWHERE), NOT_IN_CONTEXT
    if start is None:
        return Answer(text, first), None
    if start < 0:
        return Answer(text, first), FILLED
    before = context.rfind(text, 0, start + len(text))
    after = context.find(text, start)
    near = [place for place in (before, after) if place != NOWHERE]
    return Answer(text, min(near, key=lambda place: abs(place - start))), CORRECTED


def first_place(context: str, text: str) -> int:
    """Where a text stands first, as no piece of a longer number or Latin word if it can; `NOWHERE` if it does not.

    >>> first_place("1972年夺得7面金牌", "7"), first_place("1972年", "7")
    (7, 2)
    """
    before = "(?<![0-9A-Za-z])" if _is_latin(text[:1]) else ""
    behind = "(?![0-9A-Za-z])" if _is_latin(text[-1:]) else ""
    if (before or behind) and (whole := re.search(before + re.escape(text) + behind, context)):
        return whole.start()
    return context.find(text)


def _is_latin(char: str) -> bool:
    return char.isascii() and char.isalnum()


def find_answers(
    context: str, given: Sequence[tuple[object, int | None]], notes: set[str], place: str = "answers"
) -> list[Answer]:
    """The answers of a row, each with the offset its file gives; `notes` gets what was odd about them.

    Raises:
        RowProblem: `no_answers`, none that is not blank; `wrong_type`, one that is neither text nor a number.
    """
    answers = []
    for value, start in given:
        text = answer_text(value, notes, place)
        if text is None:
            continue
        answer, note = find_answer(context, text, start)
        answers.append(answer)
        notes.update([note] if note else [])
    if not answers:
        raise RowProblem("no_answers", f"{place!r} holds no answer; write one, or take the question out")
    return answers


def answer_text(value: object, notes: set[str], place: str) -> str | None:
    """The text of an answer; a number becomes its text, and a blank one is None. `notes` gets either.

    Raises:
        RowProblem: `wrong_type`, where it is something else.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        notes.add(WAS_NUMBER)
        return str(value)
    if not isinstance(value, str):
        raise RowProblem("wrong_type", f"{place!r} holds {type_name(value)} ({value!r:.60}); expected text")
    if value.strip():
        return value
    notes.add(BLANK_ANSWER)
    return None


def text_of(row: Mapping[str, Any], field: str, *, may_be_blank: bool = False) -> str:
    """A field of a row that must be text.

    Raises:
        RowProblem: `missing_field`, `null_value`, `wrong_type`, or `blank_…` and the field's name.
    """
    if field not in row:
        raise RowProblem("missing_field", f"{field!r} is missing; it has {', '.join(row) or 'no field'}")
    value = row[field]
    if value is None:
        raise RowProblem("null_value", f"{field!r} is null; expected text")
    if not isinstance(value, str):
        raise RowProblem("wrong_type", f"{field!r} is {type_name(value)} ({value!r:.60}); expected text")
    if not may_be_blank and not value.strip():
        raise RowProblem(f"blank_{field}", f"{field!r} is blank; expected text")
    return value


def list_of(row: Mapping[str, Any], field: str) -> list[Any]:
    """A field of a row that must be a list.

    Raises:
        RowProblem: `missing_field` or `wrong_type`.
    """
    if field not in row:
        raise RowProblem("missing_field", f"{field!r} is missing; it has {', '.join(row) or 'no field'}")
    value = row[field]
    if not isinstance(value, list):
        raise RowProblem("wrong_type", f"{field!r} is {type_name(value)} ({value!r:.60}); expected an array")
    return value


def said_answer(answers: Sequence[Answer], joint: str | None) -> str | None:
    """What an assistant says: all distinct answers, with `joint` in between; where that is None they are alternatives.

    Of alternatives the one given most often is said, the first of these where there are several; those that stand in
    the context go before those that do not. None where there is no answer.

    >>> said_answer([Answer("红", 0), Answer("红色", -1), Answer("红色", -1), Answer("红", 0)], None)
    '红'
    >>> said_answer([Answer("鱼雷艇", 3), Answer("巡洋舰", 9), Answer("鱼雷艇", 30)], "#")
    '鱼雷艇#巡洋舰'
    """
    if not answers:
        return None
    texts = [answer.text for answer in answers]
    if joint is not None:
        return joint.join(dict.fromkeys(texts))
    found = [answer.text for answer in answers if answer.start != NOWHERE] or texts
    return max(found, key=found.count)
