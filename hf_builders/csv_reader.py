"""CSV in, text columns out, cell for cell what Python's `csv` module reads.

pyarrow parses the file as a stream of blocks. Python's parser is asked for what pyarrow cannot say (the line and text
of a bad row) and takes over where pyarrow gives up: at bytes that are no text, at a quote that never closes.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, NamedTuple

import pyarrow as pa
import pyarrow.csv

from hf_builders.encodings import KEEP_BYTES, Encoding, is_undecodable, show_bytes, source_encoding
from hf_builders.errors import SourceError
from hf_builders.quarantine import BadRow, Quarantine
from hf_builders.sources import Rows, SourceFile, ids_of

_BLOCK = 4 << 20  # pyarrow's memory pool keeps some dozens of these
_ROWS_PER_TABLE = 10_000
_END_MARK = "\0end of file"
_NUL_STAND_IN = "\udbff"  # half a surrogate pair, which no decoded text holds


def read_csv(
    source: SourceFile,
    fields: Sequence[str],
    bad_rows: Quarantine,
    aliases: Mapping[str, str] | None = None,
    encoding: Encoding | None = None,
) -> Iterator[Rows]:
    """The rows of a file with exactly these text columns, in any order; quoted cells may hold commas and newlines.

    Args:
        aliases: other names a header may have, each with the field it stands for.
        encoding: of the file, where it is known; to find it out, the whole file is read.

    Raises:
        SourceError: an empty file or another header.
        RowError: a row with more or fewer cells or bytes that are no text, where `bad_rows` does not set it aside.
    """
    encoding = encoding or source_encoding(source)
    header = read_header(source, encoding)
    columns = [(aliases or {}).get(name, name) for name in header]
    if sorted(columns) != sorted(fields):
        raise SourceError(
            f"{source.name}:1: the header is {','.join(header)!r:.200}; expected the columns {', '.join(fields)}; "
            "is this a file of another dataset?"
        )
    file = _CsvFile(source, encoding, header, columns, list(fields), bad_rows)
    num_read = 0
    try:
        for rows, num_done in file.read_blocks():
            num_read = num_done
            yield rows
    except (UnicodeDecodeError, pa.ArrowInvalid, _ParsersDisagree):
        # Bytes that are no text, a cell larger than a block, a quote left open, or a row that only Python can read.
        yield from file.read_row_by_row(num_read)


def read_header(source: SourceFile, encoding: Encoding | None = None) -> list[str]:
    """The names in the first row."""
    with contextlib.closing(_exact_rows(source, encoding or source_encoding(source))) as rows:
        return next(rows).cells


class _ParsersDisagree(Exception):
    """pyarrow and Python see different rows."""


class _MarkedFile:
    """A raw file as pyarrow gets it: UTF-8, and behind its end a row of ours, which a quote left open swallows."""

    closed = False

    def __init__(self, file: IO[bytes], encoding: Encoding, num_columns: int) -> None:
        self._file = file
        self._decoder = None if encoding == "utf-8-sig" else codecs.getincrementaldecoder(encoding)()
        self._rest = f"\n{','.join([_END_MARK] * num_columns)}\n".encode()

    def read(self, size: int) -> bytes:
        block = self._file.read(size // 2)  # UTF-8 takes up to 1.5 times the bytes of GB18030
        # pyarrow drops the \n of a \r\n inside quotes where one block ends between the two.
        while block.endswith(b"\r") and (byte := self._file.read(1)):
            block += byte
        if block:
            return self._decoder.decode(block).encode() if self._decoder else block
        if self._decoder:
            self._decoder.decode(b"", final=True)
        block, self._rest = self._rest[:size], self._rest[size:]
        return block


class _ExactRow(NamedTuple):
    """One row as Python's parser sees it; the header is a row too, blank lines are none."""

    line: int
    cells: list[str]
    raw: str
    num_lines: int


def _exact_rows(source: SourceFile, encoding: Encoding) -> Generator[_ExactRow, None, None]:
    csv.field_size_limit(2**31 - 1)  # a limit of the whole process; its default of 128 KiB refuses long notes
    with source.open() as file, io.TextIOWrapper(file, encoding, errors=KEEP_BYTES, newline="") as text:
        consumed: list[str] = []

        def lines() -> Iterator[str]:
            for line in text:
                # Python's utf-8-sig drops the byte order mark, its gb18030 keeps it as a character.
                consumed.append(line if num_lines or consumed else line.removeprefix("\ufeff"))
                yield consumed[-1]

        num_lines = 0
        for cells in _parse(lines()):
            if cells:
                yield _ExactRow(num_lines + 1, cells, "".join(consumed), len(consumed))
            num_lines += len(consumed)
            consumed.clear()


def _parse(lines: Iterable[str]) -> Iterator[list[str]]:
    """Python's parser, with NUL hidden from it: that of Python 3.10 refuses the character."""
    for cells in csv.reader(line.replace("\0", _NUL_STAND_IN) for line in lines):
        yield [cell.replace(_NUL_STAND_IN, "\0") for cell in cells]


