"""Small files of machine reading in each layout, and how to load them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

import hf_builders
from hf_builders import Account, RowError

SOURCE_IDS = {"cmrc2018": "query_id", "webqa": "evidence_id", "les_mrc": "question_id"}
TASK = "阅读文章，回答问题。"

CMRC_LIST: list[dict[str, Any]] = [
    {
        "context_id": "DEV_0",
        "context_text": "灯山灯塔建成于1897年，塔高31米。",
        "title": "灯山灯塔",
        "qas": [{"query_id": "DEV_0_QUERY_0", "query_text": "塔高多少？", "answers": ["31米"]}],
    }
]
SQUAD: dict[str, Any] = {
    "version": "v1.0",
    "data": [
        {
            "id": "DEV_0",
            "title": "灯山灯塔",
            "paragraphs": [
                {
                    "id": "DEV_0",
                    "context": "灯山灯塔建成于1897年，塔高31米。",
                    "qas": [
                        {
                            "id": "DEV_0_QUERY_0",
                            "question": "塔高多少？",
                            "answers": [{"text": "31米", "answer_start": 15}],
                        }
                    ],
                }
            ],
        }
    ],
}
WEBQA: dict[str, Any] = {
    "Q_ANN_TST_1": {
        "question": "灯塔有多高",
        "evidences": {"Q_ANN_TST_1#00": {"answer": ["31米"], "evidence": "灯山灯塔高31米"}},
    }
}
ARTICLES: list[dict[str, Any]] = [
    {
        "article_id": "12",
        "article_type": "新闻",
        "article_title": "测海七号",
        "article_content": "“测海七号”长98米。",
        "questions": [{"questions_id": "a-1", "question": "它多长？", "answer": "98米", "question_type": "数值型问题"}],
    }
]
DUREADER: dict[str, Any] = {
    "question_id": "Q_1",
    "question": "它多长？",
    "question_type": "事实",
    "answer": "@content2@98米@content2@",
    "keyword": "测海七号",
    "bridging_entity": None,
    "supporting_paragraph": None,
    "documents": [
        {"title": "甲", "paragraphs": ["别的船长98米。"], "is_selected": False},
        {"title": "乙", "paragraphs": ["“测海七号”", "长98米。"], "is_selected": True},
    ],
}
# In the order of the official file.
LES_COLUMNS = [
    "answer", "bridging_entity", "content1", "content2", "content3", "content4", "content5", "keyword", "question",
    "supporting_paragraph", "title1", "title2", "title3", "title4", "title5", "question_id",
]  # fmt: skip
LES_ROW: dict[str, str] = {
    **{f"content{n}": f"第{n}篇。" for n in range(1, 6)},
    **{f"title{n}": f"题{n}" for n in range(1, 6)},
    "answer": "@content2@98米@content2@",
    "bridging_entity": "无",
    "content2": "“测海七号”  长98米。",
    "keyword": "测海七号",
    "question": "它多长？",
    "supporting_paragraph": "@content2@长98米。@content2@",
    "question_id": "Q_00001abcde",
}


def les_csv(*rows: dict[str, str], columns: list[str] = LES_COLUMNS) -> str:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def as_lines(*values: Any) -> str:
    return "".join(f"{as_json(value)}\n" for value in values)


def write(path: Path, content: Any, encoding: str = "utf-8") -> Path:
    """A text as it is, anything else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((content if isinstance(content, str) else as_json(content)).encode(encoding))
    return path


def load(name: str, path: Path, view: str = "mrc", **options: Any) -> Dataset:
    return hf_builders.load_dataset(name, view, data_files=str(path), split="train", **options)


def account_of(dataset: Dataset) -> Account:
    account = hf_builders.account(dataset)["train"]
    assert account.is_balanced()
    return account


def quarantined(dataset: Dataset) -> list[dict[str, str]]:
    """The bad rows set aside, as they are written beside the Arrow file."""
    folder = Path(dataset.cache_files[0]["filename"]).parent
    return [
        json.loads(line)
        for path in sorted(folder.glob("quarantine-*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def check_bad_row(dataset: str, path: Path, place: str, reason: str, fact: str, kept: list[str]) -> dict[str, str]:
    """The one bad row of a file stops the load, or is set aside and counted; returns what is written of it.

    Args:
        kept: the ids of the good rows.
    """
    aside: list[list[dict[str, str]]] = []
    for view in ("source", "messages"):
        with pytest.raises(RowError) as error:
            load(dataset, path, view)
        assert str(error.value) == f"{place}: {fact}; fix the row, or set it aside with on_bad_row='quarantine'"
        assert error.value.reason == reason
        loaded = load(dataset, path, view, on_bad_row="quarantine")
        assert loaded[SOURCE_IDS[dataset] if view == "source" else "id"][:] == kept
        account = account_of(loaded)
        assert (account.read, account.kept) == (len(kept) + 1, len(kept))
        assert (account.left_out.total(), account.quarantined) == (0, {reason: 1})
        aside.append(quarantined(loaded))
    assert aside == [[{"place": place, "reason": reason, "fact": fact, "raw": aside[0][0]["raw"]}]] * 2
    return aside[0][0]


def said(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def check_offsets(dataset: Dataset) -> int:
    """Every answer stands where the view `mrc` says; returns how many stand nowhere."""
    num_checked = num_nowhere = 0
    for row in dataset:
        answers = row["answers"]
        for text, start in zip(answers["text"], answers["answer_start"], strict=True):
            num_checked += 1
            if start == -1:
                num_nowhere += 1
                assert text not in row["context"]
            else:
                assert row["context"][start : start + len(text)] == text
    assert num_checked > 0
    return num_nowhere
