"""Steps on what came with a web page: addresses, e-mail addresses, HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import pyarrow as pa

from hf_builders.cleaning_step import TextStep, apply_where, rewrite, substitute

_URL_CHARS = r"[A-Za-z0-9\-._~:/?#@!$&'*+,;=%|]"
_URL_PART = rf"{_URL_CHARS}|\({_URL_CHARS}*\)|\[{_URL_CHARS}*\]"
_URL_END = rf"[A-Za-z0-9\-_~/#@$&*+=%|]|\({_URL_CHARS}*\)|\[{_URL_CHARS}*\]"
# An address ends at the first character that is not of ASCII, and before the punctuation that closes a sentence.
URL = (
    r"(?:\b(?i:https?|ftp)://(?:[A-Za-z0-9_]|\[[0-9A-Fa-f:.]+\])|\b(?i:www)\.(?:[A-Za-z0-9\-]+\.)+[A-Za-z]{2,}\b)"
    rf"(?:(?:{_URL_PART})*(?:{_URL_END}))?"
)
EMAIL = (
    r"\b[A-Za-z0-9](?:[A-Za-z0-9._%+\-]*[A-Za-z0-9_%+\-])?"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}\b"
)


_GAP = r"[ \t\r\n]*"
_MAIL = rf"(?:\b(?i:mailto):{EMAIL}(?:\?(?:{_URL_PART})*(?:{_URL_END}))?|{EMAIL})"
_TITLE = r"(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'))?"
_BRACKETS = [(re.escape(left), re.escape(right)) for left, right in zip("([<（［【《〈", ")]>）］】》〉", strict=True)]


@dataclass(frozen=True, kw_only=True)
class Urls(TextStep):
    """Addresses with `http://`, `https://`, `ftp://` or `www.` are removed; `baidu.com` by itself is no address.

    The brackets around an address go with it, and of a link or picture in Markdown its text stays. `https://` stays
    where no host follows, which begins with a letter or digit of ASCII.

    >>> Urls().clean(pa.array(["详见https://a.cn/b?c=1。谢谢", "[官网](http://a.cn)", "a@b.com"])).to_pylist()
    ['详见。谢谢', '官网', 'a@b.com']
    """

    name: ClassVar[str] = "urls"

    replacement: str = ""
    """What stands in the place of each address; the brackets around it stay then."""
    emails: bool = False
    """Also e-mail addresses, with `mailto:` before them."""

    def clean(self, texts: pa.Array) -> pa.Array:
        # Few texts have an address, and its beginning is found fast.
        texts = apply_where(texts, r"://|(?i)www\.", lambda hits: self._without(hits, URL))
        return apply_where(texts, "@", lambda hits: self._without(hits, _MAIL)) if self.emails else texts

    def _without(self, texts: pa.Array, address: str) -> pa.Array:
        if self.replacement:
            return substitute(texts, address, self.replacement.replace("\\", "\\\\"))
        for _ in range(2):  # a picture may be the text of a link
            texts = substitute(texts, rf"!?\[([^\[\]\n]*)\]\({_GAP}<?{address}>?{_TITLE}{_GAP}\)", r"\1")
        enclosed = "|".join(left + _GAP + address + _GAP + right for left, right in _BRACKETS)
        return substitute(texts, rf"{enclosed}|{address}", "")


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
# Of Office: `<o:p>`, `<v:shape>`, `<st1:place>`; `<m:n>` is text.
_OFFICE = r"o:p|(?:[movwx]|st1):[A-Za-z]\w{2,}"
# What may stand in a tag: values, and the attributes that need none. So `<b and c>` is no tag.
_KEY = r"[A-Za-z_:@][\w:.\-]*\s*=\s*"
_QUOTED = rf"{_KEY}(?:\"[^\"]*\"|'[^']*')"
_UNQUOTED = (
    rf"(?:{_KEY}[^\s\"'<>]+"
    r"|async|autoplay|checked|compact|controls|defer|disabled|hidden|ismap|loop|multiple|muted|noshade|novalidate"
    r"|nowrap|open|readonly|required|reversed|selected)"
)
# Behind a closing quote the blank may lack.
_ATTRIBUTES = rf"(?:\s+(?:(?:{_QUOTED})+{_UNQUOTED}?|{_UNQUOTED}))*\s*/?"
_DECLARATIONS = r"<!(?i:doctype)\b[^<>]*>|<\?(?i:xml)\b[^<>]*>|<!\[(?i:if\b[^<>\]]*|endif)\]>"
# What begins a script or a style sheet that was cut off; prose goes on otherwise behind `<script>`.
_CODE = {
    "script": r"(?:(?:var|let|const)\s+[\w$]+\s*[=;]|[\w$.\[\]]+\s*=|[\w$.]+\(|(?:async\s+)?function\b[^()\n]*\("
    r"|[(!]\s*(?:async\s*)?(?:function|\()|//|/\*)",
    "style": r"(?:@[a-z]+\b|/\*|[\w.#*][^<>{}\n]*\{)",
}
_PICTURE = re.compile(r"<svg\b[^<>]*>((?:(?!<svg\b).)*?)</svg\s*>", re.DOTALL | re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#[0-9]+|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);")


@dataclass(frozen=True, kw_only=True)
class Html(TextStep):
    r"""Tags are removed and their text is kept, then entities become characters, once.

    A tag has a name of HTML and well-formed attributes: `a < b`, `<b and c>`, `<UNK>` and `<think>` are text. `<br>` is
    a line end, and so is a run of tags of blocks such as `<p>`, `<li>`, `<tr>`; a cell of a table ends with a space.
    Comments, scripts and style sheets go with all that is in them, also one that is cut off if what it begins with is
    code. Of an `<svg>` the text stays, of `<![CDATA[ … ]]>` all that is in it; tags of Office such as `<o:p>` and
    `<?xml …?>` go. An entity ends with `;`, others are text, as in `?a=1&copy=2`. `&lt;b&gt;` becomes the text `<b>`:
    the step is to run once.

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
        texts = substitute(texts, rf"(?s)<!--.*?-->|{_DECLARATIONS}", "")
        for name in _DROPPED.split("|"):
            if name not in kept:
                texts = substitute(texts, rf"(?is)<{name}{_ATTRIBUTES}>.*?</{name}\s*>", "")
                texts = substitute(texts, rf"(?is)<{name}{_ATTRIBUTES}>\s*(?:{_CODE[name]}.*)?\z", "")
        texts = substitute(texts, r"(?s)<!\[CDATA\[(.*?)\]\]>", r"\1")
        if "svg" not in kept:
            texts = rewrite(texts, r"(?i)<svg\b", _without_picture_tags)
        if "br" not in kept:
            texts = substitute(texts, rf"[ \t]*<(?i:br){_ATTRIBUTES}>[ \t]*(?:\r?\n)?", "\n")
        blocks, cells, inline = (
            [name for name in names.split("|") if name not in kept] for names in (_BLOCKS, _CELLS, _INLINE)
        )
        # Before its block, the end of a cell is nothing but a gap.
        texts = substitute(texts, rf"{_tag(cells, '/')}(?:{_GAP}{_tag(cells, '')})?", " ")
        texts = substitute(texts, _tag([*inline, *cells, _OFFICE], "/?"), "")
        block = rf"{_GAP}(?:{_tag(blocks, '/?')}{_GAP})+"
        texts = substitute(texts, rf"\A{block}|{block}\z", "")
        return substitute(texts, block, "\n")


def _without_picture_tags(text: str) -> str:
    return _PICTURE.sub(lambda found: re.sub("<[^<>]*>", "", found[1]).strip(), text)


def _tag(names: list[str], slash: str) -> str:
    """The pattern of a tag with one of these names; of an opening one where `slash` is empty."""
    return rf"<{slash}(?i:{'|'.join(names)}){_ATTRIBUTES}>" if names else r"[^\x00-\x{10ffff}]"
