"""What `prepare` wrote, opened again: the token rows, the manifest and the tokenizer they were made with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow.compute as pc

import collators
from collators.tokenizers import tokenizer_digest
from hf_builders.cleaned_records import clean_records
from hf_builders.errors import OptionError, SourceError, did_you_mean
from hf_builders.packed_rows import is_packed
from hf_builders.prepared_folder import read_manifest
from hf_builders.quarantine import read_sources
from hf_builders.run_config import (
    CleanSection,
    DatasetSection,
    PackSection,
    RunConfig,
    SpansSection,
    TokenizeSection,
    read_run_config,
)
from hf_builders.run_records import NO_DIFFERENCE, load_records, options_of

_NAMES = ("id", "ids", "example_id")
"""Columns that name the record, or records, of a row."""
_SECTIONS = {
    "dataset": DatasetSection,
    "clean": CleanSection,
    "tokenize": TokenizeSection,
    "spans": SpansSection,
    "pack": PackSection,
}
_YOUNGER = ("clean", "spans")
"""Sections that manifests of earlier versions lack."""


@dataclass(frozen=True)
class PreparedRows:
    folder: Path
    manifest: dict[str, Any]
    splits: datasets.DatasetDict
    tokenizer: Any

    def paint(self, row: PlacedRow, format: str, ids: bool) -> str:
        """A row as `collators.inspect_row` shows it; of a window the answer is what is trained."""
        options = self.manifest["tokenize"]
        return collators.inspect_row(
            row.labelled,
            self.tokenizer,
            format=format,
            ids=ids,
            template=options.get("template"),
            chat_template_kwargs=options.get("chat_template_kwargs"),
        )


@dataclass(frozen=True)
class PlacedRow:
    """A token row and where it stands."""

    split: str
    place: int
    row: dict[str, Any]

    @property
    def labelled(self) -> dict[str, Any]:
        """The row with a label for each token."""
        if "labels" in self.row:
            return self.row
        ids, start, end = (self.row[name] for name in ("input_ids", "start_positions", "end_positions"))
        is_answer = [start <= place <= end and end > 0 for place in range(len(ids))]
        labels = [id_ if is_so else collators.IGNORE_INDEX for id_, is_so in zip(ids, is_answer, strict=True)]
        return {"input_ids": ids, "labels": labels}

    def __str__(self) -> str:
        labels = self.labelled["labels"]
        trained = sum(label != collators.IGNORE_INDEX for label in labels)
        names = next(self.row[name] for name in _NAMES if name in self.row)
        whose = f"id {names}" if isinstance(names, str) else f"ids {', '.join(map(str, names))}"
        return f"{self.split}[{self.place}]  {whose}  {len(labels):,} tokens, {trained:,} trained"


def open_prepared(place: str | Path) -> PreparedRows:
    """Open a prepared folder, or the one of a run config, if it was prepared as the config now says.

    Raises:
        SourceError: nothing was prepared there, or with other options, or the tokenizer has changed since.
        ConfigError: the run config has faults.
        collators.TokenizationError: the tokenizer is not where it was.
    """
    if not Path(place).expanduser().is_dir():
        return open_run(read_run_config(place))
    folder = Path(place).expanduser()
    return _open(folder, read_manifest(folder))


def open_run(config: RunConfig) -> PreparedRows:
    """Open what a run config names, if it was prepared as the config says. Raises as `open_prepared` does."""
    manifest = read_manifest(config.output.dir)
    for name in _SECTIONS:
        now, then = options_of(getattr(config, name)), manifest.get(name, {})
        if bool(now) != bool(then):
            facts = ("with", "without") if then else ("without", "with")
            raise SourceError(
                f"{config.output.dir}: was prepared {facts[0]} {name}, the run config is {facts[1]} it; "
                "run `hf-builders prepare` again"
            )
        for key, value in now.items():
            if (before := then.get(key)) != value:
                fact = f"was prepared with {name}.{key}={before!r}, the run config says {value!r}"
                raise SourceError(f"{config.output.dir}: {fact}; run `hf-builders prepare` again")
    return _open(Path(config.output.dir), manifest)


def _open(folder: Path, manifest: dict[str, Any]) -> PreparedRows:
    for name, section in _SECTIONS.items():
        if not manifest.get(name, True) or (name in _YOUNGER and name not in manifest):
            continue  # a section that the run config has not
        known = {each.name for each in dataclasses.fields(section)} - set(NO_DIFFERENCE)
        if odd := sorted(known.symmetric_difference(manifest.get(name, {}))):
            raise SourceError(
                f"{folder}: manifest.json: {name}.{odd[0]} is not as this version writes it; "
                "run `hf-builders prepare` again"
            )
    name = (manifest["tokenize"] or manifest["spans"])["tokenizer"]
    tokenizer = collators.load_tokenizer(name)
    if manifest["tokenizer_digest"] != tokenizer_digest(tokenizer):
        raise SourceError(f"{folder}: {name} has changed since it was prepared; run `hf-builders prepare` again")
    splits = datasets.load_from_disk(folder.expanduser() / "data")
    return PreparedRows(folder.expanduser(), manifest, splits, tokenizer)


def records_of(prepared: PreparedRows) -> datasets.DatasetDict:
    """The records the rows were made of, read again from the raw files.

    Raises:
        SourceError: the raw files are no longer those that were prepared.
        HfBuildersError: they cannot be read.
    """
    builder, records = load_records(DatasetSection(**prepared.manifest["dataset"]))
    check_sources(prepared.folder, prepared.manifest, Path(builder.cache_dir))
    if absent := [split for split in prepared.splits if split not in records]:
        raise SourceError(f"{prepared.folder}: the records have no split {', '.join(absent)}; prepare it again")
    if section := prepared.manifest.get("clean"):
        records, _ = clean_records(records, CleanSection(**section), Path(builder.cache_dir))
    return records


def check_sources(folder: Path, manifest: Mapping[str, Any], cache: Path) -> None:
    """See that the records in `cache` were made of the raw files of the manifest.

    Raises:
        SourceError: they were not.
    """
    now = {source["name"]: source["sha256"] for source in read_sources(cache)}
    before = {source["name"]: source["sha256"] for source in manifest["sources"]}
    if now != before:
        names = sorted(name for name in {*now, *before} if now.get(name) != before.get(name))
        raise SourceError(
            f"{folder}: {', '.join(names)} changed since it was prepared, so rows cannot be compared with "
            "their records; run `hf-builders prepare` again"
        )


def _place_of(rows: datasets.Dataset, id: str) -> int:
    """The row with the record of this id; -1 if there is none."""
    if not is_packed(rows):
        name = "id" if "id" in rows.column_names else "example_id"
        return int(pc.index(rows.data.column(name), id).as_py())
    names = rows.with_format("arrow")["ids"][:].combine_chunks()
    place = pc.index(names.flatten(), id).as_py()
    return int(pc.list_parent_indices(names)[place].as_py()) if place >= 0 else -1


def pick_rows(
    prepared: PreparedRows, *, split: str | None = None, row: int = 0, id: str | None = None, num_rows: int = 1
) -> Iterator[PlacedRow]:
    """`num_rows` rows of each split, or of the one named, from row number `row` or from the one called `id`.

    Raises:
        OptionError: there is no such split or row.
    """
    splits = prepared.splits
    if split is not None and split not in splits:
        raise OptionError(f"no split {split!r}{did_you_mean(split, splits)}; prepared were {', '.join(splits)}")
    found = False
    for name in [split] if split is not None else splits:
        first = row if id is None else _place_of(splits[name], id)
        for place in range(first, min(first + num_rows, len(splits[name]))) if first >= 0 else ():
            found = True
            yield PlacedRow(name, place, splits[name][place])
    if not found and id is not None:
        raise OptionError(f"no row with the id {id!r}; {prepared.folder}/quarantine has those that were set aside")
    if not found:
        lengths = ", ".join(f"{name} has {len(splits[name]):,} rows" for name in splits)
        raise OptionError(f"no row {row}; {lengths}, counted from 0")
