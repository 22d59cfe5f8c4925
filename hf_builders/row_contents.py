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
        prompts, answers, rows, prompt_hashes, answer_hashes = (
            np.concatenate(each) for each in zip(*parts, strict=True)
        )
        ids = pa.chunked_array([pa.concat_arrays(table["id" if "id" in table.column_names else "example_id"].chunks)])
    hashes = {"row": rows}
    if prompts.any() and "labels" in table.column_names:
        hashes |= {"prompt": prompt_hashes, "answer": answer_hashes}
    return RowContents(ids, prompts, answers, hashes)


_ANSWER, _BORDERS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
"""Tell what a row is made of apart: any odd numbers do."""


def _read(batch: pa.RecordBatch) -> tuple[IntArray, IntArray, Hashes, Hashes, Hashes]:
    """Of each row how long prompt and answer are, and the hashes of the row, its prompt and its answer."""
    column = batch.column("input_ids")
    ids = column.flatten().to_numpy()
    lengths = column.value_lengths().to_numpy().astype(np.int64)
    if "labels" in batch.schema.names:
        is_answer = batch.column("labels").flatten().to_numpy() != IGNORE_INDEX
    else:
        is_answer = _in_answer(batch, lengths)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    answers = np.diff(np.concatenate([[0], np.cumsum(is_answer)])[ends])
    prompts = lengths - answers
    of_prompts, of_answers = _hashes(ids[~is_answer], prompts), _hashes(ids[is_answer], answers)
    rows = of_prompts + of_answers * _ANSWER + _border_hashes(is_answer, ends) * _BORDERS
    return prompts, answers, rows, of_prompts, of_answers


def _border_hashes(is_answer: BoolArray, ends: IntArray) -> Hashes:
    """A number for where in each row prompt turns into answer, or back: of two rows with the same prompt and answer
    tokens these may lie otherwise."""
    is_border = np.diff(is_answer, prepend=False)
    is_border[ends[:-1]] = is_answer[ends[:-1]]
    borders = np.flatnonzero(is_border)
    rows = np.searchsorted(ends, borders, side="right") - 1
    return _hashes(borders - ends[rows], np.bincount(rows, minlength=len(ends) - 1))


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
    starts = ends - lengths
    places = np.arange(len(ids))
    places -= np.repeat(starts, lengths)
    terms = _numbers(int(lengths.max(initial=0))).take(places)
    terms *= ids.astype(np.uint64) + np.uint64(1)
    sums = np.zeros(len(ids) + 1, np.uint64)
    np.cumsum(terms, out=sums[1:])  # overflow is meant
    hashes: Hashes = sums[ends] - sums[starts]
    return hashes


_drawn: Hashes = np.zeros(0, np.uint64)


def _numbers(count: int) -> Hashes:
    """As many odd random numbers, the same in every process."""
    global _drawn
    if len(_drawn) < count:
        _drawn = np.random.PCG64(7).random_raw(2 * count) | np.uint64(1)
    return _drawn
