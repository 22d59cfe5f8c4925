"""CMRC 2018: both layouts give the same rows, answers stand where it is said, odd and bad rows are counted."""

from __future__ import annotations

import copy
import gzip
import json
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datasets import Features, List, Value, load_dataset

import hf_builders
from hf_builders import SourceError
from hf_builders.cmrc2018.builder import Builder
from hf_builders.locations import git_blob_id
from tests.hf_builders.reading_files import (
    CMRC_LIST,
    SQUAD,
    TASK,
    account_of,
    check_bad_row,
    check_offsets,
    load,
    said,
    write,
)

NAME = "hf_builders/cmrc2018"
VIEWS = ("source", "mrc", "messages", "instruction")
CONTEXT = "灯山灯塔建成于1897年，塔高31米。1953年改用电灯，射程由14海里增加到22海里。"
IN_SQUAD: dict[str, Any] = {
    "version": "v1.0",
    "data": [
        {
            "id": "DEV_7",
            "title": " 灯山灯塔\n",
            "paragraphs": [
                {
                    "id": "DEV_7",
                    "context": CONTEXT,
                    "qas": [
                        {
                            "id": "DEV_7_QUERY_0",
                            "question": "改用电灯后射程增加到多少？ ",
                            "answers": [
                                {"text": "22海里", "answer_start": 39},
                                {"text": "22海里", "answer_start": -1},
                                {"text": "射程由14海里增加到22海里", "answer_start": 28},
                            ],
                        },
                        {
                            "id": "DEV_7_QUERY_1",
                            "question": "哪年？",
                            "answers": [
                                {"text": "53年", "answer_start": 20},
                                {"text": "一九五三年", "answer_start": -1},
                                {"text": "年", "answer_start": 22},
                            ],
                        },
                    ],
                },
                {
                    "id": "DEV_8",
                    "context": "红裙子。",
                    "qas": [{"id": "DEV_8_QUERY_0", "question": " ", "answers": [{"text": "红", "answer_start": 0}]}],
                },
            ],
        }
    ],
}
IN_LIST: list[dict[str, Any]] = [
    {
        "context_id": "DEV_7",
        "context_text": CONTEXT,
        "title": " 灯山灯塔\n",
        "qas": [
            {
                "query_id": "DEV_7_QUERY_0",
                "query_text": "改用电灯后射程增加到多少？ ",
                "answers": ["22海里", "22海里", "射程由14海里增加到22海里"],
            },
            {"query_id": "DEV_7_QUERY_1", "query_text": "哪年？", "answers": [1953, 39764.0, "年", ""]},
        ],
    },
    {
        "context_id": "DEV_8",
        "context_text": "红裙子。",
        "title": None,
        "qas": [{"query_id": "DEV_8_QUERY_0", "query_text": " ", "answers": ["红"]}],
    },
]


def source_row(number: int, question: str, answers: list[tuple[str, int | None]], **others: Any) -> dict[str, Any]:
    return {
        "context_id": "DEV_7",
        "context_text": CONTEXT,
        "title": " 灯山灯塔\n",
        "query_id": f"DEV_7_QUERY_{number}",
        "query_text": question,
        "answers": [{"text": text, "answer_start": start} for text, start in answers],
        **others,
    }


def squad_of(*articles: Any) -> str:
    """One article a line, the first on line 2."""
    return '{"version": "v1.0", "data": [\n' + ",\n".join(json.dumps(a, ensure_ascii=False) for a in articles) + "\n]}"


def list_of(*paragraphs: Any) -> str:
    """One paragraph a line, the first on line 2."""
    return "[\n" + ",\n".join(json.dumps(p, ensure_ascii=False) for p in paragraphs) + "\n]"


def test_the_views_have_the_columns_the_card_says(tmp_path: Path) -> None:
    path = write(tmp_path / "my.json", SQUAD)
    assert load("cmrc2018", path, "source").features == Features(
        {
            "context_id": Value("string"),
            "context_text": Value("string"),
            "title": Value("string"),
            "query_id": Value("string"),
            "query_text": Value("string"),
            "answers": List({"text": Value("string"), "answer_start": Value("int32")}),
        }
    )
    assert load("cmrc2018", path, "mrc").features == Features(
        {
            "id": Value("string"),
            "title": Value("string"),
            "context": Value("string"),
            "question": Value("string"),
            "answers": {"text": List(Value("string")), "answer_start": List(Value("int32"))},
        }
    )


