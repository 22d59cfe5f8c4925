"""Rows as text: types, lines without a value, and cells that are not what they should be."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pyarrow as pa
import pytest

from hf_builders.errors import OptionError
from hf_builders.table_text import CellError, RowTemplate


def written(field: str, values: Any, **options: Any) -> list[Any]:
    column = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)
    rendered = RowTemplate(f"{{x{field}}}", **options).render(pa.table({"x": column}))
    assert rendered.errors == []
    return list(rendered.texts.to_pylist())


def facts(field: str, values: list[Any]) -> list[str]:
    rendered = RowTemplate(f"{{x{field}}}").render(pa.table({"x": values}))
    assert rendered.texts.null_count == len(rendered.errors)
    return [each.fact for each in rendered.errors]


def test_a_row_becomes_a_text_in_chinese() -> None:
    template = RowTemplate(
        "患者{anchor_age:int}岁，{gender}，入院时间{admittime:date:%Y年%m月%d日}。\n诊断：{diagnoses}\n在院死亡：{died:bool:是/否}"
    )
    table = pa.table(
        {
            "anchor_age": [65.0, 30.0],
            "gender": ["男", "女"],
            "admittime": ["2180-05-06 22:23:00", "2181-12-01"],
            "diagnoses": [["高血压", "2型糖尿病"], []],
            "died": ["0", "1"],
        }
    )
    assert template.render(table).texts.to_pylist() == [
        "患者65岁，男，入院时间2180年05月06日。\n诊断：高血压、2型糖尿病\n在院死亡：否",
        "患者30岁，女，入院时间2181年12月01日。\n在院死亡：是",
    ]


def test_a_row_becomes_a_text_in_english() -> None:
    template = RowTemplate(
        "Age {age}, weight {weight} kg.\nSeen {seen}.", {"age": "int", "weight": "float", "seen": "date"}
    )
    table = pa.table({"age": ["41"], "weight": [70.50], "seen": [datetime.datetime(2020, 1, 2, 3)], "other": [1]})
    assert template.render(table).texts.to_pylist() == ["Age 41, weight 70.5 kg.\nSeen 2020-01-02."]
    assert template.columns == ["age", "weight", "seen"]


def test_text_is_as_it_is_and_numbers_have_no_surprises() -> None:
    assert written("", ["头痛", " a "]) == ["头痛", " a "]
    assert written("", [3, None, 10**15]) == ["3", None, "1000000000000000"]
    assert written("", [65.0, 0.1, 1e-7, 1e22, float("nan")]) == ["65", "0.1", "0.0000001", "1" + "0" * 22, None]
    assert written("", [True, False]) == ["true", "false"]
    assert written("", [datetime.date(2020, 1, 2)]) == ["2020-01-02"]
    assert written("", [decimal.Decimal("3.50")]) == ["3.5"]
    assert written("", pa.array(["a", "b", "a"]).dictionary_encode()) == ["a", "b", "a"]


def test_numbers_of_32_bits_are_as_short_as_what_was_stored() -> None:
    values = [1.1, 0.1, 16777216.0, 123456792.0, float("nan"), None]
    shown = ["1.1", "0.1", "16777216", "123456792", None, None]
    column = pa.array(values, pa.float32())
    assert written("", column) == written(":float", column) == written("", column.dictionary_encode()) == shown
    assert written(":float:3", column[:2]) == ["1.100", "0.100"]
    assert written("", pa.array([[1.1, None], [2.5, 0.1]], pa.list_(pa.float32()))) == ["1.1", "2.5、0.1"]
    assert written("", pa.chunked_array([column[:1], column[1:2]])) == ["1.1", "0.1"]


def test_zero_has_no_sign() -> None:
    assert written(":int", ["-0", "-0.0", "-10"]) == ["0", "0", "-10"]
    assert written(":int", [-0.0]) == written("", [-0.0]) == ["0"]
    assert written(":float:2", ["-0.00", "-0.001", "-0.01", "-0"]) == ["0.00", "0.00", "-0.01", "0.00"]


def test_thousands_may_be_parted_by_commas() -> None:
    texts = ["1,000", " -12,345,678 ", "+100,000"]
    assert written(":int", texts) == written(":float", texts) == ["1000", "-12345678", "100000"]
    assert written(":float", ["1,234.50"]) == ["1234.5"]
    assert written("", ["1,000"]) == ["1,000"]
    for text in ("1,00", "1000,000", "0,125", "1,000,00", ",100", "1，000", "1,000,"):
        assert facts(":float", [text]) == [f"{text!r} is not a number"]


def test_numbers_are_read_from_text_and_written_as_they_should_be() -> None:
    assert written(":int", ["65", " 65.0 ", "-3", "1e3"]) == ["65", "65", "-3", "1000"]
    assert written(":int", [2.0**60]) == ["1152921504606846976"]
    assert written(":float", ["36.50", "2", "-0.0"]) == ["36.5", "2", "0"]
    assert written(":float:2", [36.5, 2, 0.125]) == ["36.50", "2.00", "0.12"]


def test_dates_and_times_are_iso_or_as_the_format_says() -> None:
    texts = ["2180-05-06", "2180/05/06", "21800506", "2180-05-06T22:23:00Z", "2180-05-06 22:23:01.5"]
    assert written(":date", texts) == ["2180-05-06"] * 5
    assert written(":datetime", texts[3:]) == ["2180-05-06 22:23:00+00:00", "2180-05-06 22:23:01"]
    assert written(":datetime:%Y年%m月%d日%H时", texts[3:4]) == ["2180年05月06日22时"]
    nanoseconds = pa.array([1_600_000_000_123_456_789], pa.timestamp("ns"))
    assert written(":datetime", nanoseconds) == ["2020-09-13 12:26:40"]
    assert written(":date:%Y", [datetime.date(33, 1, 1)]) == ["0033"]
    assert written(":date:%-m %d %j %%d", [datetime.date(2024, 5, 6)]) == ["5 06 127 %d"]


def test_dates_of_chinese_exports_are_read() -> None:
    texts = ["2024/5/6", "2024-5-6", "2024.05.06", "2024.5.6", "2024年5月6日", "2024年05月06日", "20240506"]
    assert written(":date", texts) == ["2024-05-06"] * 7
    times = ["2024/5/6 9:05", "2024年5月6日 9:05:00", "2024年5月6日09:05", "2024.5.6  09:05", "2024-05-06T09:05"]
    assert written(":datetime", times) == ["2024-05-06 09:05:00"] * 5
    for text in ("5/6/2024", "24/5/6", "2024/5-6", "2024/13/1", "2024.5", "2024年5月", "202456", "20240506093000"):
        assert facts(":date", [text]) == [f"{text!r} is not a date in ISO form"]


def test_words_stand_for_true_and_false() -> None:
    assert written(":bool:有/无", [True, False, None]) == ["有", "无", None]
    assert written(":bool", ["是", "N", "1", "False"]) == ["true", "false", "true", "false"]
    assert written(":bool", [0, 1]) == ["false", "true"]
    assert written(":bool", [0.0, 1.0, None]) == written(":bool", ["0.0", "1.0", ""]) == ["false", "true", None]
    assert facts(":bool", [2.0, 0.5]) == ["2.0 is neither true nor false", "0.5 is neither true nor false"]


def test_lists_are_joined_and_their_nulls_left_out() -> None:
    assert written("", [["高血压", None, ""], [None], None]) == ["高血压", None, None]
    assert written(":int", [[1.0, 2.0]], separator=", ") == ["1, 2"]
    assert written("", pa.array([["a", "b"]], pa.large_list(pa.string()))) == ["a、b"]


def test_a_line_without_any_value_is_left_out_and_others_show_null() -> None:
    template = RowTemplate("标题\n甲：{a}，乙：{b}\n\n丙：{c}", null="未知")
    table = pa.table({"a": ["1", None, " "], "b": ["2", "3", None], "c": [None, "4", None]})
    assert template.render(table).texts.to_pylist() == [
        "标题\n甲：1，乙：2\n",
        "标题\n甲：未知，乙：3\n\n丙：4",
        "标题\n",
    ]
    assert RowTemplate("{a}\n{c}").render(table).texts.to_pylist() == ["1", "4", None]


def test_braces_are_written_twice() -> None:
    table = pa.table({"a": [1]})
    assert RowTemplate('{{"a": {a}}}').render(table).texts.to_pylist() == ['{"a": 1}']


def test_cells_of_another_type_are_told_by_row_and_the_row_has_no_text() -> None:
    template = RowTemplate("{age:int}，{seen:date}，{died:bool}")
    table = pa.table(
        {"age": ["3", "x", "2.5"], "seen": ["2020-01-01", "2020-13-01", "2020-01-01"], "died": ["y", "y", "maybe"]}
    )
    rendered = template.render(table)
    assert rendered.texts.to_pylist() == ["3，2020-01-01，true", None, None]
    assert rendered.errors == [
        CellError(1, "age", "'x' is not a whole number"),
        CellError(1, "seen", "'2020-13-01' is not a date in ISO form"),
        CellError(2, "age", "'2.5' is not a whole number"),
        CellError(2, "died", "'maybe' is neither true nor false"),
    ]


def test_what_is_no_number_is_told() -> None:
    assert facts(":int", ["1,00", "1_000", "inf"]) == [
        "'1,00' is not a whole number",
        "'1_000' is not a whole number",
        "'inf' is not a whole number",
    ]
    assert facts(":float", [float("inf")]) == ["inf is not a number"]
    assert facts(":int", [True]) == ["True is not a whole number"]
    assert facts("", [b"\xff"]) == ["b'\\xff' has no text"]


@pytest.mark.parametrize(
    ("template", "columns", "message"),
    [
        ("no field", None, "has no field; write a column as {name}"),
        ("{a:itn}", None, "'itn' is no type; did you mean 'int'?; there are text, int, float, date, datetime, bool"),
        ("{a:int:2}", None, "is no field; expected {column}, {column:type} or {column:type:option}"),
        ("{a:float:x}", None, "is no field"),
        ("{a:bool:是}", None, "is no field"),
        ("{a:date:Y}", None, "is no field"),
        ("{a:date:%Y年%Q}", None, "{a:date:%Y年%Q}: '%Q' is no directive of a date; write a percent sign as %%"),
        ("{a:datetime:%H%}", None, "{a:datetime:%H%}: '%' is no directive"),
        ("{a:date:%Y%中}", None, "'%中' is no directive"),
        ("{}", None, "is no field"),
        ("{a", None, "has a single '{'; write a brace as {{"),
        ("{a} }", None, "has a single '}'; write a brace as }}"),
        ("{a:int}", {"a": "text"}, "{a:int} and columns, which has 'text', say two types"),
        ("{age}", {"age": 5}, "columns: age: 5 is no type; there are text, int, float, date, datetime, bool"),
        ("{age}", {"age": None}, "columns: age: empty is no type; there are text, int,"),
        ("{age}", {"age": ["int"]}, "columns: age: ['int'] is no type; did you mean 'int'?"),
        ("{age}", {"age": "itn"}, "columns: age: 'itn' is no type; did you mean 'int'?; there are text, int,"),
        ("{age}", {5: "int"}, "columns: 5 is no field of the template"),
        ("{age}", {"agee": "int"}, "columns: 'agee' is no field of the template; did you mean 'age'?"),
    ],
)  # fmt: skip
def test_a_template_that_cannot_be_read_is_told(template: str, columns: Any, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        RowTemplate(template, columns)
    assert message in str(caught.value)


def test_a_column_the_table_lacks_or_that_has_no_text_is_told() -> None:
    table = pa.table({"anchor_age": [1], "x": [{"y": 1}]})
    with pytest.raises(OptionError, match="has no column 'anchor_aeg'; did you mean 'anchor_age'"):
        RowTemplate("{anchor_aeg}").render(table)
    with pytest.raises(OptionError, match="column 'x' is struct<y: int64>, which has no text"):
        RowTemplate("{x}").render(table)


def test_rows_in_pieces_are_written_like_the_whole_table() -> None:
    template = RowTemplate("{a:int} {b}\n{b:float}")
    table = pa.table({"a": [1, None, 3, 1], "b": [0.5, None, 2.0, 0.5]})
    pieces = [template.render(table.slice(i, 1)).texts.to_pylist()[0] for i in range(4)]
    assert template.render(table).texts.to_pylist() == pieces == ["1 0.5\n0.5", None, "3 2\n2", "1 0.5\n0.5"]
    assert template.render(pa.concat_tables([table[:2], table[2:]])).texts.to_pylist() == pieces
    assert template.render(table[:0]).texts.to_pylist() == []
