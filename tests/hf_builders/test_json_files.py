"""Any JSON values: each equals what Python reads, number for number, or is a bad row with its place.

Of lines, of the elements of an array, and of the members of an object.
"""

from __future__ import annotations

import io
import json
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hf_builders import RowError, SourceError, json_files
from hf_builders.encodings import source_encoding
from hf_builders.json_files import members_of_object, read_json_values, values_of_array
from hf_builders.json_values import JsonRow, decode_value
from hf_builders.quarantine import BadRow, Quarantine
from hf_builders.sources import SourceFile


def source_of(data: str | bytes, folder: Path) -> SourceFile:
    path = folder / "a.json"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return SourceFile(str(path), "a.json", "train")


def read(data: str | bytes, folder: Path, bad_rows: Quarantine | None = None) -> list[JsonRow]:
    return list(read_json_values(source_of(data, folder), bad_rows or Quarantine("raise", None)))


def read_members(
    data: str | bytes, folder: Path, bad_rows: Quarantine | None = None, array: str | None = None
) -> list[JsonRow]:
    return list(members_of_object(source_of(data, folder), bad_rows or Quarantine("raise", None), array))


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
        patch.setattr(json_files, "_BLOCK", block)
        files = [f"[{','.join(texts)}]"]
        if not texts[0].startswith("["):  # which makes a file an array
            files.append("\n".join(texts))
        for file in files:
            rows = read(file.encode(encoding), tmp_path)
            assert [json.dumps(row.value) for row in rows] == [json.dumps(value) for value in values]
            assert [row.raw for row in rows] == texts


