"""Marks of the LES cup: read where they are whole, mended where it is clear what was meant, else a bad row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_builders.les_mrc.marks import Marked, read_marks
from hf_builders.quarantine import RowProblem

# A cell, and each marked text with the numbers (from 0) of its documents.
WHOLE: list[tuple[str, list[tuple[str, tuple[int, ...]]]]] = [
    ("@content5@卡尔号@content5@", [("卡尔号", (4,))]),
    ("@content1@甲@content1@@content4@乙@content4@", [("甲", (0,)), ("乙", (3,))]),
    ("@content2@甲@content2@@content2@甲@content2@", [("甲", (1,)), ("甲", (1,))]),
    (" @content3@ 甲乙 \n@content3@ @content1@丙@content1@\n", [("甲乙", (2,)), ("丙", (0,))]),
    ("@content1@第1段\n第2段@content1@", [("第1段\n第2段", (0,))]),
    ("@content1@1,285米 ，content，@ 和 a@b.cn@content1@", [("1,285米 ，content，@ 和 a@b.cn", (0,))]),
]
MENDED: list[tuple[str, list[tuple[str, tuple[int, ...]]]]] = [
    # An @ left out, of whichever mark.
    ("@content1@甲@content1@content4@乙@content4@", [("甲", (0,)), ("乙", (3,))]),
    ("@content1@甲@content1content4@乙@content4@", [("甲", (0,)), ("乙", (3,))]),
    ("content1@甲@content1@", [("甲", (0,))]),
    ("@content1甲@content1@", [("甲", (0,))]),
    ("@content1@甲content1@", [("甲", (0,))]),
    ("@content1@甲@content1", [("甲", (0,))]),
    # An @ too many, at either end of what is marked or beside the marks.
    ("@content1@甲@@content1@", [("甲", (0,))]),
    ("@content1@@甲@content1@", [("甲", (0,))]),
    ("@content1@ @ @@甲a@b.cn \u3000@ @content1@", [("甲a@b.cn", (0,))]),
    ("@@content1@甲@content1@", [("甲", (0,))]),
    ("@content1@甲@content1@@", [("甲", (0,))]),
    ("@content1@甲@content1@@@content4@乙@content4@", [("甲", (0,)), ("乙", (3,))]),
    # A mark that never closes.
    ("@content1@甲", [("甲", (0,))]),
    ("@content1@甲@content2@乙@content2@", [("甲", (0,)), ("乙", (1,))]),
    ("@content2@乙@content2@@content1@甲", [("乙", (1,)), ("甲", (0,))]),
    # A closing mark with another number: both documents are meant.
    ("@content1@甲@content4@", [("甲", (0, 3))]),
    ("@content1@甲@content4@@content2@乙@content2@", [("甲", (0, 3)), ("乙", (1,))]),
    # No marks.
    (" 甲 ", [("甲", ())]),
    ("甲@", [("甲@", ())]),
    ("content1 甲", [("content1 甲", ())]),
]
EXPECTED = "; expected @contentN@…@contentN@, once or more"
BROKEN = [
    ("@content1@@content1@", "nothing stands between two marks"),
    ("@content1@ \n@content1@", "nothing stands between two marks"),
    ("@content1@甲@content1@@content2@", "nothing stands between two marks"),
    ("@content3@", "nothing stands between two marks"),
    ("@content1@ @@ @content1@", "nothing stands between two marks"),
    ("甲@content1@", "something stands before the first mark"),
    ("答案：@content1@甲@content1@", "something stands before the first mark"),
    ("@content1@甲@content1@乙", "something stands outside the marks"),
    ("@content1@甲@content1@乙@content1@", "something stands outside the marks"),
    ("@content6@甲@content6@", "a mark names none of the documents 1 to 5"),
    ("@content12@甲@content12@", "a mark names none of the documents 1 to 5"),
    ("@content1@甲@content0@", "a mark names none of the documents 1 to 5"),
]


@pytest.mark.parametrize(
    ("cell", "marked", "is_mended"),
    [(*case, False) for case in WHOLE] + [(*case, True) for case in MENDED],
)
def test_a_cell_gives_its_marked_texts_and_says_whether_its_marks_were_mended(
    cell: str, marked: list[tuple[str, tuple[int, ...]]], is_mended: bool
) -> None:
    assert read_marks(cell) == ([Marked(*each) for each in marked], is_mended)


@pytest.mark.parametrize(("cell", "fact"), BROKEN)
def test_marks_that_cannot_be_mended_are_a_problem_of_the_row(cell: str, fact: str) -> None:
    with pytest.raises(RowProblem) as error:
        read_marks(cell)
    assert (error.value.reason, error.value.fact) == ("broken_marks", f"{fact} in {cell!r}{EXPECTED}")


def test_of_a_long_cell_the_error_shows_the_beginning() -> None:
    with pytest.raises(RowProblem) as error:
        read_marks("甲" * 500 + "@content1@乙@content1@")
    assert error.value.fact == f"something stands before the first mark in '{'甲' * 79}{EXPECTED}"


# An @ at either end is one of the marks around it.
TEXT = st.text("甲乙，ab19@. \n", min_size=1, max_size=12).map(lambda text: text.strip("@ \n")).filter(bool)


@given(marked=st.lists(st.tuples(TEXT, st.integers(1, 5)), min_size=1, max_size=4))
def test_whatever_is_put_between_marks_comes_out(marked: list[tuple[str, int]]) -> None:
    cell = "".join(f"@content{number}@{text}@content{number}@" for text, number in marked)
    assert read_marks(cell) == ([Marked(text, (number - 1,)) for text, number in marked], False)


PIECES = st.sampled_from(["@", "content", "1", "4", "6", "甲", " ", "@content1@", "@content4@"])


@given(cell=st.lists(PIECES).map("".join))
def test_marked_texts_are_in_the_cell_in_order_and_nothing_else_is_lost(cell: str) -> None:
    try:
        marked, _ = read_marks(cell)
    except RowProblem:
        return
    place = 0
    for text, documents in marked:
        place = cell.index(text, place) + len(text)
        assert all(0 <= number < 5 for number in documents)
        assert not documents or text == text.strip("@ ")
    rest = cell
    for text, _ in marked:
        rest = rest.replace(text, "", 1)
    assert not set(rest) - set("@content14 "), "what is not marked is marks"


@pytest.mark.realdata
def test_the_real_marks_are_read_and_the_one_without_an_at_is_mended(shared_realdata: Callable[[str], Path]) -> None:
    path = shared_realdata("les_military/les2_real_fragments.json")
    fields = json.loads(path.read_text(encoding="utf-8"))["hand_corrected_fields"]
    cells = {each["question_id"]: each["corrected_value"] for each in fields if each["field"] == "supporting_paragraph"}
    read = {question_id: read_marks(cell) for question_id, cell in cells.items()}
    assert {
        question_id: ([each.documents for each in marked], is_mended)
        for question_id, (marked, is_mended) in read.items()
    } == {
        "Q_07096kkkdj": ([(0,), (3,)], True),
        "Q_35449ydjjg": ([(0,), (4,)], False),
        "Q_50970hhhdh": ([(2,), (4,)], False),
        "Q_14092hckjc": ([(1,)], False),
    }
    for question_id, (marked, _) in read.items():
        rest = cells[question_id]
        for text, _ in marked:
            assert "@" not in text
            assert rest.count(text) == 1
            rest = rest.replace(text, "")
        assert rest.replace("@", "").replace("content", "").isdigit(), "nothing but marks is left out"
