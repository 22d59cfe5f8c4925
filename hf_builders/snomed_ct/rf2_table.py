"""A file of RF2 in, tables of its good rows out: tab-separated, without quotes, each row on a line of its own.

Ids become 64-bit integers, which hold their 18 digits exactly. `line` is where a row stands in its file.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from datasets.utils.logging import get_logger

from hf_builders.encodings import KEEP_BYTES, show_bytes
from hf_builders.errors import SourceError
from hf_builders.quarantine import BadRow
from hf_builders.snomed_ct.sctid import is_sctid
from hf_builders.sources import SourceFile, told_as_source_error

logger = get_logger(__name__)

Report = Callable[[BadRow], None]
"""Takes a bad row, or raises."""

_COMMON = ("id", "effectiveTime", "active", "moduleId")
_RELATIONSHIP = ("relationshipGroup", "typeId", "characteristicTypeId", "modifierId")
CONCEPT = (*_COMMON, "definitionStatusId")
DESCRIPTION = (*_COMMON, "conceptId", "languageCode", "typeId", "term", "caseSignificanceId")
RELATIONSHIP = (*_COMMON, "sourceId", "destinationId", *_RELATIONSHIP)
CONCRETE_VALUE = (*_COMMON, "sourceId", "value", *_RELATIONSHIP)
LANGUAGE_MEMBER = (*_COMMON, "refsetId", "referencedComponentId", "acceptabilityId")

_TEXTS = ("languageCode", "term", "value")
_BLOCK = 16 << 20
_TAB, _NEWLINE, _RETURN, _HASH = b"\t\n\r#"


def read_table(source: SourceFile, columns: Sequence[str], wanted: Sequence[str], report: Report) -> Iterator[pa.Table]:
    """The good rows, a block of the file at a time.

    Args:
        columns: those of the file, in this order.
        wanted: those of the tables; nothing is said of what is wrong in another.

    Raises:
        SourceError: the file is empty, or has another header.
    """
    num_comments = 0
    with told_as_source_error(source), source.open() as file:
        for block, first_line in _without_header(source, _blocks(source, file), columns):
            lines = _Lines(block, first_line)
            num_comments += int(lines.is_comment.sum())
            yield _parse(source, lines, columns, wanted, report)
    if num_comments:
        logger.warning(f"snomed_ct: {source.name}: passed over {num_comments:,} lines that begin with #")


class _Lines:
    """Whole lines of a file, and where each begins and ends."""

    def __init__(self, block: bytes, first_line: int) -> None:
        self.text = block
        characters = np.frombuffer(block, np.uint8)
        newlines = np.flatnonzero(characters == _NEWLINE)
        self.starts = np.concatenate(([0], newlines + 1))[:-1]
        has_return = (newlines > self.starts) & (characters[newlines - 1] == _RETURN)
        self.ends = newlines - has_return
        self.has_stray_return = int(np.count_nonzero(characters == _RETURN)) > int(has_return.sum())
        tabs = np.flatnonzero(characters == _TAB)
        self.num_tabs = np.diff(np.searchsorted(tabs, newlines), prepend=0)
        # No id begins with one: comments of hand-made test files, which the specification does not have.
        self.is_comment = characters[self.starts] == _HASH
        self.is_row = (self.ends > self.starts) & ~self.is_comment
        self.numbers = first_line + np.arange(len(newlines))

    def __getitem__(self, place: int | np.signedinteger[Any]) -> bytes:
        return self.text[self.starts[place] : self.ends[place]]


def _blocks(source: SourceFile, file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """The file in pieces of whole lines, each with the number of its first."""
    line, rest = 1, b""
    while data := file.read(_BLOCK):
        whole, newline, end = data.rpartition(b"\n")
        if newline:
            block, rest = rest + whole + newline, end
            yield block, line
            line += block.count(b"\n")
        else:
            rest += data
        if len(rest) > 4 * _BLOCK:
            raise SourceError(f"{source.name}:{line}: the line is longer than {4 * _BLOCK:,} bytes; is this RF2?")
    if rest:
        yield rest + b"\n", line


def _without_header(
    source: SourceFile, blocks: Iterator[tuple[bytes, int]], columns: Sequence[str]
) -> Iterator[tuple[bytes, int]]:
    """The blocks with a blank line in place of the header, before which comments may stand."""
    expected, is_found = "\t".join(columns), False
    for block, line in blocks:
        block = block.removeprefix(codecs.BOM_UTF8) if line == 1 else block
        begin, number = 0, line
        while not is_found and begin < len(block):
            end = block.index(b"\n", begin)
            text = block[begin:end].decode("utf-8", KEEP_BYTES).rstrip("\r")
            is_found = text == expected
            if is_found:
                block = block[:begin] + block[end:]
            elif text and not text.startswith("#"):
                raise SourceError(
                    f"{source.name}:{number}: the header is {show_bytes(text)!r:.200}; expected the columns "
                    f"{', '.join(columns)} with tabs between them; is this a file of another dataset?"
                )
            begin, number = end + 1, number + 1
        yield block, line
    if not is_found:
        raise SourceError(f"{source.name}: has no header; expected the columns {', '.join(columns)}")


def _parse(
    source: SourceFile, lines: _Lines, columns: Sequence[str], wanted: Sequence[str], report: Report
) -> pa.Table:
    problems = _problems_of_lines(lines, columns)
    good = np.flatnonzero(lines.is_row)
    good = good[~np.isin(good, list(problems))] if problems else good
    is_clean = not problems and not lines.is_comment.any()  # pyarrow passes over blank lines
    text = lines.text if is_clean else b"".join(lines[place] + b"\n" for place in good)
    table = _split(text, columns, wanted)
    is_right, typed = np.ones(len(table), bool), {}
    for name in wanted:
        is_right_here, typed[name], expected = _typed(name, table[name].combine_chunks(), columns)
        for row in np.flatnonzero(~is_right_here & is_right):
            cell = table[name][int(row)].as_py()
            problems[int(good[row])] = f"bad_{_REASONS.get(name, 'id')}", f"{name} is {cell!r:.60}; expected {expected}"
        is_right &= is_right_here
    for place, problem in sorted(problems.items()):
        report(_bad_row(source, lines, place, problem))
    typed_table = pa.table({**typed, "line": lines.numbers[good]})
    return typed_table if is_right.all() else typed_table.filter(pa.array(is_right))


_REASONS = {"effectiveTime": "effective_time", "active": "active", "relationshipGroup": "group"}


def _problems_of_lines(lines: _Lines, columns: Sequence[str]) -> dict[int, tuple[str, str]]:
    """By place in the block, what keeps a line from being split into columns."""
    problems = {}
    for place in np.flatnonzero(lines.is_row & (lines.num_tabs != len(columns) - 1)):
        fact = f"the row has {lines.num_tabs[place] + 1} columns; expected the {len(columns)}: {', '.join(columns)}"
        problems[int(place)] = "wrong_column_count", fact
    if lines.has_stray_return or not _is_utf8(lines.text):
        for place in np.flatnonzero(lines.is_row):
            if b"\r" in lines[place]:
                fact = "the row holds a carriage return, which RF2 has only at the end of a line"
                problems.setdefault(int(place), ("carriage_return", fact))
            if not _is_utf8(lines[place]):
                problems.setdefault(int(place), ("undecodable", "the row holds bytes that are no UTF-8 text"))
    return problems


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _split(text: bytes, columns: Sequence[str], wanted: Sequence[str]) -> pa.Table:
    """Lines that are known to be right as columns of text."""
    if not text:
        return pa.table({name: pa.array([], pa.string()) for name in wanted})
    return pyarrow.csv.read_csv(
        pa.BufferReader(text),
        pyarrow.csv.ReadOptions(column_names=list(columns), block_size=len(text) + 1, use_threads=False),
        pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False, double_quote=False, newlines_in_values=False),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            include_columns=list(wanted),
            strings_can_be_null=False,
            null_values=[],
        ),
    )


def _typed(name: str, cells: pa.Array, columns: Sequence[str]) -> tuple[np.ndarray, pa.Array, str]:
    """Which cells are right, the column with something else in place of the others, and what was expected."""
    if name in _TEXTS or (name == "id" and columns == LANGUAGE_MEMBER):  # their members have UUIDs
        return np.ones(len(cells), bool), cells, "text"
    if name == "active":
        is_right = pc.is_in(cells, pa.array(["0", "1"]))
        return _mask(is_right), pc.equal(cells, "1"), "0 or 1"
    if name == "effectiveTime":
        is_right = pc.and_(pc.ascii_is_decimal(cells), pc.equal(pc.binary_length(cells), 8))
        return _mask(is_right), pc.if_else(is_right, cells, "0").cast(pa.int32()), "a date as YYYYMMDD"
    if name == "relationshipGroup":
        is_right = pc.and_(pc.ascii_is_decimal(cells), pc.less(pc.binary_length(cells), 10))
        return _mask(is_right), pc.if_else(is_right, cells, "0").cast(pa.int32()), "a number"
    is_right = pa.array(is_sctid(cells))
    return _mask(is_right), pc.if_else(is_right, cells, "0").cast(pa.int64()), "a number of 6 to 18 digits"


def _mask(values: pa.Array) -> np.ndarray:
    mask: np.ndarray = values.to_numpy(zero_copy_only=False)
    return mask


def _bad_row(source: SourceFile, lines: _Lines, place: int, problem: tuple[str, str]) -> BadRow:
    raw = show_bytes(lines[place].decode("utf-8", KEEP_BYTES))
    id_ = raw.partition("\t")[0]
    named = f": {id_}" if 0 < len(id_) <= 36 else ""
    return BadRow(f"{source.name}:{lines.numbers[place]}{named}", *problem, raw=raw)
