"""A run config in, a folder of token rows out, with the manifest that proves what is in it (`prepared_folder`)."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import datasets

import collators
from collators.engines import EngineMismatch
from collators.token_tables import choose_engine_by, token_row_features, token_row_tables, with_proven_engine
from collators.tokenization import code_digest
from collators.tokenizers import tokenizer_digest
from hf_builders import __version__
from hf_builders.builder import RecordBuilder
from hf_builders.cleaned_records import CleanedSplit, clean_records
from hf_builders.cleaning import StepCounts
from hf_builders.errors import ConfigError
from hf_builders.prepared_folder import drafted, write_manifest
from hf_builders.prepared_split import SplitWriter, WrittenSplit, digest_of, pack_split, save_splits
from hf_builders.prepared_windows import write_windows
from hf_builders.quarantine import Account, read_accounts, read_sources
from hf_builders.run_config import CleanSection, PackSection, RunConfig, TokenizeSection
from hf_builders.run_records import load_records, options_of
from hf_builders.summaries import PackSummary, SplitSummary, WindowSummary

logger = logging.getLogger(__name__)

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
        engine = "tokenizers"
        splits: dict[str, WrittenSplit]
        summaries: dict[str, SplitSummary] | dict[str, WindowSummary]
        if config.spans is not None:
            splits, summaries = write_windows(draft, loaded, tokenizer, config.spans, records.accounts)
        else:
            assert config.tokenize is not None  # one of the two is there
            splits, summaries, engine = _write_token_rows(draft, records, tokenizer, config.tokenize, config.pack)
        save_splits(draft / "data", splits)
        digest = digest_of({name: split.digest for name, split in splits.items()})
        write_manifest(draft, _facts(config, builder, tokenizer, engine, summaries, digest))
    return Prepared(Path(config.output.dir), summaries, digest)


class _Records(NamedTuple):
    """What is tokenized, by split, and where the rows went that are not."""

    splits: datasets.DatasetDict
    accounts: dict[str, Account]
    cleaned: dict[str, CleanedSplit]
    """Nothing where a run cleans nothing."""


def _cleaned(records: datasets.DatasetDict, section: CleanSection | None, cache: Path, quarantine: Path) -> _Records:
    """The records behind the steps of `clean`; those dropped are left out of the account, and named in a file."""
    accounts = read_accounts(cache)
    if section is None:
        return _Records(records, accounts, {})
    records, cleaned = clean_records(records, section, cache)
    for name, split in cleaned.items():
        if split.dropped:
            shutil.copy(split.notes, quarantine / f"{name}-cleaned.jsonl")
        accounts[name].left_out.update({f"clean.{step}": rows for step, rows in split.dropped.items()})
    return _Records(records, accounts, cleaned)


def _write_token_rows(
    draft: Path,
    records: _Records,
    tokenizer: Any,
    section: TokenizeSection,
    pack: PackSection | None,
) -> tuple[dict[str, WrittenSplit], dict[str, SplitSummary], str]:
    """The splits written, what became of them, and the engine that encoded."""
    step = collators.Tokenize(tokenizer, engine=section.engine, **_rules(section))
    choose_engine_by(step, max(records.splits.values(), key=len))  # one for all splits
    splits, summaries = with_proven_engine(step, lambda: _write_splits(draft, records, step, section, pack))
    return splits, summaries, step.engine


def _write_splits(
    draft: Path,
    records: _Records,
    step: collators.Tokenize,
    section: TokenizeSection,
    pack: PackSection | None,
) -> tuple[dict[str, WrittenSplit], dict[str, SplitSummary]]:
    splits, summaries = {}, {}
    for name, split in records.splits.items():
        writer = SplitWriter(
            draft / f"{name}.arrow", draft / "quarantine" / f"{name}-records.jsonl", max_length=section.max_length
        )
        try:
            tables = token_row_tables(split, step, section.num_proc, name=f"{name}: ", unmapped=True)
            written = writer.write(tables, token_row_features(split.features))
        except EngineMismatch:
            raise
        except collators.TokenizationError as error:
            raise collators.TokenizationError(f"{name}: {error}") from error
        for report in writer.ledger.reports():
            logger.warning("%s: %s", name, report)
        packed = None
        if pack is not None:
            window = pack.max_length or section.max_length
            written, num_packed = pack_split(written, pack, window)
            packed = PackSummary(num_packed, window, round(writer.lengths.tokens / num_packed / window, 6))
        splits[name] = written
        steps = records.cleaned[name].counts if records.cleaned else []
        summaries[name] = _summarise(writer, records.accounts[name], steps, packed)
    return splits, summaries


def _rules(section: TokenizeSection) -> dict[str, Any]:
    return {name: value for name, value in options_of(section).items() if name != "tokenizer"}


def _summarise(
    writer: SplitWriter, account: Account, cleaned: list[StepCounts], packed: PackSummary | None
) -> SplitSummary:
    totals = writer.ledger.totals
    return SplitSummary(
        rows_read=account.read,
        rows_kept=writer.lengths.rows,
        packed=packed,
        left_out=dict(account.left_out),
        quarantined=dict(account.quarantined),
        noted=dict(account.noted),
        cleaned=cleaned,
        set_aside=dict(writer.ledger.set_aside),
        rows_cut=writer.ledger.rows_with["cut"],
        tokens_cut=totals["cut"],
        trained_tokens_cut=totals["cut_trained"],
        turns_cut=totals["cut_turns"],
        texts_left_out=totals["left_out"],
        control_texts=totals["control_texts"],
        tokens_straddling=totals["straddling"],
        tokens=writer.lengths.tokens,
        trained_tokens=writer.trained_tokens,
        length_percentiles=writer.lengths.percentiles(),
    )


def _facts(
    config: RunConfig,
    builder: RecordBuilder,
    tokenizer: Any,
    engine: str,
    splits: dict[str, SplitSummary] | dict[str, WindowSummary],
    digest: str,
) -> dict[str, Any]:
    steps = config.clean.parsed([]) if config.clean else []
    libraries = dict.fromkeys([*_LIBRARIES, engine, *sorted({name for step in steps for name in step.libraries()})])
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
        "engine": engine,
        "splits": {split: dataclasses.asdict(summary) for split, summary in splits.items()},
        "digest": digest,
    }
