"""A `Trainer` evaluates windows with the scores of the answers it gives, and on no other windows than those given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch (extra train)")
pytest.importorskip("transformers", reason="training needs transformers")
pytest.importorskip("accelerate", reason="Trainer needs it")
pytest.importorskip("nltk", reason="the words between Chinese characters are split by nltk")

from datasets import Dataset  # noqa: E402
from transformers import (  # noqa: E402
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    EvalPrediction,
    Trainer,
    TrainingArguments,
)

from collators import (  # noqa: E402
    SpanCollator,
    SpanMetrics,
    TokenizationError,
    TokenizePair,
    TokenizeSpans,
    cmrc_scores,
    load_tokenizer,
    postprocess_spans,
    save_predictions,
)
from tests.collators.encoder_tokenizers import PIECES, bert, kept  # noqa: E402

RECORDS: dict[str, list[Any]] = {
    "id": [f"q{number}" for number in range(6)],
    "question": ["谁来了？", "多少米？", "在哪里？", "谁", "多少年", "在哪里来了多少年"],
    "context": [
        "小明在哪里，灯塔高31米", "小明来了灯塔高31米", "小明和小红灯塔", "小明 Hello World", "小红1958年" * 6, "灯塔",
    ],
    "answers": [
        {"text": ["小明"], "answer_start": [0]},
        {"text": ["31米", "31"], "answer_start": [7, 7]},
        {"text": ["灯塔"], "answer_start": [5]},
        {"text": ["Hello World"], "answer_start": [3]},
        {"text": ["58"], "answer_start": [4]},  # stands inside a token
        {"text": [], "answer_start": []},
    ],
}  # fmt: skip
DATA = Dataset.from_dict(RECORDS)
STEP = TokenizeSpans(bert(), 16, 4, unlocated="keep")
WINDOWS = DATA.map(STEP, batched=True, remove_columns=DATA.column_names)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """More would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def model() -> Any:
    torch.manual_seed(0)
    return BertForQuestionAnswering(config())


def config(**options: Any) -> BertConfig:
    return BertConfig(
        vocab_size=len(PIECES), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32, hidden_dropout_prob=0.0, **options,
    )  # fmt: skip


def trainer(folder: Path, **options: Any) -> Trainer:
    arguments = {
        "per_device_eval_batch_size": 4, "per_device_train_batch_size": 4, "report_to": [], "save_strategy": "no",
        "use_cpu": True, "disable_tqdm": True, "seed": 1, "dataloader_pin_memory": False,
    }  # fmt: skip
    names = {"model", "train_dataset", "compute_metrics", "data_collator"}
    given = {name: value for name, value in options.items() if name in names}
    arguments |= {name: value for name, value in options.items() if name not in names}
    defaults = {"model": model(), "data_collator": SpanCollator(bert(), pad_to_multiple_of=1)}
    defaults |= {"args": TrainingArguments(output_dir=str(folder), **arguments), "eval_dataset": WINDOWS}
    return Trainer(**{**defaults, **given})


def gold(windows: Any, width: int = 16) -> tuple[Any, Any]:
    logits = np.zeros((2, len(windows), width), np.float32)
    for side, name in enumerate(("start_positions", "end_positions")):
        logits[side, np.arange(len(windows)), np.asarray(windows[name])] = 20
    return logits[0], logits[1]


