"""A run config in, a folder of token rows out, with the manifest that proves what is in it, and a report."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

import collators
from collators.tokenization import code_digest
from collators.tokenizers import tokenizer_digest
from hf_builders import __version__
from hf_builders.builder import RecordBuilder
from hf_builders.cleaned_records import clean_records
from hf_builders.errors import ConfigError
from hf_builders.prepared_folder import drafted, write_manifest
from hf_builders.prepared_split import MadeSplits, RecordsToWrite, digest_of, save_splits
from hf_builders.prepared_tokens import write_token_rows
from hf_builders.prepared_windows import write_windows
from hf_builders.quarantine import read_accounts, read_sources
from hf_builders.report import write_report
from hf_builders.run_config import CleanSection, RunConfig
from hf_builders.run_records import load_records, options_of
from hf_builders.summaries import SplitSummary, WindowSummary

_LIBRARIES = ("datasets", "pyarrow", "numpy", "transformers", "tokenizers", "sentencepiece")


@dataclass(frozen=True)
class Prepared:
    folder: Path
    splits: dict[str, SplitSummary] | dict[str, WindowSummary]
    digest: str
    """Of all ids and labels; the same whatever `num_proc` and `engine` were."""


def prepare(config: RunConfig) -> Prepared:
    """Read, tokenize and write one dataset; the folder appears whole or not at all.

    Raises:
        HfBuildersError: names, options or raw files are wrong, or the output folder holds something else.
        collators.TokenizationError: the tokenizer or its template does not do, or no row of a split is left.
    """
    if faults := list(config.contradictions()):  # of a config that was written in Python and not read
        raise ConfigError("\n".join(faults))
    with drafted(config.output.dir) as draft:
        builder, loaded = load_records(config.dataset)
        tokenizer = collators.load_tokenizer(config.tokenizer)
        quarantine = draft / "quarantine"
        quarantine.mkdir()
        for path in Path(builder.cache_dir).glob("quarantine-*.jsonl"):
            shutil.copy(path, quarantine / path.name.removeprefix("quarantine-"))
        records = _cleaned(loaded, config.clean, Path(builder.cache_dir), quarantine)
        if config.spans is not None:
            made = write_windows(draft, records, tokenizer, config.spans)
        else:
            assert config.tokenize is not None  # one of the two is there
            made = write_token_rows(draft, records, tokenizer, config.tokenize, config.pack)
        save_splits(draft / "data", made.splits)
        digest = digest_of({name: split.digest for name, split in made.splits.items()})
        facts = _facts(config, builder, tokenizer, made, digest)
        # Texts as they were read, those that cleaning drops too; rows of a table have none before the template.
        has_template = config.clean is not None and config.clean.template is not None
        write_report(draft, facts, tokenizer, records.splits if has_template else loaded)
        write_manifest(draft, facts)
    return Prepared(Path(config.output.dir), made.summaries, digest)


def _cleaned(
    records: datasets.DatasetDict, section: CleanSection | None, cache: Path, quarantine: Path
) -> RecordsToWrite:
    """The records behind the steps of `clean`; those dropped are left out of the account, and named in a file."""
    accounts = read_accounts(cache)
    if section is None:
        return RecordsToWrite(records, accounts, {})
    records, cleaned = clean_records(records, section, cache)
    for name, split in cleaned.items():
        if split.dropped:
            shutil.copy(split.notes, quarantine / f"{name}-cleaned.jsonl")
        accounts[name].left_out.update({f"clean.{step}": rows for step, rows in split.dropped.items()})
    return RecordsToWrite(records, accounts, {name: split.counts for name, split in cleaned.items()})


def _facts(
    config: RunConfig,
    builder: RecordBuilder,
    tokenizer: Any,
    made: MadeSplits,
    digest: str,
) -> dict[str, Any]:
    steps = config.clean.parsed([]) if config.clean else []
    libraries = dict.fromkeys(
        [*_LIBRARIES, made.engine, *sorted({name for step in steps for name in step.libraries()})]
    )
    return {
        "format": 1,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "dataset": options_of(config.dataset),
        "clean": options_of(config.clean),
        "tokenize": options_of(config.tokenize),
        "spans": options_of(config.spans),
        "pack": options_of(config.pack),
        "sources": read_sources(Path(builder.cache_dir)),
        "tokenizer_digest": tokenizer_digest(tokenizer),
        "records_hash": builder.hash,
        "code_digest": code_digest(),
        "versions": {"hf-builders": __version__, **{name: importlib.metadata.version(name) for name in libraries}},
        "engine": made.engine,
        "splits": {split: dataclasses.asdict(summary) for split, summary in made.summaries.items()},
        "statistics": {split: dataclasses.asdict(statistics) for split, statistics in made.statistics.items()},
        "digest": digest,
    }
