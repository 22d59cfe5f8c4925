"""Scores of answers are those of CMRC 2018's script, by hand on small texts and by a port of it on real ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collators import cmrc_metric
from collators.cmrc_metric import cmrc_scores, longest_common_run, segment
from collators.errors import TokenizationError

nltk = pytest.importorskip("nltk", reason="the words between Chinese characters are split by nltk")

LISTED = [*"-:_*^/\\~`+=，。：？！“”；’《》", "……", *"·、「」（）－～『』"]
"""The script's list, with its one entry of two characters."""

# Chinese, two characters beside the range of Chinese, words, numbers, what nltk splits and how, and listed punctuation.
CHARACTERS = "北京大学系统〇㐀" + "abcNotW" + "0195" + " \t\u3000" + "'\".,$%()—…" + "-，。《》·"
TEXTS = st.lists(
    st.sampled_from([*CHARACTERS, "cannot", "gonna", "wanna", "don't", "''", "3.5", ". "]), max_size=12
).map("".join)


def scores(prediction: str, *answers: str) -> tuple[float, float]:
    """Exact match and F1, percent, of one question."""
    found = cmrc_scores({"q": prediction}, {"q": answers})
    assert (found["total"], found["skipped"]) == (1, 0)
    return found["exact_match"], found["f1"]


# A port to Python 3 of the published script, with its loops; only sentences are not looked for.


@cache
def ported_segments(text: str) -> list[str]:
    segments: list[str] = []
    word = ""
    for character in text.lower().strip():
        if character in LISTED:
            continue
        if re.search("[\u4e00-\u9fa5]", character):
            segments += nltk.word_tokenize(word, preserve_line=True)
            segments.append(character)
            word = ""
        else:
            word += character
    return segments + nltk.word_tokenize(word, preserve_line=True)


def ported_common_run(first: Sequence[str], second: Sequence[str]) -> int:
    """All lengths of runs that end at first[i] and second[j], row by row."""
    longest = 0
    above = [0] * len(second)
    for token in first:
        above = [before + 1 if token == other else 0 for before, other in zip([0, *above], second, strict=False)]
        longest = max(longest, *above, 0)
    return longest


def ported_scores(prediction: str, answers: Sequence[str]) -> tuple[float, float]:
    def without_listed(text: str) -> str:
        return "".join(character for character in text.lower().strip() if character not in LISTED)

    all_f1 = []
    for answer in answers:
        segments, predicted = ported_segments(answer), ported_segments(prediction)
        num_common = ported_common_run(segments, predicted)
        if num_common == 0:
            all_f1.append(0.0)
            continue
        precision, recall = num_common / len(predicted), num_common / len(segments)
        all_f1.append(2 * precision * recall / (precision + recall))
    is_exact = any(without_listed(answer) == without_listed(prediction) for answer in answers)
    return 100.0 * is_exact, 100 * max(all_f1)


def test_the_answers_themselves_score_100() -> None:
    references = {"q1": ["北京大学"], "q2": ["Windows 95系统", "视窗95"], "q3": ["$3.5"], "q4": []}
    gold = {"q1": "北京大学", "q2": "视窗95", "q3": "$3.5", "q4": ""}
    assert cmrc_scores(gold, references) == {"exact_match": 100, "f1": 100, "total": 4, "skipped": 0}


