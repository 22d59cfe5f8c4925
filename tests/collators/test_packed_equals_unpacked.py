"""Packing changes nothing but speed: each record has in a pack the losses and the gradient it has alone."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="losses and gradients are torch's")
pytest.importorskip("transformers", reason="the models are transformers'")

import torch
import transformers
from datasets import Dataset
from torch.nn.functional import cross_entropy, scaled_dot_product_attention
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from collators import IGNORE_INDEX, PackingCollator, pack

VOCABULARY = 64
TOKENIZER = SimpleNamespace(pad_token_id=0)
# Float32 carries some seven digits; losses here are about 5, and a leak moves them by more than a tenth.
LOSS_TOLERANCE = 1e-5
# Of the largest entry of the same parameter's gradient: sums in another order, nothing more.
GRADIENT_TOLERANCE = 1e-5
LEAK = 1e-2

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
# Strong weights: attention must matter, else a leak would hide.
COMMON = {**SIZES, "vocab_size": VOCABULARY, "num_key_value_heads": 2, "initializer_range": 0.3, "pad_token_id": 0}
CONFIGS: dict[str, Any] = {
    "llama": lambda: transformers.LlamaConfig(**COMMON),
    "qwen2": lambda: transformers.Qwen2Config(**COMMON),
    "qwen3": lambda: transformers.Qwen3Config(**COMMON, head_dim=8),
    "glm": lambda: transformers.GlmConfig(**COMMON, head_dim=8, eos_token_id=1),
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.3, bos_token_id=1,
        eos_token_id=1, attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0,
    ),
}  # fmt: skip

Batch = dict[str, Any]


def attend_by_records(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, scaling: float | None = None, **kwargs: Any
) -> tuple[Any, None]:
    """What a kernel for records of any length computes from `cu_seq_lens`; flash attention itself needs a GPU."""
    assert attention_mask is None
    borders = kwargs["cu_seq_lens_q"].tolist()
    assert kwargs["cu_seq_lens_k"].tolist() == borders
    assert kwargs["max_length_q"] == kwargs["max_length_k"] == max(np.diff(borders))
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    parts = [
        scaled_dot_product_attention(*(x[:, :, a:b] for x in (query, key, value)), is_causal=True, scale=scaling)
        for a, b in itertools.pairwise(borders)
    ]
    return torch.cat(parts, dim=2).transpose(1, 2), None


ALL_ATTENTION_FUNCTIONS.register("by_records", attend_by_records)


def records() -> Dataset:
    """Twenty records of 1 to 20 tokens, no two with equal ids, of which about a third is not trained."""
    draw = np.random.default_rng(3)
    ids = [draw.integers(2, VOCABULARY, length).tolist() for length in [1, 2, 20, *draw.integers(3, 20, 17)]]
    labels = [[id_ if draw.random() < 0.7 else IGNORE_INDEX for id_ in row] for row in ids]
    assert len({tuple(row) for row in ids}) == 20
    return Dataset.from_dict({"input_ids": ids, "labels": labels})


def model_of(family: str, attention: str) -> Any:
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(CONFIGS[family](), attn_implementation=attention).train()


def packed_batch(attention: str, max_length: int = 32) -> Batch:
    rows = pack(records(), max_length)
    assert len(set(rows["length"])) > 1, "rows of several lengths, so that there is padding"
    assert max(len(borders) for borders in rows["seq_lengths"]) > 1
    return PackingCollator(TOKENIZER, attention=attention)(list(rows))


def losses(model: Any, batch: Batch) -> Any:
    """The loss of each token but the first of its row; 0 where it is not trained."""
    logits = model(**{name: value for name, value in batch.items() if name != "labels"}, use_cache=False).logits
    labels = batch["labels"]
    return cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="none").view(len(labels), -1)


def losses_of_records(model: Any, batch: Batch, borders_of: Batch | None = None) -> dict[tuple[int, ...], Any]:
    """By a record's ids, the losses of its tokens but the first; records begin where positions (of `borders_of`) do."""
    found, by_ids = losses(model, batch), {}
    for row, positions in enumerate((borders_of or batch)["position_ids"].tolist()):
        starts = [place for place, position in enumerate(positions) if position == 0]
        for start, end in zip(starts, [*starts[1:], len(positions)], strict=True):
            by_ids[tuple(batch["input_ids"][row, start:end].tolist())] = found[row, start : end - 1]
    return by_ids


