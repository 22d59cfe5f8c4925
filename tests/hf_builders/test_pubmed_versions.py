"""PubMed across files: the last version of a citation and no deleted one, found in a first pass that sees them all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import hypothesis.strategies as st
import numpy as np
import pytest
from datasets import load_dataset
from hypothesis import HealthCheck, given, settings

import hf_builders
from hf_builders.pubmed import pmid_scan
from hf_builders.pubmed.builder import logger
from hf_builders.pubmed.pmid_scan import PATHS_OF_PMIDS, Scan, scan
from hf_builders.pubmed.versions import count_unknown_deletions, find_losers
from hf_builders.sources import SourceFile
from tests.hf_builders.pubmed_files import (
    CHAPTER,
    account_of,
    article,
    bare,
    book_set,
    load,
    medline_set,
    pubmed_set,
    write,
)


def titles(loaded: Any) -> dict[str, str]:
    return dict(zip(loaded["pmid"], loaded["title"], strict=True))


def test_the_last_file_wins_by_its_number_and_not_by_its_place(tmp_path: Path) -> None:
    # In the order of their names, and of their folders, the baseline would come last, and n10000 before n9999.
    write(tmp_path / "a" / "pubmed26n10000.xml", pubmed_set(article(99000002, "Last.")))
    write(tmp_path / "b" / "pubmed26n9999.xml", pubmed_set(article(99000002, "Third."), article(99000003, "Alone.")))
    write(tmp_path / "c" / "pubmed26n0001.xml", pubmed_set(article(99000001, "Second."), article(99000002, "Second.")))
    write(tmp_path / "d" / "medline16n0902.xml", medline_set(bare(99000001, "First."), bare(99000002, "First.")))
    loaded = load(tmp_path)
    assert titles(loaded) == {"99000001": "Second.", "99000002": "Last.", "99000003": "Alone."}
    assert account_of(loaded).left_out == {"superseded": 4}
    assert (account_of(loaded).read, account_of(loaded).kept) == (7, 3)
    backwards = [str(tmp_path / name) for name in ("d/medline16n0902.xml", "a/pubmed26n10000.xml")][::-1]
    named = load_dataset("hf_builders/pubmed", data_files=backwards, split="train")
    assert titles(named) == {"99000001": "First.", "99000002": "Last."}


def test_a_higher_version_wins_wherever_it_stands(tmp_path: Path) -> None:
    write(tmp_path / "pubmed26n0001.xml", pubmed_set(article(99000001, "Ten.", version=10), article(99000001, "One.")))
    write(tmp_path / "pubmed26n0002.xml", pubmed_set(article(99000001, "Nine.", version=9)))
    loaded = load(tmp_path)
    assert (titles(loaded), loaded["version"][:]) == ({"99000001": "Ten."}, [10])
    assert account_of(loaded).left_out == {"superseded": 2}


def test_of_equals_in_one_file_the_last_wins(tmp_path: Path) -> None:
    write(tmp_path / "a.xml", pubmed_set(article(99000001, "First."), article(99000002), article(99000001, "Second.")))
    loaded = load(tmp_path)
    assert titles(loaded) == {"99000002": "Owls.", "99000001": "Second."}
    assert account_of(loaded).left_out == {"superseded": 1}


def test_files_of_other_names_come_behind_in_their_order(tmp_path: Path) -> None:
    for name in ("a.xml", "pubmed26n0001.xml", "z.xml"):
        write(tmp_path / name, pubmed_set(article(99000001, f"Of {name}.")))
    assert titles(load(tmp_path)) == {"99000001": "Of z.xml."}
    given = [str(tmp_path / name) for name in ("z.xml", "a.xml", "pubmed26n0001.xml")]
    assert titles(load_dataset("hf_builders/pubmed", data_files=given, split="train")) == {"99000001": "Of a.xml."}


@pytest.mark.parametrize("make", [(pubmed_set, article), (medline_set, bare)], ids=["today", "2016"])
def test_a_deletion_is_of_its_own_file_and_of_those_before_but_not_of_those_behind(tmp_path: Path, make: Any) -> None:
    make_set, make_one = make
    pmids = range(99000001, 99000005)
    write(tmp_path / "pubmed26n0001.xml", make_set(*(make_one(pmid, "First.", version=3) for pmid in pmids)))
    write(tmp_path / "pubmed26n0002.xml", make_set(make_one(99000002, "Second."), deleted=[99000001, 99000002]))
    write(tmp_path / "pubmed26n0003.xml", make_set(make_one(99000002, "Third."), make_one(99000003, "Third.")))
    write(tmp_path / "pubmed26n0004.xml", make_set(deleted=[99000004, 99000009]))
    loaded = load(tmp_path)
    # 99000002 was deleted in all its versions, and given again later; 99000003 stands in a higher version before.
    assert titles(loaded) == {"99000003": "First.", "99000002": "Third."}
    account = account_of(loaded)
    assert (account.read, account.kept, account.left_out) == (7, 2, {"deleted": 4, "superseded": 1})
    assert list(load(tmp_path, streaming=True)) == list(loaded)


def test_books_are_deleted_too(tmp_path: Path) -> None:
    book = CHAPTER.format(title="", authors="")
    write(tmp_path / "a.xml", book_set("BookDocumentSet", book, book.replace("99000005", "99000006")))
    write(tmp_path / "b.xml", book_set("BookDocumentSet", deleted=[99000005]))
    loaded = load(tmp_path)
    assert loaded["pmid"][:] == ["99000006"]
    assert account_of(loaded).left_out == {"deleted": 1}


def test_deletions_of_what_no_file_holds_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "a.xml", pubmed_set(article(99000001), deleted=[99000008, 99000009]))
    with caplog.at_level("INFO", logger=logger.name):
        logger.addHandler(caplog.handler)
        load(tmp_path)
        logger.removeHandler(caplog.handler)
    assert "pubmed: 2 deleted PMIDs are in none of the files" in caplog.messages


def test_a_newer_version_that_cannot_be_read_is_a_bad_row_and_the_older_one_stays_out(tmp_path: Path) -> None:
    bad = "<PubmedArticle><MedlineCitation><PMID Version='2'>99000001</PMID></MedlineCitation></PubmedArticle>"
    write(tmp_path / "a.xml", pubmed_set(article(99000001), bad, article(99000002)))
    account = account_of(loaded := load(tmp_path, on_bad_row="quarantine"))
    assert loaded["pmid"][:] == ["99000002"]
    assert (account.read, account.left_out, account.quarantined) == (3, {"superseded": 1}, {"no_article": 1})


def test_splits_cut_off_by_hash_leave_out_the_same_ones(tmp_path: Path) -> None:
    pmids = range(99000001, 99000201)
    write(tmp_path / "pubmed26n0001.xml", pubmed_set(*map(article, pmids)))
    write(tmp_path / "pubmed26n0002.xml", pubmed_set(*map(article, pmids[:50]), deleted=pmids[50:60]))
    loaded = load_dataset("hf_builders/pubmed", data_dir=tmp_path, test=0.2)
    kept = [str(pmid) for pmid in [*pmids[:50], *pmids[60:]]]
    assert sorted(pmid for rows in loaded.values() for pmid in rows["pmid"]) == kept
    accounts = hf_builders.account(loaded).values()
    left_out = sum((account.left_out for account in accounts), Counter[str]())
    assert left_out == {"superseded": 50, "deleted": 10}


def expected_losers(files: list[tuple[list[tuple[int, int]], list[int]]]) -> list[tuple[list[int], list[int]]]:
    """By the rule as it is told, one citation at a time."""
    winners: dict[int, tuple[int, int, int]] = {}
    fate: dict[tuple[int, int], str] = {}
    for number, (citations, deletions) in enumerate(files):
        for position, (pmid, version) in enumerate(citations):
            if pmid < 0:
                continue
            before = winners.get(pmid)
            if before is not None and before[0] > version:
                fate[number, position] = "superseded"
                continue
            if before is not None:
                fate[before[1:]] = "superseded"
            winners[pmid] = version, number, position
        for pmid in deletions:
            winners.pop(pmid, None)
            for earlier, (others, _) in enumerate(files[: number + 1]):
                for position, (other, _) in enumerate(others):
                    if other == pmid:
                        fate[earlier, position] = "deleted"
    return [
        tuple(  # type: ignore[misc]
            [position for position in range(len(citations)) if fate.get((number, position)) == word]
            for word in ("superseded", "deleted")
        )
        for number, (citations, _) in enumerate(files)
    ]


PMIDS = st.integers(1, 6)
FILES = st.lists(
    st.tuples(
        st.lists(st.tuples(st.one_of(PMIDS, st.just(-1)), st.integers(1, 3)), max_size=8), st.lists(PMIDS, max_size=3)
    ),
    min_size=1,
    max_size=5,
)


@given(files=FILES)
def test_losers_are_those_of_the_rule(files: list[tuple[list[tuple[int, int]], list[int]]]) -> None:
    scans = [
        Scan(
            np.array([pmid for pmid, _ in citations], np.int32),
            np.array([version for _, version in citations], np.int16),
            np.array(deletions, np.int32),
        )
        for citations, deletions in files
    ]
    found = find_losers(scans)
    assert [(each.superseded.tolist(), each.deleted.tolist()) for each in found] == expected_losers(files)
    assert [each.num_citations for each in found] == [len(citations) for citations, _ in files]
    known = {pmid for citations, _ in files for pmid, _ in citations}
    assert count_unknown_deletions(scans) == len({pmid for _, deletions in files for pmid in deletions} - known)


Citations = list[tuple[int, int]]


def parsed(path: Path) -> tuple[Citations, list[int]]:
    """PMIDs with their versions, and those deleted, from the tree of the standard library."""
    found: Citations = []
    deleted: list[int] = []
    ways = {
        "PubmedArticle": "MedlineCitation/PMID",
        "PubmedBookArticle": "BookDocument/PMID",
        "MedlineCitation": "PMID",
    }
    for element in ElementTree.parse(path).getroot():
        if element.tag == "DeleteCitation":
            deleted += [int("".join(each.itertext())) for each in element.findall("PMID")]
            continue
        pmid = element.find(ways[element.tag])
        text = "" if pmid is None else "".join(pmid.itertext()).strip()
        is_good = pmid is not None and text.isdecimal() and len(text) <= 9
        found.append((int(text), int(pmid.get("Version", 1))) if is_good and pmid is not None else (-1, 0))
    return found, deleted


def scanned(path: Path, root: str) -> tuple[Citations, list[int]]:
    found = scan(SourceFile(str(path), path.name, "train"), PATHS_OF_PMIDS[root])
    assert (found.pmids.dtype, found.versions.dtype, found.deleted.dtype) == (np.int32, np.int16, np.int32)
    return list(zip(found.pmids.tolist(), found.versions.tolist(), strict=True)), found.deleted.tolist()


COMMENTS = ["", "\n  ", "<!-- <PMID>7</PMID> -->", "<!-- > -->", "<?x <PMID>8</PMID>?>"]
COMMENT = st.sampled_from(COMMENTS)
NOISE = st.sampled_from([*COMMENTS, "<![CDATA[<PMID>9</PMID>]]>", "&lt;PMID>"])
SPACE = st.sampled_from([" ", "\n", "\t ", "  \r\n"])
PMID_TEXTS = st.one_of(st.integers(1, 999_999_999).map(str), st.sampled_from(["", "x1", "1234567890", "12 3"]))


@st.composite
def pmid_elements(draw: st.DrawFn) -> str:
    text = draw(PMID_TEXTS)
    version = f"Version={draw(st.sampled_from(['&#50;', '1', '12']))!r}"
    attributes = draw(st.permutations([version, 'Owner="N>M"']))[: draw(st.integers(0, 2))]
    forms = [text, f" {text}\n", f"<!-- 5 -->{text}", f"{text[:1]}<!-- < -->{text[1:]}", f"<![CDATA[{text}]]>"]
    forms.append("".join(f"&#{ord(each)};" for each in text))
    space = draw(SPACE)
    return f"<PMID{space}{space.join(attributes)}{space}>{draw(st.sampled_from(forms))}</PMID{space}>"


@st.composite
def citations(draw: st.DrawFn, name: str) -> str:
    own = draw(st.one_of(pmid_elements(), st.just("")))
    cited = f"<CommentsCorrections>{draw(pmid_elements())}</CommentsCorrections>"
    parts = draw(st.permutations([own, f"<CommentsCorrectionsList>{cited}</CommentsCorrectionsList>"]))
    body = draw(NOISE).join([draw(NOISE), *parts, "<Article a='&gt;'/>", draw(NOISE)])
    return f"<{name}{draw(SPACE)}Status='x'>{body}</{name}>"


ARTICLES = st.one_of(
    citations("MedlineCitation").map(lambda text: f"<PubmedArticle>{text}<PubmedData/></PubmedArticle>"),
    citations("BookDocument").map(lambda text: f"<PubmedBookArticle>{text}</PubmedBookArticle>"),
    st.sampled_from(["<PubmedArticle/>", "<PubmedArticle><PubmedData/></PubmedArticle>"]),
)
DELETIONS = st.sampled_from(["", "<DeleteCitation><PMID Version='1'> 7\n</PMID><PMID>8</PMID></DeleteCitation>"])


@pytest.mark.parametrize("root", ["PubmedArticleSet", "MedlineCitationSet"])
@pytest.mark.parametrize("block", [7, 1 << 20])
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_first_pass_sees_what_a_parse_sees(tmp_path: Path, root: str, block: int, data: st.DataObject) -> None:
    one = ARTICLES if root == "PubmedArticleSet" else citations("MedlineCitation")
    body = data.draw(COMMENT).join(["", *data.draw(st.lists(one, max_size=6)), data.draw(DELETIONS), ""])
    encoding = data.draw(st.sampled_from(["utf-8", "utf-16"]))
    path = tmp_path / "a.xml"
    head = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE {root} SYSTEM "x.dtd">'
    path.write_bytes(f"{head}<{root}>{body}</{root}>".encode(encoding))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pmid_scan, "_BLOCK", block)
        assert scanned(path, root) == parsed(path)
