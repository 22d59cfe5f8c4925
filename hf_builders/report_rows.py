"""Token rows of a prepared folder in, what the report shows of some of them out: no other row is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.stretches import NOBODY, TRAINED, Stretch, stretches_of
from collators.template_frames import read_frame
from collators.turns import IGNORE_INDEX
from hf_builders.packed_rows import is_packed
from hf_builders.prepared_rows import PlacedRow

_Tokens = tuple[list[int], list[int]]
"""Ids and labels of a record or a window."""

_SYSTEM = "system"

NUM_ROWS = 50
"""Shown in all."""
_HEAD, _TAIL = 400, 150
"""Tokens of a long row that are shown; a row's size on the page has to be bounded."""
_PART_TOKENS, _PART_CHARS = 240, 120
"""Tokens that a repeated content is told by, and characters of what one speaker says."""


@dataclass(frozen=True)
class ShownRow:
    split: str
    place: int
    names: list[str]
    """The id of its record, or of its records."""
    num_tokens: int
    num_trained: int
    """Or tokens of the answer, in a window."""
    preview: str
    """The first words."""
    is_spoken: bool
    """The roles of its stretches say who speaks."""
    parts: list[list[Stretch]]
    """The row, or its beginning and its end."""
    num_hidden: int
    num_hidden_trained: int
    """Tokens between the two parts."""


@dataclass(frozen=True)
class Repeat:
    count: int
    ids: list[str]
    """Of the first rows that have the content."""
    parts: list[tuple[str, str]]
    """Its beginning: who speaks and the words, without control tokens."""


class RowReader:
    """Makes stretches of tokens, each of one speaker, of the rows of one tokenizer and template."""

    def __init__(self, tokenizer: Any, options: Mapping[str, Any]) -> None:
        """
        Args:
            options: the manifest's section `tokenize`; empty for windows.
        """
        self._tokenizer = tokenizer
        self._frame = read_frame(tokenizer, options.get("template"), options.get("chat_template_kwargs"))

    def shown(self, row: PlacedRow) -> ShownRow:
        """The whole row where it is short, else its beginning and end."""
        labelled = row.labelled
        ids, labels = labelled["input_ids"], labelled["labels"]
        num = len(ids)
        spans = [(0, num)] if num <= _HEAD + _TAIL else [(0, _HEAD), (num - _TAIL, num)]
        starts = _starts(row.row, num)
        parts = [self._stretches(ids, labels, starts, *span) for span in spans]
        words = [text for role, text in _words(parts[0]) if role != _SYSTEM]
        hidden = labels[spans[0][1] : spans[-1][0]]
        return ShownRow(
            row.split,
            row.place,
            _names(row.row),
            num,
            _num_trained(labels),
            words[0] if words else "",
            _is_spoken(parts[0]),
            parts,
            len(hidden),
            _num_trained(hidden),
        )

    def beginning(self, record: _Tokens, kind: str) -> list[tuple[str, str]]:
        """The first words of one record, by speaker: of all of it (`row`), or of its `prompt` or `answer`."""
        ids, labels = record
        wanted = {"row": (True, False), "prompt": (False,), "answer": (True,)}[kind]
        first = (
            next((place for place, label in enumerate(labels) if label != IGNORE_INDEX), 0) if kind == "answer" else 0
        )
        end = min(first + _PART_TOKENS, len(ids))
        stretches = self._stretches(ids, labels, [0], first, end)
        parts = _words([stretch for stretch in stretches if (stretch.mark == TRAINED) in wanted])
        # What many rows have before the first turn tells none of them apart.
        parts = [each for each in parts if each[0] != _SYSTEM] or parts
        parts = parts if _is_spoken(stretches) else [("", text) for _, text in parts]
        is_more = any((label != IGNORE_INDEX) in wanted for label in labels[end:])
        return [*parts, ("", "…")] if is_more else parts

    def _stretches(
        self, ids: Sequence[int], labels: Sequence[int], starts: Sequence[int], first: int, end: int
    ) -> list[Stretch]:
        inside = [start - first for start in starts if first < start < end]
        return stretches_of(ids[first:end], labels[first:end], [0, *inside], self._tokenizer, self._frame)


def _is_spoken(stretches: Sequence[Stretch]) -> bool:
    """Whether the roles of the stretches say anything: of a text without speakers, what is trained is `assistant`."""
    return not {stretch.role for stretch in stretches} <= {NOBODY, "assistant"}


