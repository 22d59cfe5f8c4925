"""JSON Lines and JSON arrays: every row equals what Python's `json` reads, or is set aside with its reason."""

from __future__ import annotations

import codecs
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hf_builders import RowError, SourceError, json_reader
from hf_builders.encodings import detect_encoding
from hf_builders.json_reader import read_json
from hf_builders.quarantine import Quarantine
from hf_builders.sources import SourceFile

FIELDS = ["content", "summary"]
GOOD = '{"content": "类型#裙", "summary": "好裙子"}'


def read(data: bytes, folder: Path, bad_rows: Quarantine | None = None) -> tuple[list[dict[str, str]], list[str]]:
    """Rows and ids of a file with these bytes."""
    path = folder / "train.json"
    path.write_bytes(data)
    rows: list[dict[str, str]] = []
    ids: list[str] = []
    for some in read_json(SourceFile(str(path), "train.json", "train"), FIELDS, bad_rows or Quarantine("raise", None)):
        some.table.validate(full=True)
        rows += some.table.to_pylist()
        ids += some.ids.to_pylist()
    return rows, ids


def row(summary: str, content: str = "类型#裙") -> dict[str, str]:
    return {"content": content, "summary": summary}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("at_end", [True, False])
def test_lines_are_read_whatever_their_encoding_and_newline(
    tmp_path: Path, encoding: str, newline: str, at_end: bool
) -> None:
    text = newline.join([GOOD, '{"summary": "第二行😀", "content": "a"}']) + newline * at_end
    assert read(text.encode(encoding), tmp_path) == (
        [row("好裙子"), row("第二行😀", "a")],
        ["train.json:1", "train.json:2"],
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("before", ["", "\n \r\n"])
def test_an_array_is_told_by_its_content_and_numbered_by_row(tmp_path: Path, encoding: str, before: str) -> None:
    text = f'{before}[\n{GOOD},\n  {{"content": "a",\n "summary": "]"}}\n]\n \n'
    assert read(text.encode(encoding), tmp_path) == ([row("好裙子"), row("]", "a")], ["train.json#1", "train.json#2"])


def test_a_gb18030_byte_order_mark_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    for text in (GOOD, f"[{GOOD}]", f"\n{GOOD}"):
        assert read(f"\ufeff{text}".encode("gb18030"), tmp_path)[0] == [row("好裙子")]


def test_blank_lines_are_no_rows_but_count_as_lines(tmp_path: Path) -> None:
    assert read(f"\n{GOOD}\n \t\n\r\n{GOOD}\n\n".encode(), tmp_path) == (
        [row("好裙子")] * 2,
        ["train.json:2", "train.json:5"],
    )


@pytest.mark.parametrize("text", ["[]", "[ ]\n", "\n[\n]\n"])
def test_an_empty_array_has_no_rows(tmp_path: Path, text: str) -> None:
    assert read(text.encode(), tmp_path) == ([], [])


TRICKY = [
    "\u2028\u2029\x7f\x85",
    "nul \\u0000 and tab \\t",
    "\\ud83d\\ude00 escaped pair",
    "null",
    "NaN",
    "2020-01-01",
    "1",
    "",
    " ",
    "\ufeff",
    "\ue5e5\U0010ffff",
    '\\"}\\n{\\"',
    "x" * 300_000,
]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("block", [64, 8 << 20])
def test_tricky_text_comes_out_as_python_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, block: int
) -> None:
    monkeypatch.setattr(json_reader, "_BLOCK", block)
    lines = [f'{{"content": "{i}", "summary": "{text}"}}' for i, text in enumerate(TRICKY)]
    expected = [json.loads(line) for line in lines]
    assert read("\n".join(lines).encode(encoding), tmp_path)[0] == expected
    assert read(f"[{','.join(lines)}]".encode(encoding), tmp_path)[0] == expected


