"""Steps on single characters: Unicode forms, mojibake, traditional Chinese, case, control characters, blanks."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc

from hf_builders.cleaning_step import TextStep, rewrite, substitute

_ASCII_ALPHANUMERIC = "0-9A-Za-z"
_FULL_WIDTH = {code + 0xFEE0: code for code in range(0x21, 0x7F)}


@dataclass(frozen=True, kw_only=True)
class UnicodeForm(TextStep):
    """Characters that mean the same are written the same.

    >>> UnicodeForm(form="full_width").clean(pa.array(["ＣＴ检查（１２０元）"])).to_pylist()
    ['CT检查（120元）']
    """

    name: ClassVar[str] = "unicode"

    form: Literal["NFC", "NFKC", "full_width"] = "full_width"
    """`full_width`: letters, digits and the blank of full width become ASCII, nothing else changes. `NFC`: a letter and
    its accents become one character. `NFKC`: that, and look-alikes become plain, for better (`㎎` → `mg`) or worse
    (`，` → `,`, `x²` → `x2`, `①` → `1`)."""
    signs: bool = False
    """With `full_width`: also `！＂＃（），．：；？` and all other signs that have an ASCII twin."""

    def contradictions(self) -> Iterator[str]:
        if self.signs and self.form != "full_width":
            yield f"signs goes with form: full_width; {self.form} has no such choice"

    def clean(self, texts: pa.Array) -> pa.Array:
        if self.form != "full_width":
            return pc.utf8_normalize(texts, form=self.form)
        table = {0x3000: " "}
        for wide, narrow in _FULL_WIDTH.items():
            if self.signs or chr(narrow).isalnum():
                table[wide] = chr(narrow)
        wide_class = r"[\x{ff01}-\x{ff5e}\x{3000}]" if self.signs else r"[０-９Ａ-Ｚａ-ｚ\x{3000}]"
        return rewrite(texts, wide_class, lambda text: text.translate(table))


@dataclass(frozen=True, kw_only=True)
class Mojibake(TextStep):
    """UTF-8 that was read as Latin-1, Windows-1252 and the like is read again: `ä½ å¥½` was 你好 (ftfy).

    Nothing but the encoding is mended: quotes, width, line ends and HTML entities stay. GB18030 read as UTF-8 or the
    other way round (`锟斤拷`, `浣犲ソ`) is not recognised.
    """

    name: ClassVar[str] = "mojibake"

    lossy: bool = False
    """Also where a byte was lost on the way: what cannot be mended becomes U+FFFD."""
    quotes: bool = False
    """Also `“”‘’` to straight quotes."""
    html: bool = False
    """Also HTML entities, in texts without tags."""
    width: bool = False
    """Also full-width letters and signs to ASCII, half-width katakana to full width."""

    def libraries(self) -> tuple[str, ...]:
        return ("ftfy",)

    def clean(self, texts: pa.Array) -> pa.Array:
        fix, config = self.load("ftfy").fix_text, self._config()
        # Mojibake is made of letters and signs of Europe: texts of ASCII, Chinese and its punctuation have none.
        suspicious = r"[^\x00-\x7f\x{2e80}-\x{9fff}\x{ac00}-\x{d7a3}\x{f900}-\x{faff}\x{ff00}-\x{ffef}]"
        if self.quotes or self.html or self.width:
            suspicious = r"[&\x{80}-\x{10ffff}]"
        return rewrite(texts, suspicious, lambda text: str(fix(text, config)))

    def _config(self) -> Any:
        return self.load("ftfy").TextFixerConfig(
            unescape_html="auto" if self.html else False,
            remove_terminal_escapes=False,
            replace_lossy_sequences=self.lossy,
            fix_latin_ligatures=False,
            fix_character_width=self.width,
            uncurl_quotes=self.quotes,
            fix_line_breaks=False,
            fix_surrogates=False,
            remove_control_chars=False,
            normalization=None,
            explain=True,  # without, ftfy 6.3 mends encodings by its own defaults
        )


@functools.cache
def _converter(opencc: Any, config: str) -> Callable[[str], str]:
    convert: Callable[[str], str] = opencc.OpenCC(config).convert
    return convert


@dataclass(frozen=True, kw_only=True)
class Simplified(TextStep):
    """Traditional Chinese becomes simplified, phrase by phrase (OpenCC): 頭髮 → 头发, 後來 → 后来, 皇后 stays.

    Texts that are simplified already may be harmed. `t2s` was seen to change the drug 磺胺甲噁唑 to 磺胺甲恶唑, and in
    names 李兴乾 to 李兴干, 新昇 to 新升, 湊湊 to 凑凑: leave the step out for such texts, or list them in `keep`.
    """

    name: ClassVar[str] = "simplified"

    config: Literal["t2s", "tw2s", "tw2sp", "hk2s"] = "t2s"
    """OpenCC's: from its own standard, Taiwan's, Taiwan's with the words of the mainland (軟體 → 软件), Hong Kong's."""
    keep: list[str] = field(default_factory=list)
    """Texts that stay wherever they are found, such as `噁唑` or `李兴乾`. No phrase reaches across one of them."""

    def libraries(self) -> tuple[str, ...]:
        return ("opencc",)

    def contradictions(self) -> Iterator[str]:
        for text in self.keep:
            if not text.strip():
                yield f"keep: {text!r} is blank; name a text that stays"

    def clean(self, texts: pa.Array) -> pa.Array:
        convert = _converter(self.load("opencc"), self.config)
        # Of two that begin at the same character, the longer one.
        kept = "|".join(map(re.escape, sorted(filter(str.strip, self.keep), key=len, reverse=True)))
        pieces = re.compile(f"({kept})")

        def convert_between(text: str) -> str:
            return "".join(each if number % 2 else convert(each) for number, each in enumerate(pieces.split(text)))

        # No character tells by itself that a text stays: tw2sp changes 程式, which is simplified as it stands.
        return rewrite(texts, r"[^\x00-\x7f]", convert_between if kept else convert)


@dataclass(frozen=True, kw_only=True)
class Case(TextStep):
    """Capitals become small letters, in all of the text.

    >>> Case().clean(pa.array(["做CT和Straße"])).to_pylist()
    ['做ct和straße']
    """

    name: ClassVar[str] = "case"

    fold: Literal["lower", "casefold"] = "lower"
    """`casefold` also writes what differs in case alone the same, `ß` as `ss`: for comparing, not for reading."""

    def clean(self, texts: pa.Array) -> pa.Array:
        if self.fold == "lower":
            return pc.utf8_lower(texts)
        # Every character that casefold() changes is one of these.
        cased = (
            r"[A-Z\x{80}-\x{2dff}\x{a640}-\x{abff}\x{fb00}-\x{fb17}\x{ff21}-\x{ff3a}"
            r"\x{10400}-\x{10fff}\x{11800}-\x{16fff}\x{1e900}-\x{1e943}]"
        )
        return rewrite(texts, cased, str.casefold)


@dataclass(frozen=True, kw_only=True)
class Control(TextStep):
    r"""Characters that nobody sees are removed; every kind of line end becomes `\n`, a tab stays.

    Removed are C0 and C1 controls, byte order marks, zero-width spaces, marks of writing direction, soft hyphens and
    noncharacters. Variation selectors (emoji, rare forms of Chinese characters) and private characters stay.

    >>> Control().clean(pa.array(["\ufeff头\u200b痛\x00\r\n三天"])).to_pylist()
    ['头痛\n三天']
    """

    name: ClassVar[str] = "control"

    joiners: bool = False
    """Also zero-width joiners and tags. Emoji such as 👨‍👩‍👧 are made of them, and Persian and Hindi need them."""
    replacement_character: bool = False
    """Also U+FFFD, which stands where a character was lost."""

    def clean(self, texts: pa.Array) -> pa.Array:
        invisible = (
            r"\x00-\x08\x0e-\x1f\x7f-\x{84}\x{86}-\x{9f}\x{ad}\x{61c}\x{180e}\x{200b}\x{200e}\x{200f}\x{202a}-\x{202e}"
            r"\x{2060}-\x{2064}\x{2066}-\x{206f}\x{feff}\x{fff9}-\x{fffb}\x{fffe}\x{ffff}\x{e0001}"
        )
        if self.joiners:
            invisible += r"\x{200c}\x{200d}\x{e0020}-\x{e007f}"
        if self.replacement_character:
            invisible += r"\x{fffd}"
        texts = substitute(texts, r"\r\n|[\r\x0b\x0c\x{85}\x{2028}\x{2029}]", "\n")
        return substitute(texts, f"[{invisible}]+", "")


# Of one line; U+200B has no width and is no blank.
_WIDE_BLANK = r"\t\x{a0}\x{1680}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}"
_BLANK = f" {_WIDE_BLANK}"
_BLANKS = f"[{_BLANK}]"
_CHINESE = r"[\p{Han}\x{3001}-\x{303f}\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff20}\x{ff3b}-\x{ff40}\x{ff5b}-\x{ff65}“”‘’…—]"


@dataclass(frozen=True, kw_only=True)
class Whitespace(TextStep):
    r"""Runs of blanks become one ASCII space, lines lose the blanks at their ends, texts the white space at both ends.

    >>> Whitespace().clean(pa.array(["  头痛　　三天 \r\n\r\n\r\n\r\n恶心\n"])).to_pylist()
    ['头痛 三天\n\n恶心']
    """

    name: ClassVar[str] = "whitespace"

    blank_lines: int = 1
    """As many may follow each other."""
    indents: Literal["keep", "remove"] = "keep"
    """Blanks at the beginning of a line; code, lists and Chinese paragraphs have them."""
    between_chinese: Literal["collapse", "remove"] = "collapse"
    """Blanks between two Chinese characters or signs, as OCR writes them: 头 痛 → 头痛."""

    def contradictions(self) -> Iterator[str]:
        if self.blank_lines < 0:
            yield f"blank_lines is {self.blank_lines}; it takes 0 or more"

    def clean(self, texts: pa.Array) -> pa.Array:
        texts = substitute(texts, r"\r\n?", "\n")
        texts = substitute(texts, rf"{_BLANKS}+\n", "\n")
        texts = substitute(texts, rf"\n{{{self.blank_lines + 2},}}", "\n" * (self.blank_lines + 1))
        if self.indents == "remove":
            texts = substitute(texts, rf"\n{_BLANKS}+", "\n")
        # Behind a character: what begins a line is an indent. One space by itself is right as it is.
        texts = substitute(texts, rf"([^\n{_BLANK}])(?:[{_WIDE_BLANK}]{_BLANKS}*| {_BLANKS}+)", r"\1 ")
        if self.between_chinese == "remove":
            for _ in range(2):  # in 甲 乙 丙 the first pass takes 乙 with 甲
                texts = substitute(texts, rf"({_CHINESE}) ({_CHINESE})", r"\1\2")
        return substitute(substitute(texts, rf"\A[\n{_BLANK}]+", ""), rf"[\n{_BLANK}]+\z", "")
