"""`prepare`: a folder that appears whole or not at all, with a manifest whose numbers add up."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import datasets
import pytest

pytest.importorskip("transformers", reason="prepare tokenizes, which needs transformers")

from hf_builders.cli import main
from hf_builders.errors import ConfigError, SourceError
from hf_builders.prepare import Prepared, prepare
from hf_builders.prepared_folder import read_manifest
from hf_builders.prepared_split import digest_of_saved
from hf_builders.run_config import DatasetSection, OutputSection, RunConfig, TokenizeSection

ROOT = Path(__file__).parents[2]
TOKENIZER = str(ROOT / "configs" / "demo_tokenizer")


def config_of(folder: Path, *, dataset: dict[str, object] | None = None, **tokenize: object) -> RunConfig:
    return RunConfig(
        dataset=DatasetSection(**{"name": "adgen", **(dataset or {"sample": True})}),  # type: ignore[arg-type]
        tokenize=TokenizeSection(tokenizer=TOKENIZER, **tokenize),  # type: ignore[arg-type]
        output=OutputSection(dir=str(folder)),
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(config_of(tmp_path_factory.mktemp("prepared") / "out"))


def test_every_split_can_be_loaded_with_and_without_the_others(prepared: Prepared) -> None:
    both = datasets.load_from_disk(prepared.folder / "data")
    assert {split: len(rows) for split, rows in both.items()} == {"train": 240, "validation": 40}
    alone = datasets.load_from_disk(prepared.folder / "data" / "validation")
    assert alone.column_names == ["id", "input_ids", "labels", "length"]
    assert alone[0] == both["validation"][0]


def test_the_summary_counts_what_lies_in_the_folder(prepared: Prepared) -> None:
    num_checked = 0
    for split, rows in datasets.load_from_disk(prepared.folder / "data").items():
        summary = prepared.splits[split]
        assert summary.tokens == sum(len(row["input_ids"]) for row in rows)
        assert summary.trained_tokens == sum(label != -100 for row in rows for label in row["labels"])
        assert summary.length_percentiles["max"] == max(rows["length"])
        out = [summary.left_out, summary.quarantined, summary.set_aside]
        assert summary.rows_read == summary.rows_kept + sum(sum(reasons.values()) for reasons in out)
        num_checked += summary.rows_kept
    assert num_checked == 280


def test_the_manifest_names_sources_options_versions_and_digest(prepared: Prepared) -> None:
    manifest = read_manifest(prepared.folder)
    train = ROOT / "hf_builders" / "adgen" / "sample" / "train.json"
    assert manifest["sources"][0] == {
        "name": "train.json",
        "member": None,
        "num_bytes": train.stat().st_size,
        "sha256": hashlib.sha256(train.read_bytes()).hexdigest(),
    }
    assert manifest["tokenize"]["max_length"] == 2048
    assert manifest["versions"]["datasets"] == datasets.__version__
    assert manifest["splits"] == {split: dataclasses.asdict(summary) for split, summary in prepared.splits.items()}
    assert manifest["digest"] == prepared.digest == digest_of_saved(datasets.load_from_disk(prepared.folder / "data"))


def test_the_digest_does_not_depend_on_the_number_of_processes(prepared: Prepared, tmp_path: Path) -> None:
    datasets.disable_caching()  # so that the second run works instead of finding the first one's rows
    try:
        again = prepare(config_of(tmp_path / "out", num_proc=2))
    finally:
        datasets.enable_caching()
    assert again.digest == prepared.digest


def test_the_digest_shows_a_single_changed_label(prepared: Prepared) -> None:
    rows = datasets.load_from_disk(prepared.folder / "data")
    labels = rows["train"]["labels"][:]
    labels[7][-1] = 5
    changed = (
        rows["train"].remove_columns("labels").add_column("labels", labels, feature=rows["train"].features["labels"])
    )
    assert digest_of_saved(datasets.DatasetDict({**rows, "train": changed})) != prepared.digest


def test_records_without_a_token_row_are_written_with_their_reason(tmp_path: Path) -> None:
    prepared = prepare(config_of(tmp_path / "out", max_length=110))
    set_aside = prepared.splits["train"].set_aside["too_long"]
    lines = (prepared.folder / "quarantine" / "train-records.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == set_aside
    assert 0 < set_aside < 240
    first = json.loads(lines[0])
    assert (first["reason"], first["length"] > 110, first["id"].startswith("train.json:")) == ("too_long", True, True)


def test_what_truncation_takes_away_is_counted(tmp_path: Path) -> None:
    whole = prepare(config_of(tmp_path / "whole")).splits["train"]
    cut = prepare(config_of(tmp_path / "cut", max_length=110, overflow="truncate")).splits["train"]
    assert (whole.rows_cut, whole.tokens_cut, whole.trained_tokens_cut, whole.turns_cut) == (0, 0, 0, 0)
    assert cut.rows_cut == cut.turns_cut > 0  # only the answer, each time
    assert cut.trained_tokens + cut.trained_tokens_cut == whole.trained_tokens
    assert cut.rows_kept == whole.rows_kept
    assert cut.tokens + cut.tokens_cut == whole.tokens


def test_a_download_that_the_environment_would_overrule_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "hf_builders" / "adgen" / "sample", tmp_path / "mine" / "adgen")
    monkeypatch.setenv("HF_BUILDERS_DATA", str(tmp_path / "mine"))
    with pytest.raises(ConfigError, match=r"dataset\.download: HF_BUILDERS_DATA=.*mine holds adgen/ and comes first;"):
        prepare(config_of(tmp_path / "out", dataset={"download": True}))


def test_the_source_view_has_nothing_to_tokenize(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"dataset\.view: source has no texts to tokenize; choose messages"):
        prepare(config_of(tmp_path / "out", dataset={"sample": True, "view": "source"}))


def test_bad_raw_rows_are_carried_into_the_folder(tmp_path: Path) -> None:
    raw = tmp_path / "raw" / "train.json"
    raw.parent.mkdir()
    raw.write_text('{"content": "类型#裙", "summary": "一条好看的裙子"}\n{"content": "类型#裤"}\n', encoding="utf-8")
    dataset = {"data_dir": str(raw.parent), "on_bad_row": "quarantine"}
    prepared = prepare(config_of(tmp_path / "out", dataset=dataset))
    assert (prepared.splits["train"].rows_read, prepared.splits["train"].rows_kept) == (2, 1)
    assert prepared.splits["train"].quarantined == {"missing_field": 1}
    (path,) = (prepared.folder / "quarantine").iterdir()
    assert json.loads(path.read_text(encoding="utf-8"))["place"] == "train.json:2"


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "thesis.doc").write_text("years of work")
    with pytest.raises(SourceError, match=r"out holds thesis\.doc, which prepare did not write; choose another folder"):
        prepare(config_of(folder))
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "thesis.doc"]


def test_a_second_run_replaces_the_first(tmp_path: Path) -> None:
    first = prepare(config_of(tmp_path / "out"))
    second = prepare(config_of(tmp_path / "out", max_length=110))
    assert second.digest != first.digest
    assert read_manifest(tmp_path / "out")["digest"] == second.digest
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_run_that_fails_leaves_nothing_behind_and_the_old_folder_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(config_of(tmp_path / "out"))

    def fail(rows: datasets.DatasetDict) -> str:
        raise RuntimeError("the power went")

    monkeypatch.setattr("hf_builders.prepare.digest_of", fail)
    with pytest.raises(RuntimeError, match="the power went"):
        prepare(config_of(tmp_path / "out", max_length=110))
    assert read_manifest(tmp_path / "out")["digest"] == first.digest
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_command_prints_the_counts_and_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = (ROOT / "configs" / "demo.yaml").read_text(encoding="utf-8").replace("configs/demo_tokenizer", TOKENIZER)
    (tmp_path / "demo.yaml").write_text(config, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["prepare", "demo.yaml"]) == 0
    out = capsys.readouterr().out
    manifest = read_manifest(tmp_path / "out" / "demo")
    for split in ("train", "validation"):
        assert f"{manifest['splits'][split]['tokens']:,}" in next(
            line for line in out.splitlines() if line.startswith(split)
        )
    assert out.splitlines()[-1] == "written out/demo/ (report.html, data/, quarantine/, manifest.json)"


def test_the_command_tells_a_bad_row_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.json").write_text('{"content": "类型#裤"}\n', encoding="utf-8")
    config = (
        f"{{dataset: {{name: adgen, data_dir: {tmp_path}}}, tokenize: {{tokenizer: {TOKENIZER}}}, output: {{dir: o}}}}"
    )
    (tmp_path / "run.yaml").write_text(config, encoding="utf-8")
    assert main(["prepare", str(tmp_path / "run.yaml")]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "hf-builders: train.json:1: 'summary' is missing; expected the fields content, summary; fix the row, or set it"
        " aside with on_bad_row='quarantine'"
    )


def test_one_engine_for_all_splits_and_the_manifest_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gigatoken", reason="the extra `fast`")
    monkeypatch.setattr("collators.token_tables._NUM_WORTH_AN_ENGINE", 100)  # train has 240 rows, the other 40
    prepared = prepare(config_of(tmp_path / "out"))
    assert read_manifest(prepared.folder)["engine"] == "gigatoken"
    assert read_manifest(prepared.folder)["versions"]["gigatoken"]
