"""Token rows in an Arrow file in; how long prompt and answer of each are, and which rows say the same, out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from collators import IGNORE_INDEX

IntArray = np.ndarray[Any, np.dtype[np.int64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Hashes = np.ndarray[Any, np.dtype[np.uint64]]

_NUM_TOP, _NUM_NAMED = 10, 3


@dataclass(frozen=True)
class Repeated:
    """Which contents stand in more than one row."""

    contents: int
    """Different contents that do."""
    rows: int
    """Rows that hold one of them, less one for each: what would go if each stood there once."""
    top: list[dict[str, Any]]
    """The most frequent ones: `count` of their rows, and `ids` of the first three."""


@dataclass(frozen=True)
class RowContents:
    """N rows of one split. Prompt and answer are the tokens that are not trained and those that are, over all turns."""

    ids: pa.ChunkedArray
    prompt_lengths: IntArray
    answer_lengths: IntArray
    hashes: dict[str, Hashes]
    """Of the contents called `row`, `prompt` and `answer` (`row` alone, where nothing is a prompt)."""

    def repeated(self) -> dict[str, Repeated]:
        """By the name of the content."""
        return {name: self._repeated(hashes) for name, hashes in self.hashes.items()}

    def shared_with(self, other: RowContents) -> dict[str, int]:
        """How many of these rows have a content that a row of `other` has; by the name of the content."""
        names = [name for name in self.hashes if name in other.hashes and name != "answer"]  # many say "yes"
        return {name: int(np.isin(self.hashes[name], other.hashes[name]).sum()) for name in names}

    def _repeated(self, hashes: Hashes) -> Repeated:
        found, firsts, counts = np.unique(hashes, return_index=True, return_counts=True)
        is_more = counts > 1
        found, firsts, counts = found[is_more], firsts[is_more], counts[is_more]
        # The most frequent first; of equals the one that comes first.
        order = np.lexsort((firsts, -counts))[:_NUM_TOP]
        top = [
            {"count": int(counts[each]), "ids": self._ids_of(np.flatnonzero(hashes == found[each]))} for each in order
        ]
        return Repeated(len(found), int(counts.sum()) - len(found), top)

    def _ids_of(self, rows: IntArray) -> list[Any]:
        return self.ids.take(pa.array(rows[:_NUM_NAMED])).to_pylist()  # type: ignore[no-any-return]


def read_row_contents(path: Path) -> RowContents:
    """The contents of the token rows, or the windows, in a file as `prepare` writes it."""
    with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
        table = stream.read_all()
        parts = [_read(batch) for batch in table.to_batches() if len(batch)]
        prompts, answers, prompt_hashes, answer_hashes = (np.concatenate(each) for each in zip(*parts, strict=True))
        ids = pa.chunked_array([pa.concat_arrays(table["id" if "id" in table.column_names else "example_id"].chunks)])
    hashes = {"row": prompt_hashes * _OTHER + answer_hashes}
    if prompts.any() and "labels" in table.column_names:
        hashes |= {"prompt": prompt_hashes, "answer": answer_hashes}
    return RowContents(ids, prompts, answers, hashes)


_OTHER = np.uint64(0x9E3779B97F4A7C15)
"""Tells the two parts of a row apart: any odd number does."""


def _read(batch: pa.RecordBatch) -> tuple[IntArray, IntArray, Hashes, Hashes]:
    column = batch.column("input_ids")
    ids = column.flatten().to_numpy()
    lengths = column.value_lengths().to_numpy().astype(np.int64)
    if "labels" in batch.schema.names:
        is_answer = batch.column("labels").flatten().to_numpy() != IGNORE_INDEX
    else:
        is_answer = _in_answer(batch, lengths)
    ends = np.concatenate([[0], np.cumsum(is_answer)])[np.concatenate([[0], np.cumsum(lengths)])]
    answers = np.diff(ends)
    prompts = lengths - answers
    return prompts, answers, _hashes(ids[~is_answer], prompts), _hashes(ids[is_answer], answers)


def _in_answer(windows: pa.RecordBatch, lengths: IntArray) -> BoolArray:
    """Which tokens of windows are the answer; none, where the positions point at [CLS]."""
    firsts, lasts = (windows.column(name).to_numpy().astype(np.int64) for name in ("start_positions", "end_positions"))
    starts = np.cumsum(lengths) - lengths
    places = np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
    is_answer: BoolArray = (places >= np.repeat(firsts, lengths)) & (places <= np.repeat(lasts, lengths)) & (places > 0)
    return is_answer


def _hashes(ids: np.ndarray[Any, Any], lengths: IntArray) -> Hashes:
    """A number for the tokens of each row, sum of token × number of its place: two rows with other tokens, or one more
    at the end, share it with a chance of 2⁻⁶⁴ or so."""
    ends = np.cumsum(lengths)
    places = np.arange(len(ids)) - np.repeat(ends - lengths, lengths)
    terms = (ids.astype(np.uint64) + np.uint64(1)) * _numbers(int(lengths.max(initial=0)))[places]
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])  # overflow is meant
    hashes: Hashes = sums[ends] - sums[ends - lengths]
    return hashes


_drawn: Hashes = np.zeros(0, np.uint64)


def _numbers(count: int) -> Hashes:
    """As many odd random numbers, the same in every process."""
    global _drawn
    if len(_drawn) < count:
        _drawn = np.random.PCG64(7).random_raw(2 * count) | np.uint64(1)
    return _drawn
