"""`train` with `spans`: an encoder learns to find answers, and what it says is in files with its scores."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch (extra train)")
pytest.importorskip("nltk", reason="F1 needs nltk (extra train)")

import hf_builders
from collators import cmrc_scores, load_tokenizer
from hf_builders.cli import main
from hf_builders.errors import ConfigError, SourceError
from hf_builders.prepare import prepare
from hf_builders.train import Trained, train
from hf_builders.train_sections import AnswersSection, ModelSection, TrainSection
from tests.hf_builders.reading_files import LES_COLUMNS, LES_ROW, les_csv, write
from tests.hf_builders.span_runs import VOCABULARY, config_of

ROOT = Path(__file__).parents[2]
TINY_BERT = {
    "model_type": "bert",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 128,
}
ARGUMENTS = {
    "per_device_train_batch_size": 8,
    "learning_rate": 1e-2,
    "logging_steps": 2,
    "save_steps": 4,
    "max_steps": 8,
    "use_cpu": True,
    "disable_tqdm": True,
    "seed": 1,
}


def section_of(output: Path, **changes: Any) -> TrainSection:
    section: dict[str, Any] = {"model": ModelSection(config=TINY_BERT), "arguments": ARGUMENTS, **changes}
    return TrainSection(output_dir=str(output), **section)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads of several test processes wait for each other longer than a tiny model takes."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def prepared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "out"
    prepare(config_of(folder))
    return folder


@pytest.fixture(scope="module")
def trained(prepared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Eight steps on the sample of CMRC 2018; tests leave its folder as it is."""
    folder = tmp_path_factory.mktemp("trained") / "model"
    return train(config_of(prepared_folder, train=section_of(folder)))


def copied(trained: Trained, folder: Path) -> Path:
    shutil.copytree(trained.folder, folder)
    return folder


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


# What a run gives


def test_the_loss_falls_and_the_model_and_tokenizer_can_be_loaded(trained: Trained) -> None:
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    assert (trained.num_steps, trained.resumed_from, len(trained.losses)) == (8, None, 4)
    assert trained.losses[-1] < trained.losses[0]
    model = AutoModelForQuestionAnswering.from_pretrained(trained.folder)
    tokenizer = AutoTokenizer.from_pretrained(trained.folder)
    assert type(model).__name__ == "BertForQuestionAnswering"
    assert model.config.vocab_size >= len(tokenizer)
    question = ("谁看守灯塔？", "程海根看守灯塔。")
    assert tokenizer(*question)["input_ids"] == load_tokenizer(VOCABULARY)(*question)["input_ids"]


def test_every_question_is_answered_and_the_scores_are_those_of_the_answers(trained: Trained) -> None:
    scores, num_answers = read(trained.folder / "scores.json"), 0
    assert scores == trained.scores
    assert list(scores) == ["trial", "validation"]
    for split, found in scores.items():
        records = hf_builders.load_dataset("cmrc2018", "mrc", split=split, sample=True)
        predictions = read(trained.folder / f"predictions_{split}.json")
        assert list(predictions) == records["id"][:]
        contexts = dict(zip(records["id"], records["context"], strict=True))
        assert all(text and text in contexts[id_] for id_, text in predictions.items())
        references = {record["id"]: record["answers"]["text"] for record in records}
        expected = cmrc_scores(predictions, references)
        assert (found["exact_match"], found["f1"]) == (expected["exact_match"], expected["f1"])
        assert 0 <= found["exact_match"] <= found["f1"] <= 100
        assert 0 < found["loss"] < 10
        num_answers += len(predictions)
    assert num_answers == 100
    assert not (trained.folder / "predictions_train.json").exists()
    assert not list(trained.folder.glob(".*"))


