"""LES cup (莱斯杯): military machine reading, questions on five articles each (2019) or on one (2018)."""

from collections.abc import Iterator
from typing import Any

from datasets import Features, List, Value

from hf_builders.les_mrc import questions
from hf_builders.les_mrc.answers import read_answers
from hf_builders.les_mrc.documents import read_documents
from hf_builders.locations import OfficialFile
from hf_builders.quarantine import Quarantine, RowProblem
from hf_builders.reading import Answer, Reading, text_of
from hf_builders.reading_builder import RawQuestion, ReadingBuilder
from hf_builders.schema import text_features
from hf_builders.sources import SourceFile

_TEXTS = (
    "question_id", "question", "answer", "question_type", "keyword", "bridging_entity", "supporting_paragraph",
    "article_id", "article_type",
)  # fmt: skip


class Builder(ReadingBuilder):
    """One row is one question, whichever of the layouts it comes from; what a layout has not is null."""

    id_field = "question_id"
    source_features = Features(
        {
            **text_features(*_TEXTS),
            "documents": List(
                {"title": Value("string"), "paragraphs": List(Value("string")), "is_selected": Value("bool")}
            ),
        }
    )
    official_files = (
        OfficialFile("train_round_0.csv", "train", also="train*"),
        OfficialFile("question.json", "train"),
        OfficialFile("test_data_r0.csv", "test", also="test*"),
    )
    how_to_get = "get the files of the cup from its organisers by hand"
    num_official_rows = 24_843 + 4_969 + 97_997
    num_sample_rows = 200
    joint = "#"  # as the cup's submissions have them

    def has_answers(self, source: SourceFile) -> bool:
        return questions.has_answers(source)

    def raw_questions(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[RawQuestion]:
        return questions.raw_questions(source, bad_rows)

    def reading(self, value: Any) -> Reading:
        if not isinstance(value, dict):
            raise RowProblem("not_an_object", questions.described(value))
        if "article" in value:
            raise RowProblem("no_questions", "the article has no list of 'questions', or an empty one")
        question_id, question = text_of(value, "question_id"), text_of(value, "question", may_be_blank=True)
        for name in _TEXTS:
            if name != "answer" and value.get(name) is not None:
                text_of(value, name, may_be_blank=True)
        documents, context = read_documents(value["documents"])
        answers: list[Answer] = []
        notes: set[str] = set()
        if "answer" in value:
            supporting, is_marked = value.get("supporting_paragraph"), value.get("is_marked", False)
            answers, notes = read_answers(value["answer"], documents, context, supporting, is_marked=is_marked)
        source = {name: value.get(name) for name in _TEXTS}
        if (given := value.get("answer")) is not None:
            source["answer"] = self.joint.join(map(str, given)) if isinstance(given, list) else str(given)
        names = ("title", "paragraphs", "is_selected")
        source["documents"] = [{name: getattr(each, name) for name in names} for each in documents]
        title = value["title"] if isinstance(value["title"], str) else ""
        return Reading(question_id, title, context, question, answers, frozenset(notes), source)
