"""Flat rows are the rows of the dataset, wherever its table comes from, and are read where Arrow has them."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset, DatasetDict, Features, LargeList, List, Value, concatenate_datasets, load_from_disk
from hypothesis import given, settings
from hypothesis import strategies as st

from collators.errors import TokenizationError
from collators.flat_rows import FlatRows

IDS = [[1, 2, 3], [4], [], [5, 6], [7, 8, 9, 10]]
COLUMNS: dict[str, Any] = {
    "id": ["a", "b", "c", "d", "e"],
    "input_ids": IDS,
    "labels": [[-100] * len(ids) for ids in IDS],
    "seq_lengths": [[1, 2], [1], [], [2], [4]],
    "length": [3, 1, 0, 2, 4],
}
DATA = Dataset.from_dict(COLUMNS)


def assert_same_rows(rows: FlatRows, dataset: Dataset) -> None:
    assert len(rows) == len(dataset) > 0
    batch = rows.__getitems__(list(range(len(rows))))
    for number, (one, flat) in enumerate(zip(dataset.with_format(None), batch, strict=True)):
        assert {name: ids.tolist() for name, ids in flat.items()} == {name: one[name] for name in rows.column_names}
        assert {name: ids.tolist() for name, ids in rows[number].items()} == {
            name: one[name] for name in rows.column_names
        }
    assert rows.lengths.tolist() == [len(ids) for ids in dataset.with_format(None)["input_ids"]]


def test_columns_of_whole_number_lists_are_held_and_no_others() -> None:
    assert FlatRows(DATA).column_names == ["input_ids", "labels", "seq_lengths"]


def test_rows_equal_the_datasets_after_every_mapping() -> None:
    numbers = List(Value("int64"))
    small = Features({"id": Value("string"), "input_ids": LargeList(Value("uint16")), "labels": List(Value("int8"))})
    kinds = {
        "as made": DATA,
        "selected": DATA.select([4, 0, 0, 2]),
        "a range": DATA.select(range(1, 4)),
        "shuffled": DATA.shuffle(seed=3),
        "shuffled and selected": DATA.shuffle(seed=3).select([1, 0]),
        "chunked": concatenate_datasets([DATA, DATA.select([3, 1]), DATA.select(range(2, 5))]),
        "chunked and shuffled": concatenate_datasets([DATA, DATA]).shuffle(seed=1),
        "a slice of a table": Dataset(pa.table(COLUMNS).slice(1, 3)),
        "with an empty chunk": Dataset(pa.concat_tables([pa.table(COLUMNS).slice(0, 0), pa.table(COLUMNS)])),
        "other types": DATA.select_columns(["id", "input_ids", "labels"]).cast(small),
        "as NumPy": DATA.with_format("numpy"),
        "as torch": DATA.with_format("arrow", columns=["id"]),
        "of one length": Dataset.from_dict(
            {"input_ids": [[1, 2], [3, 4], [5, 6]]}, features=Features({"input_ids": List(Value("int32"), length=2)})
        ),
        "of one length, a slice": Dataset.from_dict(
            {"input_ids": [[1, 2], [3, 4], [5, 6]]}, features=Features({"input_ids": List(Value("int32"), length=2)})
        ).select(range(1, 3)),
        "int64": Dataset.from_dict({"input_ids": [[2**40, -1]]}, features=Features({"input_ids": numbers})),
    }
    for kind, dataset in kinds.items():
        assert_same_rows(FlatRows(dataset), dataset), kind


@given(
    rows=st.lists(st.lists(st.integers(-100, 10**6), max_size=8), min_size=1, max_size=12),
    cuts=st.lists(st.integers(0, 12), max_size=4),
    order=st.lists(st.integers(0, 11), min_size=1, max_size=12),
)
@settings(max_examples=80, deadline=None)
def test_rows_equal_the_datasets_however_it_is_cut_and_ordered(
    rows: list[list[int]], cuts: list[int], order: list[int]
) -> None:
    whole = pa.table({"input_ids": pa.array(rows, pa.list_(pa.int32()))})
    ends = [*sorted({min(cut, len(rows)) for cut in cuts}), len(rows)]
    pieces = [whole.slice(start, end - start) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    dataset = Dataset(pa.concat_tables(pieces)).select([number % len(rows) for number in order])
    assert_same_rows(FlatRows(dataset), dataset)


def test_a_memory_mapped_dataset_is_neither_copied_nor_sent_to_workers(tmp_path: Path) -> None:
    Dataset.from_dict({"input_ids": [list(range(500))] * 500}).save_to_disk(tmp_path)
    dataset = load_from_disk(tmp_path)
    rows = FlatRows(dataset)
    buffer = dataset.data.table["input_ids"].chunk(0).values.to_numpy()
    assert np.shares_memory(rows[0]["input_ids"], buffer)
    sent = pickle.dumps(rows)
    assert len(sent) < 10_000 < buffer.nbytes
    assert pickle.loads(sent)[499]["input_ids"].tolist() == list(range(500))


def test_rows_are_counted_from_both_ends_and_no_further() -> None:
    rows = FlatRows(DATA)
    assert rows[-1]["input_ids"].tolist() == [7, 8, 9, 10]
    for row in (5, -6):
        with pytest.raises(IndexError):
            rows[row]
    with pytest.raises(IndexError, match="rows -1 to 2 of 5"):
        rows.__getitems__([2, -1])
    with pytest.raises(IndexError, match="rows 0 to 5 of 5"):
        rows.__getitems__([0, 5])


def test_an_empty_dataset_has_no_rows() -> None:
    rows = FlatRows(DATA.select([]))
    assert len(rows) == 0
    assert rows.lengths.tolist() == []
    assert len(rows.__getitems__([])) == 0


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (DatasetDict({"train": DATA}), "DatasetDict: FlatRows reads a datasets.Dataset; give one split, and no stream"),
        (DATA.to_iterable_dataset(),
         "IterableDataset: FlatRows reads a datasets.Dataset; give one split, and no stream"),
        (Dataset.from_dict({"text": ["a"]}),
         "rows have the columns text; expected input_ids, lists of whole numbers, as tokenize() gives them"),
        (Dataset.from_dict({"input_ids": [[0.5]]}, features=Features({"input_ids": List(Value("float32"))})),
         "rows have the columns input_ids; expected input_ids, lists of whole numbers, as tokenize() gives them"),
        (Dataset(pa.table({"input_ids": [[1], None]})), "row 1: input_ids is null; filter such rows out"),
        (Dataset(pa.table({"input_ids": [[1], [None]]})), "row 1: a value of input_ids is null; filter such rows out"),
    ],
)  # fmt: skip
def test_what_holds_no_token_rows_is_named(dataset: Any, message: str) -> None:
    with pytest.raises(TokenizationError) as raised:
        FlatRows(dataset)
    assert str(raised.value) == message


@pytest.mark.parametrize("size", [None, 2])
def test_nulls_in_rows_that_are_filtered_out_do_not_matter(size: int | None) -> None:
    kind = pa.list_(pa.int32()) if size is None else pa.list_(pa.int32(), size)
    whole = [[1, 2], None, [3, None], [4, 5], None, [6, 7]]
    pieces = [pa.table({"input_ids": pa.array(part, kind)}) for part in (whole[:3], whole[3:])]
    dataset = Dataset(pa.concat_tables(pieces))
    rows = FlatRows(dataset.filter(lambda row: row["input_ids"] is not None and None not in row["input_ids"]))
    assert [row["input_ids"].tolist() for row in rows.__getitems__([0, 1, 2])] == [[1, 2], [4, 5], [6, 7]]
    assert rows.lengths.tolist() == [2, 2, 2]
    for places, message in (([3, 4, 0], "row 1: input_ids is null"), ([3, 0, 2], "row 2: a value of input_ids is")):
        with pytest.raises(TokenizationError, match=message):
            FlatRows(dataset.select(places))
    sliced = FlatRows(Dataset(pieces[0].slice(0, 1)))
    assert sliced[0]["input_ids"].tolist() == [1, 2]


def _batches(dataset: Any, **options: Any) -> list[dict[str, list[Any]]]:
    from torch.utils.data import DataLoader

    from collators.padding_collator import PaddingCollator

    collate = PaddingCollator(SimpleNamespace(pad_token_id=0), pad_to_multiple_of=1)
    loader = DataLoader(dataset, batch_size=2, collate_fn=collate, **options)
    return [{name: tensor.tolist() for name, tensor in batch.items()} for batch in loader]


def test_a_loader_gives_the_batches_of_the_dataset() -> None:
    pytest.importorskip("torch", reason="batches are tensors")
    data = DATA.remove_columns("seq_lengths")
    expected = _batches(data)
    assert [len(batch["labels"]) for batch in expected] == [2, 2, 1]
    assert _batches(FlatRows(data)) == expected


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_give_the_same_batches(start: str, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="batches are tensors")
    DATA.remove_columns("seq_lengths").save_to_disk(tmp_path)
    rows = FlatRows(load_from_disk(tmp_path).shuffle(seed=1))
    assert _batches(rows, num_workers=2, multiprocessing_context=start) == _batches(rows)


@pytest.mark.filterwarnings("ignore:Creating a tensor from a list of numpy:UserWarning")
def test_a_collator_of_others_takes_the_rows() -> None:
    torch = pytest.importorskip("torch", reason="batches are tensors")
    pytest.importorskip("transformers", reason="the other collator is transformers'")
    from tokenizers import Tokenizer, models
    from transformers import DataCollatorForSeq2Seq, PreTrainedTokenizerFast

    from collators.padding_collator import PaddingCollator

    backend = Tokenizer(models.WordLevel({"[PAD]": 0, "a": 1}, unk_token="a"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", padding_side="right")
    rows = FlatRows(DATA.select_columns(["input_ids", "labels"])).__getitems__([0, 3])
    expected = PaddingCollator(tokenizer)(rows)
    batch = DataCollatorForSeq2Seq(tokenizer, pad_to_multiple_of=8)(rows)
    assert all(torch.equal(batch[name], expected[name]) for name in ("input_ids", "labels", "attention_mask"))
