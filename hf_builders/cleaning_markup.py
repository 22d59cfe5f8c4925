"""Steps on what came with a web page: addresses, e-mail addresses, HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import pyarrow as pa

from hf_builders.cleaning_step import TextStep, apply_where, rewrite, substitute

_URL_CHARS = r"[A-Za-z0-9\-._~:/?#\[\]@!$&'*+,;=%|]"
# An address ends at the first character that is not of ASCII, and before the punctuation that closes a sentence.
URL = (
    r"(?:\b(?i:https?|ftp)://|\b(?i:www)\.(?:[A-Za-z0-9\-]+\.)+[A-Za-z]{2,}\b)"
    rf"(?:(?:{_URL_CHARS}|\({_URL_CHARS}*\))*(?:[A-Za-z0-9\-_~/#@$&*+=%|]|\({_URL_CHARS}*\)))?"
)
EMAIL = (
    r"\b[A-Za-z0-9](?:[A-Za-z0-9._%+\-]*[A-Za-z0-9_%+\-])?"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}\b"
)


@dataclass(frozen=True, kw_only=True)
class Urls(TextStep):
    """Addresses with `http://`, `https://`, `ftp://` or `www.` are removed; `baidu.com` by itself is no address.

    >>> Urls().clean(pa.array(["详见https://a.cn/b?c=1。谢谢", "write to a@b.com"])).to_pylist()
    ['详见。谢谢', 'write to a@b.com']
    """

    name: ClassVar[str] = "urls"

    replacement: str = ""
    """What stands in the place of each address."""
    emails: bool = False
    """Also e-mail addresses."""

    def clean(self, texts: pa.Array) -> pa.Array:
        replacement = self.replacement.replace("\\", "\\\\")
        # Few texts have an address, and its beginning is found fast.
        texts = apply_where(texts, r"://|(?i)www\.", lambda hits: substitute(hits, URL, replacement))
        return apply_where(texts, "@", lambda hits: substitute(hits, EMAIL, replacement)) if self.emails else texts


_BLOCKS = (
    "address|article|aside|blockquote|body|caption|center|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|"
    "figure|footer|form|frameset|h1|h2|h3|h4|h5|h6|head|header|hgroup|hr|html|legend|li|link|main|menu|meta|"
    "nav|noscript|ol|optgroup|option|p|pre|section|summary|table|tbody|tfoot|thead|title|tr|ul"
)
_CELLS = "td|th"
_INLINE = (
    "a|abbr|acronym|area|audio|b|base|bdi|bdo|big|blink|button|canvas|cite|code|col|colgroup|data|datalist|"
    "del|dfn|em|embed|font|frame|i|iframe|img|input|ins|kbd|label|map|mark|marquee|meter|nobr|object|output|"
    "param|picture|progress|q|rp|rt|ruby|s|samp|select|slot|small|source|span|strike|strong|sub|sup|svg|"
    "template|textarea|time|track|tt|u|var|video|wbr"
)
_DROPPED = "script|style"
_TAGS = frozenset(f"{_BLOCKS}|{_CELLS}|{_INLINE}|{_DROPPED}|br".split("|"))
# What may stand in a tag: values, and the attributes that need none. So `<b and c>` is no tag.
_ATTRIBUTES = (
    r"(?:\s+[A-Za-z_:@][\w:.\-]*\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'<>]+)"
    r"|\s+(?:async|autoplay|checked|compact|controls|defer|disabled|hidden|ismap|loop|multiple|muted|noshade|novalidate"
    r"|nowrap|open|readonly|required|reversed|selected))*\s*/?"
)
_ENTITY = re.compile(r"&(?:#[0-9]+|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);")
_GAP = r"[ \t\r\n]*"


@dataclass(frozen=True, kw_only=True)
class Html(TextStep):
    r"""Tags are removed and their text is kept, then entities become characters, once.

    A tag has a name of HTML and well-formed attributes: `a < b`, `<b and c>`, `<UNK>` and `<think>` are text. `<br>` is
    a line end, and so is a run of tags of blocks such as `<p>`, `<li>`, `<tr>`; a cell of a table ends with a space.
    Comments, scripts and style sheets go with all that is in them. An entity ends with `;`, others are text, as in
    `?a=1&copy=2`. `&lt;b&gt;` becomes the text `<b>`: the step is to run once.

    >>> Html().clean(pa.array(["<p>头痛 &amp; 恶心</p><p>体温 &lt; 38</p>", "a < b, <UNK>"])).to_pylist()
    ['头痛 & 恶心\n体温 < 38', 'a < b, <UNK>']
    """

    name: ClassVar[str] = "html"

    keep: list[str] = field(default_factory=list)
    """Names of tags that are text in your data, such as `time` where `<TIME>` is a placeholder, or `s`."""

    def contradictions(self) -> Iterator[str]:
        for name in self.keep:
            if name.lower() not in _TAGS:
                yield f"keep: {name!r} is no tag of HTML; it stays as it is"

    def clean(self, texts: pa.Array) -> pa.Array:
        kept = {name.lower() for name in self.keep}
        # Most texts have no tag, and looking for `<` costs little.
        texts = apply_where(texts, "<", lambda some: self._without_tags(some, kept))
        return rewrite(texts, "&[A-Za-z0-9#]+;", lambda text: _ENTITY.sub(lambda found: html.unescape(found[0]), text))

    def _without_tags(self, texts: pa.Array, kept: set[str]) -> pa.Array:
        texts = substitute(texts, r"(?s)<!--.*?-->|<!(?i:doctype)\b[^<>]*>", "")
        for name in _DROPPED.split("|"):
            if name not in kept:
                texts = substitute(texts, rf"(?is)<{name}{_ATTRIBUTES}>.*?</{name}\s*>", "")
        if "br" not in kept:
            texts = substitute(texts, rf"[ \t]*<(?i:br){_ATTRIBUTES}>[ \t]*(?:\r?\n)?", "\n")
        blocks, cells, inline = (
            [name for name in names.split("|") if name not in kept] for names in (_BLOCKS, _CELLS, _INLINE)
        )
        # Before its block, the end of a cell is nothing but a gap.
        texts = substitute(texts, rf"{_tag(cells, '/')}(?:{_GAP}{_tag(cells, '')})?", " ")
        texts = substitute(texts, _tag([*inline, *cells], "/?"), "")
        block = rf"{_GAP}(?:{_tag(blocks, '/?')}{_GAP})+"
        texts = substitute(texts, rf"\A{block}|{block}\z", "")
        return substitute(texts, block, "\n")


def _tag(names: list[str], slash: str) -> str:
    """The pattern of a tag with one of these names; of an opening one where `slash` is empty."""
    return rf"<{slash}(?i:{'|'.join(names)}){_ATTRIBUTES}>" if names else r"[^\x00-\x{10ffff}]"
