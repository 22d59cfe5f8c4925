"""The builder of a machine-reading dataset: questions on texts in, `source`, `mrc` and two dialogue views out."""

from __future__ import annotations

import abc
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from datasets import DownloadManager, Features, SplitGenerator
from datasets.utils.logging import get_logger

from hf_builders.builder import RecordBuilder
from hf_builders.errors import OptionError, SourceError
from hf_builders.quarantine import BadRow, Quarantine, RowProblem
from hf_builders.reading import BLANK_QUESTION, NO_ANSWER, Reading, said_answer
from hf_builders.schema import FEATURES, READING_VIEWS
from hf_builders.sources import Rows, SourceFile
from hf_builders.view_config import ViewConfig
from hf_builders.views import Dialogue, arrange, column, is_blank

logger = get_logger(__name__)

_ROWS_PER_TABLE = 1_000
_NOTES = "\0notes"  # columns beside those of the view; no file has one of these names
_SAID = "\0said"
_TASK = "阅读文章，回答问题。"


@dataclass
class ReadingConfig(ViewConfig):
    no_answer: str | Literal[False] = "根据文章无法回答。"
    """What the assistant says where the text holds no answer; False leaves such rows out of the dialogue views."""


class RawQuestion(NamedTuple):
    """A question as it stands in a file, with the text it is asked about."""

    place: str
    """`file:line`, or `file#n` in CSV."""
    value: Any


