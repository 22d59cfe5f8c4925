"""The measured figures as a Markdown page: tables first, then what was promised, then where others are ahead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.benchmarks.machine import machine_line
from tests.benchmarks.pipelines import BY_TOKENIZER, TOKENIZER_TITLES, Pipeline
from tests.benchmarks.promises import ahead_of_us, promises

Results = Mapping[str, Any]


def results_page(results: Results) -> str:
    parts = [_head(results)]
    if "rows" in results:
        parts.append(_rows_section(results["rows"]))
    parts += [_pipelines_section(key, group, results) for key, group in results.get("pipelines", {}).items()]
    parts += [make(results[name]) for name, make in _SECTIONS.items() if name in results]
    kept = promises(results)
    if kept:
        parts.append(_promises_section(kept))
    parts.append(_ahead_section(results))
    return "\n".join(parts)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first to the right.

    >>> print(table(["what", "rows/s"], [["ours", "10"]]))
    | what | rows/s |
    | --- | ---: |
    | ours | 10 |
    """
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _head(results: Results) -> str:
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    taken = "\n".join(
        f"- {part}: `{how['command']}`, {how['date']}, {how['repeats']} runs"
        for part, how in results.get("taken", {}).items()
    )
    return f"""# Benchmark results

Written by a command; nothing here is typed by hand:

{taken}

Machine: {machine_line(machine)}.
Ours ran on {versions}.
A figure is the median of the runs, in brackets the slowest and the fastest; pipelines alternate,
each run is a process of its own with fresh caches and no network. Before the clock: interpreter, imports, tokenizer.
One process each, which may have threads: "cores busy" is CPU time through wall time, children's included.
The venvs of the peers: `python -m tests.benchmarks.make_peers FOLDER`, pinned in `peers/*.txt`.
"""


def _rows_section(facts: Results) -> str:
    lines = []
    for kind, fact in facts.items():
        for name in ("real", "made"):
            some = fact[name]
            cells = [
                f"{some['rows']:,}",
                f"{some['mean']:.1f}",
                *map(str, some["percentiles"].values()),
                str(some["longest"]),
            ]
            lines.append([f"{kind}, {fact['given'] if name == 'real' else name}", *cells])
    columns = ["rows", "number", "mean", "5 %", "25 %", "50 %", "75 %", "95 %", "longest"]
    said = [
        f"{kind}: among the first {fact['real']['rows']:,} made rows a clause comes "
        f"{fact['made']['repeats_among_as_many']:.2f} times on average, {fact['real']['repeats']:.2f} times among as "
        f"many {fact['given']} ones, {fact['made']['repeats']:.2f} times among all made ones; "
        f"{fact['distinct_rows']:,} of {fact['made']['rows']:,} rows are distinct."
        for kind, fact in facts.items()
    ]
    return "\n".join(
        [
            "## The rows\n",
            "Every row follows a given one, with clauses crossed from those of all given ones (`distinct_rows.py`). "
            "Characters of question + answer:\n",
            table(columns, lines),
            "",
            *(f"- {line}" for line in said),
            "",
        ]
    )


def _pipelines_section(key: str, group: Results, results: Results) -> str:
    tokenizer, kind = key.split("/")
    lines = [_line(each, group[each.name], group) for each in BY_TOKENIZER[tokenizer] if each.name in group]
    columns = [
        "pipeline",
        "rows",
        "rows/s",
        "tokens/s",
        "ours is × as fast",
        "on the same rows",
        "cores busy",
        "peak MiB",
        "process s",
        "ids as ours",
        "labels as ours",
    ]
    notes = [f"- {note}" for each in BY_TOKENIZER[tokenizer] for note in _notes(each, group.get(each.name, {}))]
    title = f"## Raw file to labelled Arrow: {TOKENIZER_TITLES[tokenizer]}, {kind} rows, one process\n"
    few = group.get("ours-few", {}).get("rows")
    if few:
        notes.insert(
            0, f"- Slow peers run on the first {few:,} of the rows; the last ratio compares them with ours on these."
        )
    return "\n".join([title, table(columns, lines), "", *notes, ""])


