"""Every pipeline once, then every pipeline again: what slows the machine for a while slows all of them."""

from __future__ import annotations

import dataclasses
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.agreement import compare_files
from tests.benchmarks.distinct_rows import RawFiles
from tests.benchmarks.pipelines import Pipeline
from tests.benchmarks.running import RunFailed, Workplace, run

OURS = "ours"


def alternate(
    pipelines: Sequence[Pipeline],
    kind: str,
    tokenizer: str,
    files: Mapping[bool, RawFiles],
    place: Workplace,
    repeats: int,
) -> dict[str, Any]:
    """By pipeline: its runs' medians, how its rows agree with ours, or why it failed.

    `files[True]` are the rows of pipelines that run on few rows. In the first round each run leaves its rows for
    comparison.
    """
    runs: dict[str, list[dict[str, Any]]] = {each.name: [] for each in pipelines}
    failed: dict[str, str] = {}
    dumps = {each.name: place.work / "dumps" / f"{tokenizer}-{kind}-{each.name}.npz" for each in pipelines}
    for dump in dumps.values():
        dump.unlink(missing_ok=True)
    for number in range(repeats):
        for pipeline in pipelines:
            if pipeline.name in failed:
                continue
            dump = dumps[pipeline.name] if number == 0 and pipeline.has_labels else None
            try:
                facts = run(pipeline, kind, tokenizer, files[pipeline.on_few_rows], place, dump=dump)
            except RunFailed as error:
                failed[pipeline.name] = str(error)
                tell(f"{tokenizer} {kind} {pipeline.name}: {error}")
                continue
            runs[pipeline.name].append(facts)
            speed = f"{facts['rows'] / facts['seconds']:,.0f} rows/s"
            tell(f"{tokenizer} {kind} {pipeline.name} {number + 1}/{repeats}: {speed}")
    results: dict[str, Any] = {}
    for pipeline in pipelines:
        if pipeline.name in failed:
            results[pipeline.name] = {"failed": failed[pipeline.name]}
        else:
            results[pipeline.name] = medians(runs[pipeline.name])
            results[pipeline.name]["agreement"] = _agreement(dumps[OURS], dumps[pipeline.name])
    return results


def medians(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The median of each measure, and how far apart the fastest and the slowest run lie.

    >>> run = {"rows": 10, "tokens": 30, "cpu_seconds": 2.0, "process_seconds": 2.0, "peak_bytes": 5, "versions": {}}
    >>> result = medians([run | {"seconds": 1.0}, run | {"seconds": 4.0}, run | {"seconds": 2.0}])
    >>> result["seconds"], result["rows_per_second"], result["fastest"], result["slowest"]
    (2.0, 5.0, 10.0, 2.5)
    """
    result = dict(runs[0])
    for measure in ("seconds", "cpu_seconds", "process_seconds", "peak_bytes"):
        result[measure] = statistics.median(each[measure] for each in runs)
    rates = [each["rows"] / each["seconds"] for each in runs]
    result["rows_per_second"] = result["rows"] / result["seconds"]
    result["tokens_per_second"] = result["tokens"] / result["seconds"]
    return result | {"runs": len(runs), "fastest": max(rates), "slowest": min(rates)}


def _agreement(ours: Path, other: Path) -> dict[str, Any] | None:
    if not ours.exists() or not other.exists() or ours == other:
        return None
    return dataclasses.asdict(compare_files(ours, other))


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
