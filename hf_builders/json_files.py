"""A file of JSON Lines, one JSON array or one JSON object in, its values out, each with its place."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any

from hf_builders.encodings import KEEP_BYTES, Encoding, decode_keeping_bytes, is_undecodable, source_encoding
from hf_builders.errors import SourceError
from hf_builders.json_values import JsonRow, UnfitValue, decode_value, fault, if_text, parse_exactly
from hf_builders.quarantine import Quarantine
from hf_builders.sources import SourceFile

_BLOCK = 8 << 20
_MAX_VALUE = 64 << 20  # bytes of a line, characters of an element: a longer one would fill the memory
_AHEAD = 12  # characters of the longest thing that JSON reads as one, two escapes for a pair: \ud83d\ude00
_SPACE = " \t\r\n"
_BOM = "\ufeff"  # Python's utf-8-sig drops it, its gb18030 keeps it as a character
_SPACES = re.compile(r"[ \t\r\n]*")
_BEFORE_FIRST = re.compile(rf"[{_BOM} \t\r\n]*")
_AFTER_ELEMENT = re.compile(r"[ \t\r\n]*([,\]}]?)[ \t\r\n]*")
_COLON = re.compile(r"[ \t\r\n]*:[ \t\r\n]*")
_NEAR_END = re.compile(rf"[ \t\r\n]*.{{0,{_AHEAD}}}", re.DOTALL)
_CLOSING = {"[": "]", "{": "}"}
_KINDS = {"[": "array", "{": "object"}
_ITS_ELEMENTS = object()  # in place of the value of a member whose elements are wanted

_Decode = Callable[[str, int], tuple[Any, int, UnfitValue | None]]
"""As `decode_value`: the value at a place of a text, the place behind it, and why it cannot be kept."""


def read_json_values(source: SourceFile, bad_rows: Quarantine) -> Iterator[JsonRow]:
    """The lines of a JSON Lines file, or the elements of a file that is one array, in their order.

    Raises:
        SourceError: an empty file, a value of more than 64 MiB, or a JSON array that breaks off (nothing behind the
            break can be told apart) or has something behind its end.
        RowError: a value that cannot be read, where `bad_rows` does not set it aside.
    """
    encoding = source_encoding(source)
    if is_array(source, encoding):
        yield from values_of_array(source, encoding, bad_rows)
        return
    for first_line, block in line_blocks(source, _BLOCK):
        yield from values_of_lines(block, first_line, source.name, encoding, bad_rows)


def is_array(source: SourceFile, encoding: Encoding) -> bool:
    """Whether the file is a JSON array rather than JSON Lines."""
    with source.open() as file:
        return decode_keeping_bytes(file.read(1 << 20), encoding).lstrip(_BOM + _SPACE).startswith("[")


def line_blocks(source: SourceFile, num_bytes: int) -> Iterator[tuple[int, bytes]]:
    """The file in blocks of whole lines, each with the number of its first line.

    In UTF-8 and GB18030 alike the byte of a newline is always a newline.

    Raises:
        SourceError: a line of more than 64 MiB.
    """
    first_line, rest = 1, b""
    with source.open() as file:
        while data := file.read(num_bytes):
            first_end = data.find(b"\n")
            if len(rest) + (len(data) if first_end < 0 else first_end) > _MAX_VALUE:
                raise _too_long(f"{source.name}:{first_line}")
            head, newline, rest = (rest + data).rpartition(b"\n")
            if newline:
                yield first_line, head + newline
                first_line += head.count(b"\n") + 1
    if rest:
        yield first_line, rest


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

    One at a time: errors have their line, and memory holds a block of the text only. Raises as `read_json_values`
    does.
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
    kind = _KINDS[opening]
    with source.open() as file:
        window = _Window(file, source.name, encoding)
        window.skip(_BEFORE_FIRST)
        if not window.text.startswith(opening, window.at):
            raise SourceError(f"{source.name}: is no JSON {kind}; is it a file of another dataset?")
        yield from _elements(window, bad_rows, array)
        if window.at < len(window.text):
            raise _broken(window.place(window.at), kind, f"something stands behind the end of the JSON {kind}")


class _Window:
    """The text of a file, going forward: memory holds it from `at`, where one is, to the end of a block."""

    def __init__(self, file: IO[bytes], name: str, encoding: Encoding) -> None:
        self.name, self.text, self.at = name, "", 0
        self._file, self._decoder = file, codecs.getincrementaldecoder(encoding)(KEEP_BYTES)
        self._line, self._counted_to = 1, 0
        self._column = 0  # how much of the first line of the text is no longer held

    def place(self, position: int) -> str:
        """Where in the file a place of the text is, which is not before the last one asked for."""
        self._line += self.text.count("\n", self._counted_to, position)
        self._counted_to = position
        return f"{self.name}:{self._line}"

    def match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """What a pattern that matches the empty string too finds here, and none of it behind the end of the text."""
        while True:
            match = pattern.match(self.text, self.at)
            assert match is not None
            if match.end() < len(self.text) or not self._read_on():
                return match

    def skip(self, pattern: re.Pattern[str]) -> None:
        """Goes on behind what a pattern matches."""
        self.at = self.match(pattern).end()

    def take(self, decode: _Decode) -> tuple[Any, str, UnfitValue | None]:
        """The value that begins here, its text, and why it cannot be kept; goes on behind it.

        What the end of the text may have cut or broken is decoded again with more of it, twice as much each time.
        """
        while True:
            try:
                value, end, unfit = decode(self.text, self.at)
            except ValueError as error:
                if _may_be_cut(self.text, error) and self._read_on():
                    continue
                if isinstance(error, json.JSONDecodeError) and error.lineno == 1:
                    error.colno += self._column
                raise
            if end + _AHEAD <= len(self.text) or not self._read_on():
                break
        raw = self.text[self.at : end]
        if len(raw) > _MAX_VALUE:
            raise _too_long(self.place(self.at))
        self.at = end
        return value, raw, unfit

    def _read_on(self) -> bool:
        """Drops what is done and reads as much again as is left of the text; False at the end of the file."""
        num_left = len(self.text) - self.at
        if num_left >= _MAX_VALUE + _AHEAD:
            raise _too_long(self.place(self.at))
        data = self._file.read(max(_BLOCK, min(num_left, _MAX_VALUE - num_left)))
        more = self._decoder.decode(data, final=not data)
        if not data and not more:
            return False
        self.place(self.at)  # counts the lines that go
        newline = self.text.rfind("\n", 0, self.at)
        self._column = self.at - newline - 1 + (self._column if newline < 0 else 0)
        self.text, self.at, self._counted_to = self.text[self.at :] + more, 0, 0
        return True


def _may_be_cut(text: str, error: ValueError) -> bool:
    """Whether it may be the end of the text that breaks a value: more of it must then be read to tell."""
    if isinstance(error, json.JSONDecodeError):
        return error.msg.startswith("Unterminated string") or _NEAR_END.fullmatch(text, error.pos) is not None
    return text[-1] in "0123456789.eE+-"  # a whole number of too many digits, if its end is here


def _elements(window: _Window, bad_rows: Quarantine, array: str | None) -> Iterator[JsonRow]:
    """The elements of the array or object that begins here; goes on to what stands behind it."""
    opening, number = window.text[window.at], 0
    kind, closing = _KINDS[opening], _CLOSING[opening]
    decode: _Decode = decode_value if opening == "[" else partial(_decode_member, array=array)
    window.at += 1
    window.skip(_SPACES)
    if closed := window.text.startswith(closing, window.at):
        window.at += 1
        window.skip(_SPACES)
    while not closed:
        here, number = window.place(window.at), number + 1
        try:
            value, raw, unfit = window.take(decode)
            if value is _ITS_ELEMENTS:
                yield from _elements(window, bad_rows, None)
            else:
                row = JsonRow(f"{window.name}#{number}", here, value, raw)
                if unfit is not None:
                    bad_rows.add(row.bad(unfit.reason, str(unfit)))
                elif array is None:
                    yield from if_text(row, bad_rows)
        except (ValueError, RecursionError) as error:
            place = window.place(error.pos) if isinstance(error, json.JSONDecodeError) else here
            raise _broken(place, kind, fault(error)) from error
        after = window.match(_AFTER_ELEMENT)
        if after[1] not in (",", closing):
            raise _broken(window.place(window.at), kind, f"the JSON {kind} goes on without ',' or {closing!r}")
        closed, window.at = after[1] == closing, after.end()


def _decode_member(text: str, position: int, array: str | None) -> tuple[Any, int, UnfitValue | None]:
    """A member as an object of its own; of the one called `array`, if it is one, only where its array begins."""
    name, value_at = _decode_name(text, position)
    if name == array and text.startswith("[", value_at):
        return _ITS_ELEMENTS, value_at, None
    value, end, unfit = decode_value(text, value_at, unique=True)
    return {name: value}, end, unfit


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


def _broken(place: str, kind: str, fact: str) -> SourceError:
    way_out = f"the rest of the {kind} cannot be read: mend the file, or get it again"
    return SourceError(f"{place}: {fact}; {way_out}")


def _too_long(place: str) -> SourceError:
    return SourceError(
        f"{place}: one JSON value of more than {_MAX_VALUE >> 20} MiB; a row is never so long: is a bracket or a line "
        "end missing? split the file"
    )
