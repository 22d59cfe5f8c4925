"""Do other trainers make of our exports the token rows we made? `python -m tests.benchmarks.export_agreement PEERS`.

Every set of real records is prepared, exported for each peer, and read by the peer's own loader in the peer's own venv
(`make_peers` makes them), with the settings that the export wrote. Every row is compared: ids, then labels where the
ids are the same.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import yaml

import collators
from hf_builders.exports import export
from hf_builders.prepare import prepare
from hf_builders.run_config import parse_run_config
from tests.benchmarks.distinct_rows import RawFiles
from tests.benchmarks.export_differences import Differences, Row, compare
from tests.benchmarks.export_sets import SETS, ExportSet, run_config
from tests.benchmarks.machine import machine_facts
from tests.benchmarks.pipelines import Pipeline
from tests.benchmarks.running import HERE, RunFailed, Workplace, run
from tests.benchmarks.tokenizer_folders import copy_tokenizers

SHARED = HERE.parents[2] / "shared"
_TITLES = {"llamafactory": "LLaMA-Factory", "trl": "TRL", "swift": "ms-swift"}
_PEERS = {
    "qwen2_5": {
        "llamafactory": ("llamafactory", ("--template", "qwen")),
        "trl": ("trl", ()),
        "swift": ("ms-swift", ()),
    },
    # TRL takes the chat template of the tokenizer, and ChatGLM3's has none; ms-swift wants its remote code.
    "chatglm3": {"llamafactory": ("llamafactory", ("--template", "chatglm3"))},
}


@dataclass(frozen=True)
class Compared:
    """One set, exported for one peer."""

    tokenizer: str
    title: str
    peer: str
    notes: Sequence[str]
    """Of the export."""
    found: Differences = field(default_factory=Differences)
    versions: dict[str, str] = field(default_factory=dict)
    failure: str | None = None


def rows_of(folder: Path) -> list[Row]:
    """Our token rows of all splits, in their order."""
    splits = datasets.load_from_disk(str(folder / "data"))
    tables = [splits[name].with_format("arrow")[:] for name in splits]
    return [
        Row(ids, labels)
        for table in tables
        for ids, labels in zip(*(_lists(table[name]) for name in ("input_ids", "labels")), strict=True)
    ]


def _lists(column: Any) -> list[np.ndarray[Any, Any]]:
    array = column.combine_chunks()
    return np.split(array.flatten().to_numpy(), np.cumsum(array.value_lengths().to_numpy())[:-1])


def rows_in(file: Path) -> list[Row]:
    """Rows as `measured_run` dumps them."""
    with np.load(file) as arrays:
        ends = np.cumsum(arrays["lengths"])[:-1]
        return [
            Row(*each) for each in zip(np.split(arrays["ids"], ends), np.split(arrays["labels"], ends), strict=True)
        ]


def compare_set(each: ExportSet, tokenizer: str, place: Workplace) -> Iterator[Compared]:
    """One line for each peer that has a template for the tokenizer."""
    out = place.work / "prepared" / f"{each.name}_{tokenizer}"
    config = run_config(each, SHARED / "realdata", place.work, place.tokenizer(tokenizer), out)
    prepare(parse_run_config(yaml.safe_dump(config), each.name))
    ours, loaded = rows_of(out), collators.load_tokenizer(place.tokenizer(tokenizer))
    for peer, (venv, arguments) in _PEERS[tokenizer].items():
        exported = export(out, peer)
        line = (tokenizer, each.title, peer, exported.notes)
        form = "_fast" if tokenizer == "chatglm3" else ""
        pipeline = Pipeline(peer, peer, "peer", f"peers/{peer}_export.py", "raw", arguments, venv, form)
        dump = place.work / "dumps" / f"{each.name}_{tokenizer}_{peer}.npz"
        try:
            facts = run(pipeline, "", tokenizer, RawFiles(*[exported.folder] * 4), place, dump=dump)
        except RunFailed as failure:
            yield Compared(*line, Differences(len(ours)), failure=str(failure))
        else:
            yield Compared(*line, compare(ours, rows_in(dump), loaded), facts["versions"])


def page(lines: Sequence[Compared]) -> str:
    text = [
        "# What other trainers make of our exports\n",
        "Written by `python -m tests.benchmarks.export_agreement PEERS --write`; nothing here is typed by hand.",
        "Each set of real records is prepared (no row is cut), exported with `hf-builders export`, and read by the "
        "peer's own loader in its own venv, with the settings the export wrote; all rows of all splits are compared "
        "with ours, labels where ids are the same.",
    ]
    for tokenizer, peer in dict.fromkeys((line.tokenizer, line.peer) for line in lines):
        some = [line for line in lines if (line.tokenizer, line.peer) == (tokenizer, peer)]
        versions = next((line.versions for line in some if line.versions), {})
        text += [
            f"\n## {_TITLES[peer]}, {tokenizer}\n",
            f"{', '.join(f'{name} {version}' for name, version in versions.items())}\n",
            "| records | exported | rows of the peer | ids as ours | labels as ours | but for tokens of the format |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *(_row(line) for line in some),
            "",
        ]
        for line in some:
            text += [f"- {line.title}: {difference}" for difference in line.found.lines()]
            text += [f"- {line.title}: `hf-builders export` says: {note}" for note in line.notes]
            if line.failure is not None:
                text.append(f"- {line.title}: {line.failure}")
    facts = machine_facts()
    ours = ", ".join(f"{name} {value}" for name, value in facts["versions"].items())
    return "\n".join([*text, "", f"Ours: Python {facts['python']}, {ours}", ""])


def _row(line: Compared) -> str:
    found = line.found
    numbers = (found.rows, found.read, found.ids_equal, found.labels_equal, found.answers_equal)
    counts = [f"{count:,}" for count in numbers]
    return f"| {line.title} | {' | '.join(counts if line.failure is None else [counts[0], 'refused', '', '', ''])} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.export_agreement")
    parser.add_argument("peers", type=Path, help="the folder of `make_peers`")
    parser.add_argument("--only", nargs="*", default=[each.name for each in SETS], metavar="SET")
    parser.add_argument("--write", action="store_true", help="write EXPORT_RESULTS.md beside this file, not on stdout")
    options = parser.parse_args()
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as scratch:
        place = Workplace(Path(scratch), options.peers.resolve())
        found = copy_tokenizers(SHARED / "tokenizers", place.work / "tokenizers")
        lines = [
            line
            for tokenizer in _PEERS
            for each in SETS
            if tokenizer in found and each.name in options.only
            for line in compare_set(each, tokenizer, place)
        ]
    if not lines:
        print("no real rows or tokenizers beside the checkout: nothing compared")
    elif options.write:
        (HERE / "EXPORT_RESULTS.md").write_text(page(lines), encoding="utf-8")
    else:
        print(page(lines))


if __name__ == "__main__":
    main()
