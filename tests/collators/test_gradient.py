"""The loss of a real model goes where the labels say: nowhere else is there a gradient."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="a model's gradient is torch's")
pytest.importorskip("transformers", reason="the model is transformers'")

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from collators import PaddingCollator
from tests.collators.conversation_families import FAMILIES, with_family
from tests.collators.conversation_references import IGNORED, as_messages
from tests.collators.conversation_rows import WEATHER, WEATHER_TOOLS, demo_chatglm3, rows_of

CHATS = [
    WEATHER,
    [*WEATHER[:3], WEATHER[3] | {"loss": False}, *WEATHER[4:]],
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "<think>hm</think>\n\nb"}],
    [{"role": "user", "content": "很长的问题" * 5}, {"role": "assistant", "content": ""}],
]


@pytest.mark.parametrize("kind", ["chatglm3", "hermes", "qwen3"])
@pytest.mark.parametrize("padding_side", ["right", "left"])
def test_only_the_positions_before_a_trained_token_have_a_gradient(
    kind: str, padding_side: str, backends: dict[str, str]
) -> None:
    tokenizer = demo_chatglm3()[0] if kind == "chatglm3" else with_family(backends["byte_level"], FAMILIES[kind])
    tokenizer.pad_token = tokenizer.pad_token or "<pad>"
    chats = CHATS if kind == "chatglm3" else [as_messages(chat) for chat in CHATS]
    rows = rows_of(chats, [WEATHER_TOOLS, WEATHER_TOOLS, None, None], tokenizer, train_thinking=False)
    assert all(row["set_aside"] is None for row in rows)
    features = [{"input_ids": row["input_ids"], "labels": row["labels"]} for row in rows]
    batch = PaddingCollator(tokenizer, padding_side=padding_side)(features)

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = Qwen2Config(vocab_size=len(tokenizer), num_hidden_layers=2, **sizes)
    output = Qwen2ForCausalLM(config)(**batch)
    output.logits.retain_grad()
    output.loss.backward()
    has_gradient_BT = output.logits.grad.abs().sum(dim=-1) > 0
    predicts_trained_BT = torch.zeros_like(has_gradient_BT)
    predicts_trained_BT[:, :-1] = batch["labels"][:, 1:] != IGNORED
    assert torch.equal(has_gradient_BT, predicts_trained_BT)
    # Right away against the rows themselves: the collator shifts and loses nothing.
    assert predicts_trained_BT.sum(dim=1).tolist() == [
        sum(label != IGNORED for label in row["labels"][1:]) for row in rows
    ]
    assert 0 < int(predicts_trained_BT.sum()) < predicts_trained_BT.numel()
