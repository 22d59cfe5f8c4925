"""The records of all splits in, their token rows in Arrow files, packed or not, and the account of both out."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import collators
from collators.engines import EngineMismatch
from collators.token_tables import choose_engine_by, token_row_features, token_row_tables, with_proven_engine
from hf_builders.cleaning import StepCounts
from hf_builders.length_counts import LengthCounts
from hf_builders.prepared_split import MadeSplits, RecordsToWrite, SplitWriter, WrittenSplit, pack_split
from hf_builders.quarantine import Account
from hf_builders.row_contents import RowContents, read_row_contents
from hf_builders.run_config import PackSection, TokenizeSection
from hf_builders.run_records import options_of
from hf_builders.statistics import all_statistics
from hf_builders.summaries import PackSummary, SplitSummary

logger = logging.getLogger(__name__)


def write_token_rows(
    draft: Path,
    records: RecordsToWrite,
    tokenizer: Any,
    section: TokenizeSection,
    pack: PackSection | None,
) -> MadeSplits:
    """Write the token rows of all splits, and a JSON Lines file of the records that gave none.

    Raises:
        collators.TokenizationError: the template does not do, or no row of a split is kept.
    """
    step = collators.Tokenize(tokenizer, engine=section.engine, **_rules(section))
    choose_engine_by(step, max(records.splits.values(), key=len))  # one for all splits
    return with_proven_engine(step, lambda: _write_splits(draft, records, step, section, pack))


def _write_splits(
    draft: Path,
    records: RecordsToWrite,
    step: collators.Tokenize,
    section: TokenizeSection,
    pack: PackSection | None,
) -> MadeSplits:
    splits, summaries = dict[str, WrittenSplit](), dict[str, SplitSummary]()
    contents, uncut = dict[str, RowContents](), dict[str, LengthCounts]()
    window = (pack and pack.max_length) or section.max_length
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
        contents[name], uncut[name] = read_row_contents(written.path), writer.uncut
        packed = None
        if pack is not None:
            written, num_packed = pack_split(written, pack, window)
            packed = PackSummary.of(num_packed, window, writer.lengths.tokens)
        splits[name] = written
        summaries[name] = _summarise(writer, records.accounts[name], records.cleaned.get(name, []), packed)
    return MadeSplits(splits, summaries, all_statistics(contents, uncut, section.max_length, window), step.engine)


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
