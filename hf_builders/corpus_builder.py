"""The builder of a corpus: records in, `source`, `text` and the questions that a record itself answers out."""

from __future__ import annotations

import abc
import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from datasets import Features

from hf_builders.builder import RecordBuilder
from hf_builders.errors import OptionError, did_you_mean
from hf_builders.quarantine import Quarantine
from hf_builders.schema import CORPUS_VIEWS, FEATURES, text_features
from hf_builders.sources import Rows, SourceFile
from hf_builders.view_config import ViewConfig
from hf_builders.views import Dialogue, arrange, by_reason, column

_LEFT_OUT = "\0left out"  # columns beside those of the view; no file has one of these names
_NOTES = "\0notes"
_KEPT_WITH = "\0kept with"
NO_TEXT = "no_text"


@dataclass
class CorpusConfig(ViewConfig):
    tasks: list[str] | None = None
    """Which questions the dialogue views ask, by name; all of the dataset's by default."""
    validation: float = 0.0
    """The share of records cut off as a split, by hash of their id; the source has no splits of its own."""
    test: float = 0.0


class Exchange(NamedTuple):
    """A question that a record answers. Alpaca's columns; a dialogue asks `instruction`, and `input` below it."""

    instruction: str
    input: str
    output: str


Task = Callable[[Mapping[str, Any]], Iterable[Exchange]]
"""The values of a record in, its questions and answers out; none where it cannot answer."""


@dataclass(frozen=True)
class Record:
    """One record of a raw file."""

    id: str
    values: Mapping[str, Any]
    """What the view `source` shows, by column."""
    left_out: str | None = None
    """The reason why it is not shown: a newer version stands elsewhere, say."""
    notes: Sequence[str] = field(default=())
    """What is worth knowing of it, or was mended, by reason."""
    split_key: str | None = None
    """Records of one key stay in one split: those of a patient, say. Its id by default."""

    @property
    def kept_with(self) -> str:
        return self.id if self.split_key is None else self.split_key


class _Row(NamedTuple):
    id: str
    kept_with: str
    shown: Mapping[str, Any]
    left_out: str | None
    notes: Sequence[str]


