"""The element of a citation in, its values by column out: both generations of NLM's DTD, and chapters of books."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from datasets import Features, List, Value
from lxml import etree

from hf_builders.pubmed.dates import dates_of, full_date
from hf_builders.pubmed.pmid_scan import parse_pmid
from hf_builders.pubmed.wording import paragraphs, readable_title
from hf_builders.quarantine import RowProblem
from hf_builders.schema import text_features
from hf_builders.xml_files import text_of

_AUTHOR = {
    "last_name": "LastName",
    "fore_name": "ForeName",
    "initials": "Initials",
    "suffix": "Suffix",
    "collective_name": "CollectiveName",
}
_TEXT, _TEXTS, _FLAG = Value("string"), List(Value("string")), Value("bool")
SOURCE_FEATURES = Features(
    {
        "pmid": _TEXT,
        "version": Value("int32"),
        **text_features("status", "indexing_method", "title", "vernacular_title"),
        "language": _TEXTS,
        "abstract": List({"label": _TEXT, "category": _TEXT, "text": _TEXT}),
        "other_abstracts": List({"language": _TEXT, "type": _TEXT, "text": _TEXT}),
        "journal": dict(text_features("title", "iso_abbreviation", "issn", "nlm_id", "volume", "issue", "pages")),
        **text_features("book_title", "publication_date", "season", "medline_date"),
        "electronic_date": Value("date32"),
        "date_revised": Value("date32"),
        "authors": List(dict(text_features(*_AUTHOR))),
        "publication_types": _TEXTS,
        "mesh_headings": List(
            {
                "descriptor": _TEXT,
                "ui": _TEXT,
                "major": _FLAG,
                "qualifiers": List({"name": _TEXT, "ui": _TEXT, "major": _FLAG}),
            }
        ),
        "supplementary_concepts": List(dict(text_features("name", "ui", "type"))),
        "keywords": _TEXTS,
        "chemicals": List(dict(text_features("name", "ui", "registry_number"))),
        **text_features("doi", "pmc"),
    }
)
"""Of the view `source`. What a citation does not have is null, or an empty list."""

_PMC = re.compile(r"PMC[0-9]+")  # the old DTD may add `[Available on 12/22/16]`


def values_of(element: etree._Element) -> dict[str, Any]:
    """All columns of a citation: of `PubmedArticle`, `PubmedBookArticle`, or a bare one of what these hold.

    Raises:
        RowProblem: there is no citation in it, it has no PMID that is a number, or no article.
    """
    is_book = element.tag in ("PubmedBookArticle", "BookDocument")
    name = "BookDocument" if is_book else "MedlineCitation"
    citation = element if element.tag == name else element.find(name)
    if citation is None:
        raise RowProblem("no_citation", f"<{element.tag}> holds no <{name}>")
    if (found := citation.find("PMID")) is None:
        raise RowProblem("no_pmid", f"<{name}> holds no <PMID>")
    pmid, version = parse_pmid("".join(found.itertext()), found.get("Version"))
    article = citation if is_book else citation.find("Article")
    if article is None:
        raise RowProblem("no_article", f"<{name}> holds no <Article>")
    book = citation.find("Book")
    book_title = None if book is None else _text(book, "BookTitle")
    published = article.find("Journal/JournalIssue/PubDate") if book is None else book.find("PubDate")
    return {
        "pmid": pmid,
        "version": version,
        "status": citation.get("Status"),
        "indexing_method": citation.get("IndexingMethod"),
        "title": _text(article, "ArticleTitle") or book_title,
        "vernacular_title": _text(article, "VernacularTitle"),
        "language": _texts(article, "Language"),
        "abstract": _abstract(article.iterfind("Abstract/AbstractText")),
        "other_abstracts": _other_abstracts(citation),
        "journal": _journal(article, citation),
        "book_title": book_title,
        **dates_of(published),
        "electronic_date": full_date(article.find("ArticleDate")),
        "date_revised": full_date(citation.find("DateRevised")),
        "authors": _authors(article) or ([] if book is None else _authors(book)),
        "publication_types": _texts(article, "PublicationType" if is_book else "PublicationTypeList/PublicationType"),
        "mesh_headings": _mesh_headings(citation),
        "supplementary_concepts": [
            {"name": text_of(each), "ui": each.get("UI"), "type": each.get("Type")}
            for each in citation.iterfind("SupplMeshList/SupplMeshName")
        ],
        "keywords": _texts(citation, "KeywordList/Keyword"),
        "chemicals": [
            {
                "name": _text(each, "NameOfSubstance"),
                "ui": _attribute(each.find("NameOfSubstance"), "UI"),
                "registry_number": _text(each, "RegistryNumber"),
            }
            for each in citation.iterfind("ChemicalList/Chemical")
        ],
        **_ids(element, citation, article),
    }


def notes_of(values: Mapping[str, Any]) -> list[str]:
    """What is worth knowing of a citation."""
    facts = {
        "no_title": readable_title(values) is None,
        "translated_title": readable_title(values) not in (None, values["title"]),
        "no_abstract": not values["abstract"],
        "abstract_truncated": any("(ABSTRACT TRUNCATED" in part["text"] for part in values["abstract"]),
    }
    return [name for name, is_so in facts.items() if is_so]


def _text(element: etree._Element, path: str) -> str | None:
    """The text of an element below another; None where it is blank or not there."""
    text = text_of(element.find(path))
    return text if text.strip() else None


def _texts(element: etree._Element, path: str) -> list[str]:
    return [text for each in element.iterfind(path) if (text := text_of(each)).strip()]


def _attribute(element: etree._Element | None, name: str) -> str | None:
    return None if element is None else element.get(name)


def _abstract(parts: Iterable[etree._Element]) -> list[dict[str, str | None]]:
    """The parts that have a text; `CopyrightInformation` beside them is none."""
    return [
        {"label": (each.get("Label") or "").strip() or None, "category": each.get("NlmCategory"), "text": text}
        for each in parts
        if (text := text_of(each)).strip()
    ]


def _other_abstracts(citation: etree._Element) -> list[dict[str, str | None]]:
    """In other languages, or by others than the journal."""
    return [
        {"language": each.get("Language"), "type": each.get("Type"), "text": text}
        for each in citation.iterfind("OtherAbstract")
        if (text := paragraphs(_abstract(each.iterfind("AbstractText"))))
    ]


def _journal(article: etree._Element, citation: etree._Element) -> dict[str, str | None]:
    """Empty where it is a chapter of a book."""
    return {
        "title": _text(article, "Journal/Title"),
        "iso_abbreviation": _text(article, "Journal/ISOAbbreviation"),
        "issn": _text(article, "Journal/ISSN"),
        "nlm_id": _text(citation, "MedlineJournalInfo/NlmUniqueID"),
        "volume": _text(article, "Journal/JournalIssue/Volume"),
        "issue": _text(article, "Journal/JournalIssue/Issue"),
        "pages": _text(article, "Pagination/MedlinePgn"),
    }


def _authors(element: etree._Element) -> list[dict[str, str | None]]:
    """Without editors, and without erroneous names that NLM keeps beside the corrected ones."""
    lists = (each for each in element.iterfind("AuthorList") if each.get("Type") != "editors")
    authors = (author for each in lists for author in each.iterfind("Author"))
    return [_named(author, _AUTHOR) for author in authors if author.get("ValidYN") != "N"]


def _named(element: etree._Element, columns: Mapping[str, str]) -> dict[str, str | None]:
    """The texts of an element's children, by the columns they go to."""
    texts = {child.tag: text_of(child) for child in element if child.tag in columns.values()}
    return {column: texts.get(tag) or None for column, tag in columns.items()}


