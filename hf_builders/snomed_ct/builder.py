"""SNOMED CT (RF2): concepts of a clinical terminology, with names in one language, definitions and parents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from datasets import DownloadManager, Features, List, SplitGenerator, Value

from hf_builders.corpus_builder import CorpusBuilder, CorpusConfig, Record
from hf_builders.errors import OptionError
from hf_builders.quarantine import BadRow, Quarantine
from hf_builders.schema import CORPUS_VIEWS, text_features
from hf_builders.snomed_ct.languages import check_language
from hf_builders.snomed_ct.records import ROW, Terminology
from hf_builders.snomed_ct.release import OFFICIAL_FILES, choose_release
from hf_builders.snomed_ct.rf2_table import CONCEPT, read_table
from hf_builders.snomed_ct.tasks import term_to_definition, term_to_parents, term_to_synonyms, text_of
from hf_builders.sources import SourceFile
from hf_builders.view_config import ViewConfig

_TEXT = Value("string")


@dataclass
class SnomedConfig(CorpusConfig):
    language: str | None = None
    """A code (`en-US`, `en-GB`, `es`) or the id of a language refset; by default US English, or else the first."""
    release: Literal["snapshot", "full"] | None = None
    """The files that are read; by default the Snapshot, or else Full."""
    as_of: str | None = None
    """A date, as 20250131: the Full files as they stood then."""


class Builder(CorpusBuilder):
    """One row is one active concept. The other files of the release are looked up, and make no rows."""

    BUILDER_CONFIG_CLASS = SnomedConfig
    BUILDER_CONFIGS: ClassVar[list[ViewConfig]] = [SnomedConfig(name=view) for view in CORPUS_VIEWS]

    source_features = Features(
        {
            **text_features("concept_id", "effective_time", "module_id", "definition_status", "language"),
            **text_features("fsn", "semantic_tag", "preferred_term"),
            "synonyms": List(_TEXT),
            "definitions": List(_TEXT),
            "parents": List({"id": _TEXT, "term": _TEXT}),
            "attributes": List(
                {
                    "type": _TEXT,
                    "type_term": _TEXT,
                    "destination": _TEXT,
                    "destination_term": _TEXT,
                    "value": _TEXT,
                    "group": Value("int32"),
                }
            ),
        }
    )
    tasks: ClassVar = {
        "term_to_definition": term_to_definition,
        "term_to_synonyms": term_to_synonyms,
        "term_to_parents": term_to_parents,
    }
    official_files = OFFICIAL_FILES
    how_to_get = (
        "get a licence and a release (RF2) from SNOMED International's MLDS (https://mlds.ihtsdotools.org), the US "
        "National Library of Medicine or your country's release centre"
    )
    num_sample_rows = 158
    barred = (
        "the SNOMED CT Affiliate Licence does not let its content be published: whoever gets it needs a licence of "
        "their own (https://www.snomed.org/snomed-ct/get-snomed)"
    )

    _terminology: Terminology | None = None
    """Read at the first row, by each process for itself."""
    _bad_lookups: tuple[BadRow, ...] = ()

    def check(self, config: ViewConfig) -> None:
        super().check(config)
        assert isinstance(config, SnomedConfig)
        check_language(config.language)
        if config.release not in (None, "snapshot", "full"):
            raise OptionError(f"release={config.release!r}: takes 'snapshot' or 'full'")
        if config.as_of is None:
            return
        if config.release == "snapshot":
            raise OptionError("as_of: a Snapshot holds no older versions; leave out release='snapshot'")
        if not _is_date(config.as_of):
            raise OptionError(f"as_of={config.as_of!r}: takes a date as '20250131'")

    def _split_generators(self, dl_manager: DownloadManager) -> list[SplitGenerator]:
        assert self.sources is not None, "there is no download"
        self._release = choose_release(self.sources, "full" if self.config.as_of else self.config.release)
        self.sources = self._release.files
        generators: list[SplitGenerator] = super()._split_generators(dl_manager)
        return generators

    def files_of_rows(self, sources: list[SourceFile]) -> list[SourceFile]:
        return list(self._release.concepts)

    def records(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Record]:
        terminology = self._read_terminology(bad_rows)
        number = self._release.concepts.index(source)
        if number == 0:  # said once, whichever process read them
            for bad_row in self._bad_lookups:
                bad_rows.add(bad_row)
        for rows in read_table(source, CONCEPT, ROW, bad_rows.add):
            yield from terminology.records(rows, number)

    def _read_terminology(self, bad_rows: Quarantine) -> Terminology:
        if self._terminology is None:
            found: list[BadRow] = []
            report = bad_rows.add if bad_rows.policy == "raise" else found.append
            as_of = int(self.config.as_of) if self.config.as_of else None
            self._terminology = Terminology.read(self._release, self.config.language, as_of, report)
            self._bad_lookups = tuple(found)
        return self._terminology

    def __getstate__(self) -> dict[str, Any]:
        """Without what is looked up: it is large, and another process reads it faster than it is sent it."""
        return {**super().__getstate__(), "_terminology": None, "_bad_lookups": ()}

    def text(self, values: Mapping[str, Any]) -> str:
        return text_of(values)


def _is_date(text: object) -> bool:
    try:
        return isinstance(text, str) and datetime.strptime(text, "%Y%m%d").strftime("%Y%m%d") == text
    except ValueError:
        return False
