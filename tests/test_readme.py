"""What the README shows is what happens: its Python runs, its commands exist, its label example is computed."""

import json
import re
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the quickstart makes a batch of tensors (extra train)")

from datasets import Dataset

from collators import IGNORE_INDEX, load_tokenizer, tokenize
from hf_builders.cli import main
from hf_builders.run_config import parse_run_config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DIALOGUE = [
    {"role": "user", "content": "类型#裙*颜色#白色"},
    {"role": "assistant", "content": "一条白色的裙子。"},
    {"role": "user", "content": "换成黑色"},
    {"role": "assistant", "content": "一条黑色的裙子。"},
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_quickstart_gives_the_batch_it_promises_and_a_row_can_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    quickstart, _, _, _, see_it, packing, training, *_ = blocks("python")
    names: dict[str, object] = {}
    exec(quickstart, names)
    batch = names["batch"]
    assert isinstance(batch, dict) or hasattr(batch, "keys")
    assert set(batch.keys()) == {"input_ids", "attention_mask", "labels"}  # type: ignore[attr-defined]
    assert {tensor.shape[0] for tensor in batch.values()} == {8}  # type: ignore[attr-defined]
    exec(see_it, names)
    lines = capsys.readouterr().out.strip().splitlines()
    assert [line.split()[:2] for line in lines] == [["-", "-"], ["-", "user"], ["-", "assistant"], ["+", "assistant"]]
    exec(packing, names)
    batch, packed = names["batch"], names["packed"]
    assert batch["attention_mask"].shape[:2] == (2, 1)  # type: ignore[index]
    assert sum(map(len, packed["train"]["ids"])) == 240  # type: ignore[index]
    monkeypatch.chdir(tmp_path)
    exec(training, names)
    assert names["trainer"].state.global_step == 4  # type: ignore[attr-defined]


def test_ones_own_files_load_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = [{"role": "user", "content": "在吗"}, {"role": "assistant", "content": "在的"}]
    advice = {"instruction": "可以", "input": "", "output": "好", "history": [["问", "答"]]}
    (tmp_path / "chats.jsonl").write_text(json.dumps({"messages": chat}), encoding="utf-8")
    (tmp_path / "faq.csv").write_text("question,reply\n在吗,在的\n", encoding="utf-8")
    (tmp_path / "consulting_part.json").write_text(json.dumps([advice]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec("import hf_builders\n" + blocks("python")[1], names)
    assert [names[name]["train"].num_rows for name in ("chats", "pairs", "advice")] == [1, 1, 1]
    assert names["chats"]["train"][0]["messages"] == names["pairs"]["train"][0]["messages"] == chat
    assert [message["content"] for message in names["advice"]["train"][0]["messages"]] == ["问", "答", "可以", "好"]


def test_corpora_load_as_shown(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(blocks("python")[2], names)
    assert names["texts"]["train"].column_names == ["id", "text"]
    assert list(names["titles"]) == ["train", "validation"]
    assert all(id_.endswith("/abstract_to_title") for id_ in names["titles"]["train"]["id"])
    assert "'no_code_to_inclusion_terms': " in capsys.readouterr().out


def test_texts_are_cleaned_as_shown(capsys: pytest.CaptureFixture[str]) -> None:
    exec(blocks("python")[3], {})
    assert capsys.readouterr().out == "['血压 120', '正常'] [('whitespace', 1), ('unicode', 1)]\n"


def test_the_sections_shown_are_sections_of_a_run_config() -> None:
    rest = "\ntokenize: {tokenizer: x}\noutput: {dir: out}\ndataset: {name: instructions, sample: true, view: "
    steps, template = blocks("yaml")
    assert len(parse_run_config(f"{steps}{rest}messages}}", "README.md").clean.steps) == 8  # type: ignore[union-attr]
    cleaned = parse_run_config(f"{template}{rest}source}}", "README.md").clean
    assert cleaned is not None
    assert cleaned.template == "患者{age:int}岁，{sex}。\n就诊日期：{seen:date:%Y年%m月%d日}\n诊断：{diagnosis}"


def test_an_encoder_is_trained_and_scored_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(blocks("python")[7], names)
    assert {"eval_exact_match", "eval_f1"} <= set(names["trainer"].state.log_history[-1])
    assert "'eval_f1'" in capsys.readouterr().out
    predictions = json.loads((tmp_path / "predictions.json").read_text(encoding="utf-8"))
    assert list(predictions) == names["records"]["validation"]["id"][:]


def test_every_command_of_the_readme_exists(capsys: pytest.CaptureFixture[str]) -> None:
    commands = re.findall(r"^hf-builders (\w+)", "\n".join(blocks("bash")), re.MULTILINE)
    assert commands == [
        *("list", "show", "prepare", "inspect", "train", "verify", "export", "push"),  # the tour
        *("push", "push", "verify", "export"),  # the sections on each
    ]
    for command in set(commands):
        with pytest.raises(SystemExit) as caught:
            main([command, "--help"])
        assert caught.value.code == 0


def test_prepared_rows_are_handed_to_a_plain_trainer_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    assert main(["prepare", "configs/demo.yaml"]) == 0
    names: dict[str, Any] = {}
    exec(blocks("python")[8], names)
    assert names["trainer"].state.global_step == 4
    assert (
        "from trl import" in blocks("python")[9]
    )  # not installed here; tests/benchmarks/peers/trl_token_rows.py runs it
    assert len(blocks("python")) == 10


def test_the_pushes_shown_are_pushes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    assert main(["prepare", "configs/demo.yaml"]) == 0
    lines = re.findall(r"^hf-builders (push .*?)(?: +#.*)?$", "\n".join(blocks("bash")), re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        assert main([*line.split(), *(["--dry-run"] if "--dry-run" not in line else [])]) == 0


def coloured(tokenizer_path: Path) -> list[str]:
    """The lines of a `diff` block: runs of trained (+) and untrained (-) tokens of the dialogue."""
    tokenizer = load_tokenizer(tokenizer_path)
    row = tokenize(Dataset.from_dict({"messages": [DIALOGUE]}), tokenizer)[0]
    lines = []
    pairs = zip(row["input_ids"], row["labels"], strict=True)
    for is_trained, run in groupby(pairs, lambda pair: pair[1] != IGNORE_INDEX):
        text = tokenizer.decode([token_id for token_id, _ in run]).replace("\n", "⏎")
        # Decoding shows the dummy prefixes around a newline as spaces.
        lines.append(("+ " if is_trained else "- ") + re.sub(" ?⏎ ?", "⏎", text))
    return lines


def test_the_label_example_is_what_chatglm3_format_gives() -> None:
    (diff,) = blocks("diff")
    assert coloured(ROOT / "configs" / "demo_tokenizer") == diff.split("\n\n")[0].splitlines()[1:]


@pytest.mark.realdata
def test_the_label_example_is_what_qwen_gives(shared_tokenizer: Callable[[str], Path]) -> None:
    (diff,) = blocks("diff")
    assert coloured(shared_tokenizer("qwen2_5")) == diff.split("\n\n")[1].splitlines()[1:]


def test_the_table_of_datasets_lists_every_dataset() -> None:
    from hf_builders.registry import list_datasets

    assert re.findall(r"^\| \[`(\w+)`\]", README, re.MULTILINE) == list_datasets()
