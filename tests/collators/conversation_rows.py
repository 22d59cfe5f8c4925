"""Conversations with tools to try things on: an example, any number of invented ones, and their token rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datasets import Dataset
from hypothesis import strategies as st

from collators import load_tokenizer, token_rows
from tests.collators.conversation_families import Message
from tests.collators.conversation_references import IGNORED, Reference, chatglm3_reference

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo_tokenizer"
CHATGLM3_SPECIALS = (
    "[MASK]", "[gMASK]", "[sMASK]", "sop", "eop", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>",
)  # fmt: skip

WEATHER_TOOLS = [
    {
        "name": "查天气",
        "description": "查询一座城市的天气",
        "parameters": {"type": "object", "properties": {"城市": {"type": "string"}}, "required": ["城市"]},
    }
]
WEATHER = [
    {"role": "system", "content": "回答要简短。"},
    {"role": "user", "content": "杭州今天要带伞吗？"},
    {"role": "assistant", "content": "我查一下。"},
    {"role": "tool", "name": "查天气", "parameters": {"城市": "杭州", "天数": 1}, "observation": {"天气": "小雨"}},
    {"role": "assistant", "content": "今天有小雨，请带伞。"},
    {"role": "user", "content": "谢谢"},
    {"role": "assistant", "content": "不客气。"},
]  # fmt: skip


Chatglm3 = tuple[Any, Callable[[list[Message], Any], Reference]]


@cache
def demo_chatglm3(folder: Path = DEMO) -> Chatglm3:
    """The tokenizer of a ChatGLM3 folder, and the reference that knows its SentencePiece model alone."""
    spm = pytest.importorskip("sentencepiece")
    model = spm.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    ids = {text: model.vocab_size() + place for place, text in enumerate(CHATGLM3_SPECIALS)} | {"</s>": model.eos_id()}
    return load_tokenizer(folder), lambda rows, tools: chatglm3_reference(rows, tools, model.encode, ids.__getitem__)


def json_dataset(messages: Sequence[list[Message]], tools: Sequence[Any] | None = None, column: str = "") -> Dataset:
    """Rows whose messages and tools are JSON values, exact to the last digit, as `Json()` columns hold them."""
    column = column or ("conversations" if is_chatglm3(messages) else "messages")
    flat = pa.array([json.dumps(message, ensure_ascii=False) for row in messages for message in row], pa.string())
    ends = [0]
    for row in messages:
        ends.append(ends[-1] + len(row))
    lists = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), _json(flat))
    columns = {column: lists}
    if tools is not None:
        texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in tools]
        columns["tools"] = _json(pa.array(texts, pa.string()))
    return Dataset(pa.table(columns))


def _json(texts: pa.Array) -> pa.Array:
    return pa.ExtensionArray.from_storage(pa.json_(pa.string()), texts)


def is_chatglm3(rows: Sequence[list[Message]]) -> bool:
    """Whether any message is one that only ChatGLM3's form has."""
    return any("parameters" in message or message["role"] == "observation" for row in rows for message in row)


def rows_of(rows: list[list[Message]], tools: list[Any] | None, tokenizer: Any, **options: Any) -> list[dict[str, Any]]:
    options = {"max_length": 100_000, **options}
    return list(token_rows(json_dataset(rows, tools), tokenizer, **options))


def trained_text(tokenizer: Any, row: dict[str, Any]) -> str:
    return str(tokenizer.decode([label for label in row["labels"] if label != IGNORED]))


def json_values(parts: Sequence[str]) -> st.SearchStrategy[Any]:
    text = st.lists(st.sampled_from(parts), max_size=3).map("".join)
    numbers = st.sampled_from([0, 3, -7, 3.0, 0.1 + 0.2, 1e22, 2**60, -0.5])
    leaves = st.none() | st.booleans() | numbers | text
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2), max_leaves=4
    )


NAMES = ["查天气", "search", "a_b"]


@st.composite
def conversations(
    draw: Any, parts: Sequence[str], *, loss: bool = False, interpreter: bool = False, num_rounds: int = 1
) -> list[Message]:
    """Conversations of up to three rounds in ChatGLM3's form: answers, calls, calls behind a word of announcement."""
    text = st.lists(st.sampled_from(parts), max_size=4).map("".join)
    values = json_values(parts)
    arguments = st.dictionaries(text, values, max_size=2)
    flag = st.sampled_from([{}, {}, {"loss": True}, {"loss": False}]) if loss else st.just({})
    conversation: list[Message] = [{"role": "system", "content": draw(text)}] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(num_rounds, 3))):
        conversation.append({"role": "user", "content": draw(text)})
        for _ in range(draw(st.integers(0, 2))):
            own = draw(flag)
            # An empty one is nothing that could be told from none, once it is in OpenAI's form.
            announcement = draw(st.sampled_from(["", "", "hello "]))
            if announcement:
                conversation.append({"role": "assistant", "content": announcement, **own})
            call = {"role": "tool", "name": draw(st.sampled_from(NAMES)), "parameters": draw(arguments)}
            conversation.append(
                {
                    **call,
                    "observation": draw(values.filter(lambda value: value is not None)),
                    **draw(st.sampled_from([own, draw(flag)])),
                }
            )
        if interpreter and draw(st.booleans()):
            code = {"role": "assistant", "metadata": "interpreter", "content": draw(text), **draw(flag)}
            conversation += [code, {"role": "observation", "content": draw(text)}]
        conversation.append({"role": "assistant", "content": draw(text), **draw(flag)})
    return conversation


def asks_the_same_at_the_end(chat: list[Message]) -> bool:
    """Whether the last question was asked before in the very same words."""
    questions = [message["content"] for message in chat if message["role"] == "user"]
    return questions[-1] in questions[:-1]
