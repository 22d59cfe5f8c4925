"""A run config in, a folder of token rows out, with the manifest that proves what is in it (`prepared_folder`)."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import importlib.metadata
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.compute as pc

import collators
from collators.ledger import LEDGER
from collators.tokenization import code_digest
from collators.tokenizers import tokenizer_digest
from hf_builders import __version__
from hf_builders.builder import RecordBuilder
from hf_builders.errors import ConfigError
from hf_builders.locations import DATA_ENVIRONMENT_VARIABLE
from hf_builders.prepared_folder import drafted, write_manifest
from hf_builders.quarantine import Account, read_accounts, read_sources
from hf_builders.registry import builder_class
from hf_builders.run_config import DatasetSection, RunConfig, TokenizeSection

_LIBRARIES = ("datasets", "pyarrow", "numpy", "transformers", "tokenizers", "sentencepiece")


@dataclass(frozen=True)
class SplitSummary:
    """One split of a prepared folder in numbers. Rows: `read = kept + left_out + quarantined + set_aside`."""

    rows_read: int
    rows_kept: int
    left_out: dict[str, int]
    """Good raw rows the dataset's options keep out, by reason."""
    quarantined: dict[str, int]
    """Bad raw rows, by reason."""
    set_aside: dict[str, int]
    """Records that gave no token row, by reason."""
    rows_cut: int
    """Kept rows that lost tokens to `max_length`, and what they lost:"""
    tokens_cut: int
    trained_tokens_cut: int
    turns_cut: int
    """Messages of them that lost tokens."""
    texts_left_out: int
    """Texts the chat template does not write: reasoning of earlier turns, what is said beside a call."""
    control_texts: int
    """Control tokens that stand in the records' texts, where they stay text."""
    tokens_straddling: int
    """Tokens across the border of prompt and answer; they are not trained."""
    tokens: int
    trained_tokens: int
    length_percentiles: dict[str, int]
    """Tokens of a kept row, at `min`, `50`, `95` and `max`."""


@dataclass(frozen=True)
class Prepared:
    folder: Path
    splits: dict[str, SplitSummary]
    digest: str
    """Of all ids and labels; the same whatever `num_proc` was."""


def prepare(config: RunConfig) -> Prepared:
    """Read, tokenize and write one dataset; the folder appears whole or not at all.

    Raises:
        HfBuildersError: names, options or raw files are wrong, or the output folder holds something else.
        collators.TokenizationError: the tokenizer or its template does not do, or no row of a split is left.
    """
    if config.dataset.view == "source":
        raise ConfigError("dataset.view: 'source' has no conversations to tokenize; choose messages or another view")
    with drafted(config.output.dir) as draft:
        builder, records = load_records(config.dataset)
        tokenizer = collators.load_tokenizer(config.tokenize.tokenizer)
        rows = collators.token_rows(records, tokenizer, num_proc=config.tokenize.num_proc, **_rules(config.tokenize))
        collators.kept_rows(rows, max_length=config.tokenize.max_length).save_to_disk(draft / "data")
        kept = datasets.load_from_disk(draft / "data")  # what is counted and hashed is what was written
        _write_quarantine(draft / "quarantine", rows, Path(builder.cache_dir))
        accounts = read_accounts(Path(builder.cache_dir))
        summaries = {split: _summarise(table, kept[split], accounts[split]) for split, table in rows.items()}
        digest = digest_of(kept)
        write_manifest(draft, _facts(config, builder, tokenizer, summaries, digest))
    return Prepared(Path(config.output.dir), summaries, digest)


def digest_of(splits: datasets.DatasetDict) -> str:
    """SHA-256 of all ids and labels, split by split; how the rows lie in chunks and files does not show in it."""
    digest = hashlib.sha256()
    for split in sorted(splits):
        columns = {name: hashlib.sha256() for name in ("length", "input_ids", "labels")}
        for batch in splits[split].data.to_batches():
            for name, column in columns.items():
                values = batch.column(name)
                flat = values if name == "length" else values.flatten()
                column.update(flat.to_numpy().astype("<i4", copy=False).tobytes())
        digest.update("|".join([split, *(column.hexdigest() for column in columns.values())]).encode())
    return digest.hexdigest()


