"""Splits by hash of the question: the same question in the same split, whatever else is in the data."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_builders import OptionError
from hf_builders.splits import assign_splits, check_fractions, normalise_key

QUESTIONS = pa.array([f"第{i}个问题怎么办" for i in range(4000)])


def test_questions_that_differ_in_form_only_share_a_split() -> None:
    forms = [
        "ＡＢ型血能喝酒吗？",
        "ab型血能喝酒吗",
        "AB型血 能喝酒吗！！",
        "「AB型血」能喝酒吗\n",
        "\u3000ab型血，能喝酒吗…",
    ]
    assert normalise_key(pa.array(forms)).to_pylist() == ["ab型血能喝酒吗"] * len(forms)
    for test in (0.1, 0.3, 0.5, 0.7, 0.9):
        assert len(set(assign_splits(pa.array(forms), {"test": test}).to_pylist())) == 1


def test_shares_come_out_as_asked_and_rows_do_not_move_when_others_go() -> None:
    splits = assign_splits(QUESTIONS, {"validation": 0.1, "test": 0.2}).to_pylist()
    counts = Counter(splits)
    assert set(counts) == {"train", "validation", "test"}
    assert counts["validation"] == pytest.approx(400, abs=80)
    assert counts["test"] == pytest.approx(800, abs=110)
    assert assign_splits(QUESTIONS[1000:1500], {"validation": 0.1, "test": 0.2}).to_pylist() == splits[1000:1500]


def test_these_splits_never_change() -> None:
    # A new version that moved questions would put test rows of the last one into train.
    assert assign_splits(QUESTIONS[:12], {"validation": 0.25, "test": 0.25}).to_pylist() == [
        "test",
        "train",
        "train",
        "train",
        "validation",
        "train",
        "test",
        "validation",
        "train",
        "train",
        "validation",
        "train",
    ]


@given(st.lists(st.text(max_size=10), max_size=20), st.floats(0.01, 0.49), st.floats(0.01, 0.49))
def test_every_text_gets_one_of_the_splits(questions: list[str], validation: float, test: float) -> None:
    splits = assign_splits(pa.array(questions, pa.string()), {"validation": validation, "test": test}).to_pylist()
    assert len(splits) == len(questions)
    assert set(splits) <= {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"test": 1.0}, "test=1.0: a fraction of the rows must lie between 0 and 1"),
        ({"test": -0.1}, "test=-0.1: a fraction of the rows must lie between 0 and 1"),
        ({"validation": 0.1, "test": "0.1"}, "test='0.1': a fraction of the rows must lie between 0 and 1"),
        ({"test": float("nan")}, "test=nan: a fraction of the rows must lie between 0 and 1"),
        (
            {"validation": 0.5, "test": 0.5},
            "validation=0.5, test=0.5: nothing is left for train; the fractions must add up to less than 1",
        ),
    ],
)
def test_fractions_that_make_no_sense_are_refused(fractions: dict[str, float], message: str) -> None:
    with pytest.raises(OptionError) as error:
        check_fractions(fractions)
    assert str(error.value) == message
