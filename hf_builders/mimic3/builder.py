"""MIMIC-III: admissions to intensive care with their codes and prescriptions, and clinical notes; credentialed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from datasets import DownloadManager, Features, SplitGenerator
from datasets.utils.logging import get_logger

from hf_builders.corpus_builder import CorpusBuilder, CorpusConfig, Record, Task
from hf_builders.errors import OptionError, SourceError
from hf_builders.locations import OfficialFile
from hf_builders.mimic3 import admissions, notes
from hf_builders.mimic3.lookups import Lookups
from hf_builders.mimic3.tables import TABLES, is_header_alone, is_other_table, table_of
from hf_builders.mimic3.tasks import admission_to_diagnoses, note_to_codes
from hf_builders.quarantine import Quarantine
from hf_builders.schema import CORPUS_VIEWS
from hf_builders.sources import SourceFile, told
from hf_builders.view_config import ViewConfig

logger = get_logger(__name__)

_TABLE_OF_TASK = {"admission_to_diagnoses": "ADMISSIONS", "note_to_codes": "NOTEEVENTS"}
_TABLES_OF_TEXT = {"admissions": ["ADMISSIONS"], "notes": ["NOTEEVENTS"], "both": ["ADMISSIONS", "NOTEEVENTS"]}
_ACCESS = (
    "get access to MIMIC-III at https://physionet.org/content/mimiciii/1.4/ (a course and a data use agreement) and "
    "download its tables"
)


@dataclass
class MimicConfig(CorpusConfig):
    text_from: Literal["both", "admissions", "notes"] = "both"
    """What the view `text` holds: admissions as text, notes, or what is there of the two."""
    deidentified: Literal["keep", "placeholder"] = "keep"
    """The marks of de-identification in notes (`[**2199-2-3**]`): as they are, or as `[DATE]`."""
    note_categories: list[str] | None = None
    """Only notes of these categories; by default all, and for questions discharge summaries."""


class Builder(CorpusBuilder):
    """A record is an admission with what other tables say of it, or a note. Reads the full set and the open demo."""

    BUILDER_CONFIG_CLASS = MimicConfig
    BUILDER_CONFIGS: ClassVar[list[ViewConfig]] = [MimicConfig(name=view) for view in (*CORPUS_VIEWS, "notes")]
    source_features = admissions.FEATURES
    tasks: ClassVar[Mapping[str, Task]] = {
        "admission_to_diagnoses": admission_to_diagnoses,
        "note_to_codes": note_to_codes,
    }
    official_files = tuple(
        OfficialFile(f"{table}.csv", "train", part=table, also=f"{table.lower()}.csv") for table in TABLES
    )
    how_to_get = f"{_ACCESS}, or take the open demo, https://physionet.org/content/mimiciii-demo/1.4/"
    num_official_rows = 58_976
    num_sample_rows = 150
    num_records_per_table = 1_000
    barred = (
        "the PhysioNet Credentialed Health Data License forbids sharing MIMIC-III; the open demo is under the ODbL, "
        "but its tables cannot be told from those of the full set"
    )

    def check(self, config: ViewConfig) -> None:
        super().check(config)
        assert isinstance(config, MimicConfig)
        for option, values in (("text_from", list(_TABLES_OF_TEXT)), ("deidentified", ["keep", "placeholder"])):
            if getattr(config, option) not in values:
                raise OptionError(f"{option}={getattr(config, option)!r}: takes {' or '.join(map(repr, values))}")
        some = config.note_categories
        if some is not None and not (
            some and isinstance(some, (list, tuple)) and all(isinstance(c, str) for c in some)
        ):
            raise OptionError(f"note_categories={some!r}: takes a list of categories, as ['Discharge summary']")

    def features(self) -> Features:
        return notes.FEATURES if self.config.name == "notes" else super().features()

    def files_of_rows(self, sources: list[SourceFile]) -> list[SourceFile]:
        found = [source for source in sources if not is_other_table(source)]
        _check_no_table_is_there_twice(found)
        there = {table_of(source) for source in found}
        wanted, is_choice = self._tables_of_view()
        absent = [table for table in wanted if table not in there]
        if len(absent) == len(wanted) or (absent and is_choice):
            raise SourceError(
                f"mimic3: {self._what_was_asked()} needs {told(absent)}.csv, and there is only "
                f"{told([source.name for source in sources])}; "
                f"{_ACCESS if absent == ['NOTEEVENTS'] else self.how_to_get}"
            )
        chosen = [source for source in found if table_of(source) in wanted]
        without = [source.name for source in chosen if table_of(source) == "NOTEEVENTS" and is_header_alone(source)]
        if without and (is_choice or len(without) == len(chosen)):
            raise SourceError(
                f"mimic3: {self._what_was_asked()} needs notes, and {told(without)} is a header alone: the open demo "
                f"has no notes; {_ACCESS}"
            )
        # Admissions look into every table that notes look into.
        self._teller = min(chosen, key=lambda source: (table_of(source) != "ADMISSIONS", source.index)).index
        return chosen

    def _tables_of_view(self) -> tuple[Sequence[str], bool]:
        """The tables whose rows are records, and whether the caller chose them: else those do that are there."""
        view, config = self.config.name, self.config
        if view == "text":
            return _TABLES_OF_TEXT[config.text_from], config.text_from != "both"
        if view in ("messages", "instruction"):
            return [_TABLE_OF_TASK[task] for task in config.tasks or self.tasks], config.tasks is not None
        return ["NOTEEVENTS" if view == "notes" else "ADMISSIONS"], True

    def _what_was_asked(self) -> str:
        if self.config.name == "text":
            return f"the view 'text' with text_from={self.config.text_from!r}"
        return f"the view {self.config.name!r}" + (f" with tasks={self.config.tasks!r}" if self.config.tasks else "")

    def _split_generators(self, dl_manager: DownloadManager) -> list[SplitGenerator]:
        generators = super()._split_generators(dl_manager)
        passed_over = [source for source in self.looked_up if is_other_table(source)]
        if passed_over:
            self.looked_up = [source for source in self.looked_up if source not in passed_over]
            logger.warning(
                f"mimic3: passed over {told([source.name for source in passed_over])}; the tables that are read are "
                f"{', '.join(TABLES)}"
            )
        sources = [source for each in generators for source in each.gen_kwargs["sources"]]
        is_sample = all(Path(source.path).is_relative_to(Path(__file__).parent) for source in sources)
        if not dl_manager.is_streaming and not is_sample:
            logger.warning(
                f"mimic3: what is read is written to {self.cache_dir}; unless it is the open demo, the data use "
                "agreement lets nobody but you read it: keep that folder to yourself, or name another with cache_dir="
            )
        return generators

    def records(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Record]:
        # Bad rows of the tables looked up are of the whole load; one of the files of rows has them in its account.
        of_lookups = bad_rows if source.index == self._teller else Quarantine("quarantine", None)
        is_dialogue = self.config.name in ("messages", "instruction")
        if table_of(source) == "ADMISSIONS":
            tables = [name for name in admissions.LOOKED_UP if not (is_dialogue and name == "PRESCRIPTIONS")]
            yield from admissions.read_admissions(source, Lookups(self.looked_up, tables, of_lookups), bad_rows)
            return
        categories = self.config.note_categories or ([notes.DISCHARGE_SUMMARY] if is_dialogue else None)
        reader = notes.NoteReader(
            categories=categories and {notes.same_category(category) for category in categories},
            has_placeholders=self.config.deidentified == "placeholder",
            lookups=Lookups(self.looked_up, notes.LOOKED_UP, of_lookups) if is_dialogue else None,
        )
        yield from reader.read(source, bad_rows)

    def text(self, values: Mapping[str, Any]) -> str:
        return (values["text"] or "") if _is_note(values) else admissions.admission_text(values)

    def tasks_of(self, record: Record, tasks: Sequence[str]) -> Sequence[str]:
        """A task is about admissions or about notes."""
        table = "NOTEEVENTS" if _is_note(record.values) else "ADMISSIONS"
        return [task for task in tasks if _TABLE_OF_TASK[task] == table]


def _is_note(values: Mapping[str, Any]) -> bool:
    return "text" in values


def _check_no_table_is_there_twice(sources: Sequence[SourceFile]) -> None:
    """`admissions.csv` beside `admissions.csv.gz`, say, would give each record twice, a copy of the codes each code."""
    found: dict[tuple[str, str], SourceFile] = {}
    for source in sources:
        if (twin := found.setdefault((source.split, table_of(source)), source)) is not source:
            raise SourceError(f"mimic3: {twin.name} and {source.name} are the same table; leave one of them out")
