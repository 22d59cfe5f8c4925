"""`pack` on every kind of dataset: every record whole, in one row, with its border noted."""

from __future__ import annotations

import os
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from datasets import (
    Dataset,
    DatasetDict,
    Features,
    IterableDataset,
    IterableDatasetDict,
    LargeList,
    List,
    Value,
    concatenate_datasets,
    interleave_datasets,
)
from datasets.distributed import split_dataset_by_node
from hypothesis import given, settings
from hypothesis import strategies as st

from collators import IGNORE_INDEX, TokenizationError, load_tokenizer, pack, tokenize

FEATURES = Features(
    {
        "ids": List(Value("string")),
        "input_ids": List(Value("int32")),
        "labels": List(Value("int32")),
        "position_ids": List(Value("int32")),
        "seq_lengths": List(Value("int32")),
        "length": Value("int32"),
    }
)
TOKEN_ROWS = Features({"id": Value("string"), "input_ids": List(Value("int32")), "labels": List(Value("int32"))})

Record = tuple[tuple[int, ...], tuple[int, ...]]


def token_rows(lengths: list[int], features: Features = TOKEN_ROWS) -> Dataset:
    """Row `r` holds the ids 1000 r, 1000 r + 1, …; all but every third are trained."""
    ids = [[1000 * row + place for place in range(length)] for row, length in enumerate(lengths)]
    labels = [[id_ if id_ % 3 else IGNORE_INDEX for id_ in row] for row in ids]
    names = [f"r{row}" for row in range(len(lengths))]
    return Dataset.from_dict({"id": names, "input_ids": ids, "labels": labels}, features=features)


def records_of(rows: Any, *, named: bool = True) -> Counter[Record]:
    """The records of packed rows, after a look at what every packed row must be."""
    found: Counter[Record] = Counter()
    for row in rows:
        assert list(row) == list(FEATURES)[not named :]
        lengths = row["seq_lengths"]
        assert sum(lengths) == row["length"] == len(row["input_ids"]) == len(row["labels"])
        names = row["ids"] if named else [f"r{row['input_ids'][0] // 1000}"] * len(lengths)
        assert len(names) == len(lengths)
        assert row["position_ids"] == [place for length in lengths for place in range(length)]
        ends = np.cumsum(lengths).tolist()
        for name, start, end in zip(names, [0, *ends], ends, strict=False):
            assert name == f"r{row['input_ids'][start] // 1000}" or not named
            found[tuple(row["input_ids"][start:end]), tuple(row["labels"][start:end])] += 1
    return found


def expected_records(rows: Dataset) -> Counter[Record]:
    """The same of token rows: the first token of a record is never trained."""
    return Counter((tuple(row["input_ids"]), (IGNORE_INDEX, *row["labels"][1:])) for row in rows if row["input_ids"])


def test_records_lie_one_after_another_with_positions_from_zero_and_an_untrained_first_token() -> None:
    rows = pack(token_rows([3, 5]), 8)
    assert rows.features == FEATURES
    assert rows[:] == {
        "ids": [["r0", "r1"]],
        "input_ids": [[0, 1, 2, 1000, 1001, 1002, 1003, 1004]],
        "labels": [[-100, 1, 2, -100, 1001, -100, 1003, 1004]],
        "position_ids": [[0, 1, 2, 0, 1, 2, 3, 4]],
        "seq_lengths": [[3, 5]],
        "length": [8],
    }


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40).filter(any), st.integers(20, 50), st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_no_record_is_lost_cut_or_doubled(lengths: list[int], max_length: int, seed: int) -> None:
    data = token_rows(lengths)
    rows = pack(data, max_length, seed=seed)
    assert records_of(rows) == expected_records(data)
    assert max(rows["length"]) <= max_length
    # Within a row, the order of the dataset.
    assert all(row["input_ids"] == sorted(row["input_ids"]) for row in rows)


LENGTHS = [7, 3, 12, 1, 5, 5, 9, 2, 11, 4]


