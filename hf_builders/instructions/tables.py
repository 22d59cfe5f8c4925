"""Rows and exchanges in, Arrow tables of the views out; n is the number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Features, Json, List, Value

from hf_builders.instructions.exchanges import Exchange, Row
from hf_builders.json_columns import json_column, json_text
from hf_builders.schema import FEATURES

EXCHANGE_FEATURES = {
    **FEATURES,
    "instruction": Features(
        {**FEATURES["instruction"], "system": Value("string"), "history": List(List(Value("string")))}
    ),
}
"""Of the views that are made of exchanges."""


def source_features(rows: Iterable[Row]) -> Features:
    """Every field that occurs, in the order they come up: text where each value is, else `Json`.

    >>> features = source_features([{"问": "咳嗽", "n": None}, {"问": None, "n": 3}])
    >>> {name: feature.dtype if isinstance(feature, Value) else "json" for name, feature in features.items()}
    {'问': 'string', 'n': 'json'}
    """
    is_text: dict[str, bool] = {}
    for row in rows:
        for name, value in row.items():
            is_text[name] = is_text.get(name, True) and (value is None or isinstance(value, str))
    # Without a column there is no table: where no row is, the load is to end in an error that says so.
    return Features(
        {name: Value("string") if text else Json() for name, text in (is_text or {"column_1": True}).items()}
    )


def source_table(rows: Sequence[Row], features: Features) -> pa.Table:
    """The rows as they are; a field that a row has not is null."""
    return pa.table(
        {
            name: json_column(json_text(row[name]) if name in row else None for row in rows)
            if isinstance(feature, Json)
            else pa.array([row.get(name) for row in rows], pa.string())
            for name, feature in features.items()
        }
    )


def exchange_table(view: str, ids: Sequence[str], exchanges: Sequence[Exchange]) -> pa.Table:
    """The exchanges in one of the views of `EXCHANGE_FEATURES`."""
    columns: list[Any]
    if view == "instruction":
        columns = [[getattr(exchange, name) for exchange in exchanges] for name in list(EXCHANGE_FEATURES[view])[1:]]
    else:
        columns = [_turns(exchanges, with_loss=view == "conversations")]
    schema = EXCHANGE_FEATURES[view].arrow_schema
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(column, field.type)
        for column, field in zip([ids, *columns], schema, strict=True)
    ]
    return pa.table(arrays, names=schema.names).cast(schema)


def _turns(exchanges: Sequence[Exchange], with_loss: bool) -> pa.Array:
    """n lists of messages: the system's, the earlier rounds, question and answer."""
    roles: list[str] = []
    contents: list[str] = []
    offsets = [0]
    for exchange in exchanges:
        if exchange.system:
            roles.append("system")
            contents.append(exchange.system)
        for question, answer in [*exchange.history, (exchange.question, exchange.output)]:
            roles += ("user", "assistant")
            contents += (question, answer)
        offsets.append(len(roles))
    fields = {"role": pa.array(roles, pa.string()), "content": pa.array(contents, pa.string())}
    if with_loss:
        fields["loss"] = pa.array([role == "assistant" for role in roles], pa.bool_())
    messages = pa.StructArray.from_arrays(list(fields.values()), names=list(fields))
    return pa.ListArray.from_arrays(np.array(offsets, np.int32), messages)
