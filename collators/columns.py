"""Any table of conversations in, flat columns of turns out; and the columns of a token row.

Shapes understood, first that fits: `messages` or `conversations` (lists of `{role, content[, loss]}`),
`prompt` + `completion` (or `response`; two strings or two lists of messages), `instruction[, input], output`, `text`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.errors import TokenizationError

IGNORE_INDEX = -100
"""The label of a token that takes no loss (what torch's cross entropy and transformers ignore)."""

ROLES = ("system", "user", "assistant")
SYSTEM, USER, ASSISTANT, TEXT = range(4)
"""Codes of the roles; `TEXT` is the one turn of a row in the `text` shape."""

LOSS_UNSET = -1
"""Code of a message that brings no `loss` of its own."""

_SHAPES: tuple[tuple[str, ...], ...] = (
    ("messages",),
    ("conversations",),
    ("prompt", "completion"),
    ("prompt", "response"),
    ("instruction", "output"),
    ("text",),
)
_NOT_READ = ("tools", "system", "history")
_MESSAGE_FIELDS_NOT_READ = (
    "tool_calls", "tool_call_id", "reasoning_content", "thinking", "metadata", "parameters", "observation",
)  # fmt: skip
_OTHER_NAMES_OF_LOSS = ("weight", "train")


@dataclass(frozen=True)
class Turns:
    """The messages of N rows, flat: row `r` owns the messages `starts[r]:starts[r + 1]`."""

    starts: np.ndarray[Any, np.dtype[np.int64]]
    """N + 1 message positions."""
    roles: np.ndarray[Any, np.dtype[np.int8]]
    """Per message, `SYSTEM`, `USER`, `ASSISTANT` or `TEXT`."""
    contents: pa.LargeStringArray
    """Per message, its text; never null."""
    loss: np.ndarray[Any, np.dtype[np.int8]]
    """Per message, 1 (trained), 0 (not) or `LOSS_UNSET`."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    def messages(self, row: int) -> list[dict[str, str]]:
        """Row `row` as chat templates read it."""
        first, last = int(self.starts[row]), int(self.starts[row + 1])
        contents = self.contents[first:last].to_pylist()
        return [
            {"role": ROLES[role], "content": content}
            for role, content in zip(self.roles[first:last], contents, strict=True)
        ]


@dataclass(frozen=True)
class RowNames:
    """How errors call the rows of a batch: by place in the dataset where known, and by `id` where there is one."""

    ids: pa.Array | None
    indices: Sequence[int] | None = None

    def __getitem__(self, row: int) -> str:
        place = f"row {row} of the batch" if self.indices is None else f"row {self.indices[row]}"
        return place if self.ids is None else f"{place} (id {self.ids[row].as_py()!r})"


def shape_of(names: Sequence[str]) -> tuple[str, ...]:
    """The columns that hold the conversation.

    >>> shape_of(["id", "instruction", "input", "output"])
    ('instruction', 'input', 'output')

    Raises:
        TokenizationError: no shape fits the column names.
    """
    for shape in _SHAPES:
        if set(shape) <= set(names):
            return ("instruction", "input", "output") if shape[0] == "instruction" and "input" in names else shape
    known = "; ".join(" + ".join(shape) for shape in _SHAPES)
    raise TokenizationError(
        f"columns {', '.join(names) or '(none)'}: no conversation found; rename yours to one of these shapes: {known}"
    )


def columns_read(names: Sequence[str]) -> list[str]:
    """The columns worth fetching: the conversation, `id`, and those whose values would be refused.

    >>> columns_read(["id", "source", "text", "tools"])
    ['text', 'id', 'tools']
    """
    shape = shape_of(names)
    return [*shape, *(name for name in ("id", *_NOT_READ) if name in names and name not in shape)]


def read_turns(table: pa.Table, rows: RowNames) -> Turns:
    """Flatten the conversations of `table`, whichever of the shapes it has.

    Raises:
        TokenizationError: a null, a role or a value that cannot be trained on, named by row.
    """
    shape = shape_of(table.column_names)
    for name in _NOT_READ:
        if name in table.column_names and name not in shape:
            _refuse_values(table, name, rows)
    columns = [_Column(name, _combined(table.column(name)), rows) for name in shape]
    if shape == ("text",):
        return _text_turns(columns[0])
    if shape[0] == "instruction":
        return _instruction_turns(columns)
    if len(shape) == 1:
        return columns[0].turns()
    if all(column.is_text for column in columns):
        return _interleave([_single_turns(columns[0].texts(), USER), _single_turns(columns[1].texts(), ASSISTANT)])
    return _interleave([column.turns() for column in columns])


@dataclass(frozen=True)
class _Column:
    """One column, combined into a single array, and how to name its rows."""

    name: str
    array: pa.Array
    rows: RowNames

    @property
    def is_text(self) -> bool:
        kind = self.array.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))

    def texts(self) -> pa.LargeStringArray:
        if not self.is_text:
            raise TokenizationError(f"column {self.name!r}: expected strings, found {self.array.type}")
        self._refuse(pc.is_null(self.array), "is null; drop the row or give it text")
        return self.array.cast(pa.large_string())

    def turns(self) -> Turns:
        kind = self.array.type
        nested = getattr(kind, "value_type", None)
        if nested is not None and pa.types.is_null(nested):
            # Nothing but empty lists in this batch: Arrow cannot know of what.
            nested = pa.struct([("role", pa.string()), ("content", pa.string())])
            return _Column(self.name, self.array.cast(pa.list_(nested)), self.rows).turns()
        if nested is None or not pa.types.is_struct(nested):
            raise TokenizationError(f"column {self.name!r}: expected lists of {{role, content}}, found {kind}")
        self._refuse(pc.is_null(self.array), "is null; drop the row or give it messages")
        # Lengths and flatten() mean the same for every list layout, slices included; offsets do not.
        lengths = pc.list_value_length(self.array).to_numpy(zero_copy_only=False)
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        messages = self.array.flatten()
        # flatten(), not field(): a null message makes its role null.
        fields = dict(zip((field.name for field in nested), messages.flatten(), strict=True))
        if not {"role", "content"} <= set(fields):
            raise TokenizationError(
                f"column {self.name!r}: messages have the fields {', '.join(fields)}; expected role and content "
                "(for ShareGPT's from/value, rename them: human -> user, gpt -> assistant)"
            )
        return Turns(
            starts,
            self._roles(fields["role"], starts),
            self._contents(fields, starts),
            self._loss(fields.get("loss"), len(messages), starts),
        )

    def _roles(self, roles: pa.Array, starts: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.int8]]:
        names = roles.cast(pa.large_string())
        codes = pc.index_in(names, value_set=pa.array(ROLES, pa.large_string()))
        for place in np.flatnonzero(codes.is_null().to_numpy(zero_copy_only=False))[:1]:
            self._raise_at(
                int(place), starts, f"role is {names[int(place)].as_py()!r}; expected one of {', '.join(ROLES)}"
            )
        return codes.to_numpy().astype(np.int8)  # type: ignore[no-any-return]

    def _contents(self, fields: dict[str, pa.Array], starts: np.ndarray[Any, Any]) -> pa.LargeStringArray:
        for name in _MESSAGE_FIELDS_NOT_READ:
            for place in _places_with_values(fields.get(name))[:1]:
                self._raise_at(place, starts, f"{name} is not supported yet; remove it or write it into the content")
        for name in _OTHER_NAMES_OF_LOSS:
            for place in _places_with_values(fields.get(name))[:1]:
                self._raise_at(place, starts, f"{name} is not read; write it as loss, true or false")
        contents = _Column(self.name, fields["content"], self.rows)
        if not contents.is_text and not pa.types.is_null(contents.array.type):
            raise TokenizationError(
                f"column {self.name!r}: content is {contents.array.type}; expected a string per message "
                "(join the text parts of multi-part content first)"
            )
        for place in np.flatnonzero(pc.is_null(contents.array).to_numpy(zero_copy_only=False))[:1]:
            self._raise_at(int(place), starts, "content is null; drop the row or give the message text")
        return contents.array.cast(pa.large_string())

    def _loss(
        self, loss: pa.Array | None, num_messages: int, starts: np.ndarray[Any, Any]
    ) -> np.ndarray[Any, np.dtype[np.int8]]:
        if loss is None or pa.types.is_null(loss.type):
            return np.full(num_messages, LOSS_UNSET, np.int8)
        # Any other number, or a text such as "false", would be cast to true without a word.
        if pa.types.is_boolean(loss.type):
            is_known = np.ones(num_messages, np.bool_)
        else:
            is_known = np.array([value in (None, 0, 1) for value in loss.to_pylist()], np.bool_)
        for place in np.flatnonzero(~is_known)[:1]:
            self._raise_at(int(place), starts, f"loss is {loss[int(place)].as_py()!r}; expected true or false")
        codes = pc.fill_null(loss.cast(pa.bool_()).cast(pa.int8()), LOSS_UNSET)
        return codes.to_numpy(zero_copy_only=False).astype(np.int8)  # type: ignore[no-any-return]

    def _refuse(self, mask: pa.BooleanArray, fact: str) -> None:
        for row in np.flatnonzero(mask.to_numpy(zero_copy_only=False))[:1]:
            raise TokenizationError(f"{self.rows[int(row)]}: {self.name} {fact}")

    def _raise_at(self, place: int, starts: np.ndarray[Any, Any], fact: str) -> None:
        row = int(np.searchsorted(starts, place, side="right")) - 1
        raise TokenizationError(f"{self.rows[row]}: {self.name}[{place - int(starts[row])}]: {fact}")


def _combined(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # more than 2 GiB of characters: pyarrow keeps the chunks
        array = pa.concat_arrays([chunk.cast(pa.large_string()) for chunk in array.chunks])
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def _places_with_values(array: pa.Array | None) -> list[int]:
    """Where `array` holds something: not null, not empty."""
    if array is None or pa.types.is_null(array.type):
        return []
    filled = pc.is_valid(array)
    storage = array.storage if isinstance(array, pa.ExtensionArray) else array
    kind = storage.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        filled = pc.and_(filled, pc.greater(pc.fill_null(pc.list_value_length(storage), 0), 0))
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        empty = pc.is_in(storage, value_set=pa.array(["", "[]", "null"], kind))
        filled = pc.and_not(filled, empty)
    return [int(place) for place in np.flatnonzero(filled.to_numpy(zero_copy_only=False))]


def _refuse_values(table: pa.Table, name: str, rows: RowNames) -> None:
    for row in _places_with_values(_combined(table.column(name)))[:1]:
        raise TokenizationError(
            f"{rows[row]}: column {name!r} holds a value, and it would not be trained on; "
            "put it into messages as a system or an earlier turn, or remove the column"
        )


def _single_turns(texts: pa.LargeStringArray, role: int) -> Turns:
    num = len(texts)
    return Turns(
        np.arange(num + 1, dtype=np.int64),
        np.full(num, role, np.int8),
        texts,
        np.full(num, LOSS_UNSET, np.int8),
    )


def _text_turns(column: _Column) -> Turns:
    return _single_turns(column.texts(), TEXT)


def _instruction_turns(columns: Sequence[_Column]) -> Turns:
    question = columns[0].texts()
    if len(columns) == 3 and columns[1].array.null_count < len(columns[1].array):
        filled = _Column(columns[1].name, pc.fill_null(columns[1].array, ""), columns[1].rows).texts()
        # Alpaca's `input` follows its instruction on a line of its own; an empty one leaves no trace.
        joined = pc.binary_join_element_wise(question, filled, pa.scalar("\n", pa.large_string()))
        question = pc.if_else(pc.equal(filled, ""), question, joined)
    return _interleave([_single_turns(question, USER), _single_turns(columns[-1].texts(), ASSISTANT)])


def _interleave(sides: Sequence[Turns]) -> Turns:
    """Join turns row by row: all messages of a row's first side, then all of its second."""
    first, second = sides
    lengths = np.stack([np.diff(first.starts), np.diff(second.starts)], axis=1)
    places = np.stack([first.starts[:-1], second.starts[:-1] + first.starts[-1]], axis=1)
    # Message k of a side stands at `places + k`; runs of such places, side by side, are the joined order.
    run_starts = np.cumsum(lengths) - lengths.ravel()
    order = np.arange(lengths.sum()) + np.repeat(places.ravel() - run_starts, lengths.ravel())
    return Turns(
        np.concatenate([first.starts[:1], np.cumsum(lengths.sum(axis=1))]),
        np.concatenate([first.roles, second.roles])[order],
        pa.concat_arrays([first.contents, second.contents]).take(pa.array(order)),
        np.concatenate([first.loss, second.loss])[order],
    )