@pytest.mark.parametrize("kind", ["int64", "large lists", "chunks", "selected", "shuffled", "sliced", "formatted"])
def test_every_form_of_dataset_gives_the_rows_of_the_plain_one(kind: str) -> None:
    data = token_rows(LENGTHS)
    ids = {"int64": List(Value("int64")), "large lists": LargeList(Value("int32"))}.get(kind, List(Value("int32")))
    forms: dict[str, Callable[[], Dataset]] = {
        "chunks": lambda: concatenate_datasets([data.select(range(4)), data.select(range(4, 10))]),
        "selected": lambda: concatenate_datasets([token_rows([6, 6]), data]).select(range(2, 12)),
        "shuffled": lambda: data.select(list(range(9, -1, -1))).select(list(range(9, -1, -1))),
        "sliced": lambda: Dataset(pa.concat_tables([token_rows([6, 6]).data.table, data.data.table]).slice(2)),
        "formatted": lambda: data.with_format("numpy", columns=["input_ids"]),
    }
    form = forms.get(kind, lambda: data.cast(Features({**TOKEN_ROWS, "input_ids": ids, "labels": ids})))()
    expected, found = pack(data, 16), pack(form, 16)
    assert found.features["input_ids"] == List(ids.feature)
    assert found[:] == expected[:]
    assert records_of(found) == expected_records(data)


def test_columns_that_are_not_tokens_are_left_out() -> None:
    data = token_rows(LENGTHS).add_column("length", LENGTHS).add_column("set_aside", [None] * 10)
    assert pack(data, 16).features == FEATURES


def test_every_split_is_packed_by_itself() -> None:
    splits = DatasetDict(train=token_rows(LENGTHS), test=token_rows([2, 2]))
    rows = pack(splits, 16)
    assert {name: records_of(split) for name, split in rows.items()} == {
        name: expected_records(split) for name, split in splits.items()
    }


def test_an_empty_split_stays_empty() -> None:
    assert pack(token_rows([]), 16).features == FEATURES
    assert len(pack(token_rows([]), 16)) == 0


def test_a_seed_decides_the_order_of_the_rows_and_nothing_else() -> None:
    data = token_rows([5, 4, 3, 6] * 20)
    first, again, other = pack(data, 16), pack(data, 16), pack(data, 16, seed=1)
    assert first[:] == again[:] != other[:]
    assert sorted(first["input_ids"]) == sorted(other["input_ids"])


# What is too long


def test_a_row_too_long_is_an_error_that_names_it() -> None:
    with pytest.raises(TokenizationError) as raised:
        pack(token_rows([3, 9]).with_format("numpy", columns=["input_ids"]), 8)
    assert str(raised.value) == (
        "row 1 (id 'r1'): 9 tokens, longer than max_length=8; raise max_length, tokenize with this max_length, or "
        "choose overflow='drop' or 'truncate'"
    )


def test_rows_too_long_are_dropped_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    data = token_rows([3, 9, 0, 12, 4])
    rows = pack(data, 8, overflow="drop")
    assert records_of(rows) == expected_records(data.select([0, 4]))
    assert caplog.messages == ["set aside 3 of 5 rows: too_long 2, no_token 1"]


def test_rows_too_long_are_cut_at_their_end_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    data = token_rows([3, 9, 12, 4])
    # Of the third row, nothing in front of the cut but its first token is trained.
    labels = [*data["labels"][:2], [2000, *[IGNORE_INDEX] * 7, 2008, 2009, 2010, 2011], data["labels"][3]]
    data = data.remove_columns("labels").add_column("labels", labels, feature=List(Value("int32")))
    rows = pack(data, 8, overflow="truncate")
    cut = token_rows([3, 8, 0, 4])
    assert records_of(rows) == expected_records(cut)
    assert caplog.messages == ["set aside 1 of 4 rows: answer_cut_off 1", "cut 1 of 4 rows by 1 tokens"]


@pytest.mark.parametrize("overflow", ["truncate_prompt", "truncate_turns"])
def test_policies_that_need_the_conversation_belong_to_tokenize(overflow: Any) -> None:
    with pytest.raises(TokenizationError) as raised:
        pack(token_rows([3]), 8, overflow=overflow)
    assert str(raised.value) == (
        f"overflow='{overflow}': packing sees tokens, and this policy needs the conversation; use "
        f"tokenize(…, max_length=8, overflow='{overflow}'), then pack its rows"
    )


