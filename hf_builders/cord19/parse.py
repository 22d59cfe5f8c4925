"""One file of `document_parses` in, the text of its paper out, by section."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from datasets import Features, List, Value

from hf_builders.errors import SourceError
from hf_builders.json_documents import read_document
from hf_builders.json_values import type_name
from hf_builders.quarantine import RowProblem
from hf_builders.schema import text_features
from hf_builders.sources import READ_ERRORS, SourceFile

FEATURES = Features(
    {
        "parse": Value("string"),
        "parse_file": Value("string"),
        "body": List({"section": Value("string"), "text": Value("string")}),
        "back_matter": List({"section": Value("string"), "text": Value("string")}),
        "ref_entries": List(text_features("id", "type", "text", "html", "latex")),
        "references": List({**text_features("id", "title", "venue"), "year": Value("int32")}),
    }
)
"""What the view `source` shows of a parse."""

PMC_ENDING = ".xml.json"
_PARSE_OF = "is it a parse of CORD-19?"


class Parse(NamedTuple):
    kind: str
    """`pmc_json`, of a publisher's XML, or `pdf_json`."""
    file: str
    title: str
    abstract: str
    """Its paragraphs; a parse of PMC has none."""
    body: list[dict[str, str]]
    back_matter: list[dict[str, str]]
    ref_entries: list[dict[str, str | None]]
    """Figures and tables, with their captions."""
    references: list[dict[str, Any]]
    notes: list[str]

    @property
    def has_text(self) -> bool:
        return any(paragraph["text"].strip() for paragraph in self.body)

    def values(self) -> dict[str, Any]:
        """The columns of the view `source`."""
        shown = {name: getattr(self, name) for name in ("body", "back_matter", "ref_entries", "references")}
        return {"parse": self.kind, "parse_file": self.file, **shown}


NO_PARSE: dict[str, Any] = {
    "parse": None,
    "parse_file": None,
    "body": [],
    "back_matter": [],
    "ref_entries": [],
    "references": [],
}


def read_parse(file: SourceFile) -> Parse:
    """The text of one file.

    Raises:
        RowProblem: `damaged_parse` where it is no JSON or cannot be read, `wrong_parse` where it is another JSON.
    """
    try:
        value = read_document(file)
    except SourceError as error:
        raise RowProblem("damaged_parse", f"the parse {error}") from error
    except READ_ERRORS as error:
        raise RowProblem("damaged_parse", f"the parse {file.name} cannot be read ({error}); get it again") from error
    if not isinstance(value, dict) or "body_text" not in value:
        what = type_name(value) if not isinstance(value, dict) else f"an object of {', '.join(value) or 'nothing'}"
        raise RowProblem("wrong_parse", f"the parse {file.name} is {what:.200}; expected 'body_text'; {_PARSE_OF}")
    is_pmc = file.name.endswith(PMC_ENDING)
    notes = []
    if value.get("paper_id", _id_of(file.name)) != _id_of(file.name):
        notes.append("parse_of_another_id")
    metadata = _member(value, "metadata", dict, file)
    cited = list(_entries(value, "bib_entries", file))
    if any(_year(entry) is None and entry.get("year") not in (None, "") for _, entry in cited):
        notes.append("reference_year_is_no_number")
    return Parse(
        kind="pmc_json" if is_pmc else "pdf_json",
        file=file.name,
        title=_as_text(metadata.get("title")) or "",
        abstract="\n\n".join(each["text"] for each in _paragraphs(value, "abstract", file)),
        body=_paragraphs(value, "body_text", file),
        back_matter=_paragraphs(value, "back_matter", file),
        ref_entries=[_ref_entry(*each) for each in _entries(value, "ref_entries", file)],
        references=[_reference(*each) for each in cited],
        notes=notes,
    )


def _id_of(name: str) -> str:
    return name.removesuffix(".json").removesuffix(".xml")


def _member(value: dict[str, Any], name: str, kind: type, file: SourceFile) -> Any:
    """A member of a parse; all but the body may be missing or null, and are empty then."""
    found = value.get(name)
    if found is None and name != "body_text":
        return kind()
    if not isinstance(found, kind):
        expected = "an array" if kind is list else "an object"
        fact = f"{name!r} of the parse {file.name} is {type_name(found)}; expected {expected}; {_PARSE_OF}"
        raise RowProblem("wrong_parse", fact)
    return found


def _paragraphs(value: dict[str, Any], name: str, file: SourceFile) -> list[dict[str, str]]:
    paragraphs = _member(value, name, list, file)
    for number, each in enumerate(paragraphs, start=1):
        if not isinstance(each, dict) or not isinstance(each.get("text"), str):
            found = "without 'text'" if isinstance(each, dict) else type_name(each)
            fact = f"paragraph {number} of {name!r} of the parse {file.name} is {found}; {_PARSE_OF}"
            raise RowProblem("wrong_parse", fact)
    return [{"section": _as_text(each.get("section")) or "", "text": each["text"]} for each in paragraphs]


def _entries(value: dict[str, Any], name: str, file: SourceFile) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, entry in _member(value, name, dict, file).items():
        if not isinstance(entry, dict):
            fact = f"{key!r} of {name!r} of the parse {file.name} is {type_name(entry)}; {_PARSE_OF}"
            raise RowProblem("wrong_parse", fact)
        yield key, entry


def _ref_entry(key: str, entry: dict[str, Any]) -> dict[str, str | None]:
    shown = {name: _as_text(entry.get(name)) for name in ("type", "text", "html", "latex")}
    return {"id": key, **shown}


def _reference(key: str, entry: dict[str, Any]) -> dict[str, Any]:
    shown = {name: _as_text(entry.get(name)) for name in ("title", "venue")}
    return {"id": key, **shown, "year": _year(entry)}


def _year(entry: dict[str, Any]) -> int | None:
    year = entry.get("year")
    if isinstance(year, str) and year.isdecimal() and len(year) < 6:
        return int(year)
    return year if type(year) is int and 0 <= year < 100_000 else None


def _as_text(value: Any) -> str | None:
    """Text as it is; what is no text, which no release we know of has here, as JSON."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
