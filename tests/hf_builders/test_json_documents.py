"""A file that is one JSON document: its value, or what is wrong with it, and never more of it than a limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_builders import SourceError, json_documents
from hf_builders.json_documents import read_document
from hf_builders.sources import SourceFile


def source_of(data: bytes, folder: Path) -> SourceFile:
    path = folder / "a.json"
    path.write_bytes(data)
    return SourceFile(str(path), "a.json", "train")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_document_may_go_over_several_lines(tmp_path: Path, encoding: str) -> None:
    text = '{"题目": "肺炎患者的临床特征和治疗结果",\n "n": [1, 2.0]}'
    assert read_document(source_of(text.encode(encoding), tmp_path)) == {
        "题目": "肺炎患者的临床特征和治疗结果",
        "n": [1, 2.0],
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a":\n 1', "a.json:2: invalid JSON at column 3 (Expecting ',' delimiter); get the file again"),
        (b"[" * 100_000, "a.json:1: invalid JSON (nested too deeply); get the file again"),
        (b'{"a": NaN}', "a.json:1: invalid JSON (the row holds NaN, which is no number in JSON; write null"),
        (b'{"a": "\\ud800"}', "a.json: holds bytes or escapes that are no text; get the file again"),
        (b"", "a.json: the file is empty; get it again, or leave it out"),
    ],
)
def test_what_is_no_document_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(SourceError) as error:
        read_document(source_of(data, tmp_path))
    assert str(error.value).startswith(message)


def test_a_document_beyond_the_limit_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_documents, "MAX_BYTES", 1 << 20)
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(1 << 34)  # 16 GiB that take no room on the disk
    with pytest.raises(SourceError) as error:
        read_document(SourceFile(str(path), "a.json", "train"))
    assert str(error.value) == (
        "a.json: is one JSON document of more than 1 MiB, and no paper or study is so long; is it a file of another "
        "kind?"
    )
