"""Your own instruction files: Alpaca's instruction, input, output and their many relatives, by column or by preset."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import pyarrow as pa
from datasets import DownloadManager, Features, SplitGenerator

from hf_builders.builder import RecordBuilder
from hf_builders.instructions.exchanges import Exchange, LeftOut, Row
from hf_builders.instructions.junk import KnownJunk
from hf_builders.instructions.mapping import Columns, RowMapping, row_mapping
from hf_builders.instructions.tables import EXCHANGE_FEATURES, exchange_table, source_features, source_table
from hf_builders.json_values import JsonRow
from hf_builders.quarantine import Quarantine, RowProblem
from hf_builders.sources import Rows, SourceFile, told_as_source_error
from hf_builders.value_files import read_values
from hf_builders.view_config import ViewConfig
from hf_builders.views import by_reason, column

_VIEWS = ("source", "instruction", "messages", "conversations")
_ROWS_PER_TABLE = 10_000
_LEFT_OUT = "\0left out"  # a column of reasons beside those of the view; no file has one of this name


@dataclass
class InstructionConfig(ViewConfig):
    columns: Columns | None = None
    """Our field → the file's field, or a list of our fields for rows that are arrays without names."""
    preset: str | None = None
    """A known family of files; the card lists them. Plain Alpaca by default."""


class Builder(RecordBuilder):
    """Rows of any field names; every view but `source` is made of the exchanges they become."""

    BUILDER_CONFIG_CLASS = InstructionConfig
    BUILDER_CONFIGS: ClassVar[list[ViewConfig]] = [InstructionConfig(name=view) for view in _VIEWS]
    DEFAULT_CONFIG_NAME = "source"
    file_endings = (".json", ".jsonl", ".csv", ".parquet")
    num_sample_rows = 300

    def check(self, config: ViewConfig) -> None:
        assert isinstance(config, InstructionConfig)
        row_mapping(config.columns, config.preset)

    @property
    def mapping(self) -> RowMapping:
        return row_mapping(self.config.columns, self.config.preset)

    def features(self) -> Features | None:
        # None: those of `source` are in the files, and a cached table has no need to read them again.
        return None if self.config.name == "source" else EXCHANGE_FEATURES[self.config.name]

    def _split_generators(self, dl_manager: DownloadManager) -> list[SplitGenerator]:
        if self.info.features is None:
            self.info.features = source_features(self._readable_rows())
        return super()._split_generators(dl_manager)

    def _readable_rows(self) -> Iterator[Row]:
        silent = Quarantine("quarantine", None)  # what cannot be read is reported when it is read for good
        for source in self.sources or []:
            with told_as_source_error(source):
                yield from (row for _, row, _ in self._converted(read_values(source, silent), silent))

    def read(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Rows]:
        junk = KnownJunk(bad_rows, self.mapping.preset.junk_line)
        rows = self._converted(read_values(source, junk), bad_rows)
        while some := list(islice(rows, _ROWS_PER_TABLE)):
            yield self._rows(some)
        if junk.rows:
            yield self._rows([(row.place, self._nothing, junk.reason) for row in junk.rows])

    def left_out(self, records: pa.Table) -> dict[str, pa.Array]:
        return by_reason(column(records, _LEFT_OUT))

    def show(self, rows: Rows, bad_rows: Quarantine) -> pa.Table:
        return rows.table.drop_columns(_LEFT_OUT)

    @property
    def _nothing(self) -> Any:
        """In the place of a row that is left out."""
        return {} if self.config.name == "source" else Exchange("", "", "", "", [])

    def _converted(self, rows: Iterable[JsonRow], bad_rows: Quarantine) -> Iterator[tuple[str, Any, str | None]]:
        """For each row its id, what the view shows of it (a raw row or an exchange), and why it is left out."""
        mapping = self.mapping
        convert: Callable[[Any], Any] = mapping.source_row if self.config.name == "source" else mapping.exchange
        is_first = self.config.name != "source"  # which shows the file as it is, whatever the options say
        for row in rows:
            if is_first:
                mapping.check_first(row.value, row.place)
                is_first = False
            reason = None
            try:
                shown = convert(row.value)
            except LeftOut as left_out:
                shown, reason = self._nothing, left_out.reason
            except RowProblem as problem:
                bad_rows.add(row.bad(problem.reason, problem.fact))
                continue
            yield row.id, shown, reason

    def _rows(self, rows: Sequence[tuple[str, Any, str | None]]) -> Rows:
        ids, shown, reasons = zip(*rows, strict=True)
        if self.config.name == "source":
            table = source_table(shown, self.info.features)
        else:
            table = exchange_table(self.config.name, ids, shown)
        return Rows(table.append_column(_LEFT_OUT, pa.array(reasons, pa.string())), pa.array(ids, pa.string()))
