"""The answers read from logits are the best spans of the texts, by hand and by a plain double loop."""

from __future__ import annotations

import json
import math
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("transformers", reason="the windows are those of its tokenizers")

import numpy as np
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from collators import (
    TokenizationError,
    TokenizeSpans,
    postprocess_spans,
    save_predictions,
    span_candidates,
)
from collators.span_answers import SpanCandidate, table_with
from tests.collators.encoder_tokenizers import bert, encoder_of, texts

RECORDS: dict[str, list[Any]] = {"id": ["q1", "q2"], "context": ["小明在灯塔", "谁来了"]}
# [CLS] 谁 [SEP] 小 明 在 灯 [SEP] and [CLS] 谁 [SEP] 在 灯 塔 [SEP]; then the one of q2.
WINDOWS: dict[str, list[Any]] = {
    "example_id": ["q1", "q1", "q2"],
    "context_start": [3, 3, 2],
    "offset_mapping": [
        [[0, 0], [0, 1], [0, 0], [0, 1], [1, 2], [2, 3], [3, 4], [0, 0]],
        [[0, 0], [0, 1], [0, 0], [2, 3], [3, 4], [4, 5], [0, 0]],
        [[0, 0], [0, 0], [0, 1], [1, 2], [2, 3], [0, 0]],
    ],
}
# What is 99 must never count: question, [SEP], padding. "9" columns, one more than any window has tokens.
START = [
    [1, 99, 99, 4, 2, 0, 1, 99, 99],
    [3, 99, 99, 0, 5, 1, 99, 99, 99],
    [0, 99, 2, 0, 1, 99, 99, 99, 99],
]
END = [
    [1, 99, 99, 0, 3, 1, 2, 99, 99],
    [0, 99, 99, 1, 2, 4, 99, 99, 99],
    [0, 99, 0, 0, 1, 99, 99, 99, 99],
]


def predict(**options: Any) -> dict[str, str]:
    return postprocess_spans(RECORDS, WINDOWS, (START, END), **options)


def candidates(**options: Any) -> dict[str, list[tuple[str, int, float]]]:
    found = span_candidates(RECORDS, WINDOWS, (START, END), **options)
    return {id_: [each[:3] for each in of_record] for id_, of_record in found.items()}


def test_the_candidates_of_small_windows_are_these() -> None:
    # Of window 1: 小 4+0, 小明 4+3, 小明在 4+1, 小明在灯 4+2, 明 2+3, 明在 2+1, 明在灯 2+2, 在 0+1, 在灯 0+2, 灯 1+2.
    # Of window 2: 在 0+1, 在灯 0+2, 在灯塔 0+4, 灯 5+2, 灯塔 5+4, 塔 1+4. "No answer": 2 and 3, the lesser counts.
    assert candidates(n_best=5)["q1"] == [
        ("灯塔", 3, 9.0), ("小明", 0, 7.0), ("灯", 3, 7.0), ("小明在灯", 0, 6.0), ("小明在", 0, 5.0), ("", -1, 2.0),
    ]  # fmt: skip
    assert candidates(n_best=99)["q1"] == [
        ("灯塔", 3, 9.0), ("小明", 0, 7.0), ("灯", 3, 7.0), ("小明在灯", 0, 6.0), ("小明在", 0, 5.0), ("明", 1, 5.0),
        ("塔", 4, 5.0), ("小", 0, 4.0), ("明在灯", 1, 4.0), ("在灯塔", 2, 4.0), ("明在", 1, 3.0), ("在灯", 2, 2.0),
        ("", -1, 2.0), ("在", 2, 1.0),
    ]  # fmt: skip
    assert candidates(n_best=99)["q2"] == [
        ("谁来了", 0, 3.0), ("谁", 0, 2.0), ("谁来", 0, 2.0), ("了", 2, 2.0), ("来了", 1, 1.0), ("来", 1, 0.0),
        ("", -1, 0.0),
    ]  # fmt: skip
    assert predict() == {"q1": "灯塔", "q2": "谁来了"}


def test_of_two_windows_with_one_span_the_better_score_counts() -> None:
    found = {text: score for text, _, score in candidates(n_best=99)["q1"]}
    assert found["灯"] == 7, "3 in the first window, 7 in the second"
    assert found["在"] == 1, "1 in both"


def test_an_answer_has_no_more_tokens_than_allowed() -> None:
    assert predict(max_answer_length=1) == {"q1": "灯", "q2": "谁"}
    assert {text for text, _, _ in candidates(max_answer_length=2, n_best=99)["q2"]} == {
        "谁", "来", "了", "谁来", "来了", "",
    }  # fmt: skip
    assert predict(max_answer_length=3)["q2"] == "谁来了"


