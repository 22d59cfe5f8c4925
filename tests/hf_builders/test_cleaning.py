"""Steps from YAML, and the cleaner: order, counts, rows of many texts, batches of any size."""

from __future__ import annotations

import pickle
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given, settings

from hf_builders import cleaning_step
from hf_builders.cleaning import STEPS, Cleaner, StepCounts, parse_steps, sum_counts
from hf_builders.cleaning_characters import Case, Control, Mojibake, Simplified, UnicodeForm, Whitespace
from hf_builders.cleaning_filters import CharacterRatio, Length
from hf_builders.cleaning_markup import Html, Urls
from hf_builders.cleaning_numbers import Numbers
from hf_builders.cleaning_punctuation import Punctuation
from hf_builders.cleaning_step import FilterStep, Step, TextStep
from hf_builders.cleaning_words import Lemmatisation, Stemming, StopWords
from hf_builders.errors import OptionError

EVERY_STEP: list[Step] = [
    UnicodeForm(),
    UnicodeForm(signs=True),
    UnicodeForm(form="NFC"),
    UnicodeForm(form="NFKC"),
    Mojibake(),
    Mojibake(lossy=True, quotes=True, html=True, width=True),
    Simplified(),
    Simplified(config="tw2sp"),
    Simplified(keep=["軟"]),
    Punctuation(to="chinese"),
    Punctuation(to="chinese", stops_between=True),
    Punctuation(to="ascii"),
    Numbers(to="digits"),
    Numbers(to="chinese"),
    Case(),
    Case(fold="casefold"),
    Control(),
    Control(joiners=True, replacement_character=True),
    Whitespace(),
    Whitespace(blank_lines=0, indents="remove", between_chinese="remove"),
    Urls(),
    Urls(replacement="<网址>", emails=True),
    Html(),
    StopWords(language="zh"),
    StopWords(language="en", words=["the"]),
    Stemming(),
    Lemmatisation(),
    Length(min_chars=2, max_chars=40),
    CharacterRatio(of="han", min=0.3),
]
# Applied to what they gave, these change nothing more. Not so HTML (`&amp;lt;`), mojibake with HTML, stems, lemmas; and
# what stands around a word or an address that went may be one then.
IDEMPOTENT = (UnicodeForm, Simplified, Punctuation, Numbers, Case, Control, Whitespace)


def of(step: Step) -> Step:
    """The step itself, or a skip where its library is not installed."""
    for library in step.libraries():
        pytest.importorskip(library)
    return step


def applied(step: Step, texts: list[str | None]) -> list[Any]:
    array = pa.array(texts, pa.string())
    result = step.clean(array) if isinstance(step, TextStep) else step.keeps(array)  # type: ignore[attr-defined]
    assert len(result) == len(texts)
    return list(result.to_pylist())


def texts_of(pieces: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces) | st.text(max_size=3), max_size=12).map("".join)


TEXTS = texts_of(
    [
        *"头痛的。，,.!?:;()（）\"'“”‘’…—-~一二三十百千万两点年月日天个 \t\n\r　ＡＢ１aBcé",
        *"0123456789<>&;/%@}\u200b\u200d\ufeff",
        *("...", "--", "百分之", "三分之一", "小时", "第", "軟體", "後來", "Ã©", "ä½", "running", "the "),
        *("`x`", "```", '{"a":', "<p>", "</p>", "<br>", "&amp;", "http://a.cn/", "a@b.cn"),
    ]
)


def test_there_is_a_name_for_every_step() -> None:
    assert list(STEPS) == [
        "unicode", "mojibake", "simplified", "punctuation", "numbers", "case", "control", "whitespace", "urls", "html",
        "stop_words", "stemming", "lemmatisation", "length", "character_ratio",
    ]  # fmt: skip
    assert {type(step) for step in EVERY_STEP} == set(STEPS.values())


def test_steps_unfit_for_generation_say_so_and_no_others() -> None:
    unfit = {name for name, step in STEPS.items() if not step.is_for_generation}
    assert unfit == {"stop_words", "stemming", "lemmatisation"}
    for name in unfit:
        assert "unsuitable for generative fine-tuning" in " ".join((STEPS[name].__doc__ or "").lower().split())


