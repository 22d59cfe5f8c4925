"""The facts of a run in, short sentences on what is good, what is not and what to do about it out.

Each is true by construction: it is said only where the numbers in it say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from markupsafe import Markup

from hf_builders.report_numbers import percent
from hf_builders.report_words import Text, say, shown

Kind = Literal["warning", "advice", "good"]
_ORDER: tuple[Kind, ...] = ("warning", "advice", "good")
_BATCH = "8"
_WORTH_PACKING = 0.1
"""Of a batch: so much less padding is worth the change."""
_LENGTH_REASONS = ("too_long", "answer_too_long", "answer_cut_off")


class Finding(NamedTuple):
    kind: Kind
    text: Markup


def findings(facts: Mapping[str, Any], barred: str) -> list[Finding]:
    """What a reader should know, the most pressing first.

    Args:
        facts: the manifest.
        barred: why nobody may publish what was read; empty where that is left to the user.
    """
    found = [
        *_about_the_source(facts, barred),
        *_about_the_account(facts),
        *_about_length(facts),
        *_about_repeats(facts),
        *_about_padding(facts),
    ]
    return sorted(found, key=lambda finding: _ORDER.index(finding.kind))


def first_split(facts: Mapping[str, Any]) -> str:
    """The one that is trained on, where there is one."""
    return "train" if "train" in facts["splits"] else next(iter(facts["splits"]))


def max_length_of(facts: Mapping[str, Any]) -> int:
    """Tokens of a record, or of a window."""
    return int((facts["tokenize"] or facts["spans"])["max_length"])


def sum_of(facts: Mapping[str, Any], kind: str, *reasons: str) -> int:
    """Rows of all splits that are counted under `left_out`, `quarantined` …; of all reasons, or of those named."""
    counts = [split.get(kind, {}) for split in facts["splits"].values()]
    return sum(count for each in counts for reason, count in each.items() if not reasons or reason in reasons)


def _about_the_source(facts: Mapping[str, Any], barred: str) -> Iterator[Finding]:
    if facts["dataset"].get("sample"):
        text = Text(
            "These rows are the bundled sample: invented, to try things out, not to train a model for use.",
            "这些是随包附带的样例，内容为虚构，仅供试用，不可用于正式训练。",
        )
        yield Finding("warning", say(text))
    elif barred:
        text = Text("This page shows rows that may not be passed on: {why}.", "本页显示了不得外传的数据行：{why}。")
        yield Finding("warning", say(text, why=shown(barred)))
    if len(facts["splits"]) == 1:
        text = Text(
            "There is one split only, {split}; nothing is kept to evaluate on.",
            "只有一个划分 {split}，没有留出评估数据。",
        )
        yield Finding("advice", say(text, split=shown(first_split(facts))))


def _about_the_account(facts: Mapping[str, Any]) -> Iterator[Finding]:
    splits = facts["splits"].values()
    read, kept = (sum(split[name] for split in splits) for name in ("rows_read", "rows_kept"))
    out = {kind: sum_of(facts, kind) for kind in ("left_out", "quarantined", "set_aside")}
    if read == kept + sum(out.values()):
        text = Text(
            "Every row is accounted for: {read} read = {kept} kept + {left_out} left out + {quarantined} bad + "
            "{set_aside} set aside.",
            "每一行都有去向：读入 {read} = 保留 {kept} + 排除 {left_out} + 坏行 {quarantined} + 搁置 {set_aside}。",
        )
        yield Finding("good", say(text, read=read, kept=kept, **out))
    else:
        text = Text("The counts do not add up; please report this as a bug.", "计数对不上，请作为缺陷上报。")
        yield Finding("warning", say(text))
    if bad := out["quarantined"]:
        text = Text(
            "{bad:raw row} could not be read ({share} of all); <code>quarantine/</code> has each with its place and "
            "reason.",
            "有 {bad} 个原始行无法读取（占 {share}），<code>quarantine/</code> 中记有每一行的位置与原因。",
        )
        yield Finding("warning", say(text, bad=bad, share=percent(bad / read)))
    if nothing := sum_of(facts, "set_aside", "nothing_to_train"):
        text = Text(
            "{n:record has|records have} no token to train on, at any max_length; are the answers there?",
            "有 {n} 个样本无论 max_length 多大都没有可训练的 token，请检查回答是否缺失。",
        )
        yield Finding("warning", say(text, n=nothing))
    if unlocated := sum_of(facts, "unlocated"):
        text = Text(
            "{n:question is|questions are} kept to be evaluated on, though no window holds the answer.",
            "有 {n} 个问题没有任何窗口含其答案，仍保留用于评估。",
        )
        yield Finding("advice", say(text, n=unlocated))


def _about_length(facts: Mapping[str, Any]) -> Iterator[Finding]:
    limit, splits = max_length_of(facts), facts["splits"].values()
    would = _longer_would_hold(facts, limit)
    if long := sum_of(facts, "set_aside", *_LENGTH_REASONS):
        read = sum(split["rows_read"] for split in splits)
        text = Text(
            "{n:record was|records were} set aside, not fitting in <code>max_length</code> = {limit} "
            "({share} of all rows).",
            "有 {n} 个样本放不进 <code>max_length</code> = {limit} 而被搁置，占全部行的 {share}。",
        )
        yield Finding("advice", say(text, n=long, limit=limit, share=percent(long / read)) + would)
    rows, lost, trained = (
        sum(split.get(name, 0) for split in splits) for name in ("rows_cut", "tokens_cut", "trained_tokens_cut")
    )
    if rows:
        text = Text(
            "{rows:record was|records were} cut to <code>max_length</code> = {limit}: {lost:token} lost, {trained} of "
            "them trained.",
            "有 {rows} 个样本被截断到 <code>max_length</code> = {limit}：丢失 {lost} 个 token，"
            "其中 {trained} 个本应参与训练。",
        )
        told = say(text, rows=rows, lost=lost, trained=trained, limit=limit)
        yield Finding("advice", told + ("" if long else would))
    if facts["tokenize"] and not long and not rows:
        longest = max(split["length_percentiles"]["max"] for split in splits)
        text = Text(
            "No record is too long: the longest has {longest:token}, <code>max_length</code> is {limit}.",
            "没有样本过长：最长的有 {longest} 个 token，<code>max_length</code> 为 {limit}。",
        )
        yield Finding("good", say(text, longest=longest, limit=limit))


def _longer_would_hold(facts: Mapping[str, Any], limit: int) -> Markup:
    """What the recommended length would do; nothing, where it is not longer."""
    name = first_split(facts)
    statistics = facts["statistics"][name]
    recommended = statistics["recommended_max_length"]
    if recommended is None or recommended <= limit:
        return Markup("")
    (whole,) = (each["rows_whole"] for each in statistics["choices"] if each["max_length"] == recommended)
    text = Text(
        " {length} would hold {share} of {split} whole.",
        "若设为 {length}，{split} 中 {share} 的样本可完整保留。",
    )
    return say(text, length=recommended, share=percent(whole), split=shown(name))


def _about_repeats(facts: Mapping[str, Any]) -> Iterator[Finding]:
    for name, statistics in facts["statistics"].items():
        rows, prompts = (statistics["in_train"].get(kind, 0) for kind in ("row", "prompt"))
        if rows:
            text = Text(
                "In {split}, {n:window stands|windows stand} in train too, token for token; scores on it will flatter.",
                "{split} 中有 {n} 个窗口与 train 完全相同，其分数会偏高。",
            )
            if not facts["spans"]:
                text = Text(
                    "In {split}, {n:row stands|rows stand} in train too, token for token; scores on it will flatter.",
                    "{split} 中有 {n} 行与 train 完全相同，其分数会偏高。",
                )
            yield Finding("warning", say(text, n=rows, split=shown(name)))
        if prompts > rows:
            text = Text(
                "In {split}, {n:row has|rows have} a prompt that stands in train too, with another answer.",
                "{split} 中有 {n} 行的提示也出现在 train 中，但回答不同。",
            )
            yield Finding("warning", say(text, n=prompts - rows, split=shown(name)))
    others = [statistics["in_train"] for statistics in facts["statistics"].values() if statistics["in_train"]]
    if others and not any(count for each in others for count in each.values()):
        text = Text("Nothing of the other splits stands in train.", "其他划分的内容都没有出现在 train 中。")
        yield Finding("good", say(text))
    name = first_split(facts)
    row = facts["statistics"][name]["repeated"]["row"]
    if row["rows"]:
        total = facts["statistics"][name]["lengths"]["total"]["rows"]
        text = Text(
            "{split} repeats itself: {n} of its rows ({share}) would go if each stood there once.",
            "{split} 有重复：若每行只留一次，可去掉 {n} 行（{share}）。",
        )
        yield Finding("advice", say(text, n=row["rows"], split=shown(name), share=percent(row["rows"] / total)))


def _about_padding(facts: Mapping[str, Any]) -> Iterator[Finding]:
    name = first_split(facts)
    statistics = facts["statistics"][name]
    if statistics["packing"] is None:
        return
    padding, empty = statistics["padding"][_BATCH], 1 - statistics["packing"]["fill"]
    shares = {"padding": percent(padding), "empty": percent(empty), "batch": _BATCH}
    if facts["pack"]:
        text = Text(
            "Packed rows leave {empty} empty; batches of {batch} rows would be {padding} padding.",
            "打包后仅有 {empty} 为空；若按 {batch} 行一批，填充将占 {padding}。",
        )
        yield Finding("good", say(text, **shares))
    elif padding - empty >= _WORTH_PACKING:
        text = Text(
            "Packing would pay: batches of {batch} rows are {padding} padding on average, packed rows would be {empty} "
            "empty.",
            "建议打包（pack）：按 {batch} 行一批，平均有 {padding} 是填充；打包后仅 {empty} 为空。",
        )
        yield Finding("advice", say(text, **shares))
