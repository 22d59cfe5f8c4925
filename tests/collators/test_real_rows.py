"""All real rows, with the real tokenizers, against computations that share no code with ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="collators need transformers")

from datasets import Dataset

from collators import IGNORE_INDEX, load_tokenizer, token_rows, tokenize
from tests.collators.conftest import LLAMA2
from tests.collators.test_labels import ANSWERS, slow_labels

pytestmark = pytest.mark.realdata
Chats = list[list[dict[str, str]]]


def test_chatglm3_ids_and_labels_by_sentencepiece_alone(
    shared_tokenizer: Callable[[str], Path], real_conversations: Chats
) -> None:
    spm = pytest.importorskip("sentencepiece")
    folder = shared_tokenizer("chatglm3")
    reference = spm.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    rows = tokenize(Dataset.from_dict({"messages": real_conversations}), load_tokenizer(folder), max_length=8192)
    num_checked = 0
    for (user, assistant), row in zip(real_conversations, rows, strict=True):
        question = [64795, *reference.encode("\n"), *reference.encode(user["content"])]
        answer = [*reference.encode("\n"), *reference.encode(assistant["content"]), 2]
        assert row["input_ids"] == [64790, 64792, *question, 64796, *answer]
        assert row["labels"] == [IGNORE_INDEX] * (len(question) + 3) + answer
        num_checked += 1
    assert num_checked == 4570


def test_qwen_ids_by_apply_chat_template_and_labels_decode_to_the_answer(
    shared_tokenizer: Callable[[str], Path], real_conversations: Chats
) -> None:
    import unicodedata

    tokenizer = load_tokenizer(shared_tokenizer("qwen2_5"))
    rows = token_rows(Dataset.from_dict({"messages": real_conversations}), tokenizer, max_length=8192)
    num_whole = 0
    for chat, row in zip(real_conversations, rows, strict=True):
        assert row["input_ids"] == tokenizer.apply_chat_template(chat, return_dict=False)
        trained = tokenizer.decode([label for label in row["labels"] if label != IGNORE_INDEX])
        answer = unicodedata.normalize("NFC", chat[1]["content"]) + "<|im_end|>"
        if row["straddling"]:
            assert answer.endswith(trained)
        else:
            assert trained == answer
            num_whole += 1
    assert num_whole > 4500


def test_llama2_ids_by_apply_chat_template_and_labels_by_offsets(
    shared_tokenizer: Callable[[str], Path], real_conversations: Chats
) -> None:
    tokenizer = load_tokenizer(shared_tokenizer("llama2"))
    tokenizer.chat_template = LLAMA2
    chats = [[*chat, *other] for chat, other in zip(real_conversations[::20], real_conversations[10::20], strict=False)]
    rows = token_rows(Dataset.from_dict({"messages": chats}), tokenizer, max_length=8192)
    encode: Any = slow_labels
    for chat, row in zip(chats, rows, strict=True):
        text = tokenizer.apply_chat_template(chat, tokenize=False)
        assert row["input_ids"] == tokenizer.apply_chat_template(chat, return_dict=False)
        assert (row["input_ids"], row["labels"]) == encode(tokenizer, text, ANSWERS["llama2"])
    assert len(rows) == len(chats) > 200
