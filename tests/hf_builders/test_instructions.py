"""Users' own instruction files: every kind of file, every view, columns by name and position, errors in words."""

from __future__ import annotations

import csv
import gzip
import json
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from datasets import load_dataset

import hf_builders
from hf_builders import HfBuildersError, OptionError, RowError, SourceError

SAMPLE = Path(hf_builders.__file__).parent / "instructions" / "sample"
VIEWS = ("source", "instruction", "messages", "conversations")
ROWS: list[dict[str, Any]] = [
    {"instruction": "把这句话写短。", "input": "今天的天气，\n非常非常好。", "output": "今天天气好。"},
    {"instruction": "一加一？", "input": "", "output": " 等于二\n"},
]
TALK: dict[str, Any] = {
    "instruction": "那三加三？",
    "input": "",
    "output": "六。",
    "system": "你是算术老师。",
    "history": [["一加一？", "二。"], ["二加二？", "四。"]],
}


def load(path: Path | list[Path], view: str = "instruction", **options: Any) -> Any:
    files = [str(file) for file in path] if isinstance(path, list) else str(path)
    return hf_builders.load_dataset("instructions", view, data_files=files, split="train", **options)


def write_json(path: Path, rows: Any) -> Path:
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def write_lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_csv(path: Path, rows: list[dict[str, Any]], encoding: str = "utf-8") -> Path:
    with open(path, "w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def messages(*texts: str, system: str = "") -> list[dict[str, str]]:
    turns = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]
    return [{"role": "system", "content": system}, *turns] if system else turns


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "write", "mark"),
        [
            ("my.json", write_json, "#"),
            ("my.json", write_lines, ":"),
            ("my.jsonl", write_lines, ":"),
            ("my.txt", write_lines, ":"),
            ("my.csv", write_csv, "#"),
            ("my.parquet", write_parquet, "#"),
            ("my.data", write_parquet, "#"),
        ],
    )
    @pytest.mark.parametrize("packing", ["", "gz", "zip"])
    def test_the_same_rows_come_out_of_every_kind_of_file(
        self, tmp_path: Path, name: str, write: Any, mark: str, packing: str
    ) -> None:
        path = write(tmp_path / name, ROWS)
        if packing == "gz":
            packed = tmp_path / f"{name}.gz"
            packed.write_bytes(gzip.compress(path.read_bytes()))
        elif packing == "zip":
            packed = tmp_path / "my.zip"
            with zipfile.ZipFile(packed, "w") as archive:
                archive.write(path, name)
        path = packed if packing else path
        assert list(load(path, "source")) == ROWS
        expected = [
            {"id": f"{name}{mark}{n}", **row, "system": "", "history": []} for n, row in enumerate(ROWS, start=1)
        ]
        assert list(load(path)) == expected
        assert list(load(path, streaming=True)) == expected

    def test_gb18030_and_a_byte_order_mark_are_read(self, tmp_path: Path) -> None:
        assert list(load(write_csv(tmp_path / "a.csv", ROWS, "gb18030"), "source")) == ROWS
        assert list(load(write_csv(tmp_path / "b.csv", ROWS, "utf-8-sig"), "source")) == ROWS

    def test_a_csv_as_pandas_writes_it_keeps_its_unnamed_column(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "my.csv", [{"": "0", **ROWS[0]}])
        assert list(load(path, "source")) == [{"column_1": "0", **ROWS[0]}]
        assert load(path)["output"][:] == ["今天天气好。"]

    def test_history_in_a_csv_cell_is_json(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "my.csv", [{**TALK, "history": json.dumps(TALK["history"])}])
        assert list(load(path)) == [{"id": "my.csv#1", **TALK}]

    def test_parquet_has_its_nested_values_dates_and_missing_numbers_in_json(self, tmp_path: Path) -> None:
        row = {**TALK, "score": float("nan"), "day": date(2024, 5, 1), "n": 3, "x": 3.0}
        path = write_parquet(tmp_path / "my.parquet", [row])
        expected = {**TALK, "score": None, "day": "2024-05-01", "n": 3, "x": 3.0}
        assert [repr(value) for value in load(path, "source")[0].values()] == [repr(v) for v in expected.values()]
        assert list(load(path)) == [{"id": "my.parquet#1", **TALK}]

    def test_a_folder_gives_every_file_that_is_one(self, tmp_path: Path) -> None:
        write_json(tmp_path / "train_a.json", ROWS)
        write_csv(tmp_path / "train_b.csv", ROWS)
        write_parquet(tmp_path / "dev.parquet", ROWS)
        (tmp_path / "README.md").write_text("no data", encoding="utf-8")
        loaded = hf_builders.load_dataset("instructions", "instruction", data_dir=str(tmp_path))
        assert {split: rows["id"][:] for split, rows in loaded.items()} == {
            "train": ["train_a.json#1", "train_a.json#2", "train_b.csv#1", "train_b.csv#2"],
            "validation": ["dev.parquet#1", "dev.parquet#2"],
        }

    def test_processes_give_the_same_rows_in_the_same_order(self, tmp_path: Path) -> None:
        paths = [write_json(tmp_path / f"{n}.json", ROWS) for n in range(3)]
        for view in VIEWS:
            assert list(load(paths, view, num_proc=2)) == list(load(paths, view))
            assert len(load(paths, view)) == 6


