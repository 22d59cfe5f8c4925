"""CORD-19: scientific papers on coronaviruses, each with its metadata and, for part of them, its text by section."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import datasets
from datasets import DownloadManager, Features, SplitGenerator
from datasets.utils.logging import get_logger

from hf_builders.cord19 import metadata, parse
from hf_builders.cord19.duplicates import mark_duplicates
from hf_builders.cord19.metadata import Row, read_rows, tell_unknown_columns
from hf_builders.cord19.papers import abstract_to_title, paper_of, prose_of, rank_of
from hf_builders.cord19.parse_files import find_parses, is_packed_release, is_parse_file
from hf_builders.corpus_builder import CorpusBuilder, Record
from hf_builders.errors import SourceError
from hf_builders.locations import OfficialFile
from hf_builders.quarantine import BadRow, Quarantine, RowProblem
from hf_builders.sources import SourceFile, told, told_as_source_error

logger = get_logger(__name__)

_PARSES = "parses"
# Early releases have one for each kind of licence, of which one has had two names.
_OLD_ARCHIVES = (
    "biorxiv_medrxiv", "comm_use_subset", "noncomm_use_subset", "custom_license", "pmc_custom_license", "arxiv",
)  # fmt: skip


class Builder(CorpusBuilder):
    """A record is a row of `metadata.csv`; the parses are looked up."""

    source_features = Features({**metadata.FEATURES, **parse.FEATURES})
    tasks: ClassVar = {"abstract_to_title": abstract_to_title}
    official_files = (
        OfficialFile("metadata.csv", "train", also="all_sources_metadata*.csv"),  # its name in the first release
        *(
            OfficialFile(f"{name}.tar", "train", part=_PARSES, is_optional=True)
            for name in ("document_parses", *_OLD_ARCHIVES)
        ),
        OfficialFile("*.json", "train", part=_PARSES, also="*.json", is_optional=True),
        # Never read: found so that the error can say to unpack it.
        OfficialFile("cord-19_*.tar", "train", part=_PARSES, also="cord-19_*.tar", is_optional=True),
    )
    how_to_get = (
        "download a release, cord-19_YYYY-MM-DD.tar.gz, from "
        "https://ai2-semanticscholar-cord-19.s3-us-west-2.amazonaws.com/historical_releases.html, unpack it (the "
        "archive document_parses.tar.gz in it may stay packed)"
    )
    num_sample_rows = 168
    num_records_per_table = 50

    def files_of_rows(self, sources: list[SourceFile]) -> list[SourceFile]:
        return [source for source in sources if not is_parse_file(source)]

    def _split_generators(self, dl_manager: DownloadManager) -> list[SplitGenerator]:
        assert self.sources is not None, "there is no official download"
        self._check_tables(self.sources)
        download = dl_manager.download_config
        root = Path(download.cache_dir or datasets.config.DOWNLOADED_DATASETS_PATH)
        for packed in filter(is_packed_release, self.sources):
            logger.info(f"{packed.name}: is not opened, there is a metadata.csv beside it")
        parse_files = [file for file in self.sources if is_parse_file(file) and not is_packed_release(file)]
        cache = root / datasets.config.EXTRACTED_DATASETS_DIR
        self._parses = find_parses(parse_files, cache, unpack_again=download.force_extract)
        if not len(self._parses):
            logger.warning("cord19: there are no parses, so no paper has a body; document_parses.tar.gz holds them")
        generators: list[SplitGenerator] = super()._split_generators(dl_manager)
        return generators

    def _check_tables(self, sources: list[SourceFile]) -> None:
        rows_of = self.files_of_rows(sources)
        if not rows_of:
            for packed in filter(is_packed_release, sources):
                raise SourceError(
                    f"{packed.path}: is a whole release as it was downloaded, and is not opened; unpack it "
                    "(tar -xf), and point data_dir at the folder with its metadata.csv"
                )
            names = told([source.name for source in sources])
            raise SourceError(f"cord19: {names} holds parses only; expected metadata.csv beside them")
        if len({source.split for source in rows_of}) < len(rows_of):
            names = told([source.name for source in rows_of])
            raise SourceError(f"cord19: {names}: a release has one metadata.csv; name one for each split")
        for source in rows_of:
            with told_as_source_error(source):
                tell_unknown_columns(source)

    def records(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Record]:
        # Two passes: only then is it known which row of a paper has the most of it. Bad rows are told in the second.
        first_pass = read_rows(source, Quarantine("quarantine", None))
        is_duplicate = mark_duplicates((row.id or row.place, rank_of(row, self._parses)) for row in first_pass)
        for row, is_out in zip(read_rows(source, bad_rows), is_duplicate, strict=True):
            try:
                yield self._duplicate(row) if is_out else self._paper(row)
            except RowProblem as problem:
                place = f"{row.place} ({row.id})" if row.id else row.place
                raw = json.dumps({name: cell for name, cell in row.cells.items() if cell}, ensure_ascii=False)
                bad_rows.add(BadRow(place, problem.reason, problem.fact, raw))

    def _duplicate(self, row: Row) -> Record:
        return Record(row.id, {}, "duplicate_cord_uid" if "cord_uid" in row.cells else "duplicate_id")

    def _paper(self, row: Row) -> Record:
        if not row.id:
            raise RowProblem("no_cord_uid", "the cord_uid is blank; every paper has one")
        values, notes = paper_of(row, self._parses)
        return Record(row.id, values, notes=notes)

    def text(self, values: Mapping[str, Any]) -> str:
        return prose_of(values)