BAD = [
    ('{"content": "a", "summ', "invalid_json", "invalid JSON at column 18 (Unterminated string starting at)"),
    ('{"content": "a"} {"summary": "b"}', "invalid_json", "invalid JSON at column 18 (Extra data)"),
    (f"{GOOD}{GOOD}", "invalid_json", "invalid JSON at column 38 (Extra data)"),
    (f"{GOOD},", "invalid_json", "invalid JSON at column 38 (Extra data)"),
    (f"{GOOD}\r{GOOD}", "invalid_json", "invalid JSON at column 39 (Extra data)"),
    ("{'content': 'a', 'summary': 'b'}", "invalid_json", None),
    (
        '{"content": "a", "summary": "b\x00"}',
        "invalid_json",
        "invalid JSON at column 31 (Invalid control character at)",
    ),
    ('{"content":' + "[" * 100_000, "invalid_json", None),
    (f'{{"content": {"9" * 5000}, "summary": "b"}}', "invalid_json", None),
    ('{"content": "a"}', "missing_field", "'summary' is missing; expected the fields content, summary"),
    ("{}", "missing_field", "'content' is missing; expected the fields content, summary"),
    ('{"content": "a", "summary": null}', "null_value", "'summary' is null; expected text"),
    ('{"content": "a", "summary": 7}', "wrong_type", "'summary' is a number (7); expected text"),
    (
        '{"content": "a", "summary": 1e999}',
        "no_json_number",
        "the row holds 1e999, which no floating-point number can hold; write it as text",
    ),
    (
        '{"content": "a", "summary": -Infinity}',
        "no_json_number",
        "the row holds -Infinity, which is no number in JSON; write null, or leave it out",
    ),
    ('{"content": "a", "summary": true}', "wrong_type", "'summary' is a boolean (True); expected text"),
    ('{"content": ["a"], "summary": "b"}', "wrong_type", "'content' is an array (['a']); expected text"),
    ('{"content": {}, "summary": "b"}', "wrong_type", "'content' is an object ({}); expected text"),
    (
        '{"content": "a", "summary": "b", "id": "1"}',
        "unexpected_field",
        "'id' is no field of this dataset; expected the fields content, summary",
    ),
    ("null", "not_an_object", "the row is null, not an object; expected the fields content, summary"),
    ('"a"', "not_an_object", "the row is text, not an object; expected the fields content, summary"),
    ("12", "not_an_object", "the row is a number, not an object; expected the fields content, summary"),
    (
        '{"content": "a", "summary": "\\ud800"}',
        "undecodable",
        "the row holds bytes or escapes that are no text",
    ),
    (
        '{"content": "a", "summary": "\\udc00x"}',
        "undecodable",
        "the row holds bytes or escapes that are no text",
    ),
]


@pytest.mark.parametrize("before", ["\n", "\n\n"])  # a blank line keeps the block from pyarrow
@pytest.mark.parametrize(("line", "reason", "fact"), BAD, ids=range(len(BAD)))
def test_a_bad_line_stops_the_load_with_its_place_or_is_set_aside(
    tmp_path: Path, before: str, line: str, reason: str, fact: str | None
) -> None:
    data = f"{GOOD}{before}{line}\n{GOOD}".encode()
    number = 1 + len(before)
    with pytest.raises(RowError) as error:
        read(data, tmp_path)
    assert (error.value.place, error.value.reason) == (f"train.json:{number}", reason)
    if fact is not None:
        one_a_line = "; expected one JSON value on each line" if reason == "invalid_json" else ""
        assert str(error.value) == (
            f"train.json:{number}: {fact}{one_a_line}; fix the row, or set it aside with on_bad_row='quarantine'"
        )
    with Quarantine("quarantine", tmp_path / "bad.jsonl") as bad_rows:
        assert read(data, tmp_path, bad_rows) == ([row("好裙子")] * 2, ["train.json:1", f"train.json:{number + 1}"])
    assert bad_rows.counts == Counter({reason: 1})
    set_aside = json.loads((tmp_path / "bad.jsonl").read_text(encoding="utf-8"))
    assert (set_aside["place"], set_aside["reason"], set_aside["raw"]) == (f"train.json:{number}", reason, line)