def test_evaluate_gives_the_scores_of_the_answers(tmp_path: Path) -> None:
    metrics = SpanMetrics(DATA, WINDOWS)
    own = trainer(tmp_path, compute_metrics=metrics)
    found = own.evaluate()
    answers = metrics.predictions
    assert set(found) >= {"eval_exact_match", "eval_f1", "eval_loss"}
    logits = own.predict(WINDOWS).predictions
    assert logits[0].shape == (len(WINDOWS), 16)
    assert answers == postprocess_spans(DATA, WINDOWS, logits)
    assert list(answers) == RECORDS["id"]
    assert sum(map(bool, answers.values())) >= 5, "without a threshold every question is answered"
    references = {id_: each["text"] for id_, each in zip(RECORDS["id"], RECORDS["answers"], strict=True)}
    scores = cmrc_scores(answers, references)
    assert (found["eval_exact_match"], found["eval_f1"]) == (scores["exact_match"], scores["f1"])
    # The same batch by batch or row by row, so whatever the padding.
    for size in (1, 3):
        again = trainer(tmp_path, compute_metrics=metrics, per_device_eval_batch_size=size).evaluate()
        assert again["eval_f1"] == found["eval_f1"]
        assert metrics.predictions == answers


def test_the_gold_positions_score_100_where_windows_hold_the_answers() -> None:
    answered = DATA.select([0, 1, 2, 3, 5])
    windows = answered.map(STEP, batched=True, remove_columns=DATA.column_names)
    metrics = SpanMetrics(answered, windows, null_threshold=0.0)
    labels = windows["start_positions"][:], windows["end_positions"][:]
    scores = metrics(EvalPrediction(predictions=gold(windows), label_ids=labels))
    assert scores == {"exact_match": 100.0, "f1": 100.0}
    assert metrics.predictions == {"q0": "小明", "q1": "31米", "q2": "灯塔", "q3": "Hello World", "q5": ""}
    # All records count: the one whose answer no window holds cannot be right.
    scores = SpanMetrics(DATA, WINDOWS, null_threshold=0.0)(EvalPrediction(predictions=gold(WINDOWS), label_ids=None))
    assert scores["exact_match"] == pytest.approx(100 * 5 / 6)


def test_without_a_threshold_an_unanswerable_question_is_wrong() -> None:
    one = DATA.select([5])
    windows = one.map(STEP, batched=True, remove_columns=DATA.column_names)
    given = EvalPrediction(predictions=gold(windows), label_ids=None)
    assert SpanMetrics(one, windows)(given) == {"exact_match": 0.0, "f1": 0.0}
    assert SpanMetrics(one, windows, null_threshold=0.0)(given) == {"exact_match": 100.0, "f1": 100.0}


def test_more_outputs_of_a_model_do_not_matter() -> None:
    metrics = SpanMetrics(RECORDS, WINDOWS)
    logits = gold(WINDOWS)
    expected = metrics(EvalPrediction(predictions=logits, label_ids=None))
    hidden = np.zeros((len(WINDOWS), 16, 4))
    assert metrics(EvalPrediction(predictions=(*logits, hidden), label_ids=None)) == expected


def test_a_model_that_learns_gets_better_scores(tmp_path: Path) -> None:
    metrics = SpanMetrics(DATA, WINDOWS)
    train = DATA.map(TokenizeSpans(bert(), 16, 4), batched=True, remove_columns=DATA.column_names)
    assert len(train) < len(WINDOWS)
    own = trainer(
        tmp_path, compute_metrics=metrics, train_dataset=train, max_steps=120, learning_rate=1e-2, logging_steps=20
    )
    before = own.evaluate()
    own.train()
    after = own.evaluate()
    losses = [entry["loss"] for entry in own.state.log_history if "loss" in entry]
    assert losses[-1] < losses[0] / 4
    assert before["eval_f1"] < 40
    # All but the one inside a token and the unanswerable.
    assert after["eval_exact_match"] == pytest.approx(100 * 4 / 6)
    save_predictions(metrics.predictions, tmp_path / "predictions.json")
    assert json.loads((tmp_path / "predictions.json").read_text("utf-8"))["q3"] == "Hello World"


