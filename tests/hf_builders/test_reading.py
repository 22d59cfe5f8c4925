"""An answer is found where it really stands, whatever the file says of its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hf_builders.quarantine import RowProblem
from hf_builders.reading import NOWHERE, Answer, find_answer, find_answers, list_of, said_answer, text_of

# Context, text, the offset of the file, the right one, what is noted of it.
PLACES: list[tuple[str, str, int | None, int, str | None]] = [
    ("红裙子，红上衣，红鞋", "红", 0, 0, None),
    ("红裙子，红上衣，红鞋", "红", 4, 4, None),
    ("红裙子，红上衣，红鞋", "红", 5, 4, "answer_start_corrected"),
    ("红裙子，红上衣，红鞋", "红", 7, 8, "answer_start_corrected"),
    ("红裙子，红上衣，红鞋", "红", 2, 0, "answer_start_corrected"),  # 0 and 4 are equally near
    ("红裙子，红上衣，红鞋", "红", 99, 8, "answer_start_corrected"),
    ("裙子是红的", "红", 0, 3, "answer_start_corrected"),
    ("红裙子，红上衣，红鞋", "红", -1, 0, "answer_start_filled"),
    ("红裙子，红上衣，红鞋", "红", -7, 0, "answer_start_filled"),
    ("红裙子，红上衣，红鞋", "红", None, 0, None),
    ("红裙子，红上衣，红鞋", "蓝", None, -1, "answer_not_in_context"),
    ("红裙子，红上衣，红鞋", "蓝", -1, -1, "answer_not_in_context"),
    ("红裙子，红上衣，红鞋", "蓝", 3, -1, "answer_not_in_context"),
    ("", "蓝", 0, -1, "answer_not_in_context"),
    # Overlapping places are two places.
    ("哈哈哈", "哈哈", 1, 1, None),
    ("。哈哈哈", "哈哈", 3, 2, "answer_start_corrected"),
    # Characters of Python, not bytes and not UTF-16 units.
    ("😀😀红裙子", "红", 4, 2, "answer_start_corrected"),
    # Without an offset, a piece of a number or Latin word is no place, unless there is no other.
    ("1972年夺得7面金牌", "7", None, 7, None),
    ("1972年夺得7面金牌", "7", -1, 7, "answer_start_filled"),
    ("1972年夺得7面金牌", "7", 2, 2, None),
    ("1972年夺得金牌", "7", None, 2, None),
    ("MKS的MK型", "MK", None, 4, None),
    ("27米和7米", "7米", None, 4, None),
    ("装备AK-47，AK-4", "AK-4", None, 8, None),
    ("1.5米和5米", "5米", None, 2, None),  # a dot is no part of a word
]


@pytest.mark.parametrize(("context", "text", "start", "right", "note"), PLACES)
def test_an_answer_gets_the_place_where_it_stands(
    context: str, text: str, start: int | None, right: int, note: str | None
) -> None:
    assert find_answer(context, text, start) == (Answer(text, right), note)


FEW = st.text("ab1。红\n😀", max_size=30)


@given(
    context=FEW | st.text(max_size=30),
    text=st.text("ab1。红\n😀", min_size=1, max_size=3) | st.text(min_size=1, max_size=5),
    start=st.none() | st.integers(-3, 35) | st.integers(),
)
@example("\\d(", "\\d(", None)  # a text is looked for as it is, not as a pattern
def test_an_answer_is_at_its_place_or_nowhere(context: str, text: str, start: int | None) -> None:
    answer, note = find_answer(context, text, start)
    assert answer.text == text
    if answer.start == NOWHERE:
        assert text not in context
        assert note == "answer_not_in_context"
        return
    assert context[answer.start : answer.start + len(text)] == text
    if start is None or start == answer.start:
        assert note is None
    else:
        assert note == ("answer_start_filled" if start < 0 else "answer_start_corrected")


@given(context=FEW, text=st.text("ab1。红", min_size=1, max_size=2), start=st.integers(0, 35))
def test_no_place_is_nearer_to_a_wrong_offset_than_the_one_taken(context: str, text: str, start: int) -> None:
    places = [place for place in range(len(context)) if context.startswith(text, place)]
    answer, _ = find_answer(context, text, start)
    assert answer.start == min(places, key=lambda place: abs(place - start), default=NOWHERE)


def test_answers_keep_their_order_and_what_is_odd_about_them_is_noted() -> None:
    notes = {"before"}
    given: list[tuple[object, int | None]] = [("7", 0), ("七", 5), (" ", 0), (7, None), (4.9, None), ("年", -1)]
    assert find_answers("1972年夺得7面金牌，4.9分", given, notes) == [
        Answer("7", 2),
        Answer("七", -1),
        Answer("7", 7),
        Answer("4.9", 12),
        Answer("年", 4),
    ]
    assert notes == {
        "before",
        "answer_start_corrected",
        "answer_not_in_context",
        "blank_answer",
        "answer_was_number",
        "answer_start_filled",
    }


@pytest.mark.parametrize(
    ("number", "text"), [(39764.0, "39764.0"), (147, "147"), (-0.5, "-0.5"), (2**70, str(2**70)), (1e22, "1e+22")]
)
def test_a_number_becomes_the_text_that_python_writes(number: float, text: str) -> None:
    notes = set[str]()
    assert find_answers(f"它是{text}。", [(number, None)], notes) == [Answer(text, 2)]
    assert notes == {"answer_was_number"}


NONE_LEFT = ("no_answers", "'answers' holds no answer; write one, or take the question out")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([], NONE_LEFT),
        ([""], NONE_LEFT),
        (["\u3000", "\n"], NONE_LEFT),
        ([None], ("wrong_type", "'answers' holds null (None); expected text")),
        (["红", ["红"]], ("wrong_type", "'answers' holds an array (['红']); expected text")),
        ([True], ("wrong_type", "'answers' holds a boolean (True); expected text")),
        ([{"text": "红"}], ("wrong_type", "'answers' holds an object ({'text': '红'}); expected text")),
    ],
)
def test_answers_that_are_none_are_a_problem_of_the_row(given: list[Any], problem: tuple[str, str]) -> None:
    with pytest.raises(RowProblem) as error:
        find_answers("红裙子", [(value, None) for value in given], set())
    assert (error.value.reason, error.value.fact) == problem


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"b": "x", "c": 1}, ("missing_field", "'a' is missing; it has b, c")),
        ({}, ("missing_field", "'a' is missing; it has no field")),
        ({"a": None}, ("null_value", "'a' is null; expected text")),
        ({"a": 3}, ("wrong_type", "'a' is a number (3); expected text")),
        ({"a": " \n"}, ("blank_a", "'a' is blank; expected text")),
    ],
)
def test_a_field_that_is_no_text_is_a_problem_of_the_row(row: dict[str, Any], problem: tuple[str, str]) -> None:
    with pytest.raises(RowProblem) as error:
        text_of(row, "a")
    assert (error.value.reason, error.value.fact) == problem


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({}, ("missing_field", "'a' is missing; it has no field")),
        ({"a": "x"}, ("wrong_type", "'a' is text ('x'); expected an array")),
        ({"a": None}, ("wrong_type", "'a' is null (None); expected an array")),
    ],
)
def test_a_field_that_is_no_list_is_a_problem_of_the_row(row: dict[str, Any], problem: tuple[str, str]) -> None:
    with pytest.raises(RowProblem) as error:
        list_of(row, "a")
    assert (error.value.reason, error.value.fact) == problem


def test_a_field_comes_out_as_it_is() -> None:
    assert text_of({"a": " x "}, "a") == " x "
    assert text_of({"a": " "}, "a", may_be_blank=True) == " "
    assert list_of({"a": []}, "a") == []


@pytest.mark.parametrize(
    ("answers", "joint", "said"),
    [
        ([], None, None),
        ([], "#", None),
        ([("红", 0)], None, "红"),
        # Alternatives: the commonest of those in the context, the first of these where it is a tie.
        ([("红", 0), ("红色", 4), ("红色", 4)], None, "红色"),
        ([("红", 0), ("红色", 4)], None, "红"),
        ([("蓝", -1), ("蓝", -1), ("红", 0)], None, "红"),
        ([("蓝", -1), ("青", -1), ("青", -1)], None, "青"),
        # Parts: each once, in order, wherever they stand.
        ([("红", 0), ("蓝", -1), ("红", 4)], "、", "红、蓝"),
        ([("红", 0)], "#", "红"),
    ],
)
def test_alternatives_are_one_of_them_and_parts_are_all_of_them(
    answers: list[tuple[str, int]], joint: str | None, said: str | None
) -> None:
    assert said_answer([Answer(*answer) for answer in answers], joint) == said
