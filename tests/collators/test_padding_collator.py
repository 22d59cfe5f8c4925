"""Batches equal to transformers' own, from every kind of row."""

from __future__ import annotations

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

from collators import FlatRows, PaddingCollator, TokenizationError  # noqa: E402

PAD = 7
TOKENIZER = SimpleNamespace(pad_token_id=PAD)
ROWS = [
    {"id": "a", "input_ids": [1, 2, 3], "labels": [-100, 2, 3], "length": 3, "set_aside": None},
    {"id": "b", "input_ids": [4, 5, 6, 8, 9], "labels": [-100, -100, 6, 8, 9], "length": 5, "set_aside": None},
    {"id": "c", "input_ids": [1], "labels": [1], "length": 1, "set_aside": None},
]


def assert_same(batch: Any, expected: Any) -> None:
    assert set(batch) == set(expected)
    for name in expected:
        assert batch[name].dtype == torch.int64, name
        assert torch.equal(batch[name], expected[name]), name


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    side=st.sampled_from(["right", "left"]),
    multiple=st.sampled_from([None, 1, 2, 8, 64]),
    max_length=st.sampled_from([None, 30, 40]),
)
@settings(max_examples=100, deadline=None)
def test_equals_data_collator_for_seq2seq(
    lengths: list[int], side: Any, multiple: int | None, max_length: int | None
) -> None:
    from tokenizers import Tokenizer, models
    from transformers import DataCollatorForSeq2Seq, PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({"[PAD]": 0, "a": 1}, unk_token="a"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", padding_side=side)
    draw = np.random.default_rng(sum(lengths))
    rows = [
        {"input_ids": draw.integers(1, 99, n).tolist(), "labels": draw.integers(-100, 99, n).tolist()} for n in lengths
    ]
    padding = "longest" if max_length is None else "max_length"
    reference = DataCollatorForSeq2Seq(tokenizer, padding=padding, max_length=max_length, pad_to_multiple_of=multiple)
    expected = reference([{**row, "attention_mask": [1] * len(row["input_ids"])} for row in rows])
    collate = PaddingCollator(tokenizer, pad_to_multiple_of=multiple, padding_side=side, max_length=max_length)
    assert_same(collate(rows), expected)


def test_every_kind_of_row_gives_the_same_batch() -> None:
    collate = PaddingCollator(TOKENIZER)
    expected = collate(ROWS)
    assert expected["input_ids"].tolist()[2] == [1] + [PAD] * 7
    data = Dataset.from_list(ROWS)
    table = pa.Table.from_pylist(ROWS)
    int32 = table.set_column(1, "input_ids", table["input_ids"].cast(pa.list_(pa.int32())))
    kinds = {
        "tensors": [{k: torch.tensor(v) if isinstance(v, list) else v for k, v in row.items()} for row in ROWS],
        "NumPy": [{k: np.array(v, np.int32) if isinstance(v, list) else v for k, v in row.items()} for row in ROWS],
        "Arrow scalars": [{name: table[name][n] for name in table.column_names} for n in range(3)],
        "a table": table,
        "an Arrow record batch": table.to_batches()[0],
        "an iterator": iter(ROWS),
        "a table of int32": int32,
        "chunks": pa.concat_tables([table.slice(0, 1), table.slice(1)]),
        "a dict of columns": data[:],
        "dataset rows": [data[n] for n in range(3)],
        "NumPy dataset rows": [data.with_format("numpy")[n] for n in range(3)],
    }
    for kind, rows in kinds.items():
        assert_same(collate(rows), expected), kind


def test_rows_are_left_as_they_are() -> None:
    rows = [{"input_ids": [1, 2], "labels": [1, 2]}, {"input_ids": [3], "labels": [3]}]
    PaddingCollator(TOKENIZER)(rows)
    assert rows == [{"input_ids": [1, 2], "labels": [1, 2]}, {"input_ids": [3], "labels": [3]}]


def test_an_attention_mask_of_the_rows_is_kept() -> None:
    rows = [{"input_ids": [1, 2], "attention_mask": [0, 1]}, {"input_ids": [3], "attention_mask": [1]}]
    batch = PaddingCollator(TOKENIZER, pad_to_multiple_of=1)(rows)
    assert batch["attention_mask"].tolist() == [[0, 1], [1, 0]]
    assert "labels" not in batch


def test_max_length_is_the_exact_width() -> None:
    collate = PaddingCollator(TOKENIZER, max_length=16)
    assert collate(ROWS)["labels"].shape == (3, 16)
    assert collate(ROWS[:1])["labels"].shape == (1, 16)


def test_a_pad_token_is_found_or_asked_for() -> None:
    assert PaddingCollator(SimpleNamespace(pad_token_id=None, unk_token_id=0)).pad_token_id == 0
    assert PaddingCollator(SimpleNamespace(pad_token_id=None, eos_token_id=2)).pad_token_id == 2
    with pytest.raises(
        TokenizationError, match=r"SimpleNamespace has no pad, unk or eos token; set tokenizer\.pad_token"
    ):
        PaddingCollator(SimpleNamespace())


@pytest.mark.parametrize(
    ("options", "rows", "message"),
    [
        ({"padding_side": "top"}, ROWS, "padding_side='top': expected 'right' or 'left'"),
        ({"pad_to_multiple_of": 0}, ROWS, "pad_to_multiple_of=0: expected 1 (no rounding) or more"),
        ({"max_length": 4, "pad_to_multiple_of": 1}, ROWS,
         "row 1 of the batch: 5 tokens, longer than max_length=4; tokenize with this max_length"),
        ({}, [], "an empty batch; the collator needs one row or more"),
        ({}, [{"text": "a"}], "rows have the columns text; expected input_ids"),
        ({}, [ROWS[0], {"input_ids": [1]}], "some rows of the batch have the column 'labels', some have not"),
        ({}, [{"input_ids": [1]}, ROWS[0]], "some rows of the batch have the column 'labels', some have not"),
        ({}, [ROWS[0], {**ROWS[1], "labels": None}],
         "row 1 of the batch: labels is None; expected a flat list of whole numbers"),
        ({}, [{**ROWS[0], "labels": 1}], "row 0 of the batch: labels is 1; expected a flat list of whole numbers"),
        ({}, [{"input_ids": [1.5]}], "row 0 of the batch: input_ids is [1.5]; expected a flat list of whole numbers"),
        ({}, [{"input_ids": torch.ones(1, 3, dtype=torch.int64)}],
         "row 0 of the batch: input_ids is of shape (1, 3); expected a flat list of whole numbers"),
        ({}, [{"input_ids": [[1, 2], [3]]}],
         "row 0 of the batch: input_ids is [[1, 2], [3]]; expected a flat list of whole numbers"),
        ({}, pa.table({"input_ids": [[1], None]}),
         "row 1 of the batch: input_ids is <pyarrow.ListScalar: None>; expected a flat list of whole numbers"),
        ({}, pa.table({"input_ids": [[1, None]]}),
         "row 0 of the batch: input_ids is <pyarrow.ListScalar: [1, None]>; expected a flat list of whole numbers"),
        ({}, {"input_ids": [[1]], "labels": None},
         "the column 'labels' is None; leave it out or give it a list for each row"),
        ({}, [[1, 2]], "row 0 of the batch: list; expected a dict of columns"),
        ({}, [ROWS[0], {**ROWS[1], "labels": [1]}], "row 1 of the batch: labels and input_ids differ in length"),
    ],
)  # fmt: skip
def test_wrong_options_and_rows_are_named(options: dict[str, Any], rows: Any, message: str) -> None:
    with pytest.raises(TokenizationError) as raised:
        PaddingCollator(TOKENIZER, **options)(rows)
    assert str(raised.value) == message


PACKED = {"input_ids": [1, 2, 3], "labels": [-100, 2, -100], "position_ids": [0, 1, 0], "seq_lengths": [2, 1]}


@pytest.mark.parametrize("told_by", ["seq_lengths", "position_ids"])
def test_packed_rows_are_refused_in_every_form(told_by: str) -> None:
    row = {name: PACKED[name] for name in ("input_ids", "labels", told_by)}
    dataset = Dataset.from_list([row, row])
    for rows in ([row], iter([row]), pa.Table.from_pylist([row]), dataset[:], FlatRows(dataset).__getitems__([1])):
        with pytest.raises(TokenizationError) as raised:
            PaddingCollator(TOKENIZER)(rows)
        fact = {"seq_lengths": "have seq_lengths", "position_ids": "have position_ids that restart"}[told_by]
        assert str(raised.value) == (
            f"rows of the batch {fact}: they are packed, and padded like this their records would see each other; "
            "use PackingCollator"
        )


def test_positions_of_one_record_a_row_are_no_packing() -> None:
    batch = PaddingCollator(TOKENIZER)([{"input_ids": [1, 2], "position_ids": [0, 1]}])
    assert list(batch) == ["input_ids", "attention_mask"]


def test_a_trainer_has_the_same_loss_with_either_collator(tmp_path: Any) -> None:
    pytest.importorskip("accelerate", reason="Trainer needs it")
    from tokenizers import Tokenizer, models
    from transformers import (
        DataCollatorForSeq2Seq,
        PreTrainedTokenizerFast,
        Qwen2Config,
        Qwen2ForCausalLM,
        Trainer,
        TrainingArguments,
    )

    backend = Tokenizer(models.WordLevel({"[PAD]": 0, "a": 1}, unk_token="a"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", padding_side="right")
    draw = np.random.default_rng(0)
    ids = [draw.integers(1, 50, n).tolist() for n in draw.integers(4, 20, 16)]
    data = Dataset.from_dict({"input_ids": ids, "labels": [[-100, -100, *row[2:]] for row in ids]})

    def losses(collator: Any) -> list[float]:
        torch.manual_seed(0)
        config = Qwen2Config(
            vocab_size=50, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=1, max_position_embeddings=32,
        )  # fmt: skip
        arguments = TrainingArguments(
            output_dir=str(tmp_path), max_steps=4, per_device_train_batch_size=4, logging_steps=1, report_to=[],
            save_strategy="no", use_cpu=True, disable_tqdm=True, seed=1,
        )  # fmt: skip
        trainer = Trainer(Qwen2ForCausalLM(config), arguments, train_dataset=data, data_collator=collator)
        trainer.train()
        return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]

    ours = losses(PaddingCollator(tokenizer))
    assert len(ours) == 4
    assert ours == losses(DataCollatorForSeq2Seq(tokenizer, pad_to_multiple_of=8))