def test_source_has_the_offsets_as_the_file_gives_them(tmp_path: Path) -> None:
    in_squad = load("cmrc2018", write(tmp_path / "squad.json", IN_SQUAD), "source")
    assert list(in_squad) == [
        source_row(
            0, "改用电灯后射程增加到多少？ ", [("22海里", 39), ("22海里", -1), ("射程由14海里增加到22海里", 28)]
        ),
        source_row(1, "哪年？", [("53年", 20), ("一九五三年", -1), ("年", 22)]),
        source_row(0, " ", [("红", 0)], context_id="DEV_8", context_text="红裙子。", query_id="DEV_8_QUERY_0"),
    ]
    in_list = load("cmrc2018", write(tmp_path / "list.json", IN_LIST), "source")
    assert list(in_list) == [
        source_row(
            0, "改用电灯后射程增加到多少？ ", [("22海里", None), ("22海里", None), ("射程由14海里增加到22海里", None)]
        ),
        source_row(1, "哪年？", [("1953", None), ("39764.0", None), ("年", None), ("", None)]),
        source_row(
            0,
            " ",
            [("红", None)],
            context_id="DEV_8",
            context_text="红裙子。",
            query_id="DEV_8_QUERY_0",
            title=None,
        ),
    ]


def mrc_row(number: int, question: str, texts: list[str], starts: list[int], **others: Any) -> dict[str, Any]:
    answers = {"text": texts, "answer_start": starts}
    row = {"id": f"DEV_7_QUERY_{number}", "title": "灯山灯塔", "context": CONTEXT, "question": question}
    return {**row, "answers": answers, **others}


def test_mrc_has_the_offsets_found(tmp_path: Path) -> None:
    first = mrc_row(0, "改用电灯后射程增加到多少？", ["22海里", "22海里", "射程由14海里增加到22海里"], [39, 39, 29])
    blank = mrc_row(0, "", ["红"], [0], id="DEV_8_QUERY_0", context="红裙子。")
    in_squad = load("cmrc2018", write(tmp_path / "squad.json", IN_SQUAD))
    assert list(in_squad) == [first, mrc_row(1, "哪年？", ["53年", "一九五三年", "年"], [21, -1, 23]), blank]
    assert check_offsets(in_squad) == 1
    assert account_of(in_squad).noted == {
        "answer_start_filled": 1,
        "answer_start_corrected": 2,
        "answer_not_in_context": 1,
        "blank_question": 1,
    }
    in_list = load("cmrc2018", write(tmp_path / "list.json", IN_LIST))
    assert list(in_list) == [
        first,
        mrc_row(1, "哪年？", ["1953", "39764.0", "年"], [19, -1, 11]),
        {**blank, "title": ""},
    ]
    assert check_offsets(in_list) == 1
    account = account_of(in_list)
    assert account.noted == {
        "answer_was_number": 1,
        "answer_not_in_context": 1,
        "blank_answer": 1,
        "blank_question": 1,
    }
    assert (account.read, account.kept, account.left_out, account.quarantined) == (3, 3, Counter(), Counter())


def test_the_dialogue_views_say_the_commonest_answer_found_and_leave_a_blank_question_out(tmp_path: Path) -> None:
    path = write(tmp_path / "squad.json", IN_SQUAD)
    asked = [f"标题：灯山灯塔\n文章：{CONTEXT}"] * 2
    questions, answers = ["改用电灯后射程增加到多少？", "哪年？"], ["22海里", "53年"]
    messages = load("cmrc2018", path, "messages")
    assert list(messages) == [
        {"id": f"DEV_7_QUERY_{n}", "messages": said(f"{TASK}\n\n{asked[n]}\n\n问题：{questions[n]}", answers[n])}
        for n in range(2)
    ]
    instruction = load("cmrc2018", path, "instruction")
    assert list(instruction) == [
        {
            "id": f"DEV_7_QUERY_{n}",
            "instruction": f"{TASK}\n问题：{questions[n]}",
            "input": asked[n],
            "output": answers[n],
        }
        for n in range(2)
    ]
    for loaded in (messages, instruction):
        account = account_of(loaded)
        assert (account.read, account.kept, account.left_out) == (3, 2, {"blank_question": 1})
        assert account.noted == {
            "answer_start_filled": 1,
            "answer_start_corrected": 2,
            "answer_not_in_context": 1,
        }, "of the rows that are kept"


