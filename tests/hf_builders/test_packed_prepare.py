"""A run with `pack`: packed rows on disk, each record in them proven, a model trained on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

pytest.importorskip("transformers", reason="prepare tokenizes, which needs transformers")

from collators import IGNORE_INDEX
from hf_builders.cli import main
from hf_builders.errors import ConfigError, SourceError
from hf_builders.label_check import check_labels
from hf_builders.prepare import prepare
from hf_builders.prepared_folder import read_manifest
from hf_builders.prepared_rows import open_prepared, open_run, pick_rows
from hf_builders.run_config import parse_run_config

TOKENIZER = Path(__file__).parents[2] / "configs" / "demo_tokenizer"
TINY = (
    "{model_type: glm, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 2, "
    "num_key_value_heads: 1, head_dim: 16}"
)


def config_of(folder: Path, pack: str = "pack: {max_length: 512}", **tokenize: Any) -> Any:
    return parse_run_config(
        f"""
dataset: {{name: adgen, sample: true}}
tokenize: {json.dumps({"tokenizer": str(TOKENIZER), "max_length": 256, **tokenize})}
output: {{dir: {folder}/out}}
train:
  model: {{config: {TINY}}}
  output_dir: {folder}/model
  arguments: {{max_steps: 6, per_device_train_batch_size: 4, learning_rate: 1e-2, logging_steps: 2, use_cpu: true}}
{pack}
""",
        "run.yaml",
    )


@pytest.fixture(scope="module")
def packed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    prepare(config_of(folder))
    return folder


def test_every_record_is_in_one_packed_row_and_the_manifest_says_how_full_they_are(packed_folder: Path) -> None:
    manifest = read_manifest(packed_folder / "out")
    rows = datasets.load_from_disk(packed_folder / "out" / "data")
    assert manifest["pack"] == {"max_length": 512, "seed": 0}
    assert manifest["engine"] == "tokenizers"  # too few rows for another to be worth making
    for split, num_records in {"train": 240, "validation": 40}.items():
        summary = manifest["splits"][split]
        assert (
            sum(map(len, rows[split]["ids"])) == len({id_ for ids in rows[split]["ids"] for id_ in ids}) == num_records
        )
        assert summary["rows_read"] == summary["rows_kept"] == num_records
        packed = summary["packed"]
        assert (packed["rows"], packed["max_length"]) == (len(rows[split]), 512)
        assert sum(rows[split]["length"]) == summary["tokens"]
        assert packed["fill"] == pytest.approx(summary["tokens"] / len(rows[split]) / 512, abs=1e-6)
        assert packed["fill"] > 0.95


@pytest.mark.parametrize("loss", ["assistant", "all"])
def test_the_labels_of_every_packed_record_are_proven(tmp_path: Path, loss: str) -> None:
    prepare(config_of(tmp_path, loss=loss))
    check = check_labels(open_prepared(tmp_path / "out"))
    assert check.passed
    assert check.splits["train"].rows == 240
    assert check.splits["train"].spans >= 240


def one_off(row: dict[str, Any]) -> None:
    """The first trained label is not trained."""
    place = next(place for place, label in enumerate(row["labels"]) if label != IGNORE_INDEX)
    row["labels"][place] = IGNORE_INDEX


def border_trained(row: dict[str, Any]) -> None:
    start = row["seq_lengths"][0]
    row["labels"][start] = row["input_ids"][start]


def position_goes_on(row: dict[str, Any]) -> None:
    row["position_ids"] = list(range(row["length"]))


def border_moved(row: dict[str, Any]) -> None:
    row["seq_lengths"][:2] = [row["seq_lengths"][0] + 1, row["seq_lengths"][1] - 1]


def sum_is_wrong(row: dict[str, Any]) -> None:
    row["seq_lengths"][0] += 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (one_off, "is not in the row"),
        (border_trained, "trains the first token of a record"),
        (position_goes_on, "position_ids that do not count"),
        (border_moved, "position_ids that do not count"),
        (sum_is_wrong, "seq_lengths that are not the lengths of its records"),
    ],
)
def test_damage_to_one_packed_row_fails_the_check(
    packed_folder: Path, damage: Callable[[dict[str, Any]], None], said: str
) -> None:
    prepared = open_prepared(packed_folder / "out")
    train = prepared.splits["train"]
    place = next(place for place, lengths in enumerate(train["seq_lengths"]) if len(lengths) > 1)
    rows = train.to_list()
    damage(rows[place])
    prepared.splits["train"] = datasets.Dataset.from_list(rows, features=train.features)
    check = check_labels(prepared)
    assert not check.passed
    assert check.splits["train"].failed >= 1
    if damage is not one_off:
        assert said in check.splits["train"].offenders[0]


def test_a_packed_row_is_found_by_the_id_of_any_of_its_records_and_shown_record_by_record(
    packed_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared = open_prepared(packed_folder / "out")
    ids = prepared.splits["train"][5]["ids"]
    (row,) = pick_rows(prepared, split="train", id=ids[-1])
    assert (row.place, row.row["ids"]) == (5, ids)
    assert main(["inspect", str(packed_folder / "out"), "--split", "train", "--id", ids[0]]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"train[5]  ids {', '.join(ids)}  ")
    assert shown.count("──── record") == len(ids) - 1


def test_the_command_tells_how_full_the_rows_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        f"{{dataset: {{name: adgen, sample: true}}, tokenize: {{tokenizer: '{TOKENIZER}', max_length: 256}}, "
        f"output: {{dir: {tmp_path}/out}}, pack: {{}}}}",
        encoding="utf-8",
    )
    assert main(["prepare", str(path)]) == 0
    assert "rows of 256 tokens, " in capsys.readouterr().out
    assert main(["inspect", str(path), "--check"]) == 0
    assert "every label is right" in capsys.readouterr().out


def test_a_model_is_trained_on_packed_rows(packed_folder: Path) -> None:
    pytest.importorskip("torch", reason="training needs torch (extra train)")
    from hf_builders.train import train

    trained = train(config_of(packed_folder))
    assert trained.num_steps == 6
    assert trained.losses[-1] < trained.losses[0] - 0.2


def test_what_was_packed_is_not_taken_for_what_was_not(packed_folder: Path) -> None:
    with pytest.raises(SourceError, match=r"was prepared with pack, the run config is without it; run"):
        open_run(config_of(packed_folder, pack=""))
    with pytest.raises(SourceError, match=r"was prepared with pack.max_length=512, the run config says 1024"):
        open_run(config_of(packed_folder, pack="pack: {max_length: 1024}"))
    prepare(config_of(packed_folder / "plain", pack=""))
    with pytest.raises(SourceError, match=r"was prepared without pack, the run config is with it; run"):
        open_run(config_of(packed_folder / "plain"))


@pytest.mark.parametrize(
    ("pack", "said"),
    [
        ("pack: {max_length: 100}", "pack.max_length is 100, less than tokenize.max_length, 256"),
        ("pack: {seed: -1}", "pack.seed is -1"),
        ("pack: {max_lenght: 512}", "pack.max_lenght: unknown key; did you mean 'max_length'?"),
    ],
)
def test_faults_of_the_section_are_told(tmp_path: Path, pack: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config_of(tmp_path, pack=pack)
    assert said in str(raised.value)
