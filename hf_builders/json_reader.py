"""JSON Lines or a JSON array of flat objects in, text columns out.

JSON Lines take the fast way, pyarrow's own parser on large blocks. Only a block it stumbles over (or would take more
leniently than the schema does) is looked at value by value, to say which row it was and why.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.json

from hf_builders.encodings import Encoding, source_encoding
from hf_builders.json_files import is_array, line_blocks, values_of_array, values_of_lines
from hf_builders.json_values import JsonRow, type_name
from hf_builders.quarantine import Quarantine
from hf_builders.sources import Rows, SourceFile, ids_of

_BLOCK = 8 << 20
_PIECE = 1 << 20  # of a block, parsed by one thread; a longer line goes the slow way
_ROWS_PER_TABLE = 10_000


def read_json(source: SourceFile, fields: Sequence[str], bad_rows: Quarantine) -> Iterator[Rows]:
    """The rows of a file of objects, each with exactly these text fields.

    Raises:
        SourceError: an empty file, a value of more than 64 MiB, or a JSON array that breaks off (nothing behind the
            break can be told apart) or has something behind its end.
        RowError: a bad row, where `bad_rows` does not set it aside.
    """
    encoding = source_encoding(source)
    row_check = _RowCheck(tuple(fields), bad_rows)
    if is_array(source, encoding):
        values = values_of_array(source, encoding, bad_rows)
        while some := list(islice(values, _ROWS_PER_TABLE)):
            yield row_check.good_rows(some)
    else:
        yield from _read_lines(source, encoding, row_check)


@dataclass(frozen=True)
class _RowCheck:
    """What a row must look like, and where it goes if it does not."""

    fields: tuple[str, ...]
    bad_rows: Quarantine

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([(field, pa.string()) for field in self.fields])

    def problem(self, value: object) -> tuple[str, str] | None:
        """Reason and fact of what is wrong with a parsed row."""
        expected = f"expected the fields {', '.join(self.fields)}"
        if not isinstance(value, dict):
            return "not_an_object", f"the row is {type_name(value)}, not an object; {expected}"
        for field in self.fields:
            if field not in value:
                return "missing_field", f"{field!r} is missing; {expected}"
            if value[field] is None:
                return "null_value", f"{field!r} is null; expected text"
            if not isinstance(value[field], str):
                return (
                    "wrong_type",
                    f"{field!r} is {type_name(value[field])} ({value[field]!r:.60}); expected text",
                )
        if extra := [field for field in value if field not in self.fields]:
            return "unexpected_field", f"{extra[0]!r} is no field of this dataset; {expected}"
        return None

    def good_rows(self, rows: Iterable[JsonRow]) -> Rows:
        records: list[dict[str, str]] = []
        ids: list[str] = []
        for row in rows:
            if (problem := self.problem(row.value)) is None:
                records.append(row.value)
                ids.append(row.id)
            else:
                self.bad_rows.add(row.bad(*problem))
        return Rows(pa.Table.from_pylist(records, schema=self.schema), pa.array(ids, pa.string()))


def _read_lines(source: SourceFile, encoding: Encoding, row_check: _RowCheck) -> Iterator[Rows]:
    for first_line, block in line_blocks(source, _BLOCK):
        table = _parse_block(block, encoding, row_check.schema)
        if table is not None:
            lines = range(first_line, first_line + len(table))
            yield Rows(table, ids_of(f"{source.name}:", lines))
        else:
            values = values_of_lines(block, first_line, source.name, encoding, row_check.bad_rows)
            yield row_check.good_rows(values)


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