def test_without_a_title_there_is_no_line_for_it(tmp_path: Path) -> None:
    paragraphs = copy.deepcopy(CMRC_LIST)
    for title in (None, "", " \n", 7):
        paragraphs[0]["title"] = title
        path = write(tmp_path / "my.json", paragraphs)
        question = f"{TASK}\n\n文章：灯山灯塔建成于1897年，塔高31米。\n\n问题：塔高多少？"
        assert load("cmrc2018", path, "messages")["messages"][:] == [said(question, "31米")]
        assert load("cmrc2018", path, "instruction")["input"][:] == ["文章：灯山灯塔建成于1897年，塔高31米。"]
        assert load("cmrc2018", path, "mrc")["title"][:] == [""]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("content", [IN_SQUAD, IN_LIST], ids=["squad", "list"])
def test_streaming_gz_and_zip_give_the_same_rows(tmp_path: Path, view: str, content: Any) -> None:
    path = write(tmp_path / "my.json", content)
    expected = list(load("cmrc2018", path, view))
    assert len(expected) == (3 if view in ("source", "mrc") else 2)
    packed, archive = tmp_path / "packed" / "my.json.gz", tmp_path / "my.zip"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with zipfile.ZipFile(archive, "w") as file:
        file.write(path, "x/my.json")
    for each in (path, packed, archive):
        assert list(load("cmrc2018", each, view)) == expected
        assert list(load("cmrc2018", each, view, streaming=True)) == expected


def renamed(content: Any, old: str, new: str) -> Any:
    return json.loads(json.dumps(content).replace(old, new))


def test_the_files_of_a_folder_go_to_their_splits_each_in_its_own_layout(tmp_path: Path) -> None:
    write(tmp_path / "cmrc2018_train.json", renamed(SQUAD, "DEV_", "TRAIN_"))
    write(tmp_path / "x" / "cmrc2018_trial.json", renamed(CMRC_LIST, "DEV_", "TRIAL_"))
    (tmp_path / "cmrc2018_dev.json.gz").write_bytes(gzip.compress(json.dumps(SQUAD).encode("utf-8-sig")))
    loaded = load_dataset(NAME, "mrc", data_dir=tmp_path)
    assert {split: rows["id"][:] for split, rows in loaded.items()} == {
        "train": ["TRAIN_0_QUERY_0"],
        "trial": ["TRIAL_0_QUERY_0"],
        "validation": ["DEV_0_QUERY_0"],
    }
    for rows in loaded.values():
        assert list(rows.remove_columns("id")) == [
            {
                "title": "灯山灯塔",
                "context": "灯山灯塔建成于1897年，塔高31米。",
                "question": "塔高多少？",
                "answers": {"text": ["31米"], "answer_start": [15]},
            }
        ]


def test_of_both_layouts_in_a_folder_or_zip_the_one_with_offsets_is_read(tmp_path: Path) -> None:
    # The title tells which file was read; the nearer one would be the list.
    for folder, content in (("data", CMRC_LIST), ("deep/er/squad-style-data", renamed(SQUAD, "DEV_", "SQUAD_"))):
        write(tmp_path / "repo" / folder / "cmrc2018_trial.json", content)
    with zipfile.ZipFile(tmp_path / "cmrc2018.zip", "w") as archive:
        for path in (tmp_path / "repo").rglob("*.json"):
            archive.write(path, path.relative_to(tmp_path))
    for place in (tmp_path / "repo", tmp_path / "cmrc2018.zip"):
        loaded = load_dataset(NAME, "source", data_dir=place)
        assert {split: rows["query_id"][:] for split, rows in loaded.items()} == {"trial": ["SQUAD_0_QUERY_0"]}
    assert load_dataset(NAME, data_dir=tmp_path / "repo" / "data")["trial"]["query_id"][:] == ["DEV_0_QUERY_0"]


