"""A file of PubMed in, the PMIDs and versions of its citations out: a quick first pass that builds no tree."""

from __future__ import annotations

import re
from array import array
from collections.abc import Collection
from typing import NamedTuple
from xml.parsers import expat

import numpy as np

from hf_builders.errors import SourceError
from hf_builders.quarantine import RowProblem
from hf_builders.sources import SourceFile

_DELETION = "DeleteCitation"
_DELETION_OF_BOOKS = "DeleteDocument"
DELETIONS = (_DELETION, _DELETION_OF_BOOKS)
Path = tuple[str, ...]
"""From the element of a citation, or of deletions, down to a PMID of its own; those of articles it refers to lie
elsewhere."""
PATHS_OF_PMIDS: dict[str, tuple[Path, ...]] = {
    "PubmedArticleSet": (
        ("PubmedArticle", "MedlineCitation", "PMID"),
        ("PubmedBookArticle", "BookDocument", "PMID"),
        (_DELETION, "PMID"),
    ),
    "MedlineCitationSet": (("MedlineCitation", "PMID"), (_DELETION, "PMID")),
    "PubmedBookArticleSet": (("PubmedBookArticle", "BookDocument", "PMID"),),
    "BookDocumentSet": (("BookDocument", "PMID"), (_DELETION_OF_BOOKS, "PMID")),
}
"""By the root of the file: today's, that of 2016 and before, and those of books alone."""

_BLOCK = 1 << 20
_PMID = re.compile(r"[ \t\r\n]*([0-9]{1,9})[ \t\r\n]*")  # NLM gives out 8 digits at most; 9 fit in an int32
_VERSION = re.compile(r"[0-9]{1,4}")
_UNREADABLE = -1


class Scan(NamedTuple):
    pmids: np.ndarray
    """int32, in the order of the file; -1 where it has none, or none that is a number: a bad row later on."""
    versions: np.ndarray
    """int16, of the same citations."""
    deleted: np.ndarray
    """int32, the PMIDs that the file deletes."""


def parse_pmid(text: str, version: str | None) -> tuple[str, int]:
    """The digits of a PMID, and its version: 1 where none is given.

    Raises:
        RowProblem: one of them is no number.

    >>> parse_pmid(" 99000001\\n", "2")
    ('99000001', 2)
    """
    if not (digits := _PMID.fullmatch(text)):
        raise RowProblem("bad_pmid", f"the PMID is {text!r}; expected a number of at most 9 digits")
    if version is None:
        return digits[1], 1
    if not _VERSION.fullmatch(version.strip()):
        raise RowProblem("bad_version", f"PMID {digits[1]} has Version={version!r}; expected a number")
    return digits[1], int(version)


def scan(source: SourceFile, paths: Collection[Path]) -> Scan:
    """Reads the whole file. It is known to declare no entities.

    Raises:
        SourceError: the file is no well-formed XML, or deletes something that is no PMID.
    """
    scanner = _Scanner(source.name, paths)
    with source.open() as file:
        try:
            while block := file.read(_BLOCK):
                scanner.parser.Parse(block)
            scanner.parser.Parse(b"", True)
        except expat.ExpatError as error:
            fact = expat.ErrorString(error.code)
            raise SourceError(
                f"{source.name}:{error.lineno}: the XML is broken here ({fact}); get the file again"
            ) from error
    return Scan(
        np.array(scanner.pmids, np.int32), np.array(scanner.versions, np.int16), np.array(scanner.deleted, np.int32)
    )


class _Scanner:
    """Follows the path of open elements up to the PMID of a citation, then looks for the citation's end alone."""

    def __init__(self, name: str, paths: Collection[Path]) -> None:
        self.pmids, self.versions, self.deleted = array("i"), array("h"), array("i")
        self.parser = expat.ParserCreate()
        self._name, self._paths, self._tops = name, paths, {path[0] for path in paths}
        self._open: list[str] = []
        self._text: list[str] = []
        self._version: str | None = None
        self._follow()

    def _follow(self) -> None:
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open and name not in self._tops:
            return
        self._open.append(name)
        if tuple(self._open) in self._paths:
            self._text, self._version = [], attributes.get("Version")
            self.parser.CharacterDataHandler = self._text.append

    def _end(self, name: str) -> None:
        if not self._open:
            return
        top = self._open[0]
        if tuple(self._open) in self._paths:
            self.parser.CharacterDataHandler = None
            if top not in DELETIONS:
                self._add("".join(self._text))
                self.parser.StartElementHandler, self.parser.EndElementHandler = None, self._skip
                return
            self._delete(top, "".join(self._text))
        self._open.pop()
        if not self._open and top not in DELETIONS:
            self._add("")  # it was over before there was a PMID

    def _skip(self, name: str) -> None:
        if name == self._open[0]:
            self._open.clear()
            self._follow()

    def _add(self, text: str) -> None:
        try:
            pmid, version = parse_pmid(text, self._version)
        except RowProblem:
            pmid, version = str(_UNREADABLE), 0
        self.pmids.append(int(pmid))
        self.versions.append(version)

    def _delete(self, element: str, text: str) -> None:
        try:
            pmid, _ = parse_pmid(text, self._version)
        except RowProblem as problem:
            raise SourceError(
                f"{self._name}:{self.parser.CurrentLineNumber}: in <{element}>, {problem.args[1]}; get the file again"
            ) from problem
        self.deleted.append(int(pmid))
