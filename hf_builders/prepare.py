"""A run config in, a folder of token rows out, with the manifest that proves what is in it.

OUT/data/         token rows by split (`datasets.load_from_disk`)
OUT/manifest.json sources, options, versions, counts, statistics and a digest of all ids and labels
OUT/quarantine/   raw rows that could not be read, and records that gave no token row, each with its reason
"""

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
from collators.tokenizers import tokenizer_digest
from hf_builders import __version__
from hf_builders.builder import RecordBuilder
from hf_builders.errors import SourceError
from hf_builders.quarantine import Account, read_accounts, read_sources
from hf_builders.registry import builder_class
from hf_builders.run_config import DatasetSection, RunConfig, TokenizeSection

MANIFEST = "manifest.json"
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
    folder = Path(config.output.dir)
    _check_replaceable(folder)
    builder, records = _load(config.dataset)
    tokenizer = collators.load_tokenizer(config.tokenize.tokenizer)
    accounts = read_accounts(Path(builder.cache_dir))
    rows = collators.token_rows(records, tokenizer, num_proc=config.tokenize.num_proc, **_rules(config.tokenize))

    draft = folder.with_name(f".{folder.name}.draft-{os.getpid()}")
    try:
        (draft / "quarantine").mkdir(parents=True)
        collators.kept_rows(rows, max_length=config.tokenize.max_length).save_to_disk(draft / "data")
        kept = datasets.load_from_disk(draft / "data")  # what is counted and hashed is what was written
        for split, table in rows.items():
            _write_set_aside(table, draft / "quarantine" / f"{split}-records.jsonl")
        for path in Path(builder.cache_dir).glob("quarantine-*.jsonl"):
            shutil.copy(path, draft / "quarantine" / path.name.removeprefix("quarantine-"))
        summaries = {split: _summarise(table, kept[split], accounts[split]) for split, table in rows.items()}
        digest = digest_of(kept)
        manifest = _manifest(config, builder, tokenizer, summaries, digest)
        (draft / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        _swap_in(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Prepared(folder, summaries, digest)


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """The manifest of a prepared folder.

    Raises:
        SourceError: there is none.
    """
    path = Path(folder, MANIFEST)
    if not path.is_file():
        raise SourceError(f"{folder}: holds no {MANIFEST}; make the folder with `hf-builders prepare`")
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest


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


def _load(section: DatasetSection) -> tuple[RecordBuilder, datasets.DatasetDict]:
    origin = {name: getattr(section, name) for name in ("data_dir", "data_files", "download", "sample")}
    builder = builder_class(section.name)(
        config_name=section.view, on_bad_row=section.on_bad_row, **origin, **section.options
    )
    builder.download_and_prepare(num_proc=section.num_proc)
    return builder, builder.as_dataset()


def _write_set_aside(rows: datasets.Dataset, path: Path) -> None:
    table = rows.with_format("arrow")[:]
    table = table.filter(pc.is_valid(table["set_aside"])).select(["id", "length", "set_aside"])
    if len(table):
        with path.open("w", encoding="utf-8") as file:
            for record in table.rename_columns(["id", "length", "reason"]).to_pylist():
                file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _summarise(rows: datasets.Dataset, kept: datasets.Dataset, account: Account) -> SplitSummary:
    reasons = pc.value_counts(rows.data.column("set_aside").drop_null())
    lengths = kept.data.column("length").to_numpy()
    labels = (batch.column("labels").flatten().to_numpy() for batch in kept.data.to_batches())
    return SplitSummary(
        rows_read=account.read,
        rows_kept=len(kept),
        left_out=dict(account.left_out),
        quarantined=dict(account.quarantined),
        set_aside={each["values"]: each["counts"] for each in reasons.to_pylist()},
        tokens=int(lengths.sum()),
        trained_tokens=sum(int(np.count_nonzero(batch != collators.IGNORE_INDEX)) for batch in labels),
        length_percentiles={
            name: int(np.percentile(lengths, share, method="inverted_cdf"))
            for name, share in (("min", 0), ("50", 50), ("95", 95), ("max", 100))
        },
    )


def _manifest(
    config: RunConfig, builder: RecordBuilder, tokenizer: Any, splits: dict[str, SplitSummary], digest: str
) -> dict[str, Any]:
    return {
        "format": 1,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "dataset": options_of(config.dataset),
        "tokenize": options_of(config.tokenize),
        "sources": read_sources(Path(builder.cache_dir)),
        "tokenizer_digest": tokenizer_digest(tokenizer),
        "code_hash": builder.hash,
        "versions": {"hf-builders": __version__, **{name: importlib.metadata.version(name) for name in _LIBRARIES}},
        "splits": {split: dataclasses.asdict(summary) for split, summary in splits.items()},
        "digest": digest,
    }


def _check_replaceable(folder: Path) -> None:
    """Raises `SourceError` where the output folder holds anything `prepare` did not write."""
    if not folder.exists():
        return
    ours = {"data", "quarantine", MANIFEST}
    others = sorted(path.name for path in folder.iterdir() if path.name not in ours)
    if others or (any(folder.iterdir()) and not (folder / MANIFEST).exists()):
        raise SourceError(
            f"{folder}: holds {', '.join(others[:3]) or 'data without a manifest'}, which prepare did not write; "
            "choose another output.dir, or empty the folder"
        )


def _swap_in(draft: Path, folder: Path) -> None:
    """Put the finished draft in the folder's place."""
    old = folder.with_name(f".{folder.name}.old-{os.getpid()}")
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