def _words(stretches: Sequence[Stretch]) -> list[tuple[str, str]]:
    """Who says what, without what the template writes around it as far as that can be told."""
    parts = []
    for stretch in stretches:
        text = "".join(token.text for token in stretch.tokens if not token.is_control)
        # Some templates write a role as an ordinary word on a line of its own.
        text = text.strip().removeprefix(f"{stretch.role}\n").strip()
        if text and text != stretch.role:
            role = "" if stretch.role == NOBODY else stretch.role
            parts.append((role, f"{text[:_PART_CHARS]}…" if len(text) > _PART_CHARS else text))
    return parts


def _num_trained(labels: Sequence[int]) -> int:
    return sum(label != IGNORE_INDEX for label in labels)


def _names(row: Mapping[str, Any]) -> list[str]:
    return list(row["ids"]) if "ids" in row else [next(row[name] for name in ("id", "example_id") if name in row)]


def _starts(row: Mapping[str, Any], num_tokens: int) -> list[int]:
    """Where the records of the row begin."""
    return [0, *accumulate(row["seq_lengths"])][:-1] if "seq_lengths" in row else [0]


def evenly_spaced(splits: Mapping[str, datasets.Dataset], total: int = NUM_ROWS) -> Iterator[PlacedRow]:
    """Rows from the beginning of each split to its end: a smaller share of the later splits, the rest of the first."""
    others = total // (len(splits) + 1)
    for number, (name, rows) in enumerate(splits.items()):
        count = min(len(rows), others if number else total - others * (len(splits) - 1))
        for place in np.linspace(0, len(rows) - 1, count).round().astype(int).tolist():
            yield PlacedRow(name, place, rows[place])


def repeats(rows: datasets.Dataset, kind: str, top: Sequence[Mapping[str, Any]], reader: RowReader) -> list[Repeat]:
    """The most frequent contents of a split, as `statistics` has them, with the text of each."""
    records = _records(rows, [id_ for each in top for id_ in each["ids"]])
    return [
        Repeat(each["count"], each["ids"], reader.beginning(_shared(records, each["ids"]), kind))
        for each in top
        if each["ids"][0] in records
    ]


def _shared(records: Mapping[str, list[_Tokens]], ids: Sequence[str]) -> _Tokens:
    """The record; of an example the window that another of them has too, or that stands there twice."""
    first, *others = records[ids[0]], *(records.get(id_, []) for id_ in ids[1:])
    elsewhere = [tokens[0] for windows in others for tokens in windows]
    mine = [tokens[0] for tokens in first]
    return next((tokens for tokens in first if tokens[0] in elsewhere or mine.count(tokens[0]) > 1), first[0])


def _records(rows: datasets.Dataset, ids: Sequence[str]) -> dict[str, list[_Tokens]]:
    """Ids and labels of the token rows, or windows, of these records."""
    if is_packed(rows):
        return _packed_records(rows, ids)
    found: dict[str, list[_Tokens]] = {}
    name = "id" if "id" in rows.column_names else "example_id"
    for place in places_of(rows.data.column(name), ids):
        row = PlacedRow("", place, rows[place])
        found.setdefault(row.row[name], []).append((row.labelled["input_ids"], row.labelled["labels"]))
    return found


def _packed_records(rows: datasets.Dataset, ids: Sequence[str]) -> dict[str, list[_Tokens]]:
    names = rows.with_format("arrow")["ids"][:].combine_chunks()
    flat, offsets = names.flatten(), names.offsets.to_numpy()
    found: dict[str, list[_Tokens]] = {}
    for place in places_of(flat, ids):
        number = int(np.searchsorted(offsets, place, side="right")) - 1
        row, nth = rows[number], place - int(offsets[number])
        starts = _starts(row, len(row["input_ids"]))
        begin, end = starts[nth], starts[nth] + row["seq_lengths"][nth]
        found.setdefault(flat[place].as_py(), []).append((row["input_ids"][begin:end], row["labels"][begin:end]))
    return found


def places_of(column: pa.Array | pa.ChunkedArray, values: Iterable[str]) -> list[int]:
    """Where any of some values stands in a column, in order."""
    is_hit = pc.is_in(column, value_set=pa.array(list(values), column.type))
    places: list[int] = pc.indices_nonzero(is_hit).to_pylist()
    return places
