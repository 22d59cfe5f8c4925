"""WebQA: a row for each evidence, none of them cut or lost, and those without an answer as the caller wants them."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Features, List, Value, load_dataset

import hf_builders
from hf_builders import OptionError, SourceError
from tests.hf_builders.reading_files import (
    TASK,
    WEBQA,
    account_of,
    as_json,
    check_bad_row,
    check_offsets,
    load,
    said,
    write,
)

NAME = "hf_builders/webqa"
VIEWS = ("source", "mrc", "messages", "instruction")
UNANSWERED = "根据文章无法回答。"
QUESTIONS: dict[str, Any] = {
    "Q_IR_TST_7": {
        "question": " 世界上使用人数最多的母语是什么语言",
        "evidences": {
            "Q_IR_TST_7#01": {"answer": ["汉语", "华语"], "evidence": "母语的话是汉语,海外也叫华语,也叫汉语"},
            "Q_IR_TST_7#00": {"answer": ["no_answer"], "evidence": "会说的人最多的是英语 "},
        },
    },
    "Q_ANN_TST_3": {
        "question": "灯塔有多高",
        "evidences": {"Q_ANN_TST_3#00": {"answer": [31, "31", "三十一米", "no_answer", ""], "evidence": "塔高31米"}},
    },
    "Q_TRN_3": {"question": "谁", "evidences": {"Q_TRN_3#00": {"answer": ["他", "他"], "evidence": "是他。"}}},
}


def file_of(*members: tuple[str, Any]) -> str:
    """One question a line, the first on line 2; names may come twice."""
    return "{\n" + ",\n".join(f"{as_json(name)}: {as_json(value)}" for name, value in members) + "\n}"


def questions_as(path: Path) -> Path:
    return write(path, file_of(*QUESTIONS.items()))


def test_the_views_have_the_columns_the_card_says(tmp_path: Path) -> None:
    assert load("webqa", write(tmp_path / "my.json", WEBQA), "source").features == Features(
        {
            "question_id": Value("string"),
            "question": Value("string"),
            "evidence_id": Value("string"),
            "evidence": Value("string"),
            "answer": List(Value("string")),
            "type": Value("string"),
        }
    )


def test_source_has_each_evidence_as_it_is_in_the_order_of_the_file(tmp_path: Path) -> None:
    ir = {"question_id": "Q_IR_TST_7", "question": " 世界上使用人数最多的母语是什么语言", "type": "ir"}
    expected = [
        {
            **ir,
            "evidence_id": "Q_IR_TST_7#01",
            "evidence": "母语的话是汉语,海外也叫华语,也叫汉语",
            "answer": ["汉语", "华语"],
        },
        {**ir, "evidence_id": "Q_IR_TST_7#00", "evidence": "会说的人最多的是英语 ", "answer": ["no_answer"]},
        {
            "question_id": "Q_ANN_TST_3",
            "question": "灯塔有多高",
            "type": "ann",
            "evidence_id": "Q_ANN_TST_3#00",
            "evidence": "塔高31米",
            "answer": ["31", "31", "三十一米", "no_answer", ""],
        },
        {
            "question_id": "Q_TRN_3",
            "question": "谁",
            "type": None,
            "evidence_id": "Q_TRN_3#00",
            "evidence": "是他。",
            "answer": ["他", "他"],
        },
    ]
    assert list(load("webqa", questions_as(tmp_path / "my.json"), "source")) == expected
    # The key goes before the name of the file.
    expected[3]["type"] = "ann"
    assert list(load("webqa", questions_as(tmp_path / "my.ann.json"), "source")) == expected
    expected[3]["type"] = "ir"
    assert list(load("webqa", questions_as(tmp_path / "ann.ir.json"), "source")) == expected


NOTED = {"no_answer": 1, "answer_was_number": 1, "answer_not_in_context": 1, "blank_answer": 1}


def test_mrc_has_every_answer_with_its_first_place_and_none_where_there_is_none(tmp_path: Path) -> None:
    loaded = load("webqa", questions_as(tmp_path / "my.json"))
    assert list(loaded) == [
        {
            "id": "Q_IR_TST_7#01",
            "title": "",
            "context": "母语的话是汉语,海外也叫华语,也叫汉语",
            "question": "世界上使用人数最多的母语是什么语言",
            "answers": {"text": ["汉语", "华语"], "answer_start": [5, 12]},
        },
        {
            "id": "Q_IR_TST_7#00",
            "title": "",
            "context": "会说的人最多的是英语 ",
            "question": "世界上使用人数最多的母语是什么语言",
            "answers": {"text": [], "answer_start": []},
        },
        {
            "id": "Q_ANN_TST_3#00",
            "title": "",
            "context": "塔高31米",
            "question": "灯塔有多高",
            "answers": {"text": ["31", "31", "三十一米"], "answer_start": [2, 2, -1]},
        },
        {
            "id": "Q_TRN_3#00",
            "title": "",
            "context": "是他。",
            "question": "谁",
            "answers": {"text": ["他", "他"], "answer_start": [1, 1]},
        },
    ]
    assert check_offsets(loaded) == 1
    account = account_of(loaded)
    assert account.noted == NOTED
    assert (account.read, account.kept, account.left_out, account.quarantined) == (4, 4, Counter(), Counter())


ASKED = [
    ("Q_IR_TST_7#01", "母语的话是汉语,海外也叫华语,也叫汉语", "世界上使用人数最多的母语是什么语言", "汉语、华语"),
    ("Q_IR_TST_7#00", "会说的人最多的是英语 ", "世界上使用人数最多的母语是什么语言", None),
    ("Q_ANN_TST_3#00", "塔高31米", "灯塔有多高", "31、三十一米"),
    ("Q_TRN_3#00", "是他。", "谁", "他"),
]


@pytest.mark.parametrize(
    ("options", "said_instead"),
    [({}, UNANSWERED), ({"no_answer": "不知道"}, "不知道"), ({"no_answer": False}, None)],
    ids=["default", "text", "left out"],
)
def test_the_dialogue_views_join_the_answers_and_say_or_leave_out_that_there_is_none(
    tmp_path: Path, options: dict[str, Any], said_instead: str | None
) -> None:
    path = questions_as(tmp_path / "my.json")
    rows = [(*row, answer or said_instead) for *row, answer in ASKED if answer or said_instead]
    messages, instruction = (load("webqa", path, view, **options) for view in ("messages", "instruction"))
    assert list(messages) == [
        {"id": evidence_id, "messages": said(f"{TASK}\n\n文章：{evidence}\n\n问题：{question}", str(answer))}
        for evidence_id, evidence, question, answer in rows
    ]
    assert list(instruction) == [
        {
            "id": evidence_id,
            "instruction": f"{TASK}\n问题：{question}",
            "input": f"文章：{evidence}",
            "output": answer,
        }
        for evidence_id, evidence, question, answer in rows
    ]
    num_left_out = 0 if said_instead else 1
    for loaded in (messages, instruction):
        account = account_of(loaded)
        assert (account.read, account.kept) == (4, 4 - num_left_out)
        assert account.left_out["no_answer"] == account.left_out.total() == num_left_out
        assert account.noted == Counter(NOTED) - Counter(no_answer=num_left_out), "of the rows that are kept"


def test_views_that_say_nothing_leave_nothing_out(tmp_path: Path) -> None:
    path = questions_as(tmp_path / "my.json")
    for view in ("source", "mrc"):
        assert list(load("webqa", path, view, no_answer=False)) == list(load("webqa", path, view))


def test_where_no_evidence_has_an_answer_leaving_them_out_leaves_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "my.json", {"Q_1": asked({"Q_1#0": evidence(["no_answer"])})})
    with pytest.raises(SourceError) as error:
        load("webqa", path, "messages", no_answer=False)
    assert str(error.value) == (
        "webqa: no row is left for 'train' of my.json; 1 read, 1 left out (no_answer 1); "
        "change the options that leave them out"
    )


@pytest.mark.parametrize("no_answer", [True, "", " \n", 7, ["不知道"]])
def test_what_is_said_has_to_be_a_text(tmp_path: Path, no_answer: Any) -> None:
    path = questions_as(tmp_path / "my.json")
    for view in VIEWS:
        with pytest.raises(OptionError) as error:
            load("webqa", path, view, no_answer=no_answer)
        assert str(error.value) == f"no_answer={no_answer!r}: takes what the assistant says, or False"


@pytest.mark.parametrize("view", VIEWS)
def test_streaming_gz_and_zip_give_the_same_rows(tmp_path: Path, view: str) -> None:
    path = questions_as(tmp_path / "my.json")
    expected = list(load("webqa", path, view))
    assert len(expected) == 4
    packed, archive = tmp_path / "packed" / "my.json.gz", tmp_path / "my.zip"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with zipfile.ZipFile(archive, "w") as file:
        file.write(path, "WebQA.v1.0/my.json")
    for each in (path, packed, archive):
        assert list(load("webqa", each, view)) == expected
        assert list(load("webqa", each, view, streaming=True)) == expected


def test_the_files_of_a_folder_go_to_their_splits_and_parts_of_a_split_follow_each_other(tmp_path: Path) -> None:
    names = [
        "me_train.json",
        *(f"me_{split}.{kind}.json" for split in ("validation", "test") for kind in ("ir", "ann")),
    ]
    for number, name in enumerate(names):
        text = as_json(WEBQA).replace("Q_ANN_TST_1", f"Q_{number}")
        write(tmp_path / "WebQA.v1.0" / name, text)
    write(tmp_path / "WebQA.v1.0" / "readme.txt", "no data")
    loaded = load_dataset(NAME, data_dir=tmp_path)
    assert {split: list(zip(rows["evidence_id"], rows["type"], strict=True)) for split, rows in loaded.items()} == {
        "train": [("Q_0#00", None)],
        "validation": [("Q_2#00", "ann"), ("Q_1#00", "ir")],
        "test": [("Q_4#00", "ann"), ("Q_3#00", "ir")],
    }
    assert all(account.is_balanced() for account in hf_builders.account(loaded).values())
    two = load_dataset(NAME, data_dir=tmp_path, num_proc=2, cache_dir=str(tmp_path / "other"))
    assert {split: list(rows) for split, rows in two.items()} == {split: list(rows) for split, rows in loaded.items()}


def test_no_program_fetches_it_and_the_errors_say_where_it_is(tmp_path: Path) -> None:
    where = "WebQA.v1.0 by hand (https://kexue.fm/archives/4338 has the link)"
    with pytest.raises(OptionError) as error:
        load_dataset(NAME, download=True)
    assert str(error.value) == (
        f"webqa: download=True, but these are files which no address offers; get {where}, and name them with "
        "data_files= or data_dir="
    )
    with pytest.warns(UserWarning, match="invented rows") as caught:
        load_dataset(NAME)
    assert [str(warning.message) for warning in caught] == [
        "webqa: no data was named, so these are 300 invented rows bundled as a sample; no real ones. "
        f"Get {where}, name its folder with data_dir= or HF_BUILDERS_DATA (a folder that holds webqa/), "
        "or keep the sample with sample=True"
    ]


def evidence(answer: Any = ("红",), text: Any = "红裙子", **others: Any) -> dict[str, Any]:
    fields = {"answer": list(answer) if isinstance(answer, tuple) else answer, "evidence": text, **others}
    return {name: value for name, value in fields.items() if value is not ...}


def asked(evidences: Any, question: Any = "什么") -> dict[str, Any]:
    fields = {"question": question, "evidences": evidences}
    return {name: value for name, value in fields.items() if value is not ...}


NO_EVIDENCES = ("no_evidences", "Q_1 has no object of 'evidences', or an empty one")
NO_ANSWERS = ("no_answers", "'answer' holds no answer; write one, or take the question out")
# A question, its place, reason and fact.
BAD: list[tuple[Any, str, str, str]] = [
    (asked(...), "my.json:3", *NO_EVIDENCES),
    (asked({}), "my.json:3", *NO_EVIDENCES),
    (asked(None), "my.json:3", *NO_EVIDENCES),
    (asked([evidence()]), "my.json:3", *NO_EVIDENCES),
    ("红", "my.json:3", *NO_EVIDENCES),
    (None, "my.json:3", *NO_EVIDENCES),
    (asked({"Q_1#0": "红裙子"}), "my.json:3: Q_1#0", "not_an_object", "Q_1#0 is text; expected an object"),
    (asked({"Q_1#0": None}), "my.json:3: Q_1#0", "not_an_object", "Q_1#0 is null; expected an object"),
    (asked({"Q_1#0": evidence(text=...)}), "my.json:3: Q_1#0", "missing_field", "'evidence' is missing; it has answer"),
    (asked({"Q_1#0": evidence(text="")}), "my.json:3: Q_1#0", "blank_evidence", "'evidence' is blank; expected text"),
    (
        asked({"Q_1#0": evidence(text="\u3000")}),
        "my.json:3: Q_1#0",
        "blank_evidence",
        "'evidence' is blank; expected text",
    ),
    (asked({"Q_1#0": evidence(text=None)}), "my.json:3: Q_1#0", "null_value", "'evidence' is null; expected text"),
    (asked({"Q_1#0": evidence(text=7)}), "my.json:3: Q_1#0", "wrong_type", "'evidence' is a number (7); expected text"),
    (asked({"Q_1#0": evidence(...)}), "my.json:3: Q_1#0", "missing_field", "'answer' is missing; it has evidence"),
    (asked({"Q_1#0": evidence([])}), "my.json:3: Q_1#0", *NO_ANSWERS),
    (asked({"Q_1#0": evidence([""])}), "my.json:3: Q_1#0", *NO_ANSWERS),
    (asked({"Q_1#0": evidence(["no_answer", " "])}), "my.json:3: Q_1#0", *NO_ANSWERS),
    (asked({"Q_1#0": evidence("红")}), "my.json:3: Q_1#0", "wrong_type", "'answer' is text ('红'); expected an array"),
    (asked({"Q_1#0": evidence([None])}), "my.json:3: Q_1#0", "wrong_type", "'answer' holds null (None); expected text"),
    (
        asked({"Q_1#0": evidence(["红", False])}),
        "my.json:3: Q_1#0",
        "wrong_type",
        "'answer' holds a boolean (False); expected text",
    ),
    (asked({"Q_1#0": evidence()}, ...), "my.json:3: Q_1#0", "null_value", "'question' is null; expected text"),
    (asked({"Q_1#0": evidence()}, None), "my.json:3: Q_1#0", "null_value", "'question' is null; expected text"),
    (
        asked({"Q_1#0": evidence()}, ["什么"]),
        "my.json:3: Q_1#0",
        "wrong_type",
        "'question' is an array (['什么']); expected text",
    ),
    (
        asked({"Q_0#0": evidence()}),
        "my.json:3: Q_0#0",
        "duplicate_id",
        "the id 'Q_0#0' stands in this file before; give it another",
    ),
]


@pytest.mark.parametrize(("bad", "place", "reason", "fact"), BAD, ids=range(len(BAD)))
def test_a_bad_question_or_evidence_stops_the_load_or_is_set_aside_with_its_reason(
    tmp_path: Path, bad: Any, place: str, reason: str, fact: str
) -> None:
    good = [(f"Q_{n}", asked({f"Q_{n}#0": evidence()})) for n in (0, 2)]
    path = write(tmp_path / "my.json", file_of(good[0], ("Q_1", bad), good[1]))
    check_bad_row("webqa", path, place, reason, fact, ["Q_0#0", "Q_2#0"])


@pytest.mark.parametrize("blank", ["", " \u3000\n"])
def test_a_blank_question_is_kept_and_counted_but_not_asked(tmp_path: Path, blank: str) -> None:
    members = ("Q_0", asked({"Q_0#0": evidence()}, blank)), ("Q_1", asked({"Q_1#0": evidence()}))
    path = write(tmp_path / "my.json", file_of(*members))
    source, mrc = load("webqa", path, "source"), load("webqa", path)
    assert source["question"][:] == [blank, "什么"]
    assert mrc["question"][:] == ["", "什么"]
    assert mrc["answers"][:] == [{"text": ["红"], "answer_start": [0]}] * 2
    for loaded in (source, mrc):
        account = account_of(loaded)
        assert (account.read, account.kept, account.noted) == (2, 2, {"blank_question": 1})
    for view in ("messages", "instruction"):
        loaded = load("webqa", path, view)
        assert loaded["id"][:] == ["Q_1#0"]
        account = account_of(loaded)
        assert (account.read, account.kept, account.left_out, account.noted) == (2, 1, {"blank_question": 1}, {})


def test_of_a_question_only_the_bad_evidence_is_set_aside(tmp_path: Path) -> None:
    bad = evidence([])
    text = file_of(("Q_0", asked({"Q_0#0": evidence(), "Q_0#1": bad, "Q_0#2": evidence()})))
    path = write(tmp_path / "my.json", text)
    aside = check_bad_row("webqa", path, "my.json:2: Q_0#1", *NO_ANSWERS, ["Q_0#0", "Q_0#2"])
    raw = json.loads(aside["raw"])
    assert (raw["question_id"], raw["question"], raw["evidence_id"]) == ("Q_0", "什么", "Q_0#1")
    assert bad in raw.values()
    streamed = load("webqa", path, on_bad_row="quarantine", streaming=True)
    assert [row["id"] for row in streamed] == ["Q_0#0", "Q_0#2"]


def test_names_that_stand_twice_lose_no_row_silently(tmp_path: Path) -> None:
    # A question may come again with other evidences; of two evidences of one name Python would keep the last.
    first, again = ("Q_0", asked({"Q_0#0": evidence()})), ("Q_0", asked({"Q_0#1": evidence()}))
    twins = ", ".join([f'"Q_1#0": {as_json(evidence())}'] * 2)
    third = f'"Q_1": {{"question": "什么", "evidences": {{{twins}}}}}'
    text = file_of(first, again).replace("\n}", f",\n{third}\n}}")
    path = write(tmp_path / "my.json", text)
    fact = "the name 'Q_1#0' stands twice in one object; rename one of them"
    aside = check_bad_row("webqa", path, "my.json:4", "duplicate_id", fact, ["Q_0#0", "Q_0#1"])
    assert aside["raw"].startswith('"Q_1": {"question": "什么"')
    assert aside["raw"].count('"Q_1#0"') == 2


def test_fields_of_an_evidence_that_no_view_knows_do_no_harm(tmp_path: Path) -> None:
    odd = evidence(type=7, evidence_id=["x"], question=None, own={})
    path = write(tmp_path / "my.json", file_of(("Q_0", asked({"Q_0#0": odd}))))
    assert list(load("webqa", path, "source")) == [
        {
            "question_id": "Q_0",
            "question": "什么",
            "evidence_id": "Q_0#0",
            "evidence": "红裙子",
            "answer": ["红"],
            "type": None,
        }
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (file_of(*QUESTIONS.items())[:-2],
         "my.json:4: the JSON object goes on without ',' or '}'; the rest of the object cannot be read: mend the "
         "file, or get it again"),
        (file_of(*QUESTIONS.items())[:-40],
         "my.json:4: invalid JSON at column 59 (Unterminated string starting at); the rest of the object cannot be "
         "read: mend the file, or get it again"),
        (file_of(*QUESTIONS.items()) + "\n{}",
         "my.json:6: something stands behind the end of the JSON object; the rest of the object cannot be read: mend "
         "the file, or get it again"),
        ("[" + file_of(*QUESTIONS.items()) + "]",
         "my.json: is no JSON object; is it a file of another dataset?"),
        ('{"Q_0": {"question": "什么", "evidences": {}}}',
         "webqa: no row is left for 'train' of my.json; 1 read, 1 set aside (no_evidences 1); on_bad_row='raise' shows "
         "the first bad row"),
    ],
    ids=range(5),
)  # fmt: skip
def test_a_file_that_cannot_be_read_or_leaves_nothing_is_our_error(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(SourceError) as error:
        load("webqa", write(tmp_path / "my.json", content), on_bad_row="quarantine")
    assert str(error.value) == message


class TestSample:
    def test_what_is_odd_in_it_is_what_the_card_says(self) -> None:
        loaded = load_dataset(NAME, "mrc", sample=True)
        noted = sum((account.noted for account in hf_builders.account(loaded).values()), Counter[str]())
        assert noted == {"answer_not_in_context": 8, "no_answer": 134}
        assert sum(check_offsets(rows) for rows in loaded.values()) == 8
        assert sum(len(row["answers"]["text"]) > 1 for rows in loaded.values() for row in rows) == 6

    def test_the_rows_on_the_card_are_what_the_views_give(self) -> None:
        card = (Path(hf_builders.__file__).parent / "webqa" / "README.md").read_text(encoding="utf-8")
        shown = [json.loads(line) for line in card.splitlines() if line.startswith("{")]
        assert len(shown) == len(VIEWS)
        for view, row in zip(VIEWS, shown, strict=True):
            loaded = load_dataset(NAME, view, sample=True, split="test")
            key = "evidence_id" if view == "source" else "id"
            assert [each for each in loaded if each[key] == row[key]] == [row]


REAL = "webqa/WebQA.v1.0"


def expected_rows(folder: Path) -> list[dict[str, Any]]:
    """Every evidence of the real file, read with Python alone."""
    questions = json.loads((folder / "me_test.ann.json").read_text(encoding="utf-8"))
    return [
        {
            "question_id": question_id,
            "question": question["question"],
            "evidence_id": evidence_id,
            "evidence": evidence["evidence"],
            "answer": evidence["answer"],
            "type": "ann",
        }
        for question_id, question in questions.items()
        for evidence_id, evidence in question["evidences"].items()
    ]


@pytest.mark.realdata
def test_every_real_evidence_is_the_one_in_the_file(shared_realdata: Callable[[str], Path]) -> None:
    folder = shared_realdata(REAL)
    expected = expected_rows(folder)
    loaded = load_dataset(NAME, data_dir=folder)
    assert {split: len(rows) for split, rows in loaded.items()} == {"test": 1_500}
    assert list(loaded["test"]) == expected
    assert list(load_dataset(NAME, data_dir=folder, streaming=True)["test"]) == expected


@pytest.mark.realdata
def test_every_real_answer_is_in_its_place_or_counted_as_nowhere(shared_realdata: Callable[[str], Path]) -> None:
    folder = shared_realdata(REAL)
    loaded = load_dataset(NAME, "mrc", data_dir=folder)
    account = hf_builders.account(loaded)["test"]
    assert (account.read, account.kept, account.noted) == (1_500, 1_500, {"answer_not_in_context": 14})
    assert check_offsets(loaded["test"]) == 14
    num_nowhere = 0
    for row, raw in zip(loaded["test"], expected_rows(folder), strict=True):
        assert (row["id"], row["title"], row["context"]) == (raw["evidence_id"], "", raw["evidence"])
        assert (row["question"], row["answers"]["text"]) == (raw["question"].strip(), raw["answer"])
        num_nowhere += sum(text not in raw["evidence"] for text in raw["answer"])
    assert num_nowhere == 14


@pytest.mark.realdata
def test_every_real_question_is_asked(shared_realdata: Callable[[str], Path]) -> None:
    folder = shared_realdata(REAL)
    loaded = load_dataset(NAME, "messages", data_dir=folder, split="test", no_answer=False)
    assert list(loaded) == [
        {
            "id": row["evidence_id"],
            "messages": said(
                f"{TASK}\n\n文章：{row['evidence']}\n\n问题：{row['question'].strip()}", "、".join(row["answer"])
            ),
        }
        for row in expected_rows(folder)
    ]
