"""A text in both languages of the report, and data among it: what goes in is escaped, what comes out is HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from markupsafe import Markup

from collators.token_texts import visible
from hf_builders.report_numbers import Count


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
