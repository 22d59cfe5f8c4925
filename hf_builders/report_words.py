"""Texts in both languages of the report, and numbers and data among them: what goes in is escaped, what comes out is
HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from markupsafe import Markup

from collators.token_texts import visible


class Count(int):
    """A whole number that knows how to stand before its unit.

    >>> f"{Count(1234)}", f"{Count(1234):row}", f"{Count(1):row}", f"{Count(2):row stands|rows stand}"
    ('1,234', '1,234 rows', '1 row', '2 rows stand')
    """

    def __format__(self, unit: str) -> str:
        number = format(int(self), ",")
        if not unit:
            return number
        one, _, many = unit.partition("|")
        return f"{number} {one if self == 1 else many or f'{one}s'}"


def percent(share: float) -> str:
    """One decimal; what is not quite all, or not quite nothing, says so.

    >>> percent(0.694), percent(0), percent(0.00001), percent(0.99999), percent(1)
    ('69.4%', '0%', '< 0.1%', '> 99.9%', '100%')
    """
    if share in (0, 1):
        return f"{share:.0%}"
    if share < 0.0005:
        return "< 0.1%"
    if 0.9995 <= share < 1:
        return "> 99.9%"
    return f"{share:.1%}"


def num_bytes(size: int) -> str:
    """In units of 1,000, with the unit.

    >>> num_bytes(999), num_bytes(117_775), num_bytes(4_200_000_000)
    ('999 B', '117.8 kB', '4.2 GB')
    """
    amount, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{size} B" if units[0] == "B" else f"{amount:.1f} {units[0]}"


class Text(NamedTuple):
    """The same in English and in Chinese. Both may hold `<code>` and places for values, as `str.format` has them."""

    en: str
    zh: str


def say(text: Text, **values: Any) -> Markup:
    """Both languages side by side; the page's style shows one of them. Values are escaped, whole numbers counted.

    >>> for html in say(Text("{n:row} of {name}", "{name} 的 {n} 行"), n=1200, name="<b>").split("><"):
    ...     print(html)
    <span class="en" lang="en">1,200 rows of &lt;b&gt;</span
    span class="zh" lang="zh-Hans">&lt;b&gt; 的 1,200 行</span>
    """
    return _both("span", text, values)


def label(text: Text, **values: Any) -> Markup:
    """The same inside of a picture, where HTML has no place."""
    return _both("tspan", text, values)


def _both(tag: str, text: Text, values: Mapping[str, Any]) -> Markup:
    counted = {name: Count(value) if type(value) is int else value for name, value in values.items()}
    parts = (("en", "en", text.en), ("zh", "zh-Hans", text.zh))
    return Markup("").join(
        Markup(f'<{tag} class="{{}}" lang="{{}}">{{}}</{tag}>').format(kind, language, Markup(each).format(**counted))
        for kind, language, each in parts
    )


def plain(text: Text, **values: Any) -> str:
    """Both languages in a line, for where no style can choose: titles of the page and of its pictures.

    >>> plain(Text("Rows of {split}", "{split} 的行"), split="train")
    'Rows of train · train 的行'
    """
    return " · ".join(each.format(**values) for each in text)


def shown_token(text: str) -> str:
    """The text of a token; behind the sign of a newline there is one."""
    return _sayable(text).replace("⏎", "⏎\n")


def _sayable(text: str) -> str:
    # Half of a surrogate pair is no character that a file can hold.
    return visible(text).encode("utf-8", "backslashreplace").decode()


def shown(text: object, limit: int = 200) -> Markup:
    """A text from data on one line, isolated from the direction of what stands around it, its control characters
    visible; longer than `limit` characters it is cut, and the number of those not shown is said.

    >>> print(shown("a<b>\\u202e\\nc"), shown("abcdef", 4))
    <bdi>a&lt;b&gt;\\u202e⏎c</bdi> <bdi>abcd</bdi><small class="more">… +2</small>
    """
    whole = str(text)
    part = _sayable(whole[:limit])
    more = Markup('<small class="more">… +{}</small>').format(Count(len(whole) - limit)) if len(whole) > limit else ""
    return Markup("<bdi>{}</bdi>{}").format(part, more)
