"""JSON Lines or a JSON array in, text columns out; the content tells which of the two, not the file's ending.

JSON Lines take the fast way, pyarrow's own parser on large blocks. Only a block it stumbles over (or would take more
leniently than the schema does) is looked at line by line, to say which row it was and why.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.json

from hf_builders.encodings import Encoding, decode_keeping_bytes, is_undecodable, show_bytes, source_encoding
from hf_builders.errors import SourceError
from hf_builders.quarantine import BadRow, Quarantine
from hf_builders.sources import Rows, SourceFile, ids_of

_BLOCK = 8 << 20
_PIECE = 1 << 20  # of a block, parsed by one thread; a longer line goes the slow way
_ROWS_PER_TABLE = 10_000
_SPACE = " \t\r\n"
_BOM = "\ufeff"  # Python's utf-8-sig drops it, its gb18030 keeps it as a character
_AFTER_ELEMENT = re.compile(r"[ \t\r\n]*([,\]]?)[ \t\r\n]*")


def read_json(source: SourceFile, fields: Sequence[str], bad_rows: Quarantine) -> Iterator[Rows]:
    """The rows of a file of objects, each with exactly these text fields.

    Raises:
        SourceError: an empty file, or a JSON array that breaks off (nothing behind the break can be told apart) or has
            something behind its end.
        RowError: a bad row, where `bad_rows` does not set it aside.
    """
    encoding = source_encoding(source)
    row_check = _RowCheck(source, tuple(fields), bad_rows)
    with source.open() as file:
        is_array = decode_keeping_bytes(file.read(_PIECE), encoding).lstrip(_BOM + _SPACE).startswith("[")
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
        table = _parse_block(block, encoding, row_check.schema)
        if table is not None:
            lines = range(first_line, first_line + len(table))
            yield Rows(table, ids_of(f"{row_check.source.name}:", lines))
        else:
            yield _parse_line_by_line(block, first_line, encoding, row_check)
        first_line += len(table) if table is not None else block.count(b"\n")


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


def _parse_block(block: bytes, encoding: Encoding, schema: pa.Schema) -> pa.Table | None:
    """The table of a block in which every line is one good object; else None."""
    if encoding != "utf-8-sig":
        try:
            block = block.decode(encoding).encode()
        except UnicodeDecodeError:
            return None
    if not (block := block.removeprefix(codecs.BOM_UTF8)):
        return None
    chars = np.frombuffer(block, np.uint8)
    starts = np.append(0, np.flatnonzero(chars[:-1] == ord("\n")) + 1)
    # A line that is `null` crashes pyarrow and the process with it, so only lines that begin an object get there.
    if (chars[starts] != ord("{")).any():
        return None
    try:
        table = pyarrow.json.read_json(
            pa.BufferReader(block),
            read_options=pyarrow.json.ReadOptions(block_size=_PIECE),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
        )
        table.validate(full=True)  # the parser lets bytes through that are no UTF-8
    except pa.ArrowInvalid:
        return None
    # It reads an absent field as null, and two objects on one line as two rows.
    is_exact = len(table) == len(starts) and not any(column.null_count for column in table.columns)
    return table if is_exact else None


def _parse_line_by_line(block: bytes, first_line: int, encoding: Encoding, row_check: _RowCheck) -> Rows:
    records: list[dict[str, str]] = []
    lines: list[int] = []
    for line, data in enumerate(block.split(b"\n"), start=first_line):
        raw = decode_keeping_bytes(data, encoding).removeprefix(_BOM).strip(_SPACE)
        if not raw:
            continue
        record: dict[str, str] = {}
        try:
            record = json.loads(raw)
            problem = row_check.problem(record, raw)
        except (ValueError, RecursionError) as error:
            problem = (
                ("undecodable", "the line holds bytes that are no text")
                if is_undecodable(raw)
                else ("invalid_json", f"{_fault(error)}; expected one object on each line")
            )
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
    if closed := text[position : position + 1] == "]":
        position = _skip_space(text, position + 1)
    line, counted_to, number = 1, 0, 0
    records: list[dict[str, str]] = []
    numbers: list[int] = []
    while not closed:
        line, counted_to, number = line + text.count("\n", counted_to, position), position, number + 1
        try:
            record, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise _broken_array(f"{name}:{getattr(error, 'lineno', line)}", _fault(error)) from error
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
    if position < len(text):
        line += text.count("\n", counted_to, position)
        raise _broken_array(f"{name}:{line}", "something stands behind the end of the JSON array")
    yield Rows(pa.Table.from_pylist(records, schema=row_check.schema), ids_of(f"{name}#", numbers))


def _fault(error: ValueError | RecursionError) -> str:
    """What Python's parser found wrong; besides its own error it raises one for a number of 4,300 digits."""
    if isinstance(error, json.JSONDecodeError):
        return f"invalid JSON at column {error.colno} ({error.msg})"
    return f"invalid JSON ({'nested too deeply' if isinstance(error, RecursionError) else error})"


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
