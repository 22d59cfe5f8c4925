"""The texts of a table of records, taken out in one flat array and put back in their places."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hf_builders.json_columns import json_column, json_text
from hf_builders.views import is_blank

ROLES = ("system", "user", "assistant", "tool", "observation")
_MESSAGES = ("messages", "conversations")
_SPEAKERS = {"instruction": "user", "input": "user", "output": "assistant", "system": "system"}
"""Columns of one text each, and who says it."""
_PAIRS = "history"  # a list of rounds, each of a question and an answer
_OPTIONAL = ("input", "system")
"""Columns that may be empty."""


class RecordTexts:
    """Every text of n records that is not blank, in the order of the records.

    >>> table = pa.table({"id": ["a", "b"], "instruction": ["甲", "乙"], "input": ["", "丙"], "output": ["丁", "戊"]})
    >>> texts = RecordTexts(table, roles=("user", "assistant"))
    >>> texts.values.to_pylist(), texts.offsets.tolist()
    (['甲', '丁', '乙', '丙', '戊'], [0, 2, 5])
    >>> texts.put_back(pc.utf8_replace_slice(texts.values, 0, 1, "某"))["input"].to_pylist()
    ['', '某']
    """

    def __init__(self, table: pa.Table, roles: Sequence[str]) -> None:
        # Copied: what is a slice of longer arrays has offsets into all of them.
        self._table = table.take(pa.array(np.arange(len(table)))).combine_chunks()
        self._columns = [_Leaves(name, self._column(name), roles) for name in _names(table)]
        rows = np.concatenate([leaves.rows for leaves in self._columns] or [np.empty(0, np.int64)])
        self._order = np.argsort(rows, kind="stable")
        flat = [leaves.texts for leaves in self._columns] or [pa.array([], pa.string())]
        self.values: pa.Array = pa.concat_arrays(flat).take(pa.array(self._order))
        self.offsets = np.append(0, np.cumsum(np.bincount(rows, minlength=len(table)))).astype(np.int64)
        """n + 1 places: where the texts of each record begin, and the end."""
        needed = [np.full(len(leaves.rows), leaves.name not in _OPTIONAL) for leaves in self._columns]
        self.is_needed = np.concatenate(needed or [np.empty(0, bool)])[self._order]
        """Which of them a record cannot do without."""

    def _column(self, name: str) -> pa.Array:
        return self._table[name].combine_chunks()

    def put_back(self, texts: pa.Array) -> pa.Table:
        """The table with other texts in the places of `values`."""
        flat, table, begin = texts.take(pa.array(np.argsort(self._order))), self._table, 0
        for leaves in self._columns:
            changed = leaves.put_back(flat.slice(begin, len(leaves.rows)))
            place = table.schema.get_field_index(leaves.name)
            table = table.set_column(place, table.schema.field(place), changed)
            begin += len(leaves.rows)
        return table


def _names(table: pa.Table) -> Iterator[str]:
    for field in table.schema:
        if field.name in (*_MESSAGES, *_SPEAKERS, _PAIRS, "text"):
            yield field.name


class _Leaves:
    """The texts of one column, and for each the number of its record."""

    def __init__(self, name: str, column: pa.Array, roles: Sequence[str]) -> None:
        self.name, self._column = name, column
        flat, rows = column, np.arange(len(column))
        while pa.types.is_list(flat.type):
            rows = rows[pc.list_parent_indices(flat).to_numpy()]
            flat = flat.flatten()
        is_meant = pc.is_in(_speakers(name, flat, column), pa.array([*roles, ""])).to_numpy(zero_copy_only=False)
        if pa.types.is_struct(flat.type):
            flat = pc.struct_field(flat, "content")
        elif isinstance(flat.type, pa.JsonType):
            flat = _member(flat, "content")
        self._flat = flat
        self._is_meant = is_meant & ~is_blank(flat).to_numpy(zero_copy_only=False)
        self.texts: pa.Array = flat.filter(pa.array(self._is_meant))
        self.rows = rows[self._is_meant]

    def put_back(self, texts: pa.Array) -> pa.Array:
        return _with_leaves(self._column, pc.replace_with_mask(self._flat, pa.array(self._is_meant), texts))


def _speakers(name: str, flat: pa.Array, column: pa.Array) -> pa.Array:
    """Who says each of the texts of a column; nobody says a plain text."""
    if pa.types.is_struct(flat.type):
        return pc.struct_field(flat, "role")
    if isinstance(flat.type, pa.JsonType):
        return _member(flat, "role")
    if name != _PAIRS:
        return pa.repeat(_SPEAKERS.get(name, ""), len(flat))
    lengths = pc.fill_null(pc.list_value_length(column.flatten()), 0).to_numpy(zero_copy_only=False)
    place = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return pa.array(["user", "assistant"]).take(pa.array(place % 2))


def _with_leaves(array: pa.Array, leaves: pa.Array) -> pa.Array:
    """The array with other texts at its ends; lists keep their lengths."""
    if pa.types.is_list(array.type):
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        offsets = pa.array(np.append(0, np.cumsum(lengths)).astype(np.int32))
        values = _with_leaves(array.flatten(), leaves)
        return pa.ListArray.from_arrays(offsets, values, type=array.type, mask=array.is_null())
    if pa.types.is_struct(array.type):
        fields = list(array.type)
        children = [leaves if field.name == "content" else array.field(field.name) for field in fields]
        return pa.StructArray.from_arrays(children, fields=fields, mask=array.is_null())
    if isinstance(array.type, pa.JsonType):
        pairs = zip(array.storage.to_pylist(), leaves.to_pylist(), strict=True)
        return json_column(_with_content(message, content) for message, content in pairs)
    return leaves


def _member(messages: pa.Array, name: str) -> pa.Array:
    """A text of each of n messages in JSON; null where it is not there, or is no text (what a tool gave back)."""
    values = [json.loads(message or "{}").get(name) for message in messages.storage.to_pylist()]
    return pa.array([value if isinstance(value, str) else None for value in values], pa.string())


def _with_content(message: str | None, content: str | None) -> str | None:
    """The JSON of a message with another text; as it was, where there is none or the text is the same."""
    if message is None or content is None:
        return message
    fields = json.loads(message)
    return message if fields["content"] == content else json_text({**fields, "content": content})
