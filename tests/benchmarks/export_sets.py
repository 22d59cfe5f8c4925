"""The real records that exports are proved on, each set as a run config."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ExportSet:
    name: str
    title: str
    dataset: dict[str, Any]
    """Of a run config; `data_dir` and `data_files` in it are below the real samples, or below what `write` made."""
    tokenize: dict[str, Any] = field(default_factory=dict)
    write: Callable[[Path, Path], None] | None = None
    """Makes a file in the second folder from the real samples in the first."""


def _wrapped_tools(realdata: Path, folder: Path) -> None:
    """The tool set with its schemas as OpenAI wraps them, which is the form that chat templates ask for."""
    rows = json.loads((realdata / _GLAIVE).read_text(encoding="utf-8"))
    for row in rows:
        tools = json.loads(row["tools"]) if row["tools"] else []
        row["tools"] = json.dumps([{"type": "function", "function": tool} for tool in tools], ensure_ascii=False)
    (folder / "wrapped.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


def _some_untrained(realdata: Path, folder: Path) -> None:
    """The consultations, every other answer with `loss: false`, in the format of OpenAI."""
    with (folder / "some_untrained.jsonl").open("w", encoding="utf-8") as file:
        for messages in _consultations(realdata):
            for number, message in enumerate(messages):
                if message["role"] == "assistant" and number % 4 == 1 and number < len(messages) - 1:
                    message["weight"] = 0
            file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")


def _odd_rows(realdata: Path, folder: Path) -> None:
    """One row for each thing that some format cannot express, or a peer does in a way of its own."""
    ask, answer = {"role": "user", "content": "天气？"}, {"role": "assistant", "content": "晴。"}
    calls = [{"function": {"name": "weather", "arguments": {"city": city}}} for city in ("杭州", "北京")]
    result = {"role": "tool", "content": "小雨"}
    rows = {
        "reasoning": [ask, {**answer, "reasoning_content": "看天。"}],
        "an empty system text": [{"role": "system", "content": ""}, ask, answer],
        "text before a call": [
            ask,
            {"role": "assistant", "content": "我查。", "tool_calls": calls[:1]},
            result,
            answer,
        ],
        "two questions": [ask, {"role": "user", "content": "在杭州。"}, answer],
        "a question at the end": [ask, answer, ask],
        "parallel calls": [ask, {"role": "assistant", "content": "", "tool_calls": calls}, result, result, answer],
        "the last answer untrained": [ask, answer, ask, {**answer, "weight": 0}],
    }
    lines = [json.dumps({"messages": messages}, ensure_ascii=False) + "\n" for messages in rows.values()]
    (folder / "odd.jsonl").write_text("".join(lines), encoding="utf-8")


def _consultations(realdata: Path) -> Iterator[list[dict[str, Any]]]:
    for row in json.loads((realdata / _CONSULTING).read_text(encoding="utf-8")):
        rounds = [*row["history"], [row["instruction"], row["output"]]]
        yield [
            {"role": role, "content": text}
            for pair in rounds
            for role, text in zip(("user", "assistant"), pair, strict=True)
        ]


_GLAIVE = "chatglm3_tools/LLaMA-Factory/data/glaive_toolcall_zh_demo.json"
_CONSULTING = "fin/DISC-FinLLM/data/consulting_part.json"
_LAWYER = "legal/lawyer-llama/data/legal_counsel_multi_turn_with_article_v2.json"

SETS = (
    ExportSet("advertising", "AdvertiseGen", {"name": "adgen", "data_dir": "AdvertiseGen"}),
    ExportSet(
        "medical",
        "Chinese medical dialogues",
        {
            "name": "chinese_medical_dialogue",
            "data_dir": "Chinese-medical-dialogue-data",
            "on_bad_row": "quarantine",
        },
    ),
    ExportSet(
        "counsel",
        "lawyer-llama, several rounds",
        {
            "name": "instructions",
            "data_files": _LAWYER,
            "options": {"preset": "lawyer_llama"},
            "on_bad_row": "quarantine",
        },
    ),
    ExportSet(
        "counsel-last",
        "the same with `loss: last`",
        {
            "name": "instructions",
            "data_files": _LAWYER,
            "options": {"preset": "lawyer_llama"},
            "on_bad_row": "quarantine",
        },
        {"loss": "last"},
    ),
    ExportSet(
        "counsel-all",
        "the same with `loss: all`",
        {
            "name": "instructions",
            "data_files": _LAWYER,
            "options": {"preset": "lawyer_llama"},
            "on_bad_row": "quarantine",
        },
        {"loss": "all"},
    ),
    ExportSet(
        "some-untrained",
        "DISC-FinLLM, consultations, some answers with `weight: 0`",
        {"name": "conversations", "data_files": "some_untrained.jsonl"},
        write=_some_untrained,
    ),
    ExportSet(
        "tools",
        "glaive_toolcall_zh, as published",
        {"name": "conversations", "data_files": _GLAIVE, "on_bad_row": "quarantine"},
    ),
    ExportSet(
        "tools-wrapped",
        "the same, each tool wrapped in `function`",
        {"name": "conversations", "data_files": "wrapped.json", "on_bad_row": "quarantine"},
        write=_wrapped_tools,
    ),
    ExportSet("odd", "seven odd rows, invented", {"name": "conversations", "data_files": "odd.jsonl"}, write=_odd_rows),
    ExportSet("abstracts", "PubMed, plain texts", {"name": "pubmed", "view": "text", "data_dir": "pubmed"}),
)


def run_config(each: ExportSet, realdata: Path, work: Path, tokenizer: Path, out: Path) -> dict[str, Any]:
    """The run config of a set, with absolute paths."""
    made = work / "made"
    if each.write is not None:
        made.mkdir(parents=True, exist_ok=True)
        each.write(realdata, made)
    root = realdata if each.write is None else made
    dataset = dict(each.dataset)
    for key in ("data_dir", "data_files"):
        if key in dataset:
            dataset[key] = str(root / dataset[key])
    return {
        "dataset": dataset,
        "tokenize": {"tokenizer": str(tokenizer), "max_length": 8192, **each.tokenize},
        "output": {"dir": str(out)},
    }
