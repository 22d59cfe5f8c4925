"""What the report is made of: words in two languages, a meaning for every reason, charts, true findings."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers", reason="reports tell of tokens")

from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from hf_builders.length_counts import LengthCounts
from hf_builders.report_charts import histogram, stack
from hf_builders.report_findings import findings
from hf_builders.report_reasons import BAD, LEFT_OUT, NOTED, SET_ASIDE, explain, words_of
from hf_builders.report_texts import TEXTS
from hf_builders.report_words import say

ROOT = Path(__file__).parents[2]


def fields_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_chinese_texts_are_chinese_and_say_the_same_numbers() -> None:
    reasons = {**SET_ASIDE, **LEFT_OUT, **BAD, **NOTED}
    same = {"max_length", "id", "{shown} / {total}", "token"}  # said the same way
    for key, text in [*TEXTS.items(), *reasons.items()]:
        assert re.search("[\u4e00-\u9fff。]", text.zh) or text.zh in same, key
        assert fields_of(text.en) >= fields_of(text.zh), key
        assert fields_of(text.en) - fields_of(text.zh) <= {"split"}, key


def test_every_text_is_used_and_every_used_one_is_there() -> None:
    templates = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "hf_builders").glob("report*.jinja"))
    quoted = set(re.findall(r'"([\w.]+)"', re.sub(r'\b(class|id)="[^"]*"', "", templates)))
    built = {f"{head}.{name}" for head, names in (
        ("cuts", ("rows_cut", "tokens_cut", "trained_tokens_cut", "turns_cut", "texts_left_out", "control_texts",
                  "tokens_straddling")),
        ("lengths", ("prompt", "answer")),
        ("mark", ("max_length", "recommended")),
    ) for name in names}  # fmt: skip
    from_python = {"warning", "advice", "good", "noted", "unlocated", "total", "uncut", "tokenizer_digest"}
    assert set(TEXTS) - quoted - built - from_python == set()


def raised_reasons() -> Iterator[tuple[Path, str]]:
    """The reasons that stand in the code as they are counted: of `RowProblem`, `BadRow` and bad rows of JSON."""
    places = {"RowProblem": 0, "BadRow": 1, "bad": 0, "UnfitValue": 0, "TemplateRefusal": 0}
    for path in [*(ROOT / "hf_builders").rglob("*.py"), *(ROOT / "collators").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in places and len(node.args) > places[name]:
                argument = node.args[places[name]]
                if isinstance(argument, ast.Constant):
                    yield path, str(argument.value)


def test_every_reason_that_the_code_raises_is_explained() -> None:
    """Of a dataset, if it explains any: one without words of its own is no mistake."""
    num_checked = 0
    for path, reason in raised_reasons():
        own = words_of(path.parent.name) if path.parent.parent.name == "hf_builders" else {}
        if own or path.parent.name in ("hf_builders", "collators"):
            kind = "set_aside" if path.parent.name == "collators" else "quarantined"
            assert explain(kind, reason, own) is not None, f"{path.name}: {reason}"
            num_checked += 1
    assert num_checked > 60


def test_the_words_of_a_dataset_are_in_both_languages_and_of_reasons_that_it_has() -> None:
    num_checked = 0
    for path in (ROOT / "hf_builders").glob("*/reasons.yaml"):
        code = "".join(each.read_text(encoding="utf-8") for each in path.parent.glob("*.py"))
        for kind, reasons in words_of(path.parent.name).items():
            assert kind in ("left_out", "quarantined", "noted")
            for reason, text in reasons.items():
                assert f'"{reason}"' in code or reason.startswith("given_by_"), f"{path}: {reason}"
                assert text.en.isascii(), f"{path}: {reason}"
                assert re.search("[\u4e00-\u9fff]", text.zh), f"{path}: {reason}"
                assert explain(kind, reason, {kind: {reason: text}}) == text
                num_checked += 1
    assert num_checked > 50


def test_a_dataset_goes_before_what_all_share_and_another_does_not_see_its_words() -> None:
    own = words_of("chinese_medical_dialogue")
    answer_too_long = explain("left_out", "answer_too_long", own)
    assert answer_too_long is not None
    assert answer_too_long.en == "its answer has more characters than the dataset's option allows"
    assert explain("left_out", "answer_too_long") is None
    assert explain("set_aside", "answer_too_long", own) == explain("set_aside", "answer_too_long")


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=300), st.integers(2, 6_000))
def test_what_a_chart_draws_lies_inside_of_it(lengths: list[int], limit: int) -> None:
    counts = LengthCounts()
    counts.add(np.array(lengths))
    bins = counts.bins()
    chart = histogram(bins, {"max_length": limit}, limit=limit)
    assert len(chart.bars) == len(bins)
    ends = [0.0]
    for bar, (first, last, rows) in zip(chart.bars, bins, strict=True):
        assert bar.x >= ends[-1] - 1e-6
        assert 0 < bar.height <= 150
        assert (bar.kind == "over") == (first > limit)
        assert bar.title.endswith(f": {rows:,}")
        assert f"{last:,}" in bar.title
        ends.append(bar.x + bar.width)
    assert ends[-1] <= 100
    (mark,) = chart.marks
    assert 0 < mark.x <= 100
    assert mark.is_beyond <= (limit > max(lengths))
    for tick in chart.ticks:
        assert 0 <= tick.place <= 100


@given(st.dictionaries(st.sampled_from(["kept", "left_out", "quarantined", "set_aside"]), st.integers(0, 10**9)))
def test_the_parts_of_a_stacked_bar_fill_it(parts: dict[str, int]) -> None:
    bars = stack(parts)
    assert [bar.kind for bar in bars] == [kind for kind, count in parts.items() if count]
    if bars:
        assert sum(bar.width for bar in bars) == pytest.approx(100, abs=0.01)
        assert min(bar.width for bar in bars) >= 0.79


def facts_of(**changes: Any) -> dict[str, Any]:
    """The facts of a run of one good split, with some changed."""
    split = {
        "rows_read": 10, "rows_kept": 10, "left_out": {}, "quarantined": {}, "set_aside": {}, "rows_cut": 0,
        "tokens_cut": 0, "trained_tokens_cut": 0, "length_percentiles": {"max": 90},
    }  # fmt: skip
    statistics: dict[str, Any] = {
        "choices": [], "recommended_max_length": None, "in_train": {}, "packing": None, "padding": {"8": 0.5},
        "repeated": {"row": {"rows": 0}}, "lengths": {"total": {"rows": 10}},
    }  # fmt: skip
    facts = {
        "dataset": {"sample": False}, "tokenize": {"max_length": 100}, "spans": {}, "pack": {},
        "splits": {"train": split}, "statistics": {"train": statistics},
    }  # fmt: skip
    for path, value in changes.items():
        *folders, name = path.split("__")
        place: dict[str, Any] = facts
        for folder in folders:
            place = place[folder]
        place[name] = value
    return facts


def said(facts: Mapping[str, Any], barred: str = "", longest: int | None = None) -> list[str]:
    told = []
    for finding in findings(facts, barred, longest):
        english = html.fragment_fromstring(f"<p>{finding.text}</p>").xpath(".//*[@class='en']")
        told.append(f"{finding.kind}: {''.join(each.text_content() for each in english)}")
    return told


def test_packing_is_advised_only_where_it_saves_a_tenth() -> None:
    fill = {"rows": 1, "max_length": 100}
    advice = (
        "advice: Packing would pay: batches of 8 rows of train are 50.0% padding on average, packed rows would be "
        "2.0% empty."
    )
    assert advice in said(facts_of(statistics__train__packing={**fill, "fill": 0.98}))
    assert not [each for each in said(facts_of(statistics__train__packing={**fill, "fill": 0.55})) if "ack" in each]
    packed = said(facts_of(statistics__train__packing={**fill, "fill": 0.98}, pack={"max_length": 100}))
    assert "good: Packed rows of train leave 2.0% empty; batches of 8 unpacked rows would be 50.0% padding." in packed
    (told,) = (
        each
        for each in said(facts_of(statistics__train__packing={**fill, "fill": 0.02}, pack={"max_length": 100}))
        if "ack" in each
    )
    assert told == (
        "advice: Packing wastes more than it saves here: packed rows of train leave 98.0% empty, batches of 8 rows, "
        "not packed, would be 50.0% padding."
    )


def facts_of_long(num: int, recommended: int) -> dict[str, Any]:
    """The facts of a run that sets so many of 10 records aside for their length."""
    return facts_of(
        splits__train__rows_kept=10 - num,
        splits__train__set_aside={"too_long": num},
        statistics__train__recommended_max_length=recommended,
        statistics__train__choices=[{"max_length": recommended, "rows_whole": 0.9999, "tokens_kept": 1.0}],
    )


def test_no_length_is_named_that_the_model_does_not_take() -> None:
    told = "warning: 1 record was set aside, not fitting in max_length = 100 (10.0% of all rows)."
    would = " 192 would hold > 99.9% of the records of train whole."
    facts = facts_of_long(1, 192)
    assert told + would in said(facts)
    assert told + would in said(facts, longest=192)
    assert told in said(facts, longest=191)
    assert "warning: max_length = 100 is more than the 64 tokens that the tokenizer says its model takes." in said(
        facts_of(), longest=64
    )


def test_records_set_aside_for_other_reasons_are_told_of() -> None:
    facts = facts_of(
        splits__train__rows_read=1000,
        splits__train__rows_kept=995,
        splits__train__set_aside={"template_refuses": 3, "nothing_to_train": 2},
    )
    assert said(facts)[:2] == [
        "warning: 2 records have no token to train on, at any max_length; are the answers there?",
        "advice: There is one split only, train; nothing is kept to evaluate on.",
    ]
    assert "advice: 3 records were set aside for reasons that are listed below (0.3% of all rows)." in said(facts)


def test_without_a_split_called_train_no_split_is_said_to_be_trained_on() -> None:
    facts = facts_of()
    facts["splits"] = {"trial": facts["splits"]["train"]}
    facts["statistics"] = {"trial": facts["statistics"]["train"]}
    told = said(facts)
    assert told[0] == "advice: There is no split called train, which is the one that hf-builders train trains on."
    assert not [each for each in told if "evaluate" in each]


def test_what_is_in_train_too_is_denied_only_of_what_was_compared() -> None:
    def denied(in_train: dict[str, int], **sections: Any) -> str:
        facts = facts_of(**sections)
        facts["statistics"]["test"] = {**facts["statistics"]["train"], "in_train": in_train}
        facts["splits"]["test"] = facts["splits"]["train"]
        (told,) = (each for each in said(facts) if "of the other splits" in each)
        return told

    assert denied({"row": 0}) == "good: No row of the other splits stands in train."
    assert denied({"row": 0, "prompt": 0}) == (
        "good: No row of the other splits stands in train, nor does the prompt of one."
    )
    assert (
        denied({"row": 0}, spans={"max_length": 64}, tokenize={})
        == "good: No window of the other splits stands in train."
    )


def test_repeated_windows_are_called_windows() -> None:
    facts = facts_of(spans={"max_length": 64}, tokenize={}, statistics__train__repeated={"row": {"rows": 2}})
    assert "advice: train repeats itself: 2 of its windows (20.0%) would go if each stood there once." in said(facts)


def test_a_reason_with_words_of_data_in_it_stays_text() -> None:
    meaning = explain("quarantined", "blank_<b>{why}{0}")
    assert meaning is not None
    assert (
        html.fragment_fromstring(f"<p>{say(meaning)}</p>")[0].text_content() == "a text it needs is blank: <b>{why}{0}"
    )


def test_a_set_that_may_not_be_passed_on_says_so_first() -> None:
    assert said(facts_of(), "a data use agreement")[0] == (
        "warning: This page shows rows that may not be passed on: a data use agreement."
    )


def test_a_sample_is_called_one() -> None:
    assert said(facts_of(dataset__sample=True))[0].startswith("warning: These rows are the bundled sample: invented")


def test_counts_that_do_not_add_up_are_no_good_news() -> None:
    assert said(facts_of(splits__train__rows_kept=9))[0] == (
        "warning: The counts do not add up; please report this as a bug."
    )


def test_a_good_run_is_told_to_be_good() -> None:
    assert said(facts_of()) == [
        "advice: There is one split only, train; nothing is kept to evaluate on.",
        "good: Every row is accounted for: 10 read = 10 kept + 0 left out + 0 bad + 0 set aside.",
        "good: No record was too long: the longest kept has 90 tokens, max_length is 100.",
    ]