class TestViews:
    def test_history_and_system_come_before_the_question(self, tmp_path: Path) -> None:
        path = write_lines(tmp_path / "my.json", [TALK, ROWS[0]])
        talk = messages("一加一？", "二。", "二加二？", "四。", "那三加三？", "六。", system="你是算术老师。")
        single = messages("把这句话写短。\n今天的天气，\n非常非常好。", "今天天气好。")
        assert list(load(path)) == [
            {"id": "my.json:1", **TALK},
            {"id": "my.json:2", **ROWS[0], "system": "", "history": []},
        ]
        assert list(load(path, "messages")) == [
            {"id": "my.json:1", "messages": talk},
            {"id": "my.json:2", "messages": single},
        ]
        assert list(load(path, "conversations")) == [
            {
                "id": f"my.json:{n}",
                "conversations": [{**message, "loss": message["role"] == "assistant"} for message in said],
            }
            for n, said in ((1, talk), (2, single))
        ]

    def test_a_question_that_stands_in_input_alone_is_the_instruction(self, tmp_path: Path) -> None:
        rows = [{"input": "一加一？", "output": "二"}, {"instruction": " ", "input": "一加一？", "output": "二"}]
        path = write_lines(tmp_path / "my.json", rows)
        assert [(row["instruction"], row["input"]) for row in load(path)] == [("一加一？", "")] * 2
        assert load(path, "messages")["messages"][:] == [messages("一加一？", "二")] * 2

    def test_null_and_blank_parts_are_as_good_as_absent(self, tmp_path: Path) -> None:
        rows = [
            {"instruction": "一加一？", "input": None, "output": "二", "history": None, "system": None},
            {"instruction": "一加一？", "input": " \n", "output": "二", "history": [], "system": "\u3000"},
            {"instruction": "一加一？", "output": "二", "history": ""},
        ]
        loaded = list(load(write_lines(tmp_path / "my.json", rows)))
        expected = {"instruction": "一加一？", "input": "", "output": "二", "system": "", "history": []}
        assert loaded == [{"id": f"my.json:{n}", **expected} for n in (1, 2, 3)]

    def test_source_has_every_field_as_it_is(self, tmp_path: Path) -> None:
        rows = [
            {"instruction": "a", "n": 3, "x": 3.0, "tags": [], "more": {"k": None, "e": 0.5}},
            {"n": "三", "big": 2**60, "flag": True, "instruction": None},
            {"x": None},
        ]
        paths = [write_lines(tmp_path / "a.json", rows[:2]), write_json(tmp_path / "b.json", rows[2:])]
        loaded = load(paths, "source")
        names = ["instruction", "n", "x", "tags", "more", "big", "flag"]
        assert loaded.column_names == names
        assert repr(loaded.features["instruction"]) == "Value('string')"
        assert all(repr(loaded.features[name]).startswith("Json(") for name in names[1:])
        assert [[repr(row[name]) for name in names] for row in loaded] == [
            [repr(row.get(name)) for name in names] for row in rows
        ]

    def test_source_needs_no_field_of_ours_and_names_values_without_names(self, tmp_path: Path) -> None:
        path = write_json(tmp_path / "my.json", [["甲", 1], ["乙"]])
        assert list(load(path, "source")) == [
            {"column_1": "甲", "column_2": 1},
            {"column_1": "乙", "column_2": None},
        ]

    def test_a_cached_source_is_not_read_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write_lines(tmp_path / "my.json", [TALK])
        first = load(path, "source")

        def no_reading(*_: object) -> None:
            raise AssertionError("the file is read")

        monkeypatch.setattr("hf_builders.instructions.builder.read_values", no_reading)
        again = load(path, "source")
        assert again.features == first.features
        assert list(again) == list(first) == [TALK]


