"""PubMed: every citation of either DTD whole and typed, and nothing but its own words in the other views."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

import hf_builders
from tests.hf_builders.pubmed_files import (
    CHAPTER,
    RICH,
    account_of,
    article,
    bare,
    book_set,
    load,
    load_one,
    medline_set,
    pubmed_set,
    write,
)

NAME = "hf_builders/pubmed"
VIEWS = ("source", "text", "messages", "instruction")
MESH_TASK = (
    "List the MeSH headings that index the article with this abstract, one a line, the qualifiers of a heading behind "
    "slashes, and an asterisk before what is a major topic of the article."
)
TITLE_TASK = "Write the title of the article with this abstract."

EXPECTED: dict[str, Any] = {
    "pmid": "99000001",
    "version": 1,
    "status": "MEDLINE",
    "indexing_method": None,
    "title": "Owls in T. baccata & CO2.",
    "vernacular_title": None,
    "language": ["eng", "fre"],
    "abstract": [
        {"label": "AIM", "category": "OBJECTIVE", "text": "To count owls."},
        {"label": "RESULTS", "category": "RESULTS", "text": "There were 103."},
    ],
    "other_abstracts": [{"language": "fre", "type": "Publisher", "text": "Abstract available from the publisher."}],
    "journal": {
        "title": "Journal of owls",
        "iso_abbreviation": "J. Owls",
        "issn": "1234-5678",
        "nlm_id": "9990001",
        "volume": "7",
        "issue": "3-4",
        "pages": "195-210",
    },
    "book_title": None,
    "publication_date": "2026-02-03",
    "season": None,
    "medline_date": None,
    "electronic_date": datetime.date(2025, 12, 31),
    "date_revised": None,
    "authors": [
        {"last_name": "Okapi", "fore_name": "Ada B", "initials": "AB", "suffix": "Jr", "collective_name": None},
        {
            "last_name": None,
            "fore_name": None,
            "initials": None,
            "suffix": None,
            "collective_name": "Owl Study Group",
        },
    ],
    "publication_types": ["Journal Article", "Review"],
    "mesh_headings": [
        {
            "descriptor": "Owls",
            "ui": "D5",
            "major": False,
            "qualifiers": [
                {"name": "physiology", "ui": "Q1", "major": True},
                {"name": "genetics", "ui": "Q2", "major": False},
            ],
        },
        {"descriptor": "Night", "ui": "D6", "major": True, "qualifiers": []},
    ],
    "supplementary_concepts": [{"name": "Owl fever", "ui": "C1", "type": "Disease"}],
    "keywords": ["owl", "night"],
    "chemicals": [{"name": "Owl Proteins", "ui": "D11", "registry_number": "0"}],
    "doi": "10.5555/owl",
    "pmc": None,
}


def test_both_generations_of_the_dtd_give_the_same_record(tmp_path: Path) -> None:
    write(tmp_path / "old" / "medline16n0902.xml", medline_set(bare(99000001, **RICH)))
    write(tmp_path / "new" / "pubmed26n0001.xml", pubmed_set(article(99000001, **RICH)))
    assert list(load(tmp_path / "old")) == list(load(tmp_path / "new")) == [EXPECTED]


def test_what_a_citation_does_not_have_is_null_or_empty(tmp_path: Path) -> None:
    (row,) = load_one(tmp_path, article(99000001, title="", abstract="", article="", journal=""))
    assert {name: value for name, value in row.items() if value not in (None, [])} == {
        "pmid": "99000001",
        "version": 1,
        "status": "MEDLINE",
        "journal": dict.fromkeys(EXPECTED["journal"]),
    }


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        ('A "<i>sine qua non</i>" of <b>owls</b>.', 'A "sine qua non" of owls.'),
        ("\n     Pretty <sup>13</sup>C\n       <i>print</i>.\n  ", "Pretty 13C print."),
        ("<i>Tyto alba</i>: all in markup", "Tyto alba: all in markup"),
        ("An owl<!-- not this --> at 5&#x2009;m", "An owl at 5\u2009m"),
        (
            'Sum <mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:mi>x</mml:mi></mml:math> of it',
            "Sum x of it",
        ),
        (
            '<mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:mfrac><mml:mn>1</mml:mn><mml:mn>2</mml:mn>'
            "</mml:mfrac></mml:math> an owl",
            "12 an owl",
        ),
        (
            '<mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:semantics><mml:mi>x</mml:mi>'
            '<mml:annotation encoding="TeX">{x}</mml:annotation></mml:semantics></mml:math> owls',
            "x owls",
        ),
        ("\xa0", None),
    ],
)
def test_titles_and_abstracts_with_inline_markup_are_whole(tmp_path: Path, raw: str, title: str | None) -> None:
    abstract = f"<Abstract><AbstractText>{raw}</AbstractText></Abstract>"
    (row,) = load_one(tmp_path, article(99000001, title=raw, abstract=abstract))
    assert row["title"] == title
    assert [part["text"] for part in row["abstract"]] == ([title] if title else [])


@pytest.mark.parametrize(
    ("raw", "date", "season", "words"),
    [
        ("<Year>2008</Year>", "2008", None, None),
        ("<Year>2008</Year><Month>Jul</Month>", "2008-07", None, None),
        ("<Year>2008</Year><Month>07</Month><Day>15</Day>", "2008-07-15", None, None),
        ("<Year>2008</Year><Month>7</Month><Day>5</Day>", "2008-07-05", None, None),
        ("<Year>2008</Year><Month>September</Month>", "2008-09", None, None),
        ("<Year>2008</Year><Month>Feb</Month><Day>30</Day>", "2008-02", None, None),
        ("<Year>2008</Year><Month>Jul-Aug</Month>", "2008", None, None),
        ("<Year>2008</Year><Month>13</Month><Day>1</Day>", "2008", None, None),
        ("<Year>2008</Year><Season>Spring</Season>", "2008", "Spring", None),
        ("<MedlineDate>2008 Jul-Aug</MedlineDate>", "2008", None, "2008 Jul-Aug"),
        ("<MedlineDate>1998 Dec-1999 Jan</MedlineDate>", "1998", None, "1998 Dec-1999 Jan"),
        ("<MedlineDate>Spring-Summer 2001</MedlineDate>", "2001", None, "Spring-Summer 2001"),
        ("<MedlineDate>n.d.</MedlineDate>", None, None, "n.d."),
        ("<Year>08</Year>", None, None, None),
        ("", None, None, None),
    ],
)
def test_a_date_is_iso_as_far_as_it_is_known(
    tmp_path: Path, raw: str, date: str | None, season: str | None, words: str | None
) -> None:
    journal = f"<Journal><JournalIssue><PubDate>{raw}</PubDate></JournalIssue></Journal>"
    (row,) = load_one(tmp_path, article(99000001, journal=journal))
    assert (row["publication_date"], row["season"], row["medline_date"]) == (date, season, words)


def test_a_day_is_a_date_and_none_where_it_is_not_whole(tmp_path: Path) -> None:
    days = ["<Year>2025</Year><Month>2</Month><Day>28</Day>", "<Year>2025</Year><Month>2</Month>", "<Year>x</Year>", ""]
    loaded = load_one(
        tmp_path,
        *(
            article(
                99000001 + n, article=f"<ArticleDate>{day}</ArticleDate>", citation=f"<DateRevised>{day}</DateRevised>"
            )
            for n, day in enumerate(days)
        ),
    )
    for name in ("electronic_date", "date_revised"):
        assert loaded[name][:] == [datetime.date(2025, 2, 28), None, None, None]


@pytest.mark.parametrize(
    ("raw", "language", "vernacular", "answer", "heading", "notes"),
    [
        ("Owls.", "eng", None, "Owls.", "Owls.", {}),
        ("[Owls are birds].", "ita", "I gufi.", "Owls are birds.", "Owls are birds.", {"translated_title": 1}),
        ("[Are owls birds?].", "ita", "I gufi?", "Are owls birds?", "Are owls birds?", {"translated_title": 1}),
        ("[Owls [and others]]", "ita", None, "Owls [and others].", "Owls [and others].", {"translated_title": 1}),
        ("[Owls] and [others].", "ita", None, "[Owls] and [others].", "[Owls] and [others].", {}),
        ("[18F]Owl in mice.", "ita", None, "[18F]Owl in mice.", "[18F]Owl in mice.", {}),
        ("[Owls].", "eng", None, "[Owls].", "[Owls].", {}),
        ("[Not Available].", "ita", "I gufi.", None, "I gufi.", {"no_title": 1}),
        ("[Not available]", "eng", None, None, None, {"no_title": 1}),
        ("", "ita", "I gufi.", None, "I gufi.", {"no_title": 1}),
    ],
)
def test_a_title_stays_as_it_is_and_is_asked_for_and_read_without_the_brackets_of_a_translation(
    tmp_path: Path,
    raw: str,
    language: str,
    vernacular: str | None,
    answer: str | None,
    heading: str | None,
    notes: dict[str, int],
) -> None:
    more = f"<VernacularTitle>{vernacular}</VernacularTitle>" if vernacular else ""
    one = article(99000001, raw, article=f"<Language>{language}</Language>{more}")
    # Beside it, one that every view shows: a load without rows is an error.
    loaded = load_one(tmp_path, one, article(99000002, "Bats.", citation=RICH["citation"]))
    assert loaded[0]["title"] == (raw or None)
    assert loaded[0]["vernacular_title"] == vernacular
    assert account_of(loaded).noted == notes
    asked = load(tmp_path, "instruction", tasks=["abstract_to_title"])
    assert asked["output"][:] == [*([answer] if answer else []), "Bats."]
    assert account_of(asked).left_out == ({} if answer else {"no_abstract_to_title": 1})
    assert load(tmp_path, "text")["text"][0] == (f"{heading}\n" if heading else "") + "We counted owls."


def test_every_view_of_a_citation_is_its_own_words(tmp_path: Path) -> None:
    write(tmp_path / "pubmed26n0001.xml", pubmed_set(article(99000001, **RICH)))
    abstract, title = "AIM: To count owls.\nRESULTS: There were 103.", "Owls in T. baccata & CO2."
    headings = "Owls/*physiology/genetics\n*Night"
    assert list(load(tmp_path, "text")) == [{"id": "99000001", "text": f"{title}\n{abstract}"}]
    assert list(load(tmp_path, "instruction")) == [
        {"id": "99000001/abstract_to_title", "instruction": TITLE_TASK, "input": abstract, "output": title},
        {"id": "99000001/abstract_to_mesh", "instruction": MESH_TASK, "input": abstract, "output": headings},
    ]
    assert [[message["content"] for message in row["messages"]] for row in load(tmp_path, "messages")] == [
        [f"{TITLE_TASK}\n\n{abstract}", title],
        [f"{MESH_TASK}\n\n{abstract}", headings],
    ]


def test_an_abstract_without_labels_has_none_in_any_view_and_nlms_word_for_that_is_no_label(tmp_path: Path) -> None:
    parts = (
        "<AbstractText>One.</AbstractText><AbstractText Label='' >Two.</AbstractText>"
        "<AbstractText Label='UNLABELLED' NlmCategory='UNASSIGNED'>Three.</AbstractText><AbstractText Label='AIM'/>"
    )
    (row,) = load_one(tmp_path, article(99000001, abstract=f"<Abstract>{parts}</Abstract>"))
    assert [(part["label"], part["category"]) for part in row["abstract"]] == [
        (None, None),
        (None, None),
        ("UNLABELLED", "UNASSIGNED"),
    ]
    assert load(tmp_path, "text")["text"][:] == ["Owls.\nOne.\nTwo.\nThree."]


@pytest.mark.parametrize(
    ("label", "line"),
    [
        ("BACKGROUND:", "BACKGROUND: Owls."),
        ("Aim :", "Aim: Owls."),
        ("Aim: nights", "Aim: nights: Owls."),
        ("Unlabelled", "Owls."),
        ("UNLABELLED:", "Owls."),
        (":", "Owls."),
    ],
)
def test_a_label_stays_as_it_is_and_is_read_with_one_colon(tmp_path: Path, label: str, line: str) -> None:
    abstract = f'<Abstract><AbstractText Label="{label}">Owls.</AbstractText></Abstract>'
    (row,) = load_one(tmp_path, article(99000001, "Title.", abstract=abstract))
    assert row["abstract"] == [{"label": label, "category": None, "text": "Owls."}]
    assert load(tmp_path, "text")["text"][:] == [f"Title.\n{line}"]
    assert load(tmp_path, "instruction")["input"][:] == [line]


def test_another_abstract_is_never_the_abstract(tmp_path: Path) -> None:
    other = (
        "<OtherAbstract Type='Publisher' Language='spa'><AbstractText Label='META'>Contar.</AbstractText>"
        "<AbstractText Label='UNLABELLED'>Nada.</AbstractText></OtherAbstract>"
    )
    loaded = load_one(tmp_path, article(99000001, abstract="", citation=other), article(99000002))
    assert loaded[0]["abstract"] == []
    assert loaded[0]["other_abstracts"] == [{"language": "spa", "type": "Publisher", "text": "META: Contar.\nNada."}]
    assert account_of(loaded).noted == {"no_abstract": 1}
    assert load(tmp_path, "text")["text"][:] == ["Owls.", "Owls.\nWe counted owls."]
    asked = load(tmp_path, "messages")
    assert asked["id"][:] == ["99000002/abstract_to_title"]
    assert account_of(asked).left_out == {"no_abstract_to_title": 1, "no_abstract_to_mesh": 2}


def test_a_citation_of_neither_title_nor_abstract_is_no_text(tmp_path: Path) -> None:
    loaded = load_one(tmp_path, article(99000001, "[Not Available].", abstract=""), article(99000002), view="text")
    assert loaded["id"][:] == ["99000002"]
    assert account_of(loaded).left_out == {"no_text": 1}


def test_an_abstract_that_nlm_cut_off_is_counted(tmp_path: Path) -> None:
    abstract = "<Abstract><AbstractText>We (ABSTRACT TRUNCATED AT 250 WORDS)</AbstractText></Abstract>"
    loaded = load_one(tmp_path, article(99000001, abstract=abstract), article(99000002))
    assert account_of(loaded).noted == {"abstract_truncated": 1}


def test_ids_are_those_of_the_article_and_not_of_its_references(tmp_path: Path) -> None:
    references = (
        '<ReferenceList><Reference><ArticleIdList><ArticleId IdType="doi">10.5555/other</ArticleId>'
        '<ArticleId IdType="pmc">PMC9</ArticleId></ArticleIdList></Reference></ReferenceList>'
    )
    own = (
        '<ArticleIdList><ArticleId IdType="pubmed">99000001</ArticleId><ArticleId IdType="doi">10.5555/a</ArticleId>'
        '<ArticleId IdType="pmc">PMC1</ArticleId></ArticleIdList>'
    )
    wrong = '<ELocationID EIdType="doi" ValidYN="N">10.5555/wrong</ELocationID>'
    right = '<ELocationID EIdType="pii" ValidYN="Y">7</ELocationID><ELocationID EIdType="doi">10.5555/e</ELocationID>'
    other = '<OtherID Source="NLM">NIHMS5</OtherID><OtherID Source="NLM">PMC7 [Available on 12/22/16]</OtherID>'
    loaded = load_one(
        tmp_path,
        article(99000001, abstract=wrong + right, citation=other, data=own + references),
        article(99000002, abstract=wrong + right, citation=other, data=references),
        article(99000003, abstract=wrong, data=references),
    )
    assert list(zip(loaded["doi"], loaded["pmc"], strict=True)) == [
        ("10.5555/a", "PMC1"),
        ("10.5555/e", "PMC7"),
        (None, None),
    ]


def test_a_chapter_of_a_book_is_a_citation_too(tmp_path: Path) -> None:
    title = '<ArticleTitle book="owls" part="night">Nightly Owls</ArticleTitle>'
    authors = '<AuthorList Type="authors"><Author><LastName>Okapi</LastName></Author></AuthorList>'
    whole = CHAPTER.format(title="", authors="").replace("99000005", "99000006")
    (chapter, book) = load_one(tmp_path, CHAPTER.format(title=title, authors=authors), whole)
    assert {name: value for name, value in chapter.items() if value not in (None, [])} == {
        "pmid": "99000005",
        "version": 2,
        "title": "Nightly Owls",
        "language": ["eng"],
        "abstract": [{"label": None, "category": None, "text": "Owls at length."}],
        "journal": dict.fromkeys(EXPECTED["journal"]),
        "book_title": "The Book of Owls",
        "publication_date": "1993",
        "date_revised": datetime.date(2020, 3, 4),
        "authors": [{**dict.fromkeys(EXPECTED["authors"][0]), "last_name": "Okapi"}],
        "publication_types": ["Review"],
        "keywords": ["owl"],
        "doi": "10.5555/c",
    }
    assert (book["title"], book["authors"]) == ("The Book of Owls", [])
    assert load(tmp_path, "text")["text"][0] == "Nightly Owls\nOwls at length."


def named(name: str, **attributes: str) -> str:
    given = "".join(f" {key}={value!r}" for key, value in attributes.items())
    return f"<Author{given}><LastName>{name}</LastName></Author>"


def test_authors_are_neither_editors_nor_erroneous_names_beside_the_corrected_ones(tmp_path: Path) -> None:
    editors = f"<AuthorList Type='editors'>{named('Editor')}</AuthorList>"
    own = f"<AuthorList Type='authors'>{named('Okapi')}</AuthorList>"
    chapter = CHAPTER.replace("99000005", "{pmid}")
    corrected = f"<AuthorList>{named('Okpai', ValidYN='N')}{named('Okapi', ValidYN='Y')}{named('Tapir')}</AuthorList>"
    loaded = load_one(
        tmp_path,
        chapter.format(pmid=99000001, title="", authors=""),
        chapter.format(pmid=99000002, title="", authors=editors),
        chapter.format(pmid=99000003, title="", authors=editors + own),
        chapter.format(pmid=99000004, title="", authors="").replace("editors", "authors"),
        article(99000005, article=corrected),
        article(99000006, article=editors),
    )
    assert [[author["last_name"] for author in row["authors"]] for row in loaded] == [
        [], [], ["Okapi"], ["Editor"], ["Okapi", "Tapir"], []
    ]  # fmt: skip


@pytest.mark.parametrize("root", ["PubmedBookArticleSet", "BookDocumentSet"])
def test_a_file_of_books_alone_gives_the_same_rows(tmp_path: Path, root: str) -> None:
    book = CHAPTER.format(title="<ArticleTitle>Nightly Owls</ArticleTitle>", authors="")
    write(tmp_path / "alone" / "books.xml", book_set(root, book))
    (row,) = load(tmp_path / "alone")
    assert (row["pmid"], row["title"], row["doi"]) == ("99000005", "Nightly Owls", "10.5555/c")
    assert [row] == list(load_one(tmp_path / "mixed", book))


class TestSample:
    def test_what_is_odd_in_it_is_what_the_card_says(self) -> None:
        account = hf_builders.account(load_dataset(NAME, sample=True))["train"]
        assert (account.read, account.kept) == (127, 124)
        assert account.left_out == {"superseded": 2, "deleted": 1}
        assert account.noted == {"no_abstract": 8, "translated_title": 5, "no_title": 1, "abstract_truncated": 1}

    def test_the_rows_on_the_card_are_what_the_views_give(self) -> None:
        card = (Path(hf_builders.__file__).parent / "pubmed" / "README.md").read_text(encoding="utf-8")
        shown = [json.loads(line) for line in card.splitlines() if line.startswith("{")]
        assert len(shown) == len(VIEWS)
        for view, row in zip(VIEWS, shown, strict=True):
            loaded = load_dataset(NAME, view, sample=True, split="train")
            key = "pmid" if view == "source" else "id"
            found = [each for each in loaded if each[key] == row[key]]
            assert json.loads(json.dumps(found, default=str)) == [row]
