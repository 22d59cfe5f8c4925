"""`prepare` with `spans`: the windows of every question on disk, and an account in which none is lost."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

pytest.importorskip("transformers", reason="windows are tokenized, which needs transformers")

import hf_builders
from collators import TokenizationError, TokenizeSpans, load_tokenizer
from hf_builders.cli import main
from hf_builders.errors import ConfigError
from hf_builders.prepare import Prepared, prepare
from hf_builders.prepared_folder import read_manifest
from hf_builders.prepared_split import digest_of_saved
from hf_builders.run_config import OutputSection, RunConfig
from hf_builders.summaries import WindowSummary
from tests.hf_builders.reading_files import write
from tests.hf_builders.span_runs import SPANS, VOCABULARY, article, config_of

ROOT = Path(__file__).parents[2]
NAMES = ("cmrc2018", "webqa", "les_mrc")
COLUMNS = [
    "example_id", "input_ids", "attention_mask", "token_type_ids", "offset_mapping", "context_start", "length",
    "start_positions", "end_positions",
]  # fmt: skip


@pytest.fixture(scope="module")
def prepared_sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Prepared]:
    folder = tmp_path_factory.mktemp("windows")
    return {name: prepare(config_of(folder / name, name)) for name in NAMES}


@pytest.fixture(scope="module")
def prepared(prepared_sets: dict[str, Prepared]) -> Prepared:
    return prepared_sets["cmrc2018"]


def summaries_of(prepared: Prepared) -> dict[str, WindowSummary]:
    summaries = {}
    for split, summary in prepared.splits.items():
        assert isinstance(summary, WindowSummary)
        summaries[split] = summary
    return summaries


def records_of(name: str) -> datasets.DatasetDict:
    return hf_builders.load_dataset(name, "mrc", sample=True)


def set_aside_in(prepared: Prepared, split: str) -> list[dict[str, str]]:
    path = prepared.folder / "quarantine" / f"{split}-records.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def test_every_split_can_be_loaded_with_and_without_the_others(prepared: Prepared) -> None:
    every = datasets.load_from_disk(prepared.folder / "data")
    assert list(every) == ["train", "trial", "validation"]
    alone = datasets.load_from_disk(prepared.folder / "data" / "trial")
    assert alone.column_names == COLUMNS
    assert alone.features["input_ids"] == datasets.List(datasets.Value("int32"))
    assert alone[0] == every["trial"][0]


@pytest.mark.parametrize("name", NAMES)
def test_the_windows_are_those_of_tokenize_spans_in_the_order_of_the_records(
    name: str, prepared_sets: dict[str, Prepared]
) -> None:
    tokenizer = load_tokenizer(SPANS["tokenizer"])
    num_windows = 0
    for split, records in records_of(name).items():
        step = TokenizeSpans(tokenizer, 128, 48, unlocated="drop" if split == "train" else "keep")
        expected = records.map(step, batched=True, remove_columns=records.column_names)
        windows = datasets.load_from_disk(prepared_sets[name].folder / "data")[split]
        assert windows.to_list() == expected.to_list()
        num_windows += len(windows)
    assert num_windows > 300


@pytest.mark.parametrize("name", NAMES)
def test_the_vocabulary_of_the_demo_knows_the_samples(name: str, prepared_sets: dict[str, Prepared]) -> None:
    unknown = load_tokenizer(VOCABULARY).unk_token_id
    splits = datasets.load_from_disk(prepared_sets[name].folder / "data")
    ids = [id_ for windows in splits.values() for window in windows["input_ids"] for id_ in window]
    assert 0 <= ids.count(unknown) < 0.005 * len(ids)  # a word such as 15℃


@pytest.mark.parametrize("name", NAMES)
def test_the_account_of_every_split_adds_up_and_tells_what_lies_in_the_folder(
    name: str, prepared_sets: dict[str, Prepared]
) -> None:
    prepared, records, num_rows, num_noted = prepared_sets[name], records_of(name), 0, 0
    for split, summary in summaries_of(prepared).items():
        windows = datasets.load_from_disk(prepared.folder / "data")[split]
        out = [summary.left_out, summary.quarantined, summary.set_aside]
        assert summary.rows_read == summary.rows_kept + sum(sum(reasons.values()) for reasons in out)
        assert summary.rows_kept == len(set(windows["example_id"]))
        assert summary.windows == len(windows)
        assert summary.windows_answered == sum(start > 0 for start in windows["start_positions"]) > 0
        assert summary.tokens == sum(windows["length"]) == sum(map(len, windows["input_ids"]))
        lengths = sorted(windows["length"])
        median = lengths[(len(lengths) - 1) // 2]
        found = summary.length_percentiles
        assert (found["min"], found["50"], found["max"]) == (lengths[0], median, lengths[-1])
        assert summary.noted == hf_builders.account(records[split])[split].noted
        num_rows += summary.rows_read
        num_noted += sum(summary.noted.values())
    assert num_rows == sum(map(len, records.values())) >= 200
    assert num_noted > 5


def test_a_record_without_its_answer_in_a_window_is_left_out_of_training_and_kept_to_be_evaluated_on(
    prepared_sets: dict[str, Prepared],
) -> None:
    prepared, num_checked = prepared_sets["webqa"], {}
    for split, records in records_of("webqa").items():
        nowhere = {
            record["id"]
            for record in records
            if record["answers"]["text"] and max(record["answers"]["answer_start"]) < 0
        }
        windows, summary = datasets.load_from_disk(prepared.folder / "data")[split], summaries_of(prepared)[split]
        reasons = {"answer_not_in_context": len(nowhere)}
        if split == "train":
            assert (summary.set_aside, summary.unlocated) == (reasons, {})
            assert {(line["id"], line["reason"]) for line in set_aside_in(prepared, split)} == {
                (id_, "answer_not_in_context") for id_ in nowhere
            }
            assert not nowhere & set(windows["example_id"])
        else:
            assert (summary.set_aside, summary.unlocated) == ({}, reasons)
            assert set_aside_in(prepared, split) == []
            own = [window for window in windows if window["example_id"] in nowhere]
            assert {window["example_id"] for window in own} == nowhere
            assert {(window["start_positions"], window["end_positions"]) for window in own} == {(0, 0)}
        num_checked[split] = len(nowhere)
    assert set(num_checked) == {"train", "validation", "test"}
    assert all(num_checked.values())


def test_an_answer_longer_than_what_windows_share_may_be_whole_in_none(tmp_path: Path) -> None:
    long = article("海" * 40 + "灯塔看守人程海根" + "山" * 40, short="灯塔", long="海" * 30)
    path = write(tmp_path / "articles.json", [long])
    files = {"train": str(path), "validation": str(path)}
    done = prepare(config_of(tmp_path / "out", dataset={"data_files": files}, max_length=24, doc_stride=8))
    train, validation = (summaries_of(done)[split] for split in ("train", "validation"))
    assert (train.rows_kept, train.set_aside, train.unlocated) == (1, {"answer_in_no_window": 1}, {})
    assert (validation.rows_kept, validation.set_aside, validation.unlocated) == (2, {}, {"answer_in_no_window": 1})
    assert set_aside_in(done, "train") == [{"id": "long", "reason": "answer_in_no_window"}]
    wider = prepare(config_of(tmp_path / "wider", dataset={"data_files": files}, max_length=64, doc_stride=30))
    assert summaries_of(wider)["train"].rows_kept == 2


def test_long_texts_go_on_in_windows_that_share_as_many_tokens_as_was_said(prepared_sets: dict[str, Prepared]) -> None:
    rows = datasets.load_from_disk(prepared_sets["les_mrc"].folder / "data")["train"]
    windows_of = [list(group) for _, group in groupby(rows, key=lambda row: row["example_id"])]
    assert max(map(len, windows_of)) >= 8
    num_borders = 0
    for windows in windows_of:
        contexts = [window["offset_mapping"][window["context_start"] : -1] for window in windows]
        for before, after in pairwise(contexts):
            assert before[-48:] == after[:48]
            num_borders += 1
        assert all(len(window["input_ids"]) == 128 for window in windows[:-1])
    assert num_borders > 1_000


def test_the_manifest_names_sources_options_versions_and_digest(prepared: Prepared) -> None:
    manifest = read_manifest(prepared.folder)
    raw = ROOT / "hf_builders" / "cmrc2018" / "sample" / "squad-style-data" / "cmrc2018_train.json"
    assert manifest["sources"][0] == {
        "name": "cmrc2018_train.json",
        "member": None,
        "num_bytes": raw.stat().st_size,
        "sha256": hashlib.sha256(raw.read_bytes()).hexdigest(),
    }
    assert manifest["spans"] == {**SPANS, "max_question_length": None}
    assert (manifest["tokenize"], manifest["pack"]) == ({}, {})
    assert manifest["dataset"]["view"] == "mrc"
    assert manifest["versions"]["datasets"] == datasets.__version__
    assert manifest["splits"] == {split: dataclasses.asdict(summary) for split, summary in prepared.splits.items()}
    assert manifest["digest"] == prepared.digest == digest_of_saved(datasets.load_from_disk(prepared.folder / "data"))
    written = {path.relative_to(prepared.folder).as_posix() for path in prepared.folder.rglob("*") if path.is_file()}
    assert written == {*manifest["files"], "manifest.json"}


def test_the_digest_is_that_of_the_rows_and_not_of_the_run(prepared: Prepared, tmp_path: Path) -> None:
    again = prepare(config_of(tmp_path / "again", dataset={"sample": True, "num_proc": 2}))
    assert again.digest == prepared.digest
    others = {
        prepare(config_of(tmp_path / "other", **options)).digest
        for options in ({"doc_stride": 47}, {"max_length": 127}, {"max_question_length": 5})
    }
    assert len({*others, prepared.digest}) == 4


@pytest.mark.parametrize("name", ["start_positions", "end_positions", "input_ids", "length"])
def test_the_digest_shows_a_single_changed_number(name: str, prepared: Prepared) -> None:
    splits = datasets.load_from_disk(prepared.folder / "data")
    rows = splits["validation"].to_list()
    if isinstance(rows[7][name], list):
        rows[7][name][3] += 1
    else:
        rows[7][name] += 1
    splits["validation"] = datasets.Dataset.from_list(rows, features=splits["validation"].features)
    assert digest_of_saved(splits) != prepared.digest


def test_a_question_may_be_cut_and_no_text_is(prepared: Prepared, tmp_path: Path) -> None:
    cut = prepare(config_of(tmp_path / "out", max_question_length=5))
    num_cut = 0
    for split, records in records_of("cmrc2018").items():
        rows = datasets.load_from_disk(cut.folder / "data")[split]
        context_starts = np.array(rows["context_start"])
        num_cut += int((context_starts == 5 + 2).sum())
        assert context_starts.max() == 5 + 2  # [CLS] and [SEP]
        ends = {row["example_id"]: row["offset_mapping"][-2][1] for row in rows}  # of the last window
        assert all(ends[record["id"]] == len(record["context"].rstrip()) for record in records)
    assert num_cut > 300


def test_bad_raw_rows_are_carried_into_the_folder(tmp_path: Path) -> None:
    good, bad = article("小明来了", good="小明"), article("小明来了", bad="小明")
    bad["qas"][0]["answers"] = []
    path = write(tmp_path / "articles.json", [good, bad])
    done = prepare(config_of(tmp_path / "out", dataset={"data_files": str(path), "on_bad_row": "quarantine"}))
    summary = summaries_of(done)["train"]
    assert (summary.rows_read, summary.rows_kept, summary.quarantined) == (2, 1, {"no_answers": 1})
    (quarantined,) = (done.folder / "quarantine").iterdir()
    assert json.loads(quarantined.read_text(encoding="utf-8"))["reason"] == "no_answers"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 24, "doc_stride": 10}, r"^train: record \w+: its question of \d+ tokens leaves room for \d of"),
        ({"max_length": 3, "doc_stride": 0}, "max_length=3: expected a number of tokens, more than the 3 special"),
        ({"tokenizer": "no/such/folder"}, "no/such/folder: no such folder"),
    ],
)
def test_what_makes_no_windows_is_told_and_leaves_nothing_behind(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    first = prepare(config_of(tmp_path / "out"))
    with pytest.raises(TokenizationError, match=message):
        prepare(config_of(tmp_path / "out", **options))
    assert read_manifest(tmp_path / "out")["digest"] == first.digest
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_run_that_fails_at_its_end_leaves_the_old_folder_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(config_of(tmp_path / "out"))

    def fail(rows: object) -> str:
        raise RuntimeError("the power went")

    monkeypatch.setattr("hf_builders.prepare.digest_of", fail)
    with pytest.raises(RuntimeError, match="the power went"):
        prepare(config_of(tmp_path / "out", doc_stride=8))
    assert read_manifest(tmp_path / "out")["digest"] == first.digest
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_split_to_train_on_without_any_answer_in_a_window_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "articles.json", [article("小明来了", one="小红"), article("小红走了", two="小明")])
    with pytest.raises(
        TokenizationError,
        match=r"^train: no record has its answer whole in a window \(2 answer_not_in_context\); raise doc_stride, or",
    ):
        prepare(config_of(tmp_path / "out", dataset={"data_files": str(path)}))
    assert not (tmp_path / "out").exists()
    done = prepare(config_of(tmp_path / "out", dataset={"data_files": {"validation": str(path)}}))
    assert summaries_of(done)["validation"].unlocated == {"answer_not_in_context": 2}


def test_a_config_written_in_python_is_checked_as_one_that_is_read(tmp_path: Path) -> None:
    config = config_of(tmp_path / "out")
    messages = dataclasses.replace(config, dataset=dataclasses.replace(config.dataset, view="messages"))
    with pytest.raises(ConfigError, match=r"^dataset\.view is messages, with spans; mrc goes with spans"):
        prepare(messages)
    with pytest.raises(ConfigError, match="tokenize, spans: neither is given"):
        prepare(RunConfig(dataset=config.dataset, output=OutputSection(dir=str(tmp_path / "out"))))
    assert list(tmp_path.iterdir()) == []


def test_the_command_prints_windows_and_remarks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "configs" / "demo_reading.yaml").read_text(encoding="utf-8")
    text = text.replace("configs/demo_vocabulary", str(VOCABULARY)).replace("out/", f"{tmp_path}/out/")
    path = write(tmp_path / "run.yaml", text)
    assert main(["prepare", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    manifest = read_manifest(tmp_path / "out" / "demo_reading")
    head = ["split", "rows", "read", "kept", "left", "out", "bad", "set", "aside", "windows", "answered"]
    assert lines[0].split() == [*head, "tokens", "median", "longest"]
    for line, (split, summary) in zip(lines[1:4], manifest["splits"].items(), strict=True):
        assert line.split()[:8] == [
            split, str(summary["rows_read"]), str(summary["rows_kept"]), "0", "0", "0", str(summary["windows"]),
            str(summary["windows_answered"]),
        ]  # fmt: skip
    assert "train: 4 rows noted: answer_start_corrected" in lines
    kept = "trial: 2 rows kept to be evaluated on, though no window has their answer: answer_not_in_context"
    assert kept in lines
    assert lines[-2:] == [
        f"digest  {manifest['digest']}",
        f"written {tmp_path}/out/demo_reading/ (report.html, data/, quarantine/, manifest.json)",
    ]
