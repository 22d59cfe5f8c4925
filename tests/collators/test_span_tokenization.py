"""Windows are those of transformers, and every answer is where it is said to be or said to be left out."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("transformers", reason="the reference is transformers' own overflow tokenization")

import numpy as np
from datasets import Dataset, Features, List, Value
from datasets.fingerprint import Hasher
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collators import TokenizationError, TokenizeSpans
from tests.collators.encoder_tokenizers import MAKERS, bert, encoder_of, kept, roberta, texts

RECORDS: dict[str, Any] = {
    "id": ["q1", "q2"],
    "question": ["灯塔高多少？", "谁来了？"],
    "context": ["灯山灯塔在1958年，高31米。小明来了", "Hello World，[MASK] 小红"],
    "answers": [
        {"text": ["31米"], "answer_start": [12]},
        {"text": ["小明", "Hello World"], "answer_start": [-1, 0]},
    ],
}
COLUMNS = [
    "example_id", "input_ids", "attention_mask", "token_type_ids", "offset_mapping", "context_start", "length",
    "start_positions", "end_positions",
]  # fmt: skip


def records(*rows: tuple[str, str, list[tuple[str, int]]]) -> dict[str, list[Any]]:
    """Rows of question, context and answers, each a text and where it begins."""
    return {
        "id": [f"q{number}" for number in range(len(rows))],
        "question": [question for question, _, _ in rows],
        "context": [context for _, context, _ in rows],
        "answers": [
            {"text": [text for text, _ in answers], "answer_start": [start for _, start in answers]}
            for _, _, answers in rows
        ],
    }


def table_of(batch: dict[str, list[Any]]) -> pa.Table:
    answers = pa.struct({"text": pa.list_(pa.string()), "answer_start": pa.list_(pa.int64())})
    return pa.table({name: pa.array(each, answers if name == "answers" else None) for name, each in batch.items()})


def pieces(row: dict[str, Any], family: str = "bert") -> str:
    return " ".join(encoder_of(family).convert_ids_to_tokens(row["input_ids"]))


# Every value, by hand: room for 16 - 3 - 6 tokens of the text, of which each window repeats 4.


def test_the_windows_of_a_small_batch_are_these() -> None:
    step = TokenizeSpans(bert(), 16, 4)
    rows = step(pa.table(RECORDS)).to_pylist()
    assert [pieces(row) for row in rows] == [
        "[CLS] 灯 塔 高 多 少 ？ [SEP] 灯 [UNK] 灯 塔 在 1958 年 [SEP]",
        "[CLS] 灯 塔 高 多 少 ？ [SEP] 塔 在 1958 年 ， 高 31 [SEP]",
        "[CLS] 灯 塔 高 多 少 ？ [SEP] 年 ， 高 31 米 。 小 [SEP]",
        "[CLS] 灯 塔 高 多 少 ？ [SEP] 31 米 。 小 明 来 了 [SEP]",
        "[CLS] 谁 来 了 ？ [SEP] hello world ， [ mask ] 小 红 [SEP]",
    ]
    question = [[0, 0], [0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 6], [0, 0]]
    assert rows[1] == {
        "example_id": "q1",
        "input_ids": [2, 18, 19, 20, 11, 12, 14, 3, 19, 6, 26, 13, 15, 20, 32, 3],
        "attention_mask": [1] * 16,
        "token_type_ids": [0] * 8 + [1] * 8,
        "offset_mapping": [*question, [3, 4], [4, 5], [5, 9], [9, 10], [10, 11], [11, 12], [12, 14], [0, 0]],
        "context_start": 8,
        "length": 16,
        "start_positions": 0,  # 31 is there, but 米 is not
        "end_positions": 0,
    }
    spans = [(row["example_id"], row["start_positions"], row["end_positions"]) for row in rows]
    assert spans == [("q1", 0, 0), ("q1", 0, 0), ("q1", 11, 12), ("q1", 8, 9), ("q2", 6, 7)]
    assert [row["offset_mapping"][6:] for row in rows[4:]] == [
        [[0, 5], [6, 11], [11, 12], [12, 13], [13, 17], [17, 18], [19, 20], [20, 21], [0, 0]]
    ]
    assert list(rows[0]) == list(step.features) == COLUMNS


def test_what_became_of_each_record_is_told_with_the_windows() -> None:
    windows = TokenizeSpans(bert(), 16, 4).windows(pa.table(RECORDS))
    assert (len(windows.rows), windows.num_answered, windows.unlocated) == (5, 3, {})


# Against transformers, and against a plain search of each answer.


@cache
def step_of(family: str, max_length: int, doc_stride: int) -> TokenizeSpans:
    return TokenizeSpans(encoder_of(family), max_length, doc_stride, unlocated="keep")


def reference(tokenizer: Any, question: str, context: str, max_length: int, doc_stride: int) -> list[dict[str, Any]]:
    encoded = tokenizer(
        [question], [context], truncation="only_second", max_length=max_length, stride=doc_stride,
        return_overflowing_tokens=True, return_offsets_mapping=True,
    )  # fmt: skip
    names = ("input_ids", "attention_mask", "token_type_ids", "offset_mapping")
    return [
        {name: encoded[name][number] for name in names if name in encoded}
        | {"context": [place for place, text in enumerate(encoded.sequence_ids(number)) if text == 1]}
        for number in range(len(encoded["input_ids"]))
    ]


def as_pairs(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"offset_mapping": [tuple(pair) for pair in row["offset_mapping"]]}


def search(spans: Sequence[tuple[int, int]], context: str, start: int, end: int) -> tuple[int, int] | None:
    """The first and the last token of an answer if they stand for it and, but for white space, nothing more."""
    answer = context[start:end]
    start, end = start + len(answer) - len(answer.lstrip()), start + len(answer.rstrip())
    own = [token for token, (begin, stop) in enumerate(spans) if stop > start and begin < end and begin < stop]
    if start < 0 or not own:
        return None
    first, last = own[0], own[-1]
    around = context[spans[first][0] : start] + context[end : spans[last][1]]
    return None if around.strip() else (first, last)


CUTS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), max_size=3)
DRAWN = st.lists(st.tuples(texts(4), texts(), CUTS), min_size=1, max_size=4)


def cut_out(drawn: list[tuple[str, str, list[tuple[int, int]]]]) -> dict[str, list[Any]]:
    """Records whose answers are stretches of their contexts."""
    rows = []
    for question, context, cuts in drawn:
        places = [(start % len(context), length) for start, length in cuts if context]
        rows.append((question, context, [(context[start : start + length], start) for start, length in places]))
    return records(*rows)


@pytest.mark.parametrize("family", MAKERS)
@given(drawn=DRAWN, sizes=st.sampled_from([(12, 0), (14, 3), (20, 8), (64, 16)]))
@example(drawn=[("谁", "hello world", [(6, 5), (0, 5)])], sizes=(64, 16))
@example(drawn=[("谁", "𠮷龘a😀b", [(1, 1), (3, 1)]), ("", "", [])], sizes=(12, 0))
@settings(max_examples=60, deadline=None)
def test_windows_are_those_of_transformers_and_answers_where_a_search_finds_them(
    family: str, drawn: list[tuple[str, str, list[tuple[int, int]]]], sizes: tuple[int, int]
) -> None:
    tokenizer, (max_length, doc_stride) = encoder_of(family), sizes
    batch = cut_out(drawn)
    num_special = tokenizer.num_special_tokens_to_add(pair=True)
    expected = []
    whole = [tokenizer(text, add_special_tokens=False, return_offsets_mapping=True) for text in batch["context"]]
    for question, context, full in zip(batch["question"], batch["context"], whole, strict=True):
        room = max_length - num_special - len(tokenizer(question, add_special_tokens=False)["input_ids"])
        num_tokens = len(full["input_ids"])
        if room < 1 or (num_tokens > room and room <= doc_stride):
            with pytest.raises(TokenizationError, match=r"^record q\d: its question of"):
                step_of(family, *sizes).windows(table_of(batch))
            return
        expected.append(reference(tokenizer, question, context, *sizes))
    found = step_of(family, *sizes).windows(table_of(batch))
    rows = iter(found.rows.to_pylist())
    unlocated, num_answered = set(), 0
    for id_, context, answers, full, windows in zip(
        batch["id"], batch["context"], batch["answers"], whole, expected, strict=True
    ):
        spans = full["offset_mapping"]
        located = [
            search(spans, context, start, start + len(text))
            for text, start in zip(answers["text"], answers["answer_start"], strict=True)
        ]
        begin, is_whole = 0, [False] * len(located)
        for window in windows:
            row, places = as_pairs(next(rows)), window.pop("context")
            assert {name: row[name] for name in window} == window
            assert row["example_id"] == id_
            assert row["length"] == len(row["input_ids"]) <= max_length
            assert row["context_start"] == (places[0] if places else row["length"] - 1)
            # The tokens of the window are those from `begin` on.
            assert row["offset_mapping"][row["context_start"] : -1] == spans[begin : begin + len(places)]
            inside = [span and begin <= span[0] and span[1] < begin + len(places) for span in located]
            is_whole = [bool(was or now) for was, now in zip(is_whole, inside, strict=True)]
            start, end = row["start_positions"], row["end_positions"]
            if not any(inside):
                assert (start, end) == (0, 0)
            else:
                first = inside.index(True)
                shift = row["context_start"] - begin
                assert (start, end) == tuple(place + shift for place in located[first])
                text = context[row["offset_mapping"][start][0] : row["offset_mapping"][end][1]]
                assert kept(text) == kept(answers["text"][first])
                num_answered += 1
            last = begin + len(places)
            begin = last - doc_stride
        assert last == len(spans), "every token is in some window"
        for span, was_whole in zip(located, is_whole, strict=True):
            assert was_whole or span is None or span[1] - span[0] + 1 > doc_stride
        if located and not any(is_whole):
            unlocated.add(id_)
    assert next(rows, None) is None
    assert (found.num_answered, set(found.unlocated)) == (num_answered, unlocated)


@pytest.mark.parametrize("family", MAKERS)
def test_control_tokens_typed_in_the_data_stay_text(family: str) -> None:
    tokenizer = encoder_of(family)
    controls = tokenizer.all_special_tokens
    assert len(controls) >= 5
    context = "hello" + "小明".join(controls) + "灯塔"
    batch = records(*[(f"谁{control}", context, [(control, context.index(control))]) for control in controls])
    windows = TokenizeSpans(tokenizer, 200, 20).windows(table_of(batch))
    is_unknown = {tokenizer.unk_token_id}
    for row, control in zip(windows.rows.to_pylist(), controls, strict=True):
        frame = reference(tokenizer, "", "", 200, 20)[0]["input_ids"]
        assert [id_ for id_ in row["input_ids"] if id_ in set(tokenizer.all_special_ids) - is_unknown] == frame
        places = row["offset_mapping"][row["start_positions"] : row["end_positions"] + 1]
        assert context[places[0][0] : places[-1][1]] == control
    assert (windows.num_answered, windows.unlocated) == (len(controls), {})


def test_control_tokens_in_the_data_give_the_tokens_of_their_letters() -> None:
    batch = {"id": ["q"], "question": ["谁[SEP]"], "context": ["[CLS]灯塔 [MASK][UNK]31"]}
    (row,) = TokenizeSpans(bert(), 40, 4)(table_of(batch)).to_pylist()
    assert pieces(row) == "[CLS] 谁 [ sep ] [SEP] [ cls ] 灯 塔 [ mask ] [ [UNK] ] 31 [SEP]"
    (expected,) = bert()(
        batch["question"], batch["context"], split_special_tokens=True, return_offsets_mapping=True
    )["offset_mapping"]  # fmt: skip
    assert as_pairs(row)["offset_mapping"] == expected


# What is labelled, and what is left out.


def spans_of(batch: dict[str, list[Any]], family: str = "bert", *sizes: int) -> list[str]:
    """The labelled tokens of each window, or nothing."""
    step = step_of(family, *(sizes or (40, 8)))
    found = []
    for row in step.windows(table_of(batch)).rows.to_pylist():
        start, end = row["start_positions"], row["end_positions"]
        tokens = encoder_of(family).convert_ids_to_tokens(row["input_ids"][start : end + 1])
        found.append("" if (start, end) == (0, 0) else " ".join(tokens))
    return found


def test_of_several_answers_the_first_that_is_whole_in_the_window_counts() -> None:
    context = "小明在灯塔，小红在1958米"
    sizes = (11, 2)  # windows of 7 tokens of the text, from 0 and from 5
    for answers, expected in [
        ([("小明", 0), ("灯塔", 3)], ["小 明", ""]),
        ([("灯塔", 3), ("小明", 0)], ["灯 塔", ""]),
        ([("小红", 6), ("小明", 0)], ["小 明", "小 红"]),
        ([("小明", 0), ("小红", 6), ("1958", 9)], ["小 明", "小 红"]),
        ([("塔，小", 4), ("1958", 9)], ["塔 ， 小", "1958"]),
        ([("天", -1), ("58", 11), ("小明", 0)], ["小 明", ""]),
        ([("小明", 0), ("小明", 0)], ["小 明", ""]),
        ([("灯", 3), ("灯塔", 3)], ["灯", ""]),
        ([], ["", ""]),
    ]:
        assert spans_of(records(("谁", context, answers)), "bert", *sizes) == expected, answers


@pytest.mark.parametrize(
    ("context", "answer", "start", "reason"),
    [
        ("小明在1958年来了", "小红", -1, "answer_not_in_context"),
        ("小明在1958年来了", "5", 5, "answer_inside_token"),
        ("小明在1958年来了", "58年", 5, "answer_inside_token"),
        ("小明在1958年来了", "在19", 2, "answer_inside_token"),
        ("小明  在", "  ", 2, "answer_without_tokens"),
        ("小明\u3000\n在", "\u3000\n", 2, "answer_without_tokens"),
        ("hello world", " ", 5, "answer_without_tokens"),
        ("小明\x07在", "\x07", 2, "answer_without_tokens"),
        ("小明在", "", 1, "answer_without_tokens"),
        ("小明1958", "", 4, "answer_without_tokens"),
        ("", "", 0, "answer_without_tokens"),
        ("小明在灯塔，小红在灯塔，来了", "明在灯塔，小红", 1, "answer_in_no_window"),  # 7 tokens, and 4 are shared
    ],
)
def test_an_answer_that_no_window_holds_is_left_out_or_kept_as_none(
    caplog: pytest.LogCaptureFixture, context: str, answer: str, start: int, reason: str
) -> None:
    batch = records(("谁", "小明", []), ("谁", context, [(answer, start)]), ("谁", "小红", [("小", 0)]))
    windows = TokenizeSpans(bert(), 11, 4).windows(table_of(batch))
    assert windows.unlocated == {"q1": reason}
    assert windows.rows["example_id"].to_pylist() == ["q0", "q2"]
    assert windows.num_answered == 1
    kept_windows = TokenizeSpans(bert(), 11, 4, unlocated="keep").windows(table_of(batch))
    assert kept_windows.unlocated == {"q1": reason}
    of_record = kept_windows.rows.filter(pa.compute.equal(kept_windows.rows["example_id"], "q1"))
    assert len(of_record) >= 1
    assert of_record["start_positions"].to_pylist() == of_record["end_positions"].to_pylist() == [0] * len(of_record)
    assert len(kept_windows.rows) == 2 + len(of_record)
    assert kept_windows.num_answered == 1
    assert not caplog.messages, "who asks for the account gets it, and no line"
    TokenizeSpans(bert(), 11, 4, unlocated="keep")(batch)
    assert not caplog.messages
    TokenizeSpans(bert(), 11, 4)(batch)
    assert caplog.messages == [f"set aside 1 of 3 rows: {reason} 1"]


def test_what_is_left_out_is_counted_by_reason(caplog: pytest.LogCaptureFixture) -> None:
    bad = [("谁", "1958年", [("5", 2)])] * 2 + [("谁", "小明", [("红", -1)])] * 3 + [("谁", "小明", [("小", 0)])]
    windows = TokenizeSpans(bert())(records(*bad))
    assert windows["example_id"] == ["q5"]
    assert caplog.messages == ["set aside 5 of 6 rows: answer_not_in_context 3, answer_inside_token 2"]


def test_the_reason_told_is_that_of_the_answer_that_came_farthest() -> None:
    rows = [
        ("谁", "小明 1958", [("红", -1), (" ", 2)]),
        ("谁", "小明 1958", [("5", 5), (" ", 2), ("红", -1)]),
    ]
    windows = TokenizeSpans(bert()).windows(table_of(records(*rows)))
    assert windows.unlocated == {"q0": "answer_without_tokens", "q1": "answer_inside_token"}


def test_white_space_around_an_answer_and_what_the_tokenizer_drops_do_not_matter() -> None:
    for context, answer, start in [
        ("在 小明 来", " 小明 ", 1),
        ("在\u3000小明\n来", "\u3000小明\n", 1),
        ("在\x07小明\u200b来", "\x07小明\u200b", 1),
    ]:
        assert spans_of(records(("谁", context, [(answer, start)]))) == ["小 明"], context
    context = "cafe\u0301 hello"
    assert spans_of(records(("谁", context, [("e\u0301 hello", 3)]))) == [""], "café is one word"
    assert spans_of(records(("谁", "he\u0301llo a", [("he\u0301llo", 0)]))) == ["hello"]
    assert spans_of(records(("谁", "a Hello WORLD", [("Hello WORLD", 2)]))) == ["hello world"]


@pytest.mark.parametrize("family", ["deberta", "roberta_untrimmed"])
def test_a_token_that_counts_the_space_before_a_word_stands_for_the_word(family: str) -> None:
    batch = records(("谁", "hello world", [("world", 6)]), ("谁", "hello world", [("orld", 7)]))
    windows = TokenizeSpans(encoder_of(family), 40, 8, unlocated="keep").windows(table_of(batch))
    row = windows.rows.to_pylist()[0]
    assert row["offset_mapping"][row["start_positions"]][0] == 5
    assert row["offset_mapping"][row["end_positions"]][1] == 11
    assert windows.unlocated == {"q1": "answer_inside_token"}


def test_bytes_of_one_character_are_all_of_the_answer() -> None:
    batch = records(("谁", "a😀b龘c", [("😀", 1), ("龘", 3)]), ("谁", "a😀b龘c", [("龘", 3)]))
    rows = step_of("roberta", 60, 8).windows(table_of(batch)).rows.to_pylist()
    for row, character in zip(rows, "😀龘", strict=True):
        start, end = row["start_positions"], row["end_positions"] + 1
        assert encoder_of("roberta").decode(row["input_ids"][start:end]) == character
        assert end - start == len(character.encode())


def test_unanswerable_questions_point_at_the_first_token() -> None:
    batch = records(("谁", "小明", []), ("谁", "灯塔" * 9, []))
    rows = TokenizeSpans(bert(), 16, 4)(table_of(batch))
    assert len(rows) == 3
    assert rows["start_positions"].to_pylist() == rows["end_positions"].to_pylist() == [0, 0, 0]
    # As a dict of lists too, where no list says of which type its values would be.
    assert TokenizeSpans(bert(), 16, 4)(batch)["end_positions"].tolist() == [0, 0, 0]


def test_without_the_column_of_answers_there_are_no_positions() -> None:
    batch = {name: RECORDS[name] for name in ("id", "context", "question")}
    windows = TokenizeSpans(bert(), 16, 4).windows(pa.table(batch))
    assert windows.rows.column_names == COLUMNS[:-2]
    assert windows.rows.equals(TokenizeSpans(bert(), 16, 4)(pa.table(RECORDS)).select(COLUMNS[:-2]))
    assert (windows.unlocated, windows.num_answered) == ({}, 0)


def test_a_model_without_token_type_ids_gets_none() -> None:
    step = TokenizeSpans(encoder_of("distilbert"), 16, 4)
    rows = step(pa.table(RECORDS))
    assert rows.column_names == list(step.features) == [name for name in COLUMNS if name != "token_type_ids"]
    expected = TokenizeSpans(bert(), 16, 4)(pa.table(RECORDS)).drop_columns("token_type_ids")
    assert rows.equals(expected)


def test_questions_can_be_cut_at_their_end() -> None:
    batch = records(("谁在哪里来了", "灯塔高米小明", [("小明", 4)]))
    (row,) = TokenizeSpans(bert(), 11, 2, max_question_length=2)(table_of(batch)).to_pylist()
    assert pieces(row) == "[CLS] 谁 在 [SEP] 灯 塔 高 米 小 明 [SEP]"
    assert (row["start_positions"], row["end_positions"], row["context_start"]) == (8, 9, 4)
    assert row["offset_mapping"] == [[0, 0], [0, 1], [1, 2], [0, 0], *[[n, n + 1] for n in range(6)], [0, 0]]
    for limit in (6, 99, None):
        long = TokenizeSpans(bert(), 16, 2, max_question_length=limit)(table_of(batch)).to_pylist()
        assert pieces(long[0]) == "[CLS] 谁 在 哪 里 来 了 [SEP] 灯 塔 高 米 小 明 [SEP]"


def test_a_text_that_just_fits_is_one_window_and_a_token_more_makes_two() -> None:
    for length, expected in [(6, 1), (7, 2), (10, 2), (11, 3)]:
        rows = TokenizeSpans(bert(), 10, 2)(records(("谁", "米" * length, [])))
        assert len(rows["length"]) == expected
        assert rows["length"].max() <= 10
    # Where the text fits, windows need not advance.
    assert TokenizeSpans(bert(), 10, 9)(records(("谁", "米" * 6, [])))["length"].tolist() == [10 + 1 - 1]


# Errors.


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"context": None}, "columns id, question, answers: no context; expected id, context, question"),
        ({"id": None, "question": None}, "columns context, answers: no id, question; expected id, context, question"),
        ({"context": ["小明", None]}, "record b: 'context' is null; expected a text"),
        ({"question": [None, None]}, "record a: 'question' is null; expected a text"),
        ({"question": [1, 2]}, "the column 'question' holds int64; expected texts"),
        ({"context": [["小明"], ["小"]]}, "the column 'context' holds list<item: string>; expected texts"),
        ({"answers": ["小明", "小"]},
         "the column 'answers' holds string; expected in each row the lists text and answer_start"),
        ({"answers": [None, None]},
         "the column 'answers' holds null; expected in each row the lists text and answer_start"),
        ({"answers": [["小明"], []]},
         "the column 'answers' holds list<item: string>; expected in each row the lists text and answer_start"),
        ({"answers": [[{"text": "小明", "answer_start": 0}], []]},
         "the column 'answers' holds list<item: struct<text: string, answer_start: int64>>; expected in each row the "
         "lists text and answer_start"),
        ({"answers": [{"text": ["小明"]}] * 2},
         "the column 'answers' holds struct<text: list<item: string>>; expected in each row the lists text and "
         "answer_start"),
        ({"answers": [{"text": ["小"], "answer_start": [0.5]}] * 2},
         "the column 'answers' holds struct<text: list<item: string>, answer_start: list<item: double>>; expected in "
         "each row the lists text and answer_start"),
        # One text too many, one number too many: together as many of each.
        ({"answers": [{"text": ["小", "小"], "answer_start": [0]}, {"text": ["小"], "answer_start": [0, 0]}]},
         "record a: answers are {'text': ['小', '小'], 'answer_start': [0]}; expected as many texts as numbers, or "
         "empty lists where there is no answer"),
        ({"answers": [{"text": ["小"], "answer_start": [0]}, {"text": [None], "answer_start": [0]}]},
         "record b: answers are {'text': [None], 'answer_start': [0]}; expected as many texts as numbers, or empty "
         "lists where there is no answer"),
        ({"answers": [{"text": ["小"], "answer_start": [0]}, {"text": ["小"], "answer_start": [None]}]},
         "record b: answers are {'text': ['小'], 'answer_start': [None]}; expected as many texts as numbers, or empty "
         "lists where there is no answer"),
        ({"answers": [{"text": ["小"], "answer_start": [0]}, None]},
         "record b: answers are None; expected as many texts as numbers, or empty lists where there is no answer"),
        ({"answers": [{"text": ["小"], "answer_start": [0]}, {"text": None, "answer_start": None}]},
         "record b: answers are {'text': None, 'answer_start': None}; expected as many texts as numbers, or empty "
         "lists where there is no answer"),
        ({"answers": [{"text": ["小"], "answer_start": [0]}, {"text": ["明"], "answer_start": [0]}]},
         "record b: the answer '明' does not stand at answer_start=0 of its context; mend the offset, or write -1 "
         "where the answer stands nowhere"),
        ({"answers": [{"text": ["小"], "answer_start": [7]}, {"text": [], "answer_start": []}]},
         "record a: the answer '小' does not stand at answer_start=7 of its context; mend the offset, or write -1 "
         "where the answer stands nowhere"),
        ({"question": ["谁", "谁" * 9]},
         "record b: its question of 9 tokens leaves room for 4 of the text, and windows share doc_stride=4; raise "
         "max_length (16), lower doc_stride, or cut questions with max_question_length"),
        ({"question": ["谁", "谁" * 12]},
         "record b: its question of 12 tokens leaves room for 1 of the text, and windows share doc_stride=4; raise "
         "max_length (16), lower doc_stride, or cut questions with max_question_length"),
        ({"question": ["谁" * 13, "谁" * 99]},
         "record a: its question of 13 tokens leaves room for 0 of the text, and windows share doc_stride=4; raise "
         "max_length (16), lower doc_stride, or cut questions with max_question_length"),
    ],
)  # fmt: skip
def test_records_that_make_no_windows_are_named(change: dict[str, Any], expected: str) -> None:
    batch: dict[str, Any] = {
        "id": ["a", "b"], "context": ["小明", "小红" * 3], "question": ["谁", "谁"],
        "answers": [{"text": [], "answer_start": []}, {"text": ["红"], "answer_start": [1]}],
    }  # fmt: skip
    changed = {name: each for name, each in {**batch, **change}.items() if each is not None}
    step = TokenizeSpans(bert(), 16, 4)
    assert len(step(batch)["length"]) == 2
    for rows in (changed, pa.table(changed)):
        with pytest.raises(TokenizationError) as raised:
            step(rows)
        assert str(raised.value) == expected


def test_a_single_row_and_a_mixed_column_are_named() -> None:
    step = TokenizeSpans(bert(), 16, 4)
    with pytest.raises(TokenizationError, match=r"^a single row, not a batch of them; call map with batched=True$"):
        step({name: column[0] for name, column in RECORDS.items()})
    with pytest.raises(TokenizationError, match=r"^columns id, context, question: values of different kinds in one \("):
        step({"id": ["a", 1], "context": ["小", "明"], "question": ["小", "明"]})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"max_length": 3}, "max_length=3: expected a number of tokens, more than the 3 special ones of a row"),
        ({"max_length": True}, "max_length=True: expected a number of tokens, more than the 3 special ones of a row"),
        ({"max_length": 8.0}, "max_length=8.0: expected a number of tokens, more than the 3 special ones of a row"),
        ({"doc_stride": -1}, "doc_stride=-1: expected a number of tokens, less than max_length=512"),
        ({"doc_stride": 512}, "doc_stride=512: expected a number of tokens, less than max_length=512"),
        ({"doc_stride": None}, "doc_stride=None: expected a number of tokens, less than max_length=512"),
        ({"max_question_length": 0}, "max_question_length=0: expected 1 token or more, or None"),
        ({"max_question_length": "64"}, "max_question_length='64': expected 1 token or more, or None"),
        ({"unlocated": "dorp"}, "unlocated='dorp': no such choice; did you mean 'drop'?"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(TokenizationError) as raised:
        TokenizeSpans(bert(), **options)
    assert str(raised.value) == expected


def test_tokenizers_of_other_models_are_refused(tokenizer_of: Callable[..., Any]) -> None:
    with pytest.raises(TokenizationError, match=r"^NoneType is not a fast tokenizer; load one with collators.load"):
        TokenizeSpans(None)
    tokenizer = tokenizer_of("byte_level")
    with pytest.raises(TokenizationError) as raised:
        TokenizeSpans(tokenizer)
    assert str(raised.value) == (
        f'{type(tokenizer).__name__} writes nothing before the question that could stand for "no answer"; expected the '
        "tokenizer of an encoder, with [CLS] or the like"
    )


# As a step of `dataset.map`.

MANY = records(
    *[("谁", "小明在灯塔", [("红", -1)])],  # nothing is left of the first batches of one
    *[("灯塔高多少？", "灯山灯塔在1958年，高31米。小明来了", [("31米", 12)]), ("谁", "", []), ("", "Hello World", [])],
    *[(f"谁{number}", "小红" * number + "灯塔", [("灯塔", 2 * number)]) for number in range(12)],
)
TYPES = Features(
    {
        "example_id": Value("string"),
        "input_ids": List(Value("int32")),
        "attention_mask": List(Value("int8")),
        "token_type_ids": List(Value("int8")),
        "offset_mapping": List(List(Value("int32"))),
        "context_start": Value("int32"),
        "length": Value("int32"),
        "start_positions": Value("int32"),
        "end_positions": Value("int32"),
    }
)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_every_way_to_call_the_step_gives_the_same_windows() -> None:
    step = TokenizeSpans(bert(), 16, 4)
    data = Dataset.from_dict(MANY)
    assert data.features["answers"] == {"text": List(Value("string")), "answer_start": List(Value("int64"))}
    expected = step(table_of(MANY)).to_pylist()
    assert len(expected) == 4 + 1 + 1 + 22
    options = {"batched": True, "remove_columns": data.column_names}
    ways = {
        "one by one": data.map(step, batch_size=1, **options),
        "by three": data.map(step, batch_size=3, **options),
        "at once": data.map(step, **options),
        "two processes": data.map(step, num_proc=2, **options),
        "Arrow": data.with_format("arrow").map(step, batch_size=1, **options).with_format(None),
        "NumPy": data.with_format("numpy").map(step, **options).with_format(None),
        "pandas": data.with_format("pandas").map(step, batch_size=3, **options).with_format(None),
        "an indexed dataset": data.select(range(15, -1, -1)).select(range(15, -1, -1)).map(step, **options),
    }
    for way, rows in ways.items():
        assert rows.to_list() == expected, way
        assert rows.features == step.features == TYPES, way
    for size in (1, 3, 1000):
        stream = data.to_iterable_dataset().map(step, batch_size=size, **options)
        rows = [{name: each if name == "example_id" else each.tolist() for name, each in row.items()} for row in stream]
        assert rows == expected, size
    lists = step(MANY)
    assert [ids.tolist() for ids in lists["input_ids"]] == [row["input_ids"] for row in expected]
    assert {ids.dtype for ids in lists["input_ids"]} == {np.dtype("int32")}
    assert list(lists) == COLUMNS


def test_a_slice_of_a_table_gives_its_own_windows() -> None:
    step = TokenizeSpans(bert(), 16, 4)
    table = table_of(MANY)
    for start, length in [(0, 3), (1, 1), (4, 9)]:
        part = {name: column[start : start + length] for name, column in MANY.items()}
        assert step(table.slice(start, length)).to_pylist() == step(table_of(part)).to_pylist()
    chunks = pa.concat_tables([table.slice(0, 5), table.slice(5)])
    assert step(chunks).to_pylist() == step(table).to_pylist()


def test_other_types_of_the_same_values_give_the_same_windows() -> None:
    table = pa.table(RECORDS)
    answers = pa.struct({"answer_start": pa.large_list(pa.int32()), "text": pa.large_list(pa.large_string())})
    columns = {name: table[name].cast(pa.large_string()) for name in ("id", "context", "question")}
    other = pa.table(columns | {"answers": pa.array(RECORDS["answers"], answers)})
    step = TokenizeSpans(bert(), 16, 4)
    assert step(other).to_pylist() == step(table).to_pylist()
    numbered = {**RECORDS, "id": [7, 8]}
    assert step(numbered)["example_id"].tolist() == [7, 7, 7, 7, 8]


def test_no_records_give_no_windows() -> None:
    step = TokenizeSpans(bert(), 16, 4)
    empty = step(pa.table(RECORDS).slice(0, 0))
    assert (len(empty), empty.column_names) == (0, COLUMNS)
    assert list(step({"id": [], "context": [], "question": []})) == COLUMNS[:-2]


def test_a_pickled_step_gives_the_same_windows() -> None:
    step = TokenizeSpans(bert(), 16, 4, max_question_length=5, unlocated="keep")
    again = pickle.loads(pickle.dumps(step))
    assert again(pa.table(RECORDS)).equals(step(pa.table(RECORDS)))
    assert (again.digest, Hasher.hash(again)) == (step.digest, Hasher.hash(step))
    assert not again.drops_unlocated


FINGERPRINT = """
from datasets.fingerprint import Hasher
from collators import TokenizeSpans
from tests.collators.encoder_tokenizers import bert
step = TokenizeSpans(bert(), 16, 4)
print(Hasher.hash(step), step.digest)
"""


def test_fingerprint_is_of_content_and_options_not_of_use() -> None:
    def fingerprints(step: TokenizeSpans) -> tuple[str, str]:
        return Hasher.hash(step), step.digest

    first = fingerprints(TokenizeSpans(bert(), 16, 4))
    used_tokenizer = bert()
    used_tokenizer(["a", "hello"], padding="max_length", truncation=True, max_length=4)
    used = TokenizeSpans(used_tokenizer, 16, 4)
    used(RECORDS)
    assert fingerprints(used) == first
    done = subprocess.run(
        [sys.executable, "-c", FINGERPRINT], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert tuple(done.stdout.split()) == first
    more = bert()
    more.add_tokens(["小明"])
    others = [
        TokenizeSpans(bert(), 17, 4),
        TokenizeSpans(bert(), 16, 5),
        TokenizeSpans(bert(), 16, 4, max_question_length=9),
        TokenizeSpans(bert(), 16, 4, unlocated="keep"),
        TokenizeSpans(bert(do_lower_case=False), 16, 4),
        TokenizeSpans(encoder_of("distilbert"), 16, 4),
        TokenizeSpans(roberta(), 16, 4),
        TokenizeSpans(more, 16, 4),
    ]
    seen = [first, *map(fingerprints, others)]
    assert len({hash_ for hash_, _ in seen}) == len({digest for _, digest in seen}) == len(seen)


def test_a_later_change_of_the_tokenizer_changes_no_windows() -> None:
    tokenizer = bert()
    step = TokenizeSpans(tokenizer, 16, 4)
    before = step(pa.table(RECORDS))
    tokenizer.add_tokens(["灯塔"])
    assert len(tokenizer("灯塔", add_special_tokens=False)["input_ids"]) == 1
    assert step(pa.table(RECORDS)).equals(before)
