"""Runs whose report is looked at: one with everything that can go wrong in it, one packed, one of texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hf_builders.prepare import Prepared, prepare
from hf_builders.run_config import (
    CleanSection,
    DatasetSection,
    OutputSection,
    PackSection,
    RunConfig,
    TokenizeSection,
)

ROOT = Path(__file__).parents[2]
TOKENIZER = str(ROOT / "configs" / "demo_tokenizer")
SCRIPT = "<script>alert(1)</script>"
FILE = "<script>alert(1)<_script>.jsonl"
"""A name that would be a script; a slash cannot stand in it."""


def write_rows(path: Path, rows: list[dict[str, Any] | str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def exchange(question: str, answer: str) -> dict[str, Any]:
    return {"instruction": question, "output": answer}


def prepare_hostile(folder: Path) -> Prepared:
    """Of 62 raw rows: 33 are kept, 25 are too long, 4 are bad; three are equal, and one of two to evaluate on is one of
    these."""
    train: list[dict[str, Any] | str] = [
        exchange(f"{SCRIPT} 你好 {number}", f"答{SCRIPT}&amp;\u202e \x00 {number}") for number in range(28)
    ]
    train += [exchange("同一个问题", "同一个答案")] * 3
    train += [exchange("长" * 300, f"太长 {SCRIPT} {number}") for number in range(25)]
    train += [
        exchange("空", ""),
        {"instruction": SCRIPT},
        {"instruction": 5, "output": SCRIPT},
        f'{{"instruction": "{SCRIPT}", broken',
    ]
    write_rows(folder / "raw" / FILE, train)
    write_rows(
        folder / "raw" / "dev.jsonl", [exchange("同一个问题", "同一个答案"), exchange("同一个问题", "另一个答案")]
    )
    return prepare(
        RunConfig(
            dataset=DatasetSection(name="instructions", data_dir=str(folder / "raw"), on_bad_row="quarantine"),
            tokenize=TokenizeSection(tokenizer=TOKENIZER, max_length=256),
            output=OutputSection(dir=str(folder / "out")),
        )
    )


def prepare_packed(folder: Path) -> Prepared:
    """Rows of up to 1,024 tokens, longer than what is shown of one."""
    return prepare(
        RunConfig(
            dataset=DatasetSection(name="adgen", sample=True),
            tokenize=TokenizeSection(tokenizer=TOKENIZER, max_length=256),
            pack=PackSection(max_length=1024),
            output=OutputSection(dir=str(folder / "out")),
        )
    )


def prepare_texts(folder: Path) -> Prepared:
    """Cleaned texts, cut to 96 tokens."""
    return prepare(
        RunConfig(
            dataset=DatasetSection(name="pubmed", view="text", sample=True),
            clean=CleanSection(steps=["whitespace", {"length": {"min_chars": 200}}]),
            tokenize=TokenizeSection(tokenizer=TOKENIZER, max_length=96, overflow="truncate"),
            output=OutputSection(dir=str(folder / "out")),
        )
    )