@pytest.mark.parametrize(
    ("prediction", "answer", "f1"),
    [
        # run 北京大学: 4 of 4 predicted tokens, 4 of 6 right ones: 2 · 4 / (4 + 6)
        ("北京大学", "中国北京大学", 8 / 10),
        # 1990 | 年 | windows | 95 | 系 | 统 against windows | 95: run of 2: 2 · 2 / (6 + 2)
        ("1990年Windows 95系统", "Windows 95", 4 / 8),
        # against 1990 | 年 | 视 | 窗 | 95 | 系 | 统: the runs are 1990年 (2) and 95系统 (3): 2 · 3 / (6 + 7)
        ("1990年Windows 95系统", "1990年视窗95系统", 6 / 13),
        # without the hyphen one token, 1990, as both texts lose it; 年 follows: 2 · 2 / (2 + 3)
        ("19-90年", "1990年间", 4 / 5),
        # the dropped hyphen joins: windows95 | 版 against windows | 95 | 版: 2 · 1 / (2 + 3)
        ("Windows-95版", "Windows 95版", 2 / 5),
        # the decimal point is not listed, and nltk leaves it: 3.5 | 英 | 寸 against 3 | 英 | 寸: 2 · 2 / (3 + 3)
        ("3.5英寸", "3英寸", 4 / 6),
        # narrow brackets are not listed: john | ( | 1 | ) against john: 2 · 1 / (4 + 1)
        ("JOHN(1)", "john", 2 / 5),
        # nltk splits cannot: can | not against not: 2 · 1 / (2 + 1)
        ("cannot", "not", 2 / 3),
        # 的 stands five times, but the run counts once: 的的 of 的的的 and 的的: 2 · 2 / (3 + 2)
        ("的的的", "的的", 4 / 5),
        # 京北京 and 北京北 share 北京 or 京北: 2 · 2 / (3 + 3)
        ("京北京", "北京北", 4 / 6),
        # all four tokens are shared, but no two in order: 2 · 1 / (4 + 4)
        ("学大京北", "北京大学", 2 / 8),
        # the same with the run broken by one token: 北京 or 大学: 2 · 2 / (5 + 4)
        ("北京的大学", "北京大学", 4 / 9),
        # 〇 lies outside U+4E00 to U+9FA5, so 〇〇 is one word: 二 | 〇〇 | 三 against 二 | 〇 | 三: 2 · 1 / (3 + 3)
        ("二〇〇三", "二〇三", 2 / 6),
        ("上海", "北京", 0),
    ],
)
def test_f1_is_twice_the_common_run_over_the_tokens_of_both(prediction: str, answer: str, f1: float) -> None:
    assert scores(prediction, answer) == (0, pytest.approx(100 * f1))


@pytest.mark.parametrize(
    ("prediction", "answer"),
    [
        ("北京大学。", "北京大学"),
        ("《红楼·梦》", "红楼梦"),
        (" Windows 95\n", "windows 95"),
        ("ＩＢＭ", "ｉｂｍ"),
        ("20-30人", "2030人"),
    ],
)
def test_case_outer_space_and_listed_punctuation_do_not_matter(prediction: str, answer: str) -> None:
    assert scores(prediction, answer) == (100, 100)


@pytest.mark.parametrize(
    ("prediction", "answer"),
    [("北京 大学", "北京大学"), ("Windows  95", "Windows 95"), ("。 北京", "北京"), ('5"', "5''")],
)
def test_white_space_within_and_the_form_of_quotes_matter_for_the_exact_match_only(
    prediction: str, answer: str
) -> None:
    assert scores(prediction, answer) == (0, 100)


def test_punctuation_that_is_not_listed_is_a_token() -> None:
    assert scores("北京.", "北京") == (0, pytest.approx(100 * 4 / 5))  # 北 | 京 | . against 北 | 京
    # "……" is listed as one entry of two characters, and no single character equals it.
    assert segment("北京……") == ["北", "京", "……"]


def test_the_best_of_three_answers_counts() -> None:
    # 北 of 上海 and 北大: 0 and 2 · 1 / (4 + 2); 北京大 of 北京大人: 2 · 3 / (4 + 4)
    assert scores("北京大学", "上海", "北大", "北京大人") == (0, pytest.approx(75))
    assert scores("北京大学", "上海", "北京大学", "北大") == (100, 100)


def test_an_answer_of_listed_punctuation_only_is_an_exact_match_of_any_other_at_f1_0() -> None:
    for prediction in ("。", "，：", ""):
        assert scores(prediction, "北京", "。") == (100, 0)


def test_an_empty_prediction_scores_0_and_is_not_skipped() -> None:
    assert scores("", "北京") == (0, 0)
    assert scores(" \n", "北京", "1898年") == (0, 0)
    assert scores("。", "北京") == (0, 0)


def test_a_question_without_prediction_scores_0_and_is_reported_as_skipped() -> None:
    found = cmrc_scores({"q2": "北京"}, {"q1": ["北京"], "q2": ["北京"], "q3": ["上海", "沪"], "q4": []})
    assert found == {"exact_match": 25, "f1": 25, "total": 4, "skipped": 3}
    assert cmrc_scores({}, {"q": ["北京"]}) == {"exact_match": 0, "f1": 0, "total": 1, "skipped": 1}


def test_an_unanswerable_question_wants_the_empty_prediction() -> None:
    assert scores("") == (100, 100)
    assert scores(" \n") == (100, 100)
    assert scores("北京") == (0, 0)
    assert scores("。") == (0, 0)


def test_scores_are_the_mean_over_questions() -> None:
    # 100 and 100; 0 and 4 / 6; 0 and 0
    found = cmrc_scores({"a": "北京", "b": "北京人", "c": "北"}, {"a": ["北京"], "b": ["南北京"], "c": ["南"]})
    assert found["exact_match"] == pytest.approx(100 / 3)
    assert found["f1"] == pytest.approx(100 * (1 + 4 / 6) / 3)


