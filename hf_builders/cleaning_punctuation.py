"""Punctuation in one style: Chinese signs in Chinese text, or ASCII signs everywhere."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import ClassVar, Literal

import pyarrow as pa

from hf_builders.cleaning_markup import EMAIL, URL
from hf_builders.cleaning_step import TextStep, apply_where, rewrite

_HAN = r"\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# What Chinese text goes on behind, and goes on with.
_BEFORE = rf"[{_HAN}”’」』）】》〉…]"
_AFTER = rf"[{_HAN}“‘「『（【《〈]"
_WIDE = {",": "，", ";": "；", ":": "：", "!": "！", "?": "？"}
_TO_ASCII = str.maketrans(
    {wide: ascii for ascii, wide in _WIDE.items()}
    | {
        "。": ".",
        "．": ".",
        "、": ",",
        "（": "(",
        "）": ")",
        "【": "[",
        "】": "]",
        "［": "[",
        "］": "]",
        "｛": "{",
        "｝": "}",
    }
    | {"“": '"', "”": '"', "‘": "'", "’": "'", "「": '"', "」": '"', "『": "'", "』": "'", "…": "..."}
    | {"—": "--", "～": "~", "％": "%", "｡": ".", "､": ",", "｢": '"', "｣": '"'}
)
_HALF_WIDTH = re.compile("[｡､｢｣]")
_FROM_HALF_WIDTH = str.maketrans("｡､｢｣", "。、「」")
# Bounded as mail is: without a bound it takes quadratic time.
_EMAIL = EMAIL.replace("]*", "]{0,62}")
# Never looked into: code as Markdown marks it, addresses, tags, attributes, entities, and objects, lists and calls as
# JSON or Python write them.
_PROTECTED = re.compile(
    rf"```.*?(?:```|\Z)|`[^`\n]+`|{URL}|{_EMAIL}"
    r"|</?[A-Za-z][A-Za-z0-9]*(?:\s+[A-Za-z_:@][^<>]*|\s*)/?>|&(?:\w+|\#[0-9]+|\#[xX][0-9A-Fa-f]+);"
    r"""|(?<![\w:.\-])[A-Za-z_][\w:.\-]*=(?:"[^"\n]*"|'[^'\n]*')"""
    r"""|\{(?=[^{}\n]*["'][ \t]*:)[^{}\n]*\}|\[[ \t]*(["'])[^\[\]\n]*\1[ \t]*\]"""
    r"""|(?<![\w.])[A-Za-z_][\w.]*\([ \t]*[fFrRbBuU]{0,2}["'](?:[^()\n]|\([^()\n]*\))*\)""",
    re.DOTALL | re.ASCII,
)
_JSON_BEGIN = re.compile(r"""\{\s*"|\[\s*(?:["\[{0-9\-]|true|false|null)""")
_JSON = json.JSONDecoder(strict=False)
_MOST_FAILURES = 64
_CODE_LINE = re.compile(
    rf"""\s*(?:"[^"]*"\s*:|def\s+\w+\s*\(|class\s+\w+\s*[:(]|print\s*\(|return\s+[\w"'(\[{{\-]"""
    rf"""|import\s+[\w{{*"']|from\s+[\w.]+\s+import\b"""
    rf"""|(?:(?:const|let|var)\s+)?[A-Za-z_][\w.\[\]]*\s*[-+]?=(?!=)[^"'{_HAN}]*["'])""",
    re.ASCII,
)
_DOTS = r"(?:\.{3,}|…|。{3,})"
# Never from the middle of a run, which is why `…` must not stand before it.
_ELLIPSIS = re.compile(rf"(?<=(?!…){_BEFORE}){_DOTS}+|{_DOTS}+(?={_AFTER})|。{{3,}}{_DOTS}*")
_DASH = re.compile(rf"(?<={_BEFORE})-{{2,3}}(?={_AFTER})")
_PARENTHESIS = re.compile("[()（）]")
# `:)` is a face, `!=` and `?a=` are code. `:(1)` and `答案:D` are no faces.
_FACE = rf":[-)/\\|]|:\*(?!\*)|;-?\)|(?<![案项选择级型类组别]):D(?![A-Za-z0-9\-{_HAN}])|:\((?![^\n)）]{{0,200}}[)）])"
_MARKS_BEHIND_CHINESE = re.compile(rf"(?<={_BEFORE})(?!{_FACE}|!=|\?[A-Za-z0-9_]*[=&])([,;:!?]+)(?![=/])[ \t]*")
_MARKS_BEFORE_CHINESE = re.compile(rf"(?<=[^\s=/\\.$,;:!?\"'(\[{{<&])([,;:!?]+)(?={_AFTER})")
_MEASURE = "[%％℃°]"
_MEASURE_STOP = re.compile(
    rf"(?<={_MEASURE})\.(?=[ \t]+[{_HAN}]|[”’」』）\"']*[ \t\r]*\Z)[ \t]*|(?<=\))\.(?=[”’」』）\"']*[ \t\r]*\Z)[ \t]*"
)
_STOP = re.compile(rf"(?<={_BEFORE})\.(?=[\s”’」』）\"']|\Z)(?![\"'][A-Za-z0-9])[ \t]*")
_STOP_BETWEEN = re.compile(rf"(?<={_BEFORE})\.(?={_AFTER})")
_LIST_NUMBER = re.compile(r"[（(]?[一二三四五六七八九十]{1,3}[)）]?\Z")
_SINGLE_QUOTED = re.compile(
    rf"(?<![A-Za-z0-9=(\[{{,:])'((?=[{_HAN}])[^'\n]*(?<=[{_HAN}，。！？；：…]))'(?![A-Za-z0-9:])"
)


