"""What the manifest says of lengths and repetitions is what one finds by counting row by row."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_builders.length_counts import LengthCounts
from hf_builders.row_contents import RowContents, read_row_contents
from hf_builders.statistics import _choice, all_statistics, recommended_max_length
from hf_builders.summaries import PackSummary

Row = tuple[list[int], list[int]]
"""Ids and labels."""


def written(path: Path, rows: list[Row], *, batch_size: int = 3) -> Path:
    """Token rows as `prepare` writes them, in several batches."""
    table = pa.table(
        {
            "id": [f"row-{place}" for place in range(len(rows))],
            "input_ids": pa.array([ids for ids, _ in rows], pa.list_(pa.int32())),
            "labels": pa.array([labels for _, labels in rows], pa.list_(pa.int32())),
        }
    )
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table, max_chunksize=batch_size)
    return path


def token_row(prompt: list[int], answer: list[int]) -> Row:
    return [*prompt, *answer], [*([-100] * len(prompt)), *answer]


def counts_of(lengths: list[int]) -> LengthCounts:
    counts = LengthCounts()
    counts.add(np.array(lengths))
    return counts


ROWS = [
    token_row([1, 2], [7]),
    token_row([1, 2], [7]),
    token_row([1, 2], [8, 9]),
    token_row([2, 1], [7]),
    token_row([3], [7]),
    token_row([1, 2, 7], [8]),
]


def test_prompt_and_answer_are_what_is_not_trained_and_what_is(tmp_path: Path) -> None:
    contents = read_row_contents(written(tmp_path / "rows.arrow", ROWS))
    assert contents.prompt_lengths.tolist() == [2, 2, 2, 2, 1, 3]
    assert contents.answer_lengths.tolist() == [1, 1, 2, 1, 1, 1]


def test_rows_prompts_and_answers_that_repeat_are_named(tmp_path: Path) -> None:
    repeated = read_row_contents(written(tmp_path / "rows.arrow", ROWS)).repeated()
    assert vars(repeated["row"]) == {"contents": 1, "rows": 1, "top": [{"count": 2, "ids": ["row-0", "row-1"]}]}
    assert vars(repeated["prompt"]) == {
        "contents": 1,
        "rows": 2,
        "top": [{"count": 3, "ids": ["row-0", "row-1", "row-2"]}],
    }
    assert vars(repeated["answer"]) == {
        "contents": 1,
        "rows": 3,
        "top": [{"count": 4, "ids": ["row-0", "row-1", "row-3"]}],
    }


def test_rows_that_stand_in_train_too_are_counted_and_answers_are_not(tmp_path: Path) -> None:
    train = read_row_contents(written(tmp_path / "train.arrow", ROWS))
    rows = [token_row([1, 2], [7]), token_row([2, 1], [5]), token_row([5], [7])]
    other = read_row_contents(written(tmp_path / "other.arrow", rows))
    assert other.shared_with(train) == {"row": 1, "prompt": 2}
    statistics = all_statistics({"train": train, "test": other}, {}, 8)
    assert (statistics["train"].in_train, statistics["test"].in_train) == ({}, {"row": 1, "prompt": 2})


def test_the_same_tokens_trained_in_other_places_are_another_row(tmp_path: Path) -> None:
    rows: list[Row] = [
        ([1, 7, 2, 3], [-100, 7, -100, -100]),
        ([1, 2, 7, 3], [-100, -100, 7, -100]),
        ([7, 1, 2, 3], [7, -100, -100, -100]),
        ([1, 7, 2, 3], [-100, 7, -100, -100]),
    ]
    repeated = read_row_contents(written(tmp_path / "rows.arrow", rows)).repeated()
    assert {name: each.rows for name, each in repeated.items()} == {"row": 1, "prompt": 3, "answer": 3}


def test_no_share_is_rounded_to_all_or_nothing() -> None:
    counts = counts_of([100] * 9_999_999 + [101])
    choice = _choice(counts, 100)
    assert (choice.rows_whole, choice.tokens_kept) == (0.999999, 0.999999)
    assert PackSummary.of(1, 10**9, 10**9 - 1).fill == 0.999999
    assert str(counts_of([8, 16, 24] * 7).padding(1)) == "0.0"


def test_where_all_is_trained_only_rows_are_looked_at(tmp_path: Path) -> None:
    contents = read_row_contents(written(tmp_path / "rows.arrow", [token_row([], [1, 2])] * 3))
    assert {name: each.rows for name, each in contents.repeated().items()} == {"row": 2}
    assert set(all_statistics({"train": contents}, {}, 8)["train"].lengths) == {"total"}


SMALL = st.lists(st.integers(0, 3), min_size=1, max_size=4)


@given(st.lists(st.tuples(SMALL, SMALL), min_size=1, max_size=30))
def test_repeated_rows_are_those_with_equal_tokens(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[list[int], list[int]]]
) -> None:
    path = written(tmp_path_factory.mktemp("rows") / "rows.arrow", [token_row(*each) for each in parts])
    contents = read_row_contents(path)
    groups: dict[str, dict[Any, list[int]]] = {name: defaultdict(list) for name in ("row", "prompt", "answer")}
    for place, (prompt, answer) in enumerate(parts):
        for name, key in (("row", (*prompt, -1, *answer)), ("prompt", tuple(prompt)), ("answer", tuple(answer))):
            groups[name][key].append(place)
    for name, repeated in contents.repeated().items():
        of_more = sorted((each for each in groups[name].values() if len(each) > 1), key=lambda each: (-len(each), each))
        assert repeated.contents == len(of_more)
        assert repeated.rows == sum(map(len, of_more)) - len(of_more)
        expected = [{"count": len(each), "ids": [f"row-{place}" for place in each[:3]]} for each in of_more[:10]]
        assert repeated.top == expected


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 4))
def test_padding_is_the_mean_over_every_batch_there_can_be(lengths: list[int], batch_size: int) -> None:
    batches = list(product(lengths, repeat=batch_size))
    places = sum(batch_size * (-(-max(batch) // 8) * 8) for batch in batches)
    expected = 1 - sum(map(sum, batches)) / places
    assert counts_of(lengths).padding(batch_size) == pytest.approx(expected)


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=60))
def test_bins_hold_every_row_once_and_do_not_overlap(lengths: list[int]) -> None:
    bins = counts_of(lengths).bins()
    assert [sum(first <= each <= last for each in lengths) for first, last, _ in bins] == [rows for *_, rows in bins]
    assert sum(rows for *_, rows in bins) == len(lengths)
    assert len(bins) <= 41


@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=60), st.integers(1, 3_000))
def test_what_a_max_length_keeps_is_what_is_left_when_each_row_is_cut(lengths: list[int], max_length: int) -> None:
    counts = counts_of(lengths)
    assert counts.within(max_length) == sum(each <= max_length for each in lengths)
    assert counts.cut_to(max_length) == sum(min(each, max_length) for each in lengths)
    best = recommended_max_length(counts)
    assert best % 64 == 0
    assert counts.within(best) >= 0.995 * len(lengths)
    assert best == 64 or counts.within(best - 64) < 0.995 * len(lengths)


def statistics_of(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return manifest["statistics"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("overflow", ["drop", "truncate"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_the_manifest_counts_lengths_before_and_after_max_length(
    tmp_path: Path, overflow: Any, is_packed: bool
) -> None:
    pytest.importorskip("transformers", reason="rows are tokenized")
    from datasets import load_from_disk

    from hf_builders.prepare import prepare
    from hf_builders.run_config import DatasetSection, OutputSection, PackSection, RunConfig, TokenizeSection

    tokenizer = str(Path(__file__).parents[2] / "configs" / "demo_tokenizer")

    def run(name: str, max_length: int, pack: PackSection | None = None) -> Path:
        prepare(
            RunConfig(
                dataset=DatasetSection(name="adgen", sample=True),
                tokenize=TokenizeSection(tokenizer=tokenizer, max_length=max_length, overflow=overflow),
                pack=pack,
                output=OutputSection(dir=str(tmp_path / name)),
            )
        )
        return tmp_path / name

    whole = load_from_disk(run("whole", 4096) / "data")["train"]
    folder = run("cut", 128, PackSection() if is_packed else None)
    rows, train = load_from_disk(run("plain", 128) / "data")["train"], statistics_of(folder)["train"]
    lengths = {
        "uncut": whole["length"][:],
        "total": rows["length"][:],
        "answer": [sum(label != -100 for label in labels) for labels in rows["labels"]],
        "prompt": [labels.count(-100) for labels in rows["labels"]],
    }
    assert len(rows) < len(whole) or overflow == "truncate"
    for name, expected in lengths.items():
        found = train["lengths"][name]
        assert (found["rows"], found["tokens"]) == (len(expected), sum(expected)), name
        assert found["percentiles"]["50"] == sorted(expected)[(len(expected) + 1) // 2 - 1]
        assert Counter({first: rows for first, _, rows in found["bins"]}).total() == len(expected)
    chosen = {each["max_length"]: each for each in train["choices"]}
    assert {128, train["recommended_max_length"]} <= set(chosen)
    assert chosen[128]["rows_whole"] == pytest.approx(
        sum(each <= 128 for each in lengths["uncut"]) / len(whole), abs=1e-6
    )
    if is_packed:
        packed = load_from_disk(folder / "data")["train"]
        assert train["packing"] == {
            "rows": len(packed),
            "max_length": 128,
            "fill": pytest.approx(sum(packed["length"]) / len(packed) / 128, abs=1e-6),
        }


def test_windows_have_lengths_and_padding_and_nothing_is_recommended(tmp_path: Path) -> None:
    rows: dict[str, Any] = {
        "example_id": ["a", "a", "b"],
        "input_ids": pa.array([[1, 2, 3, 4], [1, 2, 5], [1, 2, 5]], pa.list_(pa.int32())),
        "start_positions": pa.array([2, 0, 0], pa.int32()),
        "end_positions": pa.array([3, 0, 0], pa.int32()),
    }
    table = pa.table(rows)
    with pa.OSFile(str(tmp_path / "w.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    contents: RowContents = read_row_contents(tmp_path / "w.arrow")
    assert (contents.prompt_lengths.tolist(), contents.answer_lengths.tolist()) == ([2, 3, 3], [2, 0, 0])
    statistics = all_statistics({"train": contents}, {}, 8)["train"]
    assert statistics.lengths["total"].bins == [[3, 3, 2], [4, 4, 1]]
    assert statistics.repeated["row"].top == [{"count": 2, "ids": ["a", "b"]}]
    assert (statistics.packing, statistics.choices, statistics.recommended_max_length) == (None, [], None)
