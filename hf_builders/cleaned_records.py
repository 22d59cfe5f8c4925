"""Records in, the same records cleaned out, in Arrow files beside their cache; the `clean` section of a run config.

Which texts: those a model reads or writes, in messages those of the roles the section names. Ids, roles, names and what
tools were called with stay as they are. Rows of a table become texts by the section's template first.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets.utils.logging import get_logger

from hf_builders.cleaned_texts import RecordTexts
from hf_builders.cleaning import Cleaner, StepCounts, sum_counts
from hf_builders.errors import OptionError
from hf_builders.run_config import CleanSection
from hf_builders.schema import FEATURES
from hf_builders.sources import ids_of
from hf_builders.table_text import RowTemplate
from hf_builders.views import is_blank

logger = get_logger(__name__)

CLEANED_TO_NOTHING = "cleaned_to_nothing"
_CODE = ("cleaned_records", "cleaned_texts", "cleaning", "cleaning_*", "table_cells", "table_text")


@dataclass(frozen=True)
class CleanedSplit:
    counts: list[StepCounts]
    """One for each step, in order."""
    dropped: dict[str, int]
    """Records by the name of the step that dropped them, or `cleaned_to_nothing`, `template`, `no_text`."""
    notes: Path
    """Which these are: a JSON Lines file of ids and reasons."""


def clean_records(
    records: datasets.DatasetDict, section: CleanSection, folder: Path
) -> tuple[datasets.DatasetDict, dict[str, CleanedSplit]]:
    """Clean every split, or take it from where the same steps have put it before.

    Args:
        folder: where the records' own Arrow files lie; options and code name the files in it.

    Raises:
        OptionError: a step needs a library that is not installed, or no record of a split is left.
    """
    cleaner = Cleaner(section.parsed([]))
    for step in cleaner.steps:
        if not step.is_for_generation:
            logger.warning(f"clean.{step.name} leaves text that nobody writes, so it does not suit models that write")
    key = _key(section, cleaner)
    splits, cleaned = datasets.DatasetDict(), {}
    for name, split in records.items():
        place = folder / f"cleaned-{key}-{name}"
        if not _file(place, ".json").exists():
            _write(name, split, cleaner, section, place)
        counts = json.loads(_file(place, ".json").read_text(encoding="utf-8"))
        table = datasets.table.MemoryMappedTable.from_file(str(_file(place, ".arrow")))
        info = split.info.copy()
        info.features = datasets.Features.from_arrow_schema(table.schema)
        splits[name] = datasets.Dataset(table, info=info, fingerprint=f"{key}{name}")
        if not len(table):
            reasons = ", ".join(f"{reason} {number:,}" for reason, number in counts["dropped"].items())
            raise OptionError(
                f"{name}: clean drops all of {len(split):,} records ({reasons}); take the filters less tight"
            )
        cleaned[name] = CleanedSplit(
            [StepCounts(**each) for each in counts["steps"]], counts["dropped"], _file(place, ".jsonl")
        )
    return splits, cleaned


def _key(section: CleanSection, cleaner: Cleaner) -> str:
    """Names the files: other options, code or libraries, other files."""
    libraries = sorted({library for step in cleaner.steps for library in step.libraries()})
    facts = [dataclasses.asdict(section), [(name, importlib.metadata.version(name)) for name in libraries]]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for path in sorted({path for name in _CODE for path in Path(__file__).parent.glob(f"{name}.py")}):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def _file(place: Path, ending: str) -> Path:
    """A split may have a dot in its name, so that what is behind it is no ending."""
    return place.with_name(f"{place.name}{ending}")


def _write(name: str, split: datasets.Dataset, cleaner: Cleaner, section: CleanSection, place: Path) -> None:
    """The files of one split; the one with the counts comes last, and says that the others are whole."""
    drafts = {ending: _file(place, f".{os.getpid()}.draft{ending}") for ending in (".arrow", ".jsonl", ".json")}
    template = None if section.template is None else RowTemplate(section.template, section.columns)
    schema = (split.features if template is None else FEATURES["text"]).arrow_schema
    counts = [cleaner.zero_counts()]
    try:
        with (
            pa.OSFile(str(drafts[".arrow"]), "wb") as file,
            pa.ipc.new_stream(file, schema) as stream,
            drafts[".jsonl"].open("w", encoding="utf-8") as notes,
            datasets.utils.tqdm(total=len(split), desc="clean", unit=" rows") as bar,
        ):
            dropped = _Dropped(notes)
            for table in _tables(split):
                texts = table if template is None else _as_texts(table, template, f"{name}#", bar.n, dropped)
                cleaned, reasons, step_counts = _clean_table(texts, cleaner, section.roles)
                counts.append(step_counts)
                is_kept = pc.is_null(reasons)
                out = texts.filter(pc.invert(is_kept))
                for record_id, reason in zip(out["id"].to_pylist(), reasons.drop_null().to_pylist(), strict=True):
                    dropped.add(record_id, reason)
                stream.write_table(cleaned.filter(is_kept).cast(schema))
                bar.update(len(table))
        summary = {"steps": [dataclasses.asdict(each) for each in sum_counts(counts)], "dropped": dict(dropped.counts)}
        drafts[".json"].write_text(json.dumps(summary, ensure_ascii=False), encoding="utf-8")
        for ending, draft in drafts.items():
            draft.replace(_file(place, ending))
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)


class _Dropped:
    """Counts the records that are dropped, and writes down which and why."""

    def __init__(self, file: TextIO) -> None:
        self.counts: Counter[str] = Counter()
        self._file = file

    def add(self, record_id: str, reason: str, **fact: str) -> None:
        self.counts[reason] += 1
        note = {"id": record_id, "reason": f"clean.{reason}", **fact}
        self._file.write(json.dumps(note, ensure_ascii=False) + "\n")


def _tables(split: datasets.Dataset) -> Iterator[pa.Table]:
    for batch in split.data.to_batches():
        yield pa.Table.from_batches([batch])


def _as_texts(table: pa.Table, template: RowTemplate, prefix: str, num_before: int, dropped: _Dropped) -> pa.Table:
    """The rows of a table in the view `text`; their ids are the split and their number in it, from 1."""
    texts, errors = template.render(table)
    ids = ids_of(prefix, range(num_before + 1, num_before + len(table) + 1))
    facts = {error.row: f"{error.column}: {error.fact}" for error in reversed(errors)}
    for row in pc.indices_nonzero(pc.is_null(texts)).to_pylist():
        if row in facts:
            dropped.add(ids[row].as_py(), "template", fact=facts[row])
        else:
            dropped.add(ids[row].as_py(), "no_text")
    return pa.table({"id": ids, "text": texts}).filter(pc.is_valid(texts))


def _clean_table(
    table: pa.Table, cleaner: Cleaner, roles: Sequence[str]
) -> tuple[pa.Table, pa.Array, list[StepCounts]]:
    """n records, for each of them why it was dropped (null where it was not), and what each step did."""
    texts = RecordTexts(table, roles)
    cleaned = cleaner(texts.values, texts.offsets)
    names = pa.array([*(step.name for step in cleaner.steps), CLEANED_TO_NOTHING])
    dropped_by = cleaned.dropped_by.to_numpy(zero_copy_only=False)
    place = np.where(np.isnan(dropped_by), -1, dropped_by).astype(np.int32)
    # A question or an answer that is gone leaves no dialogue, whichever step took the last of it.
    rows = np.repeat(np.arange(len(table)), np.diff(texts.offsets))
    gone = np.unique(rows[is_blank(cleaned.texts).to_numpy(zero_copy_only=False) & texts.is_needed])
    place[gone[place[gone] < 0]] = len(names) - 1
    reasons = names.take(pa.array(place, mask=place < 0))
    return texts.put_back(cleaned.texts), reasons, cleaned.counts
