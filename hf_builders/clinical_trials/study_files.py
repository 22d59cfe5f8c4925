"""A raw file of any of the registry's forms in, its studies out."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from lxml import etree

from hf_builders import json_documents
from hf_builders.clinical_trials.api_study import values_of_api_study
from hf_builders.clinical_trials.legacy_study import values_of_legacy_study
from hf_builders.encodings import decode_keeping_bytes, show_bytes, source_encoding
from hf_builders.errors import SourceError
from hf_builders.json_documents import read_document
from hf_builders.json_files import members_of_object, read_json_values
from hf_builders.json_values import JsonRow
from hf_builders.quarantine import BadRow, Quarantine, RowProblem
from hf_builders.sources import SourceFile
from hf_builders.xml_files import read_elements, root_name

Form = Literal["xml", "array", "page", "lines", "study"]

_ROOT = "clinical_study"
_HEAD = 1 << 20
_SPACE = " \t\r\n"
_OF_PAGE = {"studies", "nextPageToken", "totalCount"}
_OF_STUDY = {
    "protocolSection", "resultsSection", "annotationSection", "documentSection", "derivedSection", "hasResults",
}  # fmt: skip
_EXPECTED = (
    "expected studies of ClinicalTrials.gov: JSON of API v2 (an array, a page with 'studies', a study, or JSON Lines) "
    "or legacy XML"
)


class Study(NamedTuple):
    key: str
    """Its file, and where it has several studies its place in it."""
    values: dict[str, Any]


def read_studies(source: SourceFile, bad_rows: Quarantine) -> Iterator[Study]:
    """The studies of a file in their order; bad ones go to `bad_rows`.

    Raises:
        SourceError: the file has another form, or is damaged and not JSON of one study.
    """
    form = form_of(source)
    yield from _legacy_studies(source, bad_rows) if form == "xml" else _api_studies(source, form, bad_rows)


def form_of(source: SourceFile) -> Form:
    """How the studies of a file are written, by its content; little more than its beginning is read.

    Raises:
        SourceError: in none of the known forms.
    """
    with source.open() as file:
        head = file.read(_HEAD)
    text = head.decode("utf-8-sig", "replace").lstrip(_SPACE)
    if text.startswith("<") or (head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"<" in head[:4]):
        return "xml"
    if not text.startswith(("{", "[")):
        source_encoding(source)  # says of an empty file and of UTF-16 that they are
        raise SourceError(f"{source.name}: is neither JSON nor XML, it begins with {text[:20]!r}; {_EXPECTED}")
    opening = text.find("{") if text[0] == "{" or text[1:].lstrip(_SPACE).startswith("{") else -1
    if opening < 0:
        return "array"  # of no object: each of its elements is a bad row
    members: list[str] = []
    for member in _member_names(text, opening):
        if member in _OF_PAGE and text[0] == "{":
            return "page"
        if member in _OF_STUDY:
            return "array" if text[0] == "[" else "lines" if _is_lines(source) else "study"
        members.append(member)
    told = ", ".join(map(repr, members[:5])) or "no member"
    raise SourceError(f"{source.name}: its first object has {told}; {_EXPECTED}")


def _member_names(text: str, start: int) -> Iterator[str]:
    """The names of the members of the object that begins at `start`, as far as the text goes."""
    decode, position = json.JSONDecoder().raw_decode, start + 1
    while True:
        try:
            name, position = decode(text, _skip(text, position))
            if not isinstance(name, str):
                return
            yield name
            _, position = decode(text, _skip(text, _skip(text, position) + 1))  # behind the colon
        except (ValueError, RecursionError):
            return
        position = _skip(text, position) + 1  # behind the comma


def _skip(text: str, position: int) -> int:
    while text[position : position + 1] in _SPACE and position < len(text):
        position += 1
    return position


def _is_lines(source: SourceFile) -> bool:
    """Whether a file that begins with a study is JSON Lines, rather than one study written on one line or on many."""
    with source.open() as file:
        lines: list[bytes] = []
        while len(lines) < 2 and (line := file.readline(json_documents.MAX_BYTES + 1)):
            lines += [line.strip()] if line.strip() else []
            if len(line) > json_documents.MAX_BYTES:
                return source.name.endswith(".jsonl")  # an error there, since others may follow; else one bad study
    return len(lines) == 2 and (lines[1].startswith(b"{") or source.name.endswith(".jsonl"))


def _api_studies(source: SourceFile, form: Form, bad_rows: Quarantine) -> Iterator[Study]:
    for row in _json_rows(source, form, bad_rows):
        try:
            values = values_of_api_study(row.value)
        except RowProblem as problem:
            place, raw = _with_id(row.place, _nct_id(row.value)), row.raw or json.dumps(row.value, ensure_ascii=False)
            bad_rows.add(row._replace(place=place, raw=raw).bad(problem.reason, problem.fact))
        else:
            yield Study(row.id, values)


def _json_rows(source: SourceFile, form: Form, bad_rows: Quarantine) -> Iterator[JsonRow]:
    if form == "page":
        yield from members_of_object(source, bad_rows, array="studies")
    elif form == "study":
        yield from _one_study(source, bad_rows)
    else:
        yield from read_json_values(source, bad_rows)


def _one_study(source: SourceFile, bad_rows: Quarantine) -> Iterator[JsonRow]:
    """A damaged file of one study is one bad row: an archive may have half a million others."""
    try:
        study = read_document(source)
    except SourceError as error:
        bad_rows.add(_damaged(source, str(error)))
    else:
        yield JsonRow(source.name, source.name, study, "")


def _damaged(source: SourceFile, message: str) -> BadRow:
    told = re.fullmatch(r"(:[0-9]+)?: (.*)", message.removeprefix(source.name), re.DOTALL)
    assert told is not None, f"an error without its place: {message}"
    with source.open() as file:
        start = show_bytes(decode_keeping_bytes(file.read(_HEAD), "utf-8-sig"))
    return BadRow(source.name + (told[1] or ""), "damaged_study", told[2], start)


def _nct_id(study: Any) -> object:
    for name in ("protocolSection", "identificationModule", "nctId"):
        study = study.get(name) if isinstance(study, dict) else None
    return study


def _legacy_studies(source: SourceFile, bad_rows: Quarantine) -> Iterator[Study]:
    if (root := root_name(source)) != _ROOT:
        raise SourceError(f"{source.name}: the root is <{root}>, not <{_ROOT}>; {_EXPECTED}")
    for element in read_elements(source, [_ROOT]):
        try:
            values = values_of_legacy_study(element)
        except RowProblem as problem:
            place = _with_id(source.name, element.findtext("id_info/nct_id"))
            raw = etree.tostring(element, encoding="unicode", with_tail=False)
            bad_rows.add(BadRow(place, problem.reason, problem.fact, raw))
        else:
            yield Study(source.name, values)


def _with_id(place: str, id_: object) -> str:
    return f"{place}: {id_.strip():.40}" if isinstance(id_, str) and id_.strip() else place
