"""Stretches of a token row in, an SVG picture out; for pages such as a README on GitHub, which show no HTML."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from collators.painting import CLASSES, LEGEND, notes_of
from collators.stretches import ShownToken, Stretch
from collators.token_texts import visible

_COLUMNS = 72
"""Cells of text on a line; a Chinese character takes two."""
_HEAD_COLUMNS = 20
"""Cells for mark, role and number of tokens."""
_LONGEST_UNBROKEN = 16
"""Cells of a token that rather begins a new line than be cut."""
_CELL, _LINE, _MARGIN = 8, 25, 14
"""Pixels: width of a cell, height of a line, space around everything."""
_WIDTH = 2 * _MARGIN + (_HEAD_COLUMNS + _COLUMNS) * _CELL

# The second half is for readers whose pages are dark.
_STYLE = """
text{font-family:ui-monospace,Menlo,Consolas,"Noto Sans Mono CJK SC",monospace;font-size:13px}
text{fill:#1f2328;white-space:pre}
.head{fill:#59636e}.control{font-weight:bold}.ids{font-size:10px}.untrained text{fill:#59636e}
.trained rect{fill:#aceebb}.untrained rect{fill:#eaeef2}.wrong rect{fill:#ffaba8}
.page{fill:#fff;stroke:#d1d9e0}line{stroke:#818b98;stroke-dasharray:4}
@media(prefers-color-scheme:dark){
text{fill:#f0f6fc}.head,.untrained text{fill:#b7bdc8}
.trained rect{fill:#196c2e}.untrained rect{fill:#2a313c}.wrong rect{fill:#b62324}
.page{fill:#0d1117;stroke:#3d444d}}
"""


class _Piece(NamedTuple):
    """What of a token stands on one line."""

    line: int
    column: int
    text: str
    is_control: bool

    @property
    def width(self) -> int:
        """In cells."""
        return sum(map(_width, self.text))


def paint_svg(stretches: Sequence[Stretch], ids: bool) -> str:
    """A picture that is the same wherever it is made, and reads well on white and on black."""
    body: list[str] = []
    top = _MARGIN  # pixels
    for before, stretch in zip([None, *stretches], stretches, strict=False):
        if before is not None and before.record != stretch.record:
            body.append(f'<line x1="{_MARGIN}" x2="{_WIDTH - _MARGIN}" y1="{top + 5}" y2="{top + 5}"/>')
            top += 10
        pieces = list(_wrap(stretch.tokens))
        head = f"{stretch.mark} {stretch.role:{_HEAD_COLUMNS - 9}} {len(stretch.ids):5}"
        body += [
            f'<g class="{CLASSES[stretch.mark]}">',
            _head(head, top),
            *(_draw(each, top) for each in pieces),
            "</g>",
        ]
        top += _LINE * (1 + max((piece.line for piece in pieces), default=0))
        for note in notes_of(stretch, ids):
            for line in textwrap.wrap(note, _COLUMNS * 13 // 10):  # smaller letters
                place = f'x="{_MARGIN + _HEAD_COLUMNS * _CELL}" y="{top + 8}"'
                body.append(f'<text class="head ids" {place}>{line}</text>')
                top += 14
    top += _LINE // 2
    marks = {stretch.mark for stretch in stretches}
    for mark in [mark for mark in LEGEND if mark in marks]:
        legend = _Piece(0, 2 - _HEAD_COLUMNS, LEGEND[mark], False)
        body.append(f'<g class="{CLASSES[mark]}">{_head(mark, top)}{_draw(legend, top)}</g>')
        top += _LINE
    return _page(body, top + _MARGIN)


def _page(body: Sequence[str], height: int) -> str:
    """The whole file around what was drawn."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
            f'viewBox="0 0 {_WIDTH} {height}" role="img" xml:space="preserve">',
            f"<title>Which tokens are trained</title><style>{_STYLE}</style>",
            f'<rect class="page" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="6"/>',
            *body,
            "</svg>\n",
        ]
    )


def _wrap(tokens: Sequence[ShownToken]) -> Iterator[_Piece]:
    line = column = 0
    for token in tokens:
        text = visible(token.text)
        width = sum(map(_width, text))
        if column + width > _COLUMNS and width <= _LONGEST_UNBROKEN:
            line, column = line + 1, 0
        while text:
            num = _num_fitting(text, _COLUMNS - column)
            if num:
                piece = _Piece(line, column, text[:num], token.is_control)
                yield piece
                column, text = column + piece.width, text[num:]
            if text:
                line, column = line + 1, 0


def _num_fitting(text: str, columns: int) -> int:
    """How many characters of `text` have room in so many cells."""
    width = 0
    for num, char in enumerate(text):
        width += _width(char)
        if width > columns:
            return num
    return len(text)


def _width(char: str) -> int:
    """Cells of a character: none for one that is written over the last."""
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _head(text: str, top: int) -> str:
    return f'<text class="head" x="{_MARGIN}" y="{top + 16}">{escape(text)}</text>'


def _draw(piece: _Piece, top: int) -> str:
    """A box around each token, so that one sees where tokens begin; its text as wide as its cells in any font."""
    left, y = _MARGIN + (_HEAD_COLUMNS + piece.column) * _CELL, top + piece.line * _LINE
    width = piece.width * _CELL
    if not width:
        return ""
    control = ' class="control"' if piece.is_control else ""
    return (
        f'<rect x="{left}" y="{y}" width="{width - 1}" height="{_LINE - 4}" rx="2"/>'
        f'<text{control} x="{left}" y="{y + 15}" textLength="{width - 1}" lengthAdjust="spacingAndGlyphs">'
        f"{escape(piece.text)}</text>"
    )
