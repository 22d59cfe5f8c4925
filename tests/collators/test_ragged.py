"""Rows in any form become flat columns; to collators of others they are still rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from collators.errors import TokenizationError
from collators.ragged import Ragged, RaggedRows, check_same_lengths, columns_of, ragged

IDS = Ragged(np.array([5, 6, 7, 8], np.int32), np.array([2, 0, 2]))
ROWS = RaggedRows({"input_ids": IDS, "seq_lengths": Ragged(np.array([1, 1, 2]), np.array([2, 0, 1]))})


def test_ragged_rows_are_a_sequence_of_dicts() -> None:
    expected = [
        {"input_ids": [5, 6], "seq_lengths": [1, 1]},
        {"input_ids": [], "seq_lengths": []},
        {"input_ids": [7, 8], "seq_lengths": [2]},
    ]
    assert len(ROWS) == 3
    assert [{name: ids.tolist() for name, ids in row.items()} for row in ROWS] == expected
    assert ROWS[-1]["input_ids"].tolist() == [7, 8]
    assert [row["input_ids"].tolist() for row in ROWS[1:]] == [[], [7, 8]]
    with pytest.raises(IndexError):
        ROWS[3]


def test_ragged_rows_and_their_dicts_give_the_same_columns() -> None:
    as_columns = columns_of(ROWS, ["input_ids", "labels", "seq_lengths"])
    as_rows = columns_of(list(ROWS), ["input_ids", "labels", "seq_lengths"])
    assert list(as_columns) == list(as_rows) == ["input_ids", "seq_lengths"]
    for name, column in as_columns.items():
        flat = ragged(name, as_rows[name])
        assert flat.values.tolist() == ragged(name, column).values.tolist()
        assert flat.lengths.tolist() == column.lengths.tolist()


@pytest.mark.parametrize(
    "column",
    [
        [[5, 6], [], [7, 8]],
        [(5, 6), (), (7, 8)],
        [[5, 6], np.array([], np.int64), np.array([7, 8], np.int16)],
        [[5, 6], [], [np.int64(7), True + 7]],
        pa.array([[5, 6], [], [7, 8]], pa.list_(pa.int32())),
        pa.array([[0], [5, 6], [], [7, 8]], pa.large_list(pa.uint16()))[1:],
        pa.chunked_array([[[5, 6]], [[], [7, 8]]]),
    ],
)
def test_every_kind_of_column_is_flattened(column: Any) -> None:
    flat = ragged("input_ids", column)
    assert flat.values.tolist() == [5, 6, 7, 8]
    assert flat.lengths.tolist() == [2, 0, 2]
    assert flat.starts.tolist() == [0, 2, 2]


def test_numbers_of_more_than_32_bits_are_kept() -> None:
    assert ragged("input_ids", [[2**40], [-1]]).values.tolist() == [2**40, -1]


def test_rows_without_any_value_are_empty_and_not_wrong() -> None:
    flat = ragged("input_ids", [[], []])
    assert flat.values.tolist() == []
    assert flat.values.dtype.kind == "i"
    assert flat.lengths.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([[1], [2.0]], "row 1 of the batch: labels is [2.0]; expected a flat list of whole numbers"),
        ([[1], ["2"]], "row 1 of the batch: labels is ['2']; expected a flat list of whole numbers"),
        ([[[1]]], "row 0 of the batch: labels is of shape (1, 1); expected a flat list of whole numbers"),
        (["12"], "row 0 of the batch: labels is '12'; expected a flat list of whole numbers"),
    ],
)
def test_what_is_no_list_of_whole_numbers_is_named(column: Any, message: str) -> None:
    with pytest.raises(TokenizationError) as raised:
        ragged("labels", column)
    assert str(raised.value) == message


def test_columns_of_unequal_rows_are_named() -> None:
    labels = Ragged(np.array([5, 6, 7]), np.array([2, 0, 1]))
    with pytest.raises(TokenizationError, match="row 2 of the batch: labels and input_ids differ in length"):
        check_same_lengths({"input_ids": IDS, "labels": labels})
    with pytest.raises(TokenizationError, match="row 1 of the batch: labels and input_ids differ in length"):
        check_same_lengths({"input_ids": IDS, "labels": Ragged(np.array([5, 6]), np.array([2]))})
