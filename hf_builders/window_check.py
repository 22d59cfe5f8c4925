"""Windows of a prepared folder in, a proof of them out: each compared with its record and with transformers' own.

Nothing here is shared with the code that makes windows: the records are read again from the raw files, ids come from
the tokenizer's own `return_overflowing_tokens`, and answers are looked up in the characters of the context.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import datasets
import numpy as np

from hf_builders.check_results import Check, SplitResult
from hf_builders.errors import SourceError
from hf_builders.prepared_rows import PreparedRows, records_of
from hf_builders.prepared_split import digest_of_saved
from hf_builders.summaries import TRAIN

_BATCH_SIZE = 500


@dataclass
class WindowCheck(SplitResult):
    columns: ClassVar[tuple[str, ...]] = ("windows", "records", "answered", "no answer", "not compared", "failed")

    windows: int = 0
    records: int = 0
    answered: int = 0
    unanswered: int = 0
    not_compared: int = 0
    """Windows not compared with transformers' own: their question was cut, and its part alone gives other tokens."""

    def counts(self) -> list[int]:
        return [self.windows, self.records, self.answered, self.unanswered, self.not_compared, self.failed]


def check_windows(
    prepared: PreparedRows,
    progress: Callable[[int], None] = lambda num_rows: None,
    records: datasets.DatasetDict | None = None,
) -> Check:
    """Compare every window with its record; `progress` is called with the number of records done since the last call.

    `records` are those the windows were made of; None reads them again from the raw files.

    Raises:
        SourceError: the raw files are no longer those that were prepared, or two records of a split have one id.
        HfBuildersError: they cannot be read.
    """
    records = records_of(prepared) if records is None else records
    faults = []
    if digest_of_saved(prepared.splits) != prepared.manifest["digest"]:
        faults.append("the windows are not those the manifest names: data/ was changed after it was prepared")
    checks = {}
    for split, windows in prepared.splits.items():
        summary = prepared.manifest["splits"][split]
        checker = _Checker(prepared.tokenizer, prepared.manifest["spans"], is_trained=split == TRAIN)
        check = checks[split] = checker.check(windows, records[split], progress)
        num_expected = check.records + sum(summary["set_aside"].values())
        if len(records[split]) != num_expected or check.windows != summary["windows"]:
            fact = f"{len(records[split]):,} records, {check.records:,} of them with {check.windows:,} windows"
            faults.append(f"{split}: {fact}, {sum(summary['set_aside'].values()):,} set aside: rows have come or gone")
    return Check(checks, faults)


class _Checker:
    def __init__(self, tokenizer: Any, options: Mapping[str, Any], *, is_trained: bool) -> None:
        self._tokenizer, self._options, self._is_trained = tokenizer, options, is_trained
        self._found = WindowCheck()

    def check(
        self, windows: datasets.Dataset, records: datasets.Dataset, progress: Callable[[int], None]
    ) -> WindowCheck:
        if len(set(records["id"])) < len(records):
            raise SourceError("two records have the same id, so windows cannot be compared with their records")
        tables = windows.with_format("arrow")
        names: list[str] = tables["example_id"][:].to_pylist()
        borders = [0, *(n for n, (before, now) in enumerate(pairwise(names), start=1) if before != now), len(names)]
        rows_of = {names[start]: (start, end) for start, end in pairwise(borders) if start < end}
        self._found.windows = len(names)
        if twice := [name for name, number in Counter(names[start] for start in borders[:-1]).items() if number > 1]:
            self._found.fail(twice[0], "has windows in two places")
        for first in range(0, len(records), _BATCH_SIZE):
            batch = records.select(range(first, min(first + _BATCH_SIZE, len(records)))).to_list()
            own = [record for record in batch if record["id"] in rows_of]
            for record in own:
                start, end = rows_of.pop(record["id"])
                self._check_record(record, tables[start:end].to_pylist())
            self._found.records += len(own)
            progress(len(own))
        for name in rows_of:
            self._found.fail(name, "has no record of this id")
        return self._found

    def _check_record(self, record: Mapping[str, Any], windows: list[dict[str, Any]]) -> None:
        if unlike := self._unlike_transformers(record, windows):
            self._found.fail(record["id"], unlike)
            return
        num_answered = 0
        for window in windows:
            is_answered = window["start_positions"] > 0
            num_answered += is_answered
            if fault := (_fault_of_answered if is_answered else _fault_of_unanswered)(record, window):
                self._found.fail(record["id"], *fault)
        self._found.answered += num_answered
        self._found.unanswered += len(windows) - num_answered
        if self._is_trained and record["answers"]["text"] and not num_answered:
            self._found.fail(record["id"], "has an answer, and windows to be trained on that all say it has none")

    def _unlike_transformers(self, record: Mapping[str, Any], windows: list[dict[str, Any]]) -> str:
        question = self._cut_question(record["question"])
        if question is None:
            self._found.not_compared += len(windows)
            return ""
        own = self._tokenizer(
            [question],
            [record["context"]],
            truncation="only_second",
            max_length=self._options["max_length"],
            stride=self._options["doc_stride"],
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            split_special_tokens=True,  # "[SEP]" in a text is text
        )
        if self._has_control(own):
            self._found.not_compared += len(windows)
            return ""
        for name in ("input_ids", "attention_mask", "token_type_ids", "offset_mapping"):
            if name not in windows[0]:
                continue
            expected = [[list(pair) for pair in row] if name == "offset_mapping" else row for row in own[name]]
            if [window[name] for window in windows] != expected:
                return f"has other {name} than transformers gives its question and context"
        for number, window in enumerate(windows):
            texts = own.sequence_ids(number)
            if 1 in texts and window["context_start"] != texts.index(1):
                return "has a context_start that is not the first token of its context"
        return ""

    def _has_control(self, own: Any) -> bool:
        """Whether transformers made a control token of text: for some tokenizers `split_special_tokens` is no help."""
        controls = set(self._tokenizer.all_special_ids) - {self._tokenizer.unk_token_id}
        return any(
            text is not None and id_ in controls
            for number, ids in enumerate(own["input_ids"])
            for id_, text in zip(ids, own.sequence_ids(number), strict=True)
        )

    def _cut_question(self, question: str) -> str | None:
        """The question as far as it may stand in a window; None where that part alone has other tokens."""
        limit = self._options["max_question_length"]
        if limit is None:
            return question
        encode = partial(self._tokenizer, add_special_tokens=False, split_special_tokens=True)
        tokens = encode(question, return_offsets_mapping=True)
        if len(tokens["input_ids"]) <= limit:
            return question
        part = question[: tokens["offset_mapping"][limit - 1][1]]
        return part if encode(part)["input_ids"] == tokens["input_ids"][:limit] else None


