"""A chat, the call of a tool, and how to load rows like them from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datasets import Dataset, load_dataset

import hf_builders  # noqa: F401  (so that datasets knows the name)

USER = {"role": "user", "content": "天气如何？"}
ANSWER = {"role": "assistant", "content": "晴。"}
TOOL = {"role": "tool", "name": "f", "parameters": {"n": 3.0}, "observation": [1, None]}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def load(path: Path, view: str | None = None, **options: Any) -> Dataset:
    return load_dataset("hf_builders/conversations", view, data_files=str(path), split="train", **options)
