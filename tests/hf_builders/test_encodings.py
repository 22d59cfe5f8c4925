"""UTF-8 or GB18030 is decided on the whole file, and no byte is dropped."""

from __future__ import annotations

import codecs
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_builders import SourceError, encodings
from hf_builders.encodings import decode_keeping_bytes, detect_encoding, is_undecodable, show_bytes, source_encoding
from hf_builders.sources import SourceFile

SENTENCE = "我有高血压这两天女婿来的时候给我拿了些党参泡水喝，您好高血压可以吃党参吗？"


@pytest.mark.parametrize("block", [1, 2, 3, 1 << 20])
def test_the_encoding_is_told_wherever_a_block_ends(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(encodings, "_BLOCK", block)
    for text in (SENTENCE, "a" * 100 + SENTENCE, "😀", "ascii only"):
        assert detect_encoding(io.BytesIO(text.encode())) == "utf-8-sig"
        assert detect_encoding(io.BytesIO(text.encode("utf-8-sig"))) == "utf-8-sig"
    for text in (SENTENCE, "a" * 100 + SENTENCE, "department,title,ask,answer\n内科,咳嗽,咳,嗽"):
        assert detect_encoding(io.BytesIO(text.encode("gb18030"))) == "gb18030"


def test_chinese_at_the_very_end_of_a_large_file_decides() -> None:
    ascii_part = b"a,b\n" * 600_000  # more than two blocks
    assert detect_encoding(io.BytesIO(ascii_part + SENTENCE.encode("gb18030"))) == "gb18030"
    assert detect_encoding(io.BytesIO(ascii_part + SENTENCE.encode())) == "utf-8-sig"


def test_a_few_damaged_bytes_do_not_turn_utf8_into_other_characters() -> None:
    damaged = (SENTENCE * 3).encode().replace("党".encode(), b"\xff\xfe", 1)
    assert detect_encoding(io.BytesIO(damaged)) == "utf-8-sig"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf16_is_named_as_such(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes("\ufeff".encode(encoding)[-2:] + SENTENCE.encode(encoding)[-40:])
    with pytest.raises(SourceError) as error:
        source_encoding(SourceFile(str(tmp_path / "a.csv"), "a.csv", "train"))
    assert str(error.value) == "a.csv: the file is UTF-16; save it as UTF-8"


@given(st.binary(max_size=60), st.sampled_from(["utf-8-sig", "gb18030"]))
def test_bytes_that_are_no_text_are_found_and_everything_else_reads_as_in_python(
    data: bytes, encoding: encodings.Encoding
) -> None:
    text = decode_keeping_bytes(data, encoding)
    try:
        expected = data.decode(encoding)
    except UnicodeDecodeError:
        assert is_undecodable(text)
        assert not is_undecodable(show_bytes(text))
    else:
        assert (text, is_undecodable(text), show_bytes(text)) == (expected, False, expected)


@given(st.binary(max_size=60))
def test_no_byte_is_dropped(data: bytes) -> None:
    text = decode_keeping_bytes(data, "utf-8-sig")
    kept = [bytes([ord(char) - 0xDC00]) if is_undecodable(char) else char.encode() for char in text]
    assert b"".join(kept) == data.removeprefix(codecs.BOM_UTF8)


def test_bytes_that_are_no_text_are_shown_as_numbers() -> None:
    assert show_bytes(decode_keeping_bytes("党\n".encode() + b"\xff\xfe", "utf-8-sig")) == "党\n\\xff\\xfe"
    assert show_bytes("half a pair \ud83d") == "half a pair \\ud83d"