class TestColumns:
    def test_by_name(self, tmp_path: Path) -> None:
        row = {"query": "那三加三？", "note": "口算", "reply": "六。", "past": [["一加一？", "二。"]], "input": "不用"}
        path = write_json(tmp_path / "my.json", [row])
        columns = {"instruction": "query", "output": "reply", "history": "past", "input": "note"}
        assert list(load(path, columns=columns)) == [
            {
                "id": "my.json#1",
                "instruction": "那三加三？",
                "input": "口算",
                "output": "六。",
                "system": "",
                "history": [["一加一？", "二。"]],
            }
        ]
        assert list(load(path, "source", columns=columns)) == [row]

    def test_a_field_that_is_mapped_is_not_read_twice(self, tmp_path: Path) -> None:
        path = write_json(tmp_path / "my.json", [{"input": "一加一？", "output": "二"}])
        assert load(path, "messages", columns={"instruction": "input"})["messages"][:] == [messages("一加一？", "二")]

    @pytest.mark.parametrize(("name", "write"), [("my.json", write_json), ("a.csv", write_csv), ("b", write_parquet)])
    @pytest.mark.parametrize("field", ["instruction", "input", "output", "history", "system"])
    @pytest.mark.parametrize("on_bad_row", ["raise", "quarantine"])
    def test_a_field_that_the_first_row_has_not_is_no_field_of_the_file(
        self, tmp_path: Path, name: str, write: Any, field: str, on_bad_row: str
    ) -> None:
        path = write(tmp_path / name, [ROWS[0]])
        place = {"my.json": "my.json:2", "a.csv": "a.csv#1", "b": "b#1"}[name]
        for options in ({}, {"streaming": True}):
            with pytest.raises(OptionError) as error:
                list(load(path, "messages", columns={field: "instrction"}, on_bad_row=on_bad_row, **options))
            assert str(error.value) == (
                f"{place}: columns= says that {field!r} is 'instrction', and this first row of the file has the fields "
                "instruction, input, output; did you mean 'instruction'?; "
                "name a field it has, or give it 'instrction', be it null"
            )
        assert load(path, "source", columns={field: "instrction"}).num_rows == 1, "which shows the file as it is"

    def test_a_field_that_a_later_row_has_not_is_empty_there_but_the_instruction(self, tmp_path: Path) -> None:
        columns = {"instruction": "问", "input": "文", "output": "答", "history": "前", "system": "系"}
        first = {"问": "一加一？", "文": "算", "答": "二", "前": [["零？", "零"]], "系": "老师"}
        path = write_lines(tmp_path / "my.json", [first, {"问": "二？", "答": "二"}, {"文": "三？", "答": "三"}])
        with pytest.raises(RowError, match=r"^my.json:3: '问', which is to be the instruction, is missing"):
            load(path, columns=columns)
        rows = load(path, columns=columns, on_bad_row="quarantine")
        assert hf_builders.account(rows)["train"].quarantined == {"missing_field": 1}
        assert [list(row.values())[1:] for row in rows] == [
            ["一加一？", "算", "二", "老师", [["零？", "零"]]],
            ["二？", "", "二", "", []],
        ]

    def test_every_file_has_a_first_row(self, tmp_path: Path) -> None:
        one = write_lines(tmp_path / "one.json", [{"问": "一？", "答": "一"}])
        two = write_lines(tmp_path / "two.json", [{"题": "二？", "答": "二"}])
        with pytest.raises(OptionError, match=r"^two.json:1: columns= says that 'instruction' is '问'"):
            load([one, two], columns={"instruction": "问", "output": "答"}, num_proc=2)

    @pytest.mark.parametrize("nothing", [None, "_"])
    def test_by_position(self, tmp_path: Path, nothing: str | None) -> None:
        path = write_json(tmp_path / "my.json", [["标题", 7, "正文"], ["又一题", 8, "又一文"]])
        columns = ["output", nothing, "input"]
        assert [(row["instruction"], row["output"]) for row in load(path, columns=columns)] == [
            ("正文", "标题"),
            ("又一文", "又一题"),
        ]
        assert list(load(path, "source", columns=columns)) == [
            {"output": "标题", "column_2": 7, "input": "正文"},
            {"output": "又一题", "column_2": 8, "input": "又一文"},
        ]

    def test_other_columns_are_another_table_not_the_cached_one(self, tmp_path: Path) -> None:
        path = write_json(tmp_path / "my.json", [["甲", "乙"]])
        assert load(path, columns=["input", "output"])["output"][:] == ["乙"]
        assert load(path, columns=["output", "input"])["output"][:] == ["甲"]

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            (
                {"instructoin": "query"},
                "columns={'instructoin': 'query'}: no field 'instructoin'; did you mean 'instruction'?; "
                "takes instruction, input, output, history, system",
            ),
            ({"output": 3}, "columns={'output': 3}: 'output' takes the name of a field of your files"),
            ("output", "columns='output': takes a dict, our field: your field, or a list of our fields in order"),
            (["output", "answer"], "columns=['output', 'answer']: no field 'answer'; takes "
             "instruction, input, output, history, system"),
            (["output", "output"], "columns=['output', 'output']: names a field twice"),
            (["input", "_"], "columns=['input', '_']: a row needs 'output', and 'instruction' or 'input'"),
            (["output", "system"], "columns=['output', 'system']: a row needs 'output', and 'instruction' or 'input'"),
        ],
    )  # fmt: skip
    def test_a_mapping_that_makes_no_sense_is_refused(self, tmp_path: Path, columns: Any, message: str) -> None:
        path = write_json(tmp_path / "my.json", ROWS)
        for view in ("source", "messages"):
            with pytest.raises(OptionError) as error:
                load(path, view, columns=columns)
            assert str(error.value) == message


