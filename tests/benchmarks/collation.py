"""Token rows of real texts in, microseconds from dataset row to tensors out: `python -m tests.benchmarks.collation`.

Every path goes through a torch `DataLoader` in one process, on 10,000 memory-mapped rows of real AdvertiseGen lengths
(the sample's rows, over and over: what ids say does not matter here) with the columns `input_ids` and `labels`, which
is all that `DataCollatorForSeq2Seq` can take, in one shuffled order. Paths alternate; the figure is the median of the
rounds.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, concatenate_datasets, load_from_disk
from torch.utils.data import DataLoader
from transformers import DataCollatorForSeq2Seq

import collators
import hf_builders

SHARED = Path(__file__).resolve().parents[3] / "shared"
NUM_ROWS = 10_000
BATCH_SIZES = (8, 32)
_NUM_BATCHES = 40  # a round, so that the slowest path takes a quarter of a second

Loader = Callable[[], DataLoader[Any]]


def measure(shared: Path = SHARED, *, num_rounds: int = 9) -> list[dict[str, Any]]:
    """A line for each path and batch size; none where the real rows or the tokenizer are not there."""
    data, folder = shared / "realdata" / "AdvertiseGen", shared / "tokenizers" / "qwen2_5"
    if not data.is_dir() or not folder.is_dir():
        return []
    tokenizer = collators.load_tokenizer(str(folder))
    with tempfile.TemporaryDirectory() as scratch:
        records = hf_builders.load_dataset("adgen", "messages", data_dir=str(data), cache_dir=f"{scratch}/cache")
        few = collators.tokenize(records["train"], tokenizer)
        whole = concatenate_datasets([few] * -(-NUM_ROWS // len(few))).select(range(NUM_ROWS))
        whole.save_to_disk(f"{scratch}/rows")
        rows = load_from_disk(f"{scratch}/rows").select_columns(["input_ids", "labels"])
        return [line for size in BATCH_SIZES for line in _compare(rows, tokenizer, size, num_rounds)]


def _compare(rows: Dataset, tokenizer: Any, batch_size: int, num_rounds: int) -> Iterator[dict[str, Any]]:
    paths = _paths(rows, tokenizer, batch_size)
    _check_equal(paths)
    times: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(num_rounds):
        for name, loader in paths.items():
            times[name].append(_microseconds(loader()))
    reference = statistics.median(next(iter(times.values())))
    for name, some in times.items():
        median = statistics.median(some)
        yield {
            "path": name,
            "rows a batch": batch_size,
            "µs a batch": median,
            "times as fast": reference / median,
            "padding": f"{_padding(paths[name]()):.1%}",
        }


def _paths(rows: Dataset, tokenizer: Any, batch_size: int) -> dict[str, Loader]:
    def loader(dataset: Any, collate: Any) -> Loader:
        def load() -> DataLoader[Any]:
            order = torch.Generator().manual_seed(0)
            return DataLoader(dataset, batch_size, shuffle=True, collate_fn=collate, generator=order)

        return load

    flat, pad = collators.FlatRows(rows), collators.PaddingCollator(tokenizer)
    # As many rows a batch as the other paths have, on the average.
    batches = collators.TokenBatchSampler(flat.lengths, round(batch_size * flat.lengths.mean()))
    return {
        "DataCollatorForSeq2Seq, Dataset": loader(rows, DataCollatorForSeq2Seq(tokenizer, pad_to_multiple_of=8)),
        "PaddingCollator, Dataset": loader(rows, pad),
        "PaddingCollator, FlatRows (TokenTrainer)": loader(flat, pad),
        "the same, TokenBatchSampler": lambda: DataLoader(flat, batch_sampler=batches, collate_fn=pad),
    }


def _check_equal(paths: dict[str, Loader]) -> None:
    """The first three give one and the same batches, or what they take says nothing."""
    loaders = [iter(loader()) for loader in list(paths.values())[:3]]
    for _ in range(10):
        reference, *others = (next(batches) for batches in loaders)
        for batch in others:
            for name, tensor in reference.items():
                assert torch.equal(batch[name], tensor), name


def _microseconds(loader: DataLoader[Any]) -> float:
    batches = iter(loader)
    next(batches)  # the order of the epoch is drawn before the first batch
    start = time.perf_counter()
    for _ in range(_NUM_BATCHES):
        next(batches)
    return (time.perf_counter() - start) / _NUM_BATCHES * 1e6


def _padding(loader: DataLoader[Any]) -> float:
    num_tokens = num_places = 0
    for _, batch in zip(range(300), loader, strict=False):
        num_tokens += int(batch["attention_mask"].sum())
        num_places += batch["attention_mask"].numel()
    return 1 - num_tokens / num_places


def main() -> None:
    warnings.simplefilter("ignore")
    for line in measure():
        print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main()
