"""Reading, working and keeping on many tables: in order, in flat memory, whole or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datasets import Dataset, Features, Value, concatenate_datasets, load_from_disk

from collators import TokenizationError
from collators import record_batches as record_batches_module
from collators.cached_tables import cached_table
from collators.record_batches import record_batches
from collators.workers import Measured, fastest, in_order, num_cores


def square(table: pa.Table, first: int) -> pa.Table:
    assert table["n"][0].as_py() == first
    time.sleep(0.02 if first == 0 else 0)  # the first is done last
    return pa.table({"square": [n * n for n in table["n"].to_pylist()]})


def refuse_seven(table: pa.Table, first: int) -> pa.Table:
    if 7 in table["n"].to_pylist():
        raise TokenizationError("row 7: no")
    return table


def die(table: pa.Table, first: int) -> pa.Table:
    os._exit(1)


def tables() -> Iterator[pa.Table]:
    whole = pa.table({"n": list(range(20))})
    yield from (whole.slice(0, 3), whole.slice(3, 7), whole.slice(10, 1), whole.slice(11))


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_results_come_in_order_and_errors_as_they_are(processes: int) -> None:
    found = pa.concat_tables(in_order(square, tables(), processes=processes))
    assert found["square"].to_pylist() == [n * n for n in range(20)]
    with pytest.raises(TokenizationError, match=r"^row 7: no$"):
        list(in_order(refuse_seven, tables(), processes=processes))


def test_a_killed_process_is_told() -> None:
    with pytest.raises(TokenizationError, match="a process was killed, perhaps for memory; try again with a lower"):
        list(in_order(die, tables(), processes=2))


def test_only_a_few_tables_are_taken_ahead() -> None:
    taken = []

    def endless() -> Iterator[pa.Table]:
        for number in range(10**9):
            taken.append(number)
            yield pa.table({"n": [number]})

    results = in_order(lambda table, first: table, endless(), processes=1)
    assert next(results)["n"].to_pylist() == [0]
    assert len(taken) <= 4
    results.close()  # type: ignore[attr-defined]


def test_more_processes_only_where_they_save_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collators.workers.num_cores", lambda: 4)
    one_core = Measured(rows=100, wall=0.2, cpu=0.2)
    assert fastest(4, 100_000, one_core) == 4
    assert fastest(16, 100_000, one_core) == 4  # no more than there are cores
    assert fastest(1, 100_000, one_core) == 1
    assert fastest(4, 100, one_core) == 1  # done before they have started
    assert fastest(4, 100_000, Measured(rows=100, wall=0.1, cpu=0.39)) == 1  # the threads use all cores already
    assert num_cores() >= 1


def saved(folder: Path, rows: Dataset) -> Dataset:
    rows.save_to_disk(str(folder))
    return load_from_disk(str(folder))


def test_every_kind_of_dataset_is_read_row_by_row_as_it_is(tmp_path: Path) -> None:
    base = saved(tmp_path / "a", Dataset.from_dict({"n": list(range(5000)), "old": ["x"] * 5000}))
    other = saved(tmp_path / "b", Dataset.from_dict({"n": [1, 2], "old": ["y", "z"]}))
    kinds: dict[str, Any] = {
        "from files": base,
        "in memory": Dataset.from_dict({"n": [3, 1]}),
        "a part": base.select(range(10, 20)),
        "in another order": base.shuffle(seed=1),
        "two files": concatenate_datasets([base, other]),
        "another column of this name": base.rename_column("n", "m").rename_column("old", "n"),
        "a column beside": base.remove_columns("n").add_column("n", list(range(5000))[::-1]),
        "formatted": base.with_format("numpy"),
    }
    missing = concatenate_datasets([base, saved(tmp_path / "c", Dataset.from_dict({"old": ["x", "y"]}))])
    kinds |= {"a column only some files have": missing}
    several = Dataset.from_dict({"n": list(range(3000))})
    several.save_to_disk(str(tmp_path / "several"), num_shards=3)
    kinds |= {"shards": load_from_disk(str(tmp_path / "several"))}
    for kind, dataset in kinds.items():
        for unmapped in (False, True):
            read = pa.concat_tables(record_batches(dataset, ["n"], unmapped=unmapped))
            assert read["n"].to_pylist() == dataset.with_format(None)["n"][:], kind


def test_a_dataset_that_is_its_files_is_read_past_its_map(tmp_path: Path) -> None:
    Dataset.from_dict({"n": list(range(3000))}).save_to_disk(str(tmp_path / "several"), num_shards=3)
    one = saved(tmp_path / "one", Dataset.from_dict({"n": [1, 2]}))
    for whole in (one, load_from_disk(str(tmp_path / "several"))):
        assert record_batches_module._whole_files(whole, ["n"]) == [file["filename"] for file in whole.cache_files]
    for part in (
        one.select([0]),
        one.rename_column("n", "m").rename_column("m", "n"),
        one.map(lambda row: row).skip(1),
    ):
        assert record_batches_module._whole_files(part, ["n"]) is None


def test_tables_are_of_a_few_megabytes(tmp_path: Path) -> None:
    long = saved(tmp_path, Dataset.from_dict({"n": ["x" * 100_000] * 200}))
    sizes = [len(table) for table in record_batches(long, ["n"])]
    assert sum(sizes) == 200
    assert 20 < sizes[0] < 100


def test_a_cached_table_is_whole_or_not_there(tmp_path: Path) -> None:
    source, features = saved(tmp_path, Dataset.from_dict({"n": [1]})), Features({"m": Value("int32")})
    calls = []

    def make(write: Any) -> None:
        calls.append(1)
        write([pa.table({"m": [9]})])
        write([pa.table({"m": [1]}), pa.table({"m": [2]})])  # again from the start: this counts

    def fail(write: Any) -> None:
        def broken() -> Iterable[pa.Table]:
            yield pa.table({"m": [1]})
            raise ValueError("stop")

        write(broken())

    with pytest.raises(ValueError, match="stop"):
        cached_table(source, "name", features, fail)
    before = set(tmp_path.iterdir())
    first = cached_table(source, "name", features, make)
    assert {path.name for path in set(tmp_path.iterdir()) - before} == {"cache-name.arrow"}
    assert first["m"][:] == cached_table(source, "name", features, make)["m"][:] == [1, 2]
    assert calls == [1]
    assert first._fingerprint == "name"


def test_threads_that_make_the_same_rows_get_them_whole(tmp_path: Path) -> None:
    source, features = saved(tmp_path, Dataset.from_dict({"n": [1]})), Features({"m": Value("int32")})

    def slow(write: Any) -> None:
        def made() -> Iterable[pa.Table]:
            for number in range(20):
                time.sleep(0.002)
                yield pa.table({"m": [number]})

        write(made())

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: cached_table(source, "name", features, slow)["m"][:], range(8)))
    assert made == [list(range(20))] * 8
    assert not list(tmp_path.glob("*draft*"))


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    source, features = saved(tmp_path / "rows", Dataset.from_dict({"n": [1]})), Features({"m": Value("int32")})
    (tmp_path / "rows").rename(tmp_path / "moved")
    with pytest.raises(TokenizationError, match=r"rows: the cache of the dataset cannot be written .*; save the"):
        cached_table(source, "name", features, lambda write: write([pa.table({"m": [1]})]))
