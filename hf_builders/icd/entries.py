"""A file in, what it says of each of its codes out, whichever of the published forms it has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from hf_builders.errors import SourceError
from hf_builders.icd.codes import System, is_code
from hf_builders.icd.tabular import ROOT, read_tabular
from hf_builders.quarantine import RowProblem
from hf_builders.sources import SourceFile
from hf_builders.xml_files import root_name

_ORDER_LINE = re.compile(r"[0-9]{5} [A-Z][0-9A-Z]{2,6} {1,5}[01] .{60} \S.*")
_LIST_LINE = re.compile(r"([0-9A-Z]{2,7})[ \t]+\S.*")
_START = 1 << 16  # bytes, by which the form of a file is told


class Form(NamedTuple):
    """How a file is laid out, and what its rows are counted as where another one gives the same codes."""

    name: str
    system: System
    rank: int
    """Of the forms that hold a code, the one with the highest shows it; the others add what they know."""


TABULAR = Form("tabular_list", "icd10cm", 3)
ORDER = Form("code_order", "icd10cm", 2)
CODES = Form("code_titles", "icd10cm", 1)
LONG_DIAGNOSES = Form("long_titles", "icd9cm_diagnosis", 2)
SHORT_DIAGNOSES = Form("short_titles", "icd9cm_diagnosis", 1)
LONG_PROCEDURES = Form("long_titles", "icd9cm_procedure", 2)
SHORT_PROCEDURES = Form("short_titles", "icd9cm_procedure", 1)
# Where titles begin tells lists apart: codes are padded to the length of the longest, and a blank is behind them.
_LISTS = {8: (CODES, CODES), 6: (LONG_DIAGNOSES, SHORT_DIAGNOSES), 5: (LONG_PROCEDURES, SHORT_PROCEDURES)}


@dataclass(frozen=True)
class Entry:
    """What one file says of one code."""

    place: str
    code: str
    """Without the dot."""
    title: str | None = None
    short_title: str | None = None
    is_billable: bool = True
    facts: Mapping[str, Any] = field(default_factory=dict)
    """More columns, of the tabular list."""
    raw: str = ""
    problem: RowProblem | None = None
    """What is wrong with it; then nothing else counts."""


def form_of(source: SourceFile) -> Form:
    """The form of a file, by its content; a list of short titles is known by its name alone.

    Raises:
        SourceError: it has none of them.
    """
    lines = _first_lines(source)
    if lines[0].lstrip().startswith("<"):
        if (root := root_name(source)) == ROOT:
            return TABULAR
        raise SourceError(f"{source.name}: the root is <{root}>, expected <{ROOT}>; is it a file of another dataset?")
    if any(_ORDER_LINE.fullmatch(line) for line in lines):
        return ORDER
    for line in lines:  # the first may be a bad row
        if form := _form_of_line(line):
            long, short = form
            return short if "SHORT" in PurePosixPath(source.name).name.upper() else long
    raise SourceError(
        f"{source.name}:1: {lines[0]!r:.80} is no line of a list of ICD-10-CM or ICD-9-CM codes (a code, blanks, a "
        "title); is it a file of another dataset?"
    )


def _form_of_line(line: str) -> tuple[Form, Form] | None:
    """The forms, with long and with short titles, that a line of a list can be of."""
    if (found := _LIST_LINE.fullmatch(line)) is None:
        return None
    code = found[1]
    forms = _LISTS.get(len(line) - len(line[len(code) :].lstrip(" \t")))
    if forms is not None and is_code(forms[0].system, code):
        return forms
    return _LISTS[8] if is_code("icd10cm", code) else None  # not padded, or with a tab


def read_entries(source: SourceFile, form: Form) -> Iterator[Entry]:
    """What a file says of its codes, in its order; what cannot be read has a `problem`."""
    if form == TABULAR:
        for number, listed in enumerate(read_tabular(source), start=1):
            place = f"{source.name}#{number}"
            problem = _code_problem(form, listed.code, listed.title)
            yield Entry(place, listed.code, listed.title, None, listed.is_billable, facts=listed.facts, problem=problem)
        return
    for number, line in enumerate(_decode(source).split("\n"), start=1):
        if line := line.rstrip("\r \x1a"):  # DOS marked the end of a file
            yield _entry_of_line(line, f"{source.name}:{number}", form)


def _entry_of_line(line: str, place: str, form: Form) -> Entry:
    code, short, billable = "", None, True
    if form == ORDER and _ORDER_LINE.fullmatch(line):
        code, short, billable, title = line[6:13].strip(), line[16:76].strip(), line[14] == "1", line[77:].strip()
    elif form != ORDER and (found := _LIST_LINE.fullmatch(line)):
        code, title = found[1], line[len(found[1]) :].strip()
    else:
        fact = f"{line!r:.80} is no line of its file, which is one of {form.name.replace('_', ' ')}"
        return Entry(place, "", raw=line, problem=RowProblem("not_a_code", fact))
    problem = _code_problem(form, code, title)
    if form in (SHORT_DIAGNOSES, SHORT_PROCEDURES):
        return Entry(place, code, None, title, raw=line, problem=problem)
    return Entry(place, code, title, short, billable, raw=line, problem=problem)


def _code_problem(form: Form, code: str, title: str) -> RowProblem | None:
    if not is_code(form.system, code):
        return RowProblem("not_a_code", f"{code!r} is no code of {form.system}")
    if not title:
        return RowProblem("no_title", f"the code {code} has no title")
    return None


def _decode(source: SourceFile) -> str:
    """UTF-8, or else Latin-1, as the long titles of ICD-9-CM are (`Ménière`)."""
    with source.open() as file:
        data = file.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("iso-8859-1")


def _first_lines(source: SourceFile) -> list[str]:
    with source.open() as file:
        start = file.read(_START)
    lines = (line.rstrip("\r \x1a") for line in start.decode("utf-8-sig", "replace").split("\n"))
    if not (some := [line for line in lines if line]):
        raise SourceError(f"{source.name}: the file is empty; get it again, or leave it out")
    return some