class TestMembersOfAnObject:
    def test_each_is_an_object_of_its_own_with_its_place(self, tmp_path: Path) -> None:
        assert read_members('{"a": 1,\n\n "b" : {"c": [2]}, "\\u597d":null\n}\n', tmp_path) == [
            ("a.json#1", "a.json:1", {"a": 1}, '"a": 1'),
            ("a.json#2", "a.json:3", {"b": {"c": [2]}}, '"b" : {"c": [2]}'),
            ("a.json#3", "a.json:3", {"好": None}, '"\\u597d":null'),
        ]
        for empty in ("{}", " {\n} \n"):
            assert read_members(empty, tmp_path) == []

    def test_members_of_one_name_are_both_given(self, tmp_path: Path) -> None:
        rows = read_members('{"a": 1, "b": 2, "a": 3, "": 4, "\\u0061": 5}', tmp_path)
        assert [row.value for row in rows] == [{"a": 1}, {"b": 2}, {"a": 3}, {"": 4}, {"a": 5}]

    @pytest.mark.parametrize(
        ("member", "reason", "fact"),
        [
            (
                '{"x": 1, "y": 2, "x": 1}',
                "duplicate_id",
                "the name 'x' stands twice in one object; rename one of them",
            ),
            (
                '[{"z": {"y": 1, "\\u0079": 2}}]',
                "duplicate_id",
                "the name 'y' stands twice in one object; rename one of them",
            ),
            (
                '{"n": [NaN]}',
                "no_json_number",
                "the row holds NaN, which is no number in JSON; write null, or leave it out",
            ),
            (
                "1e999",
                "no_json_number",
                "the row holds 1e999, which no floating-point number can hold; write it as text",
            ),
            ('{"\\ud83d": 1}', "undecodable", "the row holds bytes or escapes that are no text"),
        ],
    )
    def test_one_that_no_row_can_hold_is_bad_and_the_next_is_read(
        self, tmp_path: Path, member: str, reason: str, fact: str
    ) -> None:
        data = f'{{"好": 1,\n"bad": {member},\n"c": 2}}'
        with pytest.raises(RowError) as error:
            read_members(data, tmp_path)
        assert (error.value.place, error.value.reason, error.value.fact) == ("a.json:2", reason, fact)
        with Quarantine("quarantine", tmp_path / "bad.jsonl") as bad_rows:
            rows = read_members(data, tmp_path, bad_rows)
        assert [(row.id, row.value) for row in rows] == [("a.json#1", {"好": 1}), ("a.json#3", {"c": 2})]
        assert bad_rows.counts == {reason: 1}
        assert json.loads((tmp_path / "bad.jsonl").read_text(encoding="utf-8"))["raw"] == f'"bad": {member}'

    def test_a_name_that_is_no_text_makes_a_bad_row(self, tmp_path: Path) -> None:
        text = "好" * 30  # or one byte that is no UTF-8 makes it GB18030
        for name in (b'"\xff"', b'"\\ud83d"'):
            with Quarantine("quarantine", None) as bad_rows:
                rows = read_members(f'{{"a": "{text}", '.encode() + name + b": 1}", tmp_path, bad_rows)
            assert [row.value for row in rows] == [{"a": text}]
            assert bad_rows.counts == {"undecodable": 1}

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ('{"a": 1,\n"b": 2', ":2: the JSON object goes on without ',' or '}'"),
            ('{"a": 1\n"b": 2}', ":1: the JSON object goes on without ',' or '}'"),
            ('{"a": 1]', ":1: the JSON object goes on without ',' or '}'"),
            ('{"a": 1,\n}', ":2: invalid JSON at column 1 (Expecting property name enclosed in double quotes)"),
            ('{"a": 1,\nb: 2}', ":2: invalid JSON at column 1 (Expecting property name enclosed in double quotes)"),
            ("{1: 2}", ":1: invalid JSON at column 2 (Expecting property name enclosed in double quotes)"),
            ("{\n", ":2: invalid JSON at column 1 (Expecting property name enclosed in double quotes)"),
            ('{"a"\n= 1}', ":1: invalid JSON at column 5 (Expecting ':' delimiter)"),
            ('{"a', ":1: invalid JSON at column 2 (Unterminated string starting at)"),
            ('{"a":\n\n}', ":3: invalid JSON at column 1 (Expecting value)"),
            ('{"a": {"b": 1,\n"c"}}', ":2: invalid JSON at column 4 (Expecting ':' delimiter)"),
            ('{"a": 1}\n{"b": 2}', ":2: something stands behind the end of the JSON object"),
            ("{}x", ":1: something stands behind the end of the JSON object"),
        ],
    )
    def test_an_object_that_is_broken_stops_the_load_with_the_line(
        self, tmp_path: Path, data: str, message: str
    ) -> None:
        with pytest.raises(SourceError) as error:
            read_members(data, tmp_path, Quarantine("quarantine", None))
        assert str(error.value) == (
            f"a.json{message}; the rest of the object cannot be read: mend the file, or get it again"
        )

    def test_what_is_nested_too_deeply_or_too_long_a_number_stops_the_load(self, tmp_path: Path) -> None:
        rest = "; the rest of the object cannot be read: mend the file, or get it again"
        with pytest.raises(SourceError) as error:
            read_members(f'{{"a": 1,\n"b": {"[" * 200_000}', tmp_path)
        assert str(error.value) == f"a.json:2: invalid JSON (nested too deeply){rest}"
        if not hasattr(sys, "get_int_max_str_digits"):
            pytest.skip("this Python reads whole numbers of any length")
        with pytest.raises(SourceError, match=r"^a.json:2: invalid JSON \(.*4300 digits.*\); the rest of the object"):
            read_members(f'{{"a": 1,\n"b": {"9" * 5_000}}}', tmp_path)
        with pytest.raises(SourceError, match=r"^a.json:2: invalid JSON \(.*4300 digits.*\); the rest of the array"):
            read(f"[1,\n{'9' * 5_000}]", tmp_path)

    @pytest.mark.parametrize("data", ["[1]", '"a"', 'x {"a": 1}', "1 {}", "null"])
    def test_a_file_that_is_no_object_says_so(self, tmp_path: Path, data: str) -> None:
        with pytest.raises(SourceError) as error:
            read_members(data, tmp_path)
        assert str(error.value) == "a.json: is no JSON object; is it a file of another dataset?"

    def test_a_file_that_is_no_array_says_so(self, tmp_path: Path) -> None:
        source = source_of('{"a": [1]}', tmp_path)
        with pytest.raises(SourceError) as error:
            list(values_of_array(source, source_encoding(source), Quarantine("raise", None)))
        assert str(error.value) == "a.json: is no JSON array; is it a file of another dataset?"

    def test_of_an_array_in_it_only_the_elements_are_given(self, tmp_path: Path) -> None:
        data = '{"version": "v1", "data": [1,\n\n{"x": [2]}], "more": {"data": [7]}, "data": [], "data": [3]}'
        assert read_members(data, tmp_path, array="data") == [
            ("a.json#1", "a.json:1", 1, "1"),
            ("a.json#2", "a.json:3", {"x": [2]}, '{"x": [2]}'),
            ("a.json#1", "a.json:3", 3, "3"),
        ]
        for without in ('{"version": [1]}', '{"data": {"data": [1]}}', '{"data": 1}'):
            assert read_members(without, tmp_path, array="data") == []

    def test_a_bad_element_of_the_array_is_set_aside_and_a_break_names_what_broke(self, tmp_path: Path) -> None:
        with Quarantine("quarantine", None) as bad_rows:
            rows = read_members('{"data": [1,\nNaN, 2], "v": 1}', tmp_path, bad_rows, "data")
        assert [row.value for row in rows] == [1, 2]
        assert bad_rows.counts == {"no_json_number": 1}
        for data, message in [
            ('{"data": [1,\n2', "a.json:2: the JSON array goes on without ',' or ']'; the rest of the array"),
            ('{"data": [1,\n2]', "a.json:2: the JSON object goes on without ',' or '}'; the rest of the object"),
            ('{"data": [1,\n2]]', "a.json:2: the JSON object goes on without ',' or '}'; the rest of the object"),
            ('{"data": [1,\n2]}\n3', "a.json:3: something stands behind the end of the JSON object; the rest of the "
             "object"),
        ]:  # fmt: skip
            with pytest.raises(SourceError) as error:
                read_members(data, tmp_path, Quarantine("quarantine", None), "data")
            assert str(error.value) == f"{message} cannot be read: mend the file, or get it again"

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        members=st.lists(
            st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), ANY_JSON), max_size=5
        ),
        write=st.sampled_from(
            [
                lambda value: json.dumps(value),
                lambda value: json.dumps(value, ensure_ascii=False),
                lambda value: json.dumps(value, indent=1),
                lambda value: json.dumps(value, separators=(" ,\t", "\r\n:")),
            ]
        ),
        encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
    )
    def test_any_members_are_those_that_python_reads(
        self, tmp_path: Path, members: list[tuple[str, Any]], write: Callable[[Any], str], encoding: str
    ) -> None:
        # Names may come twice, which no dict can hold: written one by one.
        text = "{" + ",\n".join(write({name: value})[1:-1] for name, value in members) + "}"
        rows = read_members(text.encode(encoding), tmp_path)
        assert [json.dumps(row.value) for row in rows] == [json.dumps({name: value}) for name, value in members]
        merged: dict[str, Any] = {}
        for row in rows:
            assert json.loads(f"{{{row.raw}}}") == row.value
            merged |= row.value
        assert json.dumps(merged) == json.dumps(json.loads(text))
        for name, value in merged.items():
            if [each for each, _ in members].count(name) == 1:
                elements = read_members(text.encode(encoding), tmp_path, array=name)
                assert [element.value for element in elements] == (value if isinstance(value, list) else [])