def test_yaml_names_steps_alone_or_with_options_in_order() -> None:
    faults: list[str] = []
    values = [
        "control",
        {"length": {"min_chars": 2, "max_chars": 4000}},
        {"punctuation": {"to": "ascii"}},
        {"html": None},
    ]
    assert parse_steps(values, "clean.steps", faults) == [
        Control(), Length(min_chars=2, max_chars=4000), Punctuation(to="ascii"), Html(),
    ]  # fmt: skip
    assert faults == []


def test_all_faults_of_all_steps_are_told_with_their_places() -> None:
    faults: list[str] = []
    values = [
        "mojibak",
        {"length": {"min_char": 2}},
        {"character_ratio": {"min": 2}},
        3,
        {"case": {}, "html": {}},
        {"unicode": {"form": "NFKD"}},
        "punctuation",
        "length",
        {"length": {"min_chars": 9, "max_chars": 3}},
        {"unicode": {"form": "NFC", "signs": True}},
        {"whitespace": {"blank_lines": -1}},
        {"html": {"keep": ["UNK"]}},
        {"stop_words": {"language": "en", "separator": " ", "words": []}},
        {"character_ratio": {"of": "han", "max": 1.5}},
        {"simplified": {"keep": ["乾", " "]}},
        "control",
    ]
    assert parse_steps(values, "clean.steps", faults) == [Control()]
    assert faults == [
        "clean.steps[0]: 'mojibak' is no step; did you mean 'mojibake'?",
        "clean.steps[1].length.min_char: unknown key; did you mean 'min_chars'?",
        "clean.steps[2].character_ratio.of: is missing; it has no default",
        "clean.steps[3]: is 3; expected the name of one step, alone or with its options",
        "clean.steps[4]: is {'case': {}, 'html': {}}; expected the name of one step, alone or with its options",
        "clean.steps[5].unicode.form: is 'NFKD'; expected NFC, NFKC, full_width; did you mean 'NFKC'?",
        "clean.steps[6].punctuation.to: is missing; it has no default",
        "clean.steps[7].length: min_chars or max_chars is missing; without both nothing is dropped",
        "clean.steps[8].length: min_chars and max_chars are 9 and 3; every row would be dropped",
        "clean.steps[9].unicode: signs goes with form: full_width; NFC has no such choice",
        "clean.steps[10].whitespace: blank_lines is -1; it takes 0 or more",
        "clean.steps[11].html: keep: 'UNK' is no tag of HTML; it stays as it is",
        "clean.steps[12].stop_words: words is empty; leave it out for the usual ones",
        "clean.steps[12].stop_words: separator goes with language: zh; English words have blanks between them",
        "clean.steps[13].character_ratio: max is 1.5; a share is from 0 to 1",
        "clean.steps[14].simplified: keep: ' ' is blank; name a text that stays",
    ]


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "empty"), ("control", "'control'"), ({"control": {}}, "{'control': {}}")]
)
def test_what_is_no_list_is_told(value: object, shown: str) -> None:
    faults: list[str] = []
    assert parse_steps(value, "clean.steps", faults) == []
    assert faults == [f"clean.steps: is {shown}; expected a list of steps"]


def test_a_missing_library_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning_step.importlib.util, "find_spec", lambda name: None)
    for use in (lambda: Cleaner([Mojibake()]), lambda: Mojibake().clean(pa.array(["é"]))):
        with pytest.raises(
            OptionError, match=r"clean\.steps: 'mojibake' needs ftfy; pip install 'hf-builders\[clean\]'"
        ):
            use()
    Cleaner([Control(), Whitespace(), Urls(), Html(), Punctuation(to="chinese")])  # need none


def test_steps_run_in_the_order_given() -> None:
    texts = pa.array(["<b>Ａ</b>"])
    both = Cleaner([Html(), Length(max_chars=1)])(texts), Cleaner([Length(max_chars=1), Html()])(texts)
    assert [each.dropped_by.to_pylist() for each in both] == [[None], [0]]


def test_a_row_is_dropped_with_all_its_texts_and_no_later_step_sees_it() -> None:
    cleaner = Cleaner([Control(), Length(min_chars=2), Case(), CharacterRatio(of="latin", max=0.5)])
    texts = pa.array(["你\x00好", "A", None, "头痛\x00", "ABC", "好的A", "", None, "很好B"])
    cleaned = cleaner(texts, offsets=[0, 2, 4, 5, 6, 7, 7, 9])
    assert cleaned.dropped_by.to_pylist() == [1, None, 3, None, 1, None, None]
    assert cleaned.dropped_by.type == pa.int32()
    assert cleaned.texts.to_pylist() == ["你好", "A", None, "头痛", "abc", "好的a", "", None, "很好b"]
    assert [(each.step, each.changed, each.dropped) for each in cleaned.counts] == [
        ("control", 2, 0), ("length", 0, 2), ("case", 3, 0), ("character_ratio", 0, 1),
    ]  # fmt: skip


