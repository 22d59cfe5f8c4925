"""Which of the known layouts of machine-reading data a raw file has, told from its beginning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from hf_builders.encodings import decode_keeping_bytes, source_encoding
from hf_builders.errors import SourceError
from hf_builders.sources import SourceFile

_NUM_BYTES = 1 << 20


class Layout(NamedTuple):
    told: str
    """What errors call it."""
    dataset: str
    """Which of ours reads it."""
    marks: str
    """A regular expression that finds it in the first megabyte of a file."""


def _keys(*names: str) -> str:
    return rf'(?<!\\)"(?:{"|".join(names)})"\s*:'


# In the order they are looked for: a DuReader row has `paragraphs` too, as SQuAD's articles have.
LES_CSV = Layout("the CSV of the LES cup of 2019 (content1 … content5)", "les_mrc", r"\A[^\n]*\bcontent1\b")
DUREADER = Layout("the JSON Lines of DuReader (a question with its documents)", "les_mrc", _keys("documents"))
LES_ARTICLES = Layout(
    "the article list of the LES cup of 2018", "les_mrc", _keys("article_content", "article_id", "article_title")
)
WEBQA = Layout("WebQA's (an object of questions, each with an object of evidences)", "webqa", _keys("evidences"))
CMRC_LIST = Layout(
    "the list of CMRC 2018 (context_text, qas, query_text)",
    "cmrc2018",
    r"\A\s*\[[\s\S]*?" + _keys("context_text", "context_id", "query_text", "query_id"),
)
SQUAD = Layout(
    "SQuAD's (an object with data, paragraphs, qas)",
    "cmrc2018",
    r"\A\s*\{[\s\S]*?" + _keys("data") + r"\s*\[[\s\S]*?" + _keys("paragraphs"),
)
_LAYOUTS = (LES_CSV, DUREADER, LES_ARTICLES, WEBQA, CMRC_LIST, SQUAD)


def start_of(source: SourceFile) -> str:
    """The first megabyte of a file as text."""
    with source.open() as file:
        return decode_keeping_bytes(file.read(_NUM_BYTES), source_encoding(source)).lstrip("\ufeff")


def layout_of(source: SourceFile, known: Sequence[Layout]) -> Layout:
    """The layout of a file.

    Raises:
        SourceError: it is none of those `known` to the dataset; names the one it has.
    """
    start = start_of(source)
    is_csv = PurePosixPath(source.name).suffix.lower() == ".csv"
    for layout in _LAYOUTS:
        if (layout is LES_CSV) == is_csv and re.search(layout.marks, start):
            if layout in known:
                return layout
            fact, way_out = f"is in the layout {layout.told}", f"load it with hf_builders/{layout.dataset}"
            break
    else:
        fact = f"is in no layout known here; it begins with {' '.join(start[:60].split())!r}"
        way_out = "is this a file of another dataset?"
    raise SourceError(f"{source.name}: {fact}; expected {' or '.join(each.told for each in known)}; {way_out}")
