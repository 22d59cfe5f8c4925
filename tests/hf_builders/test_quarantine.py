"""Bad rows stop the load or are set aside, and the account of all rows adds up."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from hf_builders import Account, RowError, SourceError
from hf_builders.quarantine import (
    BadRow,
    Quarantine,
    RowProblem,
    account_path,
    quarantine_path,
    read_accounts,
    read_sources,
)

BAD = BadRow("train.json:2", "missing_field", "'summary' is missing", '{"content": "类型#裙\\xff"}')


def test_the_first_bad_row_stops_the_load(tmp_path: Path) -> None:
    with Quarantine("raise", tmp_path / "bad.jsonl") as bad_rows, pytest.raises(RowError) as error:
        bad_rows.add(BAD)
    assert str(error.value) == (
        "train.json:2: 'summary' is missing; fix the row, or set it aside with on_bad_row='quarantine'"
    )
    assert list(tmp_path.iterdir()) == []


def test_every_bad_row_is_written_with_its_reason(tmp_path: Path) -> None:
    with Quarantine("quarantine", tmp_path / "bad.jsonl") as bad_rows:
        for _ in range(3):
            bad_rows.add(BAD)
    assert bad_rows.counts == {"missing_field": 3}
    lines = (tmp_path / "bad.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [vars(BAD)] * 3


def test_without_a_bad_row_there_is_no_file(tmp_path: Path) -> None:
    with Quarantine("quarantine", tmp_path / "bad.jsonl"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_accounts_of_a_split_add_up_over_its_sources(tmp_path: Path) -> None:
    first = Account(5, 3, Counter(too_long=1), Counter(undecodable=1), Counter(blank_question=3, no_answer=1))
    second = Account(2, 1, Counter(too_long=1), noted=Counter(no_answer=1))
    other = Account(1, 1)
    for split, index, account in (("train", 0, first), ("train", 1, second), ("test", 0, other)):
        account.save(account_path(tmp_path, split, index), [{"name": f"{index}.csv"}])
    assert read_accounts(tmp_path) == {
        "train": Account(7, 4, Counter(too_long=2), Counter(undecodable=1), Counter(blank_question=3, no_answer=2)),
        "test": Account(1, 1),
    }
    assert read_sources(tmp_path) == [{"name": "0.csv"}, {"name": "1.csv"}]
    assert quarantine_path(tmp_path, "train", 1).name == "quarantine-train-00001.jsonl"


def test_an_account_that_lost_a_row_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="rows were lost on the way"):
        Account(read=2, kept=1).save(account_path(tmp_path, "train", 0), [])
    assert list(tmp_path.iterdir()) == []


def test_what_is_noted_of_kept_rows_is_no_part_of_the_sum(tmp_path: Path) -> None:
    account = Account(2, 1, quarantined=Counter(no_answers=1), noted=Counter(answer_start_filled=1, was_number=1))
    assert account.is_balanced()
    assert account.told() == "2 read, 1 set aside (no_answers 1)"
    account.save(account_path(tmp_path, "train", 0), [])
    assert read_accounts(tmp_path) == {"train": account}


def test_a_problem_of_a_row_has_its_reason_and_its_fact() -> None:
    problem = RowProblem("no_answers", "'answers' holds no answer; write one")
    assert (problem.reason, problem.fact) == problem.args == ("no_answers", "'answers' holds no answer; write one")


def test_a_folder_without_accounts_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as error:
        read_accounts(tmp_path)
    assert str(error.value) == f"{tmp_path}: holds no account; was this dataset loaded with hf_builders?"
