"""The marks of the LES cup, `@content2@…@content2@` around each answer: read, and mended where that is possible."""

from __future__ import annotations

import re
from typing import NamedTuple

from hf_builders.quarantine import RowProblem

# Whole, or without one of its two @.
_MARK = re.compile(r"@content([1-5])@|@content([1-5])(?![0-9])|content([1-5])@")
_MARK_OF_NONE = re.compile(r"@content[0-9]")
_STRAY = re.compile(r"\A[\s@]+|[\s@]+\Z")


class Marked(NamedTuple):
    """What stands between two marks."""

    text: str
    documents: tuple[int, ...]
    """Numbers, from 0, of the documents its marks name: one, two where they disagree, none where there are no marks."""


def read_marks(text: str) -> tuple[list[Marked], bool]:
    """The marked texts of a cell, and whether marks had to be mended.

    Mended are an @ left out or too many, a mark that never closes, a closing one with another number, and no mark at
    all.

    Raises:
        RowProblem: `broken_marks`: nothing between marks, something outside them, or one that names no document.

    >>> read_marks("@content5@卡尔号@content5@")
    ([Marked(text='卡尔号', documents=(4,))], False)
    >>> read_marks("@content1@甲@content1@content4@乙@content4@")
    ([Marked(text='甲', documents=(0,)), Marked(text='乙', documents=(3,))], True)
    """
    if _MARK_OF_NONE.search(_MARK.sub("", text)):
        raise _broken("a mark names none of the documents 1 to 5", text)
    marks = list(_MARK.finditer(text))
    if not marks:
        return [Marked(text.strip(), ())], True
    starts, ends = [mark.start() for mark in marks], [mark.end() for mark in marks]
    pieces = [text[start:end].strip() for start, end in zip([0, *ends], [*starts, len(text)], strict=True)]
    before, *behind = (_STRAY.sub("", piece) for piece in pieces)
    if before:
        raise _broken("something stands before the first mark", text)
    numbers = [int(mark[1] or mark[2] or mark[3]) - 1 for mark in marks]
    marked: list[Marked] = []
    is_mended = any(mark[1] is None for mark in marks) or pieces != [before, *behind]
    place = 0
    while place < len(marks):
        number, inside = numbers[place], behind[place]
        if not inside:
            raise _broken("nothing stands between two marks", text)
        closing = place + 1 if place + 1 < len(marks) else None
        if closing is not None and (numbers[closing] == number or not behind[closing]):
            if behind[closing]:
                raise _broken("something stands outside the marks", text)
            is_mended |= numbers[closing] != number
            marked.append(Marked(inside, tuple(dict.fromkeys((number, numbers[closing])))))
            place += 2
        else:  # the next mark has text of its own behind it: this one was never closed
            is_mended = True
            marked.append(Marked(inside, (number,)))
            place += 1
    return marked, is_mended


def _broken(fact: str, text: str) -> RowProblem:
    return RowProblem("broken_marks", f"{fact} in {text!r:.80}; expected @contentN@…@contentN@, once or more")
