"""A file of the LES cup in any of its layouts in, questions with their documents out, all under the same names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hf_builders.csv_reader import read_csv, read_header
from hf_builders.encodings import source_encoding
from hf_builders.json_files import read_json_values, values_of_array
from hf_builders.json_values import type_name
from hf_builders.quarantine import Quarantine
from hf_builders.reading_builder import RawQuestion
from hf_builders.reading_layouts import DUREADER, LES_ARTICLES, LES_CSV, layout_of, start_of
from hf_builders.sources import SourceFile

_NUMBERS = range(1, 6)
_COLUMNS = (
    "answer", "bridging_entity", *(f"content{n}" for n in _NUMBERS), "keyword", "question", "supporting_paragraph",
    *(f"title{n}" for n in _NUMBERS), "question_id",
)  # fmt: skip
_NOT_IN_TESTS = ("answer", "bridging_entity", "supporting_paragraph")
_LAYOUTS = (LES_CSV, LES_ARTICLES, DUREADER)
_ANSWER = re.compile(r'(?<!\\)"answers?"\s*:')
PARAGRAPH_BREAK = "  "
"""What stands between the paragraphs of a cell."""


def has_answers(source: SourceFile) -> bool:
    """Whether the file has answers at all; test sets have none."""
    if layout_of(source, _LAYOUTS) is LES_CSV:
        return "answer" in read_header(source)
    return _ANSWER.search(start_of(source)) is not None


def raw_questions(source: SourceFile, bad_rows: Quarantine) -> Iterator[RawQuestion]:
    """The questions of a file, under the names of the view `source`; those of a test set have no `answer`.

    What is wrong in one stays in it: an object without documents has `documents` of None.
    """
    layout = layout_of(source, _LAYOUTS)
    with_answers = has_answers(source)
    if layout is LES_CSV:
        yield from _of_csv(source, bad_rows)
    elif layout is LES_ARTICLES:
        for row in values_of_array(source, source_encoding(source), bad_rows):
            for question in _of_article(row.value, with_answers):
                yield RawQuestion(row.place, question)
    else:
        for row in read_json_values(source, bad_rows):
            yield RawQuestion(row.place, _of_dureader(row.value, with_answers))


def _of_csv(source: SourceFile, bad_rows: Quarantine) -> Iterator[RawQuestion]:
    encoding = source_encoding(source)
    header = read_header(source, encoding)
    columns = [name for name in _COLUMNS if name in header or name not in _NOT_IN_TESTS]
    for rows in read_csv(source, columns, bad_rows, encoding=encoding):
        for place, row in zip(rows.ids.to_pylist(), rows.table.to_pylist(), strict=True):
            documents = [
                {"title": row.pop(f"title{n}"), "paragraphs": row.pop(f"content{n}").split(PARAGRAPH_BREAK)}
                for n in _NUMBERS
            ]
            yield RawQuestion(place, {**row, "title": row["keyword"], "is_marked": True, "documents": documents})


def _of_article(article: Any, with_answers: bool) -> Iterator[Any]:
    questions = article.get("questions") if isinstance(article, dict) else None
    if not isinstance(questions, list) or not questions:
        yield {"article": article} if isinstance(article, dict) else article
        return
    title, content = article.get("article_title"), article.get("article_content")
    article_id = None if article.get("article_id") is None else str(article["article_id"])
    shared = {
        "article_id": article_id,
        "article_type": article.get("article_type"),
        "title": title,
        "documents": None if content is None else [{"title": title, "paragraphs": [content]}],
    }
    for number, question in enumerate(questions, start=1):
        if not isinstance(question, dict):
            yield question
            continue
        own_id = question.get("questions_id", question.get("question_id"))
        question_id = f"{article_id}#{number}" if own_id is None else f"{article_id}_{own_id}"
        own = {name: question.get(name) for name in ("question", "question_type")}
        answer = {"answer": question.get("answer")} if with_answers else {}
        yield {**shared, "question_id": question_id, **own, **answer}


def _of_dureader(row: Any, with_answers: bool) -> Any:
    if not isinstance(row, dict):
        return row
    documents = row.get("documents")
    names = ("question_id", "question", "question_type", "keyword", "bridging_entity", "supporting_paragraph")
    shared = {name: row.get(name) for name in names}
    if with_answers:
        # DuReader itself has a list of them.
        shared["answer"] = row.get("answer", row.get("answers"))
    return {**shared, "title": row.get("keyword"), "documents": documents if isinstance(documents, list) else None}


def described(value: object) -> str:
    """What a row is that should be an object."""
    return f"the row is {type_name(value)} ({value!r:.60}); expected an object"