def _is_unclosed(raw: str) -> bool:
    """Whether a quote opened in this row is still open at its end, as when a file was cut off."""
    return '"' in raw and list(_parse(io.StringIO(f"{raw}\nnext", newline="")))[-1] != ["next"]


def _without_end_mark(table: pa.Table) -> pa.Table:
    if not len(table) or any(column[-1].as_py() != _END_MARK for column in table.columns):
        raise _ParsersDisagree
    return table.slice(0, len(table) - 1)


@dataclass(frozen=True)
class _CsvFile:
    source: SourceFile
    encoding: Encoding
    header: list[str]
    columns: list[str]
    """The field each column of the header stands for."""
    fields: list[str]
    """In the order of the dataset."""
    bad_rows: Quarantine

    def read_blocks(self) -> Iterator[tuple[Rows, int]]:
        """The good rows a block at a time, each with how many rows, good and bad, are done with by then."""
        # Closed by hand: an error keeps its frames, and with them the file, for longer than anyone needs it.
        with contextlib.closing(_exact_rows(self.source, self.encoding)) as rows:
            yield from self._read_blocks(enumerate(rows))  # the header is number 0

    def _read_blocks(self, exact_rows: Iterator[tuple[int, _ExactRow]]) -> Iterator[tuple[Rows, int]]:
        refused: deque[int] = deque()  # numbers of the rows pyarrow skipped; it may be a block ahead of us
        num_done = 0

        def refuse(row: pyarrow.csv.InvalidRow) -> str:
            refused.append(row.number - 1)
            return "skip"

        with self.source.open() as file, self._open_stream(file, refuse) as stream:
            batch = next(stream, None)
            while batch is not None:
                following = next(stream, None)
                table = pa.table(batch) if following is not None else _without_end_mark(pa.table(batch))
                numbers: list[int] = []
                bad: list[_ExactRow] = []
                while len(numbers) < len(table):
                    num_done += 1
                    if refused and refused[0] == num_done:
                        bad.append(self._refused_row(refused.popleft(), exact_rows))
                    else:
                        numbers.append(num_done)
                for row in bad:
                    self.set_aside(row)
                yield self._rows(table, numbers), num_done
                batch = following
        for row in [self._refused_row(number, exact_rows) for number in refused]:
            self.set_aside(row)

    def _open_stream(
        self, file: IO[bytes], refuse: Callable[[pyarrow.csv.InvalidRow], str]
    ) -> pyarrow.csv.CSVStreamingReader:
        return pyarrow.csv.open_csv(
            _MarkedFile(file, self.encoding, len(self.header)),
            # Only without threads does pyarrow know the number of a row.
            pyarrow.csv.ReadOptions(block_size=_BLOCK, use_threads=False),
            pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=refuse),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(self.header, pa.string()),
                null_values=[],
                strings_can_be_null=False,
            ),
        )

    def _refused_row(self, number: int, exact_rows: Iterator[tuple[int, _ExactRow]]) -> _ExactRow:
        row = next((row for n, row in exact_rows if n == number), None)
        if row is None or not self._problem(row):
            raise _ParsersDisagree
        return row

    def read_row_by_row(self, num_done: int) -> Iterator[Rows]:
        """The good rows behind the first `num_done`, by Python's parser."""
        with contextlib.closing(_exact_rows(self.source, self.encoding)) as rows:
            yield from self._read_rest(islice(enumerate(rows), num_done + 1, None))

    def _read_rest(self, rows: Iterator[tuple[int, _ExactRow]]) -> Iterator[Rows]:
        while some := list(islice(rows, _ROWS_PER_TABLE)):
            good = []
            for number, row in some:
                if self._problem(row):
                    self.set_aside(row)
                else:
                    good.append((number, row.cells))
            table = pa.table(
                [pa.array([cells[i] for _, cells in good], pa.string()) for i in range(len(self.columns))],
                names=self.header,
            )
            yield self._rows(table, [number for number, _ in good])

    def set_aside(self, row: _ExactRow) -> None:
        problem = self._problem(row)
        assert problem is not None
        self.bad_rows.add(BadRow(f"{self.source.name}:{row.line}", *problem, raw=show_bytes(row.raw.rstrip("\r\n"))))

    def _problem(self, row: _ExactRow) -> tuple[str, str] | None:
        if _is_unclosed(row.raw):
            return (
                "unclosed_quote",
                f"a quote opens here and never closes ({row.num_lines} lines up to the end)",
            )
        if len(row.cells) != len(self.columns):
            expected = f"expected the {len(self.columns)} columns {', '.join(self.columns)}"
            return "wrong_column_count", f"the row has {len(row.cells)} columns; {expected}"
        if is_undecodable(row.raw):
            return "undecodable", f"the row holds bytes that are no {self.encoding} text"
        return None

    def _rows(self, table: pa.Table, numbers: list[int]) -> Rows:
        return Rows(table.rename_columns(self.columns).select(self.fields), ids_of(f"{self.source.name}#", numbers))
