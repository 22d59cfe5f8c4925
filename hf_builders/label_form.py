"""Token rows in, what can be proven of their labels without the records they were made of, out.

Every label is its token's own id or -100, and something is trained. With the tokenizer also: each trained span begins
where the chat template lets the model begin to speak, nobody else speaks in it, and its end is trained.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import datasets
import numpy as np
import pyarrow as pa

from collators import IGNORE_INDEX
from collators.template_frames import Frame, read_frame
from hf_builders.check_results import SplitResult
from hf_builders.labelled_spans import BoolArray, Labelled, Row, Span, turn_rows
from hf_builders.packed_rows import unpacked
from hf_builders.token_columns import TokenColumns
from hf_builders.turn_openings import TurnOpenings

_BATCH_SIZE = 1000
_NUM_EXPLAINED = 10
"""Rows that failed and are looked at closely, to say why."""

ALL_TRAINED = "whether prompts were to be trained too: {rows} are trained from end to end"
PARTLY_TRAINED = "whether what is not trained was to be left out: of loss=all, {rows} are not trained from end to end"
NO_MARKS = (
    "who says what is trained: in {rows} the tokenizer's chat template marks no speaker; is it the tokenizer, and the "
    "template, of these rows?"
)
CUT = "what ends the last answer: {rows} end without, and are as long as the longest, so that they may have been cut"


@dataclass
class FormCheck(SplitResult):
    """Numbers of rows where nothing else is said."""

    columns: ClassVar[tuple[str, ...]] = ("rows", "trained spans", "ends trained", "no end", "not proven", "failed")

    rows: int = 0
    """Token rows; of packed ones those they hold."""
    spans: int = 0
    """Trained spans, each of one turn; counted where a template says where turns are."""
    ends: int = 0
    """Spans whose end is trained."""
    without_end: int = 0
    """Spans behind which the template writes no end, or which `max_length` cut."""
    not_proven: Counter[str] = field(default_factory=Counter)
    """Rows that did not fail, by what is not proven of them."""

    def counts(self) -> list[int]:
        return [self.rows, self.spans, self.ends, self.without_end, self.not_proven.total(), self.failed]

    def unproven(self) -> Iterator[str]:
        """A line for each kind of row of which something is not proven."""
        for what, num_rows in self.not_proven.items():
            yield what.format(rows=f"{num_rows:,} rows")


@dataclass(frozen=True)
class Rules:
    """How rows were made, as far as it is known; None is not known."""

    template: str | None = None
    """As it was given to `tokenize`, like `chat_template_kwargs`, `loss`, `overflow` and `max_length`."""
    chat_template_kwargs: dict[str, Any] | None = None
    loss: str | None = None
    overflow: str | None = None
    max_length: int | None = None
    packed_length: int | None = None
    """Tokens of a packed row at most."""
    is_text: bool = False
    """Whether they are known to be plain texts."""


def check_form(
    rows: datasets.Dataset,
    tokenizer: Any | None = None,
    rules: Rules | None = None,
    *,
    progress: Callable[[int], None] = lambda num_rows: None,
) -> FormCheck:
    """Check token rows, packed or not, by themselves.

    Args:
        rows: `input_ids` and `labels` as `why_no_token_rows` wants them; packed rows with `seq_lengths` too. What an
            `attention_mask` says is padding must not be trained, and is left aside.
        tokenizer: that of the rows; without it only ids and labels are compared.
        rules: what is known of how they were made.
        progress: called with the number of rows done since the last call.

    >>> rows = datasets.Dataset.from_dict({"input_ids": [[5, 6, 7], [5, 6, 7]], "labels": [[-100, 6, 7], [6, 7, 0]]})
    >>> check_form(rows).offenders
    ['row 1: has the ids of the next tokens for labels; a model shifts labels itself, leave them as they are']
    """
    return _FormChecker(tokenizer, rules or Rules()).check(rows, progress)


_SHIFTED = "has the ids of the next tokens for labels; a model shifts labels itself, leave them as they are"


class _FormChecker:
    def __init__(self, tokenizer: Any | None, rules: Rules) -> None:
        self._tokenizer, self._rules, self._found = tokenizer, rules, FormCheck()
        self._is_all = rules.loss == "all" or rules.is_text  # prompts are trained too
        self._limit = rules.max_length or int(np.iinfo(np.int32).max)
        self._cut_length = self._limit if rules.overflow == "truncate" else 0
        self._openings: TurnOpenings | None = None
        if tokenizer is not None and not self._is_all:
            self._frame: Frame = read_frame(tokenizer, rules.template, rules.chat_template_kwargs)
            self._openings = TurnOpenings(tokenizer, self._frame, rules.template, rules.chat_template_kwargs)

    def check(self, rows: datasets.Dataset, progress: Callable[[int], None]) -> FormCheck:
        columns = TokenColumns(rows.features.arrow_schema, self._found.fail)
        tables = rows.with_format("arrow")
        if self._rules.overflow is None and self._openings is not None:
            self._cut_length = max(map(columns.longest, tables.iter(_BATCH_SIZE)), default=0)
        for table in tables.iter(_BATCH_SIZE):
            read = columns.read(table)
            if columns.is_packed:
                length = self._rules.packed_length or self._limit
                read = unpacked(read, self._found.fail, max_length=length, first_trained=self._is_all)
            self._found.rows += len(read)
            for batch in read.combine_chunks().to_batches():
                self._check_batch(batch)
            progress(len(table))
        return self._found

    def _check_batch(self, batch: pa.RecordBatch) -> None:
        labelled, names = Labelled.of(batch), batch["id"]
        faults = labelled.faults(self._limit, all_trained=self._rules.is_text) | self._unknown_ids(labelled)
        for number, fault in faults.items():
            self._found.fail(names[number], _SHIFTED if _is_shifted(labelled, number) else fault)
        is_good = np.ones(len(batch), np.bool_)
        is_good[list(faults)] = False
        is_whole = _are_trained_from_end_to_end(labelled)
        if self._is_all:
            self._note(PARTLY_TRAINED, int((is_good & ~is_whole).sum()))
        elif self._rules.loss is None:
            self._note(ALL_TRAINED, int((is_good & is_whole).sum()))
            is_good &= ~is_whole
        if self._openings is None:
            return
        can_be_cut = np.diff(labelled.starts) == self._cut_length
        rows = turn_rows(labelled, self._frame, _not_decoded, trained=True, can_be_cut=can_be_cut)
        for number in np.flatnonzero(is_good).tolist():
            self._check_row(names[number], rows[number])

    def _unknown_ids(self, labelled: Labelled) -> dict[int, str]:
        if self._tokenizer is None:
            return {}
        is_known = (labelled.ids >= 0) & (labelled.ids < len(self._tokenizer))
        places = np.flatnonzero(~is_known)
        return {
            int(row): f"has the id {labelled.ids[place]}, which the tokenizer has not"
            for row, place in zip(labelled.row_of(places), places, strict=True)
        }

    def _check_row(self, name: pa.Scalar, row: Row) -> None:
        assert self._openings is not None
        # The first token of a row is never predicted, so that nothing is said by training it alone.
        spans = [span for span in row.spans if span.end > 1] if self._openings else []
        wrong, fault = next(((span, fault) for span in spans if (fault := self._fault(row, span))), (None, ""))
        if not spans or (wrong is not None and not self._openings.is_marked(row.ids)):
            self._note(NO_MARKS, 1)
        elif wrong is not None:
            words = self._decode(row.ids[wrong.start : wrong.end - wrong.is_ended])
            self._found.fail(name, fault, words)
        else:
            self._found.spans += len(spans)
            self._found.ends += sum(span.is_ended for span in spans)
            self._found.without_end += sum(not span.is_ended for span in spans)
            if self._rules.overflow is None and self._frame.ends_last:
                self._note(CUT, any(row.is_open(span) for span in spans))

    def _note(self, what: str, num_rows: int) -> None:
        self._found.not_proven += Counter({what: num_rows})  # none of 0

    def _fault(self, row: Row, span: Span) -> str:
        assert self._openings is not None
        if not self._openings.is_at_opening(row.ids, span.start):
            is_explained = self._found.failed < _NUM_EXPLAINED
            return self._openings.fault(row.ids, span.start) if is_explained else "begins where no answer begins"
        if not self._openings.others.isdisjoint(row.ids[span.start : span.end - span.is_ended]):
            return "is trained, and another begins to speak in it"
        if span.is_ended or row.is_open(span):
            return ""
        if span.end == len(row.ids):
            return "is trained, and what ends the turn is not there" if self._frame.ends_last else ""
        following = row.ids[span.end]
        if following in self._frame.ends:
            return f"is trained, and its end, {self._decode([following])}, is not"
        if self._frame.ends_others and not self._openings.is_before_thoughts(row.ids, span.end):
            return "is trained, and what follows in the turn is not"
        return ""

    def _decode(self, ids: Any) -> str:
        assert self._tokenizer is not None
        return str(self._tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=False))


def _not_decoded(spans: list[list[int]]) -> list[str]:
    return [""] * len(spans)


def _is_shifted(labelled: Labelled, row: int) -> bool:
    """Whether labels are those of the next token, as if the model did not shift them itself."""
    start, end = labelled.starts[row], labelled.starts[row + 1]
    ids, labels = labelled.ids[start + 1 : end], labelled.labels[start : end - 1]
    is_trained = labels != IGNORE_INDEX
    is_other = labels != labelled.ids[start : end - 1]
    return bool((is_trained & is_other).any() and (ids == labels)[is_trained].all())


def _are_trained_from_end_to_end(labelled: Labelled) -> BoolArray:
    """Of each row, whether all tokens are trained but the first, which is never predicted."""
    is_untrained = ~labelled.is_trained
    is_untrained[labelled.starts[:-1][np.diff(labelled.starts) > 0]] = False
    is_whole = np.ones(len(labelled.starts) - 1, np.bool_)
    is_whole[labelled.row_of(np.flatnonzero(is_untrained))] = False
    return is_whole
