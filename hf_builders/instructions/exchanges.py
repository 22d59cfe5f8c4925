"""One row of an instruction file, whatever its fields are called, in; an `Exchange` out, or the reason why not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hf_builders.errors import did_you_mean
from hf_builders.json_values import type_name
from hf_builders.quarantine import RowProblem

FIELDS = ("instruction", "input", "output", "history", "system")
"""What this dataset calls the parts of a row."""

Row = dict[str, Any]
"""A raw row with its values by name."""


class Exchange(NamedTuple):
    """A question and its answer, with what was said before."""

    instruction: str
    """Never blank: where the row has only an `input`, that is the question."""
    input: str
    """What belongs to the question besides; empty where there is nothing."""
    output: str
    system: str
    """Empty where there is none."""
    history: list[list[str]]
    """Earlier rounds, `[question, answer]` each."""

    @property
    def question(self) -> str:
        # As collators.columns joins the two, so that every view of a row gives the same tokens.
        return f"{self.instruction}\n{self.input}" if self.input else self.instruction


class LeftOut(Exception):
    """A row that a preset knows for a defect of its source, and leaves out under this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def named_row(value: Any, names: Sequence[str]) -> Row:
    """A raw row with its values by name; `names` are those of a row that is a bare array.

    >>> named_row(["问", "答"], ("input", "output"))
    {'input': '问', 'output': '答'}

    Raises:
        RowProblem: no object, or an array of another length.
    """
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0]  # lawyer-llama writes every row as an array with the row in it
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        raise RowProblem("not_an_object", f"the row is {type_name(value)}; expected an object or an array of values")
    if not names:
        raise RowProblem(
            "no_names", f"the row is an array of {count_of('value', len(value))} without names: {shown(value)}"
        )
    if len(value) != len(names):
        raise RowProblem(
            "wrong_column_count",
            f"the row has {count_of('value', len(value))}; expected {len(names)}: {', '.join(names)}",
        )
    return dict(zip(names, value, strict=True))


def exchange_of(row: Row, columns: Mapping[str, str]) -> Exchange:
    """The parts of a row, each under the name `columns` gives for it, checked.

    >>> exchange_of({"问": "咳嗽怎么办？", "答": "多喝水。"}, {"instruction": "问", "output": "答"}).question
    '咳嗽怎么办？'

    Raises:
        RowProblem: a part is missing, blank where it must not be, or no text.
    """
    if columns.get("instruction") not in row and columns.get("input") not in row:
        raise missing("instruction" if "instruction" in columns else "input", row, columns)
    if columns.get("output") not in row:
        raise missing("output", row, columns)
    instruction, extra = _text(row, columns.get("instruction")), _text(row, columns.get("input"))
    output, system = _text(row, columns["output"]), _text(row, columns.get("system"))
    if not instruction.strip():
        instruction, extra = extra, ""
    if not instruction.strip():
        raise RowProblem("blank_user", "the question is blank: neither instruction nor input holds a text")
    if not output.strip():
        fact = "null" if row[columns["output"]] is None else "blank"
        raise RowProblem("blank_assistant", f"{columns['output']!r} is {fact}; a row needs an answer")
    history = _history(row.get(columns.get("history", "")), columns)
    return Exchange(instruction, extra if extra.strip() else "", output, system if system.strip() else "", history)


def missing(field: str, row: Row, columns: Mapping[str, str]) -> RowProblem:
    """The problem of a row without the field that is to be the instruction, the input or the output."""
    source = columns.get(field, field)
    wanted = repr(source) if source == field else f"{source!r}, which is to be the {field},"
    has = f"the row has the fields {', '.join(row)}" if row else "the row has no fields"
    return RowProblem("missing_field", f"{wanted} is missing; {has}{did_you_mean(source, row)}")


def _text(row: Row, source: str | None) -> str:
    value = None if source is None else row.get(source)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowProblem("wrong_type", f"{source!r} is {type_name(value)} ({shown(value)}); expected text")
    return value


def _history(value: Any, columns: Mapping[str, str]) -> list[list[str]]:
    """Earlier rounds; a text, as cells of a CSV file are, holds them as JSON."""
    source = columns.get("history")
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError:
            raise RowProblem("wrong_type", f"{source!r} is text that is no JSON ({shown(value)})") from None
    if value is None:
        return []
    is_list_of_pairs = isinstance(value, list) and all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 and all(isinstance(text, str) for text in pair)
        for pair in value
    )
    if not is_list_of_pairs:
        expected = "an array of [question, answer] pairs of texts"
        raise RowProblem("wrong_type", f"{source!r} is {type_name(value)} ({shown(value)}); expected {expected}")
    for number, pair in enumerate(value, start=1):
        for side, text in zip(("user", "assistant"), pair, strict=True):
            if not text.strip():
                raise RowProblem(f"blank_{side}", f"round {number} of {source!r} has a blank {side} message")
    return [list(pair) for pair in value]


def shown(value: object) -> str:
    """A value as JSON, cut to the length an error message bears.

    >>> shown(["问", 1])
    '["问", 1]'
    """
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:60]}…"


def count_of(noun: str, number: int) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
