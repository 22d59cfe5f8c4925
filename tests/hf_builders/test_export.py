"""`export`: a folder of lines that appears whole or not at all, with as many lines as there are token rows."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml

pytest.importorskip("transformers", reason="prepare tokenizes, which needs transformers")

from hf_builders.errors import OptionError, SourceError
from hf_builders.exports import TARGETS, export
from hf_builders.prepare import Prepared, prepare
from hf_builders.run_config import parse_run_config

ROOT = Path(__file__).parents[2]
TOKENIZER = str(ROOT / "configs" / "demo_tokenizer")


def run_of(folder: Path, dataset: dict[str, Any], pack: str = "", **tokenize: Any) -> Any:
    options = {"tokenizer": TOKENIZER, "max_length": 256, **tokenize}
    text = f"dataset: {json.dumps(dataset)}\ntokenize: {json.dumps(options)}\noutput: {{dir: {folder}}}\n{pack}"
    return parse_run_config(text, "run.yaml")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A prepared folder in which 165 of 280 records are too long for a row."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    return prepare(run_of(folder, {"name": "adgen", "sample": True}, max_length=128))


def lines_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("to", TARGETS)
def test_there_is_a_line_for_each_token_row_in_its_order(to: str, demo: Prepared) -> None:
    exported = export(demo.folder, to)
    assert exported.folder == demo.folder.with_name(f"demo_{to}")
    assert exported.files == {"train": "demo_train.jsonl", "validation": "demo_validation.jsonl"}
    num_checked = 0
    for split, summary in demo.splits.items():
        assert summary.set_aside["too_long"] > 0
        assert summary.rows_kept + sum(summary.set_aside.values()) == {"train": 240, "validation": 40}[split]
        lines = lines_in(exported.folder / exported.files[split])
        assert len(lines) == exported.rows[split] == summary.rows_kept
        if to != "openai":  # its lines may hold nothing but what it asks for
            rows = datasets.load_from_disk(demo.folder / "data")[split]
            assert [line["id"] for line in lines] == rows["id"][:]
        num_checked += len(lines)
    assert num_checked == sum(exported.rows.values()) > 100


@pytest.mark.parametrize("to", TARGETS)
def test_datasets_reads_the_folder_by_its_card_and_each_file_alone(to: str, demo: Prepared, tmp_path: Path) -> None:
    exported = export(demo.folder, to, tmp_path / "out")
    by_card = datasets.load_dataset(str(exported.folder))
    for split, file in exported.files.items():
        lines = lines_in(exported.folder / file)
        alone = datasets.load_dataset("json", data_files=str(exported.folder / file), split="train")
        assert by_card[split].to_list() == alone.to_list() == lines
        assert len(lines) == exported.rows[split]


def test_the_same_again_gives_the_same_bytes(demo: Prepared, tmp_path: Path) -> None:
    digests = []
    for _ in range(2):
        folder = export(demo.folder, "trl", tmp_path / "out").folder
        digests.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()})
    assert digests[0] == digests[1]
    assert sorted(digests[0]) == [
        "README.md", "demo_train.jsonl", "demo_validation.jsonl", "export.json", "trl_sft.yaml",
    ]  # fmt: skip


def test_the_folder_says_what_it_was_made_of(demo: Prepared, tmp_path: Path) -> None:
    exported = export(demo.folder, "llamafactory", tmp_path / "out")
    about = json.loads((exported.folder / "export.json").read_text(encoding="utf-8"))
    assert about["to"] == "llamafactory"
    assert about["digest"] == demo.digest
    assert about["rows"] == exported.rows
    settings = yaml.safe_load((exported.folder / "llamafactory_sft.yaml").read_text(encoding="utf-8"))
    assert settings["dataset_dir"] == str(tmp_path / "out")
    assert settings["cutoff_len"] == 128
    card = (exported.folder / "README.md").read_text(encoding="utf-8")
    assert f"| train | `demo_train.jsonl` | {exported.rows['train']:,} |" in card
    assert demo.digest in card
    assert exported.command.startswith(f"llamafactory-cli train {tmp_path}/out/llamafactory_sft.yaml ")


@pytest.mark.parametrize("to", TARGETS)
def test_nothing_in_the_folder_says_where_the_data_lay(
    to: str, tmp_path: Path, adgen_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(run_of(tmp_path / "demo", {"name": "adgen", "data_dir": str(adgen_folder)}))
    monkeypatch.chdir(tmp_path)
    folder = export("demo", to, "handed_on").folder
    assert json.loads((folder / "export.json").read_text(encoding="utf-8"))["dataset"]["data_dir"] is True
    for path in folder.iterdir():
        assert str(tmp_path) not in path.read_text(encoding="utf-8"), path.name


def test_texts_come_back_from_readers_that_end_lines_at_each_unicode_line_end(tmp_path: Path) -> None:
    question, answer = "a\u2028b\x85c", "<|user|>\u2029"
    row = {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}
    (tmp_path / "chats.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    config = run_of(tmp_path / "x", {"name": "conversations", "data_files": str(tmp_path / "chats.jsonl")})
    exported = export(prepare(config).folder, "openai")
    (line,) = (exported.folder / "x_train.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["messages"] == row["messages"]
    assert exported.notes == []
    notes = export(tmp_path / "x", "trl").notes
    assert [note.partition(":")[0] for note in notes] == [
        "1 control token, such as <|im_end|>, stood in the texts of the records read"
    ]


def test_packed_rows_give_the_lines_of_their_records(tmp_path: Path) -> None:
    dataset = {"name": "adgen", "sample": True}
    apart = export(prepare(run_of(tmp_path / "a" / "x", dataset)).folder, "swift")
    packed = export(prepare(run_of(tmp_path / "b" / "x", dataset, "pack: {max_length: 512}")).folder, "swift")
    assert apart.rows == packed.rows == {"train": 240, "validation": 40}
    for file in apart.files.values():
        assert (apart.folder / file).read_bytes() == (packed.folder / file).read_bytes()
    settings = yaml.safe_load((packed.folder / "swift_sft.yaml").read_text(encoding="utf-8"))
    assert (settings["packing"], settings["max_length"]) == (True, 512)


def test_the_texts_are_those_that_were_cleaned(tmp_path: Path, adgen_folder: Path) -> None:
    config = run_of(
        tmp_path / "x", {"name": "adgen", "data_dir": str(adgen_folder)}, "clean: {steps: [{unicode: {form: NFKC}}]}"
    )
    exported = export(prepare(config).folder, "openai")
    assert lines_in(exported.folder / "x_train.jsonl")[0]["messages"][1]["content"] == "红色上衣,衬得气色好。"


def test_plain_texts_go_to_those_who_take_them(tmp_path: Path) -> None:
    prepared = prepare(run_of(tmp_path / "x", {"name": "pubmed", "view": "text", "sample": True}, max_length=4096))
    kept = {split: summary.rows_kept for split, summary in prepared.splits.items()}
    assert export(prepared.folder, "llamafactory").rows == export(prepared.folder, "trl").rows == kept
    assert lines_in(tmp_path / "x_trl" / "x_train.jsonl") == lines_in(tmp_path / "x_llamafactory" / "x_train.jsonl")
    with pytest.raises(OptionError) as caught:
        export(prepared.folder, "openai")
    assert str(caught.value) == (
        f"{tmp_path}/x: holds plain texts, and OpenAI takes conversations; export them to llamafactory, trl, swift, or "
        "prepare the view messages"
    )
    assert not (tmp_path / "x_openai").exists()


def test_cut_rows_and_a_barred_source_are_told(tmp_path: Path) -> None:
    prepared = prepare(
        run_of(tmp_path / "x", {"name": "snomed_ct", "sample": True}, max_length=48, overflow="truncate")
    )
    cut = sum(summary.rows_cut for summary in prepared.splits.values())
    assert cut > 1
    notes = export(prepared.folder, "trl").notes
    assert notes[0].startswith("snomed_ct may not be published, and that goes for these files: ")
    assert notes[1] == (f"{cut:,} records: whole in these files, and cut to 48 tokens by tokenize.overflow: truncate")


def test_windows_are_refused(tmp_path: Path) -> None:
    config = parse_run_config(
        f"dataset: {{name: cmrc2018, view: mrc, sample: true}}\n"
        f"spans: {{tokenizer: {ROOT / 'configs' / 'demo_vocabulary'}, max_length: 128, doc_stride: 32}}\n"
        f"output: {{dir: {tmp_path}/x}}\n",
        "run.yaml",
    )
    with pytest.raises(OptionError) as caught:
        export(prepare(config).folder, "trl")
    assert str(caught.value) == (
        f"{tmp_path}/x: holds windows, which are for encoders, and TRL takes conversations; prepare the view messages "
        "of the same dataset, and export that"
    )


def test_a_wrong_format_is_refused_with_the_nearest(demo: Prepared) -> None:
    with pytest.raises(OptionError) as caught:
        export(demo.folder, "llama-factory")
    assert str(caught.value) == (
        "no format 'llama-factory'; did you mean 'llamafactory'?; there are llamafactory, trl, swift, openai"
    )


def test_neither_the_prepared_folder_nor_another_is_overwritten(demo: Prepared, tmp_path: Path) -> None:
    for out in (demo.folder, demo.folder / "trl"):
        with pytest.raises(OptionError) as caught:
            export(demo.folder, "trl", out)
        assert str(caught.value) == (
            f"out: {out} is the prepared folder or lies in it; prepare writes that anew, choose another"
        )
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(SourceError) as refused:
        export(demo.folder, "trl", tmp_path / "mine")
    assert str(refused.value) == (
        f"out: {tmp_path}/mine holds notes.txt, which export did not write; choose another folder, or empty this one"
    )
    assert (tmp_path / "mine" / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert export(demo.folder, "trl", tmp_path / "out").folder == export(demo.folder, "openai", tmp_path / "out").folder
    assert not (tmp_path / "out" / "trl_sft.yaml").exists()  # an export takes the place of an export
    with pytest.raises(SourceError, match=r"holds no manifest\.json"):
        export(tmp_path / "out", "trl")


def test_changed_raw_files_and_rows_that_came_or_went_are_refused(tmp_path: Path, adgen_folder: Path) -> None:
    prepared = prepare(run_of(tmp_path / "x", {"name": "adgen", "data_dir": str(adgen_folder)}))
    manifest = json.loads((tmp_path / "x" / "manifest.json").read_text(encoding="utf-8"))
    manifest["splits"]["train"]["rows_kept"] = 4
    (tmp_path / "x" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        export(prepared.folder, "trl")
    assert str(caught.value) == (
        f"{tmp_path}/x: train has 3 token rows of 3 records, and the manifest says 4; run `hf-builders prepare` again"
    )
    with (adgen_folder / "train.json").open("a", encoding="utf-8") as file:
        file.write('{"content": "类型#帽", "summary": "一顶帽子。"}\n')
    with pytest.raises(SourceError, match=r"train\.json changed since it was prepared"):
        export(prepared.folder, "trl")
    assert not (tmp_path / "x_trl").exists()


def test_a_failure_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    chats = tmp_path / "chats.jsonl"
    rows = [
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "tools": ["words"]},
    ]
    chats.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    prepared = prepare(run_of(tmp_path / "x", {"name": "conversations", "data_files": str(chats)}, template="chatglm3"))
    with pytest.raises(OptionError, match=r"record chats\.jsonl:2: tools is"):
        export(prepared.folder, "llamafactory")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chats.jsonl", "x"]


def test_the_first_megabytes_do_not_decide_the_types_of_a_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card states them; `datasets` alone would take them from the first chunk of a file, here without a call."""
    from datasets.packaged_modules.json.json import JsonConfig

    chats = tmp_path / "chats.jsonl"
    plain = {"messages": [{"role": "user", "content": "问" * 50}, {"role": "assistant", "content": "答" * 50}]}
    call = {"function": {"name": "f", "arguments": {"a": 1, "b": ["x", None]}}}
    called = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "b"},
        {"role": "assistant", "content": "c"},
    ]
    rows = [*[plain] * 50, {"messages": called, "tools": [{"type": "function", "function": {"name": "f"}}]}]
    chats.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    prepared = prepare(run_of(tmp_path / "x", {"name": "conversations", "view": "messages", "data_files": str(chats)}))
    monkeypatch.setattr(JsonConfig, "chunksize", 2000)
    for to in ("trl", "openai"):
        exported = export(prepared.folder, to)
        loaded = datasets.load_dataset(str(exported.folder), split="train")
        assert len(loaded) == 51
        message = loaded[50]["messages"][1]
        arguments = message["tool_calls"][0]["function"]["arguments"]
        assert (arguments if to == "trl" else json.loads(arguments)) == {"a": 1, "b": ["x", None]}


def test_a_run_config_names_its_folder(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(
        f"dataset: {{name: adgen, sample: true}}\n"
        f"tokenize: {{tokenizer: {TOKENIZER}, max_length: 256}}\noutput: {{dir: {tmp_path}/x}}\n",
        encoding="utf-8",
    )
    prepare(parse_run_config((tmp_path / "run.yaml").read_text(encoding="utf-8"), "run.yaml"))
    assert export(tmp_path / "run.yaml", "trl").folder == tmp_path / "x_trl"
