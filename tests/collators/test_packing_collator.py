"""Batches of packed rows, from every kind of row and for every kind of attention."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("torch", reason="batches are tensors")
pytest.importorskip("transformers", reason="the reference collator is transformers'")

import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from collators import IGNORE_INDEX, PackingCollator, PaddingCollator, TokenizationError, pack
from collators.flat_rows import FlatRows

PAD = 7
TOKENIZER = SimpleNamespace(pad_token_id=PAD)
ROWS = [
    {"input_ids": [1, 2, 3, 4, 5], "labels": [1, 2, 3, -100, 5], "seq_lengths": [3, 2]},
    {"input_ids": [6, 8, 9], "labels": [6, 8, 9], "seq_lengths": [3]},
]
LOWEST = torch.finfo(torch.float32).min


def with_positions(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"position_ids": [n for length in row["seq_lengths"] for n in range(length)]} for row in rows]


def only(rows: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [{name: row[name] for name in names} for row in rows]


def seen_by_loops(lengths: list[list[int]], width: int) -> Any:
    """Which token sees which, one pair at a time."""
    seen = torch.zeros(len(lengths), 1, width, width, dtype=torch.bool)
    for row, row_lengths in enumerate(lengths):
        record_of = [record for record, length in enumerate(row_lengths) for _ in range(length)]
        for query in range(width):
            for key in range(width):
                if query < len(record_of) and key < len(record_of):
                    seen[row, 0, query, key] = record_of[query] == record_of[key] and key <= query
                else:
                    seen[row, 0, query, key] = query == key
    return seen


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        if isinstance(value, torch.Tensor):
            assert found[name].dtype == value.dtype, name
            assert torch.equal(found[name], value), name
        else:
            assert type(found[name]) is type(value), name
            assert found[name] == value, name


def test_a_token_sees_itself_and_those_before_it_in_its_record() -> None:
    batch = PackingCollator(TOKENIZER, pad_to_multiple_of=6)(ROWS)
    assert_same(
        batch,
        {
            "input_ids": torch.tensor([[1, 2, 3, 4, 5, PAD], [6, 8, 9, PAD, PAD, PAD]]),
            "labels": torch.tensor([[-100, 2, 3, -100, 5, -100], [-100, 8, 9, -100, -100, -100]]),
            "position_ids": torch.tensor([[0, 1, 2, 0, 1, 0], [0, 1, 2, 0, 0, 0]]),
            "attention_mask": seen_by_loops([[3, 2], [3]], 6),
        },
    )


def test_eager_attention_gets_what_is_added_to_the_scores() -> None:
    batch = PackingCollator(TOKENIZER, attention="eager", pad_to_multiple_of=6)(ROWS)
    seen = seen_by_loops([[3, 2], [3]], 6)
    assert batch["attention_mask"].dtype == torch.float32
    assert torch.equal(batch["attention_mask"], torch.where(seen, 0.0, LOWEST))


LENGTHS = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=5), min_size=1, max_size=4)


def rows_of(lengths: list[list[int]]) -> list[dict[str, Any]]:
    draw = np.random.default_rng(sum(map(sum, lengths)))
    return [
        {
            "input_ids": draw.integers(1, 99, sum(row)).tolist(),
            "labels": draw.integers(-100, 99, sum(row)).tolist(),
            "seq_lengths": row,
        }
        for row in lengths
    ]


@given(LENGTHS, st.sampled_from([1, 8, None]), st.sampled_from([None, 45]))
@settings(max_examples=60, deadline=None)
def test_masks_of_any_records_and_padding(
    lengths: list[list[int]], multiple: int | None, max_length: int | None
) -> None:
    rows = rows_of(lengths)
    batch = PackingCollator(TOKENIZER, pad_to_multiple_of=multiple, max_length=max_length)(rows)
    plain = PaddingCollator(TOKENIZER, pad_to_multiple_of=multiple, max_length=max_length)(
        [{name: row[name] for name in ("input_ids", "labels")} for row in rows]
    )
    assert torch.equal(batch["input_ids"], plain["input_ids"])
    assert torch.equal(batch["attention_mask"], seen_by_loops(lengths, plain["input_ids"].shape[1]))
    is_first = (batch["position_ids"] == 0) & plain["attention_mask"].bool()
    assert int(is_first.sum()) == sum(map(len, lengths))
    assert torch.equal(batch["labels"], plain["labels"].masked_fill(is_first, IGNORE_INDEX))


@given(LENGTHS)
@settings(max_examples=60, deadline=None)
def test_flash_attention_gets_what_transformers_own_collator_gives_for_the_records(lengths: list[list[int]]) -> None:
    from transformers import DataCollatorWithFlattening

    rows = rows_of(lengths)
    records = []
    for row in rows:
        ends = np.cumsum(row["seq_lengths"]).tolist()
        for start, end in zip([0, *ends], ends, strict=False):
            records.append({"input_ids": row["input_ids"][start:end], "labels": row["labels"][start:end]})
    expected = DataCollatorWithFlattening(return_flash_attn_kwargs=True, return_position_ids=True)(records)
    assert len(expected["cu_seq_lens_q"]) == sum(map(len, lengths)) + 1
    for attention in ("flash_attention_2", "flash_attention_3", "kernels-community/flash-attn2"):
        assert_same(PackingCollator(TOKENIZER, attention=attention)(rows), dict(expected))
    assert_same(PackingCollator(None, attention="flash_attention_2")(records), dict(expected))


@pytest.mark.parametrize("attention", ["sdpa", "eager", "flash_attention_2"])
def test_every_kind_of_row_gives_the_same_batch(attention: str) -> None:
    collate = PackingCollator(TOKENIZER, attention=attention)
    expected = collate(ROWS)
    packed = with_positions(ROWS)
    data = Dataset.from_list([row | {"id": "a", "length": 1} for row in packed])
    table = pa.Table.from_pylist(packed)
    names = ["input_ids", "labels", "seq_lengths"]
    kinds = {
        "positions beside lengths": packed,
        "positions alone": only(packed, "input_ids", "labels", "position_ids"),
        "tensors": [{name: torch.tensor(row[name]) for name in names} for row in ROWS],
        "NumPy": [{name: np.array(row[name], np.int32) for name in names} for row in ROWS],
        "a table": table,
        "chunks": pa.concat_tables([table.slice(0, 1), table.slice(1)]),
        "a dict of columns": data[:],
        "dataset rows": [data[n] for n in range(2)],
        "flat rows": FlatRows(data).__getitems__([0, 1]),
    }
    for kind, rows in kinds.items():
        assert_same(collate(rows), expected), kind


def test_rows_that_are_not_packed_are_one_record_each() -> None:
    plain = only(ROWS, "input_ids", "labels")
    batch = PackingCollator(TOKENIZER)(plain)
    assert torch.equal(batch["attention_mask"], seen_by_loops([[5], [3]], 8))
    assert batch["labels"][:, 0].tolist() == [-100, -100]
    flat = PackingCollator(TOKENIZER, attention="flash_attention_2")(plain)
    assert flat["cu_seq_lens_q"].tolist() == [0, 5, 8]
    assert flat["labels"].tolist() == [[-100, 2, 3, -100, 5, -100, 8, 9]]


def test_rows_without_labels_give_a_batch_without() -> None:
    assert "labels" not in PackingCollator(TOKENIZER)(only(ROWS, "input_ids", "seq_lengths"))


def test_rows_are_left_as_they_are() -> None:
    rows = [{"input_ids": np.array([1, 2]), "labels": np.array([1, 2]), "seq_lengths": np.array([1, 1])}]
    for attention in ("sdpa", "flash_attention_2"):
        batch = PackingCollator(TOKENIZER, attention=attention)(rows)
        assert set(batch["labels"].flatten().tolist()) == {-100}
    assert rows[0]["labels"].tolist() == [1, 2]


def test_packed_rows_go_through_a_loader() -> None:
    ids = [[10 + n] * n for n in range(1, 20)]
    rows = FlatRows(pack(Dataset.from_dict({"input_ids": ids, "labels": ids}), 32))
    loader = torch.utils.data.DataLoader(rows, batch_size=4, collate_fn=PackingCollator(TOKENIZER, max_length=32))
    batches = list(loader)
    assert sum(int((batch["input_ids"] != PAD).sum()) for batch in batches) == sum(map(len, ids))
    assert {batch["attention_mask"].shape[1:] for batch in batches} == {(1, 32, 32)}


@pytest.mark.parametrize("attention", ["spda", "flex_attention", None])
def test_an_attention_that_is_not_known_is_named(attention: Any) -> None:
    with pytest.raises(TokenizationError) as raised:
        PackingCollator(TOKENIZER, attention=attention)
    assert str(raised.value) == (
        f"attention={attention!r}: expected 'sdpa', 'eager' or 'flash_attention_2', the one the model is loaded with "
        "(attn_implementation=)"
    )


WAY_OUT = "expected the tokens of each record, 1 or more, as collators.pack writes them"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROWS[1], ROWS[0] | {"seq_lengths": [3, 1]}],
         f"row 1 of the batch: seq_lengths [3, 1] add up to 4, input_ids has 5 tokens; {WAY_OUT}"),
        ([ROWS[0] | {"seq_lengths": [6, -1]}],
         f"row 0 of the batch: seq_lengths [6, -1] add up to 5, input_ids has 5 tokens; {WAY_OUT}"),
        ([ROWS[0] | {"seq_lengths": []}],
         f"row 0 of the batch: seq_lengths [] add up to 0, input_ids has 5 tokens; {WAY_OUT}"),
        ([ROWS[1], with_positions(ROWS)[0] | {"seq_lengths": [2, 3]}],
         "some rows of the batch have the column 'position_ids', some have not"),
        ([with_positions(ROWS)[1], with_positions(ROWS)[0] | {"seq_lengths": [2, 3]}],
         "row 1 of the batch: position_ids of token 2 is 2, 0 by its place in the record; pack the rows with "
         "collators.pack, or leave position_ids out"),
        ([{"input_ids": [1, 2, 3], "position_ids": [0, 1, 5]}],
         "row 0 of the batch: position_ids of token 2 is 5, 2 by its place in the record; pack the rows with "
         "collators.pack, or leave position_ids out"),
        ([{"input_ids": [1], "position_ids": [0]}, {"input_ids": [1, 2], "position_ids": [1, 2]}],
         "row 1 of the batch: position_ids begin with 1; expected them to count from 0 in each record, as "
         "collators.pack writes them"),
        ([{"input_ids": [1, 2], "position_ids": [0]}],
         "row 0 of the batch: position_ids and input_ids differ in length"),
        ([{"input_ids": [1], "labels": [1]}, {"input_ids": [], "labels": []}],
         "row 1 of the batch has no token; leave it out"),
        ({"input_ids": [[1], [2]], "seq_lengths": [[1]]},
         "seq_lengths of 1 rows and input_ids of 2; give each row its own"),
        ([], "an empty batch; the collator needs one row or more"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("attention", ["sdpa", "flash_attention_2"])
def test_rows_whose_records_cannot_be_told_apart_are_named(attention: str, rows: Any, message: str) -> None:
    with pytest.raises(TokenizationError) as raised:
        PackingCollator(TOKENIZER, attention=attention)(rows)
    assert str(raised.value) == message


def test_a_row_longer_than_the_shape_is_named() -> None:
    with pytest.raises(TokenizationError, match="row 0 of the batch: 5 tokens, longer than max_length=4"):
        PackingCollator(TOKENIZER, max_length=4)(ROWS)
