"""The facts of a run in, what they say of `max_length` and of packing out. True by construction, as all findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from hf_builders.report_facts import Finding, max_length_of, pressing, sum_of
from hf_builders.report_words import Text, percent, say, shown
from hf_builders.summaries import first_split

LENGTH_REASONS = ("too_long", "answer_too_long", "answer_cut_off")
"""Of records that are set aside, as `max_length` is too small for them."""
_BATCH = "8"
_WORTH_PACKING = 0.1
"""Of a batch: so much less padding is worth the change."""


def about_length(facts: Mapping[str, Any], longest: int | None) -> Iterator[Finding]:
    limit, splits = max_length_of(facts), facts["splits"].values()
    if longest is not None and limit > longest:
        text = Text(
            "<code>max_length</code> = {limit} is more than the {longest:token} that the tokenizer says its model "
            "takes.",
            "<code>max_length</code> = {limit} 超过分词器所说的模型上限（{longest} 个 token）。",
        )
        yield Finding("warning", say(text, limit=limit, longest=longest))
    would = _longer_would_hold(facts, limit, longest)
    if long := sum_of(facts, "set_aside", *LENGTH_REASONS):
        share = long / sum(split["rows_read"] for split in splits)
        text = Text(
            "{n:record was|records were} set aside, not fitting in <code>max_length</code> = {limit} "
            "({share} of all rows).",
            "有 {n} 个样本放不进 <code>max_length</code> = {limit} 而被搁置，占全部行的 {share}。",
        )
        yield Finding(pressing(share), say(text, n=long, limit=limit, share=percent(share)) + would)
    rows, lost, trained = (
        sum(split.get(name, 0) for split in splits) for name in ("rows_cut", "tokens_cut", "trained_tokens_cut")
    )
    if rows:
        text = Text(
            "{rows:record was|records were} cut to <code>max_length</code> = {limit}: {lost:token} lost, of which "
            "{trained} would have been trained.",
            "有 {rows} 个样本被截断到 <code>max_length</code> = {limit}：丢失 {lost} 个 token，"
            "其中 {trained} 个本应参与训练。",
        )
        told = say(text, rows=rows, lost=lost, trained=trained, limit=limit)
        yield Finding("advice", told + ("" if long else would))
    if facts["tokenize"] and not long and not rows:
        text = Text(
            "No record was too long: the longest kept has {most:token}, <code>max_length</code> is {limit}.",
            "没有样本因过长而被截断或搁置：保留的样本最长 {most} 个 token，<code>max_length</code> 为 {limit}。",
        )
        yield Finding("good", say(text, most=max(split["length_percentiles"]["max"] for split in splits), limit=limit))


def _longer_would_hold(facts: Mapping[str, Any], limit: int, longest: int | None) -> Markup:
    """What the recommended length would do; nothing, where it is not longer, or more than the model takes."""
    name = first_split(facts["splits"])
    statistics = facts["statistics"][name]
    recommended = statistics["recommended_max_length"]
    if recommended is None or recommended <= limit or recommended > (longest or recommended):
        return Markup("")
    (whole,) = (each["rows_whole"] for each in statistics["choices"] if each["max_length"] == recommended)
    text = Text(
        " {length} would hold {share} of the records of {split} whole.",
        "若设为 {length}，{split} 中 {share} 的样本可完整保留。",
    )
    return say(text, length=recommended, share=percent(whole), split=shown(name))


def about_padding(facts: Mapping[str, Any]) -> Iterator[Finding]:
    name = first_split(facts["splits"])
    statistics = facts["statistics"][name]
    if statistics["packing"] is None:
        return
    padding, empty = statistics["padding"][_BATCH], 1 - statistics["packing"]["fill"]
    shares = {"padding": percent(padding), "empty": percent(empty), "batch": _BATCH, "split": shown(name)}
    if facts["pack"] and empty <= padding:
        text = Text(
            "Packed rows of {split} leave {empty} empty; batches of {batch} unpacked rows would be {padding} padding.",
            "{split} 的打包行有 {empty} 为空；若不打包，按 {batch} 行一批，填充将占 {padding}。",
        )
        yield Finding("good", say(text, **shares))
    elif facts["pack"]:
        text = Text(
            "Packing wastes more than it saves here: packed rows of {split} leave {empty} empty, batches of {batch} "
            "rows, not packed, would be {padding} padding.",
            "这里打包得不偿失：{split} 的打包行有 {empty} 为空，而不打包、按 {batch} 行一批，填充只占 {padding}。",
        )
        yield Finding("advice", say(text, **shares))
    elif padding - empty >= _WORTH_PACKING:
        text = Text(
            "Packing would pay: batches of {batch} rows of {split} are {padding} padding on average, packed rows would "
            "be {empty} empty.",
            "建议打包（pack）：{split} 按 {batch} 行一批，平均有 {padding} 是填充；打包后则有 {empty} 为空。",
        )
        yield Finding("advice", say(text, **shares))
