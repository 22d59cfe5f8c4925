"""The documents of a question in, the context they make together out."""

from __future__ import annotations

from typing import Any, NamedTuple

from hf_builders.json_values import type_name
from hf_builders.les_mrc.questions import PARAGRAPH_BREAK
from hf_builders.quarantine import RowProblem

_DOCUMENT_BREAK = "\n\n"


class Document(NamedTuple):
    title: str
    paragraphs: list[str]
    is_selected: bool | None
    """Whether it holds the answer, where the file says so."""
    start: int
    """The character of the context its content begins at."""

    @property
    def content(self) -> str:
        return PARAGRAPH_BREAK.join(self.paragraphs)


def read_documents(given: Any) -> tuple[list[Document], str]:
    """The documents of a row, and the context: title, line break and content of each, a blank line between two.

    Of an only document the context is its content alone: the title stands in a column of its own.

    Raises:
        RowProblem: `no_documents`, `wrong_type`, or `blank_context` where none has content.
    """
    if not isinstance(given, list) or not given:
        raise RowProblem("no_documents", "the row has no documents; expected one or more, each with title and text")
    documents: list[Document] = []
    context = ""
    for each in given:
        title, paragraphs, is_selected = _fields(each)
        if len(given) > 1:
            context += (_DOCUMENT_BREAK if documents else "") + (f"{title}\n" if title else "")
        documents.append(Document(title, paragraphs, is_selected, len(context)))
        context += documents[-1].content
    if not any(document.content.strip() for document in documents):
        raise RowProblem("blank_context", "no document of the row has any text")
    return documents, context


def _fields(document: Any) -> tuple[str, list[str], bool | None]:
    if not isinstance(document, dict):
        raise RowProblem("wrong_type", f"a document is {type_name(document)}; expected an object")
    title, paragraphs = document.get("title") or "", document.get("paragraphs")
    if not isinstance(title, str):
        raise RowProblem("wrong_type", f"the title of a document is {type_name(title)}; expected text")
    if not isinstance(paragraphs, list) or not all(isinstance(paragraph, str) for paragraph in paragraphs):
        raise RowProblem("wrong_type", "'paragraphs' of a document is no array of texts")
    is_selected = document.get("is_selected")
    return title, paragraphs, is_selected if isinstance(is_selected, bool) else None
