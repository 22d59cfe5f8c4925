"""CSV: cell for cell what Python's `csv` module reads, or set aside with the line and the reason."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hf_builders import RowError, SourceError, csv_reader
from hf_builders.csv_reader import read_csv
from hf_builders.encodings import detect_encoding
from hf_builders.quarantine import Quarantine
from hf_builders.sources import SourceFile

FIELDS = ["title", "ask", "answer"]
HEADER = "title,ask,answer\n"


def read(
    data: bytes, folder: Path, bad_rows: Quarantine | None = None, fields: list[str] = FIELDS
) -> tuple[list[list[str]], list[str]]:
    """Rows and ids of a file with these bytes."""
    path = folder / "a.csv"
    path.write_bytes(data)
    rows: list[list[str]] = []
    ids: list[str] = []
    source = SourceFile(str(path), "a.csv", "train")
    for some in read_csv(source, fields, bad_rows or Quarantine("raise", None), aliases={"question": "ask"}):
        some.table.validate(full=True)
        assert some.table.column_names == fields
        rows += [list(row.values()) for row in some.table.to_pylist()]
        ids += some.ids.to_pylist()
    return rows, ids


def python_rows(text: str) -> list[list[str]]:
    """What the `csv` module reads; a blank line is no row. Python 3.10 refuses NUL, so it goes in and out as U+E000."""
    rows = csv.reader(io.StringIO(text.replace("\0", "\ue000"), newline=""))
    return [[cell.replace("\ue000", "\0") for cell in row] for row in rows if row]


TRICKY = (
    '高血压,"我有高血压,\n能吃党参吗？","说 ""可以"""\n'
    "\n"
    'NA,null,None\n"","", \n'
    'a"b,"a"b,\u2028\x85\n'
    "1,2.0,2020-01-01\r\n"
    '"\r\n","\n\n","\r"\n'
    "nul\x00,\ufeff,😀\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("block", [32, 64, 8 << 20])
@pytest.mark.parametrize("at_end", ["", "last,a,b", "last,a,b\n", 'last,a,"b"', 'last,a,"b\n"', 'last,a,"b ""c"""'])
def test_cells_are_what_python_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, block: int, at_end: str
) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK", block)
    text = HEADER + TRICKY + at_end
    rows, ids = read(text.encode(encoding), tmp_path)
    assert rows == python_rows(text)[1:]
    assert rows[0] == ["高血压", "我有高血压,\n能吃党参吗？", '说 "可以"']
    assert ids == [f"a.csv#{i}" for i in range(1, len(rows) + 1)]


def test_carriage_return_and_newline_stay_together_in_a_cell_wherever_a_block_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pyarrow 26 drops the \n where a block ends between the two.
    text = HEADER + '"甲\r\n乙","\r\n\r\n","\r\r\n"\n' * 20
    for block in range(40, 90):
        monkeypatch.setattr(csv_reader, "_BLOCK", block)
        for encoding in ("utf-8", "gb18030"):
            assert read(text.encode(encoding), tmp_path)[0] == [["甲\r\n乙", "\r\n\r\n", "\r\r\n"]] * 20


def test_a_lone_carriage_return_ends_a_row_as_it_does_in_python(tmp_path: Path) -> None:
    assert read(b"title,ask,answer\r1,2,3\r4,5,6\r", tmp_path)[0] == [["1", "2", "3"], ["4", "5", "6"]]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_columns_may_come_in_any_order_and_under_an_alias(tmp_path: Path, encoding: str, mark: str) -> None:
    text = f'{mark}"answer",question,title\n答,问,题\n'
    assert read(text.encode(encoding), tmp_path) == ([["题", "问", "答"]], ["a.csv#1"])


def test_a_file_with_only_a_header_has_no_rows(tmp_path: Path) -> None:
    for text in ("title,ask,answer", "title,ask,answer\n", "title,ask,answer\r\n\r\n"):
        assert read(text.encode(), tmp_path) == ([], [])


