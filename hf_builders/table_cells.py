"""A cell of a table in, its text out, by the type that a template states."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

ColumnType = Literal["text", "int", "float", "date", "datetime", "bool"]

_DIRECTIVE = re.compile("%-?[A-Za-z%]")
_TRUE, _FALSE = ("true", "1", "yes", "y", "是"), ("false", "0", "no", "n", "否")


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
    return f"{number.to_integral_value():f}"


def _write_float(value: object, decimals: int | None) -> str:
    """
    >>> [_write_float(each, None) for each in (36.50, 1e-7, 1e21, "2.0")], _write_float(2.5, 2)
    (['36.5', '0.0000001', '1000000000000000000000', '2'], '2.50')
    """
    number = _number(value, "a number")
    if decimals is not None:
        return f"{number:.{decimals}f}"
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _moment(value: object, expected: str) -> datetime.datetime:
    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, datetime.date):
        return datetime.datetime(value.year, value.month, value.day)
    if isinstance(value, str):
        text = value.strip()
        # Python 3.10 knows neither the Z nor dates without hyphens.
        text = text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text
        text = re.sub(r"\A(\d{4})(\d\d)(\d\d)(?!\d)", r"\1-\2-\3", text.replace("/", "-"))
        try:
            return datetime.datetime.fromisoformat(text)
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


def _write_bool(value: object, words: str) -> str:
    said = str(value).strip().lower()
    if said not in (*_TRUE, *_FALSE):
        raise ValueError(f"{value!r:.60} is neither true nor false")
    return words.split("/")[said in _FALSE]


def is_empty(value: object) -> bool:
    """Whether a cell holds no value: null, NaN, or white space."""
    return value is None or value != value or (isinstance(value, str) and not value.strip())