def _in_re2(pattern: str) -> str:
    return re.sub(r"\\[uU]([0-9A-Fa-f]+)", r"\\x{\1}", pattern)


_SOME_HAN = _in_re2(f"[{_HAN}]")
# What every change to Chinese needs.
_MAY_BECOME_CHINESE = _in_re2(
    rf"""[｡､｢｣()"'…]|\.{{3}}|。{{3}}|--|{_BEFORE}[,;:!?.]|[,;:!?]{_AFTER}|[%％℃°]\.""",
)
_HAN_CHARACTER = re.compile(f"[{_HAN}]")
_LATIN_WORD = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True, kw_only=True)
class Punctuation(TextStep):
    """Punctuation in one style.

    To `chinese`, in lines with at least as many Chinese characters as Latin words: `,;:!?` behind a Chinese character,
    or right between any other character and a Chinese one; `.` that ends a sentence; `...` as `……`, `--`
    as `——`; parentheses around Chinese; straight quotes in pairs, around Chinese, as `“”` and `‘’`. The blanks behind
    a sign that became Chinese go. What stays: numbers (`3.14`, `1,000`, `12:30`), faces (`:)`), Latin text, addresses,
    tags and entities of HTML, code between backticks, JSON wherever it stands, and quotes that have no partner in their
    line. So does a line that begins as code does: `return "好,坏"`, `x = "好,坏"`, `print(`, `"名": "张,三"`. Other
    code belongs between backticks.

    `.` behind `%` or `℃` ends a sentence before a blank and Chinese, and at the end of a line, but behind `)` only at
    the end of a line: `1). 头痛` is an item. `哈哈:D` is a face, `答案:D` is none; other words before a single D stay.

    To `ascii`: every Chinese sign that has an ASCII twin, wherever it stands; `《》` have none.

    >>> Punctuation(to="chinese").clean(pa.array(['他说:"头痛,恶心"...体温38.5(偏高).'])).to_pylist()
    ['他说：“头痛，恶心”……体温38.5（偏高）。']
    """

    name: ClassVar[str] = "punctuation"

    to: Literal["chinese", "ascii"]
    stops_between: bool = False
    """To `chinese`, also `.` right between two Chinese characters. Sloppy texts end sentences so, but 约翰.史密斯 is a
    name."""

    def clean(self, texts: pa.Array) -> pa.Array:
        if self.to == "ascii":
            return rewrite(texts, r"[\x{2014}\x{2018}-\x{201d}…\x{3001}-\x{3011}\x{ff01}-\x{ff64}]", _to_ascii)
        return apply_where(texts, _SOME_HAN, lambda hits: rewrite(hits, _MAY_BECOME_CHINESE, self._to_chinese))

    def _to_chinese(self, text: str) -> str:
        # Characters of private use stand for what is protected, so that the rules see where it was.
        unused = (chr(code) for code in range(0xE000, 0xF900) if chr(code) not in text)
        json_stand_in, stand_in = next(unused), next(unused)
        text, objects = _without_json(text, json_stand_in)
        protected: list[str] = []

        def protect(found: re.Match[str]) -> str:
            protected.append(found[0])
            return stand_in

        lines = _PROTECTED.sub(protect, text).split("\n")
        text = "\n".join(
            self._line_to_chinese(line) if _is_chinese(line) and not _CODE_LINE.match(line) else line for line in lines
        )
        for each, pieces in ((stand_in, iter(protected)), (json_stand_in, iter(objects))):
            text = re.sub(each, lambda _, pieces=pieces: next(pieces), text)  # type: ignore[misc]
        return text

    def _line_to_chinese(self, line: str) -> str:
        line = _parentheses(line) if "(" in line or ")" in line else line
        line = _ELLIPSIS.sub("……", _HALF_WIDTH.sub(lambda found: found[0].translate(_FROM_HALF_WIDTH), line))
        line = _DASH.sub("——", line) if "--" in line else line
        line = _MARKS_BEHIND_CHINESE.sub(_widen_marks, line)
        line = _MEASURE_STOP.sub(_widen_measure_stop, _STOP.sub(_widen_stop, line))
        line = _STOP_BETWEEN.sub(_widen_stop, line) if self.stops_between else line
        line = _MARKS_BEFORE_CHINESE.sub(_widen_marks, line)
        quoted = _double_quotes(line) if '"' in line else line
        quoted = _SINGLE_QUOTED.sub(r"‘\1’", quoted) if "'" in quoted else quoted
        # Again: the quotes that are Chinese now are Chinese text too.
        return line if quoted == line else self._line_to_chinese(quoted)


