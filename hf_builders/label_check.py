"""A prepared folder in, a proof of its labels out: every row compared with the record it was made of.

Nothing here is shared with the code that makes labels: records are read again from the raw files, trained spans are
decoded, and the one must be what the assistant says in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.template_frames import Frame, read_frame
from hf_builders.check_results import Check, SplitResult
from hf_builders.errors import SourceError
from hf_builders.labelled_spans import Labelled, Row, text_rows, turn_rows, uneven
from hf_builders.packed_rows import record_ids, token_row_batches
from hf_builders.prepared_rows import PreparedRows, records_of
from hf_builders.prepared_split import digest_of_saved
from hf_builders.span_matching import Matcher
from hf_builders.spoken_turns import Said, Utterance, chosen_utterances

_NOT_ALL = "does not fit: with loss=all, every turn is trained but those of loss=false"


@dataclass
class SplitCheck(SplitResult):
    """Of token rows; numbers of rows where nothing else is said."""

    columns: ClassVar[tuple[str, ...]] = (
        "rows", "trained spans", "ends trained", "no end", "straddling", "cut", "failed",
    )  # fmt: skip

    rows: int = 0
    spans: int = 0
    """Trained spans, each of one turn."""
    ends: int = 0
    """Spans whose end is trained."""
    without_end: int = 0
    """Spans behind which the template writes no end: no model learns to stop there."""
    straddling: int = 0
    """Tokens that are half prompt and half answer; they are not trained."""
    cut: int = 0
    """Rows whose last turn was cut to `max_length`."""

    def counts(self) -> list[int]:
        return [self.rows, self.spans, self.ends, self.without_end, self.straddling, self.cut, self.failed]

    def remarks(self) -> Iterator[str]:
        if self.without_end:
            yield f"the template writes no end behind {self.without_end:,} answers; none learns to stop there"


def check_labels(
    prepared: PreparedRows,
    progress: Callable[[int], None] = lambda num_rows: None,
    records: datasets.DatasetDict | None = None,
) -> Check:
    """Compare every row with its record; `progress` is called with the number of rows done since the last call.

    `records` are those the rows were made of; None reads them again from the raw files.

    Raises:
        SourceError: the raw files are no longer those that were prepared.
        HfBuildersError: they cannot be read.
    """
    records = records_of(prepared) if records is None else records
    faults = []
    if digest_of_saved(prepared.splits) != prepared.manifest["digest"]:
        faults.append("the ids and labels are not those the manifest names: data/ was changed after it was prepared")
    checks = {}
    for split, rows in prepared.splits.items():
        summary = prepared.manifest["splits"][split]
        check = checks[split] = check_rows(
            rows,
            records[split],
            prepared.tokenizer,
            {**prepared.manifest["tokenize"], "packed_length": prepared.manifest["pack"].get("max_length")},
            progress=progress,
        )
        num_expected = check.rows + sum(summary["set_aside"].values())
        if len(records[split]) != num_expected or check.rows != summary["rows_kept"]:
            fact = f"{len(records[split]):,} records, and {check.rows:,} rows of {summary['rows_kept']:,} kept"
            faults.append(f"{split}: {fact}, {sum(summary['set_aside'].values()):,} set aside: rows have come or gone")
    return Check(checks, faults)


def check_rows(
    rows: datasets.Dataset,
    records: datasets.Dataset,
    tokenizer: Any,
    options: Mapping[str, Any],
    *,
    progress: Callable[[int], None] = lambda num_rows: None,
) -> SplitCheck:
    """Compare token rows with the records they were made of, joined by `id`; `options` are those of `tokenize`."""
    return _Checker(records, tokenizer, options).check(rows, progress)


class _Checker:
    def __init__(self, records: datasets.Dataset, tokenizer: Any, options: Mapping[str, Any]) -> None:
        backend = tokenizer.backend_tokenizer
        self._max_length, self._overflow = options["max_length"], options["overflow"]
        self._packed_length = options.get("packed_length") or self._max_length
        self._is_text = "text" in records.column_names
        self._loss = "assistant" if self._is_text else options["loss"]  # all of a plain text is trained anyhow
        frame = read_frame(tokenizer, options["template"], options.get("chat_template_kwargs"))
        if self._is_text:
            frame = Frame(frame.stand_ins, ends_last=tokenizer.eos_token_id is not None)
        self._frame = frame
        self._decode_all = partial(backend.decode_batch, skip_special_tokens=False)
        self._names = tokenizer.convert_ids_to_tokens
        self._matcher = Matcher(
            self._frame,
            decode=lambda ids: str(backend.decode(list(ids), skip_special_tokens=False)),
            encode=lambda text: backend.encode(text, add_special_tokens=False).ids,
            train_thinking=options.get("train_thinking", True),
            untrained=self._loss == "all",
        )
        self._records = records
        self._found = SplitCheck()

    def check(self, rows: datasets.Dataset, progress: Callable[[int], None]) -> SplitCheck:
        ids = record_ids(self._records)
        own = record_ids(rows)
        if pc.count_distinct(ids).as_py() != len(ids):
            raise SourceError("two records have the same id, so rows cannot be compared with their records")
        if pc.count_distinct(own).as_py() != len(own):
            self._found.fail("two rows", "have the same id")
        tables = token_row_batches(
            rows, self._found.fail, max_length=self._packed_length, first_trained=self._loss == "all" or self._is_text
        )
        for table in tables:
            for batch in table.combine_chunks().to_batches():
                self._found.rows += len(batch)
                self._check_batch(batch, pc.index_in(batch.column("id"), value_set=ids))
                progress(len(batch))
        return self._found

    def _check_batch(self, batch: pa.RecordBatch, places: pa.Array) -> None:
        is_out = uneven(batch) | places.is_null().to_numpy(zero_copy_only=False)
        for id_, place in zip(
            *(each.filter(pa.array(is_out)).to_pylist() for each in (batch["id"], places)), strict=True
        ):
            fault = "has no record of this id" if place is None else "has not one label for each of its ids"
            self._found.fail(id_, fault)
        batch, places = (each.filter(pa.array(~is_out)) for each in (batch, places))
        labelled = Labelled.of(batch)
        faults = labelled.faults(self._max_length, all_trained=self._is_text)
        records = self._records.select(places.to_pylist())
        for number, (row, record) in enumerate(zip(self._rows(labelled), records, strict=True)):
            if number in faults:
                self._found.fail(record["id"], faults[number])
            else:
                self._check_row(row, record)

    def _rows(self, labelled: Labelled) -> list[Row]:
        can_be_cut = np.diff(labelled.starts) == self._max_length
        can_be_cut &= self._overflow == "truncate"
        if self._is_text:
            return text_rows(labelled, self._frame, self._decode_all, can_be_cut=can_be_cut)
        is_trained = self._loss != "all"
        return turn_rows(labelled, self._frame, self._decode_all, trained=is_trained, can_be_cut=can_be_cut)

    def _check_row(self, row: Row, record: Mapping[str, Any]) -> None:
        row, utterances = self._matcher.of_turns(row), self._utterances(record, self._loss)
        outcome = self._matcher.match(row, utterances)
        if outcome.fault and self._overflow == "truncate_turns":
            # The oldest turns may be gone; what is left still has to be all there.
            firsts = [
                place for place in range(1, len(utterances)) if utterances[place].turn != utterances[place - 1].turn
            ]
            later = (self._matcher.match(row, utterances[place:]) for place in firsts)
            outcome = next((each for each in later if not each.fault), outcome)
        if outcome.fault and not self._is_cut_prompt(row, utterances):
            self._found.fail(record["id"], outcome.fault if self._loss != "all" else _NOT_ALL, outcome.text)
            return
        self._found.straddling += outcome.num_straddling
        is_cut = outcome.is_cut
        if self._loss == "all":
            self._count_all(row, record)
        else:
            self._found.spans += len(row.spans)
            is_cut |= self._check_ends(row, record)
        self._found.cut += is_cut

    def _is_cut_prompt(self, row: Row, utterances: Sequence[Utterance]) -> bool:
        """Whether untrained answers are there in part: `truncate_prompt` may shorten what is not trained."""
        if (self._loss, self._overflow, len(row.ids)) != ("all", "truncate_prompt", self._max_length):
            return False
        said = [utterance.text.strip() for utterance in utterances if isinstance(utterance, Said)]
        begun = [span.text.strip() for span in row.spans]
        return len(begun) <= len(said) and all(
            any(text.startswith(part) for text in said[place:]) for place, part in enumerate(begun)
        )

    def _utterances(self, record: Mapping[str, Any], loss: str) -> list[Utterance]:
        # An answer that nothing ends would teach the model not to stop; the last one's end is reported (`without_end`).
        return chosen_utterances(record, loss, only_last=loss != "all" and not self._frame.ends_others)

    def _count_all(self, row: Row, record: Mapping[str, Any]) -> None:
        """With `loss="all"`, all between the untrained spans is trained: see that the row has all that is said."""
        is_trained = [True] * len(row.ids)
        for span in row.spans:
            is_trained[span.start : span.end] = [False] * (span.end - span.start)
        self._found.spans += sum(now and not before for before, now in pairwise([False, *is_trained]))
        self._found.ends += sum(now and id_ in self._frame.ends for id_, now in zip(row.ids, is_trained, strict=True))
        missing = self._matcher.missing(row, self._utterances(record, "assistant"))
        if missing and not row.is_cut and self._overflow != "truncate_turns":
            self._found.fail(record["id"], "is a turn of the record, and not in the row", missing)

    def _check_ends(self, row: Row, record: Mapping[str, Any]) -> bool:
        """See that the end of every span is trained; returns whether the end of the last was cut off."""
        is_cut = False
        for span in row.spans:
            is_at_end = span.end == len(row.ids)
            if span.is_ended:
                self._found.ends += 1
            elif row.is_open(span):
                is_cut = True
            elif not is_at_end and row.ids[span.end] in self._frame.ends:
                end = self._names(row.ids[span.end])
                self._found.fail(record["id"], f"is trained, and its end, {end}, is not", span.text)
                break
            elif self._frame.ends_last if is_at_end else self._frame.ends_others:
                self._found.fail(record["id"], "is trained, and what ends the turn is not there", span.text)
                break
            else:
                self._found.without_end += 1
        return is_cut
