"""Token rows or windows in, their numbers compared with those of the manifest out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators import IGNORE_INDEX
from hf_builders.prepared_folder import MANIFEST

_TYPES = {
    pa.int32(): ("length", "start_positions", "end_positions"),
    pa.list_(pa.int32()): ("input_ids", "labels", "seq_lengths", "position_ids"),
    pa.string(): ("id", "example_id"),
    pa.list_(pa.string()): ("ids",),
}


def type_faults(splits: datasets.DatasetDict, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Columns that are missing, or have other types than `prepare` writes; and ids that no tokenizer has."""
    is_packed = bool(manifest["pack"])
    if manifest["spans"]:
        wanted = ["example_id", "input_ids", "start_positions", "end_positions", "length"]
    else:
        wanted = ["ids" if is_packed else "id", "input_ids", "labels", "length"]
        wanted += ["seq_lengths", "position_ids"] if is_packed else []
    type_of = {name: kind for kind, names in _TYPES.items() for name in names}
    for split, rows in splits.items():
        schema = rows.features.arrow_schema
        for name in wanted:
            kind = schema.field(name).type if name in schema.names else "missing"
            if kind != type_of[name]:
                yield f"{split}: the column {name} is {kind}; expected {type_of[name]}"
        if "seq_lengths" in schema.names and not is_packed:
            yield f"{split}: has packed rows; by {MANIFEST} they are not packed"
        has_ids = "input_ids" in schema.names and schema.field("input_ids").type == type_of["input_ids"]
        if has_ids and any(
            pc.any(pc.less(batch["input_ids"].flatten(), 0)).as_py() for batch in rows.data.to_batches()
        ):
            yield f"{split}: has ids below 0"


def count_faults(splits: datasets.DatasetDict, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Numbers of the manifest that are not those of the rows; the columns are such as `type_faults` finds right."""
    if set(splits) != set(manifest["splits"]):
        yield f"has the splits {', '.join(splits)}; {MANIFEST} says {', '.join(manifest['splits'])}"
        return
    for split, summary in manifest["splits"].items():
        went = [sum(summary[name].values()) for name in ("left_out", "quarantined", "set_aside")]
        if summary["rows_read"] != summary["rows_kept"] + sum(went):
            facts = f"read {summary['rows_read']:,}, kept {summary['rows_kept']:,}, out {sum(went):,}"
            yield f"{split}: the account of raw rows in {MANIFEST} does not add up: {facts}"
        for what, found, expected in _counted(splits[split], summary, manifest):
            if found != expected:
                yield f"{split}: has {found:,} {what}; {MANIFEST} says {expected:,}"


def _counted(
    rows: datasets.Dataset, summary: Mapping[str, Any], manifest: Mapping[str, Any]
) -> Iterator[tuple[str, int, int]]:
    """What was counted, how many there are, and how many there should be."""
    counts = _counts(rows)
    if manifest["spans"]:
        yield "windows", len(rows), summary.get("windows", 0)
    elif manifest["pack"]:
        yield "packed rows", len(rows), (summary.get("packed") or {}).get("rows", 0)
        yield "records in them", counts["records"], summary["rows_kept"]
    else:
        yield "rows", len(rows), summary["rows_kept"]
    yield "tokens", counts["tokens"], summary["tokens"]
    if manifest["spans"]:
        return
    # In packed rows the first token of a record is not trained, which it is elsewhere where prompts are.
    is_all = manifest["tokenize"]["loss"] == "all" or manifest["dataset"]["view"] == "text"
    if not (manifest["pack"] and is_all):
        yield "trained tokens", counts["trained tokens"], summary.get("trained_tokens", 0)


def _counts(rows: datasets.Dataset) -> Counter[str]:
    counts: Counter[str] = Counter()
    for batch in rows.data.to_batches():
        counts["tokens"] += len(batch["input_ids"].flatten())
        if "labels" in batch.schema.names:
            labels = batch["labels"].flatten().to_numpy(zero_copy_only=False)
            counts["trained tokens"] += int(np.count_nonzero(labels != IGNORE_INDEX))
        if "seq_lengths" in batch.schema.names:
            counts["records"] += pc.sum(pc.list_value_length(batch["seq_lengths"])).as_py() or 0
    return counts