def test_probabilities_are_the_softmax_of_a_records_candidates() -> None:
    for n_best in (1, 3, 99):
        for found in span_candidates(RECORDS, WINDOWS, (START, END), n_best=n_best).values():
            weights = [math.exp(each.score) for each in found]
            assert [each.probability for each in found] == pytest.approx([each / sum(weights) for each in weights])
            assert sum(each.probability for each in found) == pytest.approx(1)
    big = np.array(START) * 1000, np.array(END) * 1000
    assert span_candidates(RECORDS, WINDOWS, big)["q1"][0] == SpanCandidate("灯塔", 3, 9000.0, 1.0)


def test_no_answer_wins_by_more_than_the_threshold() -> None:
    # q1: 2 against 9; q2: 0 against 3.
    assert predict(null_threshold=None) == {"q1": "灯塔", "q2": "谁来了"}
    assert predict(null_threshold=0.0) == {"q1": "灯塔", "q2": "谁来了"}
    assert predict(null_threshold=-3.0) == {"q1": "灯塔", "q2": "谁来了"}, "just the threshold is not more"
    assert predict(null_threshold=-3.5) == {"q1": "灯塔", "q2": ""}
    assert predict(null_threshold=-7.0) == {"q1": "灯塔", "q2": ""}
    assert predict(null_threshold=-8.0) == {"q1": "", "q2": ""}
    start = np.array(START, float)
    start[2, 0] = 9
    assert postprocess_spans(RECORDS, WINDOWS, (start, END)) == {"q1": "灯塔", "q2": "谁来了"}, "None never leaves open"
    assert postprocess_spans(RECORDS, WINDOWS, (start, END), null_threshold=0.0)["q2"] == ""
    assert postprocess_spans(RECORDS, WINDOWS, (start, END), null_threshold=6.0)["q2"] == "谁来了"


def test_a_record_without_windows_or_without_text_gets_an_empty_answer() -> None:
    records = {"id": ["q0", *RECORDS["id"], "q3"], "context": ["天", *RECORDS["context"], ""]}
    windows = {name: list(column) for name, column in WINDOWS.items()}
    for name, value in [("example_id", "q3"), ("context_start", 2), ("offset_mapping", [[0, 0]] * 3)]:
        windows[name].append(value)
    logits = [*START, [5] * 9], [*END, [5] * 9]
    assert postprocess_spans(records, windows, logits) == {"q0": "", "q1": "灯塔", "q2": "谁来了", "q3": ""}
    found = span_candidates(records, windows, logits)
    assert (found["q0"], found["q3"]) == ([], [("", -1, 10.0, 1.0)])
    assert list(found) == records["id"]


def test_equal_scores_have_one_order_whatever_the_machine() -> None:
    equal = np.zeros((3, 9)), np.zeros((3, 9))
    texts_of = [each.text for each in span_candidates(RECORDS, WINDOWS, equal, n_best=4)["q1"]]
    assert texts_of == ["小", "小明", "小明在", "小明在灯", ""], "by the first character, then the last; then no answer"
    assert postprocess_spans(RECORDS, WINDOWS, equal) == {"q1": "小", "q2": "谁"}
    long = {"id": ["q"], "context": ["灯塔" * 200]}
    windows = TokenizeSpans(bert(), 384, 128)({**long, "question": ["谁"]})
    logits = (np.zeros((len(windows["length"]), 384)),) * 2
    found = span_candidates(long, windows, logits, n_best=3)["q"]
    assert [(each.start, each.text) for each in found] == [(0, "灯"), (0, "灯塔"), (0, "灯塔灯"), (-1, "")]


def test_an_answer_ends_with_the_accents_of_its_last_letter() -> None:
    records = {"id": ["q"], "question": ["谁"], "context": ["cafe\u0301 \u05d4\u05d5\u05bc"]}
    records["answers"] = [{"text": ["\u05d4\u05d5\u05bc"], "answer_start": [6]}]
    windows = TokenizeSpans(bert(), 12, 3)(pa.table(records))
    (row,) = windows.to_pylist()
    assert row["offset_mapping"][row["end_positions"]][1] == 8, "BERT drops them"
    logits = np.zeros((2, 1, 12))
    logits[0, 0, row["start_positions"]] = logits[1, 0, row["end_positions"]] = 5
    assert postprocess_spans(records, windows, tuple(logits)) == {"q": "\u05d4\u05d5\u05bc"}
    found = span_candidates(records, windows, tuple(logits))["q"]
    assert "cafe\u0301" in [each.text for each in found]


# Against a plain double loop.


