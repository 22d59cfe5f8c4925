"""The HTML of a topic's summary in, clean text with its headings out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from lxml import html
from lxml.html import HtmlElement

_BLOCKS = {
    "p", "div", "br", "hr", "pre", "blockquote", "section", "article", "ul", "ol", "li", "dl", "dt", "dd",
    "table", "caption", "tr", "h1", "h2", "h3", "h4", "h5", "h6",
}  # fmt: skip
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_CELLS = {"td", "th"}
_UNSEEN = ("script", "style")
_SPACES = re.compile(r"[ \t\r\n\f]+")
_ITEM = "- "
_CELL = " | "


class Section(NamedTuple):
    heading: str
    """Mostly a question; empty for what stands before the first one."""
    text: str


def sections_of(summary: str) -> list[Section]:
    """The sections of a summary, in order: a paragraph, list item or row of a table is a line, inline tags are gone.

    >>> sections_of("<p>A cold.</p><h3>What <i>helps</i>?</h3><ul><li>Rest &amp; tea</li><li>Sleep</li></ul>")
    [Section(heading='', text='A cold.'), Section(heading='What helps?', text='- Rest & tea\\n- Sleep')]
    """
    if not summary.strip():
        return []
    root = html.fragment_fromstring(summary, create_parent="div")
    for element in list(root.iter(*_UNSEEN)):
        element.drop_tree()
    lines = _Lines()
    lines.write(root)
    return [Section(heading, "\n".join(some)) for heading, some in lines.sections if heading or some]


def summary_text(sections: Iterable[Section]) -> str:
    """A paragraph for each section, its heading on the first line; empty where there is none."""
    return "\n\n".join("\n".join(filter(None, section)) for section in sections)


class _Lines:
    """Takes the elements of a summary and puts their text in lines below headings."""

    def __init__(self) -> None:
        self.sections: list[tuple[str, list[str]]] = [("", [])]
        self._line: list[str] = []
        self._mark = ""  # of an item, until the first text of it comes

    def write(self, element: HtmlElement) -> None:
        if not isinstance(element.tag, str):  # a comment
            return
        if element.tag in _HEADINGS:
            self._end_line()
            for line_break in element.iter("br"):
                line_break.tail = f" {line_break.tail or ''}"
            if heading := _tidy("".join(element.itertext())):
                self.sections.append((heading, []))
            return
        is_block = element.tag in _BLOCKS
        if is_block:
            self._end_line()
        if element.tag == "li":
            self._mark = _ITEM
        elif element.tag in _CELLS and _tidy("".join(self._line)):
            self._line.append(_CELL)
        self._line.append(element.text or "")
        for child in element:
            self.write(child)
            self._line.append(child.tail or "")
        if is_block:
            self._end_line()
            self._mark = "" if element.tag == "li" else self._mark

    def _end_line(self) -> None:
        if text := _tidy("".join(self._line)):
            self.sections[-1][1].append(self._mark + text)
            self._mark = ""
        self._line = []


def _tidy(text: str) -> str:
    """With single spaces; a no-break space within is the author's."""
    return _SPACES.sub(" ", text).strip()
