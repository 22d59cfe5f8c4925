"""Chinese-medical-dialogue: rows are what Python's csv module reads, in every view and by every route."""

from __future__ import annotations

import csv
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset, load_dataset_builder

import hf_builders
from hf_builders import OptionError, SourceError

NAME = "hf_builders/chinese_medical_dialogue"
VIEWS = ("source", "messages", "conversations", "instruction")


def csv_rows(path: Path, division: str) -> list[dict[str, str]]:
    with open(path, encoding="gb18030", newline="") as file:
        return [{**row, "division": division} for row in csv.DictReader(file)]


def expected_question(row: dict[str, str]) -> str:
    title, ask = row["title"].strip(), row["ask"].strip()
    if ask == "无" or ask in title:
        return row["title"]
    return row["ask"] if title in ask else f"{row['title']}\n{row['ask']}"


def expected_record(view: str, place: str, row: dict[str, str]) -> dict[str, Any]:
    user, assistant = expected_question(row), row["answer"]
    task = f"现在你是一个{row['department']}医生，请根据患者的问题给出建议："
    return {
        "source": row,
        "messages": {
            "id": place,
            "messages": [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}],
        },
        "conversations": {
            "id": place,
            "conversations": [
                {"role": "user", "content": user, "loss": False},
                {"role": "assistant", "content": assistant, "loss": True},
            ],
        },
        "instruction": {"id": place, "instruction": task, "input": user, "output": assistant},
    }[view]


@pytest.mark.realdata
@pytest.mark.parametrize("view", VIEWS)
def test_every_real_row_is_what_python_reads(view: str, shared_realdata: Callable[[str], Path]) -> None:
    folder = shared_realdata("Chinese-medical-dialogue-data")
    (path,) = folder.rglob("*.csv")
    rows = csv_rows(path, "内科")
    assert len(rows) == 4000
    assert sum(any("\n" in cell for cell in row.values()) for row in rows) == 7
    expected = [expected_record(view, f"{path.name}#{n}", row) for n, row in enumerate(rows, start=1)]
    loaded = load_dataset(NAME, view, data_dir=folder, split="train")
    assert loaded.to_list() == expected
    assert hf_builders.load_dataset(NAME, view, data_dir=folder)["train"].to_list() == expected
    streamed = load_dataset(NAME, view, data_dir=folder, streaming=True)["train"]
    assert list(streamed) == expected
    assert load_dataset(NAME, view, data_dir=folder, split="train[:10%]").to_list() == expected[:400]
    info = load_dataset_builder(NAME, view, data_dir=folder).info
    assert info.features == loaded.features == streamed.features


@pytest.mark.realdata
def test_no_real_row_is_lost_or_doubled_by_splits_and_limits(shared_realdata: Callable[[str], Path]) -> None:
    folder = shared_realdata("Chinese-medical-dialogue-data")
    splits = load_dataset(
        NAME, "messages", data_dir=folder, validation=0.1, test=0.1, max_question_chars=200, max_answer_chars=200
    )
    accounts = hf_builders.account(splits)
    assert sum(account.read for account in accounts.values()) == 4000
    assert all(account.is_balanced() for account in accounts.values())
    (path,) = folder.rglob("*.csv")
    expected = {
        f"{path.name}#{n}"
        for n, row in enumerate(csv_rows(path, "内科"), start=1)
        if len(expected_question(row)) <= 200 and len(row["answer"]) <= 200
    }
    ids = [record_id for split in splits.values() for record_id in split["id"]]
    assert len(ids) == len(set(ids)) == len(expected) > 1000
    assert set(ids) == expected
    questions = {split: {m[0]["content"] for m in rows["messages"]} for split, rows in splits.items()}
    assert not questions["train"] & questions["test"]
    assert not questions["train"] & questions["validation"]
    assert not questions["test"] & questions["validation"]


