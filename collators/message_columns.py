"""A column of message lists in, turns out: whole columns where messages are plain, one by one where they are more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.errors import TokenizationError
from collators.structured_messages import LOSS_NAMES, STRUCTURED, MessageFault, read_conversation
from collators.turns import LOSS_UNSET, ROLES, Conversation, Turns, gather

_NO_MESSAGES = pa.struct([("role", pa.string()), ("content", pa.string())])


@dataclass(frozen=True)
class RowNames:
    """How errors call the rows of a batch: by place in the dataset where known, and by `id` where there is one."""

    ids: pa.Array | None
    indices: Sequence[int] | None = None

    def __getitem__(self, row: int) -> str:
        place = f"row {row} of the batch" if self.indices is None else f"row {self.indices[row]}"
        return place if self.ids is None else f"{place} (id {self.ids[row].as_py()!r})"


@dataclass(frozen=True)
class MessageColumn:
    """Lists of messages, one list a row: structs `{role, content, …}` or JSON values, and how to name the rows."""

    name: str
    array: pa.Array
    rows: RowNames

    def turns(self) -> Turns:
        """The messages of every row.

        Raises:
            TokenizationError: a null, a role or a value that cannot be read, named by row and message.
        """
        kind = self.array.type
        nested = getattr(kind, "value_type", None)
        if nested is not None and pa.types.is_null(nested):
            # Nothing but empty lists in this batch: Arrow cannot know of what.
            return MessageColumn(self.name, self.array.cast(pa.list_(_NO_MESSAGES)), self.rows).turns()
        for row in np.flatnonzero(pc.is_null(self.array).to_numpy(zero_copy_only=False))[:1]:
            raise TokenizationError(f"{self.rows[int(row)]}: {self.name} is null; drop the row or give it messages")
        if isinstance(kind, pa.JsonType) or isinstance(nested, pa.JsonType):
            return gather([self._conversation(row, messages) for row, messages in enumerate(values_of(self.array))])
        if nested is None or not pa.types.is_struct(nested):
            raise TokenizationError(f"column {self.name!r}: expected lists of {{role, content}}, found {kind}")
        names = [field.name for field in nested]
        if "role" not in names:
            raise TokenizationError(
                f"column {self.name!r}: messages have the fields {', '.join(names)}; expected role and content "
                "(for ShareGPT's from/value, rename them: human -> user, gpt -> assistant)"
            )
        return self._turns_of_structs()

    def _turns_of_structs(self) -> Turns:
        # Lengths and flatten() mean the same for every list layout, slices included; offsets do not.
        lengths = pc.list_value_length(self.array).to_numpy(zero_copy_only=False).astype(np.int64)
        messages = self.array.flatten()
        # flatten(), not field(): a null message makes its role null.
        fields = dict(zip((field.name for field in messages.type), messages.flatten(), strict=True))
        codes = pc.index_in(fields["role"].cast(pa.large_string()), value_set=pa.array(ROLES, pa.large_string()))
        roles = pc.fill_null(codes, -1).to_numpy(zero_copy_only=False).astype(np.int8)
        contents, is_text = _texts(fields.get("content"), len(messages))
        loss, is_loss = _losses(fields, len(messages))
        is_plain = (roles >= 0) & is_text & is_loss
        for name in STRUCTURED:
            is_plain &= ~_has_value(fields.get(name), len(messages))
        row_of = np.repeat(np.arange(len(lengths)), lengths)
        others = np.unique(row_of[~is_plain])
        # Whatever is wrong with a message is said where messages are read one by one.
        values = values_of(self.array.take(pa.array(others)))
        read = {int(row): self._conversation(int(row), value) for row, value in zip(others, values, strict=True)}
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Turns(starts, roles, contents, loss).with_structured(read)

    def _conversation(self, row: int, messages: Any) -> Conversation:
        if not isinstance(messages, list):
            raise TokenizationError(f"{self.rows[row]}: {self.name} is {messages!r:.60}; expected a list of messages")
        try:
            return read_conversation(messages)
        except MessageFault as fault:
            raise TokenizationError(f"{self.rows[row]}: {self.name}{fault}") from None


def values_of(array: pa.Array) -> list[Any]:
    """Python values of any column. JSON is parsed; in structs a null is the filling of a field that is not there."""
    kind = array.type
    if isinstance(kind, pa.JsonType):
        return [None if text is None else _parsed(text) for text in array.storage.to_pylist()]
    if pa.types.is_map(kind):
        return [None if pairs is None else dict(pairs) for pairs in array.to_pylist()]
    if pa.types.is_struct(kind):
        columns = [values_of(child) for child in array.flatten()]
        names = [field.name for field in kind]
        rows = [
            {name: value for name, value in zip(names, values, strict=True) if value is not None}
            for values in (zip(*columns, strict=True) if columns else [()] * len(array))
        ]
        return [row if valid else None for row, valid in zip(rows, pc.is_valid(array).to_pylist(), strict=True)]
    if hasattr(kind, "value_type") and not pa.types.is_dictionary(kind):
        lengths = pc.list_value_length(array).to_pylist()
        items, lists, place = values_of(array.flatten()), [], 0
        for length in lengths:
            lists.append(None if length is None else items[place : place + length])
            place += length or 0
        return lists
    return list(array.to_pylist())


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TokenizationError(f"the JSON value {text[:60]!r}… cannot be read ({error}); drop the row") from None


def is_text(kind: pa.DataType) -> bool:
    """Whether values of this type are strings."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _texts(contents: pa.Array | None, num_messages: int) -> tuple[pa.LargeStringArray, np.ndarray[Any, Any]]:
    """The contents, and which of them are text."""
    if contents is None or not is_text(contents.type):
        return pa.array([""] * num_messages, pa.large_string()), np.zeros(num_messages, np.bool_)
    texts = pc.fill_null(contents.cast(pa.large_string()), "")
    return texts, pc.is_valid(contents).to_numpy(zero_copy_only=False)


