"""A cell of a table in, its text out, by the type that a template states."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import numpy as np

ColumnType = Literal["text", "int", "float", "date", "datetime", "bool"]

# Those of Python and of C99.
_DIRECTIVE = re.compile("%(?:-?[aAbBcCdDeFfgGhHIjmMpRrSTuUVwWxXyYzZ]|%)")
_TRUE, _FALSE = ("true", "1", "1.0", "yes", "y", "是"), ("false", "0", "0.0", "no", "n", "否")
# `0,125` is one eighth in half of Europe, and `1,23` is no number of thousands.
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?")
_DATE = re.compile(
    r"(?P<year>[0-9]{4})"
    r"(?:(?P<sign>[-/.])(?P<month>[0-9]{1,2})(?P=sign)(?P<day>[0-9]{1,2})"
    r"|年(?P<month2>[0-9]{1,2})月(?P<day2>[0-9]{1,2})日|(?P<month3>[0-9]{2})(?P<day3>[0-9]{2}))"
    r"(?:(?:[Tt]|[ \t]+|(?<=日))(?P<time>[0-9].*))?"
)


def cell_writer(kind: ColumnType, option: str) -> Callable[[Any], str]:
    """The function that writes one value; it raises a `ValueError` that says what is wrong with it."""
    writers: dict[str, Callable[[Any], str]] = {
        "text": _write_text,
        "int": _write_int,
        "float": lambda value: _write_float(value, int(option) if option else None),
        "date": lambda value: _strftime(_moment(value, "a date").date(), option or "%Y-%m-%d"),
        "datetime": lambda value: _write_datetime(_moment(value, "a date and time"), option),
        "bool": lambda value: _write_bool(value, option or "true/false"),
    }
    return writers[kind]


def _write_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return _write_bool(value, "true/false")
    if isinstance(value, (int, float, Decimal)):
        return _write_float(value, None)
    if isinstance(value, datetime.datetime):
        return _write_datetime(value, "")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    raise ValueError(f"{value!r:.60} has no text")


def _number(value: object, expected: str) -> Decimal:
    # A float becomes what Python shows, 0.1 and not the 55 digits it is stored as.
    text = repr(value) if isinstance(value, float) else str(value).strip()
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    try:
        number = Decimal(text) if not isinstance(value, bool) and "_" not in text else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise ValueError(f"{value!r:.60} is not {expected}")
    return number


def _write_int(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    number = _number(value, "a whole number")
    if number != number.to_integral_value():
        raise ValueError(f"{value!r:.60} is not a whole number")
    return _unsigned_zero(f"{number.to_integral_value():f}")


def _write_float(value: object, decimals: int | None) -> str:
    """
    >>> [_write_float(each, None) for each in (36.50, 1e-7, 1e21, "2.0")], _write_float(2.5, 2)
    (['36.5', '0.0000001', '1000000000000000000000', '2'], '2.50')
    """
    number = _number(value, "a number")
    if decimals is not None:
        return _unsigned_zero(f"{number:.{decimals}f}")
    text = f"{number:f}"
    return _unsigned_zero(text.rstrip("0").rstrip(".") if "." in text else text)


def _unsigned_zero(text: str) -> str:
    return text if text.strip("-0.") else text.lstrip("-")


def shortest_floats(cells: Iterable[Any]) -> list[Any]:
    """Cells of 32 bits, or lists of them, as the shortest number that is stored so; whole numbers as they are.

    >>> shortest_floats([1.100000023841858, 16777217.0, [0.10000000149011612, None]])
    [1.1, 16777217.0, [0.1, None]]
    """
    return [
        shortest_floats(cell)
        if isinstance(cell, list)
        else (cell if cell is None or float(cell).is_integer() else float(str(np.float32(cell))))
        for cell in cells
    ]


def _moment(value: object, expected: str) -> datetime.datetime:
    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, datetime.date):
        return datetime.datetime(value.year, value.month, value.day)
    if isinstance(value, str):
        text = value.strip()
        # Python 3.10 knows neither the Z nor dates without hyphens, no Python knows those without zeros.
        text = text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text
        if found := _DATE.fullmatch(text):
            month, day = (found[name] or found[f"{name}2"] or found[f"{name}3"] for name in ("month", "day"))
            time = found["time"] or "00:00"
            time = f"0{time}" if time[1:2] == ":" else time
            try:
                return datetime.datetime.fromisoformat(f"{found['year']}-{month:0>2}-{day:0>2}T{time}")
            except ValueError:
                pass
    raise ValueError(f"{value!r:.60} is not {expected} in ISO form")


def _write_datetime(moment: datetime.datetime, format: str) -> str:
    return _strftime(moment, format) if format else moment.isoformat(sep=" ", timespec="seconds")


def _strftime(moment: datetime.date, format: str) -> str:
    # One directive at a time: strftime() of some systems loses Chinese signs, and pads no year below 1000.
    def write(found: re.Match[str]) -> str:
        return f"{moment.year:04d}" if found[0] == "%Y" else moment.strftime(found[0])

    return _DIRECTIVE.sub(write, format)


def directive_fault(format: str) -> str:
    """What is wrong with a format of `strftime`, or nothing.

    >>> directive_fault("%Y年%Q")
    "'%Q' is no directive of a date; write a percent sign as %%"
    >>> directive_fault("%Y %-d 100%%")
    ''
    """
    unknown = [each for each in re.findall("%-?.?", format) if not _DIRECTIVE.fullmatch(each)]
    return f"{unknown[0]!r} is no directive of a date; write a percent sign as %%" if unknown else ""


def _write_bool(value: object, words: str) -> str:
    said = str(value).strip().lower()
    if said not in (*_TRUE, *_FALSE):
        raise ValueError(f"{value!r:.60} is neither true nor false")
    return words.split("/")[said in _FALSE]


def is_empty(value: object) -> bool:
    """Whether a cell holds no value: null, NaN, or white space."""
    return value is None or value != value or (isinstance(value, str) and not value.strip())
