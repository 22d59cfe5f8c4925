"""Rows of a table as text: a template with typed fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, get_args

import pyarrow as pa
import pyarrow.compute as pc

from hf_builders.errors import OptionError, did_you_mean
from hf_builders.table_cells import ColumnType, cell_writer, directive_fault, is_empty, shortest_floats

_TYPES = get_args(ColumnType)
_PIECE = re.compile(r"\{\{|\}\}|\{(?P<field>[^{}\n]*)\}|[{}]|[^{}]+")


class _Field(NamedTuple):
    column: str
    type: ColumnType
    option: str


@dataclass(frozen=True)
class CellError:
    """A cell that is not of the type the template states."""

    row: int
    """From 0."""
    column: str
    fact: str


class RowTexts(NamedTuple):
    texts: pa.StringArray
    """n strings; null for a row with an error, and for one of which every line is left out."""
    errors: list[CellError]
    """By row."""


class RowTemplate:
    r"""Writes each row of a table into a text.

    A field is `{column}`, `{column:type}` or `{column:type:option}`; `{{` and `}}` are braces. Types and their options:

    - `text` (default): as it is;
    - `int`: a whole number, also from `65.0`, and from text such as `1,000`;
    - `float`: as short as it is exact, never `1e-07`, never with `.0`; the option is a number of decimals;
    - `date`, `datetime`: ISO, `2180-05-06` and `2180-05-06 22:23:00`; the option is a format such as `%Y年%m月%d日`.
      `2180/5/6`, `2180.5.6`, `2180年5月6日` and `21800506` are read too, not `5/6/2180`, which could be two days;
    - `bool`: `true` or `false`; the option is two words, `是/否`. 1 and 0, yes and no, y and n, 是 and 否 are read too.

    A list is written item by item. Null, NaN, text of white space only and a list without items are no value: `null`
    stands in their place, but a line of the template in which no field has a value is left out.

    Args:
        template: the text, with at least one field.
        columns: the types of columns, instead of in the template; each must be a field.
        null: stands for a value that is not there.
        separator: between the items of a list.

    Raises:
        OptionError: the template or a type cannot be read.

    >>> template = RowTemplate("患者{age:int}岁，{sex}。\n诊断：{diagnoses}\n过敏：{allergies}")
    >>> rows = pa.table({"age": [65.0], "sex": ["男"], "diagnoses": [["高血压", "糖尿病"]], "allergies": pa.nulls(1)})
    >>> template.render(rows).texts.to_pylist()
    ['患者65岁，男。\n诊断：高血压、糖尿病']
    """

    def __init__(
        self,
        template: str,
        columns: Mapping[str, ColumnType] | None = None,
        *,
        null: str = "",
        separator: str = "、",
    ) -> None:
        self._null, self._separator = null, separator
        types = dict(columns or {})
        for name, kind in types.items():
            if kind not in _TYPES:
                raise OptionError(f"columns: {name}: {_no_type(kind)}")
        self._lines = [_parse_line(line, types) for line in template.split("\n")]
        fields = [piece for line in self._lines for piece in line if isinstance(piece, _Field)]
        self.columns = list(dict.fromkeys(each.column for each in fields))
        if not self.columns:
            raise OptionError(f"template: {template!r:.60} has no field; write a column as {{name}}")
        for name in types:
            if name not in self.columns:
                raise OptionError(
                    f"columns: {name!r} is no field of the template{did_you_mean(str(name), self.columns)}"
                )

    def render(self, table: pa.Table) -> RowTexts:
        """The text of each of n rows.

        Raises:
            OptionError: the table lacks a column, or one has a type that has no text.
        """
        for name in self.columns:
            if name not in table.column_names:
                raise OptionError(f"template: the table has no column {name!r}{did_you_mean(name, table.column_names)}")
        values: dict[_Field, pa.Array] = {}
        errors: set[CellError] = set()
        for line in self._lines:
            for piece in line:
                if isinstance(piece, _Field) and piece not in values:
                    values[piece], some = self._column(table[piece.column], piece)
                    errors.update(some)
        lines = [self._line(line, values, table.num_rows) for line in self._lines]
        # With a line before them that is never null: where all are, Arrow would give no text at all, not even null.
        first = pa.array([""] * table.num_rows, pa.string())
        texts = pc.utf8_slice_codeunits(pc.binary_join_element_wise(first, *lines, "\n", null_handling="skip"), 1)
        has_line = pc.invert(_all([pc.is_null(line) for line in lines]))
        bad_rows = {each.row for each in errors}
        is_good = pa.array([row not in bad_rows for row in range(table.num_rows)], pa.bool_())
        texts = pc.if_else(pc.and_(has_line, is_good), texts, pa.scalar(None, pa.string()))
        return RowTexts(texts, sorted(errors, key=lambda each: (each.row, self.columns.index(each.column))))

    def _line(self, line: list[str | _Field], values: Mapping[_Field, pa.Array], num_rows: int) -> pa.Array:
        """A line of each row, null where it has fields and none has a value."""
        fields = [values[piece] for piece in line if isinstance(piece, _Field)]
        pieces = [pc.fill_null(values[each], self._null) if isinstance(each, _Field) else each for each in line]
        if not fields:
            return pa.array(["".join(map(str, line))] * num_rows, pa.string())
        text = pc.binary_join_element_wise(*pieces, "")
        return pc.if_else(_all([pc.is_null(each) for each in fields]), pa.scalar(None, pa.string()), text)

    def _column(self, column: pa.ChunkedArray, field: _Field) -> tuple[pa.Array, list[CellError]]:
        """The n texts of a field, null where there is no value, and the cells that have no text."""
        write = cell_writer(field.type, field.option)
        kind = column.type
        is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        if pa.types.is_nested(kind) and not is_list:
            raise OptionError(f"template: column {field.column!r} is {kind}, which has no text; take a field of it")
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            column = column.cast(pa.timestamp("us", kind.tz), safe=False)  # Python's have no nanoseconds
        if is_list:
            cells, places = column.to_pylist(), range(len(column))
        else:  # Each distinct value is written once.
            distinct = column.combine_chunks()
            distinct = distinct if isinstance(distinct, pa.DictionaryArray) else distinct.dictionary_encode()
            cells, places = distinct.dictionary.to_pylist(), distinct.indices.to_pylist()
        if (kind.value_type if is_list or pa.types.is_dictionary(kind) else kind) == pa.float32():
            cells = shortest_floats(cells)
        texts: list[str | None] = []
        facts: dict[int, str] = {}
        for number, cell in enumerate(cells):
            try:
                items = [write(item) for item in (cell if isinstance(cell, list) else [cell]) if not is_empty(item)]
                texts.append(self._separator.join(items) if items else None)
            except ValueError as error:
                facts[number] = str(error)
                texts.append(None)
        errors = [CellError(row, field.column, facts[place]) for row, place in enumerate(places) if place in facts]
        return pa.array(texts, pa.string()).take(pa.array(places, pa.int64())), errors


def _parse_line(line: str, types: Mapping[str, ColumnType]) -> list[str | _Field]:
    pieces: list[str | _Field] = []
    for found in _PIECE.finditer(line):
        if found["field"] is not None:
            pieces.append(_parse_field(found["field"], types))
        elif found[0] in ("{", "}"):
            raise OptionError(f"template: {line!r:.60} has a single {found[0]!r}; write a brace as {found[0] * 2}")
        else:
            pieces.append(found[0][0] if found[0] in ("{{", "}}") else found[0])
    return pieces


def _parse_field(text: str, types: Mapping[str, ColumnType]) -> _Field:
    column, _, rest = text.partition(":")
    written, _, option = rest.partition(":")
    kind = written or types.get(column, "text")
    if kind not in _TYPES:
        raise OptionError(f"template: {{{text}}}: {_no_type(kind)}")
    if written and types.get(column, written) != written:
        raise OptionError(f"template: {{{text}}} and columns, which has {types[column]!r}, say two types")
    is_good = {
        "float": option.isdecimal(),
        "bool": option.count("/") == 1,
        "date": "%" in option,
        "datetime": "%" in option,
    }.get(kind, False)
    if not column or (option and not is_good):
        raise OptionError(
            f"template: {{{text}}} is no field; expected {{column}}, {{column:type}} or {{column:type:option}}"
        )
    if kind in ("date", "datetime") and (fault := directive_fault(option)):
        raise OptionError(f"template: {{{text}}}: {fault}")
    return _Field(column, kind, option)  # type: ignore[arg-type]  # one of the known types


def _no_type(kind: object) -> str:
    shown, hint = ("empty", "") if kind is None else (repr(kind)[:60], did_you_mean(str(kind), _TYPES))
    return f"{shown} is no type{hint}; there are {', '.join(_TYPES)}"


def _all(conditions: list[pa.Array]) -> pa.Array:
    result = conditions[0]
    for condition in conditions[1:]:
        result = pc.and_(result, condition)
    return result
