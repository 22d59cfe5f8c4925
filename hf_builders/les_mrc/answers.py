"""The marked answers of a question in, each where it stands in the context out."""

from __future__ import annotations

from collections.abc import Sequence

from hf_builders.les_mrc.documents import Document
from hf_builders.les_mrc.marks import Marked, read_marks
from hf_builders.quarantine import RowProblem
from hf_builders.reading import NOT_IN_CONTEXT, NOWHERE, Answer, answer_text, first_place

MARKS_REPAIRED = "marks_repaired"
IN_ANOTHER_DOCUMENT = "answer_in_another_document"


def read_answers(
    given: object, documents: Sequence[Document], context: str, supporting: str | None, *, is_marked: bool
) -> tuple[list[Answer], set[str]]:
    """The answers of a row, and what is worth knowing of them.

    Args:
        given: a cell with marks or without, or a list of them.
        supporting: the paragraphs that support the answers, with marks; only a hint, so broken ones are no fault.
        is_marked: whether marks belong to the layout, so that none at all had to be mended.

    Raises:
        RowProblem: `no_answers`, `wrong_type` or `broken_marks`.
    """
    cells = given if isinstance(given, list) else [given]
    if all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in cells):
        raise RowProblem("no_answers", f"'answer' holds none ({given!r:.60}), in a file that has answers; write one")
    supports = [each.text for each in _marked_of(supporting)]
    answers, notes = [], set[str]()
    for cell in cells:
        text = answer_text(cell, notes, "answer")
        if text is None:
            continue
        marked, is_mended = read_marks(text)
        if is_mended and (is_marked or marked[0].documents):
            notes.add(MARKS_REPAIRED)
        for each in marked:
            answer, note = find_marked(each, documents, context, supports)
            answers.append(answer)
            notes.update([note] if note else [])
    return answers, notes


def _marked_of(supporting: object) -> list[Marked]:
    if not isinstance(supporting, str) or not supporting.strip():
        return []
    try:
        return read_marks(supporting)[0]
    except RowProblem:
        return []


def find_marked(
    marked: Marked, documents: Sequence[Document], context: str, supports: Sequence[str]
) -> tuple[Answer, str | None]:
    """An answer where it stands in the context, and what is worth knowing of its place.

    It is looked for in the documents its marks name, else in those selected, else in all; in each first inside the
    supporting paragraphs. Of several places the first is taken.
    """
    text, named = marked.text, [documents[n] for n in marked.documents if n < len(documents)]
    for document in named or sorted(documents, key=lambda each: not each.is_selected):
        if (start := _find(text, document.content, supports)) != NOWHERE:
            return Answer(text, document.start + start), None
    if (start := first_place(context, text)) != NOWHERE:
        return Answer(text, start), IN_ANOTHER_DOCUMENT
    return Answer(text, NOWHERE), NOT_IN_CONTEXT


def _find(text: str, content: str, supports: Sequence[str]) -> int:
    for support in supports:
        if (start := content.find(support)) != NOWHERE and (within := first_place(support, text)) != NOWHERE:
            return start + within
    return first_place(content, text)
