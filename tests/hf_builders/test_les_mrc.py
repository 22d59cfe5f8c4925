"""The LES cup: three layouts, one schema; an answer stands in the document its marks name, or it is said that not."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Features, List, Value, load_dataset

import hf_builders
from hf_builders import OptionError, SourceError
from hf_builders.les_mrc.answers import find_marked
from hf_builders.les_mrc.documents import read_documents
from hf_builders.les_mrc.marks import Marked
from hf_builders.reading import Answer
from tests.hf_builders.reading_files import (
    ARTICLES,
    DUREADER,
    LES_COLUMNS,
    LES_ROW,
    TASK,
    account_of,
    as_json,
    as_lines,
    check_bad_row,
    check_offsets,
    les_csv,
    load,
    quarantined,
    said,
    write,
)

NAME = "hf_builders/les_mrc"
VIEWS = ("source", "mrc", "messages", "instruction")
TEST_COLUMNS = [name for name in LES_COLUMNS if name not in ("answer", "bridging_entity", "supporting_paragraph")]


def les_row(answer: str, number: int = 1, **others: str) -> dict[str, str]:
    """A row with an id of its own: `Q_00001abcde` is that of number 1."""
    return {**LES_ROW, "question_id": f"Q_{number:05}abcde", "answer": answer, **others}


def documents_of(row: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"title": row[f"title{n}"], "paragraphs": row[f"content{n}"].split("  "), "is_selected": None}
        for n in range(1, 6)
    ]


def test_source_has_the_columns_the_card_says(tmp_path: Path) -> None:
    texts = ("question_id", "question", "answer", "question_type", "keyword", "bridging_entity")
    texts += ("supporting_paragraph", "article_id", "article_type")
    assert load("les_mrc", write(tmp_path / "my.csv", les_csv(LES_ROW)), "source").features == Features(
        {
            **{name: Value("string") for name in texts},
            "documents": List(
                {"title": Value("string"), "paragraphs": List(Value("string")), "is_selected": Value("bool")}
            ),
        }
    )


TWO_STEPS = les_row(
    "@content3@海洋所@content3@@content1@明年4月@content1@",
    bridging_entity="测海七号",
    title1="有了姊妹船",
    content1="姊妹船定于明年4月入列。",
    title2="",
    content2="海图  怎样更新    纸图",
    title3="怎样扫海底",
    content3="\u200b它由海洋所研制。",
    title4="发现新海山",
    content4="",
    title5="菜园",
    content5="海洋所的菜园。",
    keyword="望潮海山",
    question=" 声呐由谁研制？姊妹船何时入列？",
    supporting_paragraph="@content4@新海山@content4@",
)
CONTEXT = (
    "有了姊妹船\n姊妹船定于明年4月入列。\n\n海图  怎样更新    纸图\n\n怎样扫海底\n\u200b它由海洋所研制。\n\n"
    "发现新海山\n\n\n菜园\n海洋所的菜园。"
)


class TestCsv:
    def test_every_view_of_a_row_in_two_steps(self, tmp_path: Path) -> None:
        path = write(tmp_path / "my.csv", les_csv(TWO_STEPS))
        assert list(load("les_mrc", path, "source")) == [
            {
                "question_id": "Q_00001abcde",
                "question": " 声呐由谁研制？姊妹船何时入列？",
                "answer": "@content3@海洋所@content3@@content1@明年4月@content1@",
                "question_type": None,
                "keyword": "望潮海山",
                "bridging_entity": "测海七号",
                "supporting_paragraph": "@content4@新海山@content4@",
                "article_id": None,
                "article_type": None,
                "documents": [
                    {"title": "有了姊妹船", "paragraphs": ["姊妹船定于明年4月入列。"], "is_selected": None},
                    {"title": "", "paragraphs": ["海图", "怎样更新", "", "纸图"], "is_selected": None},
                    {"title": "怎样扫海底", "paragraphs": ["\u200b它由海洋所研制。"], "is_selected": None},
                    {"title": "发现新海山", "paragraphs": [""], "is_selected": None},
                    {"title": "菜园", "paragraphs": ["海洋所的菜园。"], "is_selected": None},
                ],
            }
        ]
        loaded = load("les_mrc", path)
        assert list(loaded) == [
            {
                "id": "Q_00001abcde",
                "title": "望潮海山",
                "context": CONTEXT,
                "question": "声呐由谁研制？姊妹船何时入列？",
                "answers": {"text": ["海洋所", "明年4月"], "answer_start": [45, 11]},
            }
        ]
        assert check_offsets(loaded) == 0
        assert account_of(loaded).noted == {}
        question = "声呐由谁研制？姊妹船何时入列？"
        text = f"标题：望潮海山\n文章：{CONTEXT}"
        assert list(load("les_mrc", path, "messages")) == [
            {"id": "Q_00001abcde", "messages": said(f"{TASK}\n\n{text}\n\n问题：{question}", "海洋所#明年4月")}
        ]
        assert list(load("les_mrc", path, "instruction")) == [
            {
                "id": "Q_00001abcde",
                "instruction": f"{TASK}\n问题：{question}",
                "input": text,
                "output": "海洋所#明年4月",
            }
        ]

    def test_columns_come_in_any_order_and_cells_hold_commas_quotes_and_newlines(self, tmp_path: Path) -> None:
        row = les_row("@content2@1,285米@content2@", content2='深"1,285米"，\n水里。')
        loaded = load("les_mrc", write(tmp_path / "my.csv", les_csv(row, columns=LES_COLUMNS[::-1])), "source")
        assert loaded["documents"][0] == documents_of(row)
        assert loaded["answer"][:] == ["@content2@1,285米@content2@"]

    def test_other_columns_are_an_error(self, tmp_path: Path) -> None:
        row = {"": "0", **LES_ROW}
        without_one = [[name for name in LES_COLUMNS if name != lost] for lost in ("content5", "keyword")]
        for columns in (["", *LES_COLUMNS], *without_one):
            with pytest.raises(SourceError, match=r"^my.csv:1: the header is .*; expected the columns "):
                load("les_mrc", write(tmp_path / "my.csv", les_csv(row, columns=columns)))


# Changed columns, the answers with the document (0 for none) and the place in its content, what is noted.
PLACES: list[tuple[dict[str, str], list[tuple[str, int, int]], dict[str, int]]] = [
    # The marked document goes before one that stands earlier.
    ({"answer": "@content4@米@content4@", "content1": "米", "content4": "一米"}, [("米", 4, 1)], {}),
    # In it, the supporting paragraph goes before what stands earlier; of several, the first that has the answer.
    (
        {
            "answer": "@content2@米@content2@",
            "content2": "一米。  二尺。  三米。  四米。",
            "supporting_paragraph": "@content2@二尺。@content2@@content2@三米。@content2@@content2@四米。@content2@",
        },
        [("米", 2, 11)],
        {},
    ),
    # A supporting paragraph of another document, a broken one or one that is not there is no hint.
    (
        {"answer": "@content2@米@content2@", "content2": "一米。  三米。", "supporting_paragraph": "@content1@三米。"},
        [("米", 2, 6)],
        {},
    ),
    (
        {"answer": "@content2@米@content2@", "content2": "一米。三米。", "supporting_paragraph": "三米@content2@"},
        [("米", 2, 1)],
        {},
    ),
    (
        {"answer": "@content2@米@content2@", "content2": "一米。", "supporting_paragraph": "@content2@五米。"},
        [("米", 2, 1)],
        {},
    ),
    ({"answer": "@content2@米@content2@", "content2": "一米。", "supporting_paragraph": ""}, [("米", 2, 1)], {}),
    # The answer stands in another document than its marks say, or in none.
    ({"answer": "@content4@98米@content4@"}, [("98米", 2, 9)], {"answer_in_another_document": 1}),
    ({"answer": "@content2@九十八@content2@"}, [("九十八", 0, -1)], {"answer_not_in_context": 1}),
    # Two parts of a row are noted once.
    (
        {"answer": "@content1@98米@content1@@content3@七号@content3@@content1@甲@content1@@content1@乙@content1@"},
        [("98米", 2, 9), ("七号", 2, 3), ("甲", 0, -1), ("乙", 0, -1)],
        {"answer_in_another_document": 1, "answer_not_in_context": 1},
    ),
    ({"answer": "@content2@米@content2@@content2@米@content2@"}, [("米", 2, 11), ("米", 2, 11)], {}),
    # Marks that had to be mended: the documents they name are looked in, all where they name none.
    ({"answer": "@content2@98米@content2@content1@第1篇@content1@"}, [("98米", 2, 9), ("第1篇", 1, 0)],
     {"marks_repaired": 1}),
    ({"answer": "@content5@篇@content1@"}, [("篇", 5, 2)], {"marks_repaired": 1}),
    ({"answer": "@content2@篇@content1@"}, [("篇", 1, 2)], {"marks_repaired": 1}),
    ({"answer": "@content3@篇"}, [("篇", 3, 2)], {"marks_repaired": 1}),
    ({"answer": "98米 "}, [("98米", 2, 9)], {"marks_repaired": 1}),
    ({"answer": "九十八"}, [("九十八", 0, -1)], {"marks_repaired": 1, "answer_not_in_context": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "answers", "noted"), PLACES, ids=range(len(PLACES)))
def test_an_answer_of_the_csv_is_where_its_marks_and_support_say(
    tmp_path: Path, changed: dict[str, str], answers: list[tuple[str, int, int]], noted: dict[str, int]
) -> None:
    row = {**LES_ROW, **changed}
    loaded = load("les_mrc", write(tmp_path / "my.csv", les_csv(row)))
    starts, context = {0: 0}, ""
    for n in range(1, 6):
        context += ("\n\n" if n > 1 else "") + row[f"title{n}"] + "\n"
        starts[n] = len(context)
        context += row[f"content{n}"]
    assert loaded["context"][:] == [context]
    assert loaded["answers"][:] == [
        {"text": [text for text, _, _ in answers], "answer_start": [starts[n] + place for _, n, place in answers]}
    ]
    check_offsets(loaded)
    assert account_of(loaded).noted == noted
    assert load("les_mrc", write(tmp_path / "my.csv", les_csv(row)), "source")["answer"][:] == [row["answer"]]


class TestArticles:
    ARTICLES: tuple[dict[str, Any], ...] = (
        {
            "article_id": 12,
            "article_type": "新闻",
            "article_title": " 测海七号\n",
            "article_content": "　　“测海七号”\r\n长９８米，宽15米。",
            "questions": [
                {"questions_id": "a-1", "question": "多长？", "answer": "\u3000９８米", "question_type": "数值型问题"},
                {"questions_id": 7, "question": "哪条船？", "answer": "七号\n", "question_type": None},
            ],
        },
        {
            "article_id": "13",
            "article_title": None,
            "article_content": "甲。",
            "questions": [
                {"question": "什么？", "answer": "乙"},
                {"question": "又是什么？", "answer": ["甲", "。", " ", "甲"], "question_id": "x"},
                {"question": "还有？", "answer": "@content1@甲@content1@content2@。"},
            ],
        },
    )

    def test_each_question_has_its_article_and_an_id_of_both(self, tmp_path: Path) -> None:
        path = write(tmp_path / "question.json", self.ARTICLES)
        content = "　　“测海七号”\r\n长９８米，宽15米。"
        shared = dict.fromkeys(("keyword", "bridging_entity", "supporting_paragraph"))
        first = {
            **shared,
            "article_id": "12",
            "article_type": "新闻",
            "documents": [{"title": " 测海七号\n", "paragraphs": [content], "is_selected": None}],
        }
        second = {
            **shared,
            "article_id": "13",
            "article_type": None,
            "question_type": None,
            "documents": [{"title": "", "paragraphs": ["甲。"], "is_selected": None}],
        }
        assert list(load("les_mrc", path, "source")) == [
            {
                **first,
                "question_id": "12_a-1",
                "question": "多长？",
                "answer": "\u3000９８米",
                "question_type": "数值型问题",
            },
            {**first, "question_id": "12_7", "question": "哪条船？", "answer": "七号\n", "question_type": None},
            {**second, "question_id": "13#1", "question": "什么？", "answer": "乙"},
            {**second, "question_id": "13_x", "question": "又是什么？", "answer": "甲#。# #甲"},
            {**second, "question_id": "13#3", "question": "还有？", "answer": "@content1@甲@content1@content2@。"},
        ]
        loaded = load("les_mrc", path)
        first = {"title": "测海七号", "context": content}
        second = {"title": "", "context": "甲。"}
        assert list(loaded) == [
            {**first, "id": "12_a-1", "question": "多长？", "answers": {"text": ["９８米"], "answer_start": [11]}},
            {**first, "id": "12_7", "question": "哪条船？", "answers": {"text": ["七号"], "answer_start": [5]}},
            {**second, "id": "13#1", "question": "什么？", "answers": {"text": ["乙"], "answer_start": [-1]}},
            {
                **second,
                "id": "13_x",
                "question": "又是什么？",
                "answers": {"text": ["甲", "。", "甲"], "answer_start": [0, 1, 0]},
            },
            {**second, "id": "13#3", "question": "还有？", "answers": {"text": ["甲", "。"], "answer_start": [0, 1]}},
        ]
        assert check_offsets(loaded) == 1
        assert account_of(loaded).noted == {"answer_not_in_context": 1, "blank_answer": 1, "marks_repaired": 1}
        spoken = [row["messages"] for row in load("les_mrc", path, "messages")]
        assert spoken[0] == said(f"{TASK}\n\n标题：测海七号\n文章：{content}\n\n问题：多长？", "９８米")
        assert [each[1]["content"] for each in spoken] == ["９８米", "七号", "乙", "甲#。", "甲#。"]


class TestDureader:
    def test_documents_are_joined_and_the_selected_ones_looked_in_first(self, tmp_path: Path) -> None:
        rows = [
            DUREADER,
            {**DUREADER, "question_id": "Q_2", "answer": "长98米。", "keyword": None, "bridging_entity": "测海七号"},
            {**DUREADER, "question_id": "Q_3", "answer": ["七号", "船长"], "supporting_paragraph": "@content2@长"},
            {
                "question_id": "Q_4",
                "question": "谁？",
                "answers": ["他"],
                "documents": [{"paragraphs": ["是", "他。"]}],
            },
        ]
        documents = [
            {"title": "甲", "paragraphs": ["别的船长98米。"], "is_selected": False},
            {"title": "乙", "paragraphs": ["“测海七号”", "长98米。"], "is_selected": True},
        ]
        shared = {
            "question": "它多长？",
            "question_type": "事实",
            "keyword": "测海七号",
            "bridging_entity": None,
            "supporting_paragraph": None,
            "article_id": None,
            "article_type": None,
            "documents": documents,
        }
        source = [
            {**shared, "question_id": "Q_1", "answer": "@content2@98米@content2@"},
            {**shared, "question_id": "Q_2", "answer": "长98米。", "keyword": None, "bridging_entity": "测海七号"},
            {**shared, "question_id": "Q_3", "answer": "七号#船长", "supporting_paragraph": "@content2@长"},
            {
                **dict.fromkeys(shared),
                "question_id": "Q_4",
                "question": "谁？",
                "answer": "他",
                "documents": [{"title": "", "paragraphs": ["是", "他。"], "is_selected": None}],
            },
        ]
        context = "甲\n别的船长98米。\n\n乙\n“测海七号”  长98米。"
        mrc = {"title": "测海七号", "context": context, "question": "它多长？"}
        expected = [
            {**mrc, "id": "Q_1", "answers": {"text": ["98米"], "answer_start": [23]}},
            {**mrc, "id": "Q_2", "title": "", "answers": {"text": ["长98米。"], "answer_start": [22]}},
            {**mrc, "id": "Q_3", "answers": {"text": ["七号", "船长"], "answer_start": [17, 4]}},
            {
                "id": "Q_4",
                "title": "",
                "context": "是  他。",
                "question": "谁？",
                "answers": {"text": ["他"], "answer_start": [3]},
            },
        ]
        for content in (as_lines(*rows), as_json(rows)):
            path = write(tmp_path / "my.json", content)
            assert list(load("les_mrc", path, "source")) == source
            loaded = load("les_mrc", path)
            assert list(loaded) == expected
            assert check_offsets(loaded) == 0
            assert account_of(loaded).noted == {}, "no marks are nothing to mend where the layout has none"
        assert load("les_mrc", path, "instruction")["output"][:] == ["98米", "长98米。", "七号#船长", "他"]

    def test_the_same_question_as_csv_and_as_json_lines_gives_the_same_row(self, tmp_path: Path) -> None:
        row = {name: value for name, value in TWO_STEPS.items() if not name.startswith(("content", "title"))}
        as_csv = load("les_mrc", write(tmp_path / "a.csv", les_csv(TWO_STEPS)))
        in_json = load("les_mrc", write(tmp_path / "a.json", as_lines({**row, "documents": documents_of(TWO_STEPS)})))
        assert list(as_csv) == list(in_json)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("my.csv", les_csv(LES_ROW, TWO_STEPS | {"question_id": "Q_2"})),
        ("my.json", as_json(TestArticles.ARTICLES)),
        ("my.json", as_lines(DUREADER, {**DUREADER, "question_id": "Q_2"})),
    ],
    ids=["csv", "articles", "dureader"],
)
def test_streaming_gz_and_zip_give_the_same_rows(tmp_path: Path, view: str, name: str, content: str) -> None:
    path = write(tmp_path / name, content)
    expected = list(load("les_mrc", path, view))
    assert len(expected) >= 2
    packed, archive = tmp_path / "packed" / f"{name}.gz", tmp_path / "my.zip"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with zipfile.ZipFile(archive, "w") as file:
        file.write(path, f"les/{name}")
    for each in (path, packed, archive):
        assert list(load("les_mrc", each, view)) == expected
        assert list(load("les_mrc", each, view, streaming=True)) == expected


ARTICLE = ARTICLES[0]
# A file without answers, and the ids of its questions.
TESTS: dict[str, tuple[str, str, list[str]]] = {
    "csv": (
        "test_data_r0.csv",
        les_csv(LES_ROW, {**LES_ROW, "question_id": "Q_2"}, columns=TEST_COLUMNS),
        ["Q_00001abcde", "Q_2"],
    ),
    "articles": (
        "test.json",
        as_json([{**ARTICLE, "questions": [{"questions_id": "a-1", "question": "多长？"}, {"question": "谁？"}]}]),
        ["12_a-1", "12#2"],
    ),
    "dureader": (
        "test.json",
        as_lines(
            *(
                {name: value for name, value in DUREADER.items() if name != "answer"} | {"question_id": question_id}
                for question_id in ("Q_1", "Q_2")
            )
        ),
        ["Q_1", "Q_2"],
    ),
}


@pytest.mark.parametrize("layout", TESTS)
class TestWithoutAnswers:
    def test_source_and_mrc_have_its_questions(self, tmp_path: Path, layout: str) -> None:
        name, content, ids = TESTS[layout]
        path = write(tmp_path / name, content)
        source, mrc = load("les_mrc", path, "source"), load("les_mrc", path, "mrc")
        assert source["question_id"][:] == mrc["id"][:] == ids
        assert source["answer"][:] == source["bridging_entity"][:] == [None, None]
        assert mrc["answers"][:] == [{"text": [], "answer_start": []}] * 2
        assert all(mrc["context"][:])
        for loaded in (source, mrc):
            assert account_of(loaded).noted == {}, "that a test set has no answers is nothing to note"

    def test_the_dialogue_views_leave_it_out_and_say_so(
        self, tmp_path: Path, layout: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        name, content, _ = TESTS[layout]
        write(tmp_path / name, content)
        write(tmp_path / "train.csv", les_csv(LES_ROW))
        for view in ("messages", "instruction"):
            for streaming in (False, True):
                caplog.clear()
                loaded = load_dataset(NAME, view, data_dir=tmp_path, streaming=streaming)
                assert {split: len(list(rows)) for split, rows in loaded.items()} == {"train": 1}
                assert f"les_mrc: {name} holds no answers and is left out of {view!r}" in caplog.messages
        assert {split: len(rows) for split, rows in load_dataset(NAME, data_dir=tmp_path).items()} == {
            "train": 1,
            "test": 2,
        }

    def test_alone_it_is_an_error_there(self, tmp_path: Path, layout: str) -> None:
        name, content, _ = TESTS[layout]
        path = write(tmp_path / name, content)
        for view in ("messages", "instruction"):
            for no_answer in (False, "不知道"):
                with pytest.raises(SourceError) as error:
                    load("les_mrc", path, view, no_answer=no_answer)
                assert str(error.value) == f"{name}: holds no answers, and {view!r} needs them; load the view 'mrc'"


class TestFolders:
    def test_official_names_go_to_their_splits_and_others_are_taken_by_pattern(self, tmp_path: Path) -> None:
        write(tmp_path / "a" / "train_round_0.csv", les_csv(LES_ROW))
        write(tmp_path / "a" / "question.json", ARTICLES)
        write(tmp_path / "a" / "train.json", as_lines(DUREADER))
        write(tmp_path / "a" / "test_data_r0.csv", TESTS["csv"][1])
        official = load_dataset(NAME, "mrc", data_dir=tmp_path)
        assert {split: rows["id"][:] for split, rows in official.items()} == {
            "train": ["Q_00001abcde", "12_a-1"],
            "test": ["Q_00001abcde", "Q_2"],
        }
        (tmp_path / "a" / "train_round_0.csv").unlink()
        (tmp_path / "a" / "test_data_r0.csv").rename(tmp_path / "a" / "test_r1.csv")
        others = load_dataset(NAME, "mrc", data_dir=tmp_path)
        assert {split: rows["id"][:] for split, rows in others.items()} == {
            "train": ["Q_1", "12_a-1"],
            "test": ["Q_00001abcde", "Q_2"],
        }

    def test_no_program_fetches_it_and_the_errors_say_so(self) -> None:
        with pytest.raises(OptionError) as error:
            load_dataset(NAME, download=True)
        assert str(error.value) == (
            "les_mrc: download=True, but these are files which no address offers; get the files of the cup from its "
            "organisers by hand, and name them with data_files= or data_dir="
        )
        with pytest.warns(UserWarning, match="invented rows") as caught:
            load_dataset(NAME)
        assert [str(warning.message) for warning in caught] == [
            "les_mrc: no data was named, so these are 200 invented rows bundled as a sample; the real set has 127,809. "
            "Get the files of the cup from its organisers by hand, name its folder with data_dir= or HF_BUILDERS_DATA "
            "(a folder that holds les_mrc/), or keep the sample with sample=True"
        ]


EXPECTED = "; expected @contentN@…@contentN@, once or more"
DUPLICATE = "stands in this file before; give it another"
# Changed columns, the row's place, reason and fact.
BAD_ROWS: list[tuple[dict[str, str], str, str, str]] = [
    ({"answer": ""}, "my.csv#2: Q_2", "no_answers", "'answer' holds none (''), in a file that has answers; write one"),
    (
        {"answer": " \n"},
        "my.csv#2: Q_2",
        "no_answers",
        "'answer' holds none (' \\n'), in a file that has answers; write one",
    ),
    (
        {"answer": "@content1@@content1@"},
        "my.csv#2: Q_2",
        "broken_marks",
        f"nothing stands between two marks in '@content1@@content1@'{EXPECTED}",
    ),
    (
        {"answer": "@content1@甲@content1@乙"},
        "my.csv#2: Q_2",
        "broken_marks",
        f"something stands outside the marks in '@content1@甲@content1@乙'{EXPECTED}",
    ),
    ({"question_id": ""}, "my.csv#2", "blank_question_id", "'question_id' is blank; expected text"),
    (
        {f"content{n}": " \u3000" for n in range(1, 6)},
        "my.csv#2: Q_2",
        "blank_context",
        "no document of the row has any text",
    ),
    ({"question_id": "Q_00001abcde"}, "my.csv#2: Q_00001abcde", "duplicate_id", f"the id 'Q_00001abcde' {DUPLICATE}"),
]


@pytest.mark.parametrize(("changed", "place", "reason", "fact"), BAD_ROWS, ids=range(len(BAD_ROWS)))
def test_a_bad_row_of_the_csv_stops_the_load_or_is_set_aside_with_its_reason(
    tmp_path: Path, changed: dict[str, str], place: str, reason: str, fact: str
) -> None:
    rows = [LES_ROW, {**LES_ROW, "question_id": "Q_2", **changed}, {**LES_ROW, "question_id": "Q_3"}]
    path = write(tmp_path / "my.csv", les_csv(*rows))
    check_bad_row("les_mrc", path, place, reason, fact, ["Q_00001abcde", "Q_3"])


def test_a_row_of_the_csv_that_is_none_is_set_aside_too(tmp_path: Path) -> None:
    first, last = les_csv(LES_ROW), les_csv({**LES_ROW, "question_id": "Q_3"}).split("\n", 1)[1]
    path = write(tmp_path / "my.csv", f"{first}甲,乙\n{last}")
    loaded = load("les_mrc", path, "messages", on_bad_row="quarantine")
    account = account_of(loaded)
    assert (account.read, account.kept, account.quarantined) == (3, 2, {"wrong_column_count": 1})
    assert [each["place"] for each in quarantined(loaded)] == ["my.csv:3"]


def article(**changed: Any) -> dict[str, Any]:
    return {name: value for name, value in {**ARTICLE, "article_id": "13", **changed}.items() if value is not ...}


def asked(**changed: Any) -> dict[str, Any]:
    """An article with one question that is changed."""
    question = {**ARTICLE["questions"][0], **changed}
    return article(questions=[{name: value for name, value in question.items() if value is not ...}])


NO_QUESTIONS = ("no_questions", "the article has no list of 'questions', or an empty one")
NO_DOCUMENTS = ("no_documents", "the row has no documents; expected one or more, each with title and text")
BAD_ARTICLES: list[tuple[Any, str, str, str]] = [
    (article(questions=...), "my.json:3", *NO_QUESTIONS),
    (article(questions=[]), "my.json:3", *NO_QUESTIONS),
    (article(questions={"question": "多长？"}), "my.json:3", *NO_QUESTIONS),
    (article(questions=["多长？"]), "my.json:3", "not_an_object", "the row is text ('多长？'); expected an object"),
    ("红", "my.json:3", "not_an_object", "the row is text ('红'); expected an object"),
    ([1], "my.json:3", "not_an_object", "the row is an array ([1]); expected an object"),
    (article(article_content=...), "my.json:3: 13_a-1", *NO_DOCUMENTS),
    (article(article_content=None), "my.json:3: 13_a-1", *NO_DOCUMENTS),
    (article(article_content=""), "my.json:3: 13_a-1", "blank_context", "no document of the row has any text"),
    (
        article(article_content=["甲"]),
        "my.json:3: 13_a-1",
        "wrong_type",
        "'paragraphs' of a document is no array of texts",
    ),
    (article(article_title=7), "my.json:3: 13_a-1", "wrong_type", "the title of a document is a number; expected text"),
    (article(article_type=7), "my.json:3: 13_a-1", "wrong_type", "'article_type' is a number (7); expected text"),
    (
        asked(question_type=["数值"]),
        "my.json:3: 13_a-1",
        "wrong_type",
        "'question_type' is an array (['数值']); expected text",
    ),
    (asked(question=...), "my.json:3: 13_a-1", "null_value", "'question' is null; expected text"),
    (asked(question=None), "my.json:3: 13_a-1", "null_value", "'question' is null; expected text"),
    (
        asked(answer=...),
        "my.json:3: 13_a-1",
        "no_answers",
        "'answer' holds none (None), in a file that has answers; write one",
    ),
    (
        asked(answer=None),
        "my.json:3: 13_a-1",
        "no_answers",
        "'answer' holds none (None), in a file that has answers; write one",
    ),
    (
        asked(answer=""),
        "my.json:3: 13_a-1",
        "no_answers",
        "'answer' holds none (''), in a file that has answers; write one",
    ),
    (
        asked(answer=[]),
        "my.json:3: 13_a-1",
        "no_answers",
        "'answer' holds none ([]), in a file that has answers; write one",
    ),
    (
        asked(answer=["", None]),
        "my.json:3: 13_a-1",
        "no_answers",
        "'answer' holds none (['', None]), in a file that has answers; write one",
    ),
    (asked(answer=True), "my.json:3: 13_a-1", "wrong_type", "'answer' holds a boolean (True); expected text"),
    (
        asked(answer={"text": "甲"}),
        "my.json:3: 13_a-1",
        "wrong_type",
        "'answer' holds an object ({'text': '甲'}); expected text",
    ),
    (asked(answer=["甲", None]), "my.json:3: 13_a-1", "wrong_type", "'answer' holds null (None); expected text"),
    (article(article_id="12"), "my.json:3: 12_a-1", "duplicate_id", f"the id '12_a-1' {DUPLICATE}"),
]


@pytest.mark.parametrize(("bad", "place", "reason", "fact"), BAD_ARTICLES, ids=range(len(BAD_ARTICLES)))
def test_a_bad_article_stops_the_load_or_is_set_aside_with_its_reason(
    tmp_path: Path, bad: Any, place: str, reason: str, fact: str
) -> None:
    lines = ",\n".join(as_json(each) for each in (ARTICLE, bad, article(article_id="14")))
    path = write(tmp_path / "my.json", f"[\n{lines}\n]")
    check_bad_row("les_mrc", path, place, reason, fact, ["12_a-1", "14_a-1"])


@pytest.mark.parametrize("blank", ["", " \u3000\n"])
@pytest.mark.parametrize(
    ("name", "layout", "ids"),
    [
        ("my.csv", "csv", ["Q_00001abcde", "Q_2"]),
        ("my.json", "articles", ["13_a-1", "12_a-1"]),
        ("my.jsonl", "dureader", ["Q_1", "Q_2"]),
    ],
    ids=["csv", "articles", "dureader"],
)
def test_a_blank_question_is_kept_and_counted_but_not_asked(
    tmp_path: Path, name: str, layout: str, ids: list[str], blank: str
) -> None:
    contents = {
        "csv": les_csv({**LES_ROW, "question": blank}, {**LES_ROW, "question_id": "Q_2"}),
        "articles": as_json([asked(question=blank), ARTICLE]),
        "dureader": as_lines({**DUREADER, "question": blank}, {**DUREADER, "question_id": "Q_2"}),
    }
    path = write(tmp_path / name, contents[layout])
    source, mrc = load("les_mrc", path, "source"), load("les_mrc", path)
    assert source["question_id"][:] == mrc["id"][:] == ids
    assert source["question"][:] == [blank, "它多长？"]
    assert mrc["question"][:] == ["", "它多长？"]
    assert [row["text"] for row in mrc["answers"]] == [["98米"]] * 2
    for loaded in (source, mrc):
        account = account_of(loaded)
        assert (account.read, account.kept, account.noted) == (2, 2, {"blank_question": 1})
    for view in ("messages", "instruction"):
        loaded = load("les_mrc", path, view)
        assert loaded["id"][:] == ids[1:]
        account = account_of(loaded)
        assert (account.read, account.kept, account.left_out, account.noted) == (2, 1, {"blank_question": 1}, {})


@pytest.mark.parametrize(
    ("answer", "shown", "answers"),
    [
        (98, "98", [("98", 7)]),
        (9.5, "9.5", [("9.5", -1)]),
        ([98, "米", 98.0], "98#米#98.0", [("98", 7), ("米", 9), ("98.0", -1)]),
    ],
    ids=["whole", "fraction", "list"],
)
def test_a_number_as_answer_becomes_its_text_and_is_counted(
    tmp_path: Path, answer: Any, shown: str, answers: list[tuple[str, int]]
) -> None:
    noted = {"answer_was_number": 1}
    if any(start == -1 for _, start in answers):
        noted["answer_not_in_context"] = 1
    path = write(tmp_path / "my.json", [asked(answer=answer)])
    source, mrc = load("les_mrc", path, "source"), load("les_mrc", path)
    assert source["answer"][:] == [shown]
    assert mrc["answers"][:] == [
        {"text": [text for text, _ in answers], "answer_start": [start for _, start in answers]}
    ]
    check_offsets(mrc)
    for loaded in (source, mrc):
        assert account_of(loaded).noted == noted
    assert load("les_mrc", path, "instruction")["output"][:] == [shown]


DOCUMENT = DUREADER["documents"][1]
WRONG_PARAGRAPHS = ("wrong_type", "'paragraphs' of a document is no array of texts")
BAD_LINES: list[tuple[Any, str, str, str]] = [
    ({"documents": ...}, "my.jsonl:2: Q_2", *NO_DOCUMENTS),
    ({"documents": []}, "my.jsonl:2: Q_2", *NO_DOCUMENTS),
    ({"documents": {}}, "my.jsonl:2: Q_2", *NO_DOCUMENTS),
    ({"documents": [DOCUMENT, "乙"]}, "my.jsonl:2: Q_2", "wrong_type", "a document is text; expected an object"),
    ({"documents": [{**DOCUMENT, "title": ["乙"]}]}, "my.jsonl:2: Q_2", "wrong_type",
     "the title of a document is an array; expected text"),
    ({"documents": [{**DOCUMENT, "paragraphs": "长98米。"}]}, "my.jsonl:2: Q_2", *WRONG_PARAGRAPHS),
    ({"documents": [{**DOCUMENT, "paragraphs": ["长98米。", None]}]}, "my.jsonl:2: Q_2", *WRONG_PARAGRAPHS),
    ({"documents": [{"title": "乙"}]}, "my.jsonl:2: Q_2", *WRONG_PARAGRAPHS),
    ({"documents": [{"title": "乙", "paragraphs": []}]}, "my.jsonl:2: Q_2", "blank_context",
     "no document of the row has any text"),
    ({"question_id": 7}, "my.jsonl:2", "wrong_type", "'question_id' is a number (7); expected text"),
    ({"question_id": ...}, "my.jsonl:2", "null_value", "'question_id' is null; expected text"),
    ({"keyword": ["测海七号"]}, "my.jsonl:2: Q_2", "wrong_type", "'keyword' is an array (['测海七号']); expected text"),
    ({"bridging_entity": 7}, "my.jsonl:2: Q_2", "wrong_type", "'bridging_entity' is a number (7); expected text"),
    ({"supporting_paragraph": ["甲"]}, "my.jsonl:2: Q_2", "wrong_type",
     "'supporting_paragraph' is an array (['甲']); expected text"),
    ({"answer": ...}, "my.jsonl:2: Q_2", "no_answers",
     "'answer' holds none (None), in a file that has answers; write one"),
    ({"answer": ["@content2@98米@content2@", "@content1@"]}, "my.jsonl:2: Q_2", "broken_marks",
     f"nothing stands between two marks in '@content1@'{EXPECTED}"),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "place", "reason", "fact"), BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_bad_line_stops_the_load_or_is_set_aside_with_its_reason(
    tmp_path: Path, changed: dict[str, Any], place: str, reason: str, fact: str
) -> None:
    bad = {**DUREADER, "question_id": "Q_2", **changed}
    bad = {name: value for name, value in bad.items() if value is not ...}
    path = write(tmp_path / "my.jsonl", as_lines(DUREADER, bad, {**DUREADER, "question_id": "Q_3"}))
    aside = check_bad_row("les_mrc", path, place, reason, fact, ["Q_1", "Q_3"])
    assert json.loads(aside["raw"])["question"] == "它多长？"


class TestSample:
    def test_what_is_odd_in_it_is_what_the_card_says(self) -> None:
        loaded = load_dataset(NAME, "mrc", sample=True, split="train")
        assert account_of(loaded).noted == {
            "marks_repaired": 6,
            "answer_in_another_document": 2,
            "answer_not_in_context": 3,
        }
        assert check_offsets(loaded) == 3

    def test_the_rows_on_the_card_are_what_the_views_give(self) -> None:
        card = (Path(hf_builders.__file__).parent / "les_mrc" / "README.md").read_text(encoding="utf-8")
        shown = [json.loads(line) for line in card.splitlines() if line.startswith("{")]
        assert len(shown) == len(VIEWS)
        for view, row in zip(VIEWS, shown, strict=True):
            loaded = load_dataset(NAME, view, sample=True, split="train")
            key = "question_id" if view == "source" else "id"
            assert [each for each in loaded if each[key] == row[key]] == [row]


FRAGMENTS = "les_military/les2_real_fragments.json"


def printed(text: str) -> list[list[str]]:
    """The cells of the lines that pandas printed, by two spaces or more."""
    return [re.split(r"\s{2,}", line.strip())[1:] for line in text.splitlines() if re.match(r"\d+\s", line)]


@pytest.mark.realdata
def test_the_columns_are_the_real_ones(shared_realdata: Callable[[str], Path]) -> None:
    files = json.loads(shared_realdata(FRAGMENTS).read_text(encoding="utf-8"))["files"]
    assert files["train_round_0.csv"]["columns"] == LES_COLUMNS
    assert files["test_data_r0.csv"]["columns"] == TEST_COLUMNS
    assert sum(file["rows"] for file in files.values()) == 29_812


@pytest.mark.realdata
def test_real_values_in_the_real_columns_give_the_answers_that_were_printed(
    tmp_path: Path, shared_realdata: Callable[[str], Path]
) -> None:
    fragments = json.loads(shared_realdata(FRAGMENTS).read_text(encoding="utf-8"))
    head = printed(fragments["question_answer_bridging_head"])
    asked, entities = head[:5], [cells[0] for cells in head[5:]]
    # Cut off by pandas: “@content5@如今抵达…，并...”, its closing mark is missing.
    supports = [re.search(r"@content([1-5])@(.*)\.\.\.", line) for line in fragments["support_head"].splitlines()]
    supporting = [(int(found[1]), found[2]) for found in supports if found]
    answers = [answer for _, answer in asked]
    assert entities == ["无", "无", "无", "红色高加索号", "无"]
    assert [number for number, _ in supporting] == [5, 1, 3, 1, 1]
    assert [answer in text for answer, (_, text) in zip(answers, supporting, strict=True)] == [
        True, False, False, False, True,
    ]  # fmt: skip
    rows = []
    for n, ((question, answer), entity, (number, text)) in enumerate(zip(asked, entities, supporting, strict=True)):
        # Where the answer was cut off with the paragraph, it follows as one of its own.
        content = text if answer in text else f"{text}  {answer}。"
        mark = f"@content{number}@"
        rows.append(
            les_row(
                f"{mark}{answer}{mark}",
                n,
                question=question,
                bridging_entity=entity,
                supporting_paragraph=f"{mark}{text}{mark}",
                **{f"content{number}": content, f"content{number % 5 + 1}": f"别处也有：{answer}"},
            )
        )
    path = write(tmp_path / "train_round_0.csv", les_csv(*rows))
    source, mrc = load("les_mrc", path, "source"), load("les_mrc", path, "mrc")
    assert list(source) == [
        {
            **dict.fromkeys(("question_type", "article_id", "article_type")),
            **{name: row[name] for name in source.column_names if name in row},
            "documents": documents_of(row),
        }
        for row in rows
    ]
    assert source["bridging_entity"][:] == entities
    assert mrc["question"][:] == [question for question, _ in asked]
    assert [row["text"] for row in mrc["answers"]] == [[answer] for answer in answers]
    assert check_offsets(mrc) == 0
    assert account_of(mrc).noted == {}
    for row, (number, text) in zip(mrc, supporting, strict=True):
        (start,) = row["answers"]["answer_start"]
        begins = row["context"].index(f"题{number}\n")
        assert row["context"][:start].count("\n\n", begins) == 0, "it stands in the document that was marked"
        assert begins < row["context"].index(text)
        assert begins < start
    spoken = load("les_mrc", path, "messages")
    assert [row["messages"][1]["content"] for row in spoken] == answers


@pytest.mark.realdata
def test_real_answers_with_commas_survive_the_csv(tmp_path: Path, shared_realdata: Callable[[str], Path]) -> None:
    fragments = json.loads(shared_realdata(FRAGMENTS).read_text(encoding="utf-8"))
    lines = fragments["answers_with_punct"].splitlines()
    answers = [re.sub(r"^\d+\s+", "", line) for line in lines if re.match(r"\d+\s", line) and "..." not in line]
    handsome = "枪托与机匣配合紧密, 精度高, 线条流畅, 外形优雅的一贯优点. ,"
    assert answers == ["40,580吨", handsome, "61,170 吨", "140,000把"]
    rows = [les_row(f"@content1@{answer}@content1@", n, content1=f"“{answer}”") for n, answer in enumerate(answers)]
    loaded = load("les_mrc", write(tmp_path / "my.csv", les_csv(*rows)))
    assert [row["text"] for row in loaded["answers"]] == [[answer] for answer in answers]
    assert check_offsets(loaded) == 0
    assert account_of(loaded).left_out == Counter()


@pytest.mark.realdata
def test_real_supporting_paragraphs_choose_the_place(tmp_path: Path, shared_realdata: Callable[[str], Path]) -> None:
    fields = json.loads(shared_realdata(FRAGMENTS).read_text(encoding="utf-8"))["hand_corrected_fields"]
    cells = {each["question_id"]: each["corrected_value"] for each in fields if each["field"] == "supporting_paragraph"}
    # In the second paragraph of a document; the first has the answer too. The fragment's own mark lacks an @.
    support = cells["Q_07096kkkdj"]
    text = re.split(r"@?content[1-5]@", support)[-2]
    assert text.count("105毫米") == 1
    row = les_row("@content4@105毫米@content4@", supporting_paragraph=support, content4=f"别的105毫米炮。  {text}")
    loaded = load("les_mrc", write(tmp_path / "my.csv", les_csv(row)))
    (start,) = loaded["answers"][0]["answer_start"]
    assert start == loaded["context"][0].index(text) + text.index("105毫米")
    assert account_of(loaded).noted == {}, "mended marks of a hint are not counted"


def test_a_number_is_not_found_inside_another_while_it_stands_alone_elsewhere() -> None:
    documents, context = read_documents([{"title": "", "paragraphs": ["1958年服役", "有5艘同级舰。"]}])
    assert find_marked(Marked("5", (0,)), documents, context, []) == (Answer("5", context.index("5艘")), None)