def test_a_cell_larger_than_a_block_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK", 1024)
    big = "很长，\n" * 100_000
    rows = [["1", "a", "b"], ["2", big, "c"], ["3", "d", "e"]]
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows([FIELDS, *rows])
    for encoding in ("utf-8", "gb18030"):
        assert read(file.getvalue().encode(encoding), tmp_path)[0] == rows


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("title,ask\n1,2\n", "title,ask"),
        ("title,ask,ask\n1,2,3\n", "title,ask,ask"),
        ("title,ask,question,answer\n", "title,ask,question,answer"),
        ("title,ask,answer,extra\n", "title,ask,answer,extra"),
        ("Title,ask,answer\n", "Title,ask,answer"),
        ('{"content": "a"}\n', '{"content": "a"}'),
    ],
)
def test_another_header_is_a_file_of_another_dataset(tmp_path: Path, header: str, shown: str) -> None:
    with pytest.raises(SourceError) as error:
        read(header.encode(), tmp_path)
    assert str(error.value) == (
        f"a.csv:1: the header is {shown!r}; expected the columns title, ask, answer; is this a file of another dataset?"
    )


@pytest.mark.parametrize("data", [b"", b"\n\r\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_stops_the_load(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SourceError) as error:
        read(data, tmp_path)
    assert str(error.value) == "a.csv: the file is empty; get it again, or leave it out"


COLUMNS = "expected the 3 columns title, ask, answer"


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("block", [32, 8 << 20])
@pytest.mark.parametrize(
    ("row", "reason", "fact"),
    [
        ("1,2,3,4,5", "wrong_column_count", f"the row has 5 columns; {COLUMNS}"),
        ("1,2", "wrong_column_count", f"the row has 2 columns; {COLUMNS}"),
        (" ", "wrong_column_count", f"the row has 1 columns; {COLUMNS}"),
        ('内,"多\n行",3,4', "wrong_column_count", f"the row has 4 columns; {COLUMNS}"),
    ],
)
def test_a_row_with_other_columns_stops_the_load_with_its_line_or_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, block: int, row: str, reason: str, fact: str
) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK", block)
    data = f'{HEADER}"好\n1",a,b\n\n{row}\n好2,a,b\n'.encode(encoding)
    with pytest.raises(RowError) as error:
        read(data, tmp_path)
    assert str(error.value) == f"a.csv:5: {fact}; fix the row, or set it aside with on_bad_row='quarantine'"
    with Quarantine("quarantine", tmp_path / "bad.jsonl") as bad_rows:
        got = read(data, tmp_path, bad_rows)
    assert got == ([["好\n1", "a", "b"], ["好2", "a", "b"]], ["a.csv#1", "a.csv#3"])
    set_aside = json.loads((tmp_path / "bad.jsonl").read_text(encoding="utf-8"))
    assert set_aside == {"place": "a.csv:5", "reason": reason, "fact": fact, "raw": row}


@pytest.mark.parametrize("last", ['3,a,"cut', '3,a,"cut\n', '3,a,"cut\nand\n\nmore', '3,a,"', '"3,a,b', '3,"a","b""'])
@pytest.mark.parametrize("block", [32, 8 << 20])
def test_a_file_cut_off_inside_quotes_does_not_pass_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str, block: int
) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK", block)
    data = f"{HEADER}1,a,b\n2,a,b\n{last}".encode()
    num_lines = len(last.splitlines())
    with pytest.raises(RowError) as error:
        read(data, tmp_path)
    assert str(error.value) == (
        f"a.csv:4: a quote opens here and never closes ({num_lines} lines up to the end); "
        "fix the row, or set it aside with on_bad_row='quarantine'"
    )
    bad_rows = Quarantine("quarantine", None)
    assert read(data, tmp_path, bad_rows)[0] == [["1", "a", "b"], ["2", "a", "b"]]
    assert bad_rows.counts == {"unclosed_quote": 1}


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("block", [64, 8 << 20])
def test_bytes_that_are_no_text_cost_only_their_own_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, block: int
) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK", block)
    good = "我有高血压这两天女婿来的时候给我拿了些党参泡水喝您好高血压可以吃党参吗,问,答\n"
    damaged = good.encode(encoding).replace("问".encode(encoding), b"\xff")
    data = HEADER.encode() + good.encode(encoding) + damaged + good.encode(encoding) * 3
    with pytest.raises(RowError) as error:
        read(data, tmp_path)
    assert str(error.value) == (
        f"a.csv:3: the row holds bytes that are no {'utf-8-sig' if encoding == 'utf-8' else encoding} text; "
        "fix the row, or set it aside with on_bad_row='quarantine'"
    )
    with Quarantine("quarantine", tmp_path / "bad.jsonl") as bad_rows:
        rows, ids = read(data, tmp_path, bad_rows)
    assert rows == [good.rstrip("\n").split(",")] * 4
    assert ids == ["a.csv#1", "a.csv#3", "a.csv#4", "a.csv#5"]
    raw = json.loads((tmp_path / "bad.jsonl").read_text(encoding="utf-8"))["raw"]
    assert raw == good.rstrip("\n").replace("问", "\\xff")


