"""The facts of a run in, short sentences on what is good, what is not and what to do about it out.

Each is true by construction: it is said only where the numbers in it say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hf_builders.report_advice import LENGTH_REASONS, about_length, about_padding
from hf_builders.report_facts import Finding, Kind, pressing, sum_of
from hf_builders.report_words import Text, percent, say, shown
from hf_builders.summaries import first_split

_ORDER: tuple[Kind, ...] = ("warning", "advice", "good")


def findings(facts: Mapping[str, Any], barred: str, longest: int | None = None) -> list[Finding]:
    """What a reader should know, the most pressing first.

    Args:
        facts: the manifest.
        barred: why nobody may publish what was read; empty where that is left to the user.
        longest: tokens that the model takes, as far as its tokenizer says so.
    """
    found = [
        *_about_the_source(facts, barred),
        *_about_the_account(facts),
        *about_length(facts, longest),
        *_about_repeats(facts),
        *about_padding(facts),
    ]
    return sorted(found, key=lambda finding: _ORDER.index(finding.kind))


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
    if "train" not in facts["splits"]:
        text = Text(
            "There is no split called train, which is the one that <code>hf-builders train</code> trains on.",
            "没有名为 train 的划分，而 <code>hf-builders train</code> 用它来训练。",
        )
        yield Finding("advice", say(text))
    elif len(facts["splits"]) == 1:
        text = Text(
            "There is one split only, train; nothing is kept to evaluate on.",
            "只有 train 一个划分，没有留出评估数据。",
        )
        yield Finding("advice", say(text))


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
            "有 {bad} 个原始行无法读取（占全部行的 {share}），<code>quarantine/</code> 中记有每一行的位置与原因。",
        )
        yield Finding("warning", say(text, bad=bad, share=percent(bad / read)))
    if nothing := sum_of(facts, "set_aside", "nothing_to_train"):
        text = Text(
            "{n:record has|records have} no token to train on, at any max_length; are the answers there?",
            "有 {n} 个样本无论 max_length 多大都没有可训练的 token，请检查回答是否缺失。",
        )
        yield Finding("warning", say(text, n=nothing))
    if others := out["set_aside"] - nothing - sum_of(facts, "set_aside", *LENGTH_REASONS):
        text = Text(
            "{n:record was|records were} set aside for reasons that are listed below ({share} of all rows).",
            "有 {n} 个样本因下文所列的原因被搁置，占全部行的 {share}。",
        )
        yield Finding(pressing(others / read), say(text, n=others, share=percent(others / read)))
    if unlocated := sum_of(facts, "unlocated"):
        text = Text(
            "{n:question is|questions are} kept to be evaluated on, though no window holds the answer whole.",
            "有 {n} 个问题没有一个窗口完整包含其答案，仍保留用于评估。",
        )
        yield Finding("advice", say(text, n=unlocated))


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
        yield Finding("good", say(_APART["window" if facts["spans"] else "prompt" if "prompt" in others[0] else "row"]))
    name = first_split(facts["splits"])
    row = facts["statistics"][name]["repeated"]["row"]
    if row["rows"]:
        total = facts["statistics"][name]["lengths"]["total"]["rows"]
        text = Text(
            "{split} repeats itself: {n} of its rows ({share}) would go if each stood there once.",
            "{split} 有重复：若每行只留一次，可去掉 {n} 行（{share}）。",
        )
        if facts["spans"]:
            text = Text(
                "{split} repeats itself: {n} of its windows ({share}) would go if each stood there once.",
                "{split} 有重复：若每个窗口只留一次，可去掉 {n} 个（{share}）。",
            )
        yield Finding("advice", say(text, n=row["rows"], split=shown(name), share=percent(row["rows"] / total)))


_APART = {
    "row": Text("No row of the other splits stands in train.", "其他划分没有一行出现在 train 中。"),
    "prompt": Text(
        "No row of the other splits stands in train, nor does the prompt of one.",
        "其他划分没有一行出现在 train 中，提示也都不同。",
    ),
    "window": Text("No window of the other splits stands in train.", "其他划分没有一个窗口出现在 train 中。"),
}