def options_of(section: DatasetSection | TokenizeSection) -> dict[str, Any]:
    """What of a section makes a difference to the rows; how many processes made them does not."""
    return {name: value for name, value in dataclasses.asdict(section).items() if name != "num_proc"}


def _rules(section: TokenizeSection) -> dict[str, Any]:
    return {name: value for name, value in options_of(section).items() if name != "tokenizer"}


def load_records(section: DatasetSection) -> tuple[RecordBuilder, datasets.DatasetDict]:
    """The records a run names, and the builder that made them.

    Raises:
        HfBuildersError: names, options or raw files are wrong.
    """
    origin = {name: getattr(section, name) for name in ("data_dir", "data_files", "download", "sample")}
    builder = builder_class(section.name)(
        config_name=section.view, on_bad_row=section.on_bad_row, **origin, **section.options
    )
    if section.download and builder.sources is not None:
        root = os.environ[DATA_ENVIRONMENT_VARIABLE]
        raise ConfigError(
            f"dataset.download: {DATA_ENVIRONMENT_VARIABLE}={root} holds {section.name}/ and comes first; "
            "name that folder as dataset.data_dir, or unset the variable"
        )
    builder.download_and_prepare(num_proc=section.num_proc)
    return builder, builder.as_dataset()


def _write_quarantine(folder: Path, rows: datasets.DatasetDict, cache_folder: Path) -> None:
    """The bad raw rows of the load, and the records that gave no token row."""
    folder.mkdir()
    for path in cache_folder.glob("quarantine-*.jsonl"):
        shutil.copy(path, folder / path.name.removeprefix("quarantine-"))
    for split, some in rows.items():
        table = some.with_format("arrow")[:]
        table = table.filter(pc.is_valid(table["set_aside"])).select(["id", "length", "set_aside"])
        if len(table):
            with (folder / f"{split}-records.jsonl").open("w", encoding="utf-8") as file:
                for record in table.rename_columns(["id", "length", "reason"]).to_pylist():
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _summarise(rows: datasets.Dataset, kept: datasets.Dataset, account: Account) -> SplitSummary:
    reasons = pc.value_counts(rows.data.column("set_aside").drop_null())
    lengths = kept.data.column("length").to_numpy()
    labels = (batch.column("labels").flatten().to_numpy() for batch in kept.data.to_batches())
    totals = {name: pc.sum(rows.data.column(name)).as_py() for name in LEDGER if name != "set_aside"}
    return SplitSummary(
        rows_read=account.read,
        rows_kept=len(kept),
        left_out=dict(account.left_out),
        quarantined=dict(account.quarantined),
        set_aside={each["values"]: each["counts"] for each in reasons.to_pylist()},
        rows_cut=pc.sum(pc.greater(rows.data.column("cut"), 0)).as_py(),
        tokens_cut=totals["cut"],
        trained_tokens_cut=totals["cut_trained"],
        turns_cut=totals["cut_turns"],
        texts_left_out=totals["left_out"],
        control_texts=totals["control_texts"],
        tokens_straddling=totals["straddling"],
        tokens=int(lengths.sum()),
        trained_tokens=sum(int(np.count_nonzero(batch != collators.IGNORE_INDEX)) for batch in labels),
        length_percentiles={
            name: int(np.percentile(lengths, share, method="inverted_cdf"))
            for name, share in (("min", 0), ("50", 50), ("95", 95), ("max", 100))
        },
    )


def _facts(
    config: RunConfig, builder: RecordBuilder, tokenizer: Any, splits: dict[str, SplitSummary], digest: str
) -> dict[str, Any]:
    return {
        "format": 1,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "dataset": options_of(config.dataset),
        "tokenize": options_of(config.tokenize),
        "sources": read_sources(Path(builder.cache_dir)),
        "tokenizer_digest": tokenizer_digest(tokenizer),
        "records_hash": builder.hash,
        "code_digest": code_digest(),
        "versions": {"hf-builders": __version__, **{name: importlib.metadata.version(name) for name in _LIBRARIES}},
        "splits": {split: dataclasses.asdict(summary) for split, summary in splits.items()},
        "digest": digest,
    }
