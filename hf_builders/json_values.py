"""JSON Lines or a JSON array in, any values out, each with its place; the content tells which of the two it is.

A value that comes out can be written as JSON again and is then the same: 3 stays 3, 3.0 stays 3.0, a whole number of
any size stays exact. What no JSON text can hold (NaN, half a surrogate pair) makes its row a bad one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO, Any, NamedTuple, NoReturn

from hf_builders.encodings import Encoding, decode_keeping_bytes, is_undecodable, show_bytes, source_encoding
from hf_builders.errors import SourceError
from hf_builders.quarantine import BadRow, Quarantine
from hf_builders.sources import SourceFile

_BLOCK = 8 << 20
_SPACE = " \t\r\n"
_BOM = "\ufeff"  # Python's utf-8-sig drops it, its gb18030 keeps it as a character
_SPACES = re.compile(r"[ \t\r\n]*")
_AFTER_ELEMENT = re.compile(r"[ \t\r\n]*([,\]]?)[ \t\r\n]*")
_HALF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


class JsonRow(NamedTuple):
    """One value of a file."""

    id: str
    """`file:line` in JSON Lines, `file#n` for the n-th element of an array."""
    place: str
    """`file:line`, where it begins."""
    value: Any
    raw: str
    """As it stands in the file; a byte that is no text is one character of `encodings`."""

    def bad(self, reason: str, fact: str) -> BadRow:
        """This row as one that cannot become a record."""
        return BadRow(self.place, reason, fact, show_bytes(self.raw))


def read_json_values(source: SourceFile, bad_rows: Quarantine) -> Iterator[JsonRow]:
    """The lines of a JSON Lines file, or the elements of a file that is one array, in their order.

    Raises:
        SourceError: an empty file, or a JSON array that breaks off (nothing behind the break can be told apart) or has
            something behind its end.
        RowError: a value that cannot be read, where `bad_rows` does not set it aside.
    """
    encoding = source_encoding(source)
    if is_array(source, encoding):
        yield from values_of_array(source, encoding, bad_rows)
        return
    first_line = 1
    with source.open() as file:
        for block in line_blocks(file, _BLOCK):
            yield from values_of_lines(block, first_line, source.name, encoding, bad_rows)
            first_line += block.count(b"\n")


def is_array(source: SourceFile, encoding: Encoding) -> bool:
    """Whether the file is a JSON array rather than JSON Lines."""
    with source.open() as file:
        return decode_keeping_bytes(file.read(1 << 20), encoding).lstrip(_BOM + _SPACE).startswith("[")


def line_blocks(file: IO[bytes], num_bytes: int) -> Iterator[bytes]:
    """The file in blocks of whole lines; in UTF-8 and GB18030 alike the byte of a newline is always a newline."""
    rest: list[bytes] = []
    while block := file.read(num_bytes):
        head, newline, tail = block.rpartition(b"\n")
        if newline:
            yield b"".join([*rest, head, newline])
            rest = [tail] if tail else []
        else:
            rest.append(block)
    if rest:
        yield b"".join(rest)


def values_of_lines(
    block: bytes, first_line: int, name: str, encoding: Encoding, bad_rows: Quarantine
) -> Iterator[JsonRow]:
    """The values of some whole lines; blank ones hold none."""
    for line, data in enumerate(block.split(b"\n"), start=first_line):
        raw = decode_keeping_bytes(data, encoding).removeprefix(_BOM).strip(_SPACE)
        if not raw:
            continue
        row = JsonRow(f"{name}:{line}", f"{name}:{line}", None, raw)
        try:
            value = parse_exactly(raw)
        except _NoJsonNumber as error:
            bad_rows.add(row.bad("no_json_number", str(error)))
        except (ValueError, RecursionError) as error:
            if is_undecodable(raw):
                bad_rows.add(row.bad("undecodable", "the line holds bytes that are no text"))
            else:
                hint = _OVER_LINES if _goes_on(raw, error) else ""
                bad_rows.add(row.bad("invalid_json", f"{_fault(error)}; expected one JSON value on each line{hint}"))
        else:
            yield from _if_text(row._replace(value=value), bad_rows)


def values_of_array(source: SourceFile, encoding: Encoding, bad_rows: Quarantine) -> Iterator[JsonRow]:
    """One element at a time: errors have their line, and memory holds the text but not an object for every row."""
    with source.open() as file:
        text = decode_keeping_bytes(file.read(), encoding)
    name, line, counted_to, number = source.name, 1, 0, 0
    position = _skip_space(text, text.index("[") + 1)
    if closed := text[position : position + 1] == "]":
        position = _skip_space(text, position + 1)
    while not closed:
        line, counted_to, number = line + text.count("\n", counted_to, position), position, number + 1
        try:
            value, end, problem = _decode_element(text, position)
        except (ValueError, RecursionError) as error:
            raise _broken_array(f"{name}:{getattr(error, 'lineno', line)}", _fault(error)) from error
        row = JsonRow(f"{name}#{number}", f"{name}:{line}", value, text[position:end])
        if problem is not None:
            bad_rows.add(row.bad("no_json_number", problem))
        else:
            yield from _if_text(row, bad_rows)
        after = _AFTER_ELEMENT.match(text, end)
        assert after is not None  # the pattern matches the empty string
        if not after[1]:
            line += text.count("\n", counted_to, end)
            raise _broken_array(f"{name}:{line}", "the JSON array goes on without ',' or ']'")
        closed, position = after[1] == "]", after.end()
    if position < len(text):
        line += text.count("\n", counted_to, position)
        raise _broken_array(f"{name}:{line}", "something stands behind the end of the JSON array")


class _NoJsonNumber(ValueError):
    """A number that Python reads and JSON does not have."""


def _refuse_constant(text: str) -> NoReturn:
    raise _NoJsonNumber(f"the row holds {text}, which is no number in JSON; write null, or leave it out")


def _finite_float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _NoJsonNumber(f"the row holds {text:.40}, which no floating-point number can hold; write it as text")
    return number


_EXACT = json.JSONDecoder(parse_float=_finite_float, parse_constant=_refuse_constant)
_LENIENT = json.JSONDecoder()


def parse_exactly(text: str) -> Any:
    """The value of a JSON text in which every number is one of JSON.

    Raises:
        ValueError: it is no JSON, or holds NaN, Infinity or a number like 1e999.
        RecursionError: it is nested too deeply.
    """
    return _EXACT.decode(text)


def _decode_element(text: str, position: int) -> tuple[Any, int, str | None]:
    """Value and end of an element, and what is wrong with a number in it: only the end of the array is lost then."""
    try:
        return *_EXACT.raw_decode(text, position), None
    except _NoJsonNumber as error:
        return None, _LENIENT.raw_decode(text, position)[1], str(error)


def _if_text(row: JsonRow, bad_rows: Quarantine) -> Iterator[JsonRow]:
    """The row, unless text of it is none: bytes, or an escape for half a surrogate pair."""
    has_suspect = _HALF_A_PAIR.search(row.raw) is not None
    if is_undecodable(row.raw) or (has_suspect and is_undecodable(json.dumps(row.value, ensure_ascii=False))):
        bad_rows.add(row.bad("undecodable", "the row holds bytes or escapes that are no text"))
    else:
        yield row


_OVER_LINES = " (write an object that goes over several lines on one, or the objects between [ and ])"


def _goes_on(raw: str, error: ValueError | RecursionError) -> bool:
    """Whether a line is valid as far as it goes, as the first of an object written over several lines is."""
    return raw.startswith("{") and isinstance(error, json.JSONDecodeError) and error.pos >= len(raw)


def _fault(error: ValueError | RecursionError) -> str:
    """What Python's parser found wrong; besides its own error it raises one for a number of 4,300 digits."""
    if isinstance(error, json.JSONDecodeError):
        return f"invalid JSON at column {error.colno} ({error.msg})"
    return f"invalid JSON ({'nested too deeply' if isinstance(error, RecursionError) else error})"


def _broken_array(place: str, fact: str) -> SourceError:
    return SourceError(f"{place}: {fact}; the rest of the array cannot be read: mend the file, or get it again")


def _skip_space(text: str, start: int) -> int:
    match = _SPACES.match(text, start)
    assert match is not None
    return match.end()


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
