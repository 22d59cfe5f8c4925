"""hf-builders through its public API: raw file -> token rows in Arrow files.

`--through api` calls `load_dataset` and `tokenize`; `--through prepare` runs `hf-builders prepare` on a config, with
the manifest, the counts and the digest that come with it; its clock holds the loading of the tokenizer too.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import sys
from pathlib import Path

import yaml

sys.path[:0] = [str(Path(__file__).parent / "peers"), str(Path(__file__).resolve().parents[2])]

from measured_run import MAX_LENGTH, MeasuredRun, parser  # noqa: E402  (lies in the folder of the peers' scripts)

LIBRARIES = ["transformers", "tokenizers", "datasets", "pyarrow"]
DATASETS = {"advertising": "adgen", "medical": "chinese_medical_dialogue"}


def main() -> None:
    arguments = parser()
    arguments.add_argument("--kind", choices=DATASETS, required=True)
    arguments.add_argument("--through", choices=("api", "prepare"), default="api")
    arguments.add_argument("--engine")
    arguments.add_argument("--num-proc", type=int)
    options = arguments.parse_args()
    run = MeasuredRun(options, LIBRARIES)
    _import_what_is_needed()
    (_through_prepare if options.through == "prepare" else _through_api)(options, run)


def _import_what_is_needed() -> None:
    """Before the clock, as in every pipeline; the engine's own libraries too, where they are installed."""
    for name in ("collators.dataset_tokenization", "hf_builders.registry", "gigatoken", "awkward", "sentencepiece"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _through_api(options: argparse.Namespace, run: MeasuredRun) -> None:
    import collators
    import hf_builders

    tokenizer = collators.load_tokenizer(str(options.tokenizer))
    run.start()
    records = hf_builders.load_dataset(DATASETS[options.kind], "messages", data_files=str(options.raw), split="train")
    run.finish(collators.tokenize(records, tokenizer, **_rules(options)))


def _through_prepare(options: argparse.Namespace, run: MeasuredRun) -> None:
    import datasets

    import collators
    from hf_builders.cli import main as command

    collators.load_tokenizer(str(options.tokenizer))  # imports what it needs, as every pipeline does before its clock
    folder, path = options.out / "prepared", options.out / "run.yaml"
    config = {
        "dataset": {"name": DATASETS[options.kind], "view": "messages", "data_files": str(options.raw)},
        "tokenize": {"tokenizer": str(options.tokenizer), **_rules(options)},
        "output": {"dir": str(folder)},
    }
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    run.start()
    exit_code = command(["prepare", str(path)])
    run.stop()
    if exit_code:
        sys.exit(exit_code)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    run.finish(datasets.load_from_disk(folder / "data")["train"], digest=manifest["digest"])


def _rules(options: argparse.Namespace) -> dict[str, object]:
    given = {"engine": options.engine, "num_proc": options.num_proc}
    return {"max_length": MAX_LENGTH} | {name: value for name, value in given.items() if value is not None}


if __name__ == "__main__":
    main()
