"""Punctuation: what becomes Chinese or ASCII, and what must not."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

from hf_builders.cleaning_punctuation import Punctuation


def cleaned(step: Punctuation, text: str) -> str:
    return str(step.clean(pa.array([text]))[0].as_py())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("你好,世界", "你好，世界"),
        ("你好, 世界; 再见", "你好，世界；再见"),
        ("头痛吗?吃药!快", "头痛吗？吃药！快"),
        ("真的?!", "真的？！"),
        ("好吗?B超正常", "好吗？B超正常"),
        ("时间:12:30", "时间：12:30"),
        ("体温:38.5度,约1,000元", "体温：38.5度，约1,000元"),
        ("使用Python,很好", "使用Python，很好"),
        ("有效率90%,好", "有效率90%，好"),
        ("第一行,\n第二行,", "第一行，\n第二行，"),
        ("多喝水.", "多喝水。"),
        ("多喝水. 休息.\n好", "多喝水。休息。\n好"),
        ('他说:"好."', "他说：“好。”"),
        ("等等...", "等等……"),
        ("等等......好", "等等……好"),
        ("等…等", "等……等"),
        ("好。。。", "好……"),
        ("好…...。。。", "好……"),
        ("甲--乙", "甲——乙"),
        ("血压(偏高)", "血压（偏高）"),
        ("HbA1c(糖化血红蛋白)", "HbA1c（糖化血红蛋白）"),
        ("((甲)乙)", "（（甲）乙）"),
        ("（CT)很好", "（CT）很好"),
        ('他说"头痛"和"恶心"', "他说“头痛”和“恶心”"),
        ('叫"Bob"的人', "叫“Bob”的人"),
        ("叫'好人'的", "叫‘好人’的"),
        ("头痛｡恶心､｢好｣", "头痛。恶心、「好」"),
        ("详见https://a.cn/x,y?q=1,谢谢", "详见https://a.cn/x,y?q=1，谢谢"),
        ("写信a.b@c.cn,谢谢", "写信a.b@c.cn，谢谢"),
        ("用`print(\"好\",x)`,好", "用`print(\"好\",x)`，好"),
        ("答案:D", "答案：D"),
        ("答案:A", "答案：A"),
        ("症状:D二聚体", "症状：D二聚体"),
        ("检查:D-二聚体", "检查：D-二聚体"),
        ("案号:(2020)京01", "案号：(2020)京01"),
        ("项目:(1)好", "项目：(1)好"),
        ("体温38.5℃,咳嗽", "体温38.5℃，咳嗽"),
        ("38°,5㎎,5Ω,阳", "38°,5㎎,5Ω，阳"),
        ("38°,好", "38°，好"),
        ("5㎎,好", "5㎎，好"),
        ("A+,好", "A+，好"),
        ("m²,好", "m²，好"),
        ("X™,好", "X™，好"),
        ("5～,好", "5～，好"),
        ("5~,好", "5~，好"),
        ("★:好", "★：好"),
        ("α,好", "α，好"),
        ("😀,好", "😀，好"),
        ("**重点**:注意", "**重点**：注意"),
        ("**重点:**注意", "**重点：**注意"),
        ("<b>世界</b>,好", "<b>世界</b>，好"),
        ("文献[1],好", "文献[1]，好"),
        ("有效率80%.", "有效率80%。"),
        ("有效率80%. 体温38℃. 好", "有效率80%。体温38℃。好"),
        ("服用阿托伐他汀(20mg).", "服用阿托伐他汀(20mg)。"),
        ("推荐《A》.", "推荐《A》。"),
        ('"你好","世界"', "“你好”，“世界”"),
        ('"甲","乙","丙"都好', "“甲”，“乙”，“丙”都好"),
        ('他说: "好,坏"', "他说：“好，坏”"),
        ("BMI=体重,身高", "BMI=体重，身高"),
        ('见{"a":"好,坏"},好', '见{"a":"好,坏"}，好'),
        ('如下:\n{\n  "症状": "头痛,发热",\n  "药": ["甲,乙"]\n}\n好,坏',
         '如下：\n{\n  "症状": "头痛,发热",\n  "药": ["甲,乙"]\n}\n好，坏'),
        ('<a title="你好,世界">好,坏</a>', '<a title="你好,世界">好，坏</a>'),
        ("&nbsp;好,坏&#12;好", "&nbsp;好，坏&#12;好"),
        ("用f(\"好(坏),x\"),好", "用f(\"好(坏),x\")，好"),
    ],
)  # fmt: skip
def test_signs_in_chinese_text_become_chinese(before: str, after: str) -> None:
    assert cleaned(Punctuation(to="chinese"), before) == after


@pytest.mark.parametrize(
    "text",
    [
        "圆周率3.14，共1,000元，12:30，比例3:2",
        "Hello, world! It's 5:30 (p.m.).",
        "The word 你好, means hello, and 世界, world.",
        "Hello, world. 你好",
        "https://a.cn/路?a=1,b",
        "name=\"张三\"",
        "print(\"你好\", '再见')",
        '{"名": "张,三", "岁": 3}',
        '答：{"名":"张,三"}',
        '列表["甲","乙"]',
        "```\nx = 好,坏\n```",
        "检查(CT)",
        "约翰.史密斯",
        "一.检查",
        "好:)",
        "路径?a=1",
        "好!=坏",
        "屏幕5\" 和6'",
        '只有一个"引号',
        "1)头痛 2)发热",
        "不对称)括号(",
        "e.g. 3.5mg,2ml",
        "没有标点",
        "《书》、“引”……，……好",
        '{"a": {"b": "头痛,发热"}, "c": "甲,乙"}\n好',
        '  "症状": "头痛,发热",',
        '[1, "好,坏"]',
        '("你好","世界")',
        'return "你好,世界"',
        'x = "好,坏"',
        'print(f"姓名:{name}")',
        'title="你好,世界"',
        "&nbsp;好",
        "好&lt;,",
        "哈哈;)",
        "哈哈:D",
        "好:(",
        "1). 头痛",
        "(1). CT",
        "a=,好 C:\\,好 $,好",
    ],
)  # fmt: skip
def test_signs_of_numbers_latin_text_and_code_stay(text: str) -> None:
    assert cleaned(Punctuation(to="chinese"), text) == text


@pytest.mark.parametrize("text", ["a." * 10_000, "[" * 10_000, '{"a":' * 5_000, ":(" * 10_000, "a" * 50_000])
def test_long_runs_of_what_may_be_an_address_or_code_take_no_quadratic_time(text: str) -> None:
    begin = time.perf_counter()
    assert cleaned(Punctuation(to="chinese"), f"{text}\n好,b") == f"{text}\n好，b"
    assert time.perf_counter() - begin < 1  # 2 s and more, or no end, before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('…"好"…完', "……“好”……完"),
        ("等...(好)...(坏)", "等……（好）……（坏）"),
        ("他说'头痛.'了", "他说‘头痛。’了"),
        ("头痛. ;好", "头痛。；好"),
        ('好--"坏"--好', "好——“坏”——好"),
    ],
)
def test_signs_beside_signs_become_chinese_at_once(before: str, after: str) -> None:
    assert cleaned(Punctuation(to="chinese"), before) == after
    assert cleaned(Punctuation(to="chinese"), after) == after


def test_a_stop_between_two_chinese_characters_becomes_chinese_only_on_demand() -> None:
    assert cleaned(Punctuation(to="chinese"), "头痛.恶心") == "头痛.恶心"
    assert cleaned(Punctuation(to="chinese", stops_between=True), "头痛.恶心,3.5度") == "头痛。恶心，3.5度"
    assert cleaned(Punctuation(to="chinese", stops_between=True), "一.检查") == "一.检查"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("你好，世界。真的？！", "你好,世界.真的?!"),
        ("“引”‘文’「书」『名』", "\"引\"'文'\"书\"'名'"),
        ("甲、乙；丙：丁", "甲,乙;丙:丁"),
        ("等……等…", "等...等..."),
        ("甲——乙—丙", "甲--乙--丙"),
        ("（甲）【乙】［丙］｛丁｝", "(甲)[乙][丙]{丁}"),
        ("１００％～２００％", "１００%~２００%"),
        ("“Hello,” he said…", '"Hello," he said...'),
        ("《书》·３", "《书》·３"),
        ("plain, ASCII: text!", "plain, ASCII: text!"),
    ],
)
def test_chinese_signs_become_ascii_wherever_they_stand(before: str, after: str) -> None:
    assert cleaned(Punctuation(to="ascii"), before) == after
