"""The rows of a `metadata.csv` of any release, under the column names of the last ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from datasets import Features, List, Value
from datasets.utils.logging import get_logger

from hf_builders.csv_reader import read_csv, read_header
from hf_builders.encodings import source_encoding
from hf_builders.errors import SourceError
from hf_builders.quarantine import Quarantine
from hf_builders.schema import text_features
from hf_builders.sources import SourceFile

logger = get_logger(__name__)

FEATURES = Features(
    {
        "cord_uid": Value("string"),
        "sha": List(Value("string")),
        "source_x": List(Value("string")),
        **text_features("title", "doi", "pmcid", "pubmed_id", "license", "abstract", "publish_time"),
        "authors": List(Value("string")),
        **text_features("journal", "mag_id", "who_covidence_id", "arxiv_id"),
        "pdf_json_files": List(Value("string")),
        "pmc_json_files": List(Value("string")),
        "url": List(Value("string")),
        "s2_id": Value("string"),
    }
)
"""What the view `source` shows of a row."""

_OLD_NAMES = {"Microsoft Academic Paper ID": "mag_id", "WHO #Covidence": "who_covidence_id"}
_IN_EVERY_RELEASE = (
    "sha", "source_x", "title", "doi", "pmcid", "pubmed_id", "license", "abstract", "publish_time", "authors",
    "journal",
)  # fmt: skip
# Of releases without the columns of paths: whether there are parses, and in which archive.
_OF_OLD_RELEASES = ("has_full_text", "has_pdf_parse", "has_pmc_xml_parse", "full_text_file")
# A name or an address may hold a semicolon itself (`&amp;`); a hash or a path does not.
_SEPARATORS = dict.fromkeys(("sha", "pdf_json_files", "pmc_json_files"), ";")


class Row(NamedTuple):
    """A paper as `metadata.csv` has it."""

    place: str
    """`metadata.csv#n`."""
    cells: Mapping[str, str]
    """Of all columns that some release has, under the names of the last; those that this one lacks are not there."""

    @property
    def id(self) -> str:
        """The `cord_uid`; in the first release, which has none, another id with its name; blank where there is none."""
        if "cord_uid" in self.cells:
            return self.cells["cord_uid"].strip()
        for name in ("doi", "pmcid", "pubmed_id", "sha"):
            if value := next(iter(self.list_of(name)), ""):
                return f"{name}:{value}"
        return self.place

    def list_of(self, name: str) -> list[str]:
        """The parts of a cell that holds several."""
        parts = self.cells.get(name, "").split(_SEPARATORS.get(name, "; "))
        return [part.strip() for part in parts if part.strip()]

    def text_of(self, name: str) -> str | None:
        """A cell as it is, None where it is blank."""
        cell = self.cells.get(name, "")
        return cell if cell.strip() else None

    def values(self) -> dict[str, Any]:
        """The columns of the view `source`."""
        return {
            name: self.list_of(name) if isinstance(feature, List) else self.text_of(name)
            for name, feature in FEATURES.items()
        }


def read_rows(source: SourceFile, bad_rows: Quarantine) -> Iterator[Row]:
    """The rows of a file, whose columns are read by name.

    Raises:
        SourceError: it lacks a column that every release has, or has one twice.
    """
    encoding = source_encoding(source)
    fields = [_OLD_NAMES.get(name, name) for name in read_header(source, encoding)]
    known = [name for name in fields if name in FEATURES or name in _OF_OLD_RELEASES]
    _check(source, fields)
    for rows in read_csv(source, fields, bad_rows, _OLD_NAMES, encoding):
        for place, cells in zip(rows.ids.to_pylist(), rows.table.select(known).to_pylist(), strict=True):
            yield Row(place, cells)


def tell_unknown_columns(source: SourceFile) -> None:
    """Warn of columns that no release we know of has, and that nothing is made of."""
    known = {*FEATURES, *_OF_OLD_RELEASES, *_OLD_NAMES}
    if unknown := [name for name in read_header(source) if name not in known]:
        logger.warning(f"{source.name}: the columns {', '.join(unknown)} are of no release we know, and are not read")


def _check(source: SourceFile, fields: Sequence[str]) -> None:
    if missing := [name for name in _IN_EVERY_RELEASE if name not in fields]:
        raise SourceError(
            f"{source.name}:1: the header is {','.join(fields)!r:.200}; metadata.csv of CORD-19 has "
            f"{', '.join(missing)} too; is this a file of another dataset?"
        )
    if twice := next((name for i, name in enumerate(fields) if name in fields[:i]), None):
        raise SourceError(f"{source.name}:1: the header has the column {twice} twice; get the file again")
