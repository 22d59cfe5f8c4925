"""A user's file of any kind in (JSON, JSON Lines, CSV, Parquet), its rows as JSON has them out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from hf_builders.csv_reader import read_csv, read_header
from hf_builders.encodings import decode_keeping_bytes, source_encoding
from hf_builders.errors import SourceError
from hf_builders.json_files import read_json_values
from hf_builders.json_values import JsonRow
from hf_builders.quarantine import BadRow, Quarantine
from hf_builders.sources import SourceFile

_PARQUET_MAGIC = b"PAR1"
_ROWS_PER_BATCH = 10_000


def read_values(source: SourceFile, bad_rows: Quarantine) -> Iterator[JsonRow]:
    """The rows of a file: objects, or what else stands in a JSON file. Cells of a CSV file are text, all of them.

    Raises:
        SourceError: the file is empty, damaged or of no kind that is read.
        RowError: a row that cannot be read, where `bad_rows` does not set it aside.
    """
    kind = file_kind(source)
    if kind == "json":
        yield from read_json_values(source, bad_rows)
    elif kind == "csv":
        yield from _csv_values(source, bad_rows)
    else:
        yield from _parquet_values(source, bad_rows)


def file_kind(source: SourceFile) -> Literal["json", "csv", "parquet"]:
    """What a file is: Parquet and JSON by its content, CSV by its ending.

    Raises:
        SourceError: it is none of the three.
    """
    if is_parquet(source):
        return "parquet"
    if PurePosixPath(source.name).suffix.lower() == ".csv":
        return "csv"
    with source.open() as file:
        start = file.read(1 << 10)
    if decode_keeping_bytes(start, source_encoding(source)).lstrip("\ufeff \t\r\n").startswith(("[", "{")):
        return "json"
    raise SourceError(
        f"{source.name}: begins with neither '[' nor '{{' as JSON does, and is no Parquet; "
        "a file of comma-separated values has to end in .csv"
    )


def is_parquet(source: SourceFile) -> bool:
    with source.open() as file:
        return file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC


def _csv_values(source: SourceFile, bad_rows: Quarantine) -> Iterator[JsonRow]:
    encoding = source_encoding(source)
    header = read_header(source, encoding)
    _check_names(header, f"{source.name}:1")
    # pandas writes its row numbers under an empty name.
    aliases = {name: name or f"column_{n}" for n, name in enumerate(header, start=1)}
    for rows in read_csv(source, list(aliases.values()), bad_rows, aliases, encoding):
        for row_id, value in zip(rows.ids.to_pylist(), rows.table.to_pylist(), strict=True):
            yield JsonRow(row_id, row_id, value, json.dumps(value, ensure_ascii=False))


def _parquet_values(source: SourceFile, bad_rows: Quarantine) -> Iterator[JsonRow]:
    number = 0
    for table in _parquet_tables(source):
        for value in table.to_pylist():
            number += 1
            row_id = f"{source.name}#{number}"
            if (raw := _json_text(value)) is None:
                fact = "the row holds NaN or infinity, which is no number in JSON; write null, or leave it out"
                bad_rows.add(BadRow(row_id, "no_json_number", fact, repr(value)))
            else:
                yield JsonRow(row_id, row_id, json.loads(raw), raw)


def _parquet_tables(source: SourceFile) -> Iterator[pa.Table]:
    """The file in pieces, with null for NaN, pandas' mark of a missing value.

    Raises:
        SourceError: it is damaged, has two columns of one name, or one of bytes, which no JSON text has.
    """
    with source.open() as file:
        # What is in an archive can be read from its start only, and Parquet is read from its end.
        is_plain = source.member is None and not source.path.endswith(".gz")
        try:
            parquet = pyarrow.parquet.ParquetFile(source.path if is_plain else pa.BufferReader(file.read()))
            _check_names(parquet.schema_arrow.names, source.name)
            for field in parquet.schema_arrow:
                if "binary" in str(field.type):
                    fact = f"the column {field.name!r} holds bytes ({field.type})"
                    raise SourceError(f"{source.name}: {fact}; leave that column out")
            for batch in parquet.iter_batches(_ROWS_PER_BATCH):
                yield pa.table([_without_nan(column) for column in batch.columns], names=batch.schema.names)
        except pa.ArrowInvalid as error:
            raise SourceError(f"{source.name}: cannot be read as Parquet ({error}); get the file again") from error


def _without_nan(column: pa.Array) -> pa.Array:
    if not pa.types.is_floating(column.type):
        return column
    numbers = column.cast(pa.float64())  # half precision has no kernels of its own; no value changes
    return pc.if_else(pc.is_nan(numbers), None, numbers)


def _check_names(names: Sequence[str], place: str) -> None:
    """Raises `SourceError` where two columns have one name."""
    for name, count in Counter(names).items():
        if count > 1:
            raise SourceError(f"{place}: two columns are called {name!r}; rename one of them")


def _json_text(value: dict[str, Any]) -> str | None:
    """A row as JSON, with dates and decimal numbers as text; None where it holds a number that JSON has not."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
    except ValueError:
        return None
