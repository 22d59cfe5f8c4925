"""Chinese numerals as digits, and back: only where they surely are numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import pyarrow as pa

from hf_builders.cleaning_step import TextStep, rewrite

_D = "[一二两三四五六七八九]"
_Z = "[零〇]"
_SIGN = "[零〇一二两三四五六七八九十百千万亿点]"
# As they are counted: 十五, 二十, 一百零五, 三千五百, 一万零二十. 一百二 is none, it is 120 or 一百 and 二.
_TENS = f"{_D}?十{_D}?"
_FULL_TENS = f"{_D}十{_D}?"
_HUNDREDS = f"{_D}百(?:{_Z}{_D}|{_FULL_TENS})?"
_THOUSANDS = f"{_D}千(?:{_Z}(?:{_FULL_TENS}|{_D})|{_HUNDREDS})?"
_SECTION = f"(?:{_THOUSANDS}|{_HUNDREDS}|{_TENS}|{_D})"
_LOW_SECTION = f"(?:{_THOUSANDS}|{_Z}?{_HUNDREDS}|{_Z}?{_FULL_TENS}|{_Z}{_D})"
_BELOW_YI = f"(?:{_SECTION}万{_LOW_SECTION}?|{_SECTION})"
_INTEGER = f"(?:{_SECTION}亿(?:{_Z}?{_SECTION}万{_LOW_SECTION}?|{_LOW_SECTION})?|{_BELOW_YI})"
_DIGIT_SIGNS = "[零〇一二三四五六七八九]"
_COUNTED = re.compile(_INTEGER)
_DECIMAL = re.compile(f"(?P<integer>{_INTEGER}|{_Z})点(?P<digits>{_DIGIT_SIGNS}+)")
_YEAR = "[一二][零〇一二三四五六七八九]{3}"

# One digit before these is a number; before 天, 个, 次 it is often a way of speaking (过两天, 一次性, 三天两头).
_STRICT_UNITS = (
    "周?岁|[美欧日港]元|块钱|元钱|[毫微千公]克|公斤|[毫公]升|[厘毫千]米|公[里分]|[厘毫]?米汞柱|平方米|平方公里|立方米|摄氏度"
    "|小时(?!候)|分钟(?![情爱])|秒钟|个(?:半?月|小时|星期|疗程|百分点)"
)
_PORTIONS = "[片粒丸](?![片粒丸])"
_UNITS = (
    f"{_STRICT_UNITS}|{_PORTIONS}|[万亿]?元|美金|[天日年月周号个次位名人只件条块张瓶盒支袋包滴克斤吨升米里亩度层楼页章节届期倍组例家"
    "套台辆部本口头分秒]|世纪|年代|毫摩尔|千卡|大卡|英寸|床"
)
# Words and names that are written so.
_WORDS = (
    "二十四节气|二十[四五]史|二十四孝|二十八宿|三十六计|三百六十行|七十二[变行]|四十二章经|一百零八将|一千零一夜|十分钟[情爱]"
    "|十二分(?!钟)|[两三]点一线|一点一[滴点]"
)
_TRANSLATED = str.maketrans("零〇一二三四五六七八九", "00123456789")
_DIRECT = str.maketrans("0123456789", "零一二三四五六七八九")
# 第一百条, 初十, 星期一, 老三, 几十, 数百, 负三: their number is no amount, or no number without the sign before it.
_NO_AMOUNT = r"(?<![第初老几数负廿卅0-9０-９.,:/A-Za-z])(?<!星期)(?<!礼拜)(?<!周)"
_NO_AMOUNT += f"(?<!{_SIGN}[到至或、])"  # 两到三个月
_RUN = f"{_SIGN}+(?!{_SIGN})"
_APPROXIMATE = "(?![几多余来])"


@dataclass(frozen=True, kw_only=True)
class Numbers(TextStep):
    """Numbers of Chinese text in one style (cn2an).

    To `digits`, a run of numeral signs becomes a number as a whole, or stays as a whole:

    - 百分之五 → 5%, 百分之三点五 → 3.5%, 三分之一 → 1/3;
    - dates: 二〇二四年 → 2024年, 三月五日 → 3月5日;
    - a number as it is counted, with three signs or more: 一百二十三 → 123, 一千零五 → 1005, 三点五 → 3.5;
    - with two signs, before a unit: 十五天 → 15天, 三百元 → 300元;
    - with one sign, only before a unit of measure or time: 三小时 → 3小时, 五毫克 → 5毫克, 两片 → 2片.

    So words stay (一般, 一起, 万一, 三七, 十分, 千万, 十二指肠), ordinals (第一百条), days (星期一, 初十),
    guesses (三四十, 几百, 十几), times (八点二十), digits read aloud (幺三八), numerals of cheques (壹佰).

    To `chinese`, digits before a unit: 15天 → 十五天, 2024年 → 二零二四年, 5% → 百分之五. Ranges (3-5天) stay, and
    so do codes, scores and sizes.
    """

    name: ClassVar[str] = "numbers"

    to: Literal["digits", "chinese"]
    keep: list[str] = field(default_factory=list)
    """More words whose numerals stay."""

    def libraries(self) -> tuple[str, ...]:
        return ("cn2an",)

    def clean(self, texts: pa.Array) -> pa.Array:
        kept = "|".join([*map(re.escape, filter(None, self.keep)), _WORDS])
        cn2an = self.load("cn2an")
        if self.to == "chinese":
            pattern, replace = re.compile(f"(?P<kept>{kept})|{_ARABIC}"), _Arabic(cn2an.an2cn)
            return rewrite(texts, r"[0-9](?:%|[ \t]?\p{Han})", lambda text: pattern.sub(replace, text))
        pattern, replace_numerals = re.compile(f"(?P<kept>{kept})|{_NUMERALS}"), _Numerals(cn2an.cn2an)
        return rewrite(texts, _MAY_CHANGE, lambda text: pattern.sub(replace_numerals, text))


_NUMERALS = (
    rf"{_NO_AMOUNT}(?:"
    rf"(?P<percent>[百千]分之)(?P<share>{_RUN}){_APPROXIMATE}"
    rf"|(?P<year>{_YEAR})(?=年)(?:年(?P<month_of_year>{_RUN})(?=月)(?:月(?P<day_of_year>{_RUN})(?=[日号]))?)?"
    rf"|(?P<month>{_TENS}|{_D})月(?P<day>{_TENS}|{_D})(?=[日号])"
    rf"|(?P<whole>{_RUN})分之(?P<part>{_RUN}){_APPROXIMATE}"
    rf"|(?P<run>{_RUN})(?P<unit>{_UNITS})?)"
    rf"|{_SIGN}+"
)
_ARABIC = (
    r"(?<![A-Za-z0-9_.,:/\-+#$¥￥~～—、至到或])(?P<number>(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,8})?)"
    rf"(?:(?P<percent>%)(?![A-Za-z0-9])|(?P<blank>[ \t]?)(?P<unit>{_UNITS}))"
)


# What every change to digits needs, without what RE2 lacks: the texts with 一个 and 一般 need not be looked at.
_MAY_CHANGE = re.sub(
    r"\(\?!.*?\)",
    "",
    f"{_SIGN}{{3}}|{_SIGN}分之|{_SIGN}年|{_SIGN}月|{_SIGN}(?:{_STRICT_UNITS}|{_PORTIONS})|{_SIGN}{{2}}(?:{_UNITS})",
)


class _Numerals:
    """Replaces a match of `_NUMERALS`."""

    def __init__(self, cn2an: Callable[..., int | float]) -> None:
        self._cn2an = cn2an

    def __call__(self, found: re.Match[str]) -> str:
        part = found.groupdict()
        if part["kept"]:
            return found[0]
        if part["percent"]:
            share = "100" if part["share"] == "百" else self._number(part["share"])
            return found[0] if share is None else share + ("%" if part["percent"][0] == "百" else "‰")
        if part["year"]:
            return self._date(part)
        if part["month"]:
            return f"{self._number(part['month'])}月{self._number(part['day'])}"
        if part["whole"]:
            numbers = self._number(part["part"]), self._number(part["whole"])
            return found[0] if None in numbers else "/".join(map(str, numbers))
        return found[0] if part["run"] is None else self._amount(part["run"], part["unit"] or "", found)

    def _date(self, part: dict[str, str | None]) -> str:
        text = str(part["year"]).translate(_TRANSLATED)
        for name, sign in (("month_of_year", "年"), ("day_of_year", "月")):
            if (numerals := part[name]) is not None:
                text += sign + (self._number(numerals) or numerals)
        return text

    def _amount(self, run: str, unit: str, found: re.Match[str]) -> str:
        number = self._number(run)
        behind = found.string[found.end() : found.end() + 1]
        if number is None or (unit and behind and re.match(_SIGN, behind)):
            return found[0]
        if "点" in run and not _is_decimal(run, unit, found):
            return found[0]
        if len(run) == 1:
            is_sure = bool(re.fullmatch(_STRICT_UNITS, unit)) or (run != "一" and bool(re.fullmatch(_PORTIONS, unit)))
        else:
            is_sure = len(run) >= 3 or bool(unit)
        return number + unit if is_sure else found[0]

    def _number(self, numerals: str | None) -> str | None:
        """The digits, or None where the numerals are no number as it is counted."""
        if numerals is None:
            return None
        if _COUNTED.fullmatch(numerals):
            return str(self._cn2an(numerals, "normal"))
        if found := _DECIMAL.fullmatch(numerals):
            integer = "0" if re.fullmatch(_Z, found["integer"]) else str(self._cn2an(found["integer"], "normal"))
            return f"{integer}.{found['digits'].translate(_TRANSLATED)}"
        return None


def _is_decimal(run: str, unit: str, found: re.Match[str]) -> bool:
    """Whether 三点五 is 3.5, not a time (下午三点五分), not a little (早一点一般没事), not a list (有三点一是)."""
    if found.string[: found.start()].endswith(("午", "上", "晨", "晚", "早")):
        return False
    if run.startswith("一点") and not unit:
        return False
    return unit != "分" and found.string[found.end() : found.end() + 1] not in ("刻", "是")


class _Arabic:
    """Replaces a match of `_ARABIC`."""

    def __init__(self, an2cn: Callable[..., str]) -> None:
        self._an2cn = an2cn

    def __call__(self, found: re.Match[str]) -> str:
        if found["kept"]:
            return found[0]
        number: str = found["number"]
        if found["percent"]:
            return f"百分之{self._in_chinese(number)}"
        if found["unit"] == "年" and re.fullmatch("[12][0-9]{3}", number):
            return number.translate(_DIRECT) + "年"
        return self._in_chinese(number) + found["unit"]

    def _in_chinese(self, number: str) -> str:
        integer, point, digits = number.partition(".")
        return self._an2cn(integer, "low") + (f"点{digits.translate(_DIRECT)}" if point else "")
