"""Chinese numerals as digits, and back: only where they surely are numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import pyarrow as pa

from hf_builders.cleaning_step import TextStep, rewrite

_D = "[一二两三四五六七八九]"
# 两 is a unit of weight behind 十: 五十两 is 50 两.
_ONE = "[一二三四五六七八九]"
# `○` (U+25CB) is how laws write it.
_Z = "[零〇○]"
_SIGN = "[零〇○一二两三四五六七八九十百千万亿点]"
# As they are counted: 十五, 二十, 一百零五, 三千五百, 一万零二十. 一百二 is none, it is 120 or 一百 and 二.
_TENS = f"{_ONE}?十{_ONE}?"
_FULL_TENS = f"{_ONE}十{_ONE}?"
_HUNDREDS = f"{_D}百(?:{_Z}{_ONE}|{_FULL_TENS})?"
_THOUSANDS = f"{_D}千(?:{_Z}(?:{_FULL_TENS}|{_ONE})|{_HUNDREDS})?"
_SECTION = f"(?:{_THOUSANDS}|{_HUNDREDS}|{_TENS}|{_D})"
_LOW_SECTION = f"(?:{_THOUSANDS}|{_Z}?{_HUNDREDS}|{_Z}?{_FULL_TENS}|{_Z}{_ONE})"
_BELOW_YI = f"(?:{_SECTION}万{_LOW_SECTION}?|{_SECTION})"
_INTEGER = f"(?:{_SECTION}亿(?:{_Z}?{_SECTION}万{_LOW_SECTION}?|{_LOW_SECTION})?|{_BELOW_YI})"
_DIGIT_SIGNS = "[零〇○一二三四五六七八九]"
_COUNTED = re.compile(_INTEGER)
_DECIMAL = re.compile(f"(?P<integer>{_INTEGER}|{_Z})点(?P<digits>{_DIGIT_SIGNS}+)")
_YEAR = "[一二][零〇○一二三四五六七八九]{3}"

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
    "|十二分(?!钟)|[两三]点一线|一点一[滴点]|[八三六]百里加急|[三五]分钟热度|一百二?十个心|一百个[心不]|上下五千年"
    "|二万五千里长征|十万八千里|八千里路云和月|三十年河[东西]|五百年前是一家|十八层地狱|十五个吊桶|[十一]万个(?:为什么|不)"
    "|一百八十度的?大?转[弯变]"
)
_TRANSLATED = str.maketrans("零〇○一二三四五六七八九", "000123456789")
_DIRECT = str.maketrans("0123456789", "零一二三四五六七八九")
# 第一百条, 初十, 星期一, 老三, 几十, 数百, 负三: their number is no amount, or no number without the sign before it.
_NO_AMOUNT = r"(?<![第初老几数负廿卅0-9０-９.,:/A-Za-z])(?<!星期)(?<!礼拜)(?<!周)"
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

    Numbers that belong together become digits together, or none of them does. They stand side by side
    (十一年三个月 → 11年3个月, but 三年六个月 stays), or are a range or a list (百分之三到百分之五 → 3%到5%, but
    两到三个月, 五天到十五天 and 一百三十，九十 stay).

    So words stay (一般, 一起, 万一, 三七, 十分, 千万, 十二指肠), ordinals (第一百条), days (星期一, 初十),
    guesses (三四十, 几百, 十几), weights (五十两), times (八点二十), digits read aloud (幺三八), numerals of cheques
    (壹佰).

    To `chinese`, digits before a unit: 15天 → 十五天, 2024年 → 二零二四年, 5% → 百分之五, 2次 → 两次, 2月 → 二月.
    Ranges and lists (3-5天, 3天至5天, 2月、3月) stay, and so do codes, scores and sizes. Of numbers with no more than
    three characters between them, all become Chinese or none: 9点30分, 3月05日 and 12号楼3单元502室 stay.
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
            return rewrite(
                texts, r"[0-9](?:%|[ \t]?\p{Han})", lambda text: _replace(text, pattern, replace, _is_joined_arabic)
            )
        numerals, replace_numerals = re.compile(f"(?P<kept>{kept})|{_NUMERALS}"), _Numerals(cn2an.cn2an)
        return rewrite(texts, _MAY_CHANGE, lambda text: _replace(text, numerals, replace_numerals, _is_joined_numerals))


def _replace(
    text: str,
    pattern: re.Pattern[str],
    replace: Callable[[re.Match[str]], str | None],
    is_joined: Callable[[re.Match[str], re.Match[str]], bool],
) -> str:
    """The text with its matches replaced; where one of those joined together has no replacement, all of them stay."""
    matches = list(pattern.finditer(text))
    pieces, end, begin = list[str](), 0, 0
    for behind in range(1, len(matches) + 1):
        if behind < len(matches) and is_joined(matches[behind - 1], matches[behind]):
            continue
        group, begin = matches[begin:behind], behind
        new = [replace(found) for found in group]
        if None not in new:
            for found, number in zip(group, new, strict=True):
                pieces += [text[end : found.start()], str(number)]
                end = found.end()
    return "".join([*pieces, text[end:]])


_NUMERALS = (
    rf"{_NO_AMOUNT}(?:"
    rf"(?P<percent>[百千]分之)(?P<share>{_RUN}){_APPROXIMATE}"
    rf"|(?P<year>{_YEAR})(?=年)(?:年(?P<month_of_year>{_RUN})(?=月)(?:月(?P<day_of_year>{_RUN})(?=[日号]))?)?"
    rf"|(?P<month>{_TENS}|{_D})月(?P<day>{_TENS}|{_D})(?=[日号])"
    rf"|(?P<whole>{_RUN})分之(?P<part>{_RUN}){_APPROXIMATE}"
    rf"|(?P<run>{_RUN})(?P<unit>{_UNITS})?)"
    rf"|{_SIGN}+"
)
_JOINTS = r"[_.,:/\-+#$¥￥~～—–、至到或×*]"
_ARABIC = (
    rf"(?<![A-Za-z0-9])(?<!{_JOINTS})(?P<number>(?:0|[1-9][0-9]{{0,14}})(?:\.[0-9]{{1,8}})?)"
    rf"(?:(?P<percent>%)(?![A-Za-z0-9])|(?P<blank>[ \t]?)(?P<unit>{_UNITS}))"
    r"|[0-9]+(?:[.,][0-9]+)*"
)
_HAN = r"[\u4e00-\u9fff]"
# Between the numbers of a range or a list.
_BETWEEN = rf"[ \t]?[%％]?{_HAN}{{0,5}}[ \t]{{0,2}}{_JOINTS}{{1,2}}[ \t]{{0,2}}"
_RANGE = re.compile(f"{_BETWEEN}[0-9]")
_ARABIC_GAP = re.compile(rf"[ \t]?%?{_HAN}{{0,3}}|{_BETWEEN}")
# Two of them are 两, but these are counted from the first: 二月, 二楼, 二年级.
_RANKED = re.compile("[日月号度楼层章节届期床]|世纪|年(?=[级代])|次(?=[方元])")
_NUMERAL_GAP = re.compile(
    rf"(?P<clock>时)?(?:半(?:小时|个月|[年天])?)?(?P<unit>{_UNITS})?"
    r"[ \t]*(?P<joint>[到至或、~～—–\-]{1,2}|[，,])?[ \t]*"
)
_COMPOSITES = ("percent", "year", "month", "whole")


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

    def __call__(self, found: re.Match[str]) -> str | None:
        part = found.groupdict()
        if part["kept"]:
            return found[0]
        if part["percent"]:
            share = "100" if part["share"] == "百" else self._number(part["share"])
            return None if share is None else share + ("%" if part["percent"][0] == "百" else "‰")
        if part["year"]:
            return self._date(part)
        if part["month"]:
            return f"{self._number(part['month'])}月{self._number(part['day'])}"
        if part["whole"]:
            share, whole = self._number(part["part"]), self._number(part["whole"])
            # 五分之一百 may be the fifth of a hundred.
            is_sure = share and whole and (len(part["part"]) == 1 or float(share) < float(whole))
            return f"{share}/{whole}" if is_sure else None
        return None if part["run"] is None else self._amount(part["run"], part["unit"] or "", found)

    def _date(self, part: dict[str, str | None]) -> str | None:
        text = str(part["year"]).translate(_TRANSLATED)
        for name, sign in (("month_of_year", "年"), ("day_of_year", "月")):
            if (numerals := part[name]) is not None:
                if (number := self._number(numerals)) is None:
                    return None
                text += sign + number
        return text

    def _amount(self, run: str, unit: str, found: re.Match[str]) -> str | None:
        number = self._number(run)
        if number is None or ("点" in run and not _is_decimal(run, unit, found)):
            return None
        if len(run) == 1:
            # 两片两片 is said of no amount.
            text = found.string
            is_repeated = text.endswith(found[0], 0, found.start()) or text.startswith(found[0], found.end())
            is_strict = bool(re.fullmatch(_STRICT_UNITS, unit)) or (run != "一" and bool(re.fullmatch(_PORTIONS, unit)))
            is_sure = is_strict and not is_repeated
        else:
            is_sure = len(run) >= 3 or bool(unit)
        return number + unit if is_sure else None

    def _number(self, numerals: str | None) -> str | None:
        """The digits, or None where the numerals are no number as it is counted."""
        if numerals is None:
            return None
        numerals = numerals.replace("○", "〇")
        try:
            if _COUNTED.fullmatch(numerals):
                return str(self._cn2an(numerals, "normal"))
            if found := _DECIMAL.fullmatch(numerals):
                integer = "0" if re.fullmatch(_Z, found["integer"]) else str(self._cn2an(found["integer"], "normal"))
                return f"{integer}.{found['digits'].translate(_TRANSLATED)}"
        except ValueError:  # 六亿九千, which may be meant as 690000000
            pass
        return None


def _is_decimal(run: str, unit: str, found: re.Match[str]) -> bool:
    """Whether 三点五 is 3.5, not a time (下午三点五分), not a little (早一点一般没事), not a list (有三点一是)."""
    if found.string[: found.start()].endswith(("午", "上", "晨", "晚", "早")):
        return False
    if run.startswith("一点") and not unit:
        return False
    return unit != "分" and found.string[found.end() : found.end() + 1] not in ("刻", "是")


def _is_joined_numerals(left: re.Match[str], right: re.Match[str]) -> bool:
    """Whether two matches of `_NUMERALS` belong together: side by side, as a range, or as a list of bare numbers."""
    text = left.string
    gap = _NUMERAL_GAP.fullmatch(text, left.end(), right.start()) if right.start() - left.end() < 10 else None
    if gap is None or left["kept"] or right["kept"]:
        return False
    joint, is_left_composite = gap["joint"], any(left[name] for name in _COMPOSITES)
    numerals = right["run"] or right[0]
    is_composite = any(right[name] for name in _COMPOSITES)
    is_long = is_composite or (len(numerals) > 1 and (bool(_COUNTED.fullmatch(numerals)) or "点" in numerals))
    # Not so 一般.
    is_bare = not re.match(_HAN, text[right.end() : right.end() + 1])
    if joint and joint in "，,":
        is_left_long = is_left_composite or (len(left[0]) > 1 and bool(_COUNTED.fullmatch(left[0])))
        return is_long and is_left_long and not gap["unit"]
    if joint:
        return (
            is_composite
            or is_bare
            or len(numerals) > 1
            or bool(re.match(_UNITS, right["unit"] or text[right.end() : right.end() + 5]))
        )
    if is_left_composite:
        return is_long or is_bare or bool(right["unit"] and re.fullmatch(_STRICT_UNITS, right["unit"]))
    return bool(gap["clock"]) or (bool(left["unit"]) and not gap["unit"])


def _is_joined_arabic(left: re.Match[str], right: re.Match[str]) -> bool:
    """Whether two matches of `_ARABIC` belong together."""
    begin = left.end("number") if left["number"] else left.end()
    is_near = right.start() - begin < 14 and not left["kept"] and not right["kept"]
    return is_near and bool(_ARABIC_GAP.fullmatch(left.string, begin, right.start()))


class _Arabic:
    """Replaces a match of `_ARABIC`."""

    def __init__(self, an2cn: Callable[..., str]) -> None:
        self._an2cn = an2cn

    def __call__(self, found: re.Match[str]) -> str | None:
        if found["kept"]:
            return found[0]
        text, number = found.string, found["number"]
        if number is None or _RANGE.match(text, found.end("number")):
            return None
        if found["percent"]:
            return f"百分之{self._in_chinese(number)}"
        if found["unit"] == "年" and re.fullmatch("[12][0-9]{3}", number):
            return str(number).translate(_DIRECT) + "年"
        is_ranked = bool(_RANKED.match(text, found.start("unit"))) or text[
            max(0, found.start() - 3) : found.start()
        ].rstrip().endswith("第")
        return ("两" if number == "2" and not is_ranked else self._in_chinese(number)) + found["unit"]

    def _in_chinese(self, number: str) -> str:
        integer, point, digits = number.partition(".")
        return self._an2cn(integer, "low") + (f"点{digits.translate(_DIRECT)}" if point else "")
