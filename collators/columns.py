"""Any table of conversations in, the turns of its rows out.

Shapes understood, first that fits: `messages` or `conversations` (lists of `{role, content[, loss, tool_calls, …]}`),
`prompt` + `completion` (or `response`; two strings or two lists of messages), `instruction[, input], output`, `text`.
Besides: `tools` (what a model may call), `system` (a text), `history` (pairs of earlier questions and answers).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.errors import TokenizationError
from collators.message_columns import MessageColumn, RowNames, is_text, values_of
from collators.structured_messages import parsed_tools
from collators.turns import ASSISTANT, LOSS_UNSET, TEXT, USER, Conversation, Turns, gather

_SHAPES: tuple[tuple[str, ...], ...] = (
    ("messages",),
    ("conversations",),
    ("prompt", "completion"),
    ("prompt", "response"),
    ("instruction", "output"),
    ("text",),
)
_BESIDES = ("tools", "system", "history")


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
    """The columns worth fetching: the conversation, `id`, and what else belongs to it.

    >>> columns_read(["id", "source", "messages", "tools"])
    ['messages', 'id', 'tools']
    """
    shape = shape_of(names)
    return [*shape, *(name for name in ("id", *_BESIDES) if name in names and name not in shape)]


def read_turns(table: pa.Table, rows: RowNames) -> Turns:
    """The turns of every row of `table`, whichever of the shapes it has.

    Raises:
        TokenizationError: a null, a role or a value that cannot be trained on, named by row.
    """
    shape = shape_of(table.column_names)
    turns = _turns_of_shape(shape, {name: _combined(table.column(name)) for name in shape}, rows)
    besides = {
        name: values_of(_combined(table.column(name)))
        for name in _BESIDES
        if name in table.column_names and table.column(name).null_count < len(table)
    }
    return _with_besides(turns, besides, rows, is_text_shape=shape == ("text",)) if besides else turns


def _turns_of_shape(shape: Sequence[str], columns: dict[str, pa.Array], rows: RowNames) -> Turns:
    if shape == ("text",):
        return _single_turns(_text_column("text", columns["text"], rows), TEXT)
    if shape[0] == "instruction":
        return _instruction_turns(columns, rows)
    if len(shape) == 1:
        return MessageColumn(shape[0], columns[shape[0]], rows).turns()
    if all(is_text(column.type) for column in columns.values()):
        sides = zip(columns.items(), (USER, ASSISTANT), strict=True)
        return _interleave([_single_turns(_text_column(name, column, rows), role) for (name, column), role in sides])
    prompt, completion = (MessageColumn(name, column, rows).turns() for name, column in columns.items())
    return _interleave([prompt.without_loss(), completion])


def _text_column(name: str, array: pa.Array, rows: RowNames) -> pa.LargeStringArray:
    if not is_text(array.type):
        raise TokenizationError(f"column {name!r}: expected strings, found {array.type}")
    for row in np.flatnonzero(pc.is_null(array).to_numpy(zero_copy_only=False))[:1]:
        raise TokenizationError(f"{rows[int(row)]}: {name} is null; drop the row or give it text")
    return array.cast(pa.large_string())


def _combined(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # more than 2 GiB of characters: pyarrow keeps the chunks
        array = pa.concat_arrays([chunk.cast(pa.large_string()) for chunk in array.chunks])
    return array


def _single_turns(texts: pa.LargeStringArray, role: int) -> Turns:
    num = len(texts)
    return Turns(
        np.arange(num + 1, dtype=np.int64),
        np.full(num, role, np.int8),
        texts,
        np.full(num, LOSS_UNSET, np.int8),
    )


def _instruction_turns(columns: dict[str, pa.Array], rows: RowNames) -> Turns:
    question = _text_column("instruction", columns["instruction"], rows)
    given = columns.get("input")
    if given is not None and given.null_count < len(given):
        filled = _text_column("input", pc.fill_null(given, ""), rows)
        # Alpaca's `input` follows its instruction on a line of its own; an empty one leaves no trace.
        joined = pc.binary_join_element_wise(question, filled, pa.scalar("\n", pa.large_string()))
        question = pc.if_else(pc.equal(filled, ""), question, pc.if_else(pc.equal(question, ""), filled, joined))
    answer = _text_column("output", columns["output"], rows)
    return _interleave([_single_turns(question, USER), _single_turns(answer, ASSISTANT)])


def _interleave(sides: Sequence[Turns]) -> Turns:
    """Join turns row by row: all messages of a row's first side, then all of its second."""
    first, second = sides
    if first.structured or second.structured:
        pairs = [(first.conversation(row), second.conversation(row)) for row in range(len(first))]
        return gather([Conversation(a.messages + b.messages, a.loss + b.loss) for a, b in pairs])
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


def _with_besides(turns: Turns, besides: dict[str, list[Any]], rows: RowNames, *, is_text_shape: bool) -> Turns:
    """Put each row's system text, earlier rounds and tools where a conversation has them."""
    changed: dict[int, Conversation] = {}
    for row in range(len(turns)):
        tools = parsed_tools(besides["tools"][row]) if "tools" in besides else None
        system = besides["system"][row] if "system" in besides else None
        history = besides["history"][row] if "history" in besides else None
        if tools is None and not system and not history:
            continue
        if is_text_shape:
            name = next(name for name in besides if besides[name][row])
            raise TokenizationError(f"{rows[row]}: {name} stands beside a plain text, which has no place for it")
        whole = turns.conversation(row)
        head = _system_message(system, whole, rows[row])
        own = sum(message["role"] == "system" for message in whole.messages[:1])  # stays first
        earlier = _rounds(history, rows[row])
        changed[row] = Conversation(
            (*head, *whole.messages[:own], *earlier, *whole.messages[own:]),
            (*[LOSS_UNSET] * len(head), *whole.loss[:own], *[LOSS_UNSET] * len(earlier), *whole.loss[own:]),
            tools,
        )
    return gather([changed.get(row) or turns.conversation(row) for row in range(len(turns))]) if changed else turns


def _system_message(system: Any, conversation: Conversation, row: str) -> list[dict[str, str]]:
    if not system:
        return []
    if not isinstance(system, str):
        raise TokenizationError(f"{row}: system is {system!r:.60}; expected a text")
    if conversation.messages and conversation.messages[0]["role"] == "system":
        raise TokenizationError(f"{row}: column 'system' has a text, and the messages begin with one; keep one of them")
    return [{"role": "system", "content": system}]


def _rounds(history: Any, row: str) -> list[dict[str, str]]:
    """Alpaca's `history`: pairs of an earlier question and its answer."""
    messages = []
    for pair in history or []:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            raise TokenizationError(f"{row}: history holds {pair!r:.60}; expected pairs of a question and its answer")
        messages += [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    return messages
