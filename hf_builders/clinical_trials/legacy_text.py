"""Text of the legacy XML, wrapped and indented for reading, in; one line for each paragraph and list item out."""

from __future__ import annotations

import re
from typing import NamedTuple

_BULLET = re.compile(r"-\s{2,}(?=\S)")
_NUMBER = re.compile(r"([0-9]{1,3}\.)\s+(?=\S)")


class _Piece(NamedTuple):
    indent: int
    """Columns before its first character."""
    marker: str
    """`*` or a number with its full stop; empty for a paragraph."""
    lines: list[str]
    """As they stand, without what is around them."""


def unwrapped(text: str) -> str:
    """The text in the shape API v2 gives it: `* ` before list items, those inside others set in, no wrapped lines.

    >>> unwrapped("\\n    Inclusion Criteria:\\n\\n      -  adults who can\\n         read\\n\\n      -  others\\n")
    'Inclusion Criteria:\\n\\n* adults who can read\\n* others'
    """
    written: list[str] = []
    outer: list[_Piece] = []  # the list items that the piece stands in
    last: _Piece | None = None
    for piece in _pieces(text.expandtabs()):
        while outer and outer[-1].indent >= piece.indent:
            outer.pop()
        if last is not None:
            written.append("\n" if _is_next_item(piece, last) else "\n\n")
        set_in = " " * sum(len(item.marker) + 1 for item in outer)
        written.append(set_in + f"{piece.marker} {' '.join(piece.lines)}".lstrip())
        if piece.marker:
            outer.append(piece)
        last = piece
    return "".join(written)


def _is_next_item(piece: _Piece, last: _Piece) -> bool:
    """Whether both are items of one list, or the first comes after a list inside the item before it."""
    return bool(piece.marker and last.marker) and piece.indent <= last.indent


def _pieces(text: str) -> list[_Piece]:
    """Paragraphs and list items; a blank line ends either."""
    pieces: list[_Piece] = []
    goes_on = False
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped:
            goes_on = False
            continue
        indent = len(line) - len(line.lstrip())
        last = pieces[-1] if goes_on else None
        marker, content = _marked(stripped)
        if last is not None and not _begins_piece(marker, indent, last):
            last.lines.append(stripped)
        else:
            pieces.append(_Piece(indent, marker, [content]))
        goes_on = True
    return pieces


def _begins_piece(marker: str, indent: int, last: _Piece) -> bool:
    """Whether a line that no blank line comes before goes on with the piece, or begins the next."""
    if marker == "*":
        return True
    if marker:  # a wrapped line can begin with a number too
        return indent == last.indent if last.marker else indent > last.indent
    return bool(last.marker) and indent < last.indent


def _marked(line: str) -> tuple[str, str]:
    if bullet := _BULLET.match(line):
        return "*", line[bullet.end() :]
    if number := _NUMBER.match(line):
        return number[1], line[number.end() :]
    return "", line