def test_evaluation_in_another_order_is_an_error(tmp_path: Path) -> None:
    metrics = SpanMetrics(DATA, WINDOWS)
    by_length = trainer(tmp_path, compute_metrics=metrics, train_sampling_strategy="group_by_length")
    expected = (
        "start_positions of the evaluation are not those of the windows given to SpanMetrics, in their order; give it "
        "the eval_dataset itself, and no train_sampling_strategy that sorts it by length"
    )
    with pytest.raises(TokenizationError) as raised:
        by_length.evaluate()
    assert str(raised.value) == expected
    plain = trainer(tmp_path, compute_metrics=metrics)
    for others in (WINDOWS.select(range(len(WINDOWS) - 1, -1, -1)), WINDOWS.select(range(3))):
        with pytest.raises(TokenizationError) as raised:
            plain.evaluate(others)
        assert str(raised.value) == expected


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({"id": ["q"], "context": ["小"]}, "columns id, context: no answers"),
        (DATA.remove_columns("id"), "columns question, context, answers: no id"),
        (7, "int: expected a dataset, a dict of columns or a list of rows"),
    ],
)
def test_records_without_answers_are_named_at_once(records: Any, expected: str) -> None:
    with pytest.raises(TokenizationError) as raised:
        SpanMetrics(records, WINDOWS)
    assert str(raised.value) == expected


def test_windows_without_positions_are_named_where_the_evaluation_has_them() -> None:
    metrics = SpanMetrics(DATA, WINDOWS.remove_columns("start_positions"))
    labels = WINDOWS["start_positions"][:], WINDOWS["end_positions"][:]
    with pytest.raises(TokenizationError, match=r": no start_positions$"):
        metrics(EvalPrediction(predictions=gold(WINDOWS), label_ids=labels))


@pytest.mark.parametrize(
    ("labels", "names"), [([1, 0, 1], None), (["好", "差", "好"], ["差", "好"]), ([0.5, 1, 2], None)]
)
def test_pairs_train_a_classifier_or_a_regression(tmp_path: Path, labels: list[Any], names: list[str] | None) -> None:
    rows = {"sentence1": ["小明", "小红", "灯塔"], "sentence2": ["来了", "在", "高31米"], "label": labels}
    data = Dataset.from_dict(rows)
    data = data.map(TokenizePair(bert(), label_names=names), batched=True, remove_columns=data.column_names)
    torch.manual_seed(0)
    classifier = BertForSequenceClassification(config(num_labels=1 if isinstance(labels[0], float) else 2))
    own = trainer(tmp_path, model=classifier, train_dataset=data, max_steps=60, learning_rate=1e-2, logging_steps=10)
    own.train()
    losses = [entry["loss"] for entry in own.state.log_history if "loss" in entry]
    assert losses[-1] < losses[0] / 5


# The real sets, all of them.

UNLOCATED_OF_WEBQA = {"answer_not_in_context": 14, "answer_inside_token": 2}


@pytest.fixture(scope="module")
def real_tokenizer(shared_tokenizer: Callable[[str], Path]) -> Any:
    return load_tokenizer(shared_tokenizer("bert_chinese"))


