"""The facts of a prepared folder in, `report.html` out: one page to look at before training, and to send on.

It is one file without any script and asks for nothing from anywhere, which its Content-Security-Policy enforces. Both
languages are in it; radio inputs and CSS show one of them. Everything that comes from data is escaped by the template
engine, isolated from the direction of what stands around it, and bounded in length.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import datasets
import jinja2
from markupsafe import Markup

from hf_builders import report_charts
from hf_builders.dataset_facts import dataset_facts, licence_of_rows
from hf_builders.report_facts import max_length_of, sum_of
from hf_builders.report_findings import findings
from hf_builders.report_reasons import explain, words_of
from hf_builders.report_rows import Repeat, RowReader, ShownRow, evenly_spaced, repeats
from hf_builders.report_set_aside import NUM_EACH, set_aside
from hf_builders.report_texts import TEXTS
from hf_builders.report_words import Count, label, num_bytes, percent, plain, say, shown, shown_token
from hf_builders.row_pages import CONTENT_SECURITY_POLICY, put_page
from hf_builders.run_records import option_text
from hf_builders.summaries import first_split

REPORT = "report.html"
_NUM_SOURCES = 200
"""Named one by one."""
_FILES = {
    "quarantined": "quarantine/SPLIT-NNNNN.jsonl",
    "set_aside": "quarantine/SPLIT-records.jsonl",
    "left_out": "quarantine/SPLIT-cleaned.jsonl",
}
_HERE = Path(__file__).parent


def write_report(
    folder: Path, facts: Mapping[str, Any], tokenizer: Any, records: Mapping[str, datasets.Dataset] | None
) -> None:
    """Write the page into a folder that has `data/` and `quarantine/`.

    Args:
        facts: what `manifest.json` says, or will say, of the folder.
        tokenizer: the one the rows were made with.
        records: what they were made of, by split, in any view; texts of records that were set aside are read from
            them. Left out, these are named by their ids alone.

    Raises:
        SourceError: nothing can be written there.
    """
    splits = datasets.load_from_disk(folder / "data")
    reader = RowReader(tokenizer, facts["tokenize"])
    dataset, is_sample = dataset_facts(facts["dataset"]["name"]), facts["dataset"]["sample"]
    is_own = dataset.is_of_user and not is_sample
    longest = _longest(tokenizer)
    template = _environment().get_template("report.html.jinja")
    page = template.render(
        facts=facts,
        dataset=dataset,
        policy=CONTENT_SECURITY_POLICY,
        style=Markup((_HERE / "report.css").read_text(encoding="utf-8")),
        first=first_split(facts["splits"]),
        limit=max_length_of(facts),
        licence=dataset.licence if is_own else licence_of_rows(dataset, is_sample=is_sample),
        longest=longest,
        findings=findings(facts, dataset.barred, longest),
        reasons=_reasons(facts),
        explain=functools.partial(explain, own=words_of(dataset.name)),
        stacks={name: _stacks(split) for name, split in facts["splits"].items()},
        histograms={name: _histograms(facts, name) for name in facts["statistics"]},
        padding=report_charts.padding_chart(facts["statistics"][first_split(facts["splits"])]),
        repeats=_repeats(facts, splits, reader),
        rows=_rows(facts, splits, reader),
        row_counts=splits.num_rows,
        groups=set_aside(folder, facts, records),
        files=_FILES,
        num_each=NUM_EACH,
        num_sources=_NUM_SOURCES,
        in_train=sum(each["in_train"].get("row", 0) for each in facts["statistics"].values()),
    )
    put_page(folder / REPORT, page.lstrip())


def _longest(tokenizer: Any) -> int | None:
    """Tokens that the model takes; None where the tokenizer does not know, which transformers says by a huge number."""
    longest = getattr(tokenizer, "model_max_length", None)
    return longest if isinstance(longest, int) and longest < 10**9 else None


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (say, label, plain):
        environment.globals[function.__name__] = functools.partial(_by_key, function)
    environment.globals.update(t=environment.globals["say"], say=say, sum_of=sum_of)
    environment.filters.update(n=_number, percent=percent, bytes=num_bytes, option=option_text)
    environment.filters.update(data=shown, token=shown_token)
    return environment


def _by_key(function: Callable[..., str], key: str, **values: Any) -> str:
    return function(TEXTS[key], **values)


def _number(count: int) -> str:
    return format(Count(count), "")


def _reasons(facts: Mapping[str, Any]) -> list[tuple[str, str, dict[str, int]]]:
    """What rows are counted under: `left_out`, `noted` …, the reason, and how many of each split."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for kind in ("left_out", "quarantined", "set_aside", "unlocated", "noted"):
        for name, split in facts["splits"].items():
            for reason, count in split.get(kind, {}).items():
                if count:
                    found.setdefault((kind, reason), {})[name] = count
    return [(kind, reason, counts) for (kind, reason), counts in found.items()]


def _stacks(split: Mapping[str, Any]) -> dict[str, list[report_charts.Bar]]:
    out = {kind: sum(split[kind].values()) for kind in ("left_out", "quarantined", "set_aside")}
    rows = report_charts.stack({"kept": split["rows_kept"], **out})
    if "windows" in split:
        trained, whole = split["windows_answered"], split["windows"]
    else:
        trained, whole = split["trained_tokens"], split["tokens"]
    return {"rows": rows, "trained": report_charts.stack({"trained": trained, "untrained": whole - trained})}


def _histograms(facts: Mapping[str, Any], name: str) -> dict[str, report_charts.Histogram]:
    """Of whole records or windows, of prompts and of answers."""
    statistics, limit = facts["statistics"][name], max_length_of(facts)
    lengths, recommended = statistics["lengths"], statistics["recommended_max_length"]
    marks = {"max_length": limit}
    if recommended is not None and recommended != limit:
        marks["recommended"] = recommended
    whole = (lengths.get("uncut") or lengths["total"])["bins"]
    charts = {"whole": report_charts.histogram(whole, marks, limit=limit)}
    return charts | {
        kind: report_charts.histogram(lengths[kind]["bins"], {}) for kind in ("prompt", "answer") if kind in lengths
    }


def _repeats(
    facts: Mapping[str, Any], splits: datasets.DatasetDict, reader: RowReader
) -> list[tuple[str, str, Mapping[str, Any], list[Repeat]]]:
    """Split, kind of content, what is counted of it, and its most frequent ones; only where there are any."""
    return [
        (name, kind, repeated, repeats(splits[name], kind, repeated["top"], reader))
        for name, statistics in facts["statistics"].items()
        for kind, repeated in statistics["repeated"].items()
        if repeated["rows"]
    ]


def _rows(facts: Mapping[str, Any], splits: datasets.DatasetDict, reader: RowReader) -> dict[str, list[ShownRow]]:
    rows: dict[str, list[ShownRow]] = {}
    for row in evenly_spaced({name: splits[name] for name in facts["splits"]}):
        rows.setdefault(row.split, []).append(reader.shown(row))
    return rows
