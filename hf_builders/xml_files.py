"""An XML file in, its records out one at a time: elements of given names, in bounded memory, with no network.

Nothing a file declares is followed: no DTD is fetched, no external entity opened, and a file that declares entities of
its own, which is what attacks by expansion do and no source of ours does, is refused before it is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import IO, NoReturn
from xml.parsers import expat

from lxml import etree

from hf_builders.errors import SourceError
from hf_builders.sources import SourceFile

_BLOCK = 1 << 16
_SAID_TWICE = ("{*}annotation", "{*}annotation-xml")  # a formula of MathML once more, in TeX, say
# Those of XML, for a thin or no-break space is the author's; a single space is one already.
_SPACES = re.compile(r"[ \t\r\n]{2,}|[\t\r\n]")


def read_elements(source: SourceFile, names: Collection[str]) -> Iterator[etree._Element]:
    """The elements of these names in the order of the file, each whole when it is given.

    An element, and what stands before it in the file, is gone when the next one is asked for.

    Raises:
        SourceError: the file is no XML, breaks off, declares entities, or holds no such element.
    """
    with source.open() as file:
        _refuse_entities(file, source.name)
    found = False
    with source.open() as file:
        parser = etree.iterparse(
            file,
            tag=list(names),
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,  # keeps libxml2's own limits on depth and on the length of a text
            remove_comments=True,
            remove_pis=True,
        )
        try:
            for _, element in parser:
                found = True
                yield element
                _forget(element)
        except etree.XMLSyntaxError as error:
            raise SourceError(
                f"{source.name}:{error.lineno}: the XML is broken here ({_without_place(error)}); get the file again"
            ) from error
    if not found:
        expected = ", ".join(f"<{name}>" for name in names)
        raise SourceError(
            f"{source.name}: the root is <{parser.root.tag}>, and nothing in it is {expected}; "
            "is it a file of another dataset?"
        )


def root_name(source: SourceFile) -> str:
    """The name of the root element; what is behind its start is not read. Raises as `read_elements` does."""
    with source.open() as file:
        return _refuse_entities(file, source.name)


def text_of(element: etree._Element | None) -> str:
    """All text in an element, that of inline markup included, runs of XML's white space as one space.

    >>> text_of(etree.fromstring("<t>The <i>E. coli</i> O<sub>2</sub>\\n   uptake </t>"))
    'The E. coli O2 uptake'
    >>> text_of(None)
    ''
    """
    if element is None:
        return ""
    pieces: Iterable[str] = element.itertext()
    if len(element) and next(element.iter(*_SAID_TWICE), None) is not None:
        pieces = element.xpath(".//text()[not(ancestor::*[starts-with(local-name(), 'annotation')])]")
    return _SPACES.sub(" ", "".join(pieces)).strip(" ")


def _forget(element: etree._Element) -> None:
    """Free an element that is done with, and all before it: what is left of its kind are empty shells."""
    element.clear()
    for node in [element, *element.iterancestors()]:
        parent = node.getparent()
        while parent is not None and node.getprevious() is not None:
            del parent[0]


class _RootReached(Exception):
    """The declarations of a file are over."""


def _refuse_entities(file: IO[bytes], name: str) -> str:
    """Read up to the root element, and return its name.

    Raises:
        SourceError: the file declares entities, or is no XML.
    """

    def refuse(entity: str, *_: object) -> NoReturn:
        raise SourceError(
            f"{name}: declares the entity {entity!r}, which files of this kind never do; it is not read: get the file "
            "from its publisher"
        )

    def stop(root: str, _: object) -> NoReturn:
        raise _RootReached(root)

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = stop
    try:
        while block := file.read(_BLOCK):
            parser.Parse(block)
        parser.Parse(b"", True)
    except _RootReached as reached:
        return str(reached)
    except expat.ExpatError as error:
        fact = expat.ErrorString(error.code)
        raise SourceError(f"{name}:{error.lineno}: is no XML ({fact}); is it a file of another dataset?") from error
    except ValueError as error:  # a declared encoding of several bytes that is none of Unicode's
        raise SourceError(f"{name}: cannot be decoded ({error}); save it as UTF-8") from error
    raise AssertionError("expat finds no document without a root")


def _without_place(error: etree.XMLSyntaxError) -> str:
    """lxml's message names line and column behind a comma; the line stands before it as it is."""
    return str(error.msg).partition(", line ")[0]
