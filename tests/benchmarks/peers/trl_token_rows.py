"""Our token rows in `SFTTrainer` and in `Trainer`: does the model see our ids and labels, and nothing else?

Runs in TRL's venv, with the checkout on PYTHONPATH: `python trl_token_rows.py TOKENIZER DATA PACKED`, the last two the
`data/` of prepared folders, without and with `pack`. Every trainer goes once over all rows; what its model is called
with is compared with the rows.
"""

import argparse
import tempfile

from datasets import load_from_disk
from transformers import Qwen2Config, Qwen2ForCausalLM, Trainer, TrainingArguments
from trl import SFTConfig, SFTTrainer

from collators import PackingCollator, PaddingCollator, load_tokenizer

SHAPE = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
COMMON = {
    "num_train_epochs": 1,
    "logging_steps": 1000,
    "disable_tqdm": True,
    "per_device_train_batch_size": 4,
    "report_to": "none",
    "use_cpu": True,
    "bf16": False,
}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("tokenizer")
    arguments.add_argument("data")
    arguments.add_argument("packed")
    options = arguments.parse_args()
    tokenizer = load_tokenizer(options.tokenizer)
    for name, make in (("SFTTrainer", sft_trainer), ("Trainer", plain_trainer)):
        for kind, folder, collator in (
            ("rows", options.data, PaddingCollator(tokenizer)),
            ("packed rows", options.packed, PackingCollator(tokenizer, attention="sdpa")),
        ):
            rows = load_from_disk(folder)["train"]
            seen = run(make, rows, collator, tokenizer)
            expected = list(records_of(rows))
            assert sorted(seen) == sorted(expected), f"{name}, {kind}: the model saw something else"
            print(f"{name}, {kind}: {len(expected):,} records, ids and labels as ours")


def sft_trainer(model, folder, rows, collator, tokenizer):
    config = SFTConfig(folder, dataset_kwargs={"skip_prepare_dataset": True}, max_length=None, **COMMON)
    return SFTTrainer(model, config, train_dataset=rows, data_collator=collator, processing_class=tokenizer)


def plain_trainer(model, folder, rows, collator, tokenizer):
    columns = ["input_ids", "labels", *(["seq_lengths"] if "seq_lengths" in rows.column_names else [])]
    arguments = TrainingArguments(folder, remove_unused_columns=False, **COMMON)
    return Trainer(model, arguments, collator, rows.select_columns(columns), processing_class=tokenizer)


def run(make, rows, collator, tokenizer):
    """All records the model is called with, as ids and labels."""
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=1, **SHAPE))
    seen = []
    model.register_forward_pre_hook(lambda module, args, kwargs: seen.extend(records_in(kwargs)), with_kwargs=True)
    with tempfile.TemporaryDirectory() as folder:
        make(model, folder, rows, collator, tokenizer).train()
    return seen


def records_in(batch):
    for place, (ids, labels) in enumerate(zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True)):
        mask = batch["attention_mask"][place]
        if mask.dim() == 1:
            length = int(mask.sum())
            yield tuple(ids[:length]), tuple(labels[:length])
            continue
        # 1 × T × T: a record begins where a token sees itself alone; padding, at the end, is such a token too.
        is_start = mask[0].sum(dim=1) == 1
        starts = [number for number, begins in enumerate(is_start.tolist()) if begins]
        for start, end in zip(starts, [*starts[1:], len(ids)], strict=True):
            if end - start > 1:
                yield tuple(ids[start:end]), tuple(labels[start:end])


def records_of(rows):
    for row in rows:
        start = 0
        for length in row.get("seq_lengths") or [len(row["input_ids"])]:
            yield tuple(row["input_ids"][start : start + length]), tuple(row["labels"][start : start + length])
            start += length


if __name__ == "__main__":
    main()