def test_what_gives_no_score_is_named() -> None:
    for predictions, references, message in [
        ({}, {}, "no references: there is no question to score"),
        ({"q2": "北京"}, {"q1": ["北京"]}, "predictions['q2']: no such id among 1 references"),
        ({"q2": "北", "q3": ""}, {"q1": []}, "predictions['q2'] (and 1 more): no such id among 1 references"),
        ({"q": "北"}, {"q": "北京"}, "references['q'] is a text; expected a list of answers: ['北京']"),
        ({"q": None}, {"q": ["北京"]}, "question 'q': a prediction or answer is None; expected a text"),
        ({"q": "北"}, {"q": ["北京", 7]}, "question 'q': a prediction or answer is 7; expected a text"),
    ]:
        with pytest.raises(TokenizationError) as raised:
            cmrc_scores(predictions, references)  # type: ignore[arg-type]
        assert str(raised.value) == message


def test_without_nltk_only_texts_that_need_it_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nltk", None)
    monkeypatch.setitem(sys.modules, "nltk.tokenize", None)
    cmrc_metric._word_splitter.cache_clear()
    assert scores("1990年Windows 95系统。", "1990年 windows 95 系统") == (0, 100)
    for text in ("3.5英寸", "cannot", "'", "〇"):
        with pytest.raises(TokenizationError, match=re.escape("needs nltk: pip install 'hf-builders[train]'")):
            segment(text)


def test_import_loads_neither_nltk_nor_torch() -> None:
    code = (
        "import sys, collators.cmrc_metric as metric; metric.segment('1990年Windows 95系统'); "
        "print([m for m in ('nltk', 'torch', 'numpy') if m in sys.modules])"
    )
    root = Path(cmrc_metric.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("。 ，", []),
        ("1990年Windows 95系统", ["1990", "年", "windows", "95", "系", "统"]),
        ("You cannot, I'm gonna", ["you", "can", "not", ",", "i", "'m", "gon", "na"]),
        ("cannot2 canno t", ["cannot2", "canno", "t"]),
        ("约50%（$3.5）", ["约", "50", "%", "$", "3.5"]),
        ("it works. really.", ["it", "works.", "really", "."]),
        ("一\u9fa5\u9fa6", ["一", "\u9fa5", "\u9fa6"]),
    ],
)
def test_tokens_are_chinese_characters_and_words(text: str, tokens: list[str]) -> None:
    assert segment(text) == tokens


SPLIT_WORDS = ["cannot", "gimme", "gonna", "gotta", "lemme", "wanna"]
PLAIN_WORDS = ["can", "not", "gim", "me", "got", "wannabe", "dye", "moren", "tis", "twas", "whatcha", "s", "nt"]
WORDS = st.one_of(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=5),
    st.sampled_from([*SPLIT_WORDS, *PLAIN_WORDS]),
)


@given(st.lists(WORDS, max_size=5), st.sampled_from([" ", "  ", "\n", "\t", "\u3000", "\x1c", ""]))
def test_words_of_letters_and_digits_are_split_as_nltk_does(words: list[str], space: str) -> None:
    text = space.join(words)
    assert segment(text) == nltk.word_tokenize(text, preserve_line=True)


def test_the_words_that_nltk_splits_are_those_it_lists() -> None:
    listed = nltk.tokenize.destructive.MacIntyreContractions.CONTRACTIONS2
    patterns = [re.sub(r"\(\?[^)]*\)|\\[bs]|[()]", "", pattern) for pattern in listed]
    assert sorted(pattern for pattern in patterns if "'" not in pattern) == SPLIT_WORDS


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_scores_are_those_of_the_port(prediction: str, answers: list[str]) -> None:
    assert segment(prediction) == ported_segments(prediction)
    assert scores(prediction, *answers) == pytest.approx(ported_scores(prediction, answers))


@given(st.lists(st.sampled_from("abc"), max_size=20), st.lists(st.sampled_from("abc"), max_size=20))
def test_the_longest_common_run_is_that_of_the_whole_matrix(first: list[str], second: list[str]) -> None:
    assert longest_common_run(first, second) == ported_common_run(first, second)


def test_runs_of_many_different_and_long_tokens_are_found() -> None:
    first = [f"word{place}" for place in range(70_000)]
    assert longest_common_run(first, ["word5", *first[65_000:65_300], "word5"]) == 300
    assert longest_common_run(["ab", "c"], ["a", "bc"]) == 0


