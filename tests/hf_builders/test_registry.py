"""Datasets are found by looking, and the direct route gives what the hooked one gives."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets import load_dataset

import hf_builders
from hf_builders import OptionError, SourceError, list_datasets
from hf_builders.builder import RecordBuilder
from hf_builders.corpus_builder import CorpusBuilder
from hf_builders.registry import builder_class

PACKAGE = Path(hf_builders.__file__).parent


def test_the_names_are_the_folders_with_a_builder() -> None:
    assert list_datasets() == sorted(path.parent.name for path in PACKAGE.glob("*/builder.py"))
    assert {"adgen", "chinese_medical_dialogue"} <= set(list_datasets())


@pytest.mark.parametrize("name", list_datasets())
class TestEveryDataset:
    def test_its_folder_holds_builder_card_and_sample(self, name: str) -> None:
        folder = PACKAGE / name
        assert (folder / "builder.py").is_file()
        assert (folder / "README.md").is_file()
        assert any(path.is_file() for path in (folder / "sample").rglob("*"))
        # datasets takes a module named like its folder for a dataset script, and refuses it.
        assert not (folder / f"{name}.py").exists()

    def test_its_card_alone_gives_the_sample_in_the_default_view(
        self, name: str, run_python: Callable[..., str]
    ) -> None:
        # `datasets` without us reads the files that the card names: those of the sample where they are the default
        # view as they stand, else those in `viewer/`, the rows of that view written down (REWRITE_VIEWER=1 does so).
        default = load_dataset(f"hf_builders/{name}", sample=True)
        rows = {split: list(dataset) for split, dataset in default.items()}
        if (viewer := PACKAGE / name / "viewer").exists() and os.environ.get("REWRITE_VIEWER"):
            for split, records in rows.items():
                lines = [json.dumps(record, ensure_ascii=False, default=str) + "\n" for record in records]
                (viewer / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
        printed = run_python(
            "import json, sys; from datasets import load_dataset\n"
            f"splits = load_dataset('hf_builders/{name}')\n"
            "rows = {split: [repr(rows.features), list(rows)] for split, rows in splits.items()}\n"
            "print(json.dumps(rows, default=str))\n"
            "assert 'hf_builders' not in sys.modules"
        )
        shown = json.loads(printed)
        # A builder may add a column that no file holds, such as one taken from the file's name.
        added = set(default["train"].column_names) - set(shown["train"][1][0])
        expected = default.remove_columns(sorted(added))
        as_they_are = {split: [repr(dataset.features), list(dataset)] for split, dataset in expected.items()}
        assert shown == json.loads(json.dumps(as_they_are, default=str))  # dates and times as text
        assert len(rows["train"]) > 100
        assert (PACKAGE / name / "README.md").read_text(encoding="utf-8").split("---\n", 2)[2].strip()

    def test_its_number_of_sample_rows_is_the_truth(self, name: str) -> None:
        loaded = load_dataset(f"hf_builders/{name}", sample=True)
        accounts = hf_builders.account(loaded).values()
        assert sum(split.num_rows for split in loaded.values()) == builder_class(name).num_sample_rows > 0
        num_left_out = sum(account.left_out.total() for account in accounts)
        assert sum(account.read for account in accounts) == builder_class(name).num_sample_rows + num_left_out

    def test_every_view_shows_every_sample_row_under_an_id_of_its_own_or_counts_it_as_left_out(self, name: str) -> None:
        cls = builder_class(name)
        assert issubclass(cls, RecordBuilder)
        assert cls.summary()
        views = [config.name for config in cls.BUILDER_CONFIGS]
        assert views[0] == cls.DEFAULT_CONFIG_NAME
        assert "messages" in views
        for view in [view for view in views if view != "source"]:
            loaded = load_dataset(f"hf_builders/{name}", view, sample=True)
            ids = [record_id for split in loaded.values() for record_id in split["id"]]
            accounts = hf_builders.account(loaded).values()
            assert len(ids) == len(set(ids)) == sum(account.kept for account in accounts)
            # A record of a corpus is asked several questions, and left out of those it cannot answer.
            records = {record_id.partition("/")[0] for record_id in ids} if issubclass(cls, CorpusBuilder) else set(ids)
            if not issubclass(cls, CorpusBuilder):
                num_left_out = sum(account.left_out.total() for account in accounts)
                assert len(ids) == cls.num_sample_rows - num_left_out
            assert len(records) > 0.9 * cls.num_sample_rows

    def test_both_routes_and_streaming_give_the_same(self, name: str) -> None:
        hooked = load_dataset(f"hf_builders/{name}", "messages", sample=True)
        direct = hf_builders.load_dataset(name, "messages", sample=True)
        streamed = hf_builders.load_dataset(f"hf_builders/{name}", "messages", sample=True, streaming=True)
        for split in hooked:
            assert list(hooked[split]) == list(direct[split]) == list(streamed[split])
            assert hooked[split].features == direct[split].features == streamed[split].features


@pytest.mark.parametrize("name", ["adgn", "hf_builders/adgn"])
def test_an_unknown_name_gets_the_nearest_right_one(name: str) -> None:
    with pytest.raises(OptionError) as error:
        hf_builders.load_dataset(name)
    assert str(error.value) == (
        f"no dataset 'adgn'; did you mean 'adgen'?; the datasets are {', '.join(list_datasets())}"
    )


def test_arguments_of_the_direct_route_do_what_they_do_in_datasets(adgen_folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "my cache"
    given: dict[str, Any] = {"data_dir": adgen_folder, "cache_dir": cache}
    rows = hf_builders.load_dataset("adgen", "messages", split="train[1:]", **given)
    assert rows["id"][:] == ["train.json:2", "train.json:3"]
    arrow = Path(rows.cache_files[0]["filename"])
    assert cache in arrow.parents
    inode = arrow.stat().st_ino
    again = hf_builders.load_dataset("adgen", "messages", split="train+validation", **given)
    assert (again.num_rows, arrow.stat().st_ino) == (5, inode)
    hf_builders.load_dataset("adgen", "messages", download_mode="force_redownload", **given)
    assert arrow.stat().st_ino != inode
    streamed = hf_builders.load_dataset("adgen", "messages", split="validation", streaming=True, **given)
    assert isinstance(streamed, datasets.IterableDataset)
    assert [row["id"] for row in streamed] == ["dev.json:1", "dev.json:2"]


def test_a_dataset_with_a_past_has_no_account_of_its_own(adgen_folder: Path) -> None:
    loaded = load_dataset("hf_builders/adgen", data_dir=adgen_folder)
    assert {split: account.kept for split, account in hf_builders.account(loaded).items()} == {
        "train": 3,
        "validation": 2,
    }
    assert hf_builders.account(loaded["train"])["train"].read == 3
    with pytest.raises(SourceError, match="so it has no account"):
        hf_builders.account(datasets.Dataset.from_dict({"a": [1]}))


def test_loading_warns_of_nothing(adgen_folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for view in ("source", "messages"):
            assert len(hf_builders.load_dataset("adgen", view, data_dir=adgen_folder)) == 2
