"""What the figures were meant to be, and where others do better; both read off the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.benchmarks.pipelines import BY_TOKENIZER, TOKENIZER_TITLES

Results = Mapping[str, Any]
Promise = tuple[str, float, float, bool]
"""What, wanted, measured, kept."""

# Ours against a pipeline's rows a second, at least.
_RATIOS = {
    ("qwen2_5", "llamafactory"): 15,
    ("qwen2_5", "trl"): 15,
    ("qwen2_5", "trl-completion"): 15,
    ("qwen2_5", "ms-swift"): 15,
    ("qwen2_5", "axolotl"): 15,
    ("qwen2_5", "xtuner"): 15,
    ("chatglm3", "chatglm3-demo"): 4,
    ("chatglm3", "llamafactory"): 10,
}
# Shares of the speed of an encoder alone: pipeline of ours, encoder, at least.
_SHARES = {"qwen2_5": (("ours", "gigatoken", 0.6), ("ours-tokenizers", "tokenizers", 0.8))}
_SHARE_OF_FASTEST = {"chatglm3": 0.5}
# Against DataCollatorForSeq2Seq on a plain Dataset, by path of `collation.py`.
_COLLATION = {"PaddingCollator, Dataset": 6, "PaddingCollator, FlatRows (TokenTrainer)": 20}
_FLOORS = ("tokenizers", "gigatoken", "sentencepiece")


def promises(results: Results) -> list[Promise]:
    kept = [promise for key, group in results.get("pipelines", {}).items() for promise in _of_group(key, group)]
    return [*kept, *_of_scale(results), *_of_packing(results), *_of_collation(results)]


def _of_group(key: str, group: Results) -> Iterator[Promise]:
    tokenizer, kind = key.split("/")
    where = f"{TOKENIZER_TITLES[tokenizer]}, {kind}"
    speed = {name: fact["rows_per_second"] for name, fact in group.items() if "rows_per_second" in fact}
    if "ours" not in speed:
        return
    for (name_of, other), wanted in _RATIOS.items():
        if name_of == tokenizer and other in speed:
            yield _at_least(f"{where}: × {other}", wanted, speed["ours"] / speed[other])
    for ours, encoder, share in _SHARES.get(tokenizer, ()):
        if ours in speed and encoder in speed:
            yield _at_least(f"{where}: {ours}, share of {encoder} alone", share, speed[ours] / speed[encoder])
    floors = [speed[name] for name in _FLOORS if name in speed]
    if tokenizer in _SHARE_OF_FASTEST and floors:
        share = speed["ours"] / max(floors)
        yield _at_least(f"{where}: share of the fastest encoder alone", _SHARE_OF_FASTEST[tokenizer], share)


def _of_scale(results: Results) -> Iterator[Promise]:
    runs: dict[tuple[str, str], list[Results]] = {}
    for each in results.get("scale", ()):
        runs.setdefault((each["tokenizer"], each["kind"]), []).append(each)
    for (tokenizer, kind), some in runs.items():
        where = f"{TOKENIZER_TITLES[tokenizer]}, {kind}"
        few, many = min(some, key=lambda each: each["rows"]), max(some, key=lambda each: each["rows"])
        peak = many["peak_bytes"] / 2**30
        yield _at_most(f"{where}: GiB at {many['rows']:,} rows", 1.5, peak)
        if many["rows"] > few["rows"]:
            slower = few["rows_per_second"] / many["rows_per_second"]
            yield _at_most(f"{where}: time per row at {many['rows']:,} rows / at {few['rows']:,}", 1.15, slower)


def _of_packing(results: Results) -> Iterator[Promise]:
    for each in results.get("packing", ()):
        yield _at_least(f"packing, {each['name']}: fill", 0.995, each["fill"])
        if each["lengths"] >= 10_000_000:
            yield _at_most(f"packing, {each['name']}: seconds", 20, each["seconds"])
            yield _at_most(f"packing, {each['name']}: GiB", 2, each["peak_bytes"] / 2**30)


def _of_collation(results: Results) -> Iterator[Promise]:
    for each in results.get("collation", ()):
        wanted = _COLLATION.get(each["path"])
        if wanted and each["rows a batch"] == 32:
            yield _at_least(
                f"collation, 32 rows: {each['path']}, × DataCollatorForSeq2Seq", wanted, each["times as fast"]
            )


def _at_least(name: str, wanted: float, measured: float) -> Promise:
    return name, wanted, measured, measured >= wanted


def _at_most(name: str, wanted: float, measured: float) -> Promise:
    return name, wanted, measured, measured <= wanted


def ahead_of_us(results: Results) -> Iterator[str]:
    """Pipelines that beat ours in a measure, and promises that are not kept."""
    for key, group in results.get("pipelines", {}).items():
        tokenizer, kind = key.split("/")
        ours = group.get("ours", {})
        if "rows_per_second" not in ours:
            continue
        others = {each.name: each for each in BY_TOKENIZER[tokenizer] if each.role != "ours"}
        where = f"{TOKENIZER_TITLES[tokenizer]}, {kind}"
        for name, fact in group.items():
            if name not in others or "rows_per_second" not in fact:
                continue
            if fact["rows_per_second"] > ours["rows_per_second"]:
                ratio = fact["rows_per_second"] / ours["rows_per_second"]
                yield f"{where}: {others[name].title} does {ratio:.1f} × the rows a second of ours."
            # Memory grows with the rows, so like is compared with like.
            on_same_rows = group.get("ours-few", {}) if others[name].on_few_rows else ours
            less = fact["peak_bytes"] / on_same_rows.get("peak_bytes", ours["peak_bytes"])
            if less < 1 and others[name].role == "peer":
                yield f"{where}: {others[name].title} needs {less:.0%} of our memory on the same rows."
    for name, wanted, measured, is_kept in promises(results):
        if not is_kept:
            yield f"Not kept: {name} is {measured:.3g}, wanted {wanted:g}."
