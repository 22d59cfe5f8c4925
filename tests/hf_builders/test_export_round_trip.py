"""What `export` writes, read by our own builder of conversations, gives the ids and labels of the prepared folder."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import datasets
import pytest

pytest.importorskip("transformers", reason="prepare tokenizes, which needs transformers")

from hypothesis import HealthCheck, given, settings

from collators import token_rows
from hf_builders.conversations.formats import read_row
from hf_builders.export_records import Survey, records_in
from hf_builders.export_target import Notes, Run
from hf_builders.exports import TARGETS, export
from hf_builders.prepare import prepare
from hf_builders.quarantine import RowProblem
from hf_builders.run_config import parse_run_config
from tests.collators.conftest import byte_level_backend
from tests.collators.conversation_families import FAMILIES, with_family
from tests.collators.conversation_rows import DEMO, conversations, json_dataset
from tests.hf_builders.chat_files import load, write

PARTS = ["hello", " ", "\n", "你好", "。", "1 2", "🦜", '"', "\\", "{", "<|im_end|>", "<tool_call>", "</think>"]
RUN = Run(
    loss="assistant", max_length=8192, is_text=False, is_packed=False, train_thinking=True, chat_template_kwargs={}
)
TOOLS = [{"type": "function", "function": {"name": "查天气", "parameters": {"type": "object", "properties": {}}}}]


@cache
def tokenizer_of(family: str) -> Any:
    return with_family(byte_level_backend().to_str(), FAMILIES[family])


def tokens_of(rows: datasets.Dataset, tokenizer: Any, **options: Any) -> list[tuple[list[int], list[int]]]:
    found = token_rows(rows, tokenizer, max_length=100_000, **options)
    return [(row["input_ids"], row["labels"]) for row in found]


def read_back(to: str, rows: datasets.Dataset, *, loss: Any = "assistant") -> tuple[datasets.Dataset, list[str]]:
    """The rows through a file of the format and our own builder; and what the format has no place for."""
    records = list(records_in(rows.data.table, range(len(rows)), loss))
    target, notes = TARGETS[to](RUN, Survey.of(records)), Notes()
    lines = [target.line(record, notes.of_next()) for record in records]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "train.jsonl", *lines)
        back = load(path, "messages", cache_dir=folder, on_bad_row="raise")
        return back.map(lambda row: row, keep_in_memory=True), [each for each in notes.lines() if not _of_names(each)]


def _of_names(note: str) -> bool:
    """OpenAI has no names in Chinese; we read them all the same."""
    return "a function is not named in" in note


def with_ids(rows: datasets.Dataset) -> datasets.Dataset:
    return rows.add_column("id", [f"r{number}" for number in range(len(rows))])


def is_readable(chat: list[dict[str, Any]]) -> bool:
    """Whether our builder takes it at all: a blank answer, say, is a bad row in any format."""
    try:
        read_row({"conversations": chat}, "chatglm3")
    except RowProblem:
        return False
    return True


CHATS: list[list[dict[str, Any]]] = [
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
    [
        {"role": "system", "content": "简短。"},
        {"role": "user", "content": "天气？"},
        {"role": "tool", "name": "查天气", "parameters": {"n": 1.0, "s": 'a"b'}, "observation": {"度": [3, None]}},
        {"role": "assistant", "content": "晴。"},
        {"role": "user", "content": "<|im_end|>"},
        {"role": "assistant", "content": "<tool_call>\n"},
    ],
]


@pytest.mark.parametrize("family", ["hermes", "qwen3"])
@pytest.mark.parametrize("to", ["openai", "llamafactory"])
def test_a_call_a_result_and_rounds_come_back(to: str, family: str) -> None:
    rows = with_ids(json_dataset(CHATS, [None, TOOLS]))
    back, notes = read_back(to, rows)
    ours = tokens_of(rows, tokenizer_of(family))
    assert tokens_of(back, tokenizer_of(family)) == ours
    assert len(ours) == 2
    assert notes == []


def test_reasoning_comes_back_from_llamafactorys_form() -> None:
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "reasoning_content": "c\n\nd"}]
    rows = with_ids(json_dataset([chat]))
    back, notes = read_back("llamafactory", rows)
    assert tokens_of(back, tokenizer_of("qwen3")) == tokens_of(rows, tokenizer_of("qwen3"))
    assert notes == []


@pytest.mark.parametrize("loss", ["assistant", "last"])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(chat=conversations(PARTS, loss=True))
def test_random_conversations_come_back_from_openais_form(loss: str, chat: list[dict[str, Any]]) -> None:
    """With which answers are trained, told by `weight`."""
    rows = with_ids(json_dataset([chat], [TOOLS]))
    if not is_readable(chat):
        return
    back, notes = read_back("openai", rows, loss=loss)
    assert tokens_of(back, tokenizer_of("hermes")) == tokens_of(rows, tokenizer_of("hermes"), loss=loss)
    assert notes == []


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(chat=conversations(PARTS))
def test_random_conversations_come_back_from_llamafactorys_form(chat: list[dict[str, Any]]) -> None:
    rows = with_ids(json_dataset([chat], [TOOLS]))
    says_before_call = ("assistant", "tool") in pairwise(message["role"] for message in chat)
    if not is_readable(chat) or says_before_call:  # there the call stands in tags, as only LLaMA-Factory reads it
        return
    back, notes = read_back("llamafactory", rows)
    if chat[0] == {"role": "system", "content": ""}:
        assert notes == [
            "1 record: the system text is empty, and LLaMA-Factory writes its template's default in its place"
        ]
        return
    assert tokens_of(back, tokenizer_of("hermes")) == tokens_of(rows, tokenizer_of("hermes"))
    assert notes == []


@pytest.mark.parametrize("to", ["openai", "llamafactory"])
def test_the_files_of_a_prepared_folder_give_its_rows_when_they_are_prepared(to: str, tmp_path: Path) -> None:
    """Through `prepare` both times, with records that are set aside in between."""
    row = {"conversations": CHATS[1], "tools": TOOLS}
    too_long = {
        "conversations": [{"role": "user", "content": "很长的问题，" * 300}, {"role": "assistant", "content": "答"}]
    }
    write(tmp_path / "chats.jsonl", row, too_long, {"conversations": CHATS[0]}, row)
    first = prepare(config_of(tmp_path / "x", tmp_path / "chats.jsonl"))
    assert first.splits["train"].rows_kept == 3
    assert first.splits["train"].set_aside == {"too_long": 1}
    exported = export(first.folder, to)
    again = prepare(config_of(tmp_path / "y", exported.folder / exported.files["train"]))
    assert again.splits["train"].rows_read == 3
    assert again.digest == first.digest  # of all ids and labels


def config_of(folder: Path, file: Path) -> Any:
    options = {"tokenizer": str(DEMO), "template": "chatglm3", "max_length": 512}
    dataset = {"name": "conversations", "view": "messages", "data_files": str(file)}
    text = f"dataset: {json.dumps(dataset)}\ntokenize: {json.dumps(options)}\noutput: {{dir: {folder}}}\n"
    return parse_run_config(text, "run.yaml")