def brute_force(
    records: dict[str, Any], windows: Any, logits: Any, n_best: int, max_answer_length: int
) -> dict[str, list[tuple[str, int, float]]]:
    """All pairs of tokens of every window."""
    expected = {}
    for id_, context in zip(records["id"], records["context"], strict=True):
        scores: dict[tuple[int, int], float] = {}
        null = math.inf
        for number, window in enumerate(windows):
            if window["example_id"] != id_:
                continue
            starts, ends = (np.asarray(each[number], np.float32) for each in logits)
            null = min(null, float(starts[0] + ends[0]))
            chars = window["offset_mapping"]
            visible = [
                place
                for place in range(window["context_start"], len(chars))
                if context[chars[place][0] : chars[place][1]].strip()
            ]
            for first in visible:
                for last in visible:
                    if first <= last < first + max_answer_length:
                        piece = context[chars[first][0] : chars[last][1]]
                        begin = chars[first][0] + len(piece) - len(piece.lstrip())
                        end = begin + len(piece.strip())
                        while unicodedata.category(context[end : end + 1] or " ") == "Mn":
                            end += 1
                        span, score = (begin, end), float(starts[first] + ends[last])
                        scores[span] = max(score, scores.get(span, -math.inf))
        best = sorted(scores.items(), key=lambda each: (-each[1], each[0]))[:n_best]
        found = [(context[begin:end], begin, score) for (begin, end), score in best]
        expected[id_] = sorted(found + [("", -1, null)] * (null < math.inf), key=lambda each: -each[2])
    return expected


@pytest.mark.parametrize("family", ["bert", "deberta", "albert", "roberta"])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_candidates_are_those_of_a_double_loop(family: str, data: st.DataObject) -> None:
    contexts = data.draw(st.lists(texts(12), min_size=1, max_size=3))
    records = {"id": [f"q{n}" for n in range(len(contexts))], "context": contexts, "question": ["谁"] * len(contexts)}
    rows = TokenizeSpans(encoder_of(family), 12, 3)(pa.table(records)).to_pylist()
    width = 12 + data.draw(st.integers(0, 2))
    draw = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    logits = tuple(draw.normal(size=(len(rows), width)) for _ in range(2))
    if family == "bert":  # where no two tokens stand for one character, the order of equal scores is that of the text
        logits = tuple(each.round() for each in logits)
    n_best, max_answer_length = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 14))
    found = span_candidates(records, rows, logits, n_best=n_best, max_answer_length=max_answer_length)
    expected = brute_force(records, rows, logits, n_best, max_answer_length)
    assert {id_: [each[:3] for each in of_record] for id_, of_record in found.items()} == expected
    answers = postprocess_spans(records, rows, logits, n_best=n_best, max_answer_length=max_answer_length)
    for id_, answer in answers.items():
        assert answer == next((text for text, start, _ in expected[id_] if start >= 0), "")


def test_the_gold_positions_give_the_answers() -> None:
    records = {
        "id": ["a", "b", "c", "d"],
        "question": ["谁"] * 4,
        "context": ["小明 Hello World 31米。" * 3, " hello world" * 20, "在" * 9, " 小明"],
        "answers": [
            {"text": ["Hello World", "31米"], "answer_start": [3, 15]},
            {"text": ["world hello"], "answer_start": [31]},
            {"text": [], "answer_start": []},
            {"text": [" 小明"], "answer_start": [0]},
        ],
    }
    for family in ("bert", "distilbert", "deberta", "roberta", "roberta_untrimmed", "albert", "xlm_roberta"):
        windows = TokenizeSpans(encoder_of(family), 40, 16)(pa.table(records)).to_pylist()
        logits = np.zeros((2, len(windows), 40))
        for number, window in enumerate(windows):
            logits[0, number, window["start_positions"]] = logits[1, number, window["end_positions"]] = 10
        found = postprocess_spans(records, windows, tuple(logits), null_threshold=0.0)
        assert found == {"a": "Hello World", "b": "world hello", "c": "", "d": "小明"}, family


