"""Bytes in, text out: UTF-8 or GB18030, decided on the whole file, and no byte ever dropped."""

from __future__ import annotations

import codecs
from typing import IO, Literal

from hf_builders.errors import SourceError
from hf_builders.sources import SourceFile

Encoding = Literal["utf-8-sig", "gb18030"]

_BLOCK = 1 << 20
KEEP_BYTES = "hf_builders.keep_bytes"
_FIRST_ESCAPE = 0xDC00


def detect_encoding(file: IO[bytes]) -> Encoding:
    """UTF-8 (with or without BOM) if the whole file decodes as such, else GB18030.

    A UTF-8 file with a few damaged bytes stays UTF-8, or all of its Chinese would turn into other characters: GB18030
    text read as UTF-8 breaks at nearly every character, damaged UTF-8 only here and there.

    >>> import io
    >>> detect_encoding(io.BytesIO("内科".encode())), detect_encoding(io.BytesIO("内科".encode("gb18030")))
    ('utf-8-sig', 'gb18030')
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    block, at_end = b"", False
    try:
        while not at_end:
            block = file.read(_BLOCK)
            at_end = not block
            decoder.decode(block, final=at_end)
    except UnicodeDecodeError as error:
        # `error.object` is this block behind what was left of the one before.
        text = error.object.decode("utf-8", "ignore")  # only to count: nothing is read this way
        num_broken = len(error.object) - len(text.encode())
        num_good = len(text) - len(text.encode("ascii", "ignore"))
        return "utf-8-sig" if num_broken * 20 < num_good else "gb18030"
    return "utf-8-sig"


def source_encoding(source: SourceFile) -> Encoding:
    """The encoding of a raw file.

    Raises:
        SourceError: the file holds nothing, or is UTF-16, as Excel's "Unicode text" is.
    """
    with source.open() as file:
        start = file.read(_BLOCK)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise SourceError(f"{source.name}: the file is UTF-16; save it as UTF-8")
        if not start.removeprefix(codecs.BOM_UTF8).strip():
            raise SourceError(f"{source.name}: the file is empty; get it again, or leave it out")
    with source.open() as file:
        return detect_encoding(file)


def decode_keeping_bytes(data: bytes, encoding: Encoding) -> str:
    """The text of `data`; a byte that is no text becomes one character that `is_undecodable` finds."""
    return data.decode(encoding, KEEP_BYTES)


def is_escape(char: str) -> bool:
    return _FIRST_ESCAPE <= ord(char) <= _FIRST_ESCAPE + 0xFF


def is_undecodable(text: str) -> bool:
    """Whether `text` holds characters no UTF-8 file can: bytes that were no text, or half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def show_bytes(text: str) -> str:
    """`text` with the bytes that are none written out, for people and for JSON files.

    >>> show_bytes(decode_keeping_bytes(b"a\\xffb", "utf-8-sig"))
    'a\\\\xffb'
    """
    return (
        "".join(f"\\x{ord(char) - _FIRST_ESCAPE:02x}" if is_escape(char) else char for char in text)
        .encode(errors="backslashreplace")
        .decode()
    )


def _keep_bytes(error: UnicodeError) -> tuple[str, int]:
    # Python's own `surrogateescape` refuses bytes below 0x80, which GB18030 has as second bytes.
    assert isinstance(error, UnicodeDecodeError)
    broken = error.object[error.start : error.end]
    return "".join(chr(_FIRST_ESCAPE + byte) for byte in broken), error.end


codecs.register_error(KEEP_BYTES, _keep_bytes)
