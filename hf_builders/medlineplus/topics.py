"""A `health-topic` element in, its values out."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from datasets import Features, List, Value
from lxml import etree
from lxml.etree import _Element

from hf_builders.medlineplus.summary import sections_of, summary_text
from hf_builders.quarantine import RowProblem
from hf_builders.xml_files import text_of

_TEXT = Value("string")
_LINK = {"id": _TEXT, "title": _TEXT, "url": _TEXT}

FEATURES = Features(
    {
        "id": _TEXT,
        "title": _TEXT,
        "language": _TEXT,
        "url": _TEXT,
        "date_created": Value("date32"),
        "description": _TEXT,
        "also_called": List(_TEXT),
        "summary": _TEXT,
        "sections": List({"heading": _TEXT, "text": _TEXT}),
        "groups": List(_LINK),
        "mesh_headings": List({"id": _TEXT, "descriptor": _TEXT, "qualifiers": List(_TEXT)}),
        "primary_institute": _TEXT,
        "related_topics": List(_LINK),
        "see_references": List(_TEXT),
        "mapped_topics": List({**_LINK, "language": _TEXT}),
        "other_languages": List({"name": _TEXT, "vernacular_name": _TEXT, "url": _TEXT}),
        "sites": List(
            {
                "title": _TEXT,
                "url": _TEXT,
                "language_mapped_url": _TEXT,
                "categories": List(_TEXT),
                "organizations": List(_TEXT),
                "descriptions": List(_TEXT),
            }
        ),
    }
)


def values_of(topic: _Element) -> Mapping[str, Any]:
    """The columns of the view `source`.

    Raises:
        RowProblem: the topic has no id, title or language, or a date that is none.
    """
    for name in ("id", "title", "language"):
        if not (topic.get(name) or "").strip():
            raise RowProblem(f"no_{name}", f"the topic {topic.get('title') or ''!r} has no {name!r}")
    sections = sections_of(_html_of(topic.find("full-summary")))
    return {
        "id": topic.get("id").strip(),
        "title": topic.get("title").strip(),
        "language": topic.get("language").strip(),
        "url": topic.get("url"),
        "date_created": _date(topic.get("date-created")),
        "description": (topic.get("meta-desc") or "").strip(),
        "also_called": _texts(topic, "also-called"),
        "summary": summary_text(sections),
        "sections": [section._asdict() for section in sections],
        "groups": [_link(group) for group in topic.iterfind("group")],
        "mesh_headings": [_mesh_heading(heading) for heading in topic.iterfind("mesh-heading")],
        "primary_institute": text_of(topic.find("primary-institute")) or None,
        "related_topics": [_link(related) for related in topic.iterfind("related-topic")],
        "see_references": _texts(topic, "see-reference"),
        "mapped_topics": [
            {**_link(mapped), "language": mapped.get("language")} for mapped in topic.iterfind("language-mapped-topic")
        ],
        "other_languages": [
            {"name": text_of(other), "vernacular_name": other.get("vernacular-name"), "url": other.get("url")}
            for other in topic.iterfind("other-language")
        ],
        "sites": [_site(site) for site in topic.iterfind("site")],
    }


def _html_of(summary: _Element | None) -> str:
    """The HTML of a summary, which is escaped in the official files; elements in it are HTML as they are."""
    if summary is None:
        return ""
    if not any(isinstance(child.tag, str) for child in summary):  # text, with entities that no one declared
        return "".join(summary.itertext())
    return (summary.text or "") + "".join(etree.tostring(child, encoding="unicode") for child in summary)


def _date(date: str | None) -> datetime.date | None:
    """The files have month, day and year, `02/19/1999`."""
    if date is None or not date.strip():
        return None
    try:
        return datetime.datetime.strptime(date.strip(), "%m/%d/%Y").date()
    except ValueError:
        raise RowProblem("bad_date", f"date-created is {date!r:.40}; expected mm/dd/yyyy") from None


def _texts(topic: _Element, name: str) -> list[str]:
    return [text for element in topic.iterfind(name) if (text := text_of(element))]


def _link(element: _Element) -> dict[str, str | None]:
    return {"id": element.get("id"), "title": text_of(element), "url": element.get("url")}


def _mesh_heading(heading: _Element) -> dict[str, Any]:
    descriptor = heading.find("descriptor")
    return {
        "id": None if descriptor is None else descriptor.get("id"),
        "descriptor": text_of(descriptor),
        "qualifiers": _texts(heading, "qualifier"),
    }


def _site(site: _Element) -> dict[str, Any]:
    return {
        "title": site.get("title"),
        "url": site.get("url"),
        "language_mapped_url": site.get("language-mapped-url"),
        "categories": _texts(site, "information-category"),
        "organizations": _texts(site, "organization"),
        "descriptions": _texts(site, "standard-description"),
    }