def test_the_official_files_are_fetched_and_the_known_one_is_checked(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, files = write(tmp_path / "a.json", SQUAD), Builder.official_download.files
    assert [name for name, blob in files.items() if blob] == ["squad-style-data/cmrc2018_trial.json"]
    server.files = {f"/{name}": path.read_bytes() for name in files}
    with pytest.raises(SourceError, match=r"cmrc2018_trial.json: has git blob id [0-9a-f]{40} instead of 020e3559e914"):
        load_dataset(NAME, download=server.url)
    known = {name: blob and git_blob_id(str(path)) for name, blob in files.items()}
    monkeypatch.setattr(Builder, "official_download", replace(Builder.official_download, files=known))
    loaded = load_dataset(NAME, "mrc", download=server.url)
    assert [(split, rows["id"][:]) for split, rows in loaded.items()] == [
        (split, ["DEV_0_QUERY_0"]) for split in ("train", "trial", "validation")
    ]


def question(**changed: Any) -> dict[str, Any]:
    """A question of the list layout; what is None is left out."""
    fields = {"query_id": "DEV_1_QUERY_0", "query_text": "塔高多少？", "answers": ["31米"], **changed}
    return {name: value for name, value in fields.items() if value is not None}


def paragraph(*questions: Any, **changed: Any) -> dict[str, Any]:
    fields = {"context_id": "DEV_1", "context_text": "塔高31米。", "title": "灯塔", "qas": list(questions), **changed}
    return {name: value for name, value in fields.items() if value is not None}


NO_QUESTIONS = ("no_questions", "the article or paragraph has no questions ('paragraphs', 'qas')")
NO_ANSWERS = ("no_answers", "'answers' holds no answer; write one, or take the question out")
HAS = "it has context_id, context_text, title,"
# A paragraph of the list layout, its place, reason and fact.
BAD_PARAGRAPHS: list[tuple[Any, str, str, str]] = [
    (
        paragraph(question(), context_text=None),
        "my.json:3: DEV_1_QUERY_0",
        "missing_field",
        "'context_text' is missing; it has context_id, title, query_id, query_text, answers",
    ),
    (
        paragraph(question(), context_text=" \n"),
        "my.json:3: DEV_1_QUERY_0",
        "blank_context_text",
        "'context_text' is blank; expected text",
    ),
    (
        paragraph(question(), context_text=["x"]),
        "my.json:3: DEV_1_QUERY_0",
        "wrong_type",
        "'context_text' is an array (['x']); expected text",
    ),
    (
        {**paragraph(question()), "context_text": None},
        "my.json:3: DEV_1_QUERY_0",
        "null_value",
        "'context_text' is null; expected text",
    ),
    (paragraph(), "my.json:3", *NO_QUESTIONS),
    (paragraph(qas=None), "my.json:3", *NO_QUESTIONS),
    (paragraph(qas={"query_id": "x"}), "my.json:3", *NO_QUESTIONS),
    ({}, "my.json:3", *NO_QUESTIONS),
    ("红", "my.json:3", "not_an_object", "a paragraph or question is text; expected an object"),
    (None, "my.json:3", "not_an_object", "a paragraph or question is null; expected an object"),
    (
        paragraph(["塔高多少？"]),
        "my.json:3",
        "not_an_object",
        "a paragraph or question is an array; expected an object",
    ),
    (
        paragraph(question(query_id=None)),
        "my.json:3",
        "missing_field",
        f"'query_id' is missing; {HAS} query_text, answers",
    ),
    (
        paragraph(question(query_id=None, answers=None)),
        "my.json:3",
        "missing_field",
        f"'query_id' is missing; {HAS} query_text",
    ),
    (paragraph(question(query_id="")), "my.json:3", "blank_query_id", "'query_id' is blank; expected text"),
    (paragraph(question(query_id=7)), "my.json:3", "wrong_type", "'query_id' is a number (7); expected text"),
    (
        paragraph(question(query_text=None)),
        "my.json:3: DEV_1_QUERY_0",
        "missing_field",
        f"'query_text' is missing; {HAS} query_id, answers",
    ),
    (
        paragraph(question(query_text=7)),
        "my.json:3: DEV_1_QUERY_0",
        "wrong_type",
        "'query_text' is a number (7); expected text",
    ),
    (
        paragraph(question(answers=None)),
        "my.json:3: DEV_1_QUERY_0",
        "missing_field",
        f"'answers' is missing; {HAS} query_id, query_text",
    ),
    (paragraph(question(answers=[])), "my.json:3: DEV_1_QUERY_0", *NO_ANSWERS),
    (paragraph(question(answers=[" ", ""])), "my.json:3: DEV_1_QUERY_0", *NO_ANSWERS),
    (
        paragraph(question(answers="31米")),
        "my.json:3: DEV_1_QUERY_0",
        "wrong_type",
        "'answers' is text ('31米'); expected an array",
    ),
    (
        paragraph(question(answers=[None])),
        "my.json:3: DEV_1_QUERY_0",
        "wrong_type",
        "'answers' holds null (None); expected text",
    ),
    (
        paragraph(question(answers=[["31米"]])),
        "my.json:3: DEV_1_QUERY_0",
        "wrong_type",
        "'answers' holds an array (['31米']); expected text",
    ),
    (
        paragraph(question(answers=[True])),
        "my.json:3: DEV_1_QUERY_0",
        "wrong_type",
        "'answers' holds a boolean (True); expected text",
    ),
    (
        paragraph(question(query_id="DEV_0_QUERY_0")),
        "my.json:3: DEV_0_QUERY_0",
        "duplicate_id",
        "the id 'DEV_0_QUERY_0' stands in this file before; give it another",
    ),
]


@pytest.mark.parametrize(("bad", "place", "reason", "fact"), BAD_PARAGRAPHS, ids=range(len(BAD_PARAGRAPHS)))
def test_a_bad_paragraph_or_question_stops_the_load_or_is_set_aside_with_its_reason(
    tmp_path: Path, bad: Any, place: str, reason: str, fact: str
) -> None:
    good = paragraph(question(query_id="DEV_2_QUERY_0"), context_id="DEV_2")
    path = write(tmp_path / "my.json", list_of(CMRC_LIST[0], bad, good))
    check_bad_row("cmrc2018", path, place, reason, fact, ["DEV_0_QUERY_0", "DEV_2_QUERY_0"])


def in_squad(answers: Any) -> dict[str, Any]:
    article: dict[str, Any] = copy.deepcopy(renamed(SQUAD["data"][0], "DEV_0", "DEV_1"))
    article["paragraphs"][0]["qas"][0]["answers"] = answers
    return article


def without(article: dict[str, Any], name: str) -> dict[str, Any]:
    (paragraph,) = copy.deepcopy(article["paragraphs"])
    del paragraph[name]
    return {**article, "paragraphs": [paragraph]}


GOOD_ANSWER = [{"text": "31米", "answer_start": 15}]
# An article of SQuAD's layout, its place, reason and fact.
BAD_ARTICLES: list[tuple[Any, str, str, str]] = [
    ({"id": "DEV_1", "title": "灯塔"}, "my.json:3", *NO_QUESTIONS),
    ({"id": "DEV_1", "title": "灯塔", "paragraphs": []}, "my.json:3", *NO_QUESTIONS),
    ({"id": "DEV_1", "title": "灯塔", "paragraphs": ["红"]}, "my.json:3", "not_an_object",
     "a paragraph or question is text; expected an object"),
    (["红"], "my.json:3", "not_an_object", "a paragraph or question is an array; expected an object"),
    (without(in_squad(GOOD_ANSWER), "qas"), "my.json:3", *NO_QUESTIONS),
    (without(in_squad(GOOD_ANSWER), "context"), "my.json:3: DEV_1_QUERY_0", "missing_field",
     "'context_text' is missing; it has title, context_id, query_id, query_text, answers"),
    (in_squad([]), "my.json:3: DEV_1_QUERY_0", *NO_ANSWERS),
    (in_squad([{"text": "", "answer_start": 0}]), "my.json:3: DEV_1_QUERY_0", *NO_ANSWERS),
    (in_squad(GOOD_ANSWER[0]), "my.json:3: DEV_1_QUERY_0", "wrong_type",
     "'answers' is an object ({'text': '31米', 'answer_start': 15}); expected an array"),
    (in_squad([{"answer_start": 15}]), "my.json:3: DEV_1_QUERY_0", "missing_field",
     "an answer has no 'text'; it has answer_start"),
    (in_squad([{}]), "my.json:3: DEV_1_QUERY_0", "missing_field", "an answer has no 'text'; it has no field"),
    (in_squad([{"text": None, "answer_start": 15}]), "my.json:3: DEV_1_QUERY_0", "wrong_type",
     "'answers' holds null (None); expected text"),
    (in_squad([{"text": "31米", "answer_start": "15"}]), "my.json:3: DEV_1_QUERY_0", "wrong_type",
     "'answer_start' is text ('15'); expected a whole number"),
    (in_squad([{"text": "31米", "answer_start": 15.0}]), "my.json:3: DEV_1_QUERY_0", "wrong_type",
     "'answer_start' is a number (15.0); expected a whole number"),
    (in_squad([{"text": "31米", "answer_start": False}]), "my.json:3: DEV_1_QUERY_0", "wrong_type",
     "'answer_start' is a boolean (False); expected a whole number"),
    (in_squad([{"text": "31米", "answer_start": 2**31}]), "my.json:3: DEV_1_QUERY_0", "wrong_type",
     "'answer_start' is a number (2147483648); expected a whole number"),
    (renamed(SQUAD["data"][0], "米。", "米！"), "my.json:3: DEV_0_QUERY_0", "duplicate_id",
     "the id 'DEV_0_QUERY_0' stands in this file before; give it another"),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "place", "reason", "fact"), BAD_ARTICLES, ids=range(len(BAD_ARTICLES)))
