"""WebQA (Baidu): questions of a search engine's users, each with passages of the web that may hold the answer."""

import re
from collections.abc import Iterator
from typing import Any

from datasets import Features, List, Value

from hf_builders.json_files import members_of_object
from hf_builders.json_values import type_name
from hf_builders.locations import OfficialFile
from hf_builders.quarantine import Quarantine, RowProblem
from hf_builders.reading import Reading, find_answers, list_of, text_of
from hf_builders.reading_builder import RawQuestion, ReadingBuilder
from hf_builders.reading_layouts import WEBQA, layout_of
from hf_builders.schema import text_features
from hf_builders.sources import SourceFile

_NO_ANSWER = "no_answer"
_TYPE_IN_ID = re.compile(r"Q_(ANN|IR)_")
_TYPE_IN_NAME = re.compile(r"\.(ann|ir)\.")


class Builder(ReadingBuilder):
    """One row is one evidence of a question. The files are those of Su Jianlin's cleaned release, an object each."""

    id_field = "evidence_id"
    source_features = Features(
        {
            **text_features("question_id", "question", "evidence_id", "evidence"),
            "answer": List(Value("string")),
            "type": Value("string"),
        }
    )
    official_files = (
        OfficialFile("me_train.json", "train"),
        OfficialFile("me_validation.ann.json", "validation", part="ann"),
        OfficialFile("me_validation.ir.json", "validation", part="ir"),
        OfficialFile("me_test.ann.json", "test", part="ann"),
        OfficialFile("me_test.ir.json", "test", part="ir"),
    )
    how_to_get = "get WebQA.v1.0 by hand (https://kexue.fm/archives/4338 has the link)"
    num_sample_rows = 300
    joint = "、"

    def raw_questions(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[RawQuestion]:
        layout_of(source, (WEBQA,))
        type_of_file = _TYPE_IN_NAME.search(source.name)
        for row in members_of_object(source, bad_rows):
            ((question_id, question),) = row.value.items()
            found = _TYPE_IN_ID.match(question_id) or type_of_file
            shared = {"question_id": question_id, "type": found and found[1].lower()}
            evidences = question.get("evidences") if isinstance(question, dict) else None
            if not isinstance(evidences, dict) or not evidences:
                yield RawQuestion(row.place, {**shared, "evidences": evidences})
                continue
            for evidence_id, evidence in evidences.items():
                own = {"question": question.get("question"), "evidence_id": evidence_id, "own": evidence}
                yield RawQuestion(row.place, {**shared, **own})

    def reading(self, value: Any) -> Reading:
        if "evidences" in value:
            raise RowProblem("no_evidences", f"{value['question_id']} has no object of 'evidences', or an empty one")
        if not isinstance(own := value["own"], dict):
            raise RowProblem("not_an_object", f"{value['evidence_id']} is {type_name(own)}; expected an object")
        question = text_of(value, "question", may_be_blank=True)
        evidence, given = text_of(own, "evidence"), list_of(own, "answer")
        texts = [(text, None) for text in given if text != _NO_ANSWER]
        notes = set[str]()
        # An empty list says nothing: that there is no answer, the publishers say in words.
        answers = find_answers(evidence, texts, notes, "answer") if texts or not given else []
        shared = {name: value[name] for name in ("question_id", "question", "evidence_id", "type")}
        source = {**shared, "evidence": evidence, "answer": [str(text) for text in given]}
        return Reading(value["evidence_id"], "", evidence, question, answers, frozenset(notes), source)
