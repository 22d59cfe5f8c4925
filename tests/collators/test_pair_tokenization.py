"""Rows of one text or two are those of transformers, each with its label."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("transformers", reason="the reference is transformers' own truncation")

import numpy as np
from datasets import ClassLabel, Dataset, Features, List, Value
from datasets.fingerprint import Hasher
from hypothesis import given, settings
from hypothesis import strategies as st

from collators import TokenizationError, TokenizePair, load_tokenizer
from collators.pair_tokenization import cut_longest_first
from tests.collators.encoder_tokenizers import MAKERS, bert, encoder_of, texts

BATCH: dict[str, list[Any]] = {
    "id": ["p1", "p2"],
    "sentence1": ["灯塔高多少？", "小明来了"],
    "sentence2": ["灯塔31米", "Hello 小红"],
    "label": [1, 0],
}


def test_the_rows_of_a_small_batch_are_these() -> None:
    rows = TokenizePair(bert(), 12)(pa.table(BATCH)).to_pylist()
    assert rows == [
        {
            "id": "p1",
            # [CLS] 灯 塔 高 多 少 [SEP] 灯 塔 31 米 [SEP]: the ？ of the longer text went.
            "input_ids": [2, 18, 19, 20, 11, 12, 3, 18, 19, 32, 21, 3],
            "attention_mask": [1] * 12,
            "token_type_ids": [0] * 7 + [1] * 5,
            "labels": 1,
        },
        {
            "id": "p2",
            # [CLS] 小 明 来 了 [SEP] hello 小 红 [SEP]
            "input_ids": [2, 22, 23, 9, 10, 3, 33, 22, 25, 3],
            "attention_mask": [1] * 10,
            "token_type_ids": [0] * 6 + [1] * 4,
            "labels": 0,
        },
    ]


@cache
def step_of(family: str, max_length: int, *, is_pair: bool) -> TokenizePair:
    return TokenizePair(encoder_of(family), max_length, second="sentence2" if is_pair else None)


def check_equal(family: str, max_length: int, firsts: list[str], seconds: list[str] | None) -> None:
    tokenizer = encoder_of(family)
    columns = {"sentence1": firsts} | ({} if seconds is None else {"sentence2": seconds})
    expected = tokenizer(firsts, seconds, truncation=True, max_length=max_length)
    found = step_of(family, max_length, is_pair=seconds is not None)(pa.table(columns)).to_pydict()
    assert found == {name: expected[name] for name in found}
    assert set(found) == set(expected)


@pytest.mark.parametrize("family", MAKERS)
@given(
    firsts=st.lists(texts(9), min_size=1, max_size=4),
    seconds=st.lists(texts(9), min_size=4, max_size=4),
    max_length=st.sampled_from([5, 6, 9, 12, 13, 40]),
    is_pair=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_rows_are_those_of_transformers(
    family: str, firsts: list[str], seconds: list[str], max_length: int, is_pair: bool
) -> None:
    check_equal(family, max_length, firsts, seconds[: len(firsts)] if is_pair else None)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_every_pair_of_lengths_around_the_limit_is_cut_as_transformers_cuts(family: str) -> None:
    num_special = encoder_of(family).num_special_tokens_to_add(pair=True)
    lengths = range(12)
    pairs = [("a " * first, "b " * second) for first in lengths for second in lengths]
    for room in (1, 2, 5, 8, 9):
        check_equal(family, num_special + room, [one for one, _ in pairs], [two for _, two in pairs])
        check_equal(family, num_special + room, [one for one, _ in pairs], None)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=9), st.integers(1, 60))
def test_the_longer_text_is_cut_to_the_other_before_both_are(pairs: list[tuple[int, int]], room: int) -> None:
    def one_by_one(first: int, second: int) -> tuple[int, int]:
        is_first_longer = first > second  # of two as long as each other the one that was longer keeps its token
        while first + second > room:
            if first > second or (first == second and not is_first_longer):
                first -= 1
            else:
                second -= 1
        return first, second

    lengths = np.array(pairs)
    first, second = cut_longest_first([lengths[:, 0], lengths[:, 1]], room)
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [one_by_one(*pair) for pair in pairs]
    (single,) = cut_longest_first([lengths[:, 0]], room)
    assert single.tolist() == [min(length, room) for length, _ in pairs]


@pytest.mark.parametrize("family", MAKERS)
def test_control_tokens_typed_in_the_data_stay_text(family: str) -> None:
    tokenizer = encoder_of(family)
    controls = tokenizer.all_special_tokens
    rows = TokenizePair(tokenizer)({"sentence1": [f"a{each}" for each in controls], "sentence2": controls[::-1]})
    frame = tokenizer([""], [""])["input_ids"][0]
    others = {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}
    for ids in rows["input_ids"]:
        assert [id_ for id_ in ids.tolist() if id_ in others] == frame
    assert len(rows["input_ids"]) >= 5


# Labels.


@pytest.mark.parametrize(
    ("labels", "options", "expected", "kind"),
    [
        ([1, 0], {}, [1, 0], "int64"),
        ([np.int8(1), np.int8(-1)], {}, [1, -1], "int64"),
        ([0.5, 2], {}, [0.5, 2.0], "float32"),
        (["相同", "不同"], {"label_names": ["不同", "相同"]}, [1, 0], "int64"),
        (pa.array(["相同", "不同"], pa.large_string()), {"label_names": ("不同", "相同")}, [1, 0], "int64"),
        ([1, 0], {"label_names": ["不同", "相同"]}, [1, 0], "int64"),
    ],
)
def test_labels_of_each_kind(labels: Any, options: dict[str, Any], expected: list[Any], kind: str) -> None:
    step = TokenizePair(bert(), **options)
    rows = step({**BATCH, "label": labels})
    assert rows["labels"].tolist() == expected
    assert rows["labels"].dtype == np.dtype(kind)
    table = step(pa.table({**BATCH, "label": labels}))
    assert table["labels"].to_pylist() == expected


def test_the_columns_may_have_other_names() -> None:
    step = TokenizePair(bert(), first="text", second=None, label="sentiment", label_names=["差", "好"])
    rows = step({"text": ["小明", "小红"], "sentiment": ["好", "差"], "label": [7, 7], "sentence1": ["a", "b"]})
    assert list(rows) == ["input_ids", "attention_mask", "token_type_ids", "labels"]
    assert [ids.tolist() for ids in rows["input_ids"]] == [[2, 22, 23, 3], [2, 22, 25, 3]]
    assert rows["labels"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "options", "expected"),
    [
        ([1, None], {}, "row 1 of the batch: 'label' is null; leave such rows out"),
        ([None, None], {}, "row 0 of the batch: 'label' is null; leave such rows out"),
        ([None, "好"], {"label_names": ["好"]}, "row 0 of the batch: 'label' is null; leave such rows out"),
        (["positve", "negative"], {"label_names": ["positive", "negative"]},
         "label='positve': no such name; did you mean 'positive'?"),
        (["好", "中"], {"label_names": ["好", "差"]}, "label='中': no such name; choose one of '好', '差'"),
        (["好", "差"], {},
         "the column 'label' holds string; expected numbers, or names with label_names= in the order of their numbers"),
        ([True, False], {},
         "the column 'label' holds bool; expected numbers, or names with label_names= in the order of their numbers"),
        ([[0, 1], [1, 0]], {},
         "the column 'label' holds list<item: int64>; expected numbers, or names with label_names= in the order of "
         "their numbers"),
    ],
)  # fmt: skip
def test_labels_that_are_none_are_named(labels: list[Any], options: dict[str, Any], expected: str) -> None:
    with pytest.raises(TokenizationError) as raised:
        TokenizePair(bert(), **options)({**BATCH, "label": labels})
    assert str(raised.value) == expected


# Cut rows, and errors.


def test_cut_rows_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    batch = {"sentence1": ["小" * 9, "小" * 2, "小" * 2], "sentence2": ["小", "小" * 9, "小" * 3]}
    TokenizePair(bert(), 8)(batch)
    assert caplog.messages == ["cut 2 of 3 rows to max_length=8"]
    caplog.clear()
    TokenizePair(bert(), 14)(batch)
    TokenizePair(bert(), 11, second=None)(batch)
    assert not caplog.messages
    TokenizePair(bert(), 10, second=None)(batch)
    assert caplog.messages == ["cut 1 of 3 rows to max_length=10"]


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ({"sentence1": ["a"]}, "columns sentence1: no sentence2; expected sentence1, sentence2"),
        ({}, "columns (none): no sentence1, sentence2; expected sentence1, sentence2"),
        ({"sentence1": ["a", None], "sentence2": ["a", "b"]},
         "row 1 of the batch: 'sentence1' is null; expected a text"),
        ({"id": ["x", "y"], "sentence1": ["a", "b"], "sentence2": [None, None]},
         "record x: 'sentence2' is null; expected a text"),
        ({"sentence1": ["a"], "sentence2": [1]}, "the column 'sentence2' holds int64; expected texts"),
        ({"sentence1": "a", "sentence2": "b", "label": 1},
         "a single row, not a batch of them; call map with batched=True"),
    ],
)  # fmt: skip
def test_batches_without_texts_are_named(batch: dict[str, Any], expected: str) -> None:
    with pytest.raises(TokenizationError) as raised:
        TokenizePair(bert())(batch)
    assert str(raised.value) == expected


def test_max_length_leaves_room_for_a_token() -> None:
    for options, num_special in (({}, 3), ({"second": None}, 2)):
        for max_length in (num_special, 0, -1, None, True, 9.0):
            with pytest.raises(TokenizationError) as raised:
                TokenizePair(bert(), max_length, **options)
            assert str(raised.value) == (
                f"max_length={max_length}: expected a number of tokens, more than the {num_special} special ones of a "
                "row"
            )
        TokenizePair(bert(), num_special + 1, **options)


# As a step of `dataset.map`.


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_every_way_to_call_the_step_gives_the_same_rows() -> None:
    columns = {
        "id": list(range(7)),
        "sentence1": ["小明" * number for number in range(7)],
        "sentence2": ["灯塔" * (6 - number) for number in range(7)],
        "label": [number % 3 for number in range(7)],
    }
    names = ["a", "b", "c"]
    data = Dataset.from_dict(columns).cast_column("label", ClassLabel(names=names))
    step = TokenizePair(bert(), 14, label_names=names)
    options = {"batched": True, "remove_columns": data.column_names}
    expected = step(pa.table(columns)).to_pylist()
    ways = {
        "one by one": data.map(step, batch_size=1, **options),
        "by three": data.map(step, batch_size=3, **options),
        "two processes": data.map(step, num_proc=2, **options),
        "Arrow": data.with_format("arrow").map(step, **options).with_format(None),
        "pandas": data.with_format("pandas").map(step, **options).with_format(None),
        "pickled": data.map(pickle.loads(pickle.dumps(step)), **options),
    }
    types = {"id": Value("int64"), "input_ids": List(Value("int32")), "attention_mask": List(Value("int8"))}
    types |= {"token_type_ids": List(Value("int8")), "labels": Value("int64")}
    for way, rows in ways.items():
        assert rows.to_list() == expected, way
        assert rows.features == Features(types), way
    named = TokenizePair(bert(), 14, label_names=names)({**columns, "label": [names[n % 3] for n in range(7)]})
    assert named["labels"].tolist() == columns["label"]
    assert named["id"].tolist() == list(range(7))


def test_an_id_may_be_null_and_no_rows_give_none() -> None:
    assert TokenizePair(bert())({**BATCH, "id": [1, None]})["id"] == [1, None]
    assert len(TokenizePair(bert())(pa.table(BATCH).slice(0, 0))) == 0


def test_fingerprint_is_of_content_and_options_not_of_use() -> None:
    def fingerprints(step: TokenizePair) -> tuple[str, str]:
        return Hasher.hash(step), step.digest

    first = fingerprints(TokenizePair(bert(), 16))
    used = TokenizePair(bert(), 16)
    used(BATCH)
    assert fingerprints(used) == fingerprints(pickle.loads(pickle.dumps(used))) == first
    others = [
        TokenizePair(bert(), 17),
        TokenizePair(bert(), 16, second=None),
        TokenizePair(bert(), 16, first="text"),
        TokenizePair(bert(), 16, label="score"),
        TokenizePair(bert(), 16, label_names=["a", "b"]),
        TokenizePair(bert(), 16, label_names=["b", "a"]),
        TokenizePair(bert(do_lower_case=False), 16),
    ]
    seen = [first, *map(fingerprints, others)]
    assert len({hash_ for hash_, _ in seen}) == len({digest for _, digest in seen}) == len(seen)


def test_tokenizers_of_other_families_serve_too(tokenizer_of: Callable[..., Any]) -> None:
    """A classifier of one text or two needs no frame."""
    tokenizer = tokenizer_of("byte_level", pad_token="<s>")
    rows = TokenizePair(tokenizer, 20)({"sentence1": ["hello"], "sentence2": ["world"]})
    assert rows["input_ids"][0].tolist() == tokenizer(["hello"], ["world"])["input_ids"][0]


@pytest.mark.realdata
def test_real_questions_and_texts_are_cut_as_transformers_cuts(
    shared_realdata: Callable[[str], Path], shared_tokenizer: Callable[[str], Path]
) -> None:
    from hf_builders import load_dataset

    data = load_dataset("cmrc2018", "mrc", data_dir=str(shared_realdata("cmrc2018") / "data"), split="trial")
    tokenizer = load_tokenizer(shared_tokenizer("bert_chinese"))
    questions, contexts = list(data["question"][:300]), list(data["context"][:300])
    for max_length in (64, 512):
        step = TokenizePair(tokenizer, max_length, first="question", second="context")
        found = step(pa.table({"question": questions, "context": contexts})).to_pydict()
        expected = tokenizer(questions, contexts, truncation=True, max_length=max_length)
        assert found == {name: expected[name] for name in found}
    assert sum(map(len, found["input_ids"])) > 60_000


def test_a_label_that_was_named_must_be_there_and_one_that_was_not_may_be_missing() -> None:
    batch = {"sentence1": ["小明"], "sentence2": ["小红"]}
    assert "labels" not in TokenizePair(bert())(batch)
    assert TokenizePair(bert(), label="gold")({**batch, "gold": [1]})["labels"].tolist() == [1]
    with pytest.raises(TokenizationError) as raised:
        TokenizePair(bert(), label="gold")(batch)
    assert str(raised.value) == ("columns sentence1, sentence2: no gold; expected sentence1, sentence2, gold")