def alone(model: Any) -> dict[tuple[int, ...], Any]:
    """The same losses, each record a batch of its own, without mask and positions."""
    return {
        tuple(row["input_ids"]): losses(
            model, {"input_ids": torch.tensor([row["input_ids"]]), "labels": torch.tensor([row["labels"]])}
        )[0]
        for row in records()
    }


def gradient(model: Any, loss: Any) -> dict[str, Any]:
    model.zero_grad()
    loss.backward()
    return {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}


def largest_difference(packed: dict[tuple[int, ...], Any], expected: dict[tuple[int, ...], Any]) -> float:
    """Over every token of every record; padding, which the packed batch has besides, is no record of `expected`."""
    assert set(expected) <= set(packed)
    differences = torch.cat([(packed[ids] - expected[ids]).detach().abs() for ids in expected])
    assert len(differences) == sum(len(ids) - 1 for ids in expected) > 100
    return float(differences.max())


FAMILIES = ["llama", "qwen2", "qwen3", "glm", "gpt2"]


@pytest.mark.parametrize("attention", ["eager", "sdpa", "flash_attention_2"])
@pytest.mark.parametrize("family", FAMILIES)
def test_losses_and_gradient_of_every_record_in_a_pack_are_those_of_the_record_alone(
    family: str, attention: str
) -> None:
    if attention == "flash_attention_2":
        model, reference = model_of(family, "by_records"), model_of(family, "sdpa")
    else:
        model = reference = model_of(family, attention)
    packed, expected = losses_of_records(model, packed_batch(attention)), alone(reference)
    assert largest_difference(packed, expected) <= LOSS_TOLERANCE
    of_packed = gradient(model, losses(model, packed_batch(attention)).sum())
    of_records = gradient(reference, sum(loss.sum() for loss in expected.values()))
    assert set(of_packed) == set(of_records)
    assert len(of_packed) > 10
    for name, value in of_records.items():
        assert float(value.abs().max()) > 0, name
        assert float((of_packed[name] - value).abs().max() / value.abs().max()) <= GRADIENT_TOLERANCE, name


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_gradient_checkpointing_sees_the_same_mask(attention: str) -> None:
    model, batch = model_of("llama", attention), packed_batch(attention)
    expected = gradient(model, losses(model, batch).sum())
    # transformers 5.23 renames it, and warns of the old name.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable()
    flags = [flag for part in model.modules() for name, flag in vars(part).items() if name.endswith("checkpointing")]
    assert True in flags
    found = gradient(model, losses(model, batch).sum())
    assert len(found) > 10
    for name, value in expected.items():
        assert torch.allclose(found[name], value, rtol=1e-5, atol=1e-6), name


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_mask_is_the_one_transformers_infers_from_positions(family: str, attention: str) -> None:
    model = model_of(family, attention)
    batch = PackingCollator(TOKENIZER, attention=attention, pad_to_multiple_of=1)(list(pack(records(), 32))[:1])
    inferred = losses(model, {name: value for name, value in batch.items() if name != "attention_mask"})
    found = losses(model, batch)
    assert int((found > 0).sum()) > 10
    assert torch.allclose(found, inferred, rtol=0, atol=LOSS_TOLERANCE)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_padding_gives_no_infinities_and_no_gradient(attention: str) -> None:
    batch = packed_batch(attention)
    is_padding = batch["input_ids"] == TOKENIZER.pad_token_id
    assert int(is_padding.sum()) == 10
    model = model_of("llama", attention)
    output = model(**batch, use_cache=False)
    output.logits.retain_grad()
    output.loss.backward()
    assert torch.isfinite(output.logits).all()
    assert float(output.logits.grad[is_padding].abs().max()) == 0.0
    assert all(torch.isfinite(value.grad).all() for value in model.parameters())