def test_the_rules_for_answers_are_heeded(trained: Trained, prepared_folder: Path, tmp_path: Path) -> None:
    """A finished run is not trained again, and answers as the config now says."""
    folder = copied(trained, tmp_path / "model")
    weights = (folder / "model.safetensors").stat().st_mtime_ns
    rules = AnswersSection(null_threshold=-1000.0)
    silent = train(config_of(prepared_folder, train=section_of(folder, answers=rules)))
    assert set(read(folder / "predictions_trial.json").values()) == {""}
    assert silent.scores["trial"]["exact_match"] == 0
    assert read(folder / "scores.json") == silent.scores
    short = train(config_of(prepared_folder, train=section_of(folder, answers=AnswersSection(max_answer_length=1))))
    tokenizer = load_tokenizer(VOCABULARY)
    assert {len(tokenizer.tokenize(text)) for text in read(folder / "predictions_trial.json").values()} == {1}
    assert short.scores["trial"]["loss"] == pytest.approx(trained.scores["trial"]["loss"], rel=1e-4)
    assert (folder / "model.safetensors").stat().st_mtime_ns == weights


def test_a_split_without_answers_is_answered_and_not_scored(tmp_path: Path) -> None:
    columns = [name for name in LES_COLUMNS if name not in ("answer", "bridging_entity", "supporting_paragraph")]
    assert len(columns) == 13
    others = [{**LES_ROW, "question_id": f"Q_0000{n}abcde"} for n in range(3)]
    files = {
        "train": str(write(tmp_path / "train.csv", les_csv(LES_ROW))),
        "test": str(write(tmp_path / "test.csv", les_csv(*others, columns=columns))),
    }
    section = section_of(tmp_path / "model", arguments={**ARGUMENTS, "max_steps": 2})
    config = config_of(tmp_path / "out", "les_mrc", dataset={"data_files": files}, train=section)
    prepare(config)
    assert train(config).scores == {}
    assert read(tmp_path / "model" / "scores.json") == {}
    assert list(read(tmp_path / "model" / "predictions_test.json")) == [row["question_id"] for row in others]


def test_the_command_prints_exact_match_and_f1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "configs" / "demo_reading.yaml").read_text(encoding="utf-8")
    text = text.replace("configs/demo_vocabulary", str(VOCABULARY)).replace("num_train_epochs: 3", "max_steps: 20")
    write(tmp_path / "run.yaml", text)
    monkeypatch.chdir(tmp_path)
    assert main(["prepare", "run.yaml"]) == 0
    capsys.readouterr()
    assert main(["train", "run.yaml"]) == 0
    steps, loss, *scores, written = capsys.readouterr().out.splitlines()
    assert (steps, written) == ("steps   20", "written out/demo_reading_model/")
    first, last = map(float, re.findall(r"\d+\.\d{3}", loss))
    assert last < first
    found = read(tmp_path / "out" / "demo_reading_model" / "scores.json")
    assert scores == [
        f"{split}: exact match {found[split]['exact_match']:.2f}, F1 {found[split]['f1']:.2f}"
        for split in ("trial", "validation")
    ]


# That the chain is right from end to end

PLACES = ["北京", "上海", "广州", "成都", "杭州", "南京", "西安", "重庆"]
TRADES = ["老师", "医生", "工人", "司机"]
NAMES = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳"


