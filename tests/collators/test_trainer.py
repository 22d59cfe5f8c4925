"""`TokenTrainer` trains as `Trainer` does, on the same batches or those of a budget, resumed and on several ranks."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch (extra train)")
pytest.importorskip("transformers", reason="training needs transformers")
pytest.importorskip("accelerate", reason="Trainer needs it")

from datasets import Dataset  # noqa: E402
from tokenizers import Tokenizer, models  # noqa: E402
from transformers import (  # noqa: E402
    DataCollatorForSeq2Seq,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Trainer,
    TrainingArguments,
)

from collators import FlatRows, PaddingCollator, TokenizationError, TokenTrainer, pack  # noqa: E402
from collators.trainer import TokenCollator, TokenLoading  # noqa: E402

DRAW = np.random.default_rng(0)
IDS = [DRAW.integers(1, 50, n).tolist() for n in DRAW.integers(4, 40, 48)]
DATA = Dataset.from_dict(
    {
        "id": [str(n) for n in range(48)],
        "input_ids": IDS,
        "labels": [[-100] * (1 + n % 3) + ids[1 + n % 3 :] for n, ids in enumerate(IDS)],
        "length": [len(ids) for ids in IDS],
    }
)


def tokenizer() -> Any:
    backend = Tokenizer(models.WordLevel({"[PAD]": 0, "a": 1}, unk_token="a"))
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", padding_side="right")


def model(**options: Any) -> Any:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=50, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=64, pad_token_id=0, bos_token_id=None, eos_token_id=None,
        **options,
    )  # fmt: skip
    return Qwen2ForCausalLM(config)


def arguments(folder: Path, **options: Any) -> TrainingArguments:
    defaults = {
        "per_device_train_batch_size": 4, "logging_steps": 1, "report_to": [], "save_strategy": "no", "use_cpu": True,
        "disable_tqdm": True, "seed": 1, "max_steps": 8, "dataloader_pin_memory": False,
    }  # fmt: skip
    return TrainingArguments(output_dir=str(folder), **{**defaults, **options})


def losses(trainer: Any, **options: Any) -> list[float]:
    trainer.train(**options)
    return [entry[name] for entry in trainer.state.log_history for name in ("loss", "eval_loss") if name in entry]


@pytest.mark.parametrize(
    "options",
    [
        {"num_train_epochs": 1.5, "max_steps": -1},
        {"train_sampling_strategy": "group_by_length"},
        {"eval_strategy": "steps", "eval_steps": 4, "per_device_eval_batch_size": 5},
        {"dataloader_num_workers": 2},
    ],
    ids=lambda options: next(iter(options)),
)
def test_step_by_step_the_losses_are_those_of_a_plain_trainer(tmp_path: Path, options: dict[str, Any]) -> None:
    def run(kind: Any, **more: Any) -> list[float]:
        evaluated = {"eval_dataset": DATA.select(range(11))} if "eval_steps" in options else {}
        return losses(kind(model(), arguments(tmp_path, **options), train_dataset=DATA, **evaluated, **more))

    ours = run(TokenTrainer, processing_class=tokenizer())
    assert len(ours) >= 8
    assert ours == run(Trainer, data_collator=PaddingCollator(tokenizer()))


def test_rows_are_read_flat_and_the_dataset_stays_as_it_is(tmp_path: Path) -> None:
    trainer = TokenTrainer(
        model(), arguments(tmp_path), train_dataset=DATA, eval_dataset={"some": DATA}, processing_class=tokenizer()
    )
    assert trainer.train_dataset is DATA
    assert isinstance(trainer.data_collator, PaddingCollator)
    loaders = [
        trainer.get_train_dataloader(),
        trainer.get_eval_dataloader("some"),
        trainer.get_test_dataloader(DATA.select([3, 1])),
    ]
    for loader in loaders:
        assert isinstance(loader.dataset, FlatRows)
        assert next(iter(loader))["input_ids"].dtype == torch.int64
    assert trainer.predict(DATA.select([3, 1])).predictions.shape[0] == 2


def test_what_is_not_for_us_is_a_plain_trainers(tmp_path: Path) -> None:
    theirs = DataCollatorForSeq2Seq(tokenizer(), pad_to_multiple_of=8)
    trainer = TokenTrainer(model(), arguments(tmp_path), data_collator=theirs, train_dataset=DATA)
    assert not isinstance(trainer.get_train_dataloader().dataset, FlatRows)
    plain = Trainer(model(), arguments(tmp_path), data_collator=theirs, train_dataset=DATA)
    assert losses(trainer) == losses(plain)
    lazy = DATA.with_transform(lambda rows: {name: rows[name] for name in ("input_ids", "labels")})
    options = arguments(tmp_path, remove_unused_columns=False)
    trainer = TokenTrainer(model(), options, train_dataset=lazy, processing_class=tokenizer())
    assert trainer.get_train_dataloader().dataset is lazy
    assert len(losses(trainer)) == 8


def test_every_batch_gets_the_collator_of_its_rows(tmp_path: Path) -> None:
    packed = pack(DATA, 64)
    stream = pack(DATA.to_iterable_dataset(), 64).map(lambda row: row)
    assert stream.column_names is None
    lazy = packed.with_transform(lambda rows: dict(rows))
    wrapped = torch.utils.data.Subset(packed, range(len(packed)))
    for attention, of_mask in (("sdpa", torch.bool), ("eager", torch.float32)):
        trainer = TokenTrainer(
            model(attn_implementation=attention), arguments(tmp_path, max_steps=2), train_dataset=DATA,
            eval_dataset={"packed": packed, "stream": stream, "lazy": lazy, "subset": wrapped},
            processing_class=tokenizer(),
        )  # fmt: skip
        assert next(iter(trainer.get_train_dataloader()))["attention_mask"].ndim == 2
        for name in trainer.eval_dataset:
            for batch in trainer.get_eval_dataloader(name):
                assert batch["attention_mask"].ndim == 4
                assert batch["attention_mask"].dtype == of_mask
        assert len(losses(trainer)) == 2


@pytest.mark.parametrize("kind", ["dataset", "subset", "stream", "mapped stream"])
def test_training_on_packed_rows_in_any_wrapper_keeps_the_records_apart(tmp_path: Path, kind: str) -> None:
    packed = pack(DATA, 64)
    stream = packed.to_iterable_dataset()
    rows = {
        "dataset": packed, "subset": torch.utils.data.Subset(packed, range(len(packed))),
        "stream": stream, "mapped stream": stream.map(lambda row: row),
    }[kind]  # fmt: skip
    trainer = Recording(model(), arguments(tmp_path, max_steps=2), train_dataset=rows, processing_class=tokenizer())
    assert len(losses(trainer)) == 2
    batches = [batch for step, _ in trainer.steps for batch in step]
    assert len(batches) == 2
    assert all(batch["attention_mask"].ndim == 4 for batch in batches)


def test_an_attention_unknown_to_packing_trains_plain_rows_and_names_itself_on_packed_ones() -> None:
    collate = TokenCollator(tokenizer(), attention="flex_attention")
    assert collate([{"input_ids": [1, 2]}])["attention_mask"].ndim == 2
    assert collate(iter([{"input_ids": [1, 2]}]))["input_ids"].shape == (1, 8)
    with pytest.raises(TokenizationError, match="attention='flex_attention': expected 'sdpa', 'eager'"):
        collate([{"input_ids": [1, 2], "seq_lengths": [1, 1]}])


def test_a_budget_needs_rows_of_known_length(tmp_path: Path) -> None:
    cases = {
        "IterableDataset": DATA.to_iterable_dataset(),
        "Subset": torch.utils.data.Subset(DATA, [0, 1]),
        "Dataset with a transform": DATA.with_transform(lambda rows: dict(rows)),
    }
    for kind, rows in cases.items():
        trainer = TokenTrainer(
            model(), arguments(tmp_path), train_dataset=rows, processing_class=tokenizer(), max_tokens_per_batch=160
        )
        with pytest.raises(TokenizationError) as raised:
            trainer.train()
        assert str(raised.value) == (
            f"max_tokens_per_batch: train_dataset is {kind}, which does not tell the lengths of its rows; give a "
            "datasets.Dataset, or leave it out and set per_device_train_batch_size"
        )


def test_without_tokenizer_and_collator_it_asks_for_one(tmp_path: Path) -> None:
    with pytest.raises(TokenizationError, match="no data_collator; give it, or the tokenizer as processing_class"):
        TokenTrainer(model(), arguments(tmp_path), train_dataset=DATA)


def test_a_trainer_of_the_users_own_takes_the_mix_in(tmp_path: Path) -> None:
    class Mine(Trainer):  # type: ignore[misc]
        def __init__(self, *args: Any, extra: int, **more: Any) -> None:
            super().__init__(*args, **more)
            self.extra = extra

    class Both(TokenLoading, Mine):
        pass

    trainer = Both(
        model_init=lambda: model(), args=arguments(tmp_path), train_dataset=DATA, processing_class=tokenizer(), extra=3
    )
    assert trainer.extra == 3
    assert isinstance(trainer.get_train_dataloader().dataset, FlatRows)


class Recording(TokenTrainer):
    """Keeps the batches of each optimizer step, with what the loss is divided by."""

    def get_batch_samples(self, *args: Any, **more: Any) -> Any:
        batches, num_items = super().get_batch_samples(*args, **more)
        self.steps: list[Any] = [*getattr(self, "steps", []), (batches, num_items)]
        return batches, num_items


def rows_of(batch: Any) -> list[int]:
    """The numbers of the rows, told by their ids."""
    kept = [ids[mask.bool()].tolist() for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)]
    return [IDS.index(ids) for ids in kept]


def test_batches_of_a_budget_hold_every_row_once_an_epoch(tmp_path: Path) -> None:
    options = arguments(tmp_path, num_train_epochs=2, max_steps=-1)
    trainer = Recording(model(), options, train_dataset=DATA, processing_class=tokenizer(), max_tokens_per_batch=160)
    assert len(losses(trainer)) == len(trainer.steps)
    batches = [batch for (batch,), _ in trainer.steps]
    assert all(batch["input_ids"].numel() <= 160 for batch in batches)
    assert len({len(batch["input_ids"]) for batch in batches}) > 3, "short rows come in larger batches"
    first, second = batches[: len(batches) // 2], batches[len(batches) // 2 :]
    for epoch in (first, second):
        assert sorted(row for batch in epoch for row in rows_of(batch)) == list(range(48))
    assert [rows_of(batch) for batch in first] != [rows_of(batch) for batch in second]
    assert [rows_of(batch) for batch in trainer.get_train_dataloader()] == [rows_of(batch) for batch in first]


def test_a_collator_of_one_width_counts_with_that_width(tmp_path: Path) -> None:
    trainer = TokenTrainer(
        model(), arguments(tmp_path), PaddingCollator(tokenizer(), max_length=40), DATA, max_tokens_per_batch=160
    )
    shapes = {tuple(batch["input_ids"].shape) for batch in trainer.get_train_dataloader()}
    assert shapes == {(4, 40)}


@pytest.mark.filterwarnings("ignore:Creating a tensor from a list of numpy:UserWarning")
def test_a_collator_of_others_takes_batches_of_a_budget(tmp_path: Path) -> None:
    trainer = TokenTrainer(
        model(), arguments(tmp_path), DataCollatorForSeq2Seq(tokenizer()), DATA, max_tokens_per_batch=160
    )
    assert sorted(row for batch in trainer.get_train_dataloader() for row in rows_of(batch)) == list(range(48))


def test_a_row_over_the_budget_is_named(tmp_path: Path) -> None:
    trainer = TokenTrainer(
        model(), arguments(tmp_path), train_dataset=DATA, processing_class=tokenizer(), max_tokens_per_batch=32
    )
    with pytest.raises(TokenizationError, match=r"row \d+: \d+ tokens, padded to 40, more than max_tokens=32"):
        trainer.train()


@pytest.mark.parametrize("max_tokens", [None, 160])
@pytest.mark.parametrize("num_accumulated", [1, 2])
def test_resumed_in_the_middle_of_an_epoch_the_losses_are_those_of_the_whole_run(
    tmp_path: Path, max_tokens: int | None, num_accumulated: int
) -> None:
    options = {
        "save_strategy": "steps", "save_steps": 4, "num_train_epochs": 2, "max_steps": -1,
        "gradient_accumulation_steps": num_accumulated,
    }  # fmt: skip

    def trainer(folder: Path) -> Any:
        return TokenTrainer(
            model(attention_dropout=0.5), arguments(folder, **options), train_dataset=DATA,
            processing_class=tokenizer(), max_tokens_per_batch=max_tokens,
        )  # fmt: skip

    whole = losses(trainer(tmp_path))
    steps_an_epoch = len(whole) // 2
    in_the_middle = [step for step in range(4, len(whole), 4) if step % steps_an_epoch]
    assert in_the_middle[0] < steps_an_epoch < in_the_middle[-1]
    for step in (in_the_middle[0], in_the_middle[-1]):
        checkpoint = str(tmp_path / f"checkpoint-{step}")
        resumed = losses(trainer(tmp_path / "again"), resume_from_checkpoint=checkpoint)
        assert resumed == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("max_tokens", [None, 160])
def test_accumulated_batches_weigh_every_trained_token_alike(tmp_path: Path, max_tokens: int | None) -> None:
    options = arguments(tmp_path, gradient_accumulation_steps=3, max_steps=1, learning_rate=0.0)
    trainer = Recording(
        model(), options, train_dataset=DATA, processing_class=tokenizer(), max_tokens_per_batch=max_tokens
    )
    (loss,) = losses(trainer)
    ((batches, num_items),) = trainer.steps
    trained = [int((batch["labels"][:, 1:] != -100).sum()) for batch in batches]
    assert len(set(trained)) == 3
    assert num_items == sum(trained)
    means = [trainer.model(**batch).loss.item() for batch in batches]
    by_hand = sum(mean * count for mean, count in zip(means, trained, strict=True)) / sum(trained)
    assert loss == pytest.approx(by_hand, abs=1e-4)
    assert by_hand != pytest.approx(sum(means) / 3, abs=1e-6), "the mean of means is another number"


def _train_one_rank(rank: int, folder: str) -> None:
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "ACCELERATE_USE_CPU": "true",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1",
    }  # fmt: skip
    torch.set_num_threads(1)
    # They meet at a file: a port that is free now may be taken by another test before they open it.
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    options = arguments(Path(folder), num_train_epochs=1, max_steps=-1, ddp_backend="gloo")
    trainer = Recording(model(), options, train_dataset=DATA, processing_class=tokenizer(), max_tokens_per_batch=160)
    trainer.train()
    seen = [rows_of(batch) for batches, _ in trainer.steps for batch in batches]
    weights = sum(float(each.detach().abs().sum()) for each in trainer.model.parameters())
    torch.save({"seen": seen, "weights": weights}, f"{folder}/{rank}.draft")
    os.replace(f"{folder}/{rank}.draft", f"{folder}/{rank}.pt")
    while not all(os.path.exists(f"{folder}/{each}.pt") for each in range(2)):
        time.sleep(0.02)
    # Both are done. Not by returning: gloo, torn down, now and then waits for ever for a peer that is gone.
    os._exit(0)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch is built without distributed training")
def test_two_ranks_see_every_row_once_between_them_in_as_many_steps(tmp_path: Path) -> None:
    ranks = torch.multiprocessing.spawn(_train_one_rank, (str(tmp_path),), nprocs=2, join=False)
    end = time.monotonic() + 240
    while not ranks.join(timeout=5):
        if time.monotonic() > end:
            for process in ranks.processes:
                process.kill()
            pytest.fail("two ranks do not come to an end")
    one, two = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert len(one["seen"]) == len(two["seen"]) > 4
    assert sorted(row for batch in one["seen"] + two["seen"] for row in batch) == list(range(48))
    assert one["weights"] == pytest.approx(two["weights"])