class CorpusBuilder(RecordBuilder):
    """A dataset states `source_features` and `tasks`, and writes `records` and `text`.

    In the dialogue views a row is a question: one or more for each record and task, with the id `record/task` or
    `record/task/n`. A record that cannot answer one is counted as left out, `no_` and the name of the task.
    """

    BUILDER_CONFIG_CLASS = CorpusConfig
    BUILDER_CONFIGS: ClassVar[list[ViewConfig]] = [CorpusConfig(name=view) for view in CORPUS_VIEWS]
    DEFAULT_CONFIG_NAME = "source"

    source_features: ClassVar[Features]
    """Of the view `source`."""
    tasks: ClassVar[Mapping[str, Task]]
    """By name; the first line of a task's docstring says what it asks."""
    num_records_per_table: ClassVar[int] = 500
    """Fewer where records are long: so many are held at a time."""

    @abc.abstractmethod
    def records(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Record]:
        """The records of a raw file; bad ones go to `bad_rows`."""

    @abc.abstractmethod
    def text(self, values: Mapping[str, Any]) -> str:
        """A record as text to read, for continued pre-training; empty where it has none."""

    def tasks_of(self, record: Record, tasks: Sequence[str]) -> Sequence[str]:
        """Those of the chosen tasks that are about such a record; all, unless a dataset has several kinds of them."""
        return tasks

    def check(self, config: ViewConfig) -> None:
        assert isinstance(config, CorpusConfig)
        if config.tasks is None:
            return
        tasks = config.tasks
        if not isinstance(tasks, (list, tuple)) or not tasks or len(set(map(str, tasks))) < len(tasks):
            raise OptionError(f"tasks={tasks!r}: takes a list of different names: {', '.join(self.tasks)}")
        for name in tasks:
            if name not in self.tasks:
                hint = did_you_mean(str(name), self.tasks)
                raise OptionError(f"tasks: no task {name!r}{hint}; the tasks are {', '.join(self.tasks)}")

    def features(self) -> Features:
        view = self.config.name
        return self.source_features if view == "source" else FEATURES[view]

    def read(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Rows]:
        records = self.records(source, bad_rows)
        while some := list(islice(records, self.num_records_per_table)):
            yield self._table([row for record in some for row in self._rows_of(record)])

    def _rows_of(self, record: Record) -> Iterator[_Row]:
        """What the view shows of a record, or why nothing."""
        view = self.config.name
        if record.left_out is not None:
            yield _Row(record.id, record.kept_with, {}, record.left_out, ())
        elif view == "text":
            text = self.text(record.values)
            yield _Row(record.id, record.kept_with, {"text": text}, None if text.strip() else NO_TEXT, record.notes)
        elif view in ("messages", "instruction"):
            for task in self.tasks_of(record, self.config.tasks or list(self.tasks)):
                yield from self._questions(record, task)
        else:
            yield _Row(record.id, record.kept_with, record.values, None, record.notes)

    def _questions(self, record: Record, task: str) -> Iterator[_Row]:
        exchanges = list(self.tasks[task](record.values))
        if not exchanges:
            yield _Row(f"{record.id}/{task}", record.kept_with, {}, f"no_{task}", ())
        for number, exchange in enumerate(exchanges, start=1):
            assert exchange.instruction.strip(), f"{task} asks nothing"
            assert exchange.output.strip(), f"{task} answers nothing"
            id_ = f"{record.id}/{task}" + (f"/{number}" if len(exchanges) > 1 else "")
            yield _Row(id_, record.kept_with, exchange._asdict(), None, record.notes)

    def _table(self, rows: Sequence[_Row]) -> Rows:
        table = pa.Table.from_pylist([dict(row.shown) for row in rows], schema=self._read_schema)
        beside = {
            _LEFT_OUT: pa.array([row.left_out for row in rows], pa.string()),
            _NOTES: pa.array([list(row.notes) for row in rows], pa.list_(pa.string())),
            _KEPT_WITH: pa.array([row.kept_with for row in rows], pa.string()),
        }
        for name, values in beside.items():
            table = table.append_column(name, values)
        return Rows(table, pa.array([row.id for row in rows], pa.string()))

    @functools.cached_property  # a file of one record has a table of its own, and a schema takes longer to make
    def _read_schema(self) -> pa.Schema:
        """Of the rows as `read` gives them."""
        view, features = self.config.name, self.features()
        if view == "text":
            features = text_features("text")
        elif view in ("messages", "instruction"):
            features = text_features(*Exchange._fields)
        return features.arrow_schema.remove_metadata()

    @functools.cached_property
    def _shown_schema(self) -> pa.Schema:
        return self.features().arrow_schema

    def fractions(self, config: ViewConfig) -> dict[str, float]:
        assert isinstance(config, CorpusConfig)
        return {split: share for split, share in (("validation", config.validation), ("test", config.test)) if share}

    def split_keys(self, records: pa.Table) -> pa.Array:
        """All questions about a record, and records of one `split_key`, stay in one split."""
        return column(records, _KEPT_WITH)

    def left_out(self, records: pa.Table) -> dict[str, pa.Array]:
        return by_reason(column(records, _LEFT_OUT))

    def noted(self, records: pa.Table) -> Counter[str]:
        return Counter(column(records, _NOTES).flatten().to_pylist())

    def show(self, rows: Rows, bad_rows: Quarantine) -> pa.Table:
        records = rows.table.drop_columns([_LEFT_OUT, _NOTES, _KEPT_WITH])
        view = self.config.name
        if view == "text":
            return records.add_column(0, "id", rows.ids).cast(self._shown_schema)
        if view in ("messages", "instruction"):
            return arrange(view, rows.ids, _dialogue(records))
        return records.cast(self._shown_schema)


def _dialogue(records: pa.Table) -> Dialogue:
    instruction, input_, output = (column(records, name) for name in Exchange._fields)
    has_input = pc.not_equal(input_, "")
    asked = pc.binary_join_element_wise(instruction, input_, "\n\n")
    return Dialogue(pc.if_else(has_input, asked, instruction), output, instruction, input_)
