"""What names the folder of a cached table: the bytes of the raw files and the code that reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from hf_builders.errors import SourceError
from hf_builders.locations import Download
from hf_builders.sources import SourceFile

# What `RecordBuilder._generate_tables` runs: a cached table made by other code than this is not used.
_SHARED_MODULES = (
    "builder", "content_hash", "corpus_builder", "csv_reader", "dialogue_builder", "encodings", "errors",
    "json_columns", "json_documents", "json_files", "json_reader", "json_values", "locations", "origin", "own_files",
    "quarantine", "reading", "reading_builder", "reading_layouts", "schema", "sources", "splits", "value_files",
    "view_config", "views", "xml_files",
)  # fmt: skip


def content_hash(folder: Path, sources: Sequence[SourceFile] | None, download: Download | None) -> str:
    """Other bytes or other code, another name. Options are named beside it, by `datasets`.

    Args:
        folder: of the dataset, with its own code.
        sources: the raw files; None where they have yet to be downloaded.
    """
    digest = hashlib.sha256()
    shared = [Path(__file__).with_name(f"{module}.py") for module in _SHARED_MODULES]
    for path in [*shared, *sorted(folder.glob("*.py"))]:
        digest.update(path.read_bytes())
    if sources is None:
        digest.update(repr(download).encode())
    for source in sources or []:
        try:
            bytes_hash = source.sha256
        except OSError as error:
            raise SourceError(f"{source.path}: cannot be read ({error.strerror})") from error
        digest.update(f"{source.name}|{source.split}|{source.part}|{source.member}|{bytes_hash}|".encode())
    return digest.hexdigest()[:32]