# Planted faults: what the comparison above is worth.


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_plain_causal_mask_is_caught(family: str, attention: str) -> None:
    batch = packed_batch(attention)
    width = batch["input_ids"].shape[1]
    causal = torch.ones(width, width, dtype=torch.bool).tril().expand(len(batch["input_ids"]), 1, -1, -1)
    if attention == "eager":
        causal = torch.where(causal, 0.0, torch.finfo(torch.float32).min)
    model = model_of(family, attention)
    assert largest_difference(losses_of_records(model, batch | {"attention_mask": causal}), alone(model)) > LEAK


def test_the_mask_for_sdpa_given_to_eager_attention_is_caught() -> None:
    # Eager attention adds its mask to the scores: true and false would hide nothing.
    model = model_of("llama", "eager")
    assert largest_difference(losses_of_records(model, packed_batch("sdpa")), alone(model)) > LEAK


def test_positions_that_do_not_restart_are_caught_where_a_model_can_tell() -> None:
    batch = packed_batch("sdpa")
    running = batch | {"position_ids": torch.arange(batch["input_ids"].shape[1]).expand(len(batch["input_ids"]), -1)}
    absolute, rotary = model_of("gpt2", "sdpa"), model_of("llama", "sdpa")
    assert largest_difference(losses_of_records(absolute, running, batch), alone(absolute)) > LEAK
    # Rotary positions say only how far apart two tokens are: under a right mask these losses cannot tell, and so the
    # positions themselves are compared in test_packing.py. (Scaled frequencies and flash attention do look at them.)
    assert largest_difference(losses_of_records(rotary, running, batch), alone(rotary)) <= LOSS_TOLERANCE


def test_a_first_token_trained_across_the_border_is_caught() -> None:
    batch, model = packed_batch("sdpa"), model_of("llama", "sdpa")
    expected = sum(float(loss.detach().sum()) for loss in alone(model).values())
    starts = (batch["position_ids"] == 0) & (batch["input_ids"] != TOKENIZER.pad_token_id)
    assert (batch["labels"][starts] == IGNORE_INDEX).all()
    leaking = torch.where(starts, batch["input_ids"], batch["labels"])
    assert float(losses(model, batch).detach().sum()) == pytest.approx(expected, rel=1e-5)
    assert float(losses(model, batch | {"labels": leaking}).detach().sum()) > expected * 1.05


def test_a_trainer_weighs_every_trained_token_alike(tmp_path: Any) -> None:
    pytest.importorskip("accelerate", reason="Trainer needs it")
    batches: list[Batch] = []
    collate = PackingCollator(TOKENIZER)

    def keeping(rows: Any) -> Batch:
        batches.append(collate(rows))
        return batches[-1]

    # A rate of 0: the model is the same in both steps, and every step can be computed again by hand.
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), max_steps=2, per_device_train_batch_size=2, gradient_accumulation_steps=2,
        learning_rate=0.0, logging_steps=1, report_to=[], save_strategy="no", use_cpu=True, disable_tqdm=True,
        remove_unused_columns=False,
    )  # fmt: skip
    model = model_of("llama", "sdpa")
    trainer = transformers.Trainer(model, arguments, train_dataset=pack(records(), 24), data_collator=keeping)
    trainer.train()
    logged = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(logged) == 2
    labels = {tuple(row["input_ids"]): torch.tensor(row["labels"]) for row in records()}
    by_record = alone(model)
    for step, loss in enumerate(logged):
        total, num_trained = 0.0, 0
        for batch in batches[2 * step : 2 * step + 2]:
            for ids in losses_of_records(model, batch):
                if ids in by_record:
                    total += float(by_record[ids].detach().sum())
                    num_trained += int((labels[ids][1:] != IGNORE_INDEX).sum())
        assert num_trained > 20
        assert loss == pytest.approx(total / num_trained, rel=1e-4)
