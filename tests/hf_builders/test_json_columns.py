"""Json() columns hold the exact text of each value, and none that `datasets` could not read back."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from datasets import Dataset, Features, Json, List
from hypothesis import example, given
from hypothesis import strategies as st

from hf_builders.json_columns import json_column, json_lists, json_text, unreadable

FEATURES = Features({"list": List(Json()), "value": Json()})


def test_values_come_back_from_datasets_with_their_own_keys_and_numbers() -> None:
    rows = [
        [
            {"role": "user"},
            {"n": 3},
            {"n": 3.0},
            {"n": 0.1 + 0.2},
            {"n": 1e22},
            {"n": 2**60},
            {"n": [None, "2020-01-01"]},
        ],
        [],
        ["a", None, -(2**63), 2**64 - 1],
    ]
    values = [None, {"a": {}}, ["text"]]
    columns = [
        json_lists([[json_text(value) for value in row] for row in rows]),
        json_column(None if value is None else json_text(value) for value in values),
    ]
    dataset = Dataset(pa.table(columns, schema=FEATURES.arrow_schema))
    assert dataset.features == FEATURES
    assert [repr(row) for row in dataset["list"]] == [repr(row) for row in rows]
    assert [repr(value) for value in dataset["value"]] == [repr(value) for value in values]
    assert dataset.with_format("arrow")[0]["list"].to_pylist()[0][3] == '{"n": 0.30000000000000004}'


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 123456789012345678901, 10**30])
def test_a_number_that_datasets_cannot_read_is_told(number: int) -> None:
    fact = "a whole number below -2**63 or above 2**64 - 1, which datasets cannot read back; write it as text"
    assert unreadable(json_text({"a": [{"b": number}]})) == fact
    assert unreadable(json_text({"a": str(number), "b": number / 3})) is None


def test_a_depth_that_datasets_cannot_read_is_told() -> None:
    deepest = "[" * 1024 + "]" * 1024
    assert unreadable(deepest) is None
    Json().decode_example(deepest)
    assert unreadable(f"[{deepest}]") == (
        "values nested more than 1,024 deep, which datasets cannot read back; write them as text"
    )
    with pytest.raises(ValueError, match="depth"):
        Json().decode_example(f"[{deepest}]")


@given(st.integers())
@example(2**64 - 1)
@example(-(2**63))
def test_every_whole_number_that_is_not_told_comes_back(number: int) -> None:
    text = json.dumps({"n": number})
    if unreadable(text) is None:
        assert Json().decode_example(text) == {"n": number}
    else:
        assert not -(2**63) <= number < 2**64