def test_a_bad_article_stops_the_load_or_is_set_aside_with_its_reason(
    tmp_path: Path, bad: Any, place: str, reason: str, fact: str
) -> None:
    good = renamed(SQUAD["data"][0], "DEV_0", "DEV_2")
    path = write(tmp_path / "my.json", squad_of(SQUAD["data"][0], bad, good))
    check_bad_row("cmrc2018", path, place, reason, fact, ["DEV_0_QUERY_0", "DEV_2_QUERY_0"])


def test_what_is_set_aside_is_the_question_with_its_text(tmp_path: Path) -> None:
    bad, good = question(answers=[]), question(query_id="DEV_1_QUERY_1")
    path = write(tmp_path / "my.json", list_of(CMRC_LIST[0], paragraph(bad, good)))
    aside = check_bad_row("cmrc2018", path, "my.json:3: DEV_1_QUERY_0", *NO_ANSWERS, ["DEV_0_QUERY_0", "DEV_1_QUERY_1"])
    shared = {"context_id": "DEV_1", "context_text": "塔高31米。", "title": "灯塔"}
    assert json.loads(aside["raw"]) == {**shared, **bad}
    streamed = load("cmrc2018", path, on_bad_row="quarantine", streaming=True)
    assert [row["id"] for row in streamed] == ["DEV_0_QUERY_0", "DEV_1_QUERY_1"]


