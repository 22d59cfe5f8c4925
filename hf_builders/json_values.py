"""JSON text in, its value out, with its place in a file.

A value that comes out can be written as JSON again and is then the same: 3 stays 3, 3.0 stays 3.0, a whole number of
any size stays exact. What no JSON text can hold (NaN, half a surrogate pair) makes its row a bad one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from hf_builders.encodings import is_undecodable, show_bytes
from hf_builders.quarantine import BadRow, Quarantine

_HALF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


class JsonRow(NamedTuple):
    """One value of a file."""

    id: str
    """`file:line` in JSON Lines, `file#n` for the n-th element of an array or object."""
    place: str
    """`file:line`, where it begins."""
    value: Any
    raw: str
    """As it stands in the file; a byte that is no text is one character of `encodings`."""

    def bad(self, reason: str, fact: str) -> BadRow:
        """This row as one that cannot become a record."""
        return BadRow(self.place, reason, fact, show_bytes(self.raw))


class UnfitValue(ValueError):
    """A value that Python reads and that cannot be kept as it is: the reason it is counted under, and the fact."""

    def __init__(self, reason: str, fact: str) -> None:
        super().__init__(fact)
        self.reason = reason


def _refuse_constant(text: str) -> NoReturn:
    raise UnfitValue("no_json_number", f"the row holds {text}, which is no number in JSON; write null, or leave it out")


def _finite_float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        fact = f"the row holds {text:.40}, which no floating-point number can hold; write it as text"
        raise UnfitValue("no_json_number", fact)
    return number


_EXACT = json.JSONDecoder(parse_float=_finite_float, parse_constant=_refuse_constant)
_LENIENT = json.JSONDecoder()


def _without_twins(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) < len(members):
        twin = next(name for i, (name, _) in enumerate(members) if name in dict(members[:i]))
        raise UnfitValue("duplicate_id", f"the name {twin!r} stands twice in one object; rename one of them")
    return value


_UNIQUE = json.JSONDecoder(parse_float=_finite_float, parse_constant=_refuse_constant, object_pairs_hook=_without_twins)


def parse_exactly(text: str) -> Any:
    """The value of a JSON text in which every number is one of JSON.

    Raises:
        ValueError: it is no JSON, or holds NaN, Infinity or a number like 1e999.
        RecursionError: it is nested too deeply.
    """
    return _EXACT.decode(text)


def decode_value(text: str, position: int, *, unique: bool = False) -> tuple[Any, int, UnfitValue | None]:
    """The value that begins at `position`, the place behind it, and why the value cannot be kept, if so.

    Args:
        unique: no object in it may have two members of one name, of which Python would keep the last.

    Raises:
        ValueError: no JSON value begins there.
        RecursionError: it is nested too deeply.
    """
    try:
        return *(_UNIQUE if unique else _EXACT).raw_decode(text, position), None
    except UnfitValue as error:
        return None, _LENIENT.raw_decode(text, position)[1], error


def if_text(row: JsonRow, bad_rows: Quarantine) -> Iterator[JsonRow]:
    """The row, unless text of it is none: bytes, or an escape for half a surrogate pair."""
    has_suspect = _HALF_A_PAIR.search(row.raw) is not None
    if is_undecodable(row.raw) or (has_suspect and is_undecodable(json.dumps(row.value, ensure_ascii=False))):
        bad_rows.add(row.bad("undecodable", "the row holds bytes or escapes that are no text"))
    else:
        yield row


def fault(error: ValueError | RecursionError) -> str:
    """What Python's parser found wrong; besides its own error it raises one for a number of 4,300 digits."""
    if isinstance(error, json.JSONDecodeError):
        return f"invalid JSON at column {error.colno} ({error.msg})"
    return f"invalid JSON ({'nested too deeply' if isinstance(error, RecursionError) else error})"


def type_name(value: object) -> str:
    """What JSON calls the type of a parsed value.

    >>> type_name([1]), type_name(True), type_name(None)
    ('an array', 'a boolean', 'null')
    """
    names = {
        type(None): "null",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "text",
        list: "an array",
    }
    return names.get(type(value), "an object")
