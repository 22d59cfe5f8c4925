"""Your own conversations: ChatGLM3, ShareGPT or OpenAI files, with tools, results and a loss for each message."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, NamedTuple

import pyarrow as pa
from datasets import Features, Json, List, Value
from datasets.utils.logging import get_logger

from hf_builders.builder import RecordBuilder
from hf_builders.conversations.formats import FORMATS, Conversation, Format, detect_format, fitting_format, read_row
from hf_builders.encodings import is_undecodable
from hf_builders.errors import OptionError, SourceError
from hf_builders.json_columns import json_column, json_lists, json_text, unreadable
from hf_builders.json_files import read_json_values
from hf_builders.quarantine import Quarantine, RowProblem
from hf_builders.sources import Rows, SourceFile
from hf_builders.value_files import is_parquet
from hf_builders.view_config import ViewConfig

logger = get_logger(__name__)

_VIEWS = ("conversations", "messages")
_ROWS_PER_TABLE = 1_000


@dataclass
class ConversationConfig(ViewConfig):
    format: Format | None = None
    """Of all files; by default each file's first conversation tells."""


class _Record(NamedTuple):
    """A row as the JSON texts of its columns."""

    id: str
    messages: list[str]
    tools: str | None


class Builder(RecordBuilder):
    """Both views hold the same conversations; `tools` is null where a row has none."""

    BUILDER_CONFIG_CLASS = ConversationConfig
    BUILDER_CONFIGS: ClassVar[list[ViewConfig]] = [ConversationConfig(name=view) for view in _VIEWS]
    DEFAULT_CONFIG_NAME = "conversations"
    num_sample_rows = 280

    def check(self, config: ViewConfig) -> None:
        assert isinstance(config, ConversationConfig)
        if config.format not in (choices := (None, *FORMATS)):
            raise OptionError(f"format={config.format!r}: takes {', '.join(map(repr, choices))}")

    def features(self) -> Features:
        return Features({"id": Value("string"), self.config.name: List(Json()), "tools": Json()})

    def read(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Rows]:
        """The rows already in the view: what a row means is known only when it is read as a whole."""
        if is_parquet(source):
            raise SourceError(
                f"{source.name}: is Parquet, and conversations reads JSON and JSON Lines only; write it as JSON Lines: "
                "datasets.Dataset.from_parquet(path).to_json('chats.jsonl', force_ascii=False)"
            )
        notes: Counter[str] = Counter()
        records = self._records(source, bad_rows, notes)
        while some := list(islice(records, _ROWS_PER_TABLE)):
            columns = [[record.id for record in some], json_lists([record.messages for record in some])]
            table = pa.table([*columns, json_column(record.tools for record in some)], schema=self._schema)
            yield Rows(table, table["id"].combine_chunks())
        if notes:
            said = ", ".join(f"{note} ({count:,} rows)" for note, count in sorted(notes.items()))
            logger.warning(f"{source.name}: not in the records: {said}")

    def show(self, rows: Rows, bad_rows: Quarantine) -> pa.Table:
        return rows.table

    @property
    def _schema(self) -> pa.Schema:
        return self.features().arrow_schema

    def _records(self, source: SourceFile, bad_rows: Quarantine, notes: Counter[str]) -> Iterator[_Record]:
        format = self.config.format
        for row in read_json_values(source, bad_rows):
            format = format or detect_format(row.value)
            try:
                conversation = read_row(row.value, format)
                record = self._record(row.id, conversation)
            except RowProblem as problem:
                bad_rows.add(row.bad(problem.reason, problem.fact + self._other_format(row.value, format)))
                continue
            except RecursionError:
                bad_rows.add(row.bad("unreadable_value", "the row holds values nested too deeply; write them as text"))
                continue
            notes.update(f"the field {field!r}" for field in conversation.fields_left_out)
            yield record

    def _other_format(self, row: object, format: Format | None) -> str:
        """The hint behind a bad row that would be a good one in a file of another format."""
        if format is None or (fitting := fitting_format(row, format)) is None:
            return ""
        told = "format= says" if self.config.format else "the first conversation of the file says"
        return f"; {told} {format!r}, and this row is {fitting!r}: load with format={fitting!r}, or split the file"

    def _record(self, row_id: str, conversation: Conversation) -> _Record:
        messages = conversation.messages if self.config.name == "messages" else conversation.conversations
        tools = None if conversation.tools is None else json_text(conversation.tools)
        record = _Record(row_id, [json_text(message) for message in messages], tools)
        for text in record.messages if tools is None else [*record.messages, tools]:
            if is_undecodable(text):  # JSON inside a text can hold escapes that are no text
                raise RowProblem("undecodable", "the row holds escapes that are no text")
            if fact := unreadable(text):
                raise RowProblem("unreadable_value", f"the row holds {fact}")
        return record
