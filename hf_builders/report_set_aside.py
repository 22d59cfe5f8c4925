"""`quarantine/` and the records in, what the report shows of rows that were not kept out: some of each reason."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets

from hf_builders.report_rows import places_of

NUM_EACH = 20
"""Shown of each reason."""
_NUM_IN_ALL = 400
"""Shown of all; the page has to stay small, whatever there is."""
_TEXT = 300
"""Characters of a record that are kept to be shown."""
_RAW = re.compile(r"(?P<split>.+)-[0-9]{5}\.jsonl")
_ENDINGS = {"-records.jsonl": "set_aside", "-cleaned.jsonl": "left_out"}


@dataclass
class Example:
    """One row that was not kept."""

    split: str
    place: str
    """`file:line` of a raw row, the id of a record."""
    length: int | None = None
    """Tokens of a record, before anything was cut off."""
    fact: str = ""
    text: str = ""
    """The raw row, or the beginning of the record."""


@dataclass
class Group:
    """The rows of one reason."""

    kind: str
    """`quarantined`, `set_aside` or `left_out`, as in the manifest."""
    reason: str
    total: int
    examples: list[Example] = field(default_factory=list)


def set_aside(folder: Path, facts: Mapping[str, Any], records: Mapping[str, datasets.Dataset] | None) -> list[Group]:
    """A group for each reason, in the order of what happens to a row, the most frequent first.

    Args:
        folder: what `prepare` wrote, with `quarantine/`.
        facts: the manifest.
        records: by split; their texts are shown. Left out, their ids alone are.
    """
    groups = _groups(facts)
    wanted = sum(min(group.total, NUM_EACH) for group in groups.values())
    for kind, reason, example in _examples(folder / "quarantine"):
        group = groups.get((kind, reason))
        if group is None or len(group.examples) >= NUM_EACH:
            continue
        group.examples.append(example)
        wanted -= 1
        if not wanted:
            break
    shown = 0
    for group in groups.values():
        group.examples = group.examples[: max(_NUM_IN_ALL - shown, 0)]
        shown += len(group.examples)
    _add_texts(list(groups.values()), records or {})
    return list(groups.values())


def _groups(facts: Mapping[str, Any]) -> dict[tuple[str, str], Group]:
    groups: dict[tuple[str, str], Group] = {}
    for kind in ("quarantined", "left_out", "set_aside"):
        totals: dict[str, int] = {}
        for split in facts["splits"].values():
            for reason, count in split[kind].items():
                totals[reason] = totals.get(reason, 0) + count
        for reason, total in sorted(totals.items(), key=lambda each: -each[1]):
            # What the dataset's own options leave out is counted and not written down.
            if total and (kind != "left_out" or reason.startswith("clean.")):
                groups[kind, reason] = Group(kind, reason, total)
    return groups


def _examples(quarantine: Path) -> Iterator[tuple[str, str, Example]]:
    """Every line of all files: what it is counted under, and the row."""
    for path in sorted(quarantine.glob("*.jsonl")):
        kind, split = _kind_of(path.name)
        with path.open(encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                row = json.loads(line)
                yield kind, row["reason"], _example(split, row)


def _kind_of(name: str) -> tuple[str, str]:
    if match := _RAW.fullmatch(name):
        return "quarantined", match["split"]
    ending = next(each for each in _ENDINGS if name.endswith(each))
    return _ENDINGS[ending], name.removesuffix(ending)


def _example(split: str, row: Mapping[str, Any]) -> Example:
    return Example(
        split, str(row.get("place", row.get("id"))), row.get("length"), row.get("fact", ""), row.get("raw", "")
    )


def _add_texts(groups: list[Group], records: Mapping[str, datasets.Dataset]) -> None:
    """The beginning of the record, where its id is found among the records."""
    without = [example for group in groups for example in group.examples if group.kind != "quarantined"]
    for split, rows in records.items():
        own = {example.place: example for example in without if example.split == split}
        if not own or "id" not in rows.column_names:
            continue
        ids = rows.with_format("arrow")["id"][:]
        for place in places_of(ids, own):
            row = rows[place]
            own[row["id"]].text = beginning_of(row)


def beginning_of(record: Mapping[str, Any]) -> str:
    """The first words of a record of any view.

    >>> beginning_of({"messages": [{"role": "user", "content": "头痛"}, {"role": "assistant", "content": "多喝水"}]})
    'user: 头痛 assistant: 多喝水'
    >>> beginning_of({"context": "正文", "question": "谁？", "answers": {"text": ["他"]}})
    '谁？ 正文'
    """
    if messages := record.get("messages") or record.get("conversations"):
        texts = [f"{each['role']}: {each.get('content') or ''}" for each in messages]
    else:
        names = ("text", "question", "instruction", "input", "prompt", "context", "output", "completion")
        texts = [each for name in names if isinstance(each := record.get(name), str)]
    whole = " ".join(text[: _TEXT + 1] for text in texts if text)
    return f"{whole[:_TEXT]}…" if len(whole) > _TEXT else whole
