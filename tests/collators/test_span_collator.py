"""Batches of windows and pairs: literal tensors, from every kind of row, and equal to transformers' own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

torch = pytest.importorskip("torch", reason="batches are tensors")
pytest.importorskip("transformers", reason="the reference collator is transformers'")

from datasets import Dataset  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from collators import SpanCollator, TokenizationError, TokenizePair, TokenizeSpans  # noqa: E402
from tests.collators.encoder_tokenizers import bert  # noqa: E402

PAD = 7
TOKENIZER = SimpleNamespace(pad_token_id=PAD, pad_token_type_id=3)
ROWS: list[dict[str, Any]] = [
    {
        "example_id": "a", "input_ids": [1, 2, 3], "attention_mask": [1, 1, 1], "token_type_ids": [0, 0, 1],
        "offset_mapping": [[0, 0], [0, 1], [0, 2]], "context_start": 2, "start_positions": 2, "end_positions": 2,
        "length": 3,
    },
    {
        "example_id": "b", "input_ids": [4, 5, 6, 8, 9], "attention_mask": [1, 1, 1, 1, 1],
        "token_type_ids": [0, 0, 1, 1, 1], "offset_mapping": [[0, 0], [0, 1], [0, 2], [2, 3], [0, 0]],
        "context_start": 2, "start_positions": 2, "end_positions": 3, "length": 5,
    },
]  # fmt: skip
REFUSED = (
    "expected one number a row, as TokenizeSpans and TokenizePair give; rows with a label for each token need "
    "PaddingCollator"
)


def assert_same(batch: Any, expected: Any) -> None:
    assert set(batch) == set(expected)
    for name in expected:
        assert batch[name].dtype == expected[name].dtype, name
        assert torch.equal(batch[name], expected[name]), name


def test_a_batch_is_this() -> None:
    batch = SpanCollator(TOKENIZER, pad_to_multiple_of=4)(ROWS)
    expected = {
        "input_ids": [[1, 2, 3, PAD, PAD, PAD, PAD, PAD], [4, 5, 6, 8, 9, PAD, PAD, PAD]],
        "attention_mask": [[1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0]],
        "token_type_ids": [[0, 0, 1, 3, 3, 3, 3, 3], [0, 0, 1, 1, 1, 3, 3, 3]],
        "start_positions": [2, 2],
        "end_positions": [2, 3],
    }
    assert {name: tensor.tolist() for name, tensor in batch.items()} == expected
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_every_kind_of_row_gives_the_same_batch() -> None:
    collate = SpanCollator(TOKENIZER)
    expected = collate(ROWS)
    assert expected["input_ids"].shape == (2, 8)
    data, table = Dataset.from_list(ROWS), pa.Table.from_pylist(ROWS)
    narrow = table.set_column(1, "input_ids", table["input_ids"].cast(pa.list_(pa.int32())))
    narrow = narrow.set_column(
        narrow.column_names.index("end_positions"), "end_positions", narrow["end_positions"].cast(pa.int32())
    )
    kinds = {
        "tensors": [{k: torch.tensor(v) if k != "example_id" else v for k, v in row.items()} for row in ROWS],
        "NumPy": [{k: np.array(v) if isinstance(v, list) else v for k, v in row.items()} for row in ROWS],
        "NumPy numbers": [{**row, "start_positions": np.int32(2)} for row in ROWS],
        "Arrow scalars": [{name: table[name][n] for name in table.column_names} for n in range(2)],
        "a table": table,
        "an Arrow record batch": table.to_batches()[0],
        "a table of int32": narrow,
        "chunks": pa.concat_tables([table.slice(0, 1), table.slice(1)]),
        "an iterator": iter(ROWS),
        "a dict of columns": data[:],
        "a dict of tensors": {k: torch.tensor([r[k] for r in ROWS]) if "pos" in k else v for k, v in data[:].items()},
        "dataset rows": [data[n] for n in range(2)],
        "NumPy dataset rows": [data.with_format("numpy")[n] for n in range(2)],
        "torch dataset rows": [data.with_format("torch")[n] for n in range(2)],
    }
    for kind, rows in kinds.items():
        assert_same(collate(rows), expected), kind


def test_what_the_steps_make_can_be_batched_at_once() -> None:
    record = {"id": ["q"], "question": ["谁"], "context": ["小明和小红" * 3]}
    record["answers"] = [{"text": ["小红"], "answer_start": [3]}]
    step = TokenizeSpans(bert(), 12, 4)
    collate = SpanCollator(bert())
    table, lists = step(pa.table(record)), step(record)
    assert len(table) == 3
    for rows in (table, lists, table.to_pylist()):
        batch = collate(rows)
        assert list(batch) == ["input_ids", "attention_mask", "token_type_ids", "start_positions", "end_positions"]
        assert batch["start_positions"].tolist() == table["start_positions"].to_pylist() == [6, 0, 0]
        assert batch["input_ids"].shape == (3, 16)
    pair = {"sentence1": ["小明", "小"], "sentence2": ["小红", "红"], "label": [0.5, -1.0]}
    batch = collate(TokenizePair(bert())(pair))
    assert batch["labels"].dtype == torch.float32
    assert batch["labels"].tolist() == [0.5, -1.0]
    assert batch["attention_mask"].sum(dim=1).tolist() == [7, 5]


def test_labels_of_each_kind() -> None:
    def labels(*values: Any) -> Any:
        return SpanCollator(TOKENIZER)([{"input_ids": [1], "labels": value} for value in values])["labels"]

    for values, expected, kind in [
        ([1, 0], [1, 0], torch.int64),
        ([0.5, 2], [0.5, 2.0], torch.float32),
        ([True, False], [1, 0], torch.int64),
        ([np.float64(0.5), np.float64(1)], [0.5, 1.0], torch.float32),
        ([torch.tensor(2), torch.tensor(1)], [2, 1], torch.int64),
    ]:
        found = labels(*values)
        assert (found.tolist(), found.dtype) == (expected, kind)


def test_an_attention_mask_is_made_or_kept() -> None:
    rows = [{"input_ids": [1, 2], "attention_mask": [0, 1]}, {"input_ids": [3], "attention_mask": [1]}]
    collate = SpanCollator(TOKENIZER, pad_to_multiple_of=None)
    assert collate(rows)["attention_mask"].tolist() == [[0, 1], [1, 0]]
    without = [{"input_ids": row["input_ids"]} for row in rows]
    batch = collate(without)
    assert batch["attention_mask"].tolist() == [[1, 1], [1, 0]]
    assert list(batch) == ["input_ids", "attention_mask"]
    assert rows[0] == {"input_ids": [1, 2], "attention_mask": [0, 1]}, "rows are left as they are"


def test_max_length_is_the_exact_width() -> None:
    collate = SpanCollator(TOKENIZER, max_length=16)
    assert collate(ROWS)["token_type_ids"].shape == (2, 16)
    assert collate(ROWS[:1])["input_ids"].shape == (1, 16)
    assert SpanCollator(TOKENIZER, max_length=9)(ROWS)["input_ids"].shape == (2, 16), "rounded up to a multiple of 8"
    assert SpanCollator(TOKENIZER, max_length=5, pad_to_multiple_of=1)(ROWS)["input_ids"].shape == (2, 5)


def test_padding_is_on_the_right_whatever_the_tokenizer_says() -> None:
    tokenizer = bert(padding_side="left")
    assert SpanCollator(tokenizer, pad_to_multiple_of=1)(ROWS)["input_ids"][0].tolist() == [1, 2, 3, 0, 0]


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    multiple=st.sampled_from([None, 1, 8, 64]),
    max_length=st.sampled_from([None, 30, 40]),
)
@settings(max_examples=40, deadline=None)
def test_equals_data_collator_with_padding(lengths: list[int], multiple: int | None, max_length: int | None) -> None:
    from transformers import DataCollatorWithPadding

    tokenizer = bert()
    draw = np.random.default_rng(sum(lengths))
    rows = [
        {
            "input_ids": draw.integers(1, 50, n).tolist(), "token_type_ids": draw.integers(0, 2, n).tolist(),
            "attention_mask": [1] * n, "start_positions": int(draw.integers(0, n)), "end_positions": n - 1,
        }
        for n in lengths
    ]  # fmt: skip
    padding = "longest" if max_length is None else "max_length"
    theirs = DataCollatorWithPadding(tokenizer, padding=padding, max_length=max_length, pad_to_multiple_of=multiple)
    assert_same(SpanCollator(tokenizer, pad_to_multiple_of=multiple, max_length=max_length)(rows), dict(theirs(rows)))


@pytest.mark.parametrize(
    ("options", "rows", "message"),
    [
        ({"pad_to_multiple_of": 0}, ROWS, "pad_to_multiple_of=0: expected 1 (no rounding) or more"),
        ({"max_length": 4}, ROWS,
         "row 1 of the batch: 5 tokens, longer than max_length=4; tokenize with this max_length"),
        ({}, [], "an empty batch; the collator needs one row or more"),
        ({}, [{"text": "a"}], "rows have the columns text; expected input_ids"),
        ({}, [[1, 2]], "row 0 of the batch: list; expected a dict of columns"),
        ({}, [ROWS[0], {"input_ids": [1]}], "some rows of the batch have the column 'attention_mask', some have not"),
        ({}, [{"input_ids": [1], "labels": 1}, {"input_ids": [1]}],
         "some rows of the batch have the column 'labels', some have not"),
        ({}, [{"input_ids": [1, 2], "token_type_ids": [0]}],
         "row 0 of the batch: token_type_ids and input_ids differ in length"),
        ({}, [{"input_ids": [1.5]}], "row 0 of the batch: input_ids is [1.5]; expected a flat list of whole numbers"),
        # Rows of `tokenize`, which have a label for each token, of one length or not.
        ({}, [{"input_ids": [1, 2], "labels": [-100, 2]}, {"input_ids": [1], "labels": [1]}], f"labels: {REFUSED}"),
        ({}, [{"input_ids": [1, 2], "labels": [-100, 2]}] * 2, f"labels: {REFUSED}"),
        ({}, [{"input_ids": [1], "labels": [1]}] * 2, f"labels: {REFUSED}"),
        ({}, pa.table({"input_ids": [[1, 2], [3]], "labels": [[1, 2], [3]]}), f"labels: {REFUSED}"),
        ({}, [{"input_ids": [1], "labels": None}] * 2, f"labels: {REFUSED}"),
        ({}, [{"input_ids": [1], "labels": "好"}] * 2, f"labels: {REFUSED}"),
        ({}, pa.table({"input_ids": [[1], [2]], "end_positions": [1, None]}), f"end_positions: {REFUSED}"),
        ({}, {"input_ids": [[1], [2]], "start_positions": [1]}, f"start_positions: {REFUSED}"),
        ({}, {"input_ids": [[1], [2]], "labels": None}, f"labels: {REFUSED}"),
    ],
)  # fmt: skip
def test_wrong_options_and_rows_are_named(options: dict[str, Any], rows: Any, message: str) -> None:
    with pytest.raises(TokenizationError) as raised:
        SpanCollator(TOKENIZER, **options)(rows)
    assert str(raised.value) == message


def test_a_pad_token_is_found_or_asked_for() -> None:
    assert SpanCollator(SimpleNamespace(pad_token_id=None, unk_token_id=5)).pad_token_id == 5
    with pytest.raises(TokenizationError, match=r"^SimpleNamespace has no pad, unk or eos token; set tokenizer\.pad"):
        SpanCollator(SimpleNamespace())


def test_no_tensor_is_needed_to_name_the_collator_or_to_tokenize() -> None:
    code = (
        "import sys, collators; from collators import TokenizeSpans, TokenizePair; "
        "print([m for m in ('torch', 'datasets') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