class Kept(Quarantine):
    """Bad rows, to look at."""

    def __init__(self) -> None:
        super().__init__("quarantine", None)
        self.rows: list[BadRow] = []

    def add(self, row: BadRow) -> None:
        self.rows.append(row)


def outcome(source: SourceFile, read_it: Callable[[SourceFile, Quarantine], Iterator[JsonRow]]) -> Any:
    """All that reading gives: good rows, bad rows, and the error that ends it."""
    rows, bad_rows, message = [], Kept(), None
    try:
        # As text, where NaN equals NaN and 1 is not 1.0.
        rows += [(row.id, row.place, repr(row.value), row.raw) for row in read_it(source, bad_rows)]
    except SourceError as error:
        message = str(error)
    return rows, bad_rows.rows, message


SPACE = st.text(" \t\r\n", max_size=3) | st.just(" " * 20)
# Whatever may be cut in two, or be taken for something that is cut.
WORDS = ["12", "-0.5e+10", "1E-7", "true", "null", '"好裙子"', '"\\ud83d\\ude00"', '"\\n\\"\\\\"', '"😀é"', "{}", "[]"]
NO_ROWS = ["NaN", "-Infinity", "1e999", '"\\ud83d"', '"\\ude00"', '{"a": 1, "a": 2}', "9" * 400 + ".0e-300"]
BROKEN = ["-", "1.", "1e+", "01", "tru", '"\\u12', '"\\x"', '"\t"', '"', "9" * 5_000, "abc"]
ATOMS = st.sampled_from([*WORDS, *NO_ROWS, *BROKEN]) | st.recursive(
    st.integers() | st.floats() | st.text(max_size=8), st.lists, max_leaves=4
).map(json.dumps)
NAMES = st.sampled_from(['"a"', '"b"', '"好"', '"\\ud83d\\ude00"', '"'])


