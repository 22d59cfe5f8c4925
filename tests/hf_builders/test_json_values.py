"""Any JSON values: each equals what Python reads, number for number, or is a bad row with its place."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hf_builders import RowError, SourceError, json_values
from hf_builders.json_values import JsonRow, read_json_values
from hf_builders.quarantine import Quarantine
from hf_builders.sources import SourceFile


def read(data: str | bytes, folder: Path, bad_rows: Quarantine | None = None) -> list[JsonRow]:
    path = folder / "a.json"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    source = SourceFile(str(path), "a.json", "train")
    return list(read_json_values(source, bad_rows or Quarantine("raise", None)))


def test_lines_and_elements_have_their_id_and_their_place(tmp_path: Path) -> None:
    assert read('{"a": 1}\n\n [2]\n', tmp_path) == [
        ("a.json:1", "a.json:1", {"a": 1}, '{"a": 1}'),
        ("a.json:3", "a.json:3", [2], "[2]"),
    ]
    assert read('[\n{"a": 1},\n\n "b", 3]', tmp_path) == [
        ("a.json#1", "a.json:2", {"a": 1}, '{"a": 1}'),
        ("a.json#2", "a.json:4", "b", '"b"'),
        ("a.json#3", "a.json:4", 3, "3"),
    ]


EXACT = [
    "3",
    "3.0",
    "-0.0",
    "1e+22",
    "0.30000000000000004",
    "1152921504606846976",
    f"{10**30}",
    "true",
    "null",
    '"a/b"',
]


@pytest.mark.parametrize("text", EXACT)
def test_a_value_written_again_is_the_same_text(tmp_path: Path, text: str) -> None:
    for file in (f'{{"v": {text}}}', f'[{{"v": {text}}}]'):
        (row,) = read(file, tmp_path)
        assert json.dumps(row.value) == f'{{"v": {text}}}'


@pytest.mark.parametrize(
    ("line", "reason", "fact"),
    [
        ("......", "invalid_json", "invalid JSON at column 1 (Expecting value); expected one JSON value on each line"),
        ('{"a": 1', "invalid_json", None),
        (
            "{",
            "invalid_json",
            "invalid JSON at column 2 (Expecting property name enclosed in double quotes); expected one JSON value on "
            "each line (write an object that goes over several lines on one, or the objects between [ and ])",
        ),
        (
            '{"a": 1]',
            "invalid_json",
            "invalid JSON at column 8 (Expecting ',' delimiter); expected one JSON value on each line",
        ),
        ('{"a": NaN}', "no_json_number", "the row holds NaN, which is no number in JSON; write null, or leave it out"),
        ('[{"a": [-Infinity]}]', "no_json_number", None),
        (
            '{"a": -1e400}',
            "no_json_number",
            "the row holds -1e400, which no floating-point number can hold; write it as text",
        ),
        ('{"a": ["\\ud83d"]}', "undecodable", "the row holds bytes or escapes that are no text"),
        ('{"\\uDE00": 1}', "undecodable", "the row holds bytes or escapes that are no text"),
    ],
)
def test_a_value_no_json_text_can_hold_is_a_bad_row(tmp_path: Path, line: str, reason: str, fact: str | None) -> None:
    data = f'{{"好": 1}}\n{line}\n{{"好": 2}}'
    with pytest.raises(RowError) as error:
        read(data, tmp_path)
    assert (error.value.place, error.value.reason) == ("a.json:2", reason)
    if fact is not None:
        assert error.value.fact == fact
    with Quarantine("quarantine", tmp_path / "bad.jsonl") as bad_rows:
        assert [row.id for row in read(data, tmp_path, bad_rows)] == ["a.json:1", "a.json:3"]
    assert bad_rows.counts == Counter({reason: 1})
    assert json.loads((tmp_path / "bad.jsonl").read_text(encoding="utf-8"))["raw"] == line
    if reason != "invalid_json":  # behind such an element of an array, the next one can be told
        with Quarantine("quarantine", None) as bad_rows:
            assert [row.id for row in read(f"[1,\n{line},\n2]", tmp_path, bad_rows)] == ["a.json#1", "a.json#3"]
        assert bad_rows.counts == Counter({reason: 1})


def test_a_whole_pair_of_surrogates_is_text(tmp_path: Path) -> None:
    assert [row.value for row in read('{"a": "\\ud83d\\ude00"}', tmp_path)] == [{"a": "😀"}]


def test_an_array_that_breaks_off_stops_the_load(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.json:2: the JSON array goes on without ',' or '\]'"):
        read('[{"a": 1},\n{"a": 2}', tmp_path, Quarantine("quarantine", None))


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(ANY_JSON, min_size=1, max_size=6),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
    ensure_ascii=st.booleans(),
    block=st.sampled_from([7, 1 << 20]),
)
def test_any_values_come_out_as_they_went_in(
    tmp_path: Path, values: list[Any], encoding: str, ensure_ascii: bool, block: int
) -> None:
    texts = [json.dumps(value, ensure_ascii=ensure_ascii) for value in values]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_values, "_BLOCK", block)
        files = [f"[{','.join(texts)}]"]
        if not texts[0].startswith("["):  # which makes a file an array
            files.append("\n".join(texts))
        for file in files:
            rows = read(file.encode(encoding), tmp_path)
            assert [json.dumps(row.value) for row in rows] == [json.dumps(value) for value in values]
            assert [row.raw for row in rows] == texts
