"""A corpus: every record in every view or counted, every question under an id of its own, look-ups in the account."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hf_builders import Account, OptionError, account
from hf_builders.corpus_builder import CorpusBuilder, Exchange, Record
from hf_builders.json_files import read_json_values
from hf_builders.locations import OfficialFile
from hf_builders.quarantine import Quarantine, read_sources
from hf_builders.schema import text_features
from hf_builders.sources import SourceFile


def title_to_colour(values: Mapping[str, Any]) -> list[Exchange]:
    """Asks for the colour of a thing."""
    return [Exchange("Which colour?", values["title"], values["colour"])] if values["colour"] else []


def title_to_letters(values: Mapping[str, Any]) -> list[Exchange]:
    """Asks for each letter of a title."""
    return [Exchange(f"Letter {n}?", "", letter) for n, letter in enumerate(values["title"], start=1)]


class Builder(CorpusBuilder):
    """Things with titles and colours; the colours lie in a file of their own."""

    source_features = text_features("id", "title", "colour")
    tasks = {"title_to_colour": title_to_colour, "title_to_letters": title_to_letters}  # noqa: RUF012
    official_files = (OfficialFile("things.jsonl", "train"), OfficialFile("colours.jsonl", "train", part="colours"))
    num_sample_rows = 0
    num_records_per_table = 2

    def files_of_rows(self, sources: list[SourceFile]) -> list[SourceFile]:
        return [source for source in sources if source.part != "colours"]

    def records(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Record]:
        (colour_file,) = self.looked_up
        colours = {row.value["id"]: row.value["colour"] for row in read_json_values(colour_file, bad_rows)}
        for row in read_json_values(source, bad_rows):
            title = row.value.get("title")
            if title is None:
                bad_rows.add(row.bad("no_title", "'title' is missing"))
                continue
            values = {"id": row.value["id"], "title": title, "colour": colours.get(row.value["id"])}
            left_out = "gone" if row.value.get("gone") else None
            yield Record(values["id"], values, left_out, ("short",) if len(title) < 2 else ())

    def text(self, values: Mapping[str, Any]) -> str:
        return f"{values['title']} is {values['colour']}" if values["colour"] else " "


THINGS: list[dict[str, Any]] = [
    {"id": "1", "title": "ab"},
    {"id": "2", "title": "x"},
    {"id": "3"},
    {"id": "4", "title": "cd", "gone": True},
]
COLOURS = [{"id": "1", "colour": "red"}, {"id": "4", "colour": "blue"}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, rows in (("things", THINGS), ("colours", COLOURS)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return tmp_path


def load(folder: Path, view: str, **options: Any) -> Any:
    builder = Builder(config_name=view, data_dir=folder, on_bad_row="quarantine", **options)
    builder.download_and_prepare()
    return builder.as_dataset()


def test_source_shows_the_records_and_counts_the_others(folder: Path) -> None:
    loaded = load(folder, "source")
    assert loaded["train"].to_list() == [
        {"id": "1", "title": "ab", "colour": "red"},
        {"id": "2", "title": "x", "colour": None},
    ]
    assert account(loaded)["train"] == Account(
        4, 2, Counter(gone=1), quarantined=Counter(no_title=1), noted=Counter(short=1)
    )


def test_text_leaves_out_a_record_without_any(folder: Path) -> None:
    loaded = load(folder, "text")
    assert loaded["train"].to_list() == [{"id": "1", "text": "ab is red"}]
    assert account(loaded)["train"] == Account(4, 1, Counter(gone=1, no_text=1), quarantined=Counter(no_title=1))


def test_every_question_is_a_row_and_an_unanswerable_one_is_counted(folder: Path) -> None:
    loaded = load(folder, "messages")
    assert [(row["id"], *(message["content"] for message in row["messages"])) for row in loaded["train"]] == [
        ("1/title_to_colour", "Which colour?\n\nab", "red"),
        ("1/title_to_letters/1", "Letter 1?", "a"),
        ("1/title_to_letters/2", "Letter 2?", "b"),
        ("2/title_to_letters", "Letter 1?", "x"),
    ]
    assert account(loaded)["train"] == Account(
        7, 4, Counter(gone=1, no_title_to_colour=1), quarantined=Counter(no_title=1), noted=Counter(short=1)
    )


def test_tasks_are_chosen_by_name_and_come_in_the_order_given(folder: Path) -> None:
    (row,) = load(folder, "instruction", tasks=["title_to_colour"])["train"]
    assert row == {"id": "1/title_to_colour", "instruction": "Which colour?", "input": "ab", "output": "red"}
    ids = load(folder, "instruction", tasks=["title_to_letters", "title_to_colour"])["train"]["id"][:]
    assert ids == ["1/title_to_letters/1", "1/title_to_letters/2", "1/title_to_colour", "2/title_to_letters"]


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (
            ["title_to_color"],
            "tasks: no task 'title_to_color'; did you mean 'title_to_colour'?; "
            "the tasks are title_to_colour, title_to_letters",
        ),
        ([], "tasks=[]: takes a list of different names: title_to_colour, title_to_letters"),
        ("title_to_colour", "tasks='title_to_colour': takes a list of different names"),
        (["title_to_colour"] * 2, "takes a list of different names"),
    ],
)
def test_tasks_that_do_not_exist_are_refused(folder: Path, tasks: Any, message: str) -> None:
    with pytest.raises(OptionError) as error:
        load(folder, "messages", tasks=tasks)
    assert message in str(error.value)


def test_all_questions_about_a_record_stay_in_one_split(folder: Path) -> None:
    rows = [{"id": str(n), "title": "abc"} for n in range(200)]
    (folder / "things.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    loaded = load(folder, "messages", validation=0.2, test=0.1)
    records = {split: {id_.partition("/")[0] for id_ in loaded[split]["id"]} for split in loaded}
    assert list(records) == ["train", "validation", "test"]
    assert sum(map(len, records.values())) == len(set().union(*records.values())) == 200
    assert all(len(loaded[split]) >= 3 * len(records[split]) > 30 for split in ("train", "validation")), records


def test_the_files_looked_up_are_part_of_the_account_and_of_the_cache_key(folder: Path) -> None:
    def made_of(builder: CorpusBuilder) -> list[str]:
        builder.download_and_prepare()
        return [source["name"] for source in read_sources(Path(builder.cache_dir))]

    first = Builder(data_dir=folder, on_bad_row="quarantine")
    assert made_of(first) == ["things.jsonl", "colours.jsonl"]
    (folder / "colours.jsonl").write_text('{"id": "2", "colour": "green"}\n', encoding="utf-8")
    second = Builder(data_dir=folder, on_bad_row="quarantine")
    assert second.hash != first.hash
    made_of(second)
    assert second.as_dataset()["train"]["colour"][:] == [None, "green"]


@pytest.mark.parametrize("options", [{}, {"validation": 0.5}])
def test_all_files_of_rows_are_surveyed_once_before_the_first_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, float]
) -> None:
    (folder / "things.jsonl").write_text("".join(json.dumps({"id": str(n), "title": "ab"}) + "\n" for n in range(20)))
    seen: list[str] = []
    monkeypatch.setattr(Builder, "survey", lambda self, sources: seen.extend(source.name for source in sources))
    read = Builder.records

    def records(self: Builder, source: SourceFile, bad_rows: Quarantine) -> Iterator[Record]:
        assert seen == ["things.jsonl"]
        return read(self, source, bad_rows)

    monkeypatch.setattr(Builder, "records", records)
    assert sum(map(len, load(folder, "source", **options).values())) == 20
