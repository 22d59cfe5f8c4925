"""NLM's dates in, dates out; those of issues as far as they are known: `2008`, `2008-07`, `2008-07-15`."""

from __future__ import annotations

import datetime
import re

from lxml import etree

from hf_builders.xml_files import text_of

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_YEAR = re.compile(r"(?<![0-9])[0-9]{4}(?![0-9])")


def dates_of(published: etree._Element | None) -> dict[str, str | None]:
    """When an issue appeared: `publication_date`, and beside it what the journal says in words.

    >>> dates_of(etree.fromstring("<PubDate><MedlineDate>2008 Jul-Aug</MedlineDate></PubDate>"))
    {'publication_date': '2008', 'season': None, 'medline_date': '2008 Jul-Aug'}
    """
    if published is None:
        return {"publication_date": None, "season": None, "medline_date": None}
    words = text_of(published.find("MedlineDate"))
    year = _YEAR.search(words)
    return {
        "publication_date": iso_date(published) or (year[0] if year else None),
        "season": text_of(published.find("Season")) or None,
        "medline_date": words or None,
    }


def full_date(element: etree._Element | None) -> datetime.date | None:
    """A date that the DTD wants whole; None where it is not.

    >>> full_date(etree.fromstring("<ArticleDate><Year>2008</Year><Month>7</Month><Day>5</Day></ArticleDate>"))
    datetime.date(2008, 7, 5)
    """
    known = iso_date(element) or ""
    return datetime.date.fromisoformat(known) if known.count("-") == 2 else None


def iso_date(element: etree._Element | None) -> str | None:
    """From `Year`, `Month` (a number or an English name) and `Day`, up to the first that is missing or none.

    >>> iso_date(etree.fromstring("<PubDate><Year>2008</Year><Month>Jul</Month><Day>5</Day></PubDate>"))
    '2008-07-05'
    >>> iso_date(etree.fromstring("<PubDate><Year>2008</Year><Month>02</Month><Day>31</Day></PubDate>"))
    '2008-02'
    """
    if element is None or not _YEAR.fullmatch(year := text_of(element.find("Year"))):
        return None
    month = _month(text_of(element.find("Month")))
    if month is None:
        return year
    try:
        return datetime.date(int(year), month, int(text_of(element.find("Day")))).isoformat()
    except ValueError:
        return f"{year}-{month:02}"


def _month(text: str) -> int | None:
    if text.isalpha() and text[:3].lower() in _MONTHS:
        return _MONTHS.index(text[:3].lower()) + 1
    return int(text) if text.isdecimal() and 1 <= int(text) <= 12 else None
