"""Token rows to read: the text beside ids and labels, held in a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="collators need transformers")

from tests.collators.conversation_references import IGNORED
from tests.collators.conversation_rows import demo_chatglm3, rows_of

GOLDEN = Path(__file__).with_name("golden") / "chatglm3_tool_call.txt"
REWRITE = "REWRITE_GOLDEN"
"""Set it to 1 to write what the code gives now into the golden file, and read the difference."""

TOOLS = [{"name": "get_weather", "description": "查询一座城市今天的天气", "parameters": {"city": "城市名"}}]
CHAT = [
    {"role": "system", "content": "你是出行助手，回答要简短。"},
    {"role": "user", "content": "杭州今天要带伞吗？"},
    {"role": "assistant", "content": "我查一下。"},
    {
        "role": "tool",
        "name": "get_weather",
        "parameters": {"city": "杭州", "days": 1},
        "observation": {"weather": "小雨", "temperature": 18.0},
    },
    {"role": "assistant", "content": "今天有小雨，请带伞。"},
    {"role": "user", "content": "谢谢"},
    {"role": "assistant", "content": "不客气。", "loss": False},
]


def readable(tokenizer: Any, row: dict[str, Any]) -> str:
    """Message by message its text, then a line per token: place, id, label where it is trained, piece."""
    ids, labels = row["input_ids"], row["labels"]
    pieces = tokenizer.convert_ids_to_tokens(ids)
    starts = [0, *(place for place, piece in enumerate(pieces) if piece.startswith("<|"))]
    lines = []
    for start, end in zip(starts, [*starts[1:], len(ids)], strict=True):
        lines += ["=" * 60, tokenizer.decode(ids[start:end]), "place    id label  piece"]
        for place in range(start, end):
            label = "-" if labels[place] == IGNORED else labels[place]
            lines.append(f"{place:5} {ids[place]:5} {label:>5}  {pieces[place]}")
    return "\n".join(lines) + "\n"


def test_a_tool_call_in_chatglm3s_format() -> None:
    tokenizer, reference = demo_chatglm3()
    (row,) = rows_of([CHAT], [TOOLS], tokenizer)
    written = readable(tokenizer, row)
    if os.environ.get(REWRITE) == "1":
        GOLDEN.write_text(written, encoding="utf-8")
    # The file too is held against the slow reference, so that no rewriting teaches it a wrong row.
    expected = reference(CHAT, TOOLS)
    golden = GOLDEN.read_text(encoding="utf-8")
    assert golden == readable(tokenizer, {"input_ids": expected.ids, "labels": expected.labels})
    assert written == golden
    assert golden.count("\n") > 100