@pytest.mark.parametrize(("element", "reason"), [(line, reason) for line, reason, _ in BAD if reason != "invalid_json"])
def test_a_bad_element_of_an_array_is_set_aside_with_its_line(tmp_path: Path, element: str, reason: str) -> None:
    with Quarantine("quarantine", tmp_path / "bad.jsonl") as bad_rows:
        got = read(f"[{GOOD},\n\n{element},\n{GOOD}]".encode(), tmp_path, bad_rows)
    assert got == ([row("好裙子")] * 2, ["train.json#1", "train.json#3"])
    set_aside = json.loads((tmp_path / "bad.jsonl").read_text(encoding="utf-8"))
    assert (set_aside["place"], set_aside["reason"], set_aside["raw"]) == ("train.json:3", reason, element)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"[{GOOD},\n{{", "train.json:2: invalid JSON at column 2 (Expecting property name enclosed in double quotes)"),
        (f"[{GOOD},\n]", "train.json:2: invalid JSON at column 1 (Expecting value)"),
        (f"[\n{GOOD}", "train.json:2: the JSON array goes on without ',' or ']'"),
        (f"[{GOOD}\n{GOOD}]", "train.json:1: the JSON array goes on without ',' or ']'"),
        (f"[{GOOD}]\n{GOOD}", "train.json:2: something stands behind the end of the JSON array"),
        ("[] x", "train.json:1: something stands behind the end of the JSON array"),
        (f"[\n{'[' * 100_000}", "train.json:2: invalid JSON (nested too deeply)"),
    ],
)
@pytest.mark.parametrize("policy", ["raise", "quarantine"])
def test_an_array_that_breaks_off_stops_the_load(tmp_path: Path, text: str, message: str, policy: Any) -> None:
    with pytest.raises(SourceError) as error:
        read(text.encode(), tmp_path, Quarantine(policy, None))
    assert str(error.value) == f"{message}; the rest of the array cannot be read: mend the file, or get it again"


@pytest.mark.parametrize("data", [b"", b"\n \r\n", codecs.BOM_UTF8])
def test_an_empty_file_stops_the_load(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SourceError) as error:
        read(data, tmp_path)
    assert str(error.value) == "train.json: the file is empty; get it again, or leave it out"


@pytest.mark.parametrize("damage", [b"\xff", b"\xe8\xa3", b"\xc0\x80", b"\xed\xa0\x80"])
def test_bytes_that_are_no_text_never_become_a_record(tmp_path: Path, damage: bytes) -> None:
    good = '{"content": "类型#裙子很好看的一条", "summary": "这是一条很好的裙子，穿上它就会很好看。"}'.encode()
    with Quarantine("quarantine", tmp_path / "bad.jsonl") as bad_rows:
        rows, ids = read(b"\n".join([good, good.replace(b"#", damage), good]), tmp_path, bad_rows)
    assert (len(rows), ids) == (2, ["train.json:1", "train.json:3"])
    assert bad_rows.counts == {"undecodable": 1}
    raw = json.loads((tmp_path / "bad.jsonl").read_text(encoding="utf-8"))["raw"]
    assert raw == good.decode().replace("#", "".join(f"\\x{byte:02x}" for byte in damage))


def test_python_decides_which_of_two_equal_keys_counts(tmp_path: Path) -> None:
    assert read(b'{"content": "a", "summary": "b", "content": "c"}', tmp_path)[0] == [row("b", "c")]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ANY_VALUE = st.one_of(TEXT, st.none(), st.integers(), st.booleans(), st.lists(TEXT, max_size=1))
GOOD_ROW = st.fixed_dictionaries({"content": TEXT, "summary": TEXT})
ANY_ROW = st.one_of(GOOD_ROW, GOOD_ROW, st.dictionaries(st.sampled_from([*FIELDS, "id"]), ANY_VALUE), st.none())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(ANY_ROW, min_size=1, max_size=12),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
    separator=st.sampled_from(["\n", "\r\n", "\n\n"]),
    ensure_ascii=st.booleans(),
    block=st.sampled_from([7, 64, 1 << 20]),
)
def test_any_rows_are_kept_or_set_aside(
    tmp_path: Path, rows: list[Any], encoding: str, separator: str, ensure_ascii: bool, block: int
) -> None:
    lines = [json.dumps(row, ensure_ascii=ensure_ascii) for row in rows]
    good = [row for row in rows if row and sorted(row) == FIELDS and all(isinstance(v, str) for v in row.values())]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_reader, "_BLOCK", block)
        patch.setattr(json_reader, "_PIECE", block)
        for text in (separator.join(lines), f"[{','.join(lines)}]"):
            data = text.encode(encoding)
            # A file whose only Chinese is 脳 is UTF-8 for × as well.
            assume(encoding != "gb18030" or data.isascii() or detect_encoding(io.BytesIO(data)) == "gb18030")
            bad_rows = Quarantine("quarantine", None)
            got, ids = read(data, tmp_path, bad_rows)
            assert got == good
            assert len(got) + bad_rows.counts.total() == len(rows)
            assert len(set(ids)) == len(got)
