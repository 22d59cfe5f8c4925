"""A stream of token rows in, a stream of packed rows out, each window of records packed by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Features, IterableDataset

from collators.bin_packing import best_fit
from collators.packed_rows import PackOverflow, cut_to, fit, packed_table, taken
from collators.ragged import check_same_lengths, ragged

Report = Callable[[Counter[str], Counter[str], int], None]
"""Told of each window what is set aside, what is cut, and how many rows it has."""


def packed_stream(
    stream: IterableDataset, *, features: Features, window: int, name: str, report: Report, **options: Any
) -> IterableDataset:
    """Packed rows of just those rows that `stream` gives, in whatever process.

    A `map`, so that sharing among workers and ranks, epochs and resuming are those of the stream itself. Nothing is
    carried from window to window, which costs less than a row of padding for each.
    """
    columns = [*(["id"] if "ids" in features else []), "input_ids", "labels"]
    rows = stream.select_columns(columns).with_format("arrow")
    packed = rows.map(
        pack_window,
        batched=True,
        batch_size=window,
        features=features,
        fn_kwargs={"features": features, "name": name, "report": report, **options},
    )
    return packed.with_format(None)


def pack_window(
    window: pa.Table,
    *,
    features: Features,
    name: str,
    report: Report,
    max_length: int,
    overflow: PackOverflow,
    seed: int,
) -> pa.Table:
    """Packed rows of one window of token rows, with the columns `features`; none if no row of it fits.

    Raises:
        TokenizationError: rows that are no token rows, or one that is too long, with `overflow="error"`.
    """
    columns = {column: ragged(column, window[column]) for column in ("input_ids", "labels")}
    check_same_lengths(columns)
    ids = pa.concat_arrays(window["id"].chunks) if "ids" in features else None

    def name_of(row: int) -> str:
        # Of the stream, nobody counts the rows: several workers may read it, or it goes on in the middle.
        place = f"{name}row {row} of a window of {len(window):,} rows"
        return place if ids is None else f"{place} (id {ids[row].as_py()!r})"

    fitted = fit(
        columns["input_ids"].lengths,
        lambda rows: taken(columns["labels"], rows),
        max_length=max_length,
        overflow=overflow,
        name_of=name_of,
    )
    report(fitted.set_aside, fitted.num_cut, len(window))
    packs = best_fit(fitted.lengths, max_length, seed=seed)
    wanted = fitted.rows[packs.order]
    cut = {column: cut_to(taken(values, wanted), max_length) for column, values in columns.items()}
    return packed_table(cut, None if ids is None else ids.take(pa.array(wanted)), np.diff(packs.starts), features)