def people(ids: str, shift: int) -> list[dict[str, Any]]:
    """Who lives where and does what; another `shift` brings together what another has not."""
    articles = []
    for number, name in enumerate(NAMES):
        place, trade = PLACES[(number + shift) % 8], TRADES[(number + number // 8 + shift) % 4]
        questions = {"他住在哪里？": place, "他做什么？": trade}
        articles.append(
            {
                "context_id": f"{ids}_{number}",
                "context_text": f"小{name}今年住在{place}，他是一名{trade}，每天上班。",
                "title": "",
                "qas": [
                    {"query_id": f"{ids}_{number}_{query}", "query_text": text, "answers": [answer]}
                    for query, (text, answer) in enumerate(questions.items())
                ],
            }
        )
    return articles


def test_a_tiny_model_learns_to_answer_its_own_questions_and_others_of_the_kind(tmp_path: Path) -> None:
    own = str(write(tmp_path / "own.json", people("OWN", 0)))
    files = {"train": own, "validation": own, "trial": str(write(tmp_path / "other.json", people("OTHER", 3)))}
    arguments = {
        **ARGUMENTS,
        "per_device_train_batch_size": 16,
        "learning_rate": 5e-3,
        "max_steps": 120,
        "logging_steps": 20,
        "save_strategy": "no",
    }
    section = section_of(tmp_path / "model", arguments=arguments)
    # Windows too short for a context: each question has two, most with the answer in one of them only.
    config = config_of(tmp_path / "out", dataset={"data_files": files}, train=section, max_length=24, doc_stride=4)
    done = prepare(config)
    assert done.splits["train"].windows == 64
    learned = train(config)
    assert learned.losses[-1] < 0.05 * learned.losses[0]
    assert learned.scores["validation"]["exact_match"] > 90
    assert learned.scores["trial"]["exact_match"] > 90
    answers = read(tmp_path / "model" / "predictions_validation.json")
    assert len(answers) == 32
    assert set(answers.values()) == {*PLACES, *TRADES}


# Runs that are cut off, and runs that are finished


def test_a_run_goes_on_from_its_last_checkpoint_to_the_same_scores(
    trained: Trained, prepared_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copytree(trained.folder / "checkpoint-4", folder / "checkpoint-4")
    resumed = train(config_of(prepared_folder, train=section_of(folder)))
    assert (resumed.resumed_from, resumed.num_steps) == (folder / "checkpoint-4", 8)
    assert resumed.losses == pytest.approx(trained.losses, rel=1e-4)
    assert read(folder / "predictions_trial.json") == read(trained.folder / "predictions_trial.json")
    for split, scores in trained.scores.items():
        assert resumed.scores[split] == pytest.approx(scores, rel=1e-4)


def test_a_finished_run_gives_its_scores_again_also_where_it_was_cut_off_before_they_were_written(
    trained: Trained, prepared_folder: Path, tmp_path: Path
) -> None:
    folder = copied(trained, tmp_path / "model")
    for name in ("scores.json", "predictions_trial.json", "predictions_validation.json"):
        (folder / name).unlink()
    again = train(config_of(prepared_folder, train=section_of(folder)))
    assert (again.num_steps, again.losses) == (8, trained.losses)
    assert list(again.scores) == ["trial", "validation"]
    for split, scores in trained.scores.items():
        assert again.scores[split] == pytest.approx(scores, rel=1e-4)
        name = f"predictions_{split}.json"
        assert read(folder / name) == read(trained.folder / name)


def test_a_run_that_ends_with_its_epochs_is_finished_too_and_is_evaluated_after_each(
    prepared_folder: Path, tmp_path: Path
) -> None:
    arguments = {name: value for name, value in ARGUMENTS.items() if name not in ("max_steps", "save_steps")}
    arguments |= {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 64,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "save_total_limit": 1,
    }
    config = config_of(prepared_folder, train=section_of(tmp_path / "model", arguments=arguments))
    first = train(config)
    log = read(tmp_path / "model" / "trainer_state.json")["log_history"]
    evaluated = [entry for entry in log if "eval_exact_match" in entry]
    assert [entry["epoch"] for entry in evaluated] == [1.0, 2.0]
    assert evaluated[-1]["eval_f1"] == first.scores["validation"]["f1"]
    assert evaluated[-1]["eval_exact_match"] == first.scores["validation"]["exact_match"]
    again = train(config)
    assert (again.num_steps, again.losses) == (first.num_steps, first.losses)
    assert again.scores["validation"] == pytest.approx(first.scores["validation"], rel=1e-4)


def test_checkpoints_of_other_windows_are_not_gone_on_from(trained: Trained, tmp_path: Path) -> None:
    folder = copied(trained, tmp_path / "model")
    other = config_of(tmp_path / "other", train=section_of(folder), doc_stride=8)
    prepare(other)
    with pytest.raises(SourceError, match=r"model: is a run with other token rows \(.*, now .*\); choose another"):
        train(other)


def test_windows_sorted_by_length_to_train_on_are_evaluated_in_their_order(
    prepared_folder: Path, tmp_path: Path
) -> None:
    arguments = {**ARGUMENTS, "max_steps": 2, "train_sampling_strategy": "group_by_length", "eval_strategy": "steps"}
    sorted_ = train(config_of(prepared_folder, train=section_of(tmp_path / "model", arguments=arguments)))
    assert list(sorted_.scores) == ["trial", "validation"]
    log = read(tmp_path / "model" / "trainer_state.json")["log_history"]
    assert any("eval_f1" in entry for entry in log)


def test_a_model_trained_before_is_trained_on(trained: Trained, prepared_folder: Path, tmp_path: Path) -> None:
    section = section_of(
        tmp_path / "model", model=ModelSection(pretrained=str(trained.folder)), arguments={**ARGUMENTS, "max_steps": 2}
    )
    further = train(config_of(prepared_folder, train=section))
    assert further.losses[0] < trained.losses[0]


# What cannot be trained


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model": ModelSection(config={**TINY_BERT, "max_position_embeddings": 64})},
            "spans.max_length: is 128, and the model has positions for 64 tokens; lower it, and prepare again",
        ),
        (
            {"pad_to_multiple_of": 96},
            "train.pad_to_multiple_of: is 96, which makes 192 tokens of spans.max_length, 128, and the model has"
            " positions for 128; lower one of them",
        ),
        (
            {"arguments": {**ARGUMENTS, "prediction_loss_only": True}},
            "train.arguments.prediction_loss_only: leaves nothing to find answers in; leave it out",
        ),
        (
            {"model": ModelSection(config={**TINY_BERT, "vocab_size": 128})},
            "train.model: has embeddings for 128 ids, the tokenizer gives ids up to",
        ),
        (
            {"model": ModelSection(config={"model_type": "glm"})},
            "train.model: cannot be made (",
        ),
    ],
)
def test_what_cannot_be_trained_is_a_config_error(
    changes: dict[str, Any], message: str, prepared_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        train(config_of(prepared_folder, train=section_of(tmp_path / "model", **changes)))
    assert message in str(caught.value)
    assert not list(tmp_path.glob("model/checkpoint-*"))


def test_a_tensorflow_checkpoint_is_refused_with_the_way_out(prepared_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "chinese_roberta_L-12_H-768"
    folder.mkdir()
    shutil.copy(VOCABULARY / "vocab.txt", folder)
    for name in ("bert_config.json", "bert_model.ckpt.index", "bert_model.ckpt.meta", "bert_model.ckpt.data-0"):
        (folder / name).write_bytes(b"{}")
    assert load_tokenizer(folder)("灯塔")["input_ids"] == load_tokenizer(VOCABULARY)("灯塔")["input_ids"]
    section = section_of(tmp_path / "model", model=ModelSection(pretrained=str(folder)))
    with pytest.raises(ConfigError) as caught:
        train(config_of(prepared_folder, train=section))
    assert str(caught.value) == (
        f"train.model: cannot be made ({folder} holds a TensorFlow checkpoint, which transformers reads no longer; take"
        " the model's PyTorch release, with a config.json. The tokenizer may stay: its vocab.txt is the same)"
    )


def test_what_was_prepared_otherwise_is_refused(prepared_folder: Path, tmp_path: Path) -> None:
    section = section_of(tmp_path / "model")
    with pytest.raises(SourceError, match=r"was prepared with spans\.max_length=128, the run config says 64; run"):
        train(config_of(prepared_folder, train=section, max_length=64))


def test_answers_cannot_be_compared_with_raw_files_that_changed(tmp_path: Path) -> None:
    path = write(tmp_path / "people.json", people("OWN", 0))
    config = config_of(tmp_path / "out", dataset={"data_files": str(path)}, train=section_of(tmp_path / "model"))
    prepare(config)
    write(path, people("OWN", 1))
    with pytest.raises(SourceError, match=r"people\.json changed since it was prepared, so rows cannot be compared"):
        train(config)


def test_questions_of_one_id_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    paths = [str(write(tmp_path / name, people("OWN", 0))) for name in ("a.json", "b.json")]
    files = {"train": paths[0], "validation": paths}
    config = config_of(tmp_path / "out", dataset={"data_files": files}, train=section_of(tmp_path / "model"))
    prepare(config)
    with pytest.raises(SourceError, match="validation: two records have the same id, so they cannot be answered"):
        train(config)
    assert not list(tmp_path.glob("model/checkpoint-*"))


def test_evaluation_without_a_validation_split_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "people.json", people("OWN", 0))
    section = section_of(tmp_path / "model", arguments={**ARGUMENTS, "eval_strategy": "epoch"})
    config = config_of(tmp_path / "out", dataset={"data_files": str(path)}, train=section)
    prepare(config)
    with pytest.raises(ConfigError, match=r"eval_strategy: there is no split to evaluate on \(validation\)"):
        train(config)
