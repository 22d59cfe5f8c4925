"""PubMed from files: bad citations and broken files named, every way to load the same rows."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pytest
from datasets import load_dataset

from hf_builders import OptionError, RowError, SourceError
from tests.hf_builders.pubmed_files import CHAPTER, RICH, account_of, article, load, load_one, pubmed_set, write

NAME = "hf_builders/pubmed"
VIEWS = ("source", "text", "messages", "instruction")
BAD = [
    (
        "<PubmedArticle><PubmedData/></PubmedArticle>",
        "",
        "no_citation",
        "<PubmedArticle> holds no <MedlineCitation>",
    ),
    (
        "<PubmedBookArticle><PubmedBookData/></PubmedBookArticle>",
        "",
        "no_citation",
        "<PubmedBookArticle> holds no <BookDocument>",
    ),
    (
        "<PubmedArticle><MedlineCitation><Article/></MedlineCitation></PubmedArticle>",
        "",
        "no_pmid",
        "<MedlineCitation> holds no <PMID>",
    ),
    (
        # Of the article it comments on, no PMID of its own.
        "<PubmedArticle><MedlineCitation><Article/><CommentsCorrectionsList><CommentsCorrections>"
        "<PMID>99000001</PMID></CommentsCorrections></CommentsCorrectionsList></MedlineCitation></PubmedArticle>",
        "",
        "no_pmid",
        "<MedlineCitation> holds no <PMID>",
    ),
    (article(""), "", "bad_pmid", "the PMID is ''; expected a number of at most 9 digits"),
    (article("PMC7"), ": PMID PMC7", "bad_pmid", "the PMID is 'PMC7'; expected a number of at most 9 digits"),
    (
        article("9900000200"),
        ": PMID 9900000200",
        "bad_pmid",
        "the PMID is '9900000200'; expected a number of at most 9 digits",
    ),
    (article("٣"), ": PMID ٣", "bad_pmid", "the PMID is '٣'; expected a number of at most 9 digits"),
    (
        article(99000002, version="one"),
        ": PMID 99000002",
        "bad_version",
        "PMID 99000002 has Version='one'; expected a number",
    ),
    (
        "<PubmedArticle><MedlineCitation><PMID>99000002</PMID></MedlineCitation></PubmedArticle>",
        ": PMID 99000002",
        "no_article",
        "<MedlineCitation> holds no <Article>",
    ),
]


@pytest.mark.parametrize(("bad", "named", "reason", "fact"), BAD, ids=range(len(BAD)))
def test_a_bad_citation_stops_the_load_or_is_set_aside_with_its_reason(
    tmp_path: Path, bad: str, named: str, reason: str, fact: str
) -> None:
    good = [article(pmid, citation=RICH["citation"]) for pmid in (99000001, 99000003)]
    write(tmp_path / "pubmed26n0001.xml", pubmed_set(good[0], bad, good[1]))
    for view, num_rows in (("source", 2), ("text", 2), ("messages", 4)):
        with pytest.raises(RowError) as error:
            load(tmp_path, view)
        place = f"pubmed26n0001.xml#2{named}"
        assert str(error.value) == f"{place}: {fact}; fix the row, or set it aside with on_bad_row='quarantine'"
        loaded = load(tmp_path, view, on_bad_row="quarantine")
        account = account_of(loaded)
        assert (account.read, account.kept, account.quarantined) == (num_rows + 1, num_rows, {reason: 1})
        (path,) = Path(loaded.cache_files[0]["filename"]).parent.glob("quarantine-*.jsonl")
        (aside,) = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        assert (aside["place"], aside["reason"], aside["fact"]) == (place, reason, fact)
        assert aside["raw"].startswith(bad[: bad.index(">")])


def test_a_version_that_is_not_given_is_the_first(tmp_path: Path) -> None:
    assert load_one(tmp_path, article(" 99000001\n", version=None))[0]["version"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<eSummaryResult/>",
         "a.xml: the root is <eSummaryResult>, expected <PubmedArticleSet> or <MedlineCitationSet> or "
         "<PubmedBookArticleSet> or <BookDocumentSet>; is it a file of another dataset?"),
        (pubmed_set(),
         "pubmed: no row is left for 'train' of a.xml; 0 read; a header or brackets alone are no rows: put some in, "
         "or leave the file out"),
        (pubmed_set(article(99000001))[:-40],
         "a.xml:5: the XML is broken here (unclosed token); get the file again"),
        (pubmed_set(article(99000001)).replace("</Language>", ""),
         "a.xml:4: the XML is broken here (mismatched tag); get the file again"),
        ("PMID- 99000001\nTI  - Owls.\n", "a.xml:1: is no XML (syntax error); is it a file of another dataset?"),
        (pubmed_set(article(99000001), "<DeleteCitation><PMID Version='1'>PMC7</PMID></DeleteCitation>"),
         "a.xml:6: in <DeleteCitation>, the PMID is 'PMC7'; expected a number of at most 9 digits; get the file again"),
        (pubmed_set(article(99000001, citation=article(99000002))),
         "a.xml: holds 2 citations, and held 1 when PMIDs were compared; was it changed meanwhile? Load it again"),
        (pubmed_set(deleted=[99000001]),
         "pubmed: no row is left for 'train' of a.xml; 0 read; a header or brackets alone are no rows: put some in, "
         "or leave the file out"),
    ],
    ids=range(8),
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_our_error(tmp_path: Path, content: str, message: str) -> None:
    write(tmp_path / "a.xml", content)
    with pytest.raises(SourceError) as error:
        load(tmp_path, on_bad_row="quarantine")
    assert str(error.value) == message


def test_a_file_without_citations_among_others_is_told_and_the_rest_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "a.xml", pubmed_set(article(99000001)))
    write(tmp_path / "b.xml", "<?xml version='1.0'?><PubmedArticleSet/>")
    write(tmp_path / "c.xml", pubmed_set(article(99000003)))
    write(tmp_path / "d.xml", pubmed_set(deleted=[99000003]))
    loaded = load(tmp_path)
    assert loaded["pmid"][:] == ["99000001"]
    account = account_of(loaded)
    assert (account.read, account.left_out) == (2, {"deleted": 1})
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "b.xml: holds no citation, as when efetch was asked for PMIDs it does not have"
    ]
    for options in ({"streaming": True}, {"num_proc": 2, "cache_dir": str(tmp_path / "two")}):
        assert list(load(tmp_path, **options)) == list(loaded)


def test_an_archive_that_breaks_off_is_our_error(tmp_path: Path) -> None:
    packed = gzip.compress(pubmed_set(*(article(99000001 + n) for n in range(500))).encode())
    (tmp_path / "pubmed26n0001.xml.gz").write_bytes(packed[:-20])
    with pytest.raises(SourceError) as error:
        load(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/pubmed26n0001.xml.gz: cannot be read (Compressed file ended before the end-of-stream marker was "
        "reached); get the file again"
    )


@pytest.mark.parametrize("view", VIEWS)
def test_streaming_gz_zip_and_two_processes_give_the_same_rows(tmp_path: Path, view: str) -> None:
    texts = {
        "pubmed26n0001.xml": pubmed_set(*(article(99000001 + n, **RICH) for n in range(5))),
        "updatefiles/pubmed26n1275.xml": pubmed_set(article(99000002, "Bats."), deleted=[99000003]),
        "efetch.xml": pubmed_set(article(99000009), "\n", CHAPTER.format(title="", authors="")),
    }
    plain, packed, archive = tmp_path / "plain", tmp_path / "packed", tmp_path / "archive"
    for folder in (plain, packed, archive):
        (folder / "updatefiles").mkdir(parents=True)
    with zipfile.ZipFile(archive / "all.zip", "w") as file:
        for name, text in texts.items():
            write(plain / name, text)
            (packed / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
            file.writestr(name, text)
    loaded = load(plain, view)
    expected = list(loaded)
    key = "pmid" if view == "source" else "id"
    assert list(dict.fromkeys(row[key].partition("/")[0] for row in expected)) == [
        "99000001", "99000004", "99000002", "99000009", "99000005"
    ]  # fmt: skip
    for folder in (plain, packed, archive):
        assert list(load(folder, view)) == expected
        assert list(load(folder, view, streaming=True)) == expected
        two = load(folder, view, num_proc=2, cache_dir=str(tmp_path / f"two {folder.name}"))
        assert list(two) == expected
        assert account_of(two) == account_of(loaded)


def test_files_of_any_name_are_found_at_any_depth_and_nothing_else(tmp_path: Path) -> None:
    names = ["baseline/pubmed26n0001.xml", "updatefiles/pubmed26n1275.xml", "medline16n0902.xml", "efetch/my.xml"]
    for number, name in enumerate(names):
        write(tmp_path / name, pubmed_set(article(99000001 + number)))
    write(tmp_path / "baseline" / "pubmed26n0001.xml.gz.md5", "MD5(pubmed26n0001.xml.gz)= 0")
    write(tmp_path / "pubmed_260101.dtd", "<!ELEMENT PMID (#PCDATA)>")
    assert load(tmp_path)["pmid"][:] == ["99000003", "99000001", "99000002", "99000004"]
    named = load_dataset(NAME, data_files=str(tmp_path / "updatefiles" / "*.xml"), split="train")
    assert named["pmid"][:] == ["99000002"]


def test_all_questions_about_a_citation_stay_in_one_split(tmp_path: Path) -> None:
    load_one(tmp_path, *(article(99000001 + n, citation=RICH["citation"]) for n in range(100)))
    loaded = load_dataset(NAME, "messages", data_dir=tmp_path, validation=0.2)
    pmids = {split: {row.partition("/")[0] for row in rows["id"]} for split, rows in loaded.items()}
    assert sum(map(len, pmids.values())) == len(set().union(*pmids.values())) == 100
    assert all(len(rows) == 2 * len(pmids[split]) > 20 for split, rows in loaded.items())


def test_no_program_fetches_it_and_the_errors_say_where_it_is() -> None:
    with pytest.raises(OptionError) as error:
        load_dataset(NAME, download=True)
    assert str(error.value) == (
        "pubmed: download=True, but these are files which no address offers; download files from "
        "https://ftp.ncbi.nlm.nih.gov/pubmed/baseline/ (and newer ones from .../updatefiles/), and name them with "
        "data_files= or data_dir="
    )
