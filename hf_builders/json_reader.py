"""JSON Lines or a JSON array in, text columns out; the content tells which of the two, not the file's ending.

JSON Lines take the fast way, pyarrow's own parser on large blocks. Only a block it stumbles over (or would take more
leniently than the schema does) is looked at line by line, to say which row it was and why.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import pyarrow as pa
import pyarrow.json

from hf_builders.encodings import Encoding, decode_keeping_bytes, is_undecodable, show_bytes, source_encoding
from hf_builders.errors import SourceError
from hf_builders.quarantine import BadRow, Quarantine
from hf_builders.sources import Rows, SourceFile, ids_of

_BLOCK = 8 << 20
_ROWS_PER_TABLE = 10_000
_SPACE = " \t\r\n"
_AFTER_ELEMENT = re.compile(r"[ \t\r\n]*([,\]]?)[ \t\r\n]*")


def read_json(source: SourceFile, fields: Sequence[str], bad_rows: Quarantine) -> Iterator[Rows]:
    """The rows of a file of objects, each with exactly these text fields.

    Raises:
        SourceError: an empty file, or a JSON array that breaks off (nothing behind the break can be told apart).
        RowError: a bad row, where `bad_rows` does not set it aside.
    """
    encoding = source_encoding(source)
    row_check = _RowCheck(source, tuple(fields), bad_rows)
    with source.open() as file:
        is_array = file.read(_BLOCK).removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"["
    with source.open() as file:
        yield from (_read_array if is_array else _read_lines)(file, encoding, row_check)


@dataclass(frozen=True)
class _RowCheck:
    """What a row of this source must look like, and where it goes if it does not."""

    source: SourceFile
    fields: tuple[str, ...]
    bad_rows: Quarantine

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([(field, pa.string()) for field in self.fields])

    def problem(self, row: object, raw: str) -> tuple[str, str] | None:
        """Reason and fact of what is wrong with a parsed row."""
        expected = f"expected the fields {', '.join(self.fields)}"
        if not isinstance(row, dict):
            return "not_an_object", f"the row is {_type_name(row)}, not an object; {expected}"
        for field in self.fields:
            if field not in row:
                return "missing_field", f"{field!r} is missing; {expected}"
            if row[field] is None:
                return "null_value", f"{field!r} is null; expected text"
            if not isinstance(row[field], str):
                return (
                    "wrong_type",
                    f"{field!r} is {_type_name(row[field])} ({row[field]!r:.60}); expected text",
                )
        if extra := [field for field in row if field not in self.fields]:
            return "unexpected_field", f"{extra[0]!r} is no field of this dataset; {expected}"
        if is_undecodable(raw) or any(is_undecodable(row[field]) for field in self.fields):
            return "undecodable", "the row holds bytes or escapes that are no text"
        return None

    def set_aside(self, line: int, problem: tuple[str, str], raw: str) -> None:
        self.bad_rows.add(BadRow(f"{self.source.name}:{line}", *problem, raw=show_bytes(raw)))


def _read_lines(file: IO[bytes], encoding: Encoding, row_check: _RowCheck) -> Iterator[Rows]:
    first_line = 1
    for block in _line_blocks(file):
        num_lines = block.count(b"\n") + (not block.endswith(b"\n"))
        table = _parse_block(block, num_lines, encoding, row_check.schema)
        if table is not None:
            yield Rows(table, ids_of(f"{row_check.source.name}:", range(first_line, first_line + num_lines)))
        else:
            yield _parse_line_by_line(block, first_line, encoding, row_check)
        first_line += num_lines


def _line_blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The file in blocks of whole lines; in UTF-8 and GB18030 alike the byte of a newline is always a newline."""
    rest: list[bytes] = []
    while block := file.read(_BLOCK):
        head, newline, tail = block.rpartition(b"\n")
        if newline:
            yield b"".join([*rest, head, newline])
            rest = [tail] if tail else []
        else:
            rest.append(block)
    if rest:
        yield b"".join(rest)


