"""The layout of a file is told from its beginning, and one that is of another dataset is named in the error."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from hf_builders import SourceError
from hf_builders.encodings import source_encoding
from hf_builders.reading_layouts import (
    CMRC_LIST,
    DUREADER,
    LES_ARTICLES,
    LES_CSV,
    SQUAD,
    WEBQA,
    Layout,
    layout_of,
    start_of,
)
from hf_builders.sources import SourceFile
from tests.hf_builders import reading_files as files
from tests.hf_builders.reading_files import as_json, as_lines, les_csv, load, write

ALL = (LES_CSV, DUREADER, LES_ARTICLES, WEBQA, CMRC_LIST, SQUAD)
ARTICLES_OF_A_TEST = [{**files.ARTICLES[0], "questions": [{"questions_id": "a-1", "question": "它多长？"}]}]
TEST_COLUMNS = [name for name in files.LES_COLUMNS if name not in ("answer", "bridging_entity", "supporting_paragraph")]
# File name, content, layout, the dataset that reads it.
LAYOUTS: list[tuple[str, str, Layout, str]] = [
    ("a.json", as_json(files.CMRC_LIST), CMRC_LIST, "cmrc2018"),
    ("a.json", json.dumps(files.CMRC_LIST, indent=2), CMRC_LIST, "cmrc2018"),
    ("a.json", as_json(files.SQUAD), SQUAD, "cmrc2018"),
    ("a.json", "\n " + json.dumps(files.SQUAD, indent=2), SQUAD, "cmrc2018"),
    ("a.jsonl", as_json({"data": files.SQUAD["data"]}), SQUAD, "cmrc2018"),
    ("a.json", as_json(files.WEBQA), WEBQA, "webqa"),
    ("a.json", json.dumps(files.WEBQA, indent=1), WEBQA, "webqa"),
    ("a.json", as_json(files.ARTICLES), LES_ARTICLES, "les_mrc"),
    ("a.json", as_json(ARTICLES_OF_A_TEST), LES_ARTICLES, "les_mrc"),
    ("a.json", as_lines(files.DUREADER, {**files.DUREADER, "question_id": "Q_2"}), DUREADER, "les_mrc"),
    ("a.json", as_json([files.DUREADER]), DUREADER, "les_mrc"),
    ("a.csv", les_csv(files.LES_ROW), LES_CSV, "les_mrc"),
    ("a.CSV", les_csv(files.LES_ROW, columns=TEST_COLUMNS), LES_CSV, "les_mrc"),
    ("a.csv", '"question_id","content1"\n"1","x"\n', LES_CSV, "les_mrc"),
    # A text about another layout is no other layout.
    ("a.json", as_json([{**files.CMRC_LIST[0], "context_text": '{"documents": [], "evidences": 1}'}]), CMRC_LIST, ""),
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize(("name", "text", "layout"), [case[:3] for case in LAYOUTS], ids=range(len(LAYOUTS)))
def test_each_layout_is_told_in_every_encoding(
    tmp_path: Path, name: str, text: str, layout: Layout, encoding: str
) -> None:
    source = SourceFile(str(write(tmp_path / name, text, encoding)), name, "train")
    assert layout_of(source, ALL) is layout
    assert start_of(source) == text
    if encoding == "gb18030" and not text.isascii():
        assert source_encoding(source) == "gb18030"


def test_a_layout_is_told_in_gz_and_zip_by_the_name_inside(tmp_path: Path) -> None:
    text = les_csv(files.LES_ROW).encode()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/a.csv", text)
    assert layout_of(SourceFile(str(tmp_path / "a.csv.gz"), "a.csv", "train"), ALL) is LES_CSV
    assert layout_of(SourceFile(str(tmp_path / "a.zip"), "a.csv", "train", member="x/a.csv"), ALL) is LES_CSV


def test_a_megabyte_is_enough_even_where_it_ends_inside_a_character(tmp_path: Path) -> None:
    text = as_json([{**files.CMRC_LIST[0], "context_text": "红" * 400_000}])
    source = SourceFile(str(write(tmp_path / "a.json", text)), "a.json", "train")
    assert len(text.encode()) > 1 << 20
    assert text.encode()[1 << 20] & 0xC0 == 0x80, "which is in the middle of a character"
    assert layout_of(source, ALL) is CMRC_LIST


CMRC_WANTS = (
    "expected the list of CMRC 2018 (context_text, qas, query_text) or SQuAD's (an object with data, paragraphs, qas)"
)
WEBQA_WANTS = "expected WebQA's (an object of questions, each with an object of evidences)"
LES_WANTS = (
    "expected the CSV of the LES cup of 2019 (content1 … content5) or the article list of the LES cup of 2018 or the "
    "JSON Lines of DuReader (a question with its documents)"
)
WANTS = {"cmrc2018": CMRC_WANTS, "webqa": WEBQA_WANTS, "les_mrc": LES_WANTS}
ADVERTISE = '{"content": "类型#裙", "summary": "一条好裙子。"}\n'
# Dataset, file name, content, the fact, the way out.
WRONG: list[tuple[str, str, Any, str, str]] = [
    (
        "webqa",
        "cmrc2018_trial.json",
        files.CMRC_LIST,
        "is in the layout the list of CMRC 2018 (context_text, qas, query_text)",
        "load it with hf_builders/cmrc2018",
    ),
    (
        "webqa",
        "cmrc2018_dev.json",
        files.SQUAD,
        "is in the layout SQuAD's (an object with data, paragraphs, qas)",
        "load it with hf_builders/cmrc2018",
    ),
    (
        "webqa",
        "train.json",
        as_lines(files.DUREADER),
        "is in the layout the JSON Lines of DuReader (a question with its documents)",
        "load it with hf_builders/les_mrc",
    ),
    (
        "cmrc2018",
        "me_train.json",
        files.WEBQA,
        "is in the layout WebQA's (an object of questions, each with an object of evidences)",
        "load it with hf_builders/webqa",
    ),
    (
        "cmrc2018",
        "train_round_0.csv",
        les_csv(files.LES_ROW),
        "is in the layout the CSV of the LES cup of 2019 (content1 … content5)",
        "load it with hf_builders/les_mrc",
    ),
    (
        "cmrc2018",
        "question.json",
        files.ARTICLES,
        "is in the layout the article list of the LES cup of 2018",
        "load it with hf_builders/les_mrc",
    ),
    (
        "les_mrc",
        "me_train.json",
        files.WEBQA,
        "is in the layout WebQA's (an object of questions, each with an object of evidences)",
        "load it with hf_builders/webqa",
    ),
    (
        "les_mrc",
        "cmrc2018_train.json",
        files.SQUAD,
        "is in the layout SQuAD's (an object with data, paragraphs, qas)",
        "load it with hf_builders/cmrc2018",
    ),
    *(
        (
            name,
            "train.json",
            ADVERTISE * 10,
            "is in no layout known here; it begins with "
            """'{"content": "类型#裙", "summary": "一条好裙子。"} {"content": "类型#裙",'""",
            "is this a file of another dataset?",
        )
        for name in ("cmrc2018", "webqa", "les_mrc")
    ),
    # SQuAD's articles are in `data`; the paragraphs of one alone are no file of it.
    *(
        (
            name,
            "dev.json",
            {"paragraphs": files.SQUAD["data"][0]["paragraphs"]},
            "is in no layout known here; it begins with "
            """'{"paragraphs": [{"id": "DEV_0", "context": "灯山灯塔建成于1897年，塔高3'""",
            "is this a file of another dataset?",
        )
        for name in ("cmrc2018", "webqa", "les_mrc")
    ),
    # A CSV is none of the JSON layouts, nor JSON a CSV.
    *(
        (name, "a.csv", "documents,evidences\n", "is in no layout known here; it begins with 'documents,evidences'",
         "is this a file of another dataset?")
        for name in ("cmrc2018", "webqa", "les_mrc")
    ),
    (
        "les_mrc",
        "train.json",
        "content1,answer\n",
        "is in no layout known here; it begins with 'content1,answer'",
        "is this a file of another dataset?",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("dataset", "name", "content", "fact", "way_out"), WRONG, ids=range(len(WRONG)))
def test_a_file_in_another_layout_is_an_error_that_names_it(
    tmp_path: Path, dataset: str, name: str, content: Any, fact: str, way_out: str
) -> None:
    path = write(tmp_path / name, content)
    for view in ("source", "mrc", "messages"):
        for options in ({}, {"streaming": True}, {"on_bad_row": "quarantine"}):
            with pytest.raises(SourceError) as error:
                list(load(dataset, path, view, **options))
            assert str(error.value) == f"{name}: {fact}; {WANTS[dataset]}; {way_out}"


@pytest.mark.parametrize("dataset", ["cmrc2018", "webqa", "les_mrc"])
def test_a_file_without_anything_in_it_says_so(tmp_path: Path, dataset: str) -> None:
    for content, message in [
        ("", "a.json: the file is empty; get it again, or leave it out"),
        (" \n", "a.json: the file is empty; get it again, or leave it out"),
        ("\ufeff\n", "a.json: the file is empty; get it again, or leave it out"),
    ]:
        with pytest.raises(SourceError) as error:
            load(dataset, write(tmp_path / "a.json", content))
        assert str(error.value) == message
    with pytest.raises(SourceError) as error:
        load(dataset, write(tmp_path / "a.json", as_json(files.WEBQA), "utf-16"))
    assert str(error.value) == "a.json: the file is UTF-16; save it as UTF-8"


@pytest.mark.parametrize(
    ("name", "text", "dataset"),
    [(name, text, dataset) for name, text, _, dataset in LAYOUTS if dataset and len(text) > 100],
    ids=range(sum(bool(dataset) and len(text) > 100 for _, text, _, dataset in LAYOUTS)),
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_its_dataset_reads_the_same_from_every_encoding(
    tmp_path: Path, name: str, text: str, dataset: str, encoding: str
) -> None:
    expected = list(load(dataset, write(tmp_path / "utf-8" / name, text)))
    assert expected
    assert list(load(dataset, write(tmp_path / encoding / name, text, encoding))) == expected