@given(TEXTS, st.lists(TEXTS, max_size=3))
def test_scores_lie_between_0_and_100_and_an_exact_match_has_f1_100_if_it_has_a_token(
    prediction: str, answers: list[str]
) -> None:
    exact_match, f1 = scores(prediction, *answers)
    assert exact_match in (0, 100)
    assert 0 <= f1 <= 100
    if exact_match == 100 and answers:
        assert f1 == (100 if segment(prediction) else 0)


@given(TEXTS, TEXTS)
def test_f1_100_without_exact_match_is_a_matter_of_white_space_and_quotes(prediction: str, answer: str) -> None:
    def bare(text: str) -> str:
        return "".join(character for character in text.lower() if character not in LISTED and not character.isspace())

    _, f1 = scores(prediction, answer)
    assert (f1 == 100) == (segment(prediction) == segment(answer) != [])
    if f1 == 100:
        assert bare(prediction).replace('"', "''") == bare(answer).replace('"', "''")


@given(TEXTS, TEXTS, TEXTS)
def test_prediction_and_answer_may_change_places_and_another_answer_never_harms(
    prediction: str, answer: str, other: str
) -> None:
    exact_match, f1 = scores(prediction, answer)
    assert scores(answer, prediction) == (exact_match, f1)
    assert scores(prediction, answer, other) == scores(prediction, other, answer) >= (exact_match, 0)
    assert scores(prediction, answer, other)[1] >= f1


@given(TEXTS.map(str.strip), TEXTS, st.sampled_from("-，。《·"), st.integers(0, 12))
def test_listed_punctuation_anywhere_in_a_stripped_text_changes_nothing(
    prediction: str, answer: str, mark: str, place: int
) -> None:
    assert scores(prediction[:place] + mark + prediction[place:], answer) == scores(prediction, answer)


@pytest.fixture(scope="module")
def real_answers(shared_realdata: Callable[[str], Path]) -> list[str]:
    cmrc = json.loads((shared_realdata("cmrc2018") / "squad-style-data" / "cmrc2018_trial.json").read_text("utf-8"))
    webqa = json.loads((shared_realdata("webqa") / "WebQA.v1.0" / "me_test.ann.json").read_text("utf-8"))
    questions = [row for article in cmrc["data"] for paragraph in article["paragraphs"] for row in paragraph["qas"]]
    evidences = [evidence for row in webqa.values() for evidence in row["evidences"].values()]
    return [
        *(answer["text"] for question in questions for answer in question["answers"]),
        *(answer for evidence in evidences for answer in evidence["answer"]),
    ]


@pytest.mark.realdata
def test_scores_of_real_answers_are_those_of_the_port(real_answers: list[str]) -> None:
    num_checked = num_partial = 0
    for place, answer in enumerate(real_answers):
        half = len(answer) // 2
        predictions = [
            answer,
            answer[:half],
            answer[half:],
            answer[1:] + answer[:1],
            f"答案是{answer.upper()}。",
            f"{answer[:half]}，{answer[half:]} (1995)",
            real_answers[place - 1],
        ]
        for prediction in predictions:
            answers = [answer, real_answers[place - 2]]
            found = scores(prediction, *answers)
            assert found == pytest.approx(ported_scores(prediction, answers)), (prediction, answers)
            num_checked += 1
            num_partial += 0 < found[1] < 100
    assert num_checked == 7 * len(real_answers) > 15_000
    assert num_partial > 5_000


@pytest.mark.realdata
def test_real_answers_themselves_score_100(real_answers: list[str]) -> None:
    gold = {str(place): answer for place, answer in enumerate(real_answers)}
    references = {place: [answer] for place, answer in gold.items()}
    assert cmrc_scores(gold, references) == {"exact_match": 100, "f1": 100, "total": len(gold), "skipped": 0}


@pytest.mark.realdata
def test_hardly_a_real_answer_has_a_full_stop_at_which_punkt_might_end_a_sentence(real_answers: list[str]) -> None:
    # Wider than punkt's own rule: any full stop with a word after something other than letters, digits and full stops.
    found = [
        words
        for answer in real_answers
        for words in re.findall("[^\u4e00-\u9fa5]+", "".join(c for c in answer.lower() if c not in LISTED))
        if re.search(r"\.[^\w.]+\w", words)
    ]
    assert found == [
        "william and flora hewlett foundationandrew w. mellon foundation",
        "s.g. tallentyre",
        "st. john of matha",
        "st. felix of valois",
        "john h. mcarthur",
        "reginald w. stewart",
    ]
    assert len(real_answers) == 2_502