def test_the_question_says_nothing_twice(medical_folder: Path) -> None:
    messages = load_dataset(NAME, "messages", data_dir=medical_folder, split="train")["messages"]
    assert [turns[0]["content"] for turns in messages] == [
        "高血压能吃党参吗？\n我有高血压,\n能吃党参吗？",
        "胃痛怎么办",
        "咳嗽",
        "咳嗽两周，夜里重",
        "阑尾炎\n右下腹痛",
        "手臂骨折了",
    ]


def test_the_source_has_the_columns_of_the_file_and_its_division(medical_folder: Path) -> None:
    rows = load_dataset(NAME, data_dir=medical_folder, split="train").to_list()
    assert rows[0] == {
        "department": "心血管科",
        "title": "高血压能吃党参吗？",
        "ask": "我有高血压,\n能吃党参吗？",
        "answer": "可以，但要听医生的。",
        "division": "内科",
    }
    assert [row["division"] for row in rows] == ["内科"] * 4 + ["外科"] * 2


@pytest.mark.parametrize(
    ("divisions", "expected"),
    [
        (["外科"], ["外科"] * 2),
        (["surgery"], ["外科"] * 2),
        ("internal_medicine", ["内科"] * 4),
        (["surgery", "内科"], ["内科"] * 4 + ["外科"] * 2),
        (None, ["内科"] * 4 + ["外科"] * 2),
    ],
)
def test_divisions_are_picked_by_chinese_or_english_name(
    medical_folder: Path, divisions: Any, expected: list[str]
) -> None:
    assert load_dataset(NAME, data_dir=medical_folder, divisions=divisions, split="train")["division"][:] == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"divisions": ["牙科"]},
            "no division '牙科'; the divisions are 男科 (andrology), 内科 (internal_medicine), "
            "妇产科 (obstetrics_gynecology), 肿瘤科 (oncology), 儿科 (pediatrics), 外科 (surgery)",
        ),
        (
            {"divisions": "surgry"},
            "no division 'surgry'; did you mean 'surgery'?; the divisions are 男科 (andrology), "
            "内科 (internal_medicine), 妇产科 (obstetrics_gynecology), 肿瘤科 (oncology), "
            "儿科 (pediatrics), 外科 (surgery)",
        ),
        (
            {"divisions": []},
            "divisions=[]: takes a list of names; the divisions are 男科 (andrology), 内科 (internal_medicine), "
            "妇产科 (obstetrics_gynecology), 肿瘤科 (oncology), 儿科 (pediatrics), 外科 (surgery)",
        ),
        ({"max_answer_chars": True}, "max_answer_chars=True: takes a number of characters, 1 or more"),
        ({"max_answer_chars": "200"}, "max_answer_chars='200': takes a number of characters, 1 or more"),
        ({"max_question_chars": 0}, "max_question_chars=0: takes a number of characters, 1 or more"),
        ({"test": "0.1"}, "test='0.1': a fraction of the rows must lie between 0 and 1"),
        ({"validation": 1.5}, "validation=1.5: a fraction of the rows must lie between 0 and 1"),
        (
            {"max_answer_char": 200},
            "chinese_medical_dialogue has no option 'max_answer_char'; did you mean 'max_answer_chars'?",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(medical_folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError) as error:
        load_dataset(NAME, data_dir=medical_folder, **options)
    assert str(error.value) == message


def test_a_division_that_is_not_there_is_not_passed_over(medical_folder: Path) -> None:
    with pytest.raises(SourceError) as error:
        load_dataset(NAME, data_dir=medical_folder, divisions=["内科", "男科"])
    assert str(error.value) == (
        "chinese_medical_dialogue: 男科 was asked for, and none of 内科5000-33000.csv, 外科5-14000.csv is a file of it"
    )


def test_official_files_that_are_not_there_are_named(medical_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    load_dataset(NAME, data_dir=medical_folder)
    (record,) = [record for record in caplog.records if "there is no" in record.message]
    assert record.message.endswith("there is no 男科5-13000.csv, 妇产科6-28000.csv, 肿瘤科5-10000.csv, 儿科5-14000.csv")


def test_limits_leave_out_longer_rows_and_count_them(medical_folder: Path) -> None:
    # Questions have 24, 5, 2, 8, 8 and 5 characters, answers 10, 4, 4, 5, 3 and 4.
    loaded = load_dataset(NAME, "messages", data_dir=medical_folder, max_question_chars=8, max_answer_chars=4)
    assert loaded["train"]["id"][:] == [
        "内科5000-33000.csv#2",
        "内科5000-33000.csv#3",
        "外科5-14000.csv#1",
        "外科5-14000.csv#2",
    ]
    account = hf_builders.account(loaded)["train"]
    assert (account.read, account.kept) == (6, 4)
    assert account.left_out == {"question_too_long": 1, "answer_too_long": 1}
    assert account.is_balanced()


def test_official_columns_may_be_called_as_in_the_readme(tmp_path: Path) -> None:
    (tmp_path / "儿科.csv").write_text("title,question,answer,department\n题,问,答,科\n", encoding="utf-8-sig")
    assert load_dataset(NAME, data_dir=tmp_path, split="train").to_list() == [
        {"department": "科", "title": "题", "ask": "问", "answer": "答", "division": "儿科"}
    ]


def write_questions(folder: Path) -> None:
    """Three hundred questions, each in two forms, in two files."""
    for half, form in (("内科1", "问题{}怎么办"), ("外科1", "问题{} 怎么办？")):
        lines = [f"科,{form.format(unicodedata.normalize('NFKC', str(i)))},无,答{i}\n" for i in range(300)]
        (folder / f"{half}.csv").write_text("department,title,ask,answer\n" + "".join(lines), encoding="gb18030")


@pytest.mark.parametrize("view", ["messages", "source"])
@pytest.mark.parametrize("num_proc", [None, 2])
def test_the_same_question_is_in_one_split_and_every_row_in_exactly_one(
    tmp_path: Path, view: str, num_proc: int | None
) -> None:
    write_questions(tmp_path)
    splits = load_dataset(NAME, view, data_dir=tmp_path, validation=0.2, test=0.3, num_proc=num_proc)
    assert list(splits) == ["train", "validation", "test"]
    if view == "source":
        answers = {split: rows["answer"][:] for split, rows in splits.items()}
    else:
        answers = {split: [turns[1]["content"] for turns in rows["messages"]] for split, rows in splits.items()}
    assert sorted(answer for some in answers.values() for answer in some) == sorted([f"答{i}" for i in range(300)] * 2)
    assert all({some.count(answer) for answer in some} == {2} for some in answers.values())
    assert 30 < len(answers["validation"]) / 2 < 90
    assert 55 < len(answers["test"]) / 2 < 125
    streamed = load_dataset(NAME, view, data_dir=tmp_path, validation=0.2, test=0.3, streaming=True)
    assert {split: list(rows) for split, rows in streamed.items()} == {
        split: rows.to_list() for split, rows in splits.items()
    }
    accounts = hf_builders.account(splits)
    assert {split: account.kept for split, account in accounts.items()} == {s: len(a) for s, a in answers.items()}


def test_fractions_of_files_that_have_splits_are_refused(medical_folder: Path) -> None:
    files = [str(path) for path in sorted(medical_folder.rglob("*.csv"))]
    with pytest.raises(OptionError) as error:
        load_dataset(NAME, data_files={"train": files[0], "test": files[1]}, test=0.1)
    assert str(error.value) == "test: the files already have splits of their own (train, test)"


def test_the_sample_is_the_same_with_and_without_the_import(run_python: Callable[..., str]) -> None:
    without = json.loads(
        run_python(
            "import json, sys; from datasets import load_dataset\n"
            f"print(json.dumps(load_dataset('{NAME}', split='train').to_list()))\n"
            "assert 'hf_builders' not in sys.modules"
        )
    )
    with_import = load_dataset(NAME, sample=True, split="train").remove_columns("division").to_list()
    assert len(without) > 100
    assert without == with_import
