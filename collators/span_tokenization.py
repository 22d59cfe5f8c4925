"""A batch of questions on texts in, windows of tokens out, each with the place of the answer in it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.encoder_batches import answer_columns, as_given, check_max_length, list_column, table_of, text_column
from collators.encoder_texts import EncoderTexts, TextTokens
from collators.encoding import IntArray
from collators.errors import TokenizationError, check_choice
from collators.ledger import report_set_aside
from collators.pair_frames import Layout, ranges
from collators.tokenization import code_digest
from collators.tokenizers import digest

if TYPE_CHECKING:
    from datasets import Features

logger = logging.getLogger(__name__)

Unlocated = Literal["drop", "keep"]
NOT_IN_CONTEXT = "answer_not_in_context"
WITHOUT_TOKENS = "answer_without_tokens"
INSIDE_TOKEN = "answer_inside_token"
IN_NO_WINDOW = "answer_in_no_window"
_POSITIONS = ("start_positions", "end_positions")
_CLS = 0
"""Where what says "no answer" stands."""
_NOBODY = np.iinfo(np.int64).max


class Windows(NamedTuple):
    """What became of R records."""

    rows: pa.Table
    """The windows, in the order of their records."""
    unlocated: dict[str, str]
    """Why a record has its answer whole in none of its windows; by its id."""
    num_answered: int
    """Windows that hold an answer."""


class TokenizeSpans:
    """Makes the windows of extractive reading: `dataset.map(step, batched=True, remove_columns=dataset.column_names)`.

    Takes a batch (a table, or a dict of lists) with the columns `id`, `context`, `question` and, if answers are known,
    `answers` (`text` and `answer_start`, lists), the view `mrc` of a dataset. Gives the same kind back, a row for each
    window: `example_id`, `input_ids`, `attention_mask`, `token_type_ids` (if the model takes them), `start_positions`
    and `end_positions` (first and last token of the answer), `offset_mapping` (T × 2 characters, of the question's
    tokens in the question), `context_start` (the first token of the context) and `length` (T).

    A text longer than a window goes on in the next, which repeats its last `doc_stride` tokens: the same windows
    `tokenizer(question, context, truncation="only_second", stride=doc_stride, return_overflowing_tokens=True)` makes. A
    window with several answers is labelled with the first, one that holds none whole points at `[CLS]`. Text of the
    data never becomes a control token.

    Args:
        max_length: tokens of a window, special tokens and question included.
        doc_stride: tokens two neighbouring windows share. An answer of no more tokens is whole in one of them; with the
            default, and BERT's Chinese vocabulary, every answer of CMRC 2018's trial set is.
        max_question_length: tokens; longer questions are cut at their end. None cuts none.
        unlocated: a record whose answer is whole in no window (it does not stand in the text, begins or ends inside a
            token, or is longer than `doc_stride`) would teach that there is none: "drop" leaves it out, and the log
            counts it; "keep", for evaluation, has its windows point at `[CLS]`.

    Raises:
        TokenizationError: no fast tokenizer of an encoder, options that leave no room, a column that is missing, an
            `answer_start` at which the answer does not stand.

    >>> from transformers import BertTokenizer
    >>> pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"谁来了？小明和红"]
    >>> tokenizer = BertTokenizer(vocab={piece: id_ for id_, piece in enumerate(pieces)})
    >>> step = TokenizeSpans(tokenizer, max_length=10, doc_stride=2)
    >>> row = {"id": ["q1"], "question": ["谁来了？"], "context": ["小明和小红"]}
    >>> windows = step({**row, "answers": [{"text": ["小红"], "answer_start": [3]}]})
    >>> for ids in windows["input_ids"]:
    ...     print(*tokenizer.convert_ids_to_tokens(ids))
    [CLS] 谁 来 了 ？ [SEP] 小 明 和 [SEP]
    [CLS] 谁 来 了 ？ [SEP] 明 和 小 [SEP]
    [CLS] 谁 来 了 ？ [SEP] 和 小 红 [SEP]
    >>> windows["start_positions"].tolist(), windows["end_positions"].tolist()
    ([0, 0, 7], [0, 0, 8])
    """

    def __init__(
        self,
        tokenizer: Any,
        max_length: int = 512,
        doc_stride: int = 256,
        *,
        max_question_length: int | None = None,
        unlocated: Unlocated = "drop",
    ) -> None:
        check_choice("unlocated", unlocated, get_args(Unlocated))
        self._texts = EncoderTexts(tokenizer)
        if self._texts.frame(2).segments[0].text is not None:
            raise TokenizationError(
                f'{type(tokenizer).__name__} writes nothing before the question that could stand for "no answer"; '
                "expected the tokenizer of an encoder, with [CLS] or the like"
            )
        check_max_length(max_length, self._texts.frame(2).num_special)
        if isinstance(doc_stride, bool) or not isinstance(doc_stride, int) or not 0 <= doc_stride < max_length:
            raise TokenizationError(f"doc_stride={doc_stride!r}: expected a number of tokens, less than {max_length=}")
        is_number = isinstance(max_question_length, int) and not isinstance(max_question_length, bool)
        if max_question_length is not None and not (is_number and max_question_length > 0):
            raise TokenizationError(f"max_question_length={max_question_length!r}: expected 1 token or more, or None")
        self._max_length, self._doc_stride = max_length, doc_stride
        self._max_question_length = max_question_length
        self._unlocated = unlocated
        self._code = code_digest()

    @property
    def digest(self) -> str:
        """Equal for equal results: of the tokenizer's content, the options and this package's code."""
        state = {**self.__dict__, "_texts": self._texts.__getstate__()}
        return digest(*(f"{name}={value}" for name, value in sorted(state.items())))

    @property
    def drops_unlocated(self) -> bool:
        """Whether a record whose answer is whole in no window is left out."""
        return self._unlocated == "drop"

    @property
    def features(self) -> Features:
        """The columns of the windows of records with answers."""
        from datasets import Features, List, Value  # no window needs it to be made

        number, numbers, flags = Value("int32"), List(Value("int32")), List(Value("int8"))
        type_ids = {"token_type_ids": flags} if self._texts.has_type_ids else {}
        lists = {"input_ids": numbers, "attention_mask": flags, **type_ids, "offset_mapping": List(numbers)}
        others = ("context_start", "length", *_POSITIONS)
        return Features({"example_id": Value("string"), **lists, **dict.fromkeys(others, number)})

    def __call__(self, batch: Any) -> Any:
        """The windows of a batch; what was left out of them is logged."""
        windows = self.windows(table_of(batch, ("id", "context", "question"), ("answers",)))
        reasons = Counter(windows.unlocated.values())
        if self.drops_unlocated and reasons:
            logger.warning("%s", report_set_aside(reasons, len(batch["id"])))
        return as_given(batch, windows.rows)

    def windows(self, table: pa.Table) -> Windows:
        """The windows of some records, and what became of these. Raises as the class says."""
        contexts, questions = text_column(table, "context"), text_column(table, "question")
        ids = table["id"].combine_chunks()
        question_tokens, context_tokens = self._texts.encode(questions), self._texts.encode(contexts)
        records, begins, lengths = self._cut(ids, question_tokens, context_tokens)
        question_lengths = self._question_lengths(question_tokens)
        every = np.arange(len(table))
        layout = self._texts.frame(2).lay_out(
            question_tokens.parts(records, np.zeros_like(begins), question_lengths[records]),
            context_tokens.parts(records, begins, lengths),
        )
        columns = self._columns(layout, question_tokens, context_tokens)
        if "answers" not in table.column_names:
            return Windows(pa.table({"example_id": ids.take(pa.array(records)), **columns}), {}, 0)
        answers = _Answers(ids, contexts, *answer_columns(table), context_tokens)
        chosen = answers.choose(records, begins, lengths, len(every))
        is_answered = chosen != _NOBODY
        shift = layout.firsts[1] - begins
        positions = {}
        for name, tokens in zip(_POSITIONS, (answers.first, answers.last), strict=True):
            places = np.full(len(records), _CLS)
            places[is_answered] = tokens[chosen[is_answered]] + shift[is_answered]
            positions[name] = pa.array(places, pa.int32())
        reasons = answers.reasons(np.bincount(records[is_answered], minlength=len(table)) > 0)
        rows = pa.table({"example_id": ids.take(pa.array(records)), **columns, **positions})
        if self.drops_unlocated and reasons:
            is_kept = ~np.isin(records, list(reasons))
            rows = rows.filter(pa.array(is_kept))
        unlocated = {str(ids[record]): reason for record, reason in reasons.items()}
        return Windows(rows, unlocated, int(is_answered.sum()))

    def _question_lengths(self, tokens: TextTokens) -> IntArray:
        lengths = tokens.lengths
        return lengths if self._max_question_length is None else np.minimum(lengths, self._max_question_length)

    def _cut(self, ids: pa.Array, questions: TextTokens, contexts: TextTokens) -> tuple[IntArray, IntArray, IntArray]:
        """W windows: the record each is of, the first token of the context in it, and how many."""
        num_tokens = contexts.lengths
        room = self._max_length - self._texts.frame(2).num_special - self._question_lengths(questions)
        is_too_long = (room < 1) | ((num_tokens > room) & (room <= self._doc_stride))
        for record in np.flatnonzero(is_too_long)[:1]:
            raise TokenizationError(
                f"record {ids[int(record)]}: its question of {questions.lengths[record]:,} tokens leaves room for "
                f"{max(room[record], 0):,} of the text, and windows share doc_stride={self._doc_stride}; raise "
                f"max_length ({self._max_length}), lower doc_stride, or cut questions with max_question_length"
            )
        step = room - self._doc_stride
        num_windows = 1 + np.maximum(-(-(num_tokens - room) // np.maximum(step, 1)), 0)
        records = np.repeat(np.arange(len(ids)), num_windows)
        begins = ranges(np.zeros(len(ids), np.int64), num_windows) * step[records]
        return records, begins, np.minimum(room[records], num_tokens[records] - begins)

    def _columns(self, layout: Layout, questions: TextTokens, contexts: TextTokens) -> dict[str, pa.Array]:
        spans = np.zeros((len(layout.ids), 2), np.int32)
        for text, tokens in enumerate((questions, contexts)):
            spans[layout.texts == text] = tokens.spans[layout.places[layout.texts == text]]
        pairs = pa.FixedSizeListArray.from_arrays(pa.array(spans.reshape(-1)), 2).cast(pa.list_(pa.int32()))
        columns = {"input_ids": list_column(layout.ids, layout.lengths)}
        columns["attention_mask"] = list_column(np.ones(len(layout.ids), np.int8), layout.lengths)
        if self._texts.has_type_ids:
            columns["token_type_ids"] = list_column(layout.type_ids, layout.lengths)
        columns["offset_mapping"] = list_column(pairs, layout.lengths)
        columns["context_start"] = pa.array(layout.firsts[1], pa.int32())
        columns["length"] = pa.array(layout.lengths, pa.int32())
        return columns


class _Answers:
    """The A answers of R records, as tokens of their contexts."""

    def __init__(
        self, ids: pa.Array, contexts: pa.Array, texts: pa.ListArray, starts: pa.ListArray, tokens: TextTokens
    ) -> None:
        self._num_answers = pc.list_value_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)
        flat_texts, chars = texts.flatten(), starts.flatten().to_numpy()
        self.records = np.repeat(np.arange(len(ids)), self._num_answers)
        self._is_located = chars >= 0
        _check_places(ids, contexts, self.records, flat_texts, chars)
        # White space around an answer has tokens with some tokenizers only, and is never predicted.
        without = pc.utf8_ltrim_whitespace(flat_texts)
        chars = chars + pc.subtract(pc.utf8_length(flat_texts), pc.utf8_length(without)).to_numpy()
        ends = chars + pc.utf8_length(pc.utf8_rtrim_whitespace(without)).to_numpy()
        self.first, self.last = tokens.tokens_of(self.records, chars, ends)
        """A: the first and the last token of an answer, counted from that of its context."""
        self._has_tokens = self._is_located & (ends > chars) & (self.last >= self.first)
        self._is_whole = self._has_tokens.copy()
        """A: whether its tokens stand for the answer and nothing more."""
        some = np.flatnonzero(self._has_tokens)
        bases = tokens.starts[self.records[some]]
        begins, stops = tokens.spans[bases + self.first[some], 0], tokens.spans[bases + self.last[some], 1]
        self._is_whole[some] = (begins >= chars[some]) & (stops <= ends[some])
        for place in np.flatnonzero(~self._is_whole[some]):  # some tokenizers count the space before a word to it
            context, answer = contexts[int(self.records[some[place]])].as_py(), some[place]
            around = context[begins[place] : chars[answer]] + context[ends[answer] : stops[place]]
            self._is_whole[answer] = not around.strip()

    def choose(self, records: IntArray, begins: IntArray, lengths: IntArray, num_records: int) -> IntArray:
        """W: the first answer that is whole in each window, or `_NOBODY`."""
        chosen = np.full(len(records), _NOBODY)
        num_windows = np.bincount(records, minlength=num_records)
        first_windows = num_windows.cumsum() - num_windows
        good = np.flatnonzero(self._is_whole)
        owners = self.records[good]
        answers = np.repeat(good, num_windows[owners])
        windows = ranges(first_windows[owners], num_windows[owners])
        ends = begins + lengths
        is_inside = (self.first[answers] >= begins[windows]) & (self.last[answers] < ends[windows])
        np.minimum.at(chosen, windows[is_inside], answers[is_inside])
        return chosen

    def reasons(self, is_answered: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[int, str]:
        """Why records with answers, by place, have none in any window."""
        steps = (
            (self._is_located, NOT_IN_CONTEXT),
            (self._has_tokens, WITHOUT_TOKENS),
            (self._is_whole, INSIDE_TOKEN),
        )
        reasons = {}
        for record in np.flatnonzero((self._num_answers > 0) & ~is_answered).tolist():
            own = self.records == record
            reasons[record] = next((reason for is_so, reason in steps if not is_so[own].any()), IN_NO_WINDOW)
        return reasons


def _check_places(ids: pa.Array, contexts: pa.Array, records: IntArray, texts: pa.Array, chars: IntArray) -> None:
    """Raise `TokenizationError` for an answer that does not stand where its offset says."""
    known: Sequence[str] = contexts.to_pylist()
    for record, text, start in zip(records.tolist(), texts.to_pylist(), chars.tolist(), strict=True):
        if start >= 0 and not known[record].startswith(text, start):
            raise TokenizationError(
                f"record {ids[record]}: the answer {text!r:.60} does not stand at answer_start={start} of its context; "
                "mend the offset, or write -1 where the answer stands nowhere"
            )