def test_records_and_windows_may_come_in_any_form() -> None:
    step = TokenizeSpans(bert(), 12, 3)
    records = {"id": ["a", "b"], "question": ["谁", "谁"], "context": ["小明在灯塔来了小红", "Hello World"]}
    table = step(pa.table(records))
    draw = np.random.default_rng(0)
    logits = tuple(draw.normal(size=(len(table), 13)) for _ in range(2))
    expected = postprocess_spans(records, table, logits)
    assert all(expected.values())
    data = Dataset.from_dict(records)
    mapped = data.map(step, batched=True, remove_columns=data.column_names)
    shuffled = data.select([1, 0])
    for each in (records, data, pa.table(records), data.to_list(), data.with_format("torch"), shuffled):
        assert postprocess_spans(each, table, logits) == expected
    for each in (
        step(records),
        mapped,
        mapped.with_format("numpy"),
        table.to_pylist(),
        mapped.select(range(len(mapped))),
    ):
        assert postprocess_spans(records, each, logits) == expected
    stream = data.to_iterable_dataset().map(step, batched=True, remove_columns=data.column_names)
    assert postprocess_spans(records, list(stream), logits) == expected
    assert postprocess_spans(records, table, tuple(map(np.ndarray.tolist, logits))) == expected
    cut = table.slice(1), tuple(each[1:] for each in logits)
    assert list(postprocess_spans(records, *cut)) == ["a", "b"]
    numbered = {**records, "id": [7, 8]}
    assert postprocess_spans(numbered, step(numbered), logits) == dict(zip([7, 8], expected.values(), strict=True))


# Errors.


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"logits": (START[:2], END[:2])},
         "logits of shapes (2, 9) and (2, 9) for 3 windows; expected W × T, in order"),
        ({"logits": (START, END[:2])}, "logits of shapes (3, 9) and (2, 9) for 3 windows; expected W × T, in order"),
        ({"logits": (START[0], END[0])}, "logits of shapes (9,) and (9,) for 3 windows; expected W × T, in order"),
        ({"logits": (np.zeros((3, 6)), np.zeros((3, 6)))}, "window 0 has 8 tokens or more, its logits 6"),
        ({"logits": (np.where(np.arange(9) == 4, np.nan, START), END)},
         "the logits of window 0 are no numbers (NaN); has the model diverged?"),
        ({"records": {"id": ["q1"], "context": ["小明在灯塔"]}},
         "window 2 is of the record 'q2', and none of the records has this id"),
        ({"records": {"id": ["q1", "q1"], "context": ["小明在灯塔", "小"]}},
         "2 records have 1 ids; each needs an id of its own"),
        ({"records": {"id": ["q1"]}}, "columns id: no context"),
        ({"records": "q1"}, "str: expected a dataset, a dict of columns or a list of rows"),
        ({"windows": {"example_id": ["q1"]}}, "columns example_id: no context_start, offset_mapping"),
        ({"windows": Dataset.from_dict({"id": ["q1"]})},
         "columns id: no example_id, context_start, offset_mapping"),
        ({"windows": [{"id": "q1"}]}, "columns id: no example_id, context_start, offset_mapping"),
        ({"options": {"n_best": 0}}, "n_best=0, max_answer_length=512: expected numbers of 1 or more"),
        ({"options": {"max_answer_length": 0}}, "n_best=20, max_answer_length=0: expected numbers of 1 or more"),
    ],
)  # fmt: skip
def test_what_does_not_belong_together_is_named(change: dict[str, Any], expected: str) -> None:
    given = {"records": RECORDS, "windows": WINDOWS, "logits": (START, END), "options": {}, **change}
    with pytest.raises(TokenizationError) as raised:
        postprocess_spans(given["records"], given["windows"], given["logits"], **given["options"])
    assert str(raised.value) == expected


def test_a_column_is_read_from_every_form_of_rows() -> None:
    columns = {"id": ["a", "b"], "n": [1, 2]}
    for rows in (columns, pa.table(columns), Dataset.from_dict(columns), [{"id": "a", "n": 1}, {"id": "b", "n": 2}]):
        assert table_with(rows, ["n"]).to_pydict() == {"n": [1, 2]}
    assert table_with(Dataset.from_dict(columns).select([1]), ["id"]).to_pydict() == {"id": ["b"]}
    assert table_with([], ["id"]).to_pydict() == {"id": []}


# Files.


def test_predictions_are_saved_as_the_official_scripts_read_them(tmp_path: Path) -> None:
    path = tmp_path / "predictions.json"
    predictions = {"DEV_0_QUERY_0": "“灯塔”\n31米", "DEV_0_QUERY_1": ""}
    save_predictions(predictions, path)
    assert json.loads(path.read_text(encoding="utf-8")) == predictions
    assert "“灯塔”" in path.read_text(encoding="utf-8"), "Chinese is to be read by eye too"
    save_predictions({"b": "2"}, str(path))
    assert path.read_text(encoding="utf-8") == '{\n"b": "2"\n}\n'
    assert [each.name for each in tmp_path.iterdir()] == ["predictions.json"]


def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    for place in ("no/such/folder.json", "file/below.json", "folder"):
        with pytest.raises(TokenizationError, match=rf"^{tmp_path}/{place}: cannot be written \(.+\); choose another"):
            save_predictions({"a": "1"}, tmp_path / place)
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "kept"