def test_no_row_left_is_an_error() -> None:
    with pytest.raises(TokenizationError) as raised:
        pack(DatasetDict(train=token_rows([9, 0])), 8, overflow="drop")
    assert str(raised.value) == (
        "train: max_length=8: no row of 2 is left (no_token 1, too_long 1); raise max_length, or tokenize with this "
        "max_length"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 0}, "max_length=0: expected tokens, 1 or more"),
        ({"max_length": True}, "max_length=True: expected tokens, 1 or more"),
        ({"overflow": "trunkate"}, "overflow='trunkate': no such choice; did you mean 'truncate'?"),
        ({"seed": -1}, "seed=-1: expected whole number, 0 or more"),
        ({"window": 0}, "window=0: expected records, 1 or more"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenizationError) as raised:
        pack(token_rows([3]), **{"max_length": 8, **options})
    assert str(raised.value) == message


def test_numbers_of_numpy_are_numbers() -> None:
    data = token_rows(LENGTHS)
    found = pack(data, np.int64(16), seed=np.int32(0))  # type: ignore[arg-type]
    assert found[:] == pack(data, 16)[:]


def test_rows_without_tokens_that_are_filtered_out_do_not_matter() -> None:
    ids = [[1, 2], None, [3]]
    data = Dataset.from_dict({"input_ids": ids, "labels": ids})
    rows = pack(data.filter(lambda row: row["input_ids"] is not None), 8)
    assert rows["input_ids"][:] == [[1, 2, 3]]


def test_wrong_columns_are_named() -> None:
    cases = {
        "column 'seq_lengths': these rows are packed already; pack token rows, once": pack(token_rows([3]), 8),
        "columns text: no input_ids; pack takes what collators.tokenize gives": Dataset.from_dict({"text": ["a"]}),
        "columns input_ids: no labels; pack takes what collators.tokenize gives": Dataset.from_dict(
            {"input_ids": [[1]]}
        ),
        "column 'labels': expected lists of whole numbers, found Value('int64')": Dataset.from_dict(
            {"input_ids": [[1]], "labels": [1]}
        ),
        "row 1: labels and input_ids differ in length; tokenize again": Dataset.from_dict(
            {"input_ids": [[1], [2, 3]], "labels": [[1], [2]]}
        ),
        "list: expected a datasets.Dataset, IterableDataset or a dict of splits": [[1]],
    }
    for message, data in cases.items():
        with pytest.raises(TokenizationError) as raised:
            pack(data, 8)
        assert str(raised.value) == message
        if isinstance(data, Dataset):
            with pytest.raises(TokenizationError, match=message.split(":")[-1].strip().replace("(", r"\(")[:20]):
                list(pack(data.to_iterable_dataset(), 8))


# What is kept


@pytest.fixture
def on_disk(tmp_path: Path) -> Dataset:
    token_rows(LENGTHS).save_to_disk(tmp_path / "rows")
    return Dataset.load_from_disk(tmp_path / "rows")


