"""The options `columns=` and `preset=` in, one way of making an exchange of a raw row out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hf_builders.errors import OptionError, did_you_mean
from hf_builders.instructions.exchanges import FIELDS, Exchange, Row, exchange_of, missing, named_row, shown
from hf_builders.instructions.presets import PRESETS, Preset
from hf_builders.json_columns import json_text, unreadable
from hf_builders.quarantine import RowProblem

Columns = Mapping[str, str] | Sequence[str | None]
"""Our field → the file's field, or our fields in the order of values without names (None or "_" is none of them)."""
DEFAULT_PRESET = "alpaca"
_UNMAPPED = ("missing_field", "no_names", "wrong_column_count")


@dataclass(frozen=True)
class RowMapping:
    """How raw rows become exchanges."""

    preset: Preset
    columns: dict[str, str]
    """The file's field for each of ours that it may have."""
    is_assumed: bool = False
    """Neither option was given."""
    named: tuple[str, ...] = ()
    """Our fields whose source the caller named in `columns=`."""

    def source_row(self, value: Any) -> Row:
        """A raw row with its own fields; values without names get those of the options, or `column_1`, `column_2`, ….

        Raises:
            RowProblem: it is neither an object nor an array, or `datasets` could not read it back.
        """
        num_values = len(value) if isinstance(value, list) else 0
        row = named_row(value, self.preset.names or [f"column_{n}" for n in range(1, num_values + 1)])
        for name, item in row.items():
            if isinstance(item, (int, list, dict)) and (fault := unreadable(json_text(item))):
                raise RowProblem("unreadable_value", f"{name!r} holds {fault}")
        return row

    def check_first(self, value: Any, place: str) -> None:
        """Look for the fields that `columns=` names in the first row of a file: a slip there would lose their text.

        Raises:
            OptionError: the row has not all of them.
        """
        try:
            row = named_row(value, self.preset.names)
        except RowProblem:  # the row is bad whatever its fields are called
            return
        for field in self.named:
            if (source := self.columns[field]) not in row:
                has = f"has the fields {', '.join(row)}" if row else "has no fields"
                raise OptionError(
                    f"{place}: columns= says that {field!r} is {source!r}, and this first row of the file {has}"
                    f"{did_you_mean(source, row)}; name a field it has, or give it {source!r}, be it null"
                )

    def exchange(self, value: Any) -> Exchange:
        """The exchange of one raw row, an object or an array as JSON has them.

        Raises:
            RowProblem: it is none; the fact ends with what to do about the options.
            LeftOut: the preset knows it for a defect.
        """
        try:
            row = named_row(value, self.preset.names)
            if "instruction" in self.named and self.columns["instruction"] not in row:
                raise missing("instruction", row, self.columns)  # `input` is no stand-in for what was named
            exchange = exchange_of(self.preset.reshape(row) if self.preset.reshape else row, self.columns)
        except RowProblem as problem:
            if problem.reason in _UNMAPPED:
                raise RowProblem(problem.reason, problem.fact + self._way_out(value)) from None
            raise
        if self.is_assumed and exchange.instruction.lstrip().startswith("<user>:"):
            fact = f"the instruction ({shown(exchange.instruction)}) is a dialogue written into one text"
            way_out = "preset='huatuo_literature' takes it apart, preset='alpaca' keeps it as it is"
            raise RowProblem("flattened_dialogue", f"{fact}; {way_out}")
        return exchange

    def _way_out(self, value: Any) -> str:
        """The preset that would read the row, or else what `columns=` is for."""
        if isinstance(value, list):
            fitting = [name for name, preset in PRESETS.items() if len(preset.names) == len(value)]
            by_position = "name the values in order, as columns=['output', 'input'] does"
        else:
            fitting = [
                name for name, preset in PRESETS.items() if any(set(mark) <= set(value) for mark in preset.marks)
            ]
            by_position = "say which field is which, as columns={'instruction': 'query', 'output': 'answer'} does"
        others = " or ".join(repr(name) for name in fitting if PRESETS[name] is not self.preset)
        return f"; did you mean preset={others}?; else {by_position}" if others else f"; {by_position}"


def row_mapping(columns: Columns | None, preset: str | None) -> RowMapping:
    """What the two options say together; only one of them is given.

    >>> row_mapping({"instruction": "query"}, None).columns["instruction"]
    'query'
    >>> row_mapping(["output", None, "input"], None).preset.names
    ('output', 'column_2', 'input')

    Raises:
        OptionError: an unknown preset or field, or both options.
    """
    if preset is not None:
        if columns is not None:
            raise OptionError(
                f"columns= and preset={preset!r}: a preset has its columns already; choose one of the two"
            )
        if preset not in PRESETS:
            known = ", ".join(PRESETS)
            raise OptionError(f"no preset {preset!r}{did_you_mean(str(preset), PRESETS)}; the presets are {known}")
        return RowMapping(PRESETS[preset], _with_defaults(PRESETS[preset].columns))
    default = PRESETS[DEFAULT_PRESET]
    if columns is None:
        return RowMapping(default, _with_defaults({}), is_assumed=True)
    if isinstance(columns, Mapping):
        _check(columns, list(columns))
        for ours, source in columns.items():
            if not isinstance(source, str):
                raise OptionError(f"columns={dict(columns)!r}: {ours!r} takes the name of a field of your files")
        return RowMapping(default, _with_defaults(columns), named=tuple(columns))
    if isinstance(columns, str) or not isinstance(columns, Sequence):
        raise OptionError(f"columns={columns!r}: takes a dict, our field: your field, or a list of our fields in order")
    _check(columns, [name for name in columns if name not in (None, "_")])
    names = [f"column_{n}" if name in (None, "_") else str(name) for n, name in enumerate(columns, start=1)]
    return RowMapping(Preset(about="columns=", names=tuple(names)), _with_defaults({}))


def _check(columns: Columns, fields: list[Any]) -> None:
    for name in fields:
        if name not in FIELDS:
            known = ", ".join(FIELDS)
            raise OptionError(f"columns={columns!r}: no field {name!r}{did_you_mean(str(name), FIELDS)}; takes {known}")
    if len(set(fields)) < len(fields):
        raise OptionError(f"columns={columns!r}: names a field twice")
    if not isinstance(columns, Mapping) and ("output" not in fields or not {"instruction", "input"} & {*fields}):
        raise OptionError(f"columns={columns!r}: a row needs 'output', and 'instruction' or 'input'")


def _with_defaults(columns: Mapping[str, str]) -> dict[str, str]:
    """A field nobody mapped goes by its own name, unless that is the name of what another was mapped to."""
    return {field: columns.get(field, field) for field in FIELDS if field in columns or field not in columns.values()}
