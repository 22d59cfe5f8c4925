"""The HTML of a topic's summary in, clean text with its headings out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from lxml import html
from lxml.html import HtmlElement

_BLOCKS = {
    "p", "div", "br", "blockquote", "ul", "ol", "li", "dl", "dt", "dd", "table", "tr",
    "h1", "h2", "h3", "h4", "h5", "h6",
}  # fmt: skip
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_UNSEEN = ("script", "style")
_SPACES = re.compile(r"[ \t\r\n\f]+")
_ITEM = "- "
_HEADING_MARK = "\0"


class Section(NamedTuple):
    heading: str
    """Mostly a question; empty for what stands before the first one."""
    text: str


def sections_of(summary: str) -> list[Section]:
    """The sections of a summary, in its order: paragraphs and list items are lines, inline tags are gone.

    >>> sections_of("<p>A cold.</p><h3>What <i>helps</i>?</h3><ul><li>Rest &amp; tea</li><li>Sleep</li></ul>")
    [Section(heading='', text='A cold.'), Section(heading='What helps?', text='- Rest & tea\\n- Sleep')]
    """
    sections: list[tuple[str, list[str]]] = [("", [])]
    for line in _lines(summary):
        if line.startswith(_HEADING_MARK):
            sections.append((line.removeprefix(_HEADING_MARK), []))
        else:
            sections[-1][1].append(line)
    return [Section(heading, "\n".join(lines)) for heading, lines in sections if heading or lines]


def summary_text(sections: Iterable[Section]) -> str:
    """A paragraph for each section, its heading on the first line; empty where there is none."""
    return "\n\n".join("\n".join(filter(None, section)) for section in sections)


def _lines(summary: str) -> list[str]:
    if not summary.strip():
        return []
    root = html.fragment_fromstring(summary.replace(_HEADING_MARK, ""), create_parent="div")
    for element in list(root.iter(*_UNSEEN)):
        element.drop_tree()
    pieces: list[str] = []
    _write(root, pieces)
    lines = (_SPACES.sub(" ", line).strip(" ") for line in "".join(pieces).split("\n"))
    return [line for line in lines if line not in ("", _ITEM.strip(), _HEADING_MARK)]


def _write(element: HtmlElement, pieces: list[str]) -> None:
    """The text of an element; a block stands on lines of its own."""
    if not isinstance(element.tag, str):  # a comment
        pieces.append(element.tail or "")
        return
    is_block = element.tag in _BLOCKS
    if is_block:
        pieces.append("\n")
    if element.tag == "li":
        pieces.append(_ITEM)
    elif element.tag in _HEADINGS:
        pieces.append(_HEADING_MARK)
    pieces.append(_SPACES.sub(" ", element.text or ""))
    for child in element:
        _write(child, pieces)
    if is_block:
        pieces.append("\n")
    pieces.append(_SPACES.sub(" ", element.tail or ""))
