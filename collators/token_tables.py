"""Records in, their token rows out, a table at a time: by the fastest engine that is proven on them, in flat memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from datasets import Dataset, Features, List, Value
from datasets.utils import tqdm

from collators.chat_templates import NO_TEMPLATE
from collators.columns import columns_read, shape_of
from collators.engines import EngineMismatch
from collators.errors import TokenizationError
from collators.record_batches import record_batches
from collators.tokenization import NUM_TO_CHOOSE, Tokenize
from collators.workers import fastest, in_order, measure

Result = TypeVar("Result")

_NUM_WORTH_AN_ENGINE = 2000
"""Fewer rows are done before an accelerator is made."""
_NUM_TO_MEASURE = 500


def token_row_tables(
    records: Dataset, step: Tokenize, num_proc: int | None, *, name: str = "", unmapped: bool = False
) -> Iterator[pa.Table]:
    """The rows of `token_rows` in tables, one after the other, kept nowhere.

    `unmapped` is for records that nobody else touches, as a builder has just written them (`record_batches`).

    Raises:
        EngineMismatch: the engine turns out to be wrong, and rows given before may be too (`with_proven_engine`).
    """
    check_template(records.column_names, step)
    if not len(records):
        return
    columns = columns_read(records.column_names)
    processes = _get_ready(step, records.with_format("arrow", columns=columns), num_proc or 1)
    batches = record_batches(records, columns, unmapped=unmapped)
    tables = in_order(partial(_rows_of, step), batches, processes=processes)
    with tqdm(total=len(records), unit=" examples", desc=f"{name}tokenize") as progress:
        for table in tables:
            yield table
            progress.update(len(table))


def _rows_of(step: Tokenize, table: pa.Table, first: int) -> pa.Table:
    return step.token_rows(table, range(first, first + len(table)), strict=True)


def choose_engine_by(step: Tokenize, records: Dataset) -> None:
    """Choose an engine by rows from all over a dataset; one of few rows is not worth an accelerator."""
    if len(records) < _NUM_WORTH_AN_ENGINE:
        step.choose_engine(None)
    else:
        some = records.with_format("arrow", columns=columns_read(records.column_names))
        step.choose_engine(some[np.linspace(0, len(records) - 1, NUM_TO_CHOOSE, dtype=np.int64)])


def _get_ready(step: Tokenize, records: Dataset, num_proc: int) -> int:
    """Choose an engine, if there is none; and by some rows the number of processes, which it returns."""
    if not step.has_engine or step.engine == "tokenizers":
        choose_engine_by(step, records)
    if num_proc < 2:
        return 1
    some = records[:_NUM_TO_MEASURE]
    return fastest(num_proc, len(records), measure(lambda: _rows_of(step, some, 0), len(some)))


def with_proven_engine(step: Tokenize, work: Callable[[], Result]) -> Result:
    """Do some work with the step; if its engine turns out to be wrong, again from the start with the reference."""
    try:
        return work()
    except EngineMismatch as mismatch:
        step.give_up_engine(mismatch)
        return work()


def check_template(names: list[str], step: Tokenize) -> None:
    """Before any work: the columns hold conversations, and there is a template for them."""
    if shape_of(names) != ("text",) and not step.has_template:
        raise TokenizationError(NO_TEMPLATE)


def token_row_features(source: Features) -> Features:
    """The columns of `token_rows`."""
    columns: dict[str, Any] = {"id": source["id"]} if "id" in source else {}
    ids = List(Value("int32"))
    return Features(
        columns
        | {
            "input_ids": ids,
            "labels": ids,
            "length": Value("int32"),
            "set_aside": Value("string"),
            "straddling": Value("int32"),
            "cut": Value("int32"),
            "cut_trained": Value("int32"),
            "cut_turns": Value("int32"),
            "left_out": Value("int32"),
            "control_texts": Value("int32"),
        }
    )
