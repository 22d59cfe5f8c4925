"""Token rows in, packed rows out: records laid together until a window is full, whole, with their borders noted."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from functools import partial
from operator import index
from typing import Any, get_args

import numpy as np
import pyarrow as pa
from datasets import Dataset, DatasetDict, Features, IterableDataset
from datasets.utils import tqdm

from collators.bin_packing import best_fit
from collators.cached_tables import cached_table
from collators.dataset_tokenization import AnyDataset, features_seen, per_split
from collators.errors import TokenizationError, check_choice
from collators.flat_rows import FlatRows
from collators.ledger import listed_reasons, report_set_aside
from collators.message_columns import RowNames
from collators.packed_rows import Fitted, PackOverflow, cut_to, fit, packed_features, packed_table
from collators.packing_streams import packed_stream
from collators.tokenization import code_digest
from collators.tokenizers import digest

logger = logging.getLogger(__name__)

_NEED_THE_CONVERSATION = ("truncate_prompt", "truncate_turns")

_TOKENS_AT_ONCE = 2**21
"""Of one block that is gathered and written; some 30 MB in all its columns."""


def pack(
    dataset: AnyDataset,
    max_length: int,
    *,
    overflow: PackOverflow = "error",
    seed: int = 0,
    window: int = 10_000,
) -> AnyDataset:
    """Lay records together in rows of at most `max_length` tokens, so that almost nothing of a batch is padding.

    Takes token rows (`tokenize`). Columns of the result: `ids` of the records, if they have an `id`; `input_ids`;
    `labels`, where the first token of each record is -100, as it would be predicted from another record;
    `position_ids`, which restart at 0 in each record; `seq_lengths`, the tokens of each record; `length`, those of the
    row. `PackingCollator` makes batches of them in which no record sees another.

    Every record is in one row, whole. The records that lie together are chosen among those of the whole split, by
    length (`collators.bin_packing`). They lie in a row in the order of the dataset, the rows in an order drawn by
    `seed`. Equal input gives equal rows, and they are cached as those of `Dataset.map` are.

    Rows longer than `max_length` raise (`overflow="error"`), are left out (`"drop"`) or are cut at their end
    (`"truncate"`, and left out if no trained token stays); one log line counts them and the rows without tokens. The
    other policies of `tokenize` need the conversation: use them there, with this `max_length`.

    A stream is packed as it comes, the rows it gives and no others, also in the workers of a `DataLoader`: each
    `window` of records by itself, whose last packed row may be half empty, with a log line of its own. Shuffle the
    packed stream, not the one it is made of, to have another order every epoch.

    Args:
        dataset: a `Dataset`, an `IterableDataset`, or a dict of splits; each split is packed by itself.
        max_length: tokens.
        window: records that are packed together; for streams only. Smaller ones leave more rows half empty.

    Raises:
        TokenizationError: no token rows, or packed already, a row too long, no row left, or an option that is wrong.

    >>> ids = [[1, 2, 3], [4, 5, 6, 7, 8], [9, 10]]
    >>> rows = pack(Dataset.from_dict({"input_ids": ids, "labels": ids}), 8)
    >>> next(row for row in rows if row["length"] == 8)["labels"]
    [-100, 2, 3, -100, 5, 6, 7, 8]
    >>> sorted(rows["seq_lengths"])
    [[2], [3, 5]]
    """
    if overflow in _NEED_THE_CONVERSATION:
        raise TokenizationError(
            f"overflow={overflow!r}: packing sees tokens, and this policy needs the conversation; use "
            f"tokenize(…, max_length={max_length}, overflow={overflow!r}), then pack its rows"
        )
    check_choice("overflow", overflow, get_args(PackOverflow))
    max_length = _number("max_length", max_length, 1, "tokens")
    seed = _number("seed", seed, 0, "whole number")
    window = _number("window", window, 1, "records")
    options: dict[str, Any] = {"max_length": max_length, "overflow": overflow, "seed": seed}
    if isinstance(dataset, Dataset | DatasetDict):
        return per_split(partial(_packed, **options), dataset)
    return per_split(partial(_packed_stream, window=window, **options), dataset)


def _number(option: str, value: Any, least: int, unit: str) -> int:
    """Of Python or NumPy; always Python's, as it is part of what packed rows are cached by."""
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__") or (number := index(value)) < least:
        raise TokenizationError(f"{option}={value!r}: expected {unit}, {least} or more")
    return number


