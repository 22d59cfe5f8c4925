"""AdvertiseGen: rows are those of the files, in every view and by every route."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import DatasetDict, load_dataset, load_dataset_builder

import hf_builders

VIEWS = ("source", "messages", "conversations", "instruction")


def expected_record(view: str, place: str, row: dict[str, str]) -> dict[str, Any]:
    """One raw row in a view, written out by hand."""
    user, assistant = row["content"], row["summary"]
    return {
        "source": {"content": user, "summary": assistant},
        "messages": {
            "id": place,
            "messages": [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}],
        },
        "conversations": {
            "id": place,
            "conversations": [
                {"role": "user", "content": user, "loss": False},
                {"role": "assistant", "content": assistant, "loss": True},
            ],
        },
        "instruction": {"id": place, "instruction": user, "input": "", "output": assistant},
    }[view]


def expected_records(view: str, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What the files of `folder` are in a view, read with Python alone."""
    expected = {}
    for split, name in (("train", "train.json"), ("validation", "dev.json")):
        with open(folder / name, encoding="utf-8") as lines:
            expected[split] = [
                expected_record(view, f"{name}:{n}", json.loads(line)) for n, line in enumerate(lines, start=1)
            ]
    return expected


def as_lists(splits: DatasetDict) -> dict[str, list[dict[str, Any]]]:
    return {split: dataset.to_list() for split, dataset in splits.items()}


@pytest.mark.realdata
@pytest.mark.parametrize("view", VIEWS)
def test_every_real_row_is_the_one_in_the_file(view: str, shared_realdata: Callable[[str], Path]) -> None:
    folder = shared_realdata("AdvertiseGen")
    expected = expected_records(view, folder)
    assert {split: len(rows) for split, rows in expected.items()} == {"train": 400, "validation": 170}
    loaded = load_dataset("hf_builders/adgen", view, data_dir=folder)
    assert as_lists(loaded) == expected
    assert as_lists(hf_builders.load_dataset("adgen", view, data_dir=folder)) == expected
    streamed = load_dataset("hf_builders/adgen", view, data_dir=folder, streaming=True)
    assert {split: list(rows) for split, rows in streamed.items()} == expected
    some = load_dataset("hf_builders/adgen", view, data_dir=folder, split="train[:10%]")
    assert some.to_list() == expected["train"][:40]
    info = load_dataset_builder("hf_builders/adgen", view, data_dir=folder).info
    assert info.features == loaded["train"].features == streamed["train"].features == some.features


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("route", [load_dataset, hf_builders.load_dataset])
def test_a_small_folder_comes_out_as_written(view: str, route: Callable[..., Any], adgen_folder: Path) -> None:
    expected = expected_records(view, adgen_folder)
    assert expected["train"][1] == expected_record(
        view, "train.json:2", {"content": "类型#裙*版型#宽松", "summary": "宽松的裙子,\n不挑身材。"}
    )
    assert as_lists(route("hf_builders/adgen", view, data_dir=adgen_folder)) == expected


def test_bare_files_and_the_official_folder_are_the_same(adgen_folder: Path) -> None:
    bare = load_dataset("hf_builders/adgen", "messages", data_dir=adgen_folder)
    official = load_dataset("hf_builders/adgen", "messages", data_dir=adgen_folder.parent)
    assert as_lists(bare) == as_lists(official)
    assert bare["train"].num_rows == 3
