"""The records of a machine-reading split in, their windows in an Arrow file and the account of both out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from datasets.utils import tqdm

from collators import TokenizationError, TokenizeSpans
from collators.record_batches import record_batches
from hf_builders.length_counts import LengthCounts
from hf_builders.prepared_split import MadeSplits, RecordsToWrite, RowsDigest, WrittenSplit
from hf_builders.quarantine import Account
from hf_builders.row_contents import read_row_contents
from hf_builders.run_config import SpansSection
from hf_builders.statistics import all_statistics
from hf_builders.summaries import TRAIN, WindowSummary

_COLUMNS = ("id", "context", "question", "answers")


def write_windows(
    draft: Path,
    records: RecordsToWrite,
    tokenizer: Any,
    section: SpansSection,
) -> MadeSplits:
    """Write the windows of all splits, and a JSON Lines file of the records without any.

    A record whose answer is whole in no window is set aside in `train`; in the other splits, which are evaluated on,
    it stays.

    Raises:
        collators.TokenizationError: a record that makes no windows, or a split that has none.
    """
    written, summaries, contents = {}, {}, {}
    for name, split in records.splits.items():
        step = TokenizeSpans(
            tokenizer,
            section.max_length,
            section.doc_stride,
            max_question_length=section.max_question_length,
            unlocated="drop" if name == TRAIN else "keep",
        )
        try:
            written[name], summaries[name] = _write_split(draft, name, split, step, records.accounts[name])
        except TokenizationError as error:
            raise TokenizationError(f"{name}: {error}") from error
        contents[name] = read_row_contents(written[name].path)
    return MadeSplits(written, summaries, all_statistics(contents, {}, section.max_length))


def _write_split(
    draft: Path, name: str, split: datasets.Dataset, step: TokenizeSpans, account: Account
) -> tuple[WrittenSplit, WindowSummary]:
    path, set_aside = draft / f"{name}.arrow", draft / "quarantine" / f"{name}-records.jsonl"
    digest, lengths, reasons, num_answered = RowsDigest(), LengthCounts(), Counter[str](), 0
    features = step.features
    schema = features.arrow_schema
    with (
        pa.OSFile(str(path), "wb") as file,
        pa.ipc.new_stream(file, schema) as stream,
        set_aside.open("w", encoding="utf-8") as notes,
        tqdm(total=len(split), unit=" examples", desc=f"{name}: tokenize") as progress,
    ):
        for table in record_batches(split, _COLUMNS, unmapped=True):
            windows = step.windows(table)
            rows = windows.rows.cast(schema)
            stream.write_table(rows)
            digest.add(rows)
            lengths.add(rows["length"].to_numpy())
            num_answered += windows.num_answered
            reasons.update(windows.unlocated.values())
            for id_, reason in windows.unlocated.items():
                notes.write(json.dumps({"id": id_, "reason": reason}, ensure_ascii=False) + "\n")
            progress.update(len(table))
    if not reasons or not step.drops_unlocated:
        set_aside.unlink()
    if not lengths.rows:
        facts = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
        raise TokenizationError(
            f"no record has its answer whole in a window ({facts}); raise doc_stride, or mend the answers"
        )
    is_kept = not step.drops_unlocated
    summary = WindowSummary(
        rows_read=account.read,
        rows_kept=account.kept - (0 if is_kept else reasons.total()),
        left_out=dict(account.left_out),
        quarantined=dict(account.quarantined),
        noted=dict(account.noted),
        set_aside={} if is_kept else dict(reasons),
        unlocated=dict(reasons) if is_kept else {},
        windows=lengths.rows,
        windows_answered=num_answered,
        tokens=lengths.tokens,
        length_percentiles=lengths.percentiles(),
    )
    return WrittenSplit(path, features, digest), summary
