"""Records in, the table of a view out. Every function works on whole Arrow columns; n is the number of records."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hf_builders.quarantine import BadRow, Quarantine
from hf_builders.schema import FEATURES
from hf_builders.sources import Rows


class Dialogue(NamedTuple):
    """One question and one answer per record: what the dialogue views are made of. Columns of n strings."""

    question: pa.Array
    answer: pa.Array
    instruction: pa.Array
    """Alpaca's `instruction`; the question itself where the dataset has no separate task text."""
    input: pa.Array
    """Alpaca's `input`; empty where `instruction` already holds the question."""


def column(table: pa.Table, name: str) -> pa.Array:
    """A column of n values in one piece."""
    return table[name].combine_chunks()


def is_blank(column: pa.Array) -> pa.Array:
    """Which of n strings are null, empty or whitespace only (n booleans)."""
    return pc.fill_null(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0), True)


def by_reason(reasons: pa.Array) -> dict[str, pa.Array]:
    """Which of n records each reason is given for, from a column with a reason or null for each.

    >>> by_reason(pa.array([None, "no_text"]))["no_text"].to_pylist()
    [False, True]
    """
    return {
        reason: pc.fill_null(pc.equal(reasons, reason), False)
        for reason in reasons.unique().to_pylist()
        if reason is not None
    }


def show_dialogue(view: str, rows: Rows, dialogue: Dialogue, bad_rows: Quarantine) -> pa.Table:
    """The rows in a dialogue view; one whose question or answer is blank goes to `bad_rows` instead."""
    is_blank_row = np.zeros(len(rows.table), dtype=bool)
    for role, messages in (("user", dialogue.question), ("assistant", dialogue.answer)):
        is_hit = is_blank(messages).to_numpy(zero_copy_only=False) & ~is_blank_row
        is_blank_row |= is_hit
        blank = rows.filter(is_hit)
        for place, record in zip(blank.ids.to_pylist(), blank.table.to_pylist(), strict=True):
            fact = f"the {role} message is blank; a dialogue needs a question and an answer"
            bad_rows.add(BadRow(place, f"blank_{role}", fact, json.dumps(record, ensure_ascii=False)))
    table = arrange(view, rows.ids, dialogue)
    return table.filter(pa.array(~is_blank_row)) if is_blank_row.any() else table


def arrange(view: str, ids: pa.Array, dialogue: Dialogue) -> pa.Table:
    """The table of one of the dialogue views, with the types `FEATURES[view]` states.

    >>> import pyarrow as pa
    >>> columns = [pa.array([text]) for text in ("类型#裙", "一条好裙子", "类型#裙", "")]
    >>> arrange("messages", pa.array(["train.json:1"]), Dialogue(*columns)).to_pylist()[0]["messages"]
    [{'role': 'user', 'content': '类型#裙'}, {'role': 'assistant', 'content': '一条好裙子'}]
    """
    if view == "instruction":
        columns = [ids, dialogue.instruction, dialogue.input, dialogue.answer]
    else:
        columns = [ids, _turns(dialogue, with_loss=view == "conversations")]
    return pa.table(columns, names=list(FEATURES[view])).cast(FEATURES[view].arrow_schema)


def _turns(dialogue: Dialogue, with_loss: bool) -> pa.Array:
    """n lists of two structs, user and assistant, built from whole columns."""
    n = len(dialogue.question)
    # 0, n, 1, n+1, …: each question is followed by its answer.
    interleaved = np.arange(2 * n).reshape(2, n).T.ravel()
    fields = {
        "role": pa.DictionaryArray.from_arrays(
            np.tile(np.array([0, 1], dtype=np.int8), n), pa.array(["user", "assistant"])
        ).cast(pa.string()),
        "content": pa.concat_arrays([dialogue.question, dialogue.answer]).take(pa.array(interleaved)),
    }
    if with_loss:
        fields["loss"] = pa.array(np.tile(np.array([False, True]), n))
    offsets = np.arange(0, 2 * n + 1, 2, dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(list(fields.values()), names=list(fields)))