def test_packed_rows_lie_on_disk_beside_their_rows_and_are_read_again(
    on_disk: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(on_disk.cache_files[0]["filename"]).parent
    before = set(os.listdir(folder))
    first = pack(on_disk, 16)
    assert records_of(first) == expected_records(on_disk)
    [file] = [Path(each["filename"]) for each in first.cache_files]
    assert set(os.listdir(folder)) - before == {file.name}
    with monkeypatch.context() as patched:
        patched.setattr("collators.packing.best_fit", None)
        again = pack(on_disk, 16)
    assert again[:] == first[:]
    assert again._fingerprint == first._fingerprint
    assert [Path(each["filename"]) for each in again.cache_files] == [file]


def test_other_rows_options_or_code_are_packed_anew(on_disk: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [
        pack(data, length, **options).cache_files[0]["filename"]
        for data, length, options in [
            (on_disk, 16, {}),
            (on_disk, 17, {}),
            (on_disk, 16, {"seed": 1}),
            (on_disk, 16, {"overflow": "drop"}),
            (on_disk.select([1, 2, 3]), 16, {}),
        ]
    ]
    monkeypatch.setattr("collators.packing.code_digest", lambda: "edited")
    files.append(pack(on_disk, 16).cache_files[0]["filename"])
    assert len(set(files)) == 6


def test_what_is_logged_is_logged_again_from_the_cache(on_disk: Dataset, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        pack(on_disk, 10, overflow="drop")
    assert caplog.messages == ["set aside 2 of 10 rows: too_long 2"] * 2


def test_rows_in_memory_are_packed_in_memory() -> None:
    assert pack(token_rows(LENGTHS), 16).cache_files == []


def test_large_splits_are_written_in_blocks(on_disk: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = pack(token_rows(LENGTHS), 16)
    monkeypatch.setattr("collators.packing._TOKENS_AT_ONCE", 16)
    rows = pack(on_disk, 16)
    assert len(rows) > 3
    assert rows[:] == expected[:]


# Streams


def stream_of(lengths: list[int], num_shards: int = 1) -> IterableDataset:
    return token_rows(lengths).to_iterable_dataset(num_shards=num_shards)


MANY = np.random.default_rng(0).integers(1, 30, 400).tolist()


@pytest.mark.parametrize("window", [1, 7, 100, 1_000])
@pytest.mark.parametrize("num_shards", [1, 3])
def test_a_stream_loses_nothing_and_is_packed_the_same_each_time(window: int, num_shards: int) -> None:
    rows = pack(stream_of(MANY, num_shards), 64, window=window)
    assert rows.features == FEATURES
    assert rows.num_shards == num_shards
    found = list(rows)
    assert records_of(found) == expected_records(token_rows(MANY))
    assert list(rows) == found
    assert max(row["length"] for row in found) <= 64


def test_each_window_of_a_stream_is_packed_by_itself() -> None:
    found = list(pack(stream_of(MANY), 64, window=40))
    windows = [token_rows(MANY).select(range(first, first + 40)) for first in range(0, 400, 40)]
    assert [row for window in windows for row in pack(window, 64)] == found


def test_a_window_of_ten_thousand_fills_its_rows() -> None:
    lengths = np.random.default_rng(1).lognormal(4.5, 0.8, 20_000).astype(int).clip(2, 2048).tolist()
    rows = Dataset.from_dict({"input_ids": [[1] * n for n in lengths], "labels": [[1] * n for n in lengths]})
    lengths_of_packs = [row["length"] for row in pack(rows.to_iterable_dataset(), 2048)]
    assert sum(lengths_of_packs) == sum(lengths) > 2_000_000
    assert sum(lengths) / (2048 * len(lengths_of_packs)) >= 0.99


def mixed(kind: str) -> IterableDataset:
    """Streams that datasets does not read shard by shard."""
    one, two = stream_of(MANY[:60], 2), token_rows(MANY).select(range(100, 161)).to_iterable_dataset(num_shards=3)
    others = [token_rows(MANY).select(range(50 * n, 50 * n + 50)).to_iterable_dataset() for n in range(3)]
    return {
        "taken": lambda: stream_of(MANY, 3).take(20),
        "skipped": lambda: stream_of(MANY, 3).skip(7),
        "joined and taken": lambda: concatenate_datasets(others).take(60),
        "interleaved": lambda: interleave_datasets([one, two]),
        "interleaved by chance": lambda: interleave_datasets([one, two], probabilities=[0.3, 0.7], seed=1),
        "shuffled and taken": lambda: stream_of(MANY, 3).shuffle(seed=3, buffer_size=10).take(33),
        "filtered": lambda: stream_of(MANY, 3).filter(lambda row: int(row["id"][1:]) % 3 == 0),
    }[kind]()


MIXED = [
    "taken", "skipped", "joined and taken", "interleaved", "interleaved by chance", "shuffled and taken", "filtered",
]  # fmt: skip


@pytest.mark.parametrize("kind", MIXED)
@pytest.mark.parametrize("epoch", [0, 2])
def test_a_packed_stream_has_just_the_rows_that_the_stream_gives(kind: str, epoch: int) -> None:
    stream = mixed(kind)
    stream.set_epoch(epoch)
    expected = [row["id"] for row in stream]
    packed = pack(mixed(kind), 64, window=10)
    packed.set_epoch(epoch)
    found = [name for row in packed for name in row["ids"]]
    assert len(found) == len(expected) > 10
    for first in range(0, len(found), 10):
        assert sorted(found[first : first + 10]) == sorted(expected[first : first + 10])


@pytest.mark.parametrize("kind", MIXED)
def test_workers_pack_just_the_rows_that_they_get_of_the_stream(kind: str) -> None:
    torch = pytest.importorskip("torch", reason="the workers are a DataLoader's")

    def read(stream: IterableDataset) -> list[Any]:
        return list(torch.utils.data.DataLoader(stream, batch_size=None, num_workers=2))

    expected = Counter(row["id"] for row in read(mixed(kind)))
    assert expected.total() > 10
    assert Counter(name for row in read(pack(mixed(kind), 64, window=10)) for name in row["ids"]) == expected


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_share_the_shards_of_a_stream(start: str) -> None:
    torch = pytest.importorskip("torch", reason="the workers are a DataLoader's")
    rows = pack(stream_of(MANY, 4), 64, window=50)
    loader = torch.utils.data.DataLoader(rows, batch_size=None, num_workers=2, multiprocessing_context=start)
    assert records_of(list(loader)) == expected_records(token_rows(MANY))


@pytest.mark.parametrize("num_shards", [3, 4])
def test_ranks_share_the_packed_rows_of_a_stream(num_shards: int) -> None:
    parts = [list(pack(split_dataset_by_node(stream_of(MANY, num_shards), rank, 2), 64)) for rank in range(2)]
    assert all(parts)
    assert records_of(parts[0] + parts[1]) == expected_records(token_rows(MANY))


def test_a_packed_stream_can_be_pickled_shuffled_and_resumed() -> None:
    rows = pack(stream_of(MANY, 2), 64, window=50)
    found = list(rows)
    assert list(pickle.loads(pickle.dumps(rows))) == found
    shuffled = list(rows.shuffle(seed=1, buffer_size=10))
    assert shuffled != found
    assert records_of(shuffled) == records_of(found)
    iterator = iter(rows)
    first = [next(iterator) for _ in range(5)]
    state = rows.state_dict()
    rows.load_state_dict(state)
    assert first + list(rows) == found


def test_a_stream_names_what_is_too_long_and_counts_what_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(TokenizationError, match=r"row 1 of a window of 2 rows \(id 'r3'\): 9 tokens, longer"):
        list(pack(stream_of([3, 4, 5, 9]), 8, window=2))
    splits = IterableDatasetDict(train=stream_of([3, 9, 0, 12, 4]))
    rows = list(pack(splits, 8, overflow="drop", window=2)["train"])
    assert records_of(rows) == expected_records(token_rows([3, 9, 0, 12, 4]).select([0, 4]))
    caplog.clear()
    list(pack(splits, 8, overflow="truncate")["train"])
    assert caplog.messages == [
        "train: a window of the stream: set aside 1 of 5 rows: no_token 1",
        "train: a window of the stream: cut 2 of 5 rows by 5 tokens",
    ]


def test_a_stream_without_known_columns_is_packed() -> None:
    data = token_rows(LENGTHS)
    stream = IterableDataset.from_generator(lambda: iter(data))
    assert stream.features is None
    assert records_of(list(pack(stream, 16))) == expected_records(data)


# Conversations


def test_conversations_go_from_tokenize_to_packed_rows(tokenizer_of: Callable[..., Any]) -> None:
    chats = [
        [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "world " * num}] for num in range(1, 30)
    ]
    data, tokenizer = Dataset.from_dict({"messages": chats}), tokenizer_of("words")
    rows = tokenize(data, tokenizer, max_length=64)
    expected = expected_records(rows)
    assert expected.total() == 29
    assert records_of(pack(rows, 64), named=False) == expected
    streamed = pack(tokenize(data.to_iterable_dataset(), tokenizer, max_length=64), 64)
    assert records_of(list(streamed), named=False) == expected


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["chatglm3", "qwen2_5"])
def test_real_dialogues_fill_their_rows(
    name: str, real_conversations: Any, shared_tokenizer: Callable[[str], Path]
) -> None:
    """Full packs over all packs, the last one too: 99.5 % of the tokens that the rows could hold."""
    pytest.importorskip("transformers", reason="real tokenizers need transformers")
    data = Dataset.from_dict({"messages": real_conversations})
    rows = tokenize(data, load_tokenizer(shared_tokenizer(name)))
    packed = pack(rows, 2048)
    num_tokens = sum(rows["length"])
    assert sum(packed["length"]) == num_tokens > 500_000
    assert num_tokens / (2048 * len(packed)) >= 0.995
    assert len(packed) == -(-num_tokens // 2048), "not one row more than the tokens need"