def _to_ascii(text: str) -> str:
    # Two of them are one sign.
    return text.replace("……", "…").replace("——", "—").translate(_TO_ASCII)


def _without_json(text: str, stand_in: str) -> tuple[str, list[str]]:
    """The text with a stand-in for each object and list of JSON that has a string, and these, in order."""
    pieces, objects, end, num_failures = list[str](), list[str](), 0, 0
    begin = _JSON_BEGIN.search(text)
    # Each failure may have read all the rest: more of them would take quadratic time.
    while begin and num_failures < _MOST_FAILURES:
        behind = begin.start() + 1
        try:
            _, json_end = _JSON.raw_decode(text, begin.start())
        except (ValueError, RecursionError):
            num_failures += 1
        else:
            behind = json_end
            if '"' in (found := text[begin.start() : json_end]):
                pieces += [text[end : begin.start()], stand_in]
                objects.append(found)
                end = json_end
        begin = _JSON_BEGIN.search(text, behind)
    return "".join([*pieces, text[end:]]), objects


def _is_chinese(line: str) -> bool:
    """Whether the line has Chinese characters, and at least as many of them as Latin words."""
    num_han = len(_HAN_CHARACTER.findall(line))
    return num_han > 0 and num_han >= len(_LATIN_WORD.findall(line))


def _widen_marks(found: re.Match[str]) -> str:
    return "".join(_WIDE[mark] for mark in found[1])


def _widen_stop(found: re.Match[str]) -> str:
    """The full stop, but not behind the number of an item such as 一."""
    return found[0] if _LIST_NUMBER.match(found.string[: found.start()].strip()) else "。"


def _widen_measure_stop(found: re.Match[str]) -> str:
    before = found.string[: found.start()]
    return _widen_stop(found) if _HAN_CHARACTER.search(before) else found[0]


def _parentheses(line: str) -> str:
    """Those around Chinese, and those of which one is Chinese already; not those of a call such as `f("好")`.

    >>> _parentheses("((甲)乙)和(CT)和（MRI)")
    '（（甲）乙）和(CT)和（MRI）'
    """
    signs, begins = list(line), list[int]()
    for found in _PARENTHESIS.finditer(line):
        if found[0] in "(（":
            begins.append(found.start())
        elif begins:
            begin, end = begins.pop(), found.start()
            is_mixed = (line[begin] == "(") != (line[end] == ")")
            is_chinese = line[begin + 1] not in "\"'" and bool(_HAN_CHARACTER.search(line, begin, end))
            if is_mixed or is_chinese:
                signs[begin], signs[end] = "（", "）"
    return "".join(signs)


def _double_quotes(line: str) -> str:
    r"""Straight quotes in pairs, where they quote Chinese or a word in Chinese.

    >>> _double_quotes('他说"好"'), _double_quotes('name="张三"'), _double_quotes('5" 的屏')
    ('他说“好”', 'name="张三"', '5" 的屏')
    """
    pieces = line.split('"')
    if len(pieces) < 3 or len(pieces) % 2 == 0:
        return line
    text = pieces[0]
    for quoted, behind in zip(pieces[1::2], pieces[2::2], strict=True):
        before = text.rstrip()
        # `"甲","乙"` is no list of Python where the first pair is Chinese already.
        is_code = before.endswith(("=", "(", "[", "{", ",", ":", "\\")) and not before.endswith("”,")
        is_code = is_code or behind.lstrip().startswith((":", "]", "}", "="))
        is_in_chinese = bool(_HAN_CHARACTER.match(text[-1:])) and bool(_HAN_CHARACTER.match(behind[:1]))
        is_chinese = bool(_HAN_CHARACTER.search(quoted)) or (is_in_chinese and quoted.strip() != "")
        text += f"“{quoted}”{behind}" if is_chinese and not is_code else f'"{quoted}"{behind}'
    return text