def between(opening: str, elements: st.SearchStrategy[str], closing: str) -> st.SearchStrategy[str]:
    spaced = st.builds(lambda before, element, after: before + element + after, SPACE, elements, SPACE)
    return st.lists(spaced, max_size=5).map(lambda each: f"{opening}{','.join(each)}{closing}")


def array_of(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return between("[", values, "]")


def object_of(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    member = st.builds(lambda name, *rest: name + "".join(rest), NAMES, SPACE, st.just(":"), SPACE, values)
    return between("{", member, "}")


VALUES = st.recursive(ATOMS, lambda inner: array_of(inner) | object_of(inner), max_leaves=10)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=array_of(VALUES) | object_of(VALUES),
    around=st.tuples(SPACE, SPACE | st.sampled_from(["]", " 1", "\n{}"])),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
    broken=st.none() | st.tuples(st.integers(0, 200), st.sampled_from([b"", b"\xff", b"\x81", b'"', b"]", b" "])),
    block=st.integers(1, 7),
)
def test_where_a_block_ends_makes_no_difference(
    tmp_path: Path, text: str, around: tuple[str, str], encoding: str, broken: tuple[int, bytes] | None, block: int
) -> None:
    data = text.join(around).encode(encoding)
    if broken is not None:
        at, instead = broken
        data = data[:at] + instead + (data[at:] if instead else b"")
    source = source_of(data, tmp_path)
    for read_it in (read_json_values, members_of_object, partial(members_of_object, array="a")):
        expected = outcome(source, read_it)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(json_files, "_BLOCK", block)
            assert outcome(source, read_it) == expected


@pytest.mark.parametrize("block", [1, 5, 8 << 20])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (f"[{'1, ' * 50}x]", ":1: invalid JSON at column 152 (Expecting value)"),
        (f"[{'1, ' * 50}[2,\n 3 4]]", ":2: invalid JSON at column 4 (Expecting ',' delimiter)"),
        ("[" + "1,\n " * 50 + '{"a" 2}]', ":51: invalid JSON at column 7 (Expecting ':' delimiter)"),
        (f"[{'1, ' * 50}2\n{' ' * 50}x]", ":1: the JSON array goes on without ',' or ']'"),
    ],
)  # fmt: skip
def test_a_break_has_its_line_and_column_when_what_was_before_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, data: str, message: str
) -> None:
    monkeypatch.setattr(json_files, "_BLOCK", block)
    with pytest.raises(SourceError) as error:
        read(data, tmp_path)
    assert str(error.value) == f"a.json{message}; the rest of the array cannot be read: mend the file, or get it again"


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("block", [1, 8 << 20])
def test_half_a_character_at_the_end_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, block: int
) -> None:
    monkeypatch.setattr(json_files, "_BLOCK", block)
    data = f'["{"好" * 30}"]\n好'.encode(encoding)[:-1]
    with pytest.raises(SourceError, match=r"^a\.json:2: something stands behind the end of the JSON array"):
        read(data, tmp_path)


