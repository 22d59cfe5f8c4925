"""CMRC 2018: questions on paragraphs of Chinese Wikipedia, each answered with a span of its paragraph."""

from collections.abc import Iterator
from typing import Any

from datasets import Features, List, Value

from hf_builders.encodings import source_encoding
from hf_builders.json_files import members_of_object, values_of_array
from hf_builders.json_values import type_name
from hf_builders.locations import Download, OfficialFile
from hf_builders.quarantine import Quarantine, RowProblem
from hf_builders.reading import Reading, find_answers, list_of, text_of
from hf_builders.reading_builder import RawQuestion, ReadingBuilder
from hf_builders.reading_layouts import CMRC_LIST, SQUAD, layout_of
from hf_builders.schema import text_features
from hf_builders.sources import SourceFile

_FOLDER = "squad-style-data"
# Split, file, the git blob id of that file at the commit below, where it is known.
_FILES = (
    ("train", "cmrc2018_train.json", None),
    ("trial", "cmrc2018_trial.json", "020e3559e914d23404ffc5bf9411ee52a9c38451"),
    ("validation", "cmrc2018_dev.json", None),
)
# What SQuAD calls `id`, `context` and `question`.
_PARAGRAPH_FIELDS = {"id": "context_id", "context": "context_text"}
_QUESTION_FIELDS = {"id": "query_id", "question": "query_text"}
_MAX_START = 2**31 - 1  # what an int32 holds


class Builder(ReadingBuilder):
    """Both official layouts; `source` has the names of the list layout, and the offsets as the file gives them."""

    id_field = "query_id"
    source_features = Features(
        {
            **text_features("context_id", "context_text", "title", "query_id", "query_text"),
            "answers": List({"text": Value("string"), "answer_start": Value("int32")}),
        }
    )
    official_files = tuple(OfficialFile(name, split, folder=_FOLDER) for split, name, _ in _FILES)
    official_download = Download(
        "https://raw.githubusercontent.com/ymcui/cmrc2018/c0eb1b6ba219847457e6af3180da722bbeb656af",
        {f"{_FOLDER}/{name}": git_blob for _, name, git_blob in _FILES},
    )
    num_official_rows = 10_142 + 1_002 + 3_219
    num_sample_rows = 280

    def raw_questions(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[RawQuestion]:
        if layout_of(source, (CMRC_LIST, SQUAD)) is SQUAD:
            rows = members_of_object(source, bad_rows, array="data")
            paragraphs = ((row.place, paragraph) for row in rows for paragraph in _paragraphs(row.value))
        else:
            rows = values_of_array(source, source_encoding(source), bad_rows)
            paragraphs = ((row.place, row.value) for row in rows)
        for place, paragraph in paragraphs:
            yield from (RawQuestion(place, question) for question in _questions(paragraph))

    def reading(self, value: Any) -> Reading:
        if not isinstance(value, dict):
            fact = f"a paragraph or question is {type_name(value)}; expected an object"
            raise RowProblem("not_an_object", fact)
        if not {"query_id", "query_text", "answers"} & value.keys():
            raise RowProblem("no_questions", "the article or paragraph has no questions ('paragraphs', 'qas')")
        query_id, context = text_of(value, "query_id"), text_of(value, "context_text")
        question = text_of(value, "query_text", may_be_blank=True)
        # An article's title and the number of its paragraph are no part of the question.
        others = {name: value[name] for name in ("context_id", "title") if isinstance(value.get(name), str)}
        given, notes = [_text_and_start(answer) for answer in list_of(value, "answers")], set[str]()
        answers = find_answers(context, given, notes)
        source = {"context_text": context, "query_id": query_id, "query_text": question, **others}
        source["answers"] = [{"text": str(text), "answer_start": start} for text, start in given]
        return Reading(query_id, others.get("title", ""), context, question, answers, frozenset(notes), source)


def _paragraphs(article: Any) -> list[Any]:
    """Those of an article of SQuAD's layout, as the list layout has them; what is none stays as it is."""
    paragraphs = article.get("paragraphs") if isinstance(article, dict) else None
    if not isinstance(paragraphs, list) or not paragraphs:
        return [article]
    shared = {"title": article.get("title"), "context_id": article.get("id")}
    return [
        {**shared, **_renamed(paragraph, _PARAGRAPH_FIELDS)} if isinstance(paragraph, dict) else paragraph
        for paragraph in paragraphs
    ]


def _questions(paragraph: Any) -> list[Any]:
    """Those of a paragraph, each with the paragraph's own fields; what is none stays as it is."""
    questions = paragraph.get("qas") if isinstance(paragraph, dict) else None
    if not isinstance(questions, list) or not questions:
        return [paragraph]
    shared = {name: value for name, value in paragraph.items() if name != "qas"}
    return [
        {**shared, **_renamed(question, _QUESTION_FIELDS)} if isinstance(question, dict) else question
        for question in questions
    ]


def _renamed(fields: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in fields.items()}


def _text_and_start(answer: Any) -> tuple[Any, int | None]:
    """An answer of SQuAD's layout, or the bare text of the list layout, which has no offset."""
    if not isinstance(answer, dict):
        return answer, None
    if "text" not in answer:
        raise RowProblem("missing_field", f"an answer has no 'text'; it has {', '.join(answer) or 'no field'}")
    start = answer.get("answer_start")
    if start is not None and not (type(start) is int and abs(start) <= _MAX_START):
        raise RowProblem("wrong_type", f"'answer_start' is {type_name(start)} ({start!r:.60}); expected a whole number")
    return answer["text"], start