def _mesh_headings(citation: etree._Element) -> list[dict[str, Any]]:
    return [
        {
            "descriptor": text_of(descriptor),
            "ui": descriptor.get("UI"),
            "major": descriptor.get("MajorTopicYN") == "Y",
            "qualifiers": [
                {"name": text_of(each), "ui": each.get("UI"), "major": each.get("MajorTopicYN") == "Y"}
                for each in heading.iterfind("QualifierName")
            ],
        }
        for heading in citation.iterfind("MeshHeadingList/MeshHeading")
        if (descriptor := heading.find("DescriptorName")) is not None and text_of(descriptor).strip()
    ]


def _ids(element: etree._Element, citation: etree._Element, article: etree._Element) -> dict[str, str | None]:
    """Those of the citation itself; the lists of its references hold others. The first of a kind is taken."""
    lists = ("PubmedData/ArticleIdList", "BookDocument/ArticleIdList", "ArticleIdList", "PubmedBookData/ArticleIdList")
    given = [(each.get("IdType"), text_of(each)) for path in lists for each in element.iterfind(f"{path}/ArticleId")]
    valid = (each for each in article.iterfind("ELocationID") if each.get("ValidYN") != "N")
    given += [(each.get("EIdType"), text_of(each)) for each in valid]
    matches = (_PMC.match(text_of(each)) for each in citation.iterfind("OtherID"))
    given += [("pmc", match[0]) for match in matches if match]
    ids = {kind: text for kind, text in reversed(given) if text}
    return {"doi": ids.get("doi"), "pmc": ids.get("pmc")}