class TestMemory:
    """Of a file of any size a part is held that has a limit."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(json_files, "_BLOCK", 1 << 14)
        monkeypatch.setattr(json_files, "_MAX_VALUE", 1 << 20)

    @pytest.mark.parametrize(
        ("read_it", "head", "tail", "line"),
        [
            (read, "[1,\n", "]", 2),  # an element
            (read, '[{"a": 1,\n"b": [', "]}]", 1),  # inside one
            (read, "[\n1\n, 2, [", "", 3),  # the end is missing
            (read_members, '{"a": 1,\n\n"b":', "}", 3),
            (partial(read_members, array="a"), '{"b": 1, "a": [1,\n', "]}", 2),
            (partial(read_members, array="a"), '{"a": [1,\n2], "b":', "}", 2),  # a member that is not wanted
            (read, '{"a": 1}\n\n[', "]", 3),  # a line
        ],
    )
    @pytest.mark.parametrize(
        "value",
        [f'"{"好" * (1 << 21)}"', "[" + r'"\u597d", ' * (1 << 18) + "2]", "7" * (1 << 21)],
        ids=["text", "elements", "digits"],
    )
    def test_a_longer_value_than_any_row_is_refused(
        self,
        tmp_path: Path,
        read_it: Callable[[str, Path], list[JsonRow]],
        head: str,
        tail: str,
        line: int,
        value: str,
    ) -> None:
        with pytest.raises(SourceError) as error:
            read_it(head + value + tail, tmp_path)
        assert str(error.value) == (
            f"a.json:{line}: one JSON value of more than 1 MiB; a row is never so long: is a bracket or a line end "
            "missing? split the file"
        )

    @pytest.mark.parametrize("block", [1 << 14, 1 << 19])
    def test_the_limit_is_exact(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
        monkeypatch.setattr(json_files, "_BLOCK", block)
        longest = f'"{"a" * ((1 << 20) - 2)}"'
        member = f'"a": "{longest[6:]}'
        assert len(longest) == len(member) == 1 << 20
        assert [row.raw for row in read(f"[1, {longest}, 2]", tmp_path)] == ["1", longest, "2"]
        assert [row.raw for row in read(f"1\n{longest}\n2", tmp_path)] == ["1", longest, "2"]
        assert [row.raw for row in read_members(f"{{{member} , {member}}}", tmp_path)] == [member, member]
        for data in (f'[1, "a{longest[1:]}, 2]', f'1\n"a{longest[1:]}\n2'):
            with pytest.raises(SourceError, match="one JSON value of more than 1 MiB"):
                read(data, tmp_path)

    @pytest.mark.parametrize(
        ("read_it", "opening", "row", "separator", "closing"),
        [
            (read_json_values, "[", '{"text": "%s"}', ",", "]"),
            (read_json_values, "", '{"text": "%s"}', "\n", ""),
            (members_of_object, "{", '"row": "%s"', ",", "}"),
            (partial(members_of_object, array="rows"), '{"rows": [', '"%s"', ",", "]}"),
        ],
    )
    def test_a_long_file_of_ordinary_rows_is_read_piece_by_piece(
        self,
        tmp_path: Path,
        read_it: Callable[[SourceFile, Quarantine], Iterator[JsonRow]],
        opening: str,
        row: str,
        separator: str,
        closing: str,
    ) -> None:
        source = source_of(opening + separator.join([row % ("好裙子" * 100)] * 4_000) + closing, tmp_path)
        rows = read_it(source, Quarantine("raise", None))
        tracemalloc.start()
        try:
            next(rows)
            tracemalloc.reset_peak()  # the encoding is told in blocks of its own
            assert sum(1 for _ in rows) == 3_999
            assert tracemalloc.get_traced_memory()[1] * 10 < Path(source.path).stat().st_size
        finally:
            tracemalloc.stop()

    def test_a_row_of_many_blocks_is_not_decoded_with_every_one_of_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        decoded: list[int] = []

        def counting(text: str, position: int, **options: bool) -> Any:
            decoded.append(len(text))
            return decode_value(text, position, **options)

        monkeypatch.setattr(json_files, "decode_value", counting)
        monkeypatch.setattr(json_files, "_BLOCK", 16)
        assert len(read(f"[[{'1, ' * 100_000}1]]", tmp_path)) == 1
        assert sum(decoded) < 4 * 300_000

    def test_a_mistake_at_the_start_is_told_without_reading_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        num_read = 0

        class Counted(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                nonlocal num_read
                data = super().read(size)
                num_read += len(data)
                return data

        for mistake, fact in [
            ('{"a": "b, "c": 2}', r"column 13 \(Expecting ','"),
            ("[" * 200_000, "nested too deeply"),
        ]:
            source = source_of(f"[{mistake}{', 1' * 500_000}]", tmp_path)
            encoding = source_encoding(source)
            with monkeypatch.context() as patch:
                patch.setattr(SourceFile, "open", lambda self: Counted(Path(self.path).read_bytes()))
                num_read = 0
                with pytest.raises(SourceError, match=rf"^a\.json:1: invalid JSON .*{fact}"):
                    list(values_of_array(source, encoding, Quarantine("raise", None)))
            assert num_read <= 2 << 14
