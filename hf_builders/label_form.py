"""Token rows in, what can be proven of their labels without the records they were made of, out.

Every label is its token's own id or -100, and something is trained. With the tokenizer also: what is trained is said by
an assistant, as the chat template marks who speaks, and the token that ends a trained turn is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import datasets
import numpy as np
import pyarrow as pa

from collators.stretches import NOBODY, UNTRAINED, stretches_of
from collators.template_frames import Frame, read_frame
from hf_builders.check_results import SplitResult
from hf_builders.labelled_spans import Labelled, Row, turn_rows, uneven
from hf_builders.packed_rows import is_packed, token_row_batches

_ASSISTANT = "assistant"
_NO_LIMIT = np.iinfo(np.int32).max


@dataclass
class FormCheck(SplitResult):
    """Numbers of rows where nothing else is said."""

    columns: ClassVar[tuple[str, ...]] = ("rows", "trained spans", "ends trained", "failed")

    rows: int = 0
    spans: int = 0
    """Trained spans, each of one turn; not counted without a tokenizer."""
    ends: int = 0
    """Spans whose end is trained."""

    def counts(self) -> list[int]:
        return [self.rows, self.spans, self.ends, self.failed]


def check_form(
    rows: datasets.Dataset,
    tokenizer: Any | None = None,
    *,
    template: str | None = None,
    chat_template_kwargs: dict[str, Any] | None = None,
    max_length: int | None = None,
    progress: Callable[[int], None] = lambda num_rows: None,
) -> FormCheck:
    """Check token rows, packed or not, by themselves.

    Args:
        rows: `input_ids` and `labels`; packed rows with `seq_lengths` and `position_ids` too.
        tokenizer: that of the rows; without it only ids and labels are compared.
        template, chat_template_kwargs: as they were given to `tokenize`.
        max_length: of a row, where it is known.
    """
    frame = read_frame(tokenizer, template, chat_template_kwargs) if tokenizer is not None else None
    return _FormChecker(tokenizer, frame, max_length or _NO_LIMIT).check(rows, progress)


class _FormChecker:
    def __init__(self, tokenizer: Any | None, frame: Frame | None, max_length: int) -> None:
        self._tokenizer, self._frame, self._max_length = tokenizer, frame, max_length
        self._found = FormCheck()

    def check(self, rows: datasets.Dataset, progress: Callable[[int], None]) -> FormCheck:
        rows = _with_names(rows)
        for table in token_row_batches(rows, self._found.fail, max_length=self._max_length, first_trained=False):
            for batch in table.combine_chunks().to_batches():
                self._found.rows += len(batch)
                self._check_batch(batch)
                progress(len(batch))
        return self._found

    def _check_batch(self, batch: pa.RecordBatch) -> None:
        is_uneven = uneven(batch)
        for name in batch["id"].filter(pa.array(is_uneven)).to_pylist():
            self._found.fail(name, "has not one label for each of its ids")
        batch = batch.filter(pa.array(~is_uneven))
        labelled = Labelled.of(batch)
        faults, names = labelled.faults(self._max_length, all_trained=False), batch["id"].to_pylist()
        for number, fault in faults.items():
            self._found.fail(names[number], fault)
        if self._frame is None or self._tokenizer is None:
            return
        decode_all = partial(self._tokenizer.backend_tokenizer.decode_batch, skip_special_tokens=False)
        never_cut = np.zeros(len(batch), np.bool_)
        spoken = turn_rows(labelled, self._frame, decode_all, trained=True, can_be_cut=never_cut)
        for number, row in enumerate(spoken):
            labels = labelled.labels[labelled.starts[number] : labelled.starts[number + 1]].tolist()
            if number not in faults:
                self._check_row(names[number], row, labels)

    def _check_row(self, name: str, row: Row, labels: list[int]) -> None:
        assert self._frame is not None
        is_all_trained = all(label == id_ for id_, label in zip(row.ids[1:], labels[1:], strict=True))
        self._found.spans += len(row.spans)
        self._found.ends += sum(span.is_ended for span in row.spans)
        if is_all_trained:  # a plain text, or loss=all: nobody is marked
            return
        for stretch in stretches_of(row.ids, labels, [0], self._tokenizer, self._frame):
            if stretch.mark != UNTRAINED and stretch.role not in (_ASSISTANT, NOBODY):
                self._found.fail(name, f"is trained, and {stretch.role} says it", stretch.text)
                return
        for span in row.spans:
            following = row.ids[span.end] if span.end < len(row.ids) else None
            if not span.is_ended and following in self._frame.ends:
                end = self._tokenizer.convert_ids_to_tokens(following)  # type: ignore[union-attr]
                self._found.fail(name, f"is trained, and its end, {end}, is not", span.text)
                return


def _with_names(rows: datasets.Dataset) -> datasets.Dataset:
    """The rows with what `token_row_batches` reads, where others left it out: the number of a row for its id."""
    if is_packed(rows):
        return rows
    table = rows.with_format("arrow")
    columns = set(rows.column_names)

    def completed(batch: pa.Table, indices: list[int]) -> pa.Table:
        if "id" not in columns:
            batch = batch.append_column("id", pa.array([f"row {index}" for index in indices]))
        if "length" not in columns:
            lengths = pa.compute.list_value_length(batch["input_ids"]).cast(pa.int32())
            batch = batch.append_column("length", lengths)
        return batch

    if {"id", "length"} <= columns:
        return rows
    return table.map(completed, batched=True, with_indices=True)
