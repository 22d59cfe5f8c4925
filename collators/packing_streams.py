"""A stream of token rows in, packed rows out, a window of records at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from datasets import Features, IterableDataset

from collators.bin_packing import IntArray, best_fit
from collators.packed_rows import PackOverflow, cut_to, fit, packed_table, taken
from collators.ragged import Ragged, check_same_lengths, ragged

_FULL = 0.98
"""A row filled less waits for the records of the next window. Of short records, a window leaves hardly one such row."""


def packs_of_stream(
    stream: IterableDataset,
    shards: Sequence[int],
    *,
    features: Features,
    report: Callable[[Counter[str], Counter[str], int], None],
    window: int,
    max_length: int,
    **options: Any,
) -> Iterator[dict[str, Any]]:
    """Packed rows of some shards of `stream`, each packed by itself, so that workers may share them in any way."""
    for shard in shards:
        place = f"shard {shard}, " if stream.num_shards > 1 else ""
        packer = _WindowPacker(features, place, window=window, max_length=max_length, **options)
        part = stream.shard(stream.num_shards, shard)
        # `iter` takes what is in this shard; the loop of a plain `for` would share it among workers once more.
        for table in part.with_format("arrow").iter(window):
            yield from packer.add(table)
        yield from packer.flush()
        report(packer.set_aside, packer.num_cut, packer.num_rows)


class _Records(NamedTuple):
    """Records one after another, and their ids if they have any."""

    columns: dict[str, Ragged]
    ids: pa.Array | None

    def taken(self, rows: IntArray) -> _Records:
        columns = {name: taken(column, rows) for name, column in self.columns.items()}
        return _Records(columns, None if self.ids is None else self.ids.take(pa.array(rows)))

    def behind(self, first: _Records) -> _Records:
        columns = {name: _joined(first.columns[name], column) for name, column in self.columns.items()}
        return _Records(columns, None if self.ids is None else pa.concat_arrays([first.ids, self.ids]))


class _WindowPacker:
    """Packs what waits together with each new window; holds no more than one and a half windows of records."""

    def __init__(
        self, features: Features, place: str, *, window: int, max_length: int, overflow: PackOverflow, seed: int
    ) -> None:
        self.set_aside: Counter[str] = Counter()
        self.num_cut: Counter[str] = Counter()
        self.num_rows = 0
        self._features = features
        self._place = place
        self._max_waiting = window // 2
        self._max_length = max_length
        self._overflow = overflow
        self._seed = seed
        self._waiting: _Records | None = None

    def add(self, table: pa.Table) -> Iterator[dict[str, Any]]:
        records = self._fitting(table)
        if self._waiting is not None:
            records = records.behind(self._waiting)
        self._waiting = None
        return self._rows(records, self._max_waiting)

    def flush(self) -> Iterator[dict[str, Any]]:
        return iter(()) if self._waiting is None else self._rows(self._waiting, 0)

    def _fitting(self, table: pa.Table) -> _Records:
        columns = {name: ragged(name, table[name]) for name in ("input_ids", "labels")}
        check_same_lengths(columns)
        first = self.num_rows
        fitted = fit(
            columns["input_ids"].lengths,
            lambda rows: taken(columns["labels"], rows),
            max_length=self._max_length,
            overflow=self._overflow,
            name_of=lambda row: f"{self._place}row {first + row} of the stream",
        )
        self.num_rows += len(table)
        self.set_aside += fitted.set_aside
        self.num_cut += fitted.num_cut
        ids = pa.concat_arrays(table["id"].chunks) if "ids" in self._features else None
        fitting = _Records(columns, ids).taken(fitted.rows)
        return fitting._replace(
            columns={name: cut_to(column, self._max_length) for name, column in fitting.columns.items()}
        )

    def _rows(self, records: _Records, max_waiting: int) -> Iterator[dict[str, Any]]:
        """Packed rows of `records`; of those that are not full, the emptiest wait, up to `max_waiting` records."""
        lengths = records.columns["input_ids"].lengths
        packs = best_fit(lengths, self._max_length, seed=self._seed)
        num_records = np.diff(packs.starts)
        pack_of = np.repeat(np.arange(len(num_records)), num_records)
        fills = np.bincount(pack_of, lengths[packs.order], len(num_records)) / self._max_length
        emptiest = np.argsort(fills, kind="stable")
        emptiest = emptiest[fills[emptiest] < _FULL]
        waits = np.zeros(len(num_records), np.bool_)
        waits[emptiest[np.cumsum(num_records[emptiest]) <= max_waiting]] = True
        is_waiting = waits[pack_of]
        if waits.any():
            self._waiting = records.taken(np.sort(packs.order[is_waiting]))
        if not waits.all():
            whole = records.taken(packs.order[~is_waiting])
            yield from packed_table(whole.columns, whole.ids, num_records[~waits], self._features).to_pylist()


def _joined(first: Ragged, second: Ragged) -> Ragged:
    return Ragged(np.concatenate([first.values, second.values]), np.concatenate([first.lengths, second.lengths]))