def test_without_offsets_every_text_is_a_row_and_a_null_is_never_dropped() -> None:
    cleaned = Cleaner([Length(min_chars=2)])(pa.chunked_array([["a", None], ["bc"]]))
    assert cleaned.dropped_by.to_pylist() == [0, None, None]


def test_offsets_of_a_slice_of_a_list_array_are_taken_as_they_are() -> None:
    rows = pa.array([["x"], ["a", "bc"], ["de"]])[1:]
    cleaned = Cleaner([Length(min_chars=2)])(rows.flatten(), rows.offsets)
    assert cleaned.dropped_by.to_pylist() == [0, None]


def test_no_steps_and_no_rows_are_fine() -> None:
    assert Cleaner([])(pa.array(["a"])).texts.to_pylist() == ["a"]
    cleaner = Cleaner([Control(), Length(min_chars=1)])
    empty = cleaner(pa.array([], pa.string()))
    assert (len(empty.texts), len(empty.dropped_by), empty.counts) == (0, 0, cleaner.zero_counts())


def test_counts_name_every_option_and_add_up() -> None:
    cleaner = Cleaner([Whitespace(blank_lines=2), Length(max_chars=3)])
    counts = sum_counts(cleaner(pa.array(texts)).counts for texts in (["a ", "b"], [" c", "long"]))
    whitespace = {"blank_lines": 2, "indents": "keep", "between_chinese": "collapse"}
    assert counts == [
        StepCounts("whitespace", whitespace, 2, 0),
        StepCounts("length", {"min_chars": None, "max_chars": 3}, 0, 1),
    ]
    assert sum_counts([]) == []
    with pytest.raises(AssertionError):
        counts[0] + counts[1]


@pytest.mark.parametrize("step", EVERY_STEP, ids=repr)
def test_nulls_and_empty_texts_stay(step: Step) -> None:
    result = applied(of(step), [None, "", None])
    if isinstance(step, FilterStep):
        assert result == [None, False, None]
    else:
        assert result == [None, "", None]
        assert applied(step, [None]) == [None]
    assert applied(step, []) == []


@pytest.mark.parametrize("step", EVERY_STEP, ids=repr)
def test_a_step_survives_pickling(step: Step) -> None:
    assert pickle.loads(pickle.dumps(step)) == step
    texts = ["后來Ａ two mice,很好三十五岁"]
    assert applied(pickle.loads(pickle.dumps(of(step))), texts) == applied(step, texts)


@pytest.mark.parametrize("step", EVERY_STEP, ids=repr)
@settings(max_examples=20, deadline=None)
@given(texts=st.lists(TEXTS | st.none(), max_size=5))
def test_a_text_is_cleaned_the_same_in_every_batch(step: Step, texts: list[str | None]) -> None:
    of(step)
    assert applied(step, texts) == [applied(step, [text])[0] for text in texts]


@pytest.mark.parametrize("step", [step for step in EVERY_STEP if isinstance(step, IDEMPOTENT)], ids=repr)
@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_cleaning_twice_is_cleaning_once(step: Step, text: str) -> None:
    once = applied(of(step), [text])
    assert applied(step, once) == once


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.lists(TEXTS | st.none(), max_size=3), max_size=5))
def test_rows_one_by_one_are_cleaned_like_the_whole_batch(rows: list[list[str | None]]) -> None:
    cleaner = Cleaner(
        [Html(), Control(), Length(min_chars=2), Punctuation(to="chinese"), CharacterRatio(of="han", min=0.2)]
    )
    batch = pa.array(rows, pa.list_(pa.string()))
    whole = cleaner(batch.flatten(), batch.offsets)
    single = [cleaner(each.flatten(), each.offsets) for each in (batch[i : i + 1] for i in range(len(batch)))]
    assert whole.texts.to_pylist() == [text for each in single for text in each.texts.to_pylist()]
    assert whole.dropped_by.to_pylist() == [place for each in single for place in each.dropped_by.to_pylist()]
    assert whole.counts == (sum_counts(each.counts for each in single) or cleaner.zero_counts())
    assert sum(each.dropped for each in whole.counts) == len(rows) - whole.dropped_by.null_count
