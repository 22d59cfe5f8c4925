"""What every pipeline script shares: its arguments, its clock, and the one line of JSON it ends with.

A pipeline is one script that runs in a process and a venv of its own:

    python peers/llamafactory_rows.py RAW OUT TOKENIZER [--dump]

RAW is the raw file, OUT an empty folder for what the run writes, TOKENIZER a model folder. The clock runs from the raw
file to labelled rows in Arrow files; interpreter, imports and the loading of the tokenizer lie before it. With `--dump`
the rows are written once more after the clock has stopped, as arrays that can be compared between pipelines.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import resource
import time
from pathlib import Path

import numpy as np

MAX_LENGTH = 2048
# Qwen2.5's chat template writes it when no system message is given; two peers want it as an argument instead.
QWEN_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
_BATCH = 10_000


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("raw", type=Path)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("tokenizer", type=Path)
    arguments.add_argument("--dump", action="store_true")
    return arguments


class MeasuredRun:
    """The clock of one run: `start()` before the raw file is opened, `finish(rows)` when the rows are on disk."""

    def __init__(self, arguments: argparse.Namespace, libraries: list[str]) -> None:
        self.arguments = arguments
        self.libraries = libraries
        self._seconds = self._cpu_seconds = 0.0
        self._since: tuple[float, float] | None = None

    def start(self) -> None:
        self._since = time.perf_counter(), cpu_seconds()

    def stop(self) -> None:
        """Hold the clock; `start` lets it go on."""
        assert self._since is not None, "stopped without a start"
        self._seconds += time.perf_counter() - self._since[0]
        self._cpu_seconds += cpu_seconds() - self._since[1]
        self._since = None

    def finish(self, rows, **more) -> None:
        """Stop, and report on `rows`: a `datasets.Dataset` with input_ids and labels; `more` goes into the report."""
        if self._since is not None:
            self.stop()
        peak = peak_bytes()
        lengths, ids, labels = token_arrays(rows)
        self.report(len(lengths), len(ids), peak, **more)
        if self.arguments.dump:
            np.savez(self.arguments.out / "rows.npz", lengths=lengths, ids=ids, labels=labels)

    def report(self, rows: int, tokens: int, peak: int | None = None, **more) -> None:
        if self._since is not None:
            self.stop()
        whole = time.time() - float(os.environ.get("BENCHMARK_STARTED", "nan"))
        facts = {
            "rows": rows,
            "tokens": tokens,
            "seconds": self._seconds,
            "cpu_seconds": self._cpu_seconds,
            "process_seconds": whole,
            "peak_bytes": peak_bytes() if peak is None else peak,
            "versions": {name: importlib.metadata.version(name) for name in self.libraries},
        }
        print("\n" + json.dumps(facts | more), flush=True)


def cpu_seconds() -> float:
    """Of all threads, and of the children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def peak_bytes() -> int:
    """The largest resident memory so far, of this process or the largest of its children."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return 1024 * max(resource.getrusage(each).ru_maxrss for each in who)


def token_arrays(rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lengths, and ids and labels end to end, in the order of the rows."""
    tables = rows.select_columns(["input_ids", "labels"]).with_format("arrow").iter(_BATCH)
    lengths, ids, labels = [], [], []
    for table in tables:
        for chunk in table["input_ids"].chunks:
            lengths.append(chunk.value_lengths().to_numpy().astype(np.int32))
            ids.append(chunk.flatten().to_numpy().astype(np.int32))
        labels += [chunk.flatten().to_numpy().astype(np.int32) for chunk in table["labels"].chunks]
    return np.concatenate(lengths), np.concatenate(ids), np.concatenate(labels)
