"""The tabular list of ICD-10-CM (XML) in, its codes out, those with a seventh character built out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lxml.etree import _Element

from hf_builders.sources import SourceFile
from hf_builders.xml_files import read_elements, text_of

ROOT = "ICD10CM.tabular"
# The element of a `diag`, and the column its notes go to.
NOTES = {
    "inclusionTerm": "inclusion_terms",
    "includes": "includes",
    "excludes1": "excludes1",
    "excludes2": "excludes2",
    "codeFirst": "code_first",
    "useAdditionalCode": "use_additional_code",
    "codeAlso": "code_also",
    "notes": "notes",
    "sevenChrNote": "seventh_character_notes",
}
_NUM_BEFORE_SEVENTH = 6
# "7th characters D and S do not apply to codes in category S06 with 6th character 7 - death due to brain injury ..., or
# 8 - death due to other cause ..."
_EXCEPTION = re.compile(
    r"7th characters? (?P<seventh>.+?) do(?:es)? not apply to codes in .+ with 6th character (?P<sixth>.+)"
)
_CHARACTER = re.compile(r"\b[0-9A-Z]\b")
_SIXTH = re.compile(r"\b([0-9A-Z]) - ")


class Listed(NamedTuple):
    code: str
    """Without the dot."""
    title: str
    is_billable: bool
    facts: Mapping[str, Any]


class Seventh(NamedTuple):
    """A seventh character that some codes need."""

    character: str
    meaning: str
    notes: list[str]


class _Above(NamedTuple):
    """What holds for all codes below a place of the list."""

    chapter: Mapping[str, str]
    section: Mapping[str, str] | None
    seventh: tuple[Seventh, ...] = ()
    """Of several definitions above each other, the nearest."""
    excepted: frozenset[tuple[str, str]] = frozenset()
    """A sixth character, and a seventh that does not go with it."""


def read_tabular(source: SourceFile) -> Iterator[Listed]:
    """The codes of the list in its order, each before those below it."""
    for chapter in read_elements(source, ["chapter"]):
        number = {"number": text_of(chapter.find("name")), "title": text_of(chapter.find("desc"))}
        for diag in chapter.iter("diag"):
            if diag.getparent().tag != "diag":
                yield from _listed(diag, _Above(number, _section_of(diag)))


def _section_of(diag: _Element) -> dict[str, str] | None:
    section = next(diag.iterancestors("section"), None)
    return None if section is None else {"id": section.get("id") or "", "title": text_of(section.find("desc"))}


def _listed(diag: _Element, above: _Above) -> Iterator[Listed]:
    code, title = text_of(diag.find("name")).replace(".", ""), text_of(diag.find("desc"))
    own = tuple(_defined(diag))
    above = above._replace(seventh=own or above.seventh, excepted=above.excepted | set(_excepted(diag)))
    below = diag.findall("diag")
    is_leaf, needs_seventh = not below, bool(above.seventh) and len(code) <= _NUM_BEFORE_SEVENTH
    facts = {
        "chapter": above.chapter,
        "section": above.section,
        **{column: _notes(diag, element) for element, column in NOTES.items()},
        "seventh_characters": [each._asdict() for each in own],
        "built_from": None,
    }
    yield Listed(code, title, is_leaf and not needs_seventh, facts)
    if is_leaf and needs_seventh:
        yield from _built(code, title, above)
    for each in below:
        yield from _listed(each, above)


def _built(code: str, title: str, above: _Above) -> Iterator[Listed]:
    """The codes of a leaf that needs a seventh character; X stands in the places before it that are free."""
    facts: dict[str, Any] = {
        "chapter": above.chapter,
        "section": above.section,
        **{column: [] for column in NOTES.values()},
        "seventh_characters": [],
        "built_from": code,
    }
    base = code.ljust(_NUM_BEFORE_SEVENTH, "X")
    for each in above.seventh:
        if (base[-1], each.character) not in above.excepted:
            yield Listed(base + each.character, f"{title}, {each.meaning}", True, facts)


def _defined(diag: _Element) -> Iterator[Seventh]:
    """The seventh characters a code defines; a note is about the character before it."""
    last = None
    for each in diag.iterfind("sevenChrDef/*"):
        if each.tag == "extension":
            last = Seventh(each.get("char") or "", text_of(each), [])
            yield last
        elif last is not None and each.tag == "note":
            last.notes.append(text_of(each))


def _excepted(diag: _Element) -> Iterator[tuple[str, str]]:
    """What a note takes back: of an injury that someone died of (S06) there is no subsequent encounter."""
    for note in _notes(diag, "notes"):
        if found := _EXCEPTION.search(note):
            yield from itertools.product(_SIXTH.findall(found["sixth"]), _CHARACTER.findall(found["seventh"]))


def _notes(diag: _Element, name: str) -> list[str]:
    return [text for note in diag.iterfind(f"{name}/note") if (text := text_of(note))]