def _trimmed(context: str, begin: int, end: int) -> tuple[int, int]:
    """Characters without the white space at their ends, which has tokens with some tokenizers only."""
    text = context[begin:end]
    return begin + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())


def _places(record: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Where answers stand: first character, and the one behind the last."""
    answers = record["answers"]
    pairs = zip(answers["text"], answers["answer_start"], strict=True)
    places = [_trimmed(record["context"], start, start + len(text)) for text, start in pairs if start >= 0]
    return [(start, stop) for start, stop in places if start < stop]


def _context_tokens(record: Mapping[str, Any], window: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The characters of the tokens from the first of the context on, n × 2; empty where one stands for none."""
    pairs = window["offset_mapping"][window["context_start"] :]
    return np.array([_trimmed(record["context"], *pair) for pair in pairs], np.int64).reshape(-1, 2)


def _fault_of_answered(record: Mapping[str, Any], window: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why the answer of a window is none of its record: the tokens before and behind must be no part of it."""
    chars = _context_tokens(record, window)
    is_text = chars[:, 1] > chars[:, 0]
    first, last = (window[name] - window["context_start"] for name in ("start_positions", "end_positions"))
    if not 0 <= first <= last < len(chars) or not (is_text[first] and is_text[last]):
        return "start and end are no tokens of the context", ""
    begin, end = int(chars[first, 0]), int(chars[last, 1])
    before = chars[:first][is_text[:first]]
    behind = chars[last + 1 :][is_text[last + 1 :]]
    earliest = int(before[-1, 1]) if len(before) else 0
    latest = int(behind[0, 0]) if len(behind) else len(record["context"])
    if any(earliest <= start <= begin and end <= stop <= latest for start, stop in _places(record)):
        return None
    return "is no answer of the record", record["context"][begin:end]


def _fault_of_unanswered(record: Mapping[str, Any], window: Mapping[str, Any]) -> tuple[str, str] | None:
    """Which answer stands whole in a window that points at no answer."""
    if (window["start_positions"], window["end_positions"]) != (0, 0):
        return "start and end do not both point at the first token", ""
    chars = _context_tokens(record, window)
    chars = chars[chars[:, 1] > chars[:, 0]]
    for start, stop in _places(record):
        is_part = (chars[:, 1] > start) & (chars[:, 0] < stop)
        own = chars[is_part]
        if not len(own) or own[0, 0] < start or own[-1, 1] > stop:
            continue  # it has no token here, or begins or ends inside one
        is_begun, is_ended = not is_part[0], not is_part[-1]
        if (is_begun or own[0, 0] == start) and (is_ended or own[-1, 1] == stop):
            return "stands whole in a window that points at no answer", record["context"][start:stop]
    return None
