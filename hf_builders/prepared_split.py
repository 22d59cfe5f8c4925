"""The token rows of one split in, its Arrow file and its account out: written, counted and hashed in one pass."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators import IGNORE_INDEX, TokenizationError, pack
from collators.ledger import LEDGER, Ledger, nothing_left
from collators.overflow import NOTHING_TO_TRAIN
from hf_builders.cleaning import StepCounts
from hf_builders.length_counts import LengthCounts
from hf_builders.progress import without_bars
from hf_builders.quarantine import Account
from hf_builders.run_config import PackSection
from hf_builders.statistics import SplitStatistics
from hf_builders.summaries import SplitSummary, WindowSummary

_HASHED = ("length", "input_ids", "labels", "start_positions", "end_positions")


class RowsDigest:
    """SHA-256 of the ids and labels of a split; how the rows lie in chunks and files does not show in it."""

    def __init__(self) -> None:
        self._columns: dict[str, hashlib._Hash] = {}

    def add(self, rows: pa.Table | pa.RecordBatch) -> None:
        for name in [name for name in _HASHED if name in rows.schema.names]:
            column = self._columns.setdefault(name, hashlib.sha256())
            for chunk in pa.chunked_array(rows.column(name)).chunks:
                flat = chunk.flatten() if pa.types.is_list(chunk.type) else chunk
                column.update(np.ascontiguousarray(flat.to_numpy(), "<i4").data)

    def names(self) -> list[str]:
        return [column.hexdigest() for column in self._columns.values()]


def digest_of(splits: Mapping[str, RowsDigest]) -> str:
    """One name for all splits."""
    digest = hashlib.sha256()
    for split in sorted(splits):
        digest.update("|".join([split, *splits[split].names()]).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class WrittenSplit:
    """The rows of a split in an Arrow file."""

    path: Path
    features: datasets.Features
    digest: RowsDigest


class RecordsToWrite(NamedTuple):
    """What is made into rows, by split, and where the raw rows went that are not."""

    splits: datasets.DatasetDict
    accounts: dict[str, Account]
    cleaned: dict[str, list[StepCounts]]
    """Nothing where a run cleans nothing."""


class MadeSplits(NamedTuple):
    """All splits of a run, and what is known of them."""

    splits: dict[str, WrittenSplit]
    summaries: dict[str, SplitSummary] | dict[str, WindowSummary]
    statistics: dict[str, SplitStatistics]
    engine: str = "tokenizers"
    """What encoded."""


class SplitWriter:
    """Writes the rows to keep to an Arrow file and those set aside to a JSON Lines file, and counts both."""

    def __init__(self, path: Path, set_aside: Path, *, max_length: int) -> None:
        self.ledger = Ledger()
        self.trained_tokens = 0
        self.lengths = LengthCounts()
        """Of the rows kept."""
        self.uncut = LengthCounts()
        """Of these and of those that are too long, before anything was cut."""
        self._path = path
        self._set_aside = set_aside
        self._digest = RowsDigest()
        self._max_length = max_length
        self._shortest: int | None = None

    def write(self, tables: Iterable[pa.Table], features: datasets.Features) -> WrittenSplit:
        """Write all tables of the split, which have the columns `features`.

        Raises:
            collators.TokenizationError: no row is kept.
        """
        kept_features = datasets.Features({name: kind for name, kind in features.items() if name not in LEDGER})
        schema = kept_features.arrow_schema
        with (
            pa.OSFile(str(self._path), "wb") as file,
            pa.ipc.new_stream(file, schema) as stream,
            self._set_aside.open("w", encoding="utf-8") as set_aside,
        ):
            for table in tables:
                self.ledger.add(table)
                self.uncut.add(_uncut_lengths(table))
                is_kept = pc.is_null(table["set_aside"])
                if table["set_aside"].null_count < len(table):
                    self._note(table.filter(pc.invert(is_kept)), set_aside)
                    table = table.filter(is_kept)
                kept = table.select(schema.names).cast(schema)
                self._count(kept)
                stream.write_table(kept)
        if not self.ledger.set_aside:
            self._set_aside.unlink()
        if not self.lengths.rows:
            raise TokenizationError(nothing_left(self.ledger, self._shortest, self._max_length))
        return WrittenSplit(self._path, kept_features, self._digest)

    def _count(self, kept: pa.Table) -> None:
        self._digest.add(kept)
        self.lengths.add(kept["length"].to_numpy())
        for chunk in kept["labels"].chunks:
            self.trained_tokens += int(np.count_nonzero(chunk.flatten().to_numpy() != IGNORE_INDEX))

    def _note(self, rows: pa.Table, file: TextIO) -> None:
        lengths = rows["length"].filter(pc.greater(rows["length"], 0))
        if len(lengths):
            self._shortest = min(self._shortest or lengths[0].as_py(), pc.min(lengths).as_py())
        for record in rows.select(["id", "length", "set_aside"]).rename_columns(["id", "length", "reason"]).to_pylist():
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _uncut_lengths(table: pa.Table) -> np.ndarray[Any, Any]:
    """Lengths before anything was cut; rows that a longer window would not save have none."""
    lengths: np.ndarray[Any, Any] = pc.add(table["length"], table["cut"]).to_numpy()
    is_hopeless = pc.fill_null(pc.equal(table["set_aside"], NOTHING_TO_TRAIN), False).to_numpy()
    uncut: np.ndarray[Any, Any] = lengths[~is_hopeless & (lengths > 0)]
    return uncut


def pack_split(rows: WrittenSplit, section: PackSection, max_length: int) -> tuple[WrittenSplit, int]:
    """Pack what was written, in a file that takes its place; and how many packed rows that makes."""
    source = datasets.Dataset(
        datasets.table.MemoryMappedTable.from_file(str(rows.path)), fingerprint=digest_of({"": rows.digest})[:32]
    )
    packed = pack(source, max_length, seed=section.seed)
    (file,) = packed.cache_files
    digest = RowsDigest()
    with pa.OSFile(file["filename"]) as raw, pa.ipc.open_stream(raw) as stream:
        for batch in stream:
            digest.add(batch)
    rows.path.unlink()
    return WrittenSplit(Path(file["filename"]), packed.features, digest), len(packed)


def save_splits(folder: Path, splits: Mapping[str, WrittenSplit]) -> None:
    """Put the files written into a folder that `datasets.load_from_disk` opens."""
    empty = {}
    for name, split in splits.items():
        # The fingerprint names the content: what is derived from other rows must not be taken for derived from these.
        table = split.features.arrow_schema.empty_table()
        empty[name] = datasets.Dataset(table, fingerprint=digest_of({name: split.digest})[:32])
    with without_bars():  # these would tell of 0 rows
        datasets.DatasetDict(empty).save_to_disk(folder, num_shards=dict.fromkeys(empty, 1))
    for name, split in splits.items():
        (place,) = (folder / name).glob("*.arrow")
        split.path.replace(place)


def digest_of_saved(splits: datasets.DatasetDict) -> str:
    """The digest of a prepared folder's rows as they now are."""
    digests: dict[str, Any] = {}
    for name, rows in splits.items():
        digests[name] = RowsDigest()
        for batch in rows.data.to_batches():
            digests[name].add(batch)
    return digest_of(digests)
