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
# Never looked into: code as Markdown marks it, addresses, objects, lists and calls as JSON or Python write them.
_PROTECTED = re.compile(
    rf"```.*?(?:```|\Z)|`[^`\n]+`|{URL}|{EMAIL}"
    r"""|\{[^{}\n]*["'][ \t]*:[^{}\n]*\}|\[[ \t]*(["'])[^\[\]\n]*\1[ \t]*\]"""
    r"""|[A-Za-z_][A-Za-z0-9_.]*\([ \t]*["'][^()\n]*\)""",
    re.DOTALL | re.ASCII,
)
_DOTS = r"(?:\.{3,}|…|。{3,})"
# Never from the middle of a run, which is why `…` must not stand before it.
_ELLIPSIS = re.compile(rf"(?<=(?!…){_BEFORE}){_DOTS}+|{_DOTS}+(?={_AFTER})|。{{3,}}{_DOTS}*")
_DASH = re.compile(rf"(?<={_BEFORE})-{{2,3}}(?={_AFTER})")
_PARENTHESIS = re.compile("[()（）]")
# `:)` is a face, `!=` and `?a=` are code.
_MARKS_BEHIND_CHINESE = re.compile(rf"(?<={_BEFORE})(?!:[-()/\\|*D]|!=|\?[A-Za-z0-9_]*[=&])([,;:!?]+)(?![=/])[ \t]*")
_MARKS_BEFORE_CHINESE = re.compile(rf"(?<=[A-Za-z0-9%)\]”’）\ue000-\uf8ff])([,;:!?]+)(?={_AFTER})", re.ASCII)
_STOP = re.compile(rf"(?<={_BEFORE})\.(?=[\s”’」』）\"']|\Z)(?![\"'][A-Za-z0-9])[ \t]*")
_STOP_BETWEEN = re.compile(rf"(?<={_BEFORE})\.(?={_AFTER})")
_LIST_NUMBER = re.compile(r"[（(]?[一二三四五六七八九十]{1,3}\Z")
_SINGLE_QUOTED = re.compile(
    rf"(?<![A-Za-z0-9=(\[{{,:])'((?=[{_HAN}])[^'\n]*(?<=[{_HAN}，。！？；：…]))'(?![A-Za-z0-9:])"
)


def _in_re2(pattern: str) -> str:
    return re.sub(r"\\[uU]([0-9A-Fa-f]+)", r"\\x{\1}", pattern)


_SOME_HAN = _in_re2(f"[{_HAN}]")
# What every change to Chinese needs.
_MAY_BECOME_CHINESE = _in_re2(
    rf"""[｡､｢｣()"'…]|\.{{3}}|。{{3}}|--|{_BEFORE}[,;:!?.]|[,;:!?]{_AFTER}""",
)
_HAN_CHARACTER = re.compile(f"[{_HAN}]")
_LATIN_WORD = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True, kw_only=True)
class Punctuation(TextStep):
    """Punctuation in one style.

    To `chinese`, in lines with at least as many Chinese characters as Latin words: `,;:!?` behind a Chinese character,
    or right between a Latin word or number and a Chinese character; `.` that ends a sentence; `...` as `……`, `--`
    as `——`; parentheses around Chinese; straight quotes in pairs, around Chinese, as `“”` and `‘’`. The blanks behind
    a sign that became Chinese go. What stays: numbers (`3.14`, `1,000`, `12:30`), Latin text, addresses, code between
    backticks, JSON, and quotes that have no partner in their line.

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
        if text[:1] in "{[" and _is_json(text):
            return text
        # A character of private use stands for what is protected, so that the rules see where it was.
        stand_in = next(chr(code) for code in range(0xE000, 0xF900) if chr(code) not in text)
        protected: list[str] = []

        def protect(found: re.Match[str]) -> str:
            protected.append(found[0])
            return stand_in

        lines = _PROTECTED.sub(protect, text).split("\n")
        text = "\n".join(self._line_to_chinese(line) if _is_chinese(line) else line for line in lines)
        pieces = iter(protected)
        return re.sub(stand_in, lambda _: next(pieces), text)

    def _line_to_chinese(self, line: str) -> str:
        line = _ELLIPSIS.sub("……", _HALF_WIDTH.sub(lambda found: found[0].translate(_FROM_HALF_WIDTH), line))
        line = _DASH.sub("——", line) if "--" in line else line
        line = _parentheses(line) if "(" in line or ")" in line else line
        line = _MARKS_BEHIND_CHINESE.sub(_widen_marks, line)
        line = _double_quotes(line) if '"' in line else line
        line = _SINGLE_QUOTED.sub(r"‘\1’", line) if "'" in line else line
        # Again: the quotes that are Chinese now are Chinese text too.
        line = _MARKS_BEHIND_CHINESE.sub(_widen_marks, line)
        line = _MARKS_BEFORE_CHINESE.sub(_widen_marks, line)
        line = _STOP.sub(_widen_stop, line)
        return _STOP_BETWEEN.sub(_widen_stop, line) if self.stops_between else line


def _to_ascii(text: str) -> str:
    # Two of them are one sign.
    return text.replace("……", "…").replace("——", "—").translate(_TO_ASCII)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _is_chinese(line: str) -> bool:
    """Whether the line has Chinese characters, and at least as many of them as Latin words."""
    num_han = len(_HAN_CHARACTER.findall(line))
    return num_han > 0 and num_han >= len(_LATIN_WORD.findall(line))


def _widen_marks(found: re.Match[str]) -> str:
    return "".join(_WIDE[mark] for mark in found[1])


def _widen_stop(found: re.Match[str]) -> str:
    """The full stop, but not behind the number of an item such as 一."""
    return found[0] if _LIST_NUMBER.match(found.string[: found.start()].strip()) else "。"


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
        is_code = text.endswith(("=", "(", "[", "{", ",", ":", "\\")) or behind.startswith((":", "]", "}", "="))
        is_in_chinese = bool(_HAN_CHARACTER.match(text[-1:])) and bool(_HAN_CHARACTER.match(behind[:1]))
        is_chinese = bool(_HAN_CHARACTER.search(quoted)) or (is_in_chinese and quoted.strip() != "")
        text += f"“{quoted}”{behind}" if is_chinese and not is_code else f'"{quoted}"{behind}'
    return text
