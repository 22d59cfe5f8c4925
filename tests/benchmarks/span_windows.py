"""Questions on real texts in, seconds to windows in an Arrow file out: `python -m tests.benchmarks.span_windows`.

Ours, in `Dataset.map` as users call it (batches of Python lists, or Arrow), against the way the documentation of
transformers prepares question answering: one call of the tokenizer with `return_overflowing_tokens`, then a loop over
windows and their tokens for the positions. All records of the CMRC 2018 trial set and of the WebQA file in `shared`
beside the checkout, each once. Paths alternate, every run writes a file of its own; the figure is the median of the
rounds. Before anything is timed, ours and theirs must give the same ids and positions; records whose answer is whole in
no window are left out by ours alone.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
from datasets import Dataset

import collators
import hf_builders
from tests.benchmarks.machine import machine_facts

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared"
_SETS = (("cmrc2018", "trial"), ("webqa", "test"))
_SHAPES = ((384, 128), (512, 256))
_NUM_ROUNDS = 7

Run = Callable[[Dataset, str], Dataset]


def documented_way(tokenizer: Any, max_length: int, doc_stride: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What the documentation of transformers does, in words of our own."""

    def prepare(batch: dict[str, Any]) -> dict[str, Any]:
        rows = tokenizer(
            batch["question"],
            batch["context"],
            truncation="only_second",
            max_length=max_length,
            stride=doc_stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        starts, ends = [], []
        records = rows.pop("overflow_to_sample_mapping")
        for number, record in enumerate(records):
            start, end = 0, 0
            answers, texts = batch["answers"][record], rows.sequence_ids(number)
            if answers["text"] and answers["answer_start"][0] >= 0:
                begin = answers["answer_start"][0]
                stop = begin + len(answers["text"][0])
                first, last = texts.index(1), len(texts) - 1 - texts[::-1].index(1)
                offsets = rows["offset_mapping"][number]
                if offsets[first][0] <= begin and offsets[last][1] >= stop:
                    start = first
                    while start <= last and offsets[start][0] <= begin:
                        start += 1
                    end = last
                    while end >= first and offsets[end][1] >= stop:
                        end -= 1
                    start, end = start - 1, end + 1
            starts.append(start)
            ends.append(end)
        ids = [batch["id"][record] for record in records]
        return {**rows, "example_id": ids, "start_positions": starts, "end_positions": ends}

    return prepare


def paths_of(tokenizer: Any, max_length: int, doc_stride: int) -> dict[str, Run]:
    """Each path as a function of the records and a file for its windows."""
    step = collators.TokenizeSpans(tokenizer, max_length, doc_stride)
    theirs = documented_way(tokenizer, max_length, doc_stride)

    def mapped(function: Any, format: str | None) -> Run:
        def run(records: Dataset, cache_file: str) -> Dataset:
            return records.with_format(format).map(
                function, batched=True, remove_columns=records.column_names, cache_file_name=cache_file
            )

        return run

    return {
        "transformers, as documented": mapped(theirs, None),
        "TokenizeSpans": mapped(step, None),
        "TokenizeSpans, Arrow batches": mapped(step, "arrow"),
    }


def measure(shared: Path = SHARED, *, num_rounds: int = _NUM_ROUNDS) -> Iterator[dict[str, Any]]:
    """A line for each set, shape of windows and path; none where the real rows or the vocabulary are not there."""
    folder = shared / "tokenizers" / "bert_chinese"
    if not folder.is_dir():
        return
    tokenizer = collators.load_tokenizer(folder)
    with tempfile.TemporaryDirectory() as scratch:
        for name, split in _SETS:
            data = str(shared / "realdata" / name)
            records = hf_builders.load_dataset(name, "mrc", split=split, data_dir=data, cache_dir=f"{scratch}/cache")
            for max_length, doc_stride in _SHAPES:
                paths = paths_of(tokenizer, max_length, doc_stride)
                folder = Path(tempfile.mkdtemp(dir=scratch))
                made = [run(records, str(folder / f"{number}.arrow")) for number, run in enumerate(paths.values())]
                equal = check_equal(made[:2])
                times: dict[str, list[float]] = {path: [] for path in paths}
                for number in range(num_rounds):
                    for path, run in paths.items():
                        start = time.perf_counter()
                        run(records, str(folder / f"{number}-{path}.arrow"))
                        times[path].append(time.perf_counter() - start)
                reference = statistics.median(times["transformers, as documented"])
                for path, some in times.items():
                    median = statistics.median(some)
                    yield {
                        "set": f"{name} {split}", "windows of": f"{max_length}, {doc_stride}", "path": path,
                        "records": len(records), "records/s": len(records) / median,
                        "slowest and fastest": f"{len(records) / max(some):,.0f}–{len(records) / min(some):,.0f}",
                        "times as fast": reference / median, "windows alike": equal,
                    }  # fmt: skip


def check_equal(made: list[Dataset]) -> str:
    """See that two paths gave the same windows, and say how many; ours lacks those of some records."""
    theirs, ours = (each.with_format(None).to_list() for each in made)
    kept = {row["example_id"] for row in ours}
    theirs_of_kept = [row for row in theirs if row["example_id"] in kept]
    assert len(theirs_of_kept) == len(ours)
    for other, own in zip(theirs_of_kept, ours, strict=True):
        for name in ("example_id", "input_ids", "token_type_ids", "attention_mask"):
            assert other[name] == own[name], (own["example_id"], name)
        for name in ("start_positions", "end_positions"):
            # White space at the ends of an answer has no token: there the documented loop takes one more.
            assert abs(other[name] - own[name]) <= 1, (own["example_id"], name)
    return f"{len(ours):,} of {len(theirs):,}"


def page(lines: list[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    head = list(lines[0])
    cells = [
        [f"{each[name]:,.1f}" if isinstance(each[name], float) else str(each[name]) for name in head] for each in lines
    ]
    table = [head, ["---"] * len(head), *cells]
    facts = ", ".join(f"{name} {value}" for name, value in machine_facts().items() if not isinstance(value, dict))
    versions = ", ".join(f"{module.__name__} {module.__version__}" for module in (datasets, hf_builders))
    return "\n".join(
        [
            "# Windows for encoders\n",
            "Written by `python -m tests.benchmarks.span_windows --write`; nothing here is typed by hand.",
            f"Machine: {facts}; {versions}. {_NUM_ROUNDS} rounds, alternating, medians.\n",
            *(f"| {' | '.join(row)} |" for row in table),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.span_windows")
    parser.add_argument("--write", action="store_true", help="write SPAN_RESULTS.md beside this file, not on stdout")
    options = parser.parse_args()
    datasets.disable_progress_bars()
    lines = list(measure())
    if not lines:
        print("no real rows or vocabulary beside the checkout: nothing measured")
    elif options.write:
        (HERE / "SPAN_RESULTS.md").write_text(page(lines), encoding="utf-8")
    else:
        print(page(lines))


if __name__ == "__main__":
    main()
