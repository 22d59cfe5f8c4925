"""A run that cleans: texts changed in order before they are tokenized, every step counted, no row lost unsaid."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

pytest.importorskip("transformers", reason="prepare tokenizes, which needs transformers")

import collators
from hf_builders.cli import main
from hf_builders.errors import ConfigError, OptionError, SourceError
from hf_builders.prepare import Prepared, prepare
from hf_builders.prepared_folder import read_manifest
from hf_builders.run_config import (
    CleanSection,
    DatasetSection,
    OutputSection,
    RunConfig,
    TokenizeSection,
    parse_run_config,
)

TOKENIZER = str(Path(__file__).parents[2] / "configs" / "demo_tokenizer")
ROWS = [
    {"content": "类型#裙", "summary": "好  裙子。ＡＢＣ"},
    {"content": "类型#裤", "summary": "\u200b\u200b"},
    {"content": "类型#衣", "summary": "短"},
    {"content": "类型#鞋", "summary": "一双好鞋"},
]
STEPS: list[Any] = ["control", {"unicode": {"form": "full_width"}}, "whitespace", {"length": {"min_chars": 2}}]


@pytest.fixture
def adgen(tmp_path: Path) -> Path:
    folder = tmp_path / "AdvertiseGen"
    folder.mkdir()
    for name in ("train", "dev"):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS[: 4 if name == "train" else 1]]
        (folder / f"{name}.json").write_text("".join(lines), encoding="utf-8")
    return folder


def config_of(folder: Path, out: Path, view: str = "messages", **clean: Any) -> RunConfig:
    return RunConfig(
        dataset=DatasetSection(name="adgen", view=view, data_dir=str(folder)),
        clean=CleanSection(**{"steps": STEPS, **clean}),
        tokenize=TokenizeSection(tokenizer=TOKENIZER),
        output=OutputSection(dir=str(out)),
    )


def texts_of(prepared: Prepared) -> dict[str, str]:
    tokenizer = collators.load_tokenizer(TOKENIZER)
    rows = datasets.load_from_disk(prepared.folder / "data")["train"]
    return {row["id"]: tokenizer.decode([id_ for id_ in row["labels"] if id_ != -100]) for row in rows}


@pytest.mark.parametrize("view", ["messages", "conversations", "instruction"])
def test_texts_are_cleaned_before_they_are_tokenized_and_every_row_is_accounted_for(
    adgen: Path, tmp_path: Path, view: str
) -> None:
    prepared = prepare(config_of(adgen, tmp_path / "out", view))
    texts = texts_of(prepared)
    assert set(texts) == {"train.json:1", "train.json:4"}
    assert "好 裙子。ABC" in texts["train.json:1"]
    summary = prepared.splits["train"]
    assert (summary.rows_read, summary.rows_kept) == (4, 2)
    assert summary.left_out == {"clean.length": 2}
    lines = (prepared.folder / "quarantine" / "train-cleaned.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["id"] for line in lines} == {"train.json:2", "train.json:3"}
    assert not (prepared.folder / "quarantine" / "validation-cleaned.jsonl").exists()


@pytest.mark.parametrize("view", ["messages", "conversations"])
def test_ones_own_chats_with_tools_are_cleaned_and_what_was_called_stays(tmp_path: Path, view: str) -> None:
    call = {
        "role": "assistant",
        "tool_calls": [{"function": {"name": "查询", "arguments": {"城市": "ＢＪ", "n": 3.0}}}],
    }
    turns = [
        {"role": "user", "content": "ＢＪ天气"},
        call,
        {"role": "tool", "content": "晴１５"},
        {"role": "assistant", "content": "晴，１５度"},
    ]
    (tmp_path / "chats.jsonl").write_text(json.dumps({"messages": turns}, ensure_ascii=False), encoding="utf-8")
    prepared = prepare(
        RunConfig(
            dataset=DatasetSection(name="conversations", view=view, data_files=str(tmp_path / "chats.jsonl")),
            clean=CleanSection(steps=[{"unicode": {"form": "full_width"}}]),
            tokenize=TokenizeSection(tokenizer=TOKENIZER),
            output=OutputSection(dir=str(tmp_path / "out")),
        )
    )
    (row,) = datasets.load_from_disk(prepared.folder / "data")["train"]
    text = collators.load_tokenizer(TOKENIZER).decode(row["input_ids"])
    for piece in ("BJ天气", "城市='ＢＪ'", "n=3.0", "晴１５", "晴，15度"):
        assert piece in text
    assert [each.changed for each in prepared.splits["train"].cleaned] == [2]
    assert main(["inspect", str(prepared.folder), "--check"]) == 0


def test_the_manifest_has_the_steps_in_order_with_their_counts(adgen: Path, tmp_path: Path) -> None:
    prepared = prepare(config_of(adgen, tmp_path / "out"))
    manifest = read_manifest(prepared.folder)
    assert manifest["clean"] == {
        "steps": STEPS,
        "roles": ["system", "user", "assistant"],
        "template": None,
        "columns": {},
    }
    counts = manifest["splits"]["train"]["cleaned"]
    assert [(each["step"], each["changed"], each["dropped"]) for each in counts] == [
        ("control", 1, 0),
        ("unicode", 1, 0),
        ("whitespace", 1, 0),
        ("length", 0, 2),
    ]
    assert counts[1]["options"]["form"] == "full_width"


def test_the_order_of_the_steps_is_that_of_the_config(adgen: Path, tmp_path: Path) -> None:
    (adgen / "dev.json").unlink()
    short = {"length": {"max_chars": 8}}
    assert [len(row["summary"]) for row in ROWS] == [9, 2, 1, 4]  # the first has two blanks in a row
    first = prepare(config_of(adgen, tmp_path / "1", steps=[short, "whitespace"]))
    assert set(texts_of(first)) == {"train.json:2", "train.json:3", "train.json:4"}
    second = prepare(config_of(adgen, tmp_path / "2", steps=["whitespace", short]))
    assert set(texts_of(second)) == {f"train.json:{n}" for n in (1, 2, 3, 4)}


def test_a_text_of_which_nothing_is_left_takes_its_row_with_it(adgen: Path, tmp_path: Path) -> None:
    prepared = prepare(config_of(adgen, tmp_path / "out", steps=["control"]))
    assert prepared.splits["train"].left_out == {"clean.cleaned_to_nothing": 1}
    (line,) = (prepared.folder / "quarantine" / "train-cleaned.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {"id": "train.json:2", "reason": "clean.cleaned_to_nothing"}


def test_an_input_of_which_nothing_is_left_is_empty_and_takes_no_row_with_it(tmp_path: Path) -> None:
    row = {"instruction": "总结这个网页。", "input": "https://a.cn/b", "output": "一个网页。"}
    (tmp_path / "faq.json").write_text(json.dumps([row], ensure_ascii=False), encoding="utf-8")
    config = RunConfig(
        dataset=DatasetSection(name="instructions", view="instruction", data_files=str(tmp_path / "faq.json")),
        clean=CleanSection(steps=["urls"]),
        tokenize=TokenizeSection(tokenizer=TOKENIZER),
        output=OutputSection(dir=str(tmp_path / "out")),
    )
    assert prepare(config).splits["train"].rows_kept == 1


@pytest.mark.parametrize("view", ["messages", "conversations", "instruction"])
def test_only_the_texts_of_the_roles_asked_for_are_cleaned(adgen: Path, tmp_path: Path, view: str) -> None:
    steps = [{"unicode": {"form": "full_width"}}]
    prepared = prepare(config_of(adgen, tmp_path / view, view, steps=steps, roles=["user"]))
    assert "ＡＢＣ" in texts_of(prepared)["train.json:1"]
    assert prepared.splits["train"].cleaned[0].changed == 0


def test_the_manifest_names_the_libraries_that_cleaned(adgen: Path, tmp_path: Path) -> None:
    ftfy = pytest.importorskip("ftfy", reason="the step needs the extra clean")
    prepared = prepare(config_of(adgen, tmp_path / "out", steps=["mojibake"]))
    assert read_manifest(prepared.folder)["versions"]["ftfy"] == ftfy.__version__


def test_splits_with_dots_in_their_names_are_kept_apart(tmp_path: Path) -> None:
    for name, answer in (("a", "好  的"), ("b", "不  好")):
        rows = json.dumps([{"instruction": "问", "input": "", "output": answer}], ensure_ascii=False)
        (tmp_path / f"{name}.json").write_text(rows, encoding="utf-8")
    files = {f"part.{name}": str(tmp_path / f"{name}.json") for name in "ab"}
    config = RunConfig(
        dataset=DatasetSection(name="instructions", view="instruction", data_files=files),
        clean=CleanSection(steps=["whitespace"]),
        tokenize=TokenizeSection(tokenizer=TOKENIZER),
        output=OutputSection(dir=str(tmp_path / "out")),
    )
    tokenizer, prepared = collators.load_tokenizer(TOKENIZER), prepare(config)
    splits = datasets.load_from_disk(prepared.folder / "data")
    said = {name: tokenizer.decode([id_ for id_ in rows[0]["labels"] if id_ != -100]) for name, rows in splits.items()}
    assert {name: text.removesuffix("</s>").strip() for name, text in said.items()} == {
        "part.a": "好 的",
        "part.b": "不 好",
    }


def test_steps_that_leave_no_record_are_refused_and_nothing_is_written(adgen: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as error:
        prepare(config_of(adgen, tmp_path / "out", steps=[{"length": {"min_chars": 100}}]))
    assert str(error.value) == "train: clean drops all of 4 records (length 4); take the filters less tight"
    assert not (tmp_path / "out").exists()


def test_a_second_run_takes_the_cleaned_records_from_where_they_are(
    adgen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(config_of(adgen, tmp_path / "1"))

    def refuse(*_: object) -> None:
        raise AssertionError("cleaned again")

    monkeypatch.setattr("hf_builders.cleaned_records._clean_table", refuse)
    second = prepare(config_of(adgen, tmp_path / "2"))
    assert (second.digest, second.splits) == (first.digest, first.splits)
    with pytest.raises(AssertionError, match="cleaned again"):
        prepare(config_of(adgen, tmp_path / "3", steps=["whitespace"]))


def test_the_check_compares_with_the_cleaned_records(
    adgen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared = prepare(config_of(adgen, tmp_path / "out"))
    capsys.readouterr()
    assert main(["inspect", str(prepared.folder), "--check"]) == 0
    assert "every label is right" in capsys.readouterr().out
    manifest = read_manifest(prepared.folder)
    manifest["clean"] = {**manifest["clean"], "steps": STEPS[:3]}  # as if other texts had been tokenized
    (prepared.folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert main(["inspect", str(prepared.folder), "--check"]) == 1
    assert "rows have come or gone" in capsys.readouterr().out


def test_a_config_that_cleans_otherwise_is_not_the_one_that_was_prepared(adgen: Path, tmp_path: Path) -> None:
    from hf_builders.prepared_rows import open_run

    prepare(config_of(adgen, tmp_path / "out"))
    assert len(open_run(config_of(adgen, tmp_path / "out")).splits["train"]) == 2
    with pytest.raises(SourceError, match=r"was prepared with clean\.steps="):
        open_run(config_of(adgen, tmp_path / "out", steps=["whitespace"]))


RUN = """
dataset: {{name: cmrc2018, view: {view}, sample: true}}
clean: {clean}
{rest}
output: {{dir: out}}
"""


@pytest.mark.parametrize(
    ("view", "clean", "rest", "fault"),
    [
        (
            "messages",
            "{steps: [whitspace, {length: {min_char: 2}}, {length: {}}]}",
            "tokenize: {tokenizer: x}",
            "run.yaml: clean.steps[0]: 'whitspace' is no step; did you mean 'whitespace'?\n"
            "run.yaml: clean.steps[1].length.min_char: unknown key; did you mean 'min_chars'?\n",
        ),
        (
            "messages",
            "{steps: [whitespace], roles: [asistant]}",
            "tokenize: {tokenizer: x}",
            "run.yaml: clean.roles: 'asistant' is no role; did you mean 'assistant'?\n",
        ),
        ("messages", "{steps: []}", "tokenize: {tokenizer: x}", "run.yaml: clean.steps is empty; name a step"),
        (
            "source",
            "{template: '{query:txt}', columns: {}}",
            "tokenize: {tokenizer: x}",
            "run.yaml: clean.template: {query:txt}: 'txt' is no type; did you mean 'text'?",
        ),
        (
            "messages",
            "{template: '{query}'}",
            "tokenize: {tokenizer: x}",
            "run.yaml: clean.template makes texts of the view source; dataset.view is messages\n",
        ),
        (
            "source",
            "{steps: [whitespace]}",
            "tokenize: {tokenizer: x}",
            "run.yaml: dataset.view: source has no texts to tokenize; choose messages or another view, or a "
            "clean.template\n",
        ),
        (
            "mrc",
            "{steps: [whitespace]}",
            "spans: {tokenizer: x}",
            "run.yaml: clean does not go with spans; it would move the answers away from their offsets",
        ),
    ],
)
def test_every_fault_of_the_section_is_told(view: str, clean: str, rest: str, fault: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_run_config(RUN.format(view=view, clean=clean, rest=rest), "run.yaml")
    assert fault in f"{error.value}\n"


def test_rows_of_a_table_become_texts_by_a_template_and_those_that_cannot_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "visits.csv").write_text(
        "name,age,seen,note\n张三,65.0,2024-05-06,ＡＢ  C\n李四,六十,2024-05-07,\n,,,\n王五,,,好\n", encoding="utf-8"
    )
    config = RunConfig(
        dataset=DatasetSection(name="instructions", view="source", data_files=str(tmp_path / "visits.csv")),
        clean=CleanSection(
            steps=["whitespace"],
            template="{name}，{age}岁\n就诊：{seen:date:%Y年%m月%d日}\n{note}",
            columns={"age": "int"},
        ),
        tokenize=TokenizeSection(tokenizer=TOKENIZER),
        output=OutputSection(dir=str(tmp_path / "out")),
    )
    prepared = prepare(config)
    texts = texts_of(prepared)
    assert {id_: text.partition("sop")[2].strip().removesuffix("</s>") for id_, text in texts.items()} == {
        "train#1": "张三，65岁\n就诊：2024年05月06日\nＡＢ C",
        "train#4": "王五，岁\n好",
    }
    summary = prepared.splits["train"]
    assert (summary.rows_read, summary.rows_kept) == (4, 2)
    assert summary.left_out == {"clean.template": 1, "clean.no_text": 1}
    notes = [
        json.loads(line)
        for line in (prepared.folder / "quarantine" / "train-cleaned.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert notes == [
        {"id": "train#2", "reason": "clean.template", "fact": "age: '六十' is not a whole number"},
        {"id": "train#3", "reason": "clean.no_text"},
    ]
    capsys.readouterr()
    assert main(["inspect", str(prepared.folder), "--check"]) == 0


def test_steps_that_do_not_suit_generation_are_warned_of(
    adgen: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("snowballstemmer", reason="the step needs the extra clean")
    datasets.utils.logging.enable_propagation()
    prepare(config_of(adgen, tmp_path / "out", steps=[{"stemming": {"language": "english"}}]))
    assert "clean.stemming leaves text that nobody writes, so it does not suit models that write" in caplog.text


@pytest.mark.realdata
def test_real_dialogues_stay_whole_and_prove_right_behind_all_usual_steps(
    shared_realdata: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared_realdata("Chinese-medical-dialogue-data")
    config = RunConfig(
        dataset=DatasetSection(name="chinese_medical_dialogue", data_dir=str(folder), on_bad_row="quarantine"),
        clean=CleanSection(steps=[*STEPS[:3], {"punctuation": {"to": "chinese"}}, "urls", "html"]),
        tokenize=TokenizeSection(tokenizer=TOKENIZER),
        output=OutputSection(dir=str(tmp_path / "out")),
    )
    prepared = prepare(config)
    summary = prepared.splits["train"]
    out = [summary.left_out, summary.quarantined, summary.set_aside]
    assert summary.rows_read == summary.rows_kept + sum(sum(reasons.values()) for reasons in out) > 3_000
    assert sum(each.changed for each in summary.cleaned) > 1_000
    capsys.readouterr()
    assert main(["inspect", str(prepared.folder), "--check"]) == 0