HAS = "the row has the fields"
TELL = "; say which field is which, as columns={'instruction': 'query', 'output': 'answer'} does"
# A row, the options, reason and fact.
BAD_ROWS: list[tuple[Any, dict[str, Any], str, str]] = [
    ({"output": "二"}, {}, "missing_field", f"'instruction' is missing; {HAS} output{TELL}"),
    ({}, {}, "missing_field", f"'instruction' is missing; the row has no fields{TELL}"),
    (
        {"instruction": "一加一？", "outputs": "二"},
        {},
        "missing_field",
        f"'output' is missing; {HAS} instruction, outputs; did you mean 'outputs'?{TELL}",
    ),
    (
        {"query": "一加一？", "response": "二"},
        {"columns": {"instruction": "query", "output": "respnse"}},
        "missing_field",
        f"'respnse', which is to be the output, is missing; {HAS} query, response; did you mean 'response'?{TELL}",
    ),
    (
        {"instruction": "一加一？", "output": ["二"]},
        {},
        "wrong_type",
        "'output' is an array ([\"二\"]); expected text",
    ),
    ({"instruction": "一加一？", "output": 2}, {}, "wrong_type", "'output' is a number (2); expected text"),
    ({"instruction": {}, "output": "二"}, {}, "wrong_type", "'instruction' is an object ({}); expected text"),
    ({"instruction": "一加一？", "output": None}, {}, "blank_assistant", "'output' is null; a row needs an answer"),
    ({"instruction": "一加一？", "output": " "}, {}, "blank_assistant", "'output' is blank; a row needs an answer"),
    (
        {"instruction": "", "input": "\n", "output": "二"},
        {},
        "blank_user",
        "the question is blank: neither instruction nor input holds a text",
    ),
    ({**TALK, "system": 1}, {}, "wrong_type", "'system' is a number (1); expected text"),
    (
        {**TALK, "history": [["一加一？"]]},
        {},
        "wrong_type",
        "'history' is an array ([[\"一加一？\"]]); expected an array of [question, answer] pairs of texts",
    ),
    ({**TALK, "history": "一加一？"}, {}, "wrong_type", "'history' is text that is no JSON (\"一加一？\")"),
    (
        {**TALK, "history": [["一加一？", "二。"], ["二加二？", ""]]},
        {},
        "blank_assistant",
        "round 2 of 'history' has a blank assistant message",
    ),
    ({**TALK, "history": [["", "二。"]]}, {}, "blank_user", "round 1 of 'history' has a blank user message"),
    ("一加一？", {}, "not_an_object", "the row is text; expected an object or an array of values"),
    (
        ["一", "二", "三"],
        {"columns": ["input", "output"]},
        "wrong_column_count",
        "the row has 3 values; expected 2: input, output; "
        "name the values in order, as columns=['output', 'input'] does",
    ),
    (
        ["一", "二", "三"],
        {},
        "no_names",
        "the row is an array of 3 values without names: [\"一\", \"二\", \"三\"]; "
        "name the values in order, as columns=['output', 'input'] does",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("row", "options", "reason", "fact"), BAD_ROWS, ids=range(len(BAD_ROWS)))
def test_a_bad_row_stops_the_load_or_is_set_aside_with_its_reason(
    tmp_path: Path, row: Any, options: dict[str, Any], reason: str, fact: str
) -> None:
    columns = options.get("columns")
    good: Any = {"instruction": "零加零？", "output": "零"}
    if isinstance(columns, dict):
        good = {columns[field]: value for field, value in good.items()}
    elif columns:
        good = list(good.values())
    path = tmp_path / "my.json"
    lines = ",\n".join(json.dumps(value, ensure_ascii=False) for value in (good, row, good))
    path.write_text(f"[{lines}]", encoding="utf-8")
    for view in VIEWS[1:]:
        with pytest.raises(RowError) as error:
            load(path, view, **options)
        assert str(error.value) == f"my.json:2: {fact}; fix the row, or set it aside with on_bad_row='quarantine'"
        assert error.value.reason == reason
        loaded = load(path, view, on_bad_row="quarantine", **options)
        assert loaded["id"][:] == ["my.json#1", "my.json#3"]
        account = hf_builders.account(loaded)["train"]
        assert (account.read, account.kept, dict(account.quarantined)) == (3, 2, {reason: 1})
    aside = next(Path(loaded.cache_files[0]["filename"]).parent.glob("quarantine-*.jsonl"))
    assert json.loads(aside.read_text(encoding="utf-8")) == {
        "place": "my.json:2",
        "reason": reason,
        "fact": fact,
        "raw": json.dumps(row, ensure_ascii=False),
    }


# Name, bytes, the error.
BAD_FILES: list[tuple[str, bytes, type[HfBuildersError], str]] = [
    ("my.json", b"", SourceError, "my.json: the file is empty; get it again, or leave it out"),
    (
        "my.txt",
        "一加一？\t二\n".encode(),
        SourceError,
        "my.txt: begins with neither '[' nor '{' as JSON does, and is no Parquet; "
        "a file of comma-separated values has to end in .csv",
    ),
    (
        "my.csv",
        b"output,output\n1,2\n",
        SourceError,
        "my.csv:1: two columns are called 'output'; rename one of them",
    ),
    (
        "my.json",
        b"[]",
        SourceError,
        "instructions: no row is left for 'train' of my.json; 0 read; "
        "a header or brackets alone are no rows: put some in, or leave the file out",
    ),
    (
        "my.csv",
        b"instruction,output\n",
        SourceError,
        "instructions: no row is left for 'train' of my.csv; 0 read; "
        "a header or brackets alone are no rows: put some in, or leave the file out",
    ),
    (
        "my.json",
        '[{"instruction": "一", "output": "二"}'.encode(),
        SourceError,
        "my.json:1: the JSON array goes on without ',' or ']'; the rest of the array cannot be read: "
        "mend the file, or get it again",
    ),
]


@pytest.mark.parametrize("view", ["source", "messages"])
@pytest.mark.parametrize(("name", "data", "error", "message"), BAD_FILES, ids=range(len(BAD_FILES)))
def test_a_file_that_cannot_be_read_is_our_error(
    tmp_path: Path, view: str, name: str, data: bytes, error: type[HfBuildersError], message: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(error) as raised:
        load(tmp_path / name, view)
    assert str(raised.value) == message


@pytest.mark.parametrize("view", ["source", "messages"])
def test_damaged_archives_and_parquet_are_our_errors(tmp_path: Path, view: str) -> None:
    whole = gzip.compress(json.dumps(ROWS * 50).encode())
    (tmp_path / "my.json.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"my\.json\.gz: cannot be read \(.+\); get the file again$"):
        load(tmp_path / "my.json.gz", view)
    (tmp_path / "my.parquet").write_bytes(write_parquet(tmp_path / "good.parquet", ROWS).read_bytes()[:200])
    with pytest.raises(SourceError, match=r"^my\.parquet: cannot be read as Parquet \(.+\); get the file again$"):
        load(tmp_path / "my.parquet", view)
    picture = write_parquet(tmp_path / "picture.parquet", [{**ROWS[0], "image": b"\x00"}])
    with pytest.raises(SourceError) as error:
        load(picture, view)
    assert str(error.value) == "picture.parquet: the column 'image' holds bytes (binary); leave that column out"


def test_small_floats_keep_their_value_and_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.table({**{name: [value] for name, value in ROWS[0].items()}, "x": pa.array([0.5], pa.float16())})
    pyarrow.parquet.write_table(table, tmp_path / "half.parquet")
    assert list(load(tmp_path / "half.parquet", "source")) == [{**ROWS[0], "x": 0.5}]
    twice = pa.table([pa.array(["一"]), pa.array(["二"])], names=["output", "output"])
    pyarrow.parquet.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(SourceError) as error:
        load(tmp_path / "twice.parquet")
    assert str(error.value) == "twice.parquet: two columns are called 'output'; rename one of them"


def test_values_that_datasets_could_not_read_back_are_bad_rows_of_source(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "my.json", [{**ROWS[0], "n": 2**70}, {**ROWS[1], "n": 1}])
    with pytest.raises(RowError, match=r"^my.json:1: 'n' holds a whole number below -2\*\*63 or above 2\*\*64 - 1"):
        load(path, "source")
    assert list(load(path, "source", on_bad_row="quarantine")) == [{**ROWS[1], "n": 1}]
    assert len(load(path, "messages")) == 2, "a field that no other view reads does no harm there"


def test_a_parquet_row_with_infinity_in_a_list_is_bad(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "my.parquet", [{**ROWS[0], "x": [float("inf")]}, {**ROWS[1], "x": [0.5]}])
    with pytest.raises(RowError, match=r"^my.parquet#1: the row holds NaN or infinity, which is no number in JSON"):
        load(path)
    assert load(path, on_bad_row="quarantine")["id"][:] == ["my.parquet#2"]


class TestSample:
    def test_it_is_in_several_shapes_and_every_row_of_it_loads(self) -> None:
        lines = (SAMPLE / "health_questions.json").read_text(encoding="utf-8").splitlines()
        by_lines = [json.loads(line) for line in lines]
        array = json.loads((SAMPLE / "disputes.json").read_text(encoding="utf-8"))
        talks = [json.loads(line) for line in (SAMPLE / "shop_dialogues.jsonl").read_text("utf-8").splitlines()]
        with open(SAMPLE / "finance_terms.csv", encoding="utf-8", newline="") as file:
            table = list(csv.DictReader(file))
        assert [len(rows) for rows in (array, table, by_lines, talks)] == [80, 40, 120, 60]
        assert any("\n" in row["output"] for row in table)
        assert {len(row["history"]) for row in talks} == {0, 1, 2, 3}
        loaded = load_dataset("hf_builders/instructions", sample=True, split="train")
        expected = [*array, *table, *by_lines, *talks]
        assert list(loaded) == [{name: row.get(name) for name in loaded.column_names} for row in expected]
        assert hf_builders.account(loaded)["train"].kept == 300

    def test_no_question_and_answer_comes_twice(self) -> None:
        rows = load_dataset("hf_builders/instructions", "messages", sample=True, split="train")
        assert len({json.dumps(row["messages"]) for row in rows}) == 300

    def test_without_data_it_is_the_sample_and_says_so(self) -> None:
        with pytest.warns(UserWarning, match="these are 300 invented rows bundled as a sample; name your own files"):
            hf_builders.load_dataset("instructions")
