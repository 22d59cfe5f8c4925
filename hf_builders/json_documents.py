"""A file that is one JSON document in, its value out; files of many rows are streamed by `json_files` instead."""

from __future__ import annotations

from typing import Any

from hf_builders.encodings import decode_keeping_bytes, source_encoding
from hf_builders.errors import SourceError
from hf_builders.json_values import JsonRow, fault, if_text, parse_exactly
from hf_builders.quarantine import Quarantine
from hf_builders.sources import SourceFile

MAX_BYTES = 64 << 20
"""Of a document, which is held in memory as a whole; the longest papers and studies have a tenth of it."""


def read_document(source: SourceFile) -> Any:
    """The value of a file.

    Raises:
        SourceError: it is no JSON, holds text that is none, or is longer than `MAX_BYTES`.
    """
    with source.open() as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise SourceError(
            f"{source.name}: is one JSON document of more than {MAX_BYTES >> 20} MiB, and no paper or study is so "
            "long; is it a file of another kind?"
        )
    text = decode_keeping_bytes(data, source_encoding(source)).removeprefix("\ufeff")
    try:
        value = parse_exactly(text)
    except (ValueError, RecursionError) as error:
        line = text.count("\n", 0, getattr(error, "pos", 0)) + 1
        raise SourceError(f"{source.name}:{line}: {fault(error)}; get the file again") from error
    bad_bytes = Quarantine("quarantine", None)
    if not list(if_text(JsonRow(source.name, f"{source.name}:1", value, text), bad_bytes)):
        raise SourceError(f"{source.name}: holds bytes or escapes that are no text; get the file again")
    return value
