"""Numbers: what surely is one, and words that only look like one."""

from __future__ import annotations

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given

from hf_builders.cleaning_numbers import Numbers


def cleaned(step: Numbers, text: str) -> str:
    pytest.importorskip("cn2an")
    return str(step.clean(pa.array([text]))[0].as_py())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("血压一百二十，脉搏八十五", "血压120，脉搏85"),
        ("一百二十三", "123"),
        ("一千零五十", "1050"),
        ("一万零二十", "10020"),
        ("一亿两千万零三", "120000003"),
        ("两千五百万", "25000000"),
        ("三点五", "3.5"),
        ("三十六点五度", "36.5度"),
        ("三千六百五十点二零元", "3650.20元"),
        ("零点零五毫克", "0.05毫克"),
        ("百分之五", "5%"),
        ("百分之三点五", "3.5%"),
        ("百分之百", "100%"),
        ("千分之三", "3‰"),
        ("三分之一", "1/3"),
        ("二〇二四年", "2024年"),
        ("一九九八年十二月三日", "1998年12月3日"),
        ("二零二四年三月", "2024年3月"),
        ("三月五日，十二月二十五号", "3月5日，12月25号"),
        ("十五天，三百元，二十岁", "15天，300元，20岁"),
        ("三岁，五毫克，两片，六个月", "3岁，5毫克，2片，6个月"),
        ("十分钟后，十二分钟，三小时", "10分钟后，12分钟，3小时"),
        ("一小时", "1小时"),
        ("从六岁到十二岁，四个半月", "从6岁到12岁，4个半月"),
        ("五十六个民族在二十一世纪", "56个民族在21世纪"),
        ("约八百米。Take 三百毫升 now", "约800米。Take 300毫升 now"),
        ("两千五百两，两百斤", "两千五百两，200斤"),
        ("二○二四年，二○○八年五月十二日", "2024年，2008年5月12日"),
        ("一百○五元", "105元"),
        ("百分之三十到百分之五十", "30%到50%"),
        ("20%至百分之三十的罚款", "20%至30%的罚款"),
        ("一百三十五至一百四十五", "135至145"),
        ("三月五日至四月六日", "3月5日至4月6日"),
        ("有期徒刑十一年三个月", "有期徒刑11年3个月"),
        ("一小时三十分钟", "1小时30分钟"),
        ("三百五十毫升十五分钟", "350毫升15分钟"),
        ("二十世纪九十年代", "20世纪90年代"),
        ("一百二十三、一般，三百五十，千万不要", "123、一般，350，千万不要"),
        ("三月五日一个人，第三天十五分钟", "3月5日一个人，第三天15分钟"),
    ],
)
def test_numerals_that_surely_are_numbers_become_digits(before: str, after: str) -> None:
    assert cleaned(Numbers(to="digits"), before) == after


@pytest.mark.parametrize(
    "text",
    [
        "一般来说，一起去，万一下雨",
        "三七总皂苷，千万不要，十分满意",
        "星期一，周三，礼拜五，初十，第一，老三",
        "第一百二十三条，第十五天",
        "十二指肠溃疡，五官科，四肢，六味地黄丸",
        "一个人，一次性，一片好心，一天到晚",
        "过两天，三天两头，三年五载",
        "三四岁，十七八岁，三四十岁，二三十天",
        "几十年，几百块，十几天，数千人，二十多岁，百分之三十几",
        "二十四节气，三十六计，七十二变，一点一滴，两点一线",
        "八点二十，三点五分，下午三点五，九点一刻",
        "早一点一般没事",
        "有三点一是",
        "两到三个月，三、五毫克，一或两片",
        "幺三八，一二三，二百五，一百二",
        "壹佰元",
        "1万五，3十，A一百二十",
        "一元二次方程，十分钟情",
        "万元，百岁，千年，亿万",
        "one hundred and twenty",
        "正月十五，万分之一",
        "银子五十两，三十两白银，二十两重，一百零两，两十天",
        "一百三十，九十，一百三十,九十天",
        "两片两片",
        "五分之一百",
        "五天到十五天，百分之三十到五十，一百到一百五十元",
        "下午三时三十分，一个半小时三十分钟",
        "六亿九千元，一亿三千五百人",
        "三年六个月，十五天一次，二〇二四年三月十五",
        "八百里加急，三分钟热度，一百二十个心，上下五千年，三十年河东",
    ],
)
def test_words_that_look_like_numbers_stay(text: str) -> None:
    assert cleaned(Numbers(to="digits"), text) == text


def test_words_of_the_caller_stay_too() -> None:
    assert cleaned(Numbers(to="digits"), "三百六十度评估，一百二十度") == "360度评估，120度"
    assert (
        cleaned(Numbers(to="digits", keep=["三百六十度评估"]), "三百六十度评估，一百二十度") == "三百六十度评估，120度"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("15天", "十五天"),
        ("2024年3月5日", "二零二四年三月五日"),
        ("30年", "三十年"),
        ("5%，3.5%", "百分之五，百分之三点五"),
        ("3.50元", "三点五零元"),
        ("100 万元", "一百万元"),
        ("体温38.5度，30岁", "体温三十八点五度，三十岁"),
        ("take 3毫升", "take 三毫升"),
        ("2岁，2个月，2次，2天，2年，2米，2万元", "两岁，两个月，两次，两天，两年，两米，两万元"),
        ("2月2日，2号，2楼，2层，2章，2节，2届，2世纪", "二月二日，二号，二楼，二层，二章，二节，二届，二世纪"),
        ("第2次，2年级，2次方，2.5米，12个", "第二次，二年级，二次方，二点五米，十二个"),
        ("1年2个月，共5例和3例", "一年两个月，共五例和三例"),
    ],
)
def test_digits_before_a_unit_become_chinese(before: str, after: str) -> None:
    assert cleaned(Numbers(to="chinese"), before) == after


@pytest.mark.parametrize(
    "text",
    [
        "CT值15，血压120/80",
        "电话13800138000",
        "A4纸，COVID-19例",
        "1,000元，10:30分，3-5天，3~5天，3至5天，5、6天",
        "007次",
        "http://a.cn/15天",
        "in 2024 he was 30",
        "50%off",
        "5%-10%，3天-5天，3 天 - 5 天，25岁到30岁，3~5天",
        "截至2月6日，1月31日至2月6日",
        "2018年、2019年，2月份、3月份，5%,3%",
        "9点30分，3月05日，3和5天",
        "12号楼3单元502室",
        "5×10天，10天×5，x×10天",
        "3分之1，2级",
    ],
)
def test_codes_scores_and_ranges_stay(text: str) -> None:
    assert cleaned(Numbers(to="chinese"), text) == text


@given(number=st.integers(100, 10**12 - 1).filter(lambda n: n % 10 or n > 999))
def test_every_number_as_it_is_counted_is_read_as_what_it_is(number: int) -> None:
    an2cn = pytest.importorskip("cn2an").an2cn
    numerals = an2cn(number).replace("亿一十", "亿零一十")
    unit = "毫克"  # one digit and a round number need one
    assert cleaned(Numbers(to="digits"), numerals + unit) in (f"{number}{unit}", numerals + unit)
    assert cleaned(Numbers(to="digits"), f"{an2cn(number % 10000 or 1)}{unit}") == f"{number % 10000 or 1}{unit}"
