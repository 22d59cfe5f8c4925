"""XML: records whole and one at a time, nothing a file declares is followed, and what is broken is named."""

from __future__ import annotations

import gzip
import socket
from pathlib import Path

import pytest
from lxml import etree

from hf_builders import SourceError
from hf_builders.sources import SourceFile
from hf_builders.xml_files import read_elements, root_name, text_of


def source_of(data: str | bytes, folder: Path) -> SourceFile:
    path = folder / "a.xml"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return SourceFile(str(path), "a.xml", "train")


def texts(data: str | bytes, folder: Path) -> list[str]:
    return [text_of(element) for element in read_elements(source_of(data, folder), ["a"])]


def test_inline_markup_is_text_and_comments_are_none(tmp_path: Path) -> None:
    data = "<r>\n<a>Of <i>E. coli</i>\n   and CO<sub>2</sub><!-- not this --> &amp; <?nor this?>water </a>\n<a/></r>"
    assert texts(data, tmp_path) == ["Of E. coli and CO2 & water", ""]


def test_a_formula_is_read_once(tmp_path: Path) -> None:
    math = "<m:math xmlns:m='http://www.w3.org/1998/Math/MathML'><m:semantics><m:mi>α</m:mi>"
    tex = "<m:annotation encoding='TeX'>\\alpha</m:annotation></m:semantics></m:math>"
    assert texts(f"<r><a>of {math}{tex} or <i>b</i></a></r>", tmp_path) == ["of α or b"]


def test_spaces_that_are_none_of_xmls_stay(tmp_path: Path) -> None:
    assert texts("<r><a>5\u2009mg\u00a0of\u3000it</a></r>", tmp_path) == ["5\u2009mg\u00a0of\u3000it"]


def test_elements_come_whole_in_the_order_of_the_file_at_any_depth(tmp_path: Path) -> None:
    data = "<r><x><a n='1'><b>one</b></a></x><c>other</c><x><y><a n='2'>two</a></y></x><a n='3'>three</a></r>"
    seen = [(element.get("n"), text_of(element)) for element in read_elements(source_of(data, tmp_path), ["a", "c"])]
    assert seen == [("1", "one"), (None, "other"), ("2", "two"), ("3", "three")]


def test_what_is_done_with_is_freed(tmp_path: Path) -> None:
    data = f"<r>{'<x><a>text</a><rest><deep/></rest></x>' * 20_000}</r>"
    elements = enumerate(read_elements(source_of(data, tmp_path), ["a"]))
    sizes = [sum(1 for _ in element.getroottree().iter()) for n, element in elements if n % 1000 == 999]
    assert len(sizes) == 20
    assert max(sizes) < 5_000  # the parser is a block of the file ahead


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_the_declared_encoding_is_used(tmp_path: Path, encoding: str) -> None:
    declared = "utf-8" if encoding == "utf-8-sig" else encoding
    data = f'<?xml version="1.0" encoding="{declared}"?><r><a>Ménière</a></r>'.encode(encoding)
    assert texts(data, tmp_path) == ["Ménière"]


BOMB = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))


@pytest.mark.parametrize(
    ("declaration", "entity"),
    [
        ('<!ENTITY x SYSTEM "file:///etc/passwd">', "x"),
        ('<!ENTITY x SYSTEM "http://127.0.0.1:9/x">', "x"),
        ('<!ENTITY % p SYSTEM "http://127.0.0.1:9/p.dtd"> %p;', "p"),
        (f'<!ENTITY l0 "lol">{BOMB}', "l0"),
    ],
)
def test_a_file_that_declares_entities_is_refused_before_it_is_parsed(
    tmp_path: Path, declaration: str, entity: str
) -> None:
    data = f"<!DOCTYPE r [{declaration}]><r n='&l11;'><a>&x;&l11;</a></r>"
    with pytest.raises(SourceError) as error:
        texts(data, tmp_path)
    assert str(error.value) == (
        f"a.xml: declares the entity '{entity}', which files of this kind never do; it is not read: get the file from "
        "its publisher"
    )


def test_the_address_in_a_doctype_is_not_asked(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        data = f'<!DOCTYPE r PUBLIC "-//X//DTD 1//EN" "http://127.0.0.1:{port}/r.dtd"><r><a>one</a></r>'
        assert texts(data, tmp_path) == ["one"]
        with pytest.raises(TimeoutError):
            server.accept()


BROKEN = [
    ("<r><a>i</a>\n<a>", "a.xml:2: the XML is broken here (Premature end of data in tag a line 2); get the file again"),
    ("hello", "a.xml:1: is no XML (syntax error); is it a file of another dataset?"),
    ("", "a.xml:1: is no XML (no element found); is it a file of another dataset?"),
    ("<r><b/></r>", "a.xml: the root is <r>, and nothing in it is <a>; is it a file of another dataset?"),
    (
        '<?xml version="1.0" encoding="GB18030"?><r><a/></r>',
        "a.xml: cannot be decoded (multi-byte encodings are not supported); save it as UTF-8",
    ),
]


@pytest.mark.parametrize(("data", "message"), BROKEN)
def test_what_is_no_xml_or_none_of_ours_is_named(tmp_path: Path, data: str, message: str) -> None:
    with pytest.raises(SourceError) as error:
        texts(data, tmp_path)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("data", "fact"),
    [("<r>" * 300 + "<a/>" + "</r>" * 300, "Excessive depth"), (f"<r><a>{'x' * 10_000_001}</a></r>", "too long")],
)
def test_depth_and_length_that_no_document_has_are_refused(tmp_path: Path, data: str, fact: str) -> None:
    with pytest.raises(SourceError, match=fact):
        texts(data, tmp_path)


def test_a_root_is_told_without_reading_on(tmp_path: Path) -> None:
    assert root_name(source_of("<!-- first --><!DOCTYPE r><r><a>never closed", tmp_path)) == "r"


def test_a_compressed_file_is_read_in_place(tmp_path: Path) -> None:
    path = tmp_path / "a.xml.gz"
    path.write_bytes(gzip.compress(b"<r><a>one</a></r>"))
    (element,) = read_elements(SourceFile(str(path), "a.xml", "train"), ["a"])
    assert isinstance(element, etree._Element)