def _losses(fields: dict[str, pa.Array], num_messages: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Each message's own loss, and whether it is one that can be read."""
    loss, is_known = np.full(num_messages, LOSS_UNSET, np.int8), np.ones(num_messages, np.bool_)
    for name in reversed(LOSS_NAMES):
        given = fields.get(name)
        if given is None or pa.types.is_null(given.type):
            continue
        # Any other number, or a text such as "false", would be cast to true without a word.
        if pa.types.is_boolean(given.type):
            codes = pc.fill_null(given.cast(pa.int8()), LOSS_UNSET).to_numpy(zero_copy_only=False)
        else:
            values = given.to_pylist()
            is_known &= np.array([value in (None, 0, 1) for value in values], np.bool_)
            codes = np.array([int(value) if value in (0, 1) else LOSS_UNSET for value in values], np.int8)
        loss = np.where(codes == LOSS_UNSET, loss, codes).astype(np.int8)
    return loss, is_known


def _has_value(array: pa.Array | None, num_messages: int) -> np.ndarray[Any, Any]:
    """Where `array` holds something: not null, not empty."""
    if array is None or pa.types.is_null(array.type):
        return np.zeros(num_messages, np.bool_)
    filled = pc.is_valid(array)
    storage = array.storage if isinstance(array, pa.ExtensionArray) else array
    if pa.types.is_list(storage.type) or pa.types.is_large_list(storage.type):
        filled = pc.and_(filled, pc.greater(pc.fill_null(pc.list_value_length(storage), 0), 0))
    elif is_text(storage.type):
        texts = storage.cast(pa.large_string())
        filled = pc.and_not(filled, pc.is_in(texts, value_set=pa.array(["", "[]", "null"], pa.large_string())))
    return pc.fill_null(filled, False).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