def test_a_file_cut_off_inside_a_character_does_not_pass_for_whole(tmp_path: Path) -> None:
    data = "title,ask,answer\n题,问,答案在这里\n题,问,答案".encode("gb18030")[:-1]
    bad_rows = Quarantine("quarantine", None)
    assert read(data, tmp_path, bad_rows)[0] == [["题", "问", "答案在这里"]]
    assert bad_rows.counts == {"undecodable": 1}


# NUL is in the soup below; Python 3.10's writer does not take it.
CHARACTER = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
CELL = st.text(st.one_of(st.sampled_from('",\n\r 内'), CHARACTER), max_size=8)
SOUP = st.text(st.sampled_from('a,,"\n\r \x00内'), max_size=40)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=12),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
    newline=st.sampled_from(["\n", "\r\n", "\n\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    block=st.sampled_from([16, 64, 1 << 20]),
)
def test_any_rows_python_writes_are_read_back(
    tmp_path: Path, rows: list[list[str]], encoding: str, newline: str, quoting: int, block: int
) -> None:
    file = io.StringIO(newline="")
    if any("\r" in cell for row in rows for cell in row):
        quoting = csv.QUOTE_ALL  # Python does not quote it by itself where it is not in the newline
    csv.writer(file, lineterminator=newline, quoting=quoting).writerows([FIELDS, *rows])  # type: ignore[arg-type]
    data = file.getvalue().encode(encoding)
    # A file whose only Chinese is 脳 is UTF-8 for × as well.
    assume(encoding != "gb18030" or data.isascii() or detect_encoding(io.BytesIO(data)) == "gb18030")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_reader, "_BLOCK", block)
        assert read(data, tmp_path)[0] == rows


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(soup=SOUP, encoding=st.sampled_from(["utf-8", "gb18030"]), block=st.sampled_from([16, 24, 64, 1 << 20]))
def test_any_text_at_all_is_kept_or_set_aside_row_by_row_as_python_sees_it(
    tmp_path: Path, soup: str, encoding: str, block: int
) -> None:
    text = "h1,h2\n" + soup
    rows = python_rows(text)[1:]
    is_cut = python_rows(text + "\nx")[-1] != ["x"]  # the quote that is still open swallows the x
    good = [row for i, row in enumerate(rows) if len(row) == 2 and not (is_cut and i == len(rows) - 1)]
    bad_rows = Quarantine("quarantine", None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_reader, "_BLOCK", block)
        got, ids = read(text.encode(encoding), tmp_path, bad_rows, ["h1", "h2"])
    assert got == good
    assert len(got) + bad_rows.counts.total() == len(rows)
    assert [rows[int(i.removeprefix("a.csv#")) - 1] for i in ids] == good