def test_an_offset_of_null_or_none_at_all_is_looked_for(tmp_path: Path) -> None:
    for answer in ({"text": "31米", "answer_start": None}, {"text": "31米"}, "31米"):
        loaded = load("cmrc2018", write(tmp_path / "my.json", squad_of(in_squad([answer]))))
        assert loaded["answers"][:] == [{"text": ["31米"], "answer_start": [15]}]
        assert account_of(loaded).noted == {}


@pytest.mark.parametrize(
    ("written", "reason", "fact", "shown"),
    [
        ("NaN", "no_json_number", "the row holds NaN, which is no number in JSON; write null, or leave it out", "NaN"),
        ('"\udcff"', "undecodable", "the row holds bytes or escapes that are no text", '"\\xff"'),
    ],
)
def test_a_number_that_is_none_and_bytes_that_are_no_text_are_bad_rows(
    tmp_path: Path, written: str, reason: str, fact: str, shown: str
) -> None:
    text = list_of(CMRC_LIST[0], paragraph(question(answers=["31米", "好"]))).replace('"好"', written)
    (tmp_path / "my.json").write_bytes(text.encode(errors="surrogateescape"))
    aside = check_bad_row("cmrc2018", tmp_path / "my.json", "my.json:3", reason, fact, ["DEV_0_QUERY_0"])
    assert aside["raw"].endswith(f'"answers": ["31米", {shown}]}}]}}')


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (squad_of(SQUAD["data"][0]).removesuffix("]}"),
         "my.json:2: the JSON array goes on without ',' or ']'; the rest of the array cannot be read: "
         "mend the file, or get it again"),
        (squad_of(SQUAD["data"][0]).removesuffix("}"),
         "my.json:3: the JSON object goes on without ',' or '}'; the rest of the object cannot be read: "
         "mend the file, or get it again"),
        (list_of(CMRC_LIST[0])[:-30],
         "my.json:2: invalid JSON at column 133 (Unterminated string starting at); the rest of the array cannot be "
         "read: mend the file, or get it again"),
        (list_of(CMRC_LIST[0]) + "[]",
         "my.json:3: something stands behind the end of the JSON array; the rest of the array cannot be read: "
         "mend the file, or get it again"),
        ('{"version": "paragraphs", "data": []}',
         "my.json: is in no layout known here; it begins with '{\"version\": \"paragraphs\", \"data\": []}'; expected "
         "the list of CMRC 2018 (context_text, qas, query_text) or SQuAD's (an object with data, paragraphs, qas); "
         "is this a file of another dataset?"),
        ('{"data": [], "paragraphs": 0}',
         "cmrc2018: no row is left for 'train' of my.json; 0 read; "
         "a header or brackets alone are no rows: put some in, or leave the file out"),
        (list_of(paragraph(question(query_text=" "))), None),
    ],
    ids=range(7),
)  # fmt: skip
def test_a_file_that_cannot_be_read_or_leaves_nothing_is_our_error(
    tmp_path: Path, content: str, message: str | None
) -> None:
    path = write(tmp_path / "my.json", content)
    for options in ({}, {"on_bad_row": "quarantine"}):
        with pytest.raises(SourceError) as error:
            load("cmrc2018", path, "messages", **options)
        assert str(error.value) == (
            message
            or "cmrc2018: no row is left for 'train' of my.json; 1 read, 1 left out (blank_question 1); "
            "change the options that leave them out"
        )


