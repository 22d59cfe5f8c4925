"""A file of JSON Lines, one JSON array or one JSON object in, its values out, each with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from typing import IO

from hf_builders.encodings import Encoding, decode_keeping_bytes, is_undecodable, source_encoding
from hf_builders.errors import SourceError
from hf_builders.json_values import JsonRow, UnfitValue, decode_value, fault, if_text, parse_exactly
from hf_builders.quarantine import Quarantine
from hf_builders.sources import SourceFile

_BLOCK = 8 << 20
_SPACE = " \t\r\n"
_BOM = "\ufeff"  # Python's utf-8-sig drops it, its gb18030 keeps it as a character
_SPACES = re.compile(r"[ \t\r\n]*")
_COLON = re.compile(r"[ \t\r\n]*:[ \t\r\n]*")
_AFTER_ELEMENT = re.compile(r"[ \t\r\n]*([,\]}]?)[ \t\r\n]*")
_CLOSING = {"[": "]", "{": "}"}
_KINDS = {"[": "array", "{": "object"}


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
        except UnfitValue as error:
            bad_rows.add(row.bad(error.reason, str(error)))
        except (ValueError, RecursionError) as error:
            if is_undecodable(raw):
                bad_rows.add(row.bad("undecodable", "the line holds bytes that are no text"))
            else:
                hint = _OVER_LINES if _goes_on(raw, error) else ""
                bad_rows.add(row.bad("invalid_json", f"{fault(error)}; expected one JSON value on each line{hint}"))
        else:
            yield from if_text(row._replace(value=value), bad_rows)


def values_of_array(source: SourceFile, encoding: Encoding, bad_rows: Quarantine) -> Iterator[JsonRow]:
    """The elements of a file that is one array.

    One at a time: errors have their line, and memory holds the text but not an object for every row. Raises as
    `read_json_values` does.
    """
    return _elements_of_file(source, encoding, bad_rows, "[", None)


def members_of_object(source: SourceFile, bad_rows: Quarantine, array: str | None = None) -> Iterator[JsonRow]:
    """The members of a file that is one object, each as an object of this one member, one at a time.

    Members may share a name; what is inside one may not (`duplicate_id`). Raises as `read_json_values` does.

    Args:
        array: the name of a member that is an array; its elements are given instead, and no other member.
    """
    return _elements_of_file(source, source_encoding(source), bad_rows, "{", array)


def _elements_of_file(
    source: SourceFile, encoding: Encoding, bad_rows: Quarantine, opening: str, array: str | None
) -> Iterator[JsonRow]:
    with source.open() as file:
        text = decode_keeping_bytes(file.read(), encoding)
    if (start := text.find(opening)) < 0 or text[:start].strip(_BOM + _SPACE):
        raise SourceError(f"{source.name}: is no JSON {_KINDS[opening]}; is it a file of another dataset?")
    place, kind = _Place(source.name, text), _KINDS[opening]
    position = yield from _elements(place, start, bad_rows, array)
    if position < len(text):
        raise _broken(place, position, kind, f"something stands behind the end of the JSON {kind}")


class _Place:
    """Where in a file one is, going forward."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self._line, self._counted_to = 1, 0

    def at(self, position: int) -> str:
        self._line += self.text.count("\n", self._counted_to, position)
        self._counted_to = max(position, self._counted_to)
        return f"{self.name}:{self._line}"


def _elements(place: _Place, start: int, bad_rows: Quarantine, array: str | None) -> Generator[JsonRow, None, int]:
    """The elements of the array or object that begins at `start`; returns the place behind its end."""
    text, opening, number = place.text, place.text[start], 0
    kind, closing = _KINDS[opening], _CLOSING[opening]
    position = _skip_space(text, start + 1)
    if closed := text.startswith(closing, position):
        position = _skip_space(text, position + 1)
    while not closed:
        here, number, member = place.at(position), number + 1, None
        try:
            value_at = position
            if opening == "{":
                member, value_at = _decode_name(text, position)
            if member is not None and member == array and text.startswith("[", value_at):
                end = yield from _elements(place, value_at, bad_rows, None)
            else:
                value, end, unfit = decode_value(text, value_at, unique=member is not None)
                value = value if member is None else {member: value}
                row = JsonRow(f"{place.name}#{number}", here, value, text[position:end])
                if unfit is not None:
                    bad_rows.add(row.bad(unfit.reason, str(unfit)))
                elif array is None:
                    yield from if_text(row, bad_rows)
        except (ValueError, RecursionError) as error:
            raise _broken(place, getattr(error, "pos", position), kind, fault(error)) from error
        after = _AFTER_ELEMENT.match(text, end)
        assert after is not None  # the pattern matches the empty string
        if after[1] not in (",", closing):
            raise _broken(place, end, kind, f"the JSON {kind} goes on without ',' or {closing!r}")
        closed, position = after[1] == closing, after.end()
    return position


def _decode_name(text: str, position: int) -> tuple[str, int]:
    """The name of a member and where its value begins."""
    if not text.startswith('"', position):
        raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, position)
    name, end, _ = decode_value(text, position)
    if (colon := _COLON.match(text, end)) is None:
        raise json.JSONDecodeError("Expecting ':' delimiter", text, end)
    return name, colon.end()


_OVER_LINES = " (write an object that goes over several lines on one, or the objects between [ and ])"


def _goes_on(raw: str, error: ValueError | RecursionError) -> bool:
    """Whether a line is valid as far as it goes, as the first of an object written over several lines is."""
    return raw.startswith("{") and isinstance(error, json.JSONDecodeError) and error.pos >= len(raw)


def _broken(place: _Place, position: int, kind: str, fact: str) -> SourceError:
    way_out = f"the rest of the {kind} cannot be read: mend the file, or get it again"
    return SourceError(f"{place.at(position)}: {fact}; {way_out}")


def _skip_space(text: str, start: int) -> int:
    match = _SPACES.match(text, start)
    assert match is not None
    return match.end()
