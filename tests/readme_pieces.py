"""A README in, its pieces out (headings, paragraphs, items, table rows, blocks of code), and what a piece states."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

_BORDER = re.compile(r"(?<!\\)\|")
_CODE_SPAN = re.compile(r"(`+)(.+?)\1(?!`)")
_TARGET = re.compile(r"\]\(([^()\s]+)\)|<(https?://[^>\s]+)>")
_NAME = re.compile(r'"[^"]+"|--\w[\w-]*|\w*_\w*|\w+=|\w+(?:[./]\w+)+', re.ASCII)
_DIGITS = re.compile(r"−?\d(?:[\d,.]*\d)?")
_WORDS = {
    word: value
    for value, words in {
        2: "two",
        3: "three third",
        4: "four fourth quarter",
        5: "five fifth",
        6: "six sixth",
        7: "seven seventh",
        8: "eight eighth",
        9: "nine ninth",
        10: "ten tenth",
        11: "eleven",
        12: "twelve",
        20: "twenty",
        30: "thirty",
        40: "forty",
        50: "fifty",
        1000: "thousand",
        1_000_000: "million",
    }.items()
    for word in words.split()
}
_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)
_CHINESE_DIGITS = {"两": 2} | {digit: value for value, digit in enumerate("一二三四五六七八九", 1)}
_CHINESE_UNITS = {"十": 10, "百": 100, "千": 1000}
# 数万 and 几百 are no figures, as "tens of thousands" and "a few hundred" are none; 第二 is "second", which is a unit
# too; 百度 and 百科 are names.
_CHINESE = re.compile(r"(?<![数几])(?!(?<=第)二|百[度科])[一二两三四五六七八九十百千万]+")


class Piece(NamedTuple):
    kind: str
    """What it is, with a heading's level, a row's number of cells or the language of code."""
    text: str
    """On one line, but for code."""
    line: int
    """Of the file, from 1."""


def pieces(markdown: str) -> list[Piece]:
    """The pieces of a README in their order; lines that go on with a paragraph or an item are joined to it.

    >>> [piece.kind for piece in pieces("# Title\\n\\nSome\\nwords\\n\\n- an item\\n\\n```bash\\nmake\\n```\\n")]
    ['heading 1', 'paragraph', 'item', 'code bash']
    """
    found: list[Piece] = []
    is_open = False
    lines = enumerate(markdown.splitlines(), 1)
    for number, line in lines:
        goes_on, is_open = is_open, False
        if line.startswith("```"):
            # The iterator is the one of the loop, which goes on behind the block.
            code = list(iter(lambda: next(lines)[1], "```"))
            found.append(Piece(f"code {line[3:]}", "\n".join(code), number))
        elif heading := re.match(r"(#+) ", line):
            found.append(Piece(f"heading {len(heading[1])}", line, number))
        elif line.startswith("|"):
            found.append(Piece(f"row of {len(_BORDER.findall(line)) - 1}", line, number))
        elif item := re.match(r"( *)(?:[-*]|\d+\.) ", line):
            found.append(Piece("item" + item[1], line, number))
            is_open = True
        elif line.strip():
            is_open = True
            if goes_on:
                found[-1] = found[-1]._replace(text=f"{found[-1].text} {line.strip()}")
            else:
                found.append(Piece("paragraph", line, number))
    return found


def code_spans(text: str) -> set[str]:
    """What stands between backquotes."""
    return {match[2] for match in _CODE_SPAN.finditer(text)}


def targets(text: str) -> set[str]:
    """What links and images lead to."""
    return {match[1] or match[2] for match in _TARGET.finditer(text)}


def names(comment: str) -> set[str]:
    """Words of a comment that are not prose: strings, options, and what holds `_`, `=`, `.` or `/`.

    >>> sorted(names("# yours: data_dir=, or --check of a.yaml, then go on."))
    ['--check', 'a.yaml', 'data_dir']
    """
    return set(_NAME.findall(comment))


def figures(text: str) -> Counter[str | int]:
    """The numbers of a text and how often each stands there, in digits or in words of English or Chinese, but for
    code, for addresses and for one in words, which is an article in both languages.

    >>> figures("two of 1,000 rows, a third") == figures("1,000 行中的两行，三分之一")
    True
    """
    prose = _TARGET.sub("]", _CODE_SPAN.sub("", text))
    found: Counter[str | int] = Counter(_DIGITS.findall(prose))
    found.update(_WORDS[word.lower()] for word in _WORD.findall(prose))
    found.update(_chinese_number(numeral) for numeral in _CHINESE.findall(prose))
    del found[1]
    return found


def _chinese_number(numeral: str) -> int:
    """The value of a numeral such as 二十 or 一百二十三万."""
    total = section = digit = 0
    for char in numeral:
        if char == "万":
            total, section, digit = (total + section + digit or 1) * 10_000, 0, 0
        elif char in _CHINESE_UNITS:
            section, digit = section + (digit or 1) * _CHINESE_UNITS[char], 0
        else:
            digit = _CHINESE_DIGITS[char]
    return total + section + digit