class ReadingBuilder(RecordBuilder):
    """A dataset states `id_field` and `source_features`, and writes `raw_questions` and `reading`."""

    BUILDER_CONFIG_CLASS = ReadingConfig
    BUILDER_CONFIGS: ClassVar[list[ViewConfig]] = [ReadingConfig(name=view) for view in READING_VIEWS]
    DEFAULT_CONFIG_NAME = "source"

    id_field: ClassVar[str]
    """The column of the view `source` that is the `id` of the others."""
    source_features: ClassVar[Features]
    """Of the view `source`."""
    joint: ClassVar[str | None] = None
    """What stands between the answers of a question in a dialogue; None where they are alternatives."""

    @abc.abstractmethod
    def raw_questions(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[RawQuestion]:
        """The questions of a file, good and bad."""

    @abc.abstractmethod
    def reading(self, value: Any) -> Reading:
        """A raw question with its answers found in the text. Raises `RowProblem` where it is a bad row."""

    def has_answers(self, source: SourceFile) -> bool:
        """Whether a file is one to learn from, and no test set without answers."""
        return True

    def check(self, config: ViewConfig) -> None:
        assert isinstance(config, ReadingConfig)
        if config.no_answer is not False and not (isinstance(config.no_answer, str) and config.no_answer.strip()):
            raise OptionError(f"no_answer={config.no_answer!r}: takes what the assistant says, or False")

    def features(self) -> Features:
        view = self.config.name
        return self.source_features if view == "source" else FEATURES[view]

    @property
    def _is_dialogue(self) -> bool:
        return self.config.name in ("messages", "instruction")

    def _split_generators(self, dl_manager: DownloadManager) -> list[SplitGenerator]:
        if self._is_dialogue and self.sources:
            self.sources = self._with_answers(self.sources)
        return super()._split_generators(dl_manager)

    def _with_answers(self, sources: Sequence[SourceFile]) -> list[SourceFile]:
        with_answers = [source for source in sources if self.has_answers(source)]
        others = ", ".join(source.name for source in sources if source not in with_answers)
        if not with_answers:
            raise SourceError(f"{others}: holds no answers, and {self.config.name!r} needs them; load the view 'mrc'")
        if others:
            logger.warning(f"{self.dataset_name}: {others} holds no answers and is left out of {self.config.name!r}")
        return with_answers

    def read(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Rows]:
        readings = self._readings(source, bad_rows)
        while some := list(islice(readings, _ROWS_PER_TABLE)):
            table = self._source_table(some) if self.config.name == "source" else self._reading_table(some)
            notes = pa.array([sorted(each.notes) for each in some], pa.list_(pa.string()))
            yield Rows(table.append_column(_NOTES, notes), pa.array([each.id for each in some], pa.string()))

    def _readings(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Reading]:
        seen: set[str] = set()
        has_answers = self.has_answers(source)
        for place, value in self.raw_questions(source, bad_rows):
            try:
                reading = self.reading(value)
                if reading.id in seen:
                    fact = f"the id {reading.id!r} stands in this file before; give it another"
                    raise RowProblem("duplicate_id", fact)
            except RowProblem as problem:
                bad_rows.add(self._bad(place, value, problem))
                continue
            seen.add(reading.id)
            notes, question = set(reading.notes), reading.question.strip()
            if not question:
                notes.add(BLANK_QUESTION)
            if not reading.answers and has_answers:
                notes.add(NO_ANSWER)
            yield reading._replace(question=question, title=reading.title.strip(), notes=frozenset(notes))

    def _bad(self, place: str, value: Any, problem: RowProblem) -> BadRow:
        # A line may hold a whole file: the id, where there is one, tells which of its questions it is.
        id_ = value.get(self.id_field) if isinstance(value, dict) else None
        named = f"{place}: {id_}" if isinstance(id_, str) and id_.strip() else place
        return BadRow(named, problem.reason, problem.fact, json.dumps(value, ensure_ascii=False))

    def _source_table(self, readings: Sequence[Reading]) -> pa.Table:
        return pa.Table.from_pylist(
            [dict(each.source) for each in readings], schema=self.source_features.arrow_schema.remove_metadata()
        )

    def _reading_table(self, readings: Sequence[Reading]) -> pa.Table:
        """The columns of `mrc`, and what an assistant says."""
        answers = [
            {
                "text": [answer.text for answer in each.answers],
                "answer_start": [answer.start for answer in each.answers],
            }
            for each in readings
        ]
        columns = [
            [each.id for each in readings],
            [each.title for each in readings],
            [each.context for each in readings],
            [each.question for each in readings],
            answers,
        ]
        said = pa.array([said_answer(each.answers, self.joint) for each in readings], pa.string())
        schema = FEATURES["mrc"].arrow_schema.remove_metadata()
        arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
        return pa.table(arrays, schema=schema).append_column(_SAID, said)

    def left_out(self, records: pa.Table) -> dict[str, pa.Array]:
        if not self._is_dialogue:
            return {}
        is_out = {BLANK_QUESTION: is_blank(column(records, "question"))}
        if self.config.no_answer is False:
            is_out[NO_ANSWER] = pc.is_null(column(records, _SAID))
        return is_out

    def noted(self, records: pa.Table) -> Counter[str]:
        return Counter(column(records, _NOTES).flatten().to_pylist())

    def show(self, rows: Rows, bad_rows: Quarantine) -> pa.Table:
        records = rows.table.drop_columns(_NOTES)
        if self.config.name == "source":
            return records.cast(self.source_features.arrow_schema)
        if self.config.name == "mrc":
            return records.drop_columns(_SAID).cast(FEATURES["mrc"].arrow_schema)
        return arrange(self.config.name, rows.ids, _dialogue(records, self.config.no_answer))


def _dialogue(records: pa.Table, no_answer: str | Literal[False]) -> Dialogue:
    """A task, the text and the question asked; the answer said."""
    title, context, question = (column(records, name) for name in ("title", "context", "question"))
    title_line = pc.if_else(is_blank(title), "", pc.binary_join_element_wise("标题：", title, "\n", ""))
    text = pc.binary_join_element_wise(title_line, "文章：", context, "")
    answer = column(records, _SAID)
    return Dialogue(
        question=pc.binary_join_element_wise(f"{_TASK}\n\n", text, "\n\n问题：", question, ""),
        answer=pc.fill_null(answer, no_answer or ""),  # with False there is nothing to fill
        instruction=pc.binary_join_element_wise(f"{_TASK}\n问题：", question, ""),
        input=text,
    )