def _parse_block(block: bytes, num_lines: int, encoding: Encoding, schema: pa.Schema) -> pa.Table | None:
    """The table of a block in which every line is one good object; else None."""
    if encoding != "utf-8-sig":
        try:
            block = block.decode(encoding).encode()
        except UnicodeDecodeError:
            return None
    block = block.removeprefix(codecs.BOM_UTF8)
    # A line that is `null` crashes pyarrow and the process with it, so only lines that begin an object get there.
    if block.count(b"\n{") + block.startswith(b"{") != num_lines:
        return None
    try:
        table = pyarrow.json.read_json(
            io.BytesIO(block),
            read_options=pyarrow.json.ReadOptions(block_size=len(block) + 1),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
        )
    except pa.ArrowInvalid:
        return None
    # It reads an absent field as null, and two objects on one line as two rows.
    is_exact = table.num_rows == num_lines and not any(column.null_count for column in table.columns)
    return table if is_exact else None


def _parse_line_by_line(block: bytes, first_line: int, encoding: Encoding, row_check: _RowCheck) -> Rows:
    records: list[dict[str, str]] = []
    lines: list[int] = []
    for line, data in enumerate(block.split(b"\n"), start=first_line):
        raw = decode_keeping_bytes(data, encoding).strip(_SPACE)
        if not raw:
            continue
        record: dict[str, str] = {}
        try:
            record = json.loads(raw)
            problem = row_check.problem(record, raw)
        except json.JSONDecodeError as error:
            fact = f"invalid JSON at column {error.colno} ({error.msg}); expected one object on each line"
            problem = (
                ("undecodable", "the line holds bytes that are no text")
                if is_undecodable(raw)
                else ("invalid_json", fact)
            )
        except RecursionError:
            problem = ("invalid_json", "invalid JSON (nested too deeply); expected one object on each line")
        if problem is None:
            records.append(record)
            lines.append(line)
        else:
            row_check.set_aside(line, problem, raw)
    return Rows(pa.Table.from_pylist(records, schema=row_check.schema), ids_of(f"{row_check.source.name}:", lines))


def _read_array(file: IO[bytes], encoding: Encoding, row_check: _RowCheck) -> Iterator[Rows]:
    """One element at a time: errors have their line, and memory holds the text but not an object for every row."""
    text = decode_keeping_bytes(file.read(), encoding)
    decoder = json.JSONDecoder()
    name = row_check.source.name
    position = _skip_space(text, text.index("[") + 1)
    closed = text[position : position + 1] == "]"
    line, counted_to, number = 1, 0, 0
    records: list[dict[str, str]] = []
    numbers: list[int] = []
    while not closed:
        line, counted_to, number = line + text.count("\n", counted_to, position), position, number + 1
        try:
            record, end = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise _broken_array(
                f"{name}:{error.lineno}", f"invalid JSON at column {error.colno} ({error.msg})"
            ) from error
        except RecursionError as error:
            raise _broken_array(f"{name}:{line}", "the JSON is nested too deeply") from error
        if (problem := row_check.problem(record, text[position:end])) is None:
            records.append(record)
            numbers.append(number)
        else:
            row_check.set_aside(line, problem, text[position:end])
        if len(records) == _ROWS_PER_TABLE:
            yield Rows(pa.Table.from_pylist(records, schema=row_check.schema), ids_of(f"{name}#", numbers))
            records, numbers = [], []
        after = _AFTER_ELEMENT.match(text, end)
        assert after is not None  # the pattern matches the empty string
        if not after[1]:
            line += text.count("\n", counted_to, end)
            raise _broken_array(f"{name}:{line}", "the JSON array goes on without ',' or ']'")
        closed, position = after[1] == "]", after.end()
    yield Rows(pa.Table.from_pylist(records, schema=row_check.schema), ids_of(f"{name}#", numbers))


def _broken_array(place: str, fact: str) -> SourceError:
    return SourceError(f"{place}: {fact}; the rest of the array cannot be read: mend the file, or get it again")


def _skip_space(text: str, start: int) -> int:
    match = re.compile(r"[ \t\r\n]*").match(text, start)
    assert match is not None
    return match.end()


def _type_name(value: object) -> str:
    """What JSON calls the type of a parsed value."""
    names = {
        type(None): "null",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "text",
        list: "an array",
    }
    return names.get(type(value), "an object")
