"""Batches as `dataset.map` gives them in, tables out, and the other way round; with what is checked on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.encoding import IntArray
from collators.errors import TokenizationError


def check_max_length(max_length: object, num_special: int) -> None:
    """Raise `TokenizationError` unless rows of this many tokens have room for text."""
    if isinstance(max_length, bool) or not isinstance(max_length, int) or max_length <= num_special:
        raise TokenizationError(
            f"max_length={max_length!r}: expected a number of tokens, more than the {num_special} special ones of a row"
        )


def table_of(batch: Any, needed: Sequence[str], others: Sequence[str] = ()) -> pa.Table:
    """The columns of a batch that are needed, and those of `others` that it has.

    Raises:
        TokenizationError: a column is missing, has values of several kinds, or the batch is a single row.
    """
    names = batch.column_names if isinstance(batch, pa.Table) else list(batch)
    if absent := [name for name in needed if name not in names]:
        raise TokenizationError(
            f"columns {', '.join(names) or '(none)'}: no {', '.join(absent)}; expected {', '.join(needed)}"
        )
    taken = [*needed, *(name for name in others if name in names)]
    if isinstance(batch, pa.Table):
        return batch.select(taken)
    if any(isinstance(batch[name], str) for name in taken):
        raise TokenizationError("a single row, not a batch of them; call map with batched=True")
    try:
        return pa.table({name: pa.array(batch[name]) for name in taken})
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise TokenizationError(f"columns {', '.join(taken)}: values of different kinds in one ({error})") from None


def text_column(table: pa.Table, name: str) -> pa.Array:
    """A column of n texts.

    Raises:
        TokenizationError: it holds something else.
    """
    column = table[name].combine_chunks()
    if not len(column):
        return column.cast(pa.string())
    if column.null_count < len(column) and not _is_text(column.type):
        raise TokenizationError(f"the column {name!r} holds {column.type}; expected texts")
    for row in np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[:1]:
        where = f"record {table['id'][int(row)]}" if "id" in table.column_names else f"row {row} of the batch"
        raise TokenizationError(f"{where}: {name!r} is null; expected a text")
    return column


def answer_columns(table: pa.Table) -> tuple[pa.ListArray, pa.ListArray]:
    """The answers to n questions: lists of texts, and of the character of the context each begins at.

    Raises:
        TokenizationError: the column is of another shape, or a record has not one number for each text.
    """
    column = table["answers"].combine_chunks()
    try:
        texts = column.field("text").cast(pa.list_(pa.string()))
        starts = column.field("answer_start").cast(pa.list_(pa.int64()))
    except (AttributeError, KeyError, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise TokenizationError(
            f"the column 'answers' holds {column.type}; expected in each row the lists text and answer_start"
        ) from None
    is_even = pc.equal(pc.list_value_length(texts), pc.list_value_length(starts))  # null where a list is
    has_nulls = column.null_count or texts.flatten().null_count or starts.flatten().null_count
    if has_nulls or not pc.all(is_even, skip_nulls=False, min_count=0).as_py():
        rows = enumerate(column.to_pylist())
        row, answers = next((row, answers) for row, answers in rows if not _are_answers(answers))
        raise TokenizationError(
            f"record {table['id'][row]}: answers are {answers!r:.80}; expected as many texts as numbers, or empty "
            "lists where there is no answer"
        )
    return texts, starts


def list_column(values: Any, lengths: IntArray) -> pa.Array:
    """A column of lists: flat values, and how many each row has."""
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(bounds), values if isinstance(values, pa.Array) else pa.array(values))


def as_given(batch: Any, rows: pa.Table) -> Any:
    """The rows as the kind the batch is: a table, or a dict of columns, lists in it as one NumPy array a row.

    Lists of pairs are arrays of n × 2.
    """
    if isinstance(batch, pa.Table):
        return rows
    columns: dict[str, Any] = {}
    for name in rows.column_names:
        column = rows[name].combine_chunks()
        if pa.types.is_list(column.type):
            is_of_pairs = pa.types.is_list(column.type.value_type)
            values = column.values.flatten().to_numpy().reshape(-1, 2) if is_of_pairs else column.values.to_numpy()
            columns[name] = np.split(values, column.offsets.to_numpy())[1:-1]
        elif pa.types.is_primitive(column.type) and not column.null_count:
            columns[name] = column.to_numpy(zero_copy_only=False)
        else:
            columns[name] = column.to_pylist()
    return columns


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _are_answers(answers: Any) -> bool:
    texts, starts = (answers or {}).get("text"), (answers or {}).get("answer_start")
    return bool(
        texts is not None and starts is not None and len(texts) == len(starts) and None not in [*texts, *starts]
    )