@pytest.fixture(scope="module")
def real_records(shared_realdata: Callable[[str], Path]) -> dict[str, Dataset]:
    from hf_builders import load_dataset

    cmrc, webqa = shared_realdata("cmrc2018"), shared_realdata("webqa")
    splits = {
        "cmrc": load_dataset("cmrc2018", "mrc", data_dir=str(cmrc / "data"))["trial"],
        "cmrc_squad": load_dataset("cmrc2018", "mrc", data_dir=str(cmrc / "squad-style-data"))["trial"],
    }
    (split,) = load_dataset("webqa", "mrc", data_dir=str(webqa)).values()
    return {**splits, "webqa": split}


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["cmrc", "cmrc_squad", "webqa"])
@pytest.mark.parametrize(("max_length", "doc_stride"), [(512, 256), (384, 128), (256, 128)])
def test_real_windows_are_those_of_transformers(
    real_tokenizer: Any, real_records: dict[str, Dataset], name: str, max_length: int, doc_stride: int
) -> None:
    records = real_records[name]
    step = TokenizeSpans(real_tokenizer, max_length, doc_stride, unlocated="keep")
    table = records.with_format("arrow")[:]
    windows = step.windows(table)
    expected = real_tokenizer(
        table["question"].to_pylist(), table["context"].to_pylist(), truncation="only_second", max_length=max_length,
        stride=doc_stride, return_overflowing_tokens=True, return_offsets_mapping=True,
    )  # fmt: skip
    ids = table["id"].to_pylist()
    assert windows.rows["example_id"].to_pylist() == [ids[sample] for sample in expected["overflow_to_sample_mapping"]]
    for column in ("input_ids", "token_type_ids", "attention_mask"):
        assert windows.rows[column].to_pylist() == expected[column]
    offsets = windows.rows["offset_mapping"].combine_chunks()
    flat = [char for row in expected["offset_mapping"] for pair in row for char in pair]
    assert offsets.flatten().flatten().to_pylist() == flat
    assert windows.rows["length"].to_pylist() == list(map(len, expected["input_ids"]))
    found = (len(windows.rows), windows.num_answered, windows.unlocated)
    if (max_length, doc_stride) == (512, 256) and name != "webqa":
        assert found == (1528, 1121, {}), "every answer is whole in a window"


@pytest.mark.realdata
def test_real_answers_that_no_window_holds_are_counted(real_tokenizer: Any, real_records: dict[str, Dataset]) -> None:
    table = real_records["webqa"].with_format("arrow")[:]
    windows = TokenizeSpans(real_tokenizer, 512, 256, unlocated="keep").windows(table)
    reasons = list(windows.unlocated.values())
    assert (len(windows.rows), windows.num_answered) == (1500, 1484)
    assert {reason: reasons.count(reason) for reason in reasons} == UNLOCATED_OF_WEBQA


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["cmrc", "webqa"])
def test_real_windows_decode_to_the_answers_and_score_100(
    real_tokenizer: Any, real_records: dict[str, Dataset], name: str
) -> None:
    records = real_records[name]
    windows = records.map(
        TokenizeSpans(real_tokenizer, 512, 256), batched=True, remove_columns=records.column_names
    ).with_format("arrow")[:]
    by_id = {row["id"]: row for row in records}
    normalize = real_tokenizer.backend_tokenizer.normalizer.normalize_str
    num_checked = 0
    columns = ("example_id", "input_ids", "start_positions", "end_positions", "offset_mapping")
    for row in windows.select(columns).to_pylist():
        start, end = row["start_positions"], row["end_positions"]
        if not start:
            continue
        record = by_id[row["example_id"]]
        pieces = real_tokenizer.convert_ids_to_tokens(row["input_ids"][start : end + 1])
        text = record["context"][row["offset_mapping"][start][0] : row["offset_mapping"][end][1]]
        assert kept(text) in [kept(answer) for answer in record["answers"]["text"]]
        read = "".join(piece.removeprefix("##") for piece in pieces)
        answers = ["".join(normalize(answer).split()) for answer in record["answers"]["text"]]
        if "[UNK]" in pieces:
            # What the vocabulary lacks may be anything.
            parts = read.split("[UNK]")
            assert any(answer.startswith(parts[0]) and answer.endswith(parts[-1]) for answer in answers)
        else:
            assert read in answers
        num_checked += 1
    assert num_checked == {"cmrc": 1121, "webqa": 1484}[name]
    ids = set(windows["example_id"].to_pylist())
    answered = records.filter(lambda row: row["id"] in ids)
    # Some answers of the trial set are longer than the 128 tokens an answer may have by default.
    predictions = postprocess_spans(answered, windows, gold(windows, 512), max_answer_length=512)
    references = {row["id"]: row["answers"]["text"] for row in answered}
    scores = cmrc_scores(predictions, references)
    assert (scores["exact_match"], scores["f1"], scores["skipped"]) == (100, 100, 0)
    assert scores["total"] == len(answered) == {"cmrc": 1002, "webqa": 1484}[name]