def _line(pipeline: Pipeline, fact: Results, group: Results) -> list[str]:
    title = " ".join([pipeline.title, fact.get("versions", {}).get(_package(pipeline), "")]).strip()
    if "failed" in fact:
        return [title, *["not run"] * 10]
    same_rows = "ours-few" if pipeline.on_few_rows else "ours"
    same = fact.get("agreement")
    spread = f"{fact['rows_per_second']:,.0f} ({fact['slowest']:,.0f}–{fact['fastest']:,.0f})"
    return [
        title,
        f"{fact['rows']:,}",
        spread,
        f"{fact['tokens_per_second']:,.0f}",
        _ratio("ours", pipeline, group),
        _ratio(same_rows, pipeline, group),
        f"{fact['cpu_seconds'] / fact['seconds']:.1f}",
        f"{fact['peak_bytes'] / 2**20:,.0f}",
        f"{fact['process_seconds']:.1f}",
        "" if same is None else f"{same['ids_equal']:,} of {same['rows']:,}",
        "" if same is None else f"{same['labels_equal']:,}",
    ]


def _ratio(ours: str, pipeline: Pipeline, group: Results) -> str:
    """How many times as many rows a second that pipeline of ours does."""
    speeds = [group.get(name, {}).get("rows_per_second") for name in (ours, pipeline.name)]
    return "" if pipeline.role == "ours" or not all(speeds) else f"{speeds[0] / speeds[1]:.1f}"


def _package(pipeline: Pipeline) -> str:
    return pipeline.venv or (pipeline.name if pipeline.role == "floor" else "")


def _notes(pipeline: Pipeline, fact: Results) -> Iterator[str]:
    if "failed" in fact:
        yield f"{pipeline.title} was not run: {fact['failed']}"
    same = fact.get("agreement")
    if not same:
        return
    if same["first_difference"]:
        yield f"{pipeline.title}, first row with other ids: {same['first_difference']}"
    if same["labels_equal"] < same["ids_equal"]:
        yield (
            f"{pipeline.title} trains {same['trained_by_other'] / same['rows']:.2f} tokens a row that ours does not, "
            f"and leaves out {same['trained_by_ours'] / same['rows']:.2f} that ours trains."
        )


def _scale_section(facts: Sequence[Results]) -> str:
    lines = [
        [
            f"{TOKENIZER_TITLES[each['tokenizer']]}, {each['kind']}",
            f"{each['rows']:,}",
            f"{each['seconds']:.1f}",
            f"{each['rows_per_second']:,.0f}",
            f"{each['peak_bytes'] / 2**30:.2f}",
        ]
        for each in facts
    ]
    columns = ["`hf-builders prepare`, whole", "rows", "seconds", "rows/s", "peak GiB"]
    return "\n".join(["## Ten times the rows\n", table(columns, lines), ""])


def _packing_section(facts: Sequence[Results]) -> str:
    lines = [
        [
            each["name"],
            f"{each['lengths']:,}",
            f"{each['packs']:,}",
            f"{each['fill']:.2%}",
            f"{each['seconds']:.2f}",
            f"{each['peak_bytes'] / 2**30:.2f}",
        ]
        for each in facts
    ]
    columns = ["packs of 2,048 tokens", "records", "packs", "fill", "seconds", "peak GiB"]
    return "\n".join(["## Packing\n", table(columns, lines), ""])


def _collation_section(facts: Sequence[Results]) -> str:
    columns = list(dict.fromkeys(name for each in facts for name in each))
    lines = [[_cell(each.get(name, "")) for name in columns] for each in facts]
    return "\n".join(["## From dataset row to tensor\n", table(columns, lines), ""])


def _cell(value: object) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else str(value)


def _promises_section(kept: Sequence[tuple[str, float, float, bool]]) -> str:
    lines = [
        [name, f"{wanted:g}", f"{measured:.4g}", "yes" if is_kept else "**no**"]
        for name, wanted, measured, is_kept in kept
    ]
    return "\n".join(["## What was promised\n", table(["promise", "wanted", "measured", "kept"], lines), ""])


def _ahead_section(results: Results) -> str:
    lines = [f"- {line}" for line in ahead_of_us(results)]
    said = lines or ["- Nothing in the figures above."]
    return "\n".join(["## Where we are not ahead\n", *said, ""])


_SECTIONS = {"scale": _scale_section, "packing": _packing_section, "collation": _collation_section}