class TestSample:
    def test_what_is_odd_in_it_is_what_the_card_says(self) -> None:
        loaded = load_dataset(NAME, "mrc", sample=True)
        assert {split: check_offsets(rows) for split, rows in loaded.items()} == {
            "train": 0,
            "trial": 2,
            "validation": 3,
        }
        accounts = hf_builders.account(loaded)
        assert accounts["train"].noted == {"answer_start_corrected": 4}
        assert accounts["trial"].noted == {
            "answer_was_number": 3,
            "answer_not_in_context": 2,
            "blank_question": 1,
        }
        assert accounts["validation"].noted == {"answer_start_filled": 6, "answer_not_in_context": 3}

    def test_the_rows_on_the_card_are_what_the_views_give(self) -> None:
        card = (Path(hf_builders.__file__).parent / "cmrc2018" / "README.md").read_text(encoding="utf-8")
        shown = [json.loads(line) for line in card.splitlines() if line.startswith("{")]
        assert len(shown) == len(VIEWS)
        for view, row in zip(VIEWS, shown, strict=True):
            loaded = load_dataset(NAME, view, sample=True, split="validation")
            key = "query_id" if view == "source" else "id"
            assert [each for each in loaded if each[key] == row[key]] == [row]


def expected_questions(folder: Path) -> list[dict[str, Any]]:
    """The questions of the trial set as both layouts tell them, read with Python alone."""
    squad = json.loads((folder / "squad-style-data" / "cmrc2018_trial.json").read_text(encoding="utf-8"))
    rows = [
        {
            "context_id": paragraph["id"],
            "context_text": paragraph["context"],
            "title": article["title"],
            "query_id": question["id"],
            "query_text": question["question"],
            "answers": question["answers"],
        }
        for article in squad["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    return rows


@pytest.mark.realdata
def test_every_real_row_is_the_one_in_the_file_in_both_layouts(shared_realdata: Callable[[str], Path]) -> None:
    folder = shared_realdata("cmrc2018")
    expected = expected_questions(folder)
    paragraphs = json.loads((folder / "data" / "cmrc2018_trial.json").read_text(encoding="utf-8"))
    loaded = {name: load_dataset(NAME, "source", data_dir=folder / name) for name in ("squad-style-data", "data")}
    assert [list(splits) for splits in loaded.values()] == [["trial"]] * 2
    assert list(loaded["squad-style-data"]["trial"]) == expected
    assert list(loaded["data"]["trial"]) == [
        {
            **{name: paragraph[name] for name in ("context_id", "context_text", "title")},
            **{name: question[name] for name in ("query_id", "query_text")},
            "answers": [{"text": text, "answer_start": None} for text in question["answers"]],
        }
        for paragraph in paragraphs
        for question in paragraph["qas"]
    ]
    assert len(expected) == 1_002
    both = load_dataset(NAME, "source", data_dir=folder)
    assert list(both["trial"]) == expected, "where there are both, the one with offsets is read"


@pytest.mark.realdata
def test_both_real_layouts_are_the_same_rows_with_every_answer_in_its_place(
    shared_realdata: Callable[[str], Path],
) -> None:
    folder = shared_realdata("cmrc2018")
    by_layout = {
        name: load_dataset(NAME, "mrc", data_dir=folder / name, split="trial") for name in ("squad-style-data", "data")
    }
    squad, in_list = by_layout.values()
    assert len(squad) == len(in_list) == 1_002
    for one, other in zip(squad, in_list, strict=True):
        assert one == other
    accounts = [account_of_split(rows, "trial") for rows in by_layout.values()]
    assert [account.noted for account in accounts] == [
        {"answer_start_corrected": 5, "blank_question": 2},
        {"blank_question": 2},
    ]
    assert {(account.read, account.kept) for account in accounts} == {(1_002, 1_002)}
    num_moved = 0
    for row, raw in zip(squad, expected_questions(folder), strict=True):
        assert (row["id"], row["context"], row["title"]) == (raw["query_id"], raw["context_text"], raw["title"].strip())
        assert row["question"] == raw["query_text"].strip()
        assert row["answers"]["text"] == [answer["text"] for answer in raw["answers"]]
        for answer, start in zip(raw["answers"], row["answers"]["answer_start"], strict=True):
            assert row["context"][start : start + len(answer["text"])] == answer["text"]
            num_moved += start != answer["answer_start"]
    assert num_moved == 5
    assert check_offsets(squad) == check_offsets(in_list) == 0


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["squad-style-data", "data"])
def test_every_real_question_that_is_one_is_asked(name: str, shared_realdata: Callable[[str], Path]) -> None:
    folder = shared_realdata("cmrc2018")
    raw = [row for row in expected_questions(folder) if row["query_text"].strip()]
    loaded = load_dataset(NAME, "messages", data_dir=folder / name, split="trial")
    assert list(loaded) == [
        {
            "id": row["query_id"],
            "messages": said(
                f"{TASK}\n\n标题：{row['title'].strip()}\n文章：{row['context_text']}\n\n"
                f"问题：{row['query_text'].strip()}",
                row["answers"][0]["text"],
            ),
        }
        for row in raw
    ]
    assert account_of_split(loaded, "trial").left_out == {"blank_question": 2}
    streamed = load_dataset(NAME, "messages", data_dir=folder / name, split="trial", streaming=True)
    assert list(streamed) == list(loaded)


@pytest.mark.realdata
def test_the_real_trial_file_is_the_one_whose_git_blob_id_is_known(shared_realdata: Callable[[str], Path]) -> None:
    name = "squad-style-data/cmrc2018_trial.json"
    assert git_blob_id(str(shared_realdata("cmrc2018") / name)) == Builder.official_download.files[name]


def account_of_split(dataset: Any, split: str) -> hf_builders.Account:
    account = hf_builders.account(dataset)[split]
    assert account.is_balanced()
    return account
