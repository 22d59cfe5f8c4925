"""PubMed from a stranger: nothing a file declares is followed, and a big one takes no more memory than a small one."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_builders import SourceError
from tests.hf_builders.peak_memory import PEAK_MIB, needs_peak_memory
from tests.hf_builders.pubmed_files import article, bare, load, medline_set, pubmed_set, write


def test_the_address_of_a_doctype_is_not_asked(tmp_path: Path, server: Any) -> None:
    server.files["/pubmed.dtd"] = b'<!ENTITY owl "bat">'
    today = pubmed_set(article(99000001), address=f"{server.url}/pubmed.dtd")
    write(tmp_path / "pubmed26n0001.xml", today)
    write(tmp_path / "medline16n0902.xml", medline_set(bare(99000002)).replace("https://www.nlm.nih.gov", server.url))
    for streaming in (False, True):
        rows = list(load(tmp_path, streaming=streaming))
        assert [row["title"] for row in rows] == ["Owls.", "Owls."]
    assert server.asked == []


BOMB = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))


@pytest.mark.parametrize(
    ("declaration", "entity"),
    [
        (f'<!ENTITY l0 "lol">{BOMB}', "l0"),
        ('<!ENTITY secret SYSTEM "file:///etc/passwd">', "secret"),
        ('<!ENTITY secret SYSTEM "{url}/secret">', "secret"),
        ('<!ENTITY % more SYSTEM "{url}/more.dtd"> %more;', "more"),
    ],
    ids=["billion laughs", "a file", "an address", "a DTD of its own"],
)
def test_a_file_that_declares_entities_is_refused(tmp_path: Path, server: Any, declaration: str, entity: str) -> None:
    text = pubmed_set(article(99000001, "&l11;&secret;")).replace(
        "<PubmedArticleSet>", f"<PubmedArticleSet a='&{entity};'>"
    )
    doctype = text[text.index("<!DOCTYPE") : text.index("<PubmedArticleSet")]
    hostile = f"<!DOCTYPE PubmedArticleSet [{declaration.replace('{url}', server.url)}]>\n"
    write(tmp_path / "pubmed26n0001.xml", text.replace(doctype, hostile))
    for options in ({}, {"streaming": True}, {"on_bad_row": "quarantine"}):
        with pytest.raises(SourceError) as error:
            list(load(tmp_path, **options))
        assert str(error.value) == (
            f"pubmed26n0001.xml: declares the entity '{entity}', which files of this kind never do; it is not read: "
            "get the file from its publisher"
        )
    assert server.asked == []


def test_entities_of_a_dtd_that_is_not_fetched_stay_as_they_are_written(tmp_path: Path) -> None:
    write(tmp_path / "pubmed26n0001.xml", pubmed_set(article(99000001, "An &owl; &amp; a bat.")))
    assert load(tmp_path)["title"][:] == ["An &owl; & a bat."]


def big_citation(number: int) -> str:
    """About 5,500 characters, no two of them the same."""
    text = f"Owl-{number}-of-the-northern-woods-was-seen. " * 30
    parts = "".join(
        f'<AbstractText Label="PART {part}" NlmCategory="METHODS">{text}</AbstractText>' for part in range(4)
    )
    author = "<Author><LastName>Okapi</LastName><ForeName>Ada</ForeName><Initials>A</Initials></Author>"
    heading = '<MeshHeading><DescriptorName MajorTopicYN="N" UI="D5">Owls</DescriptorName></MeshHeading>'
    return article(
        1_000_000 + number,
        f"Owl {number}.",
        abstract=f"<Abstract>{parts}</Abstract>",
        article=f"<AuthorList>{author * 2}</AuthorList><Language>eng</Language>",
        citation=f"<MeshHeadingList>{heading * 4}</MeshHeadingList>",
    )


@needs_peak_memory
def test_thirty_thousand_citations_take_less_than_500_mib(tmp_path: Path, run_python: Callable[..., str]) -> None:
    path, num_citations = tmp_path / "pubmed26n0001.xml.gz", 30_000
    head, _, tail = pubmed_set("SPLIT").partition("SPLIT")
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as file:
        file.write(head)
        file.writelines(map(big_citation, range(num_citations)))
        file.write(tail)
    printed = run_python(
        "import hf_builders\n"
        f"loaded = hf_builders.load_dataset('pubmed', 'text', data_dir={str(tmp_path)!r}, split='train')\n"
        f"print(len(loaded), loaded[-1]['id'], {PEAK_MIB})"
    )
    num_rows, last, peak = map(int, printed.split())
    assert (num_rows, last) == (num_citations, 1_029_999)
    assert peak < 500, "MiB, Python and datasets included"