def _packed(dataset: Dataset, *, name: str, max_length: int, overflow: PackOverflow, seed: int) -> Dataset:
    features = packed_features(dataset.features)
    if not len(dataset):
        return Dataset(features.arrow_schema.empty_table(), split=dataset.split)
    rows = FlatRows(dataset.select_columns(["input_ids", "labels"]))

    def name_of(row: int) -> str:
        ids = pa.array([dataset.with_format(None)[row]["id"]]) if "id" in dataset.features else None
        return name + RowNames(ids, [row])[0]

    fitted = fit(
        rows.lengths,
        lambda places: rows.__getitems__(places).columns["labels"],
        max_length=max_length,
        overflow=overflow,
        name_of=name_of,
    )
    if not len(fitted.rows):
        raise TokenizationError(
            f"{name}max_length={max_length}: no row of {len(dataset):,} is left "
            f"({listed_reasons(fitted.set_aside, {})}); raise max_length, or tokenize with this max_length"
        )
    _report(name, fitted.set_aside, fitted.num_cut, len(dataset))
    return cached_table(
        dataset,
        # By content, and by this code.
        digest(dataset._fingerprint, code_digest(), f"pack {max_length} {overflow} {seed}"),
        features,
        lambda write: write(
            _packed_tables(dataset, rows, fitted, features, name=name, max_length=max_length, seed=seed)
        ),
    )


def _packed_tables(
    dataset: Dataset,
    rows: FlatRows,
    fitted: Fitted,
    features: Features,
    *,
    name: str,
    max_length: int,
    seed: int,
) -> Iterator[pa.Table]:
    named = dataset.with_format("arrow", columns=["id"]) if "ids" in features else None
    packs = best_fit(fitted.lengths, max_length, seed=seed)
    num_packs = len(packs.starts) - 1
    step = max(1, _TOKENS_AT_ONCE // max_length)
    with tqdm(total=num_packs, unit=" rows", desc=f"{name}pack") as progress:
        for first in range(0, num_packs, step):
            starts = packs.starts[first : first + step + 1]
            wanted = fitted.rows[packs.order[starts[0] : starts[-1]]]
            columns = rows.__getitems__(wanted).columns
            for place in np.flatnonzero(columns["labels"].lengths != columns["input_ids"].lengths)[:1]:
                raise TokenizationError(
                    f"{name}row {wanted[place]}: labels and input_ids differ in length; tokenize again"
                )
            cut = {column: cut_to(values, max_length) for column, values in columns.items()}
            ids = None if named is None else _combined(named[wanted]["id"])
            yield packed_table(cut, ids, np.diff(starts), features)
            progress.update(len(starts) - 1)


def _combined(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined


def _packed_stream(dataset: IterableDataset, *, name: str, window: int, **options: Any) -> IterableDataset:
    features = packed_features(dataset.features or features_seen(dataset, name))
    report = partial(_report, f"{name}a window of the stream: ")
    return packed_stream(dataset, features=features, window=window, name=name, report=report, **options)


def _report(name: str, set_aside: Counter[str], num_cut: Counter[str], num_rows: int) -> None:
    if set_aside:
        logger.warning("%s%s", name, report_set_aside(set_aside, num_rows))
    if num_cut:
        logger.warning(
            "%scut %s of %s rows by %s tokens",
            name,
            *(f"{n:,}" for n in (num_cut["rows"], num_rows, num_cut["tokens"])),
        )
