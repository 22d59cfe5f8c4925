"""CORD-19: which parse is a paper's, what is read of it, and what a damaged or hostile one does."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import datasets
import pytest

import hf_builders
from hf_builders import RowError, SourceError, json_documents
from tests.hf_builders.cord19_files import (
    APRIL,
    FINAL,
    FIRST,
    MARCH,
    PDF_1,
    PDF_2,
    PMC_7,
    SHA_1,
    SHA_2,
    account_of,
    body_of,
    load,
    paragraph,
    pdf_parse,
    pmc_parse,
    quarantined,
    row,
    write_release,
    write_tar,
)

PARSES: dict[str, Any] = {
    PDF_1: pdf_parse(SHA_1, ("", "first PDF")),
    PDF_2: pdf_parse(SHA_2, ("", "second PDF")),
    PMC_7: pmc_parse("PMC7", ("", "PMC")),
}
BOTH = row("aaaa1111", sha=SHA_1, pmcid="PMC7", pdf_json_files=PDF_1, pmc_json_files=PMC_7)


def test_a_parse_is_shown_by_section_with_captions_and_references(tmp_path: Path) -> None:
    parse = pdf_parse(
        SHA_1,
        ("Introduction", "One."),
        ("", ""),
        # A PDF has spans with `text`, whose `ref_id` may be null.
        body_text=[
            paragraph("One [1].", "Introduction", cite_spans=[{"start": 4, "end": 7, "text": "[1]", "ref_id": None}]),
            {"text": "", "section": None},
        ],
        ref_entries={
            "FIGREF0": {"text": "A map.", "latex": None, "type": "figure"},
            "TABREF1": {"text": "Counts", "latex": "x^2", "type": "table", "html": "<table></table>"},
            "FIGREF2": {"text": None, "type": ["odd"]},
        },
        bib_entries={
            "BIBREF0": {"ref_id": "b0", "title": "On fog", "authors": [], "year": 2004, "venue": "Fog"},
            "BIBREF1": {"title": "", "year": None, "venue": ""},
            "BIBREF2": {"year": "1999"},
            "BIBREF3": {"year": "n.d."},
            "BIBREF4": {"year": 10**30},
        },
        back_matter=[paragraph("We thank all.", "Acknowledgements")],
    )
    loaded = load(write_release(tmp_path, FINAL, [row("aaaa1111", pdf_json_files=PDF_1)], {PDF_1: parse}))
    (paper,) = loaded
    assert {name: paper[name] for name in list(paper)[-6:]} == {
        "parse": "pdf_json",
        "parse_file": f"{SHA_1}.json",
        "body": [{"section": "Introduction", "text": "One [1]."}, {"section": "", "text": ""}],
        "back_matter": [{"section": "Acknowledgements", "text": "We thank all."}],
        "ref_entries": [
            {"id": "FIGREF0", "type": "figure", "text": "A map.", "html": None, "latex": None},
            {"id": "TABREF1", "type": "table", "text": "Counts", "html": "<table></table>", "latex": "x^2"},
            {"id": "FIGREF2", "type": '["odd"]', "text": None, "html": None, "latex": None},
        ],
        "references": [
            {"id": "BIBREF0", "title": "On fog", "venue": "Fog", "year": 2004},
            {"id": "BIBREF1", "title": "", "venue": "", "year": None},
            {"id": "BIBREF2", "title": None, "venue": None, "year": 1999},
            {"id": "BIBREF3", "title": None, "venue": None, "year": None},
            {"id": "BIBREF4", "title": None, "venue": None, "year": None},
        ],
    }
    assert account_of(loaded).noted == {"reference_year_is_no_number": 1}


def test_pmc_is_preferred_has_no_abstract_and_spans_with_mention(tmp_path: Path) -> None:
    body = [paragraph("PMC [1].", "", cite_spans=[{"start": 5, "end": 6, "mention": "1", "ref_id": "BIBREF0"}])]
    parses = {**PARSES, PMC_7: pmc_parse("PMC7", body_text=body)}
    assert "abstract" not in parses[PMC_7]
    loaded = load(write_release(tmp_path, FINAL, [BOTH], parses))
    assert (loaded["parse"][:], body_of(loaded)) == (["pmc_json"], [["PMC [1]."]])
    assert account_of(loaded).noted == {}


def test_of_several_pdfs_the_first_that_is_there_is_read_and_it_is_noted(tmp_path: Path) -> None:
    rows = [
        row("aaaa1111", sha=f"{SHA_2}; {SHA_1}", pdf_json_files=f"{PDF_2}; {PDF_1}"),
        row(
            "bbbb2222", sha=f"{'9' * 40}; {SHA_1}", pdf_json_files=f"document_parses/pdf_json/{'9' * 40}.json; {PDF_1}"
        ),
        # Early releases have no space behind the semicolon.
        row("cccc3333", sha=f"{SHA_1};{SHA_2}", pdf_json_files=f"{PDF_1};{PDF_2}"),
    ]
    loaded = load(write_release(tmp_path, FINAL, rows, PARSES))
    assert body_of(loaded) == [["second PDF"], ["first PDF"], ["first PDF"]]
    assert account_of(loaded).noted == {"several_parses": 2, "parse_missing": 1}


def test_a_paper_without_a_parse_is_kept_and_one_that_is_named_and_not_there_is_noted(tmp_path: Path) -> None:
    rows = [
        row("aaaa1111"),
        row("bbbb2222", sha=SHA_1),  # a PDF that was never parsed
        row("cccc3333", sha=SHA_2, pdf_json_files=PDF_2),
        row("dddd4444", pmc_json_files="../../../etc/PMC8.xml.json"),
        {**BOTH, "cord_uid": "eeee5555", "sha": "", "pdf_json_files": ""},
    ]
    folder = write_release(tmp_path / "some", FINAL, rows, {PMC_7: PARSES[PMC_7]})
    loaded = load(folder)
    assert loaded["parse"][:] == [None, None, None, None, "pmc_json"]
    assert account_of(loaded).noted == {"parse_missing": 2}
    # Whoever took the metadata alone misses none in particular.
    assert account_of(load(write_release(tmp_path / "none", FINAL, rows))).noted == {}


def test_a_parse_that_no_path_names_is_found_by_hash_or_number(tmp_path: Path) -> None:
    rows = [row("aaaa1111", sha=SHA_1), row("bbbb2222", pmcid="PMC7")]
    loaded = load(write_release(tmp_path, FINAL, rows, PARSES))
    assert body_of(loaded) == [["first PDF"], ["PMC"]]


@pytest.mark.parametrize(
    ("header", "folder", "cells", "bodies", "missing"),
    [
        (FIRST, "comm_use_subset", {"has_full_text": "True"}, ["first PDF"], 1),
        (MARCH, "comm_use_subset", {"has_full_text": "True", "full_text_file": "comm_use_subset"}, ["first PDF"], 1),
        (APRIL, "comm_use_subset/pdf_json", {"has_pdf_parse": "True", "has_pmc_xml_parse": "False"}, ["first PDF"], 1),
        (APRIL, "comm_use_subset/pdf_json", {"has_pdf_parse": "False", "has_pmc_xml_parse": "False"}, ["first PDF"], 0),
        (APRIL, "comm_use_subset/pmc_json", {"has_pdf_parse": "False", "has_pmc_xml_parse": "True"}, ["PMC"], 1),
    ],
)
def test_releases_without_paths_have_the_parses_in_folders_of_a_licence(
    tmp_path: Path, header: str, folder: str, cells: dict[str, str], bodies: list[str], missing: int
) -> None:
    path = f"{folder}/PMC7.xml.json" if bodies == ["PMC"] else f"{folder}/{SHA_1}.json"
    content = PARSES[PMC_7] if bodies == ["PMC"] else PARSES[PDF_1]
    there = {**cells, "title": "A", "sha": SHA_1, "pmcid": "PMC7"}
    gone = {**cells, "title": "B", "sha": SHA_2, "pmcid": "PMC8"}
    if header != FIRST:
        there["cord_uid"], gone["cord_uid"] = "aaaa1111", "bbbb2222"
    loaded = load(write_release(tmp_path, header, [there, gone], {path: content}))
    assert body_of(loaded) == [bodies, []]
    assert account_of(loaded).noted == ({"parse_missing": missing} if missing else {})


def test_what_the_metadata_lacks_is_taken_from_the_parse_and_noted(tmp_path: Path) -> None:
    abstract = [paragraph("One.", "Abstract"), paragraph("Two.", "Abstract")]
    pdf = pdf_parse(SHA_1, ("", "first PDF"), metadata={"title": "Of the PDF", "authors": []}, abstract=abstract)
    rows = [{**BOTH, "title": "", "abstract": " "}, {**BOTH, **row("bbbb2222")}]
    loaded = load(write_release(tmp_path, FINAL, rows, {**PARSES, PDF_1: pdf}))
    # The body is that of PMC all the same.
    assert body_of(loaded) == [["PMC"], ["PMC"]]
    assert loaded["title"][:] == ["Of the PDF", "Title of bbbb2222"]
    assert loaded["abstract"][:] == ["One.\n\nTwo.", "Abstract of bbbb2222."]
    assert account_of(loaded).noted == {"title_from_parse": 1, "abstract_from_parse": 1}


def test_a_parse_without_text_gives_way_to_the_next(tmp_path: Path) -> None:
    rows = [BOTH, row("bbbb2222", pmc_json_files=PMC_7)]
    loaded = load(write_release(tmp_path, FINAL, rows, {**PARSES, PMC_7: pmc_parse("PMC7", ("", " "))}))
    assert loaded["parse"][:] == ["pdf_json", "pmc_json"]
    assert account_of(loaded).noted == {"empty_parse": 1}


def test_a_parse_that_says_it_is_of_another_paper_is_noted(tmp_path: Path) -> None:
    parses = {**PARSES, PMC_7: pmc_parse("PMC8", ("", "PMC"))}
    loaded = load(write_release(tmp_path, FINAL, [BOTH], parses))
    assert account_of(loaded).noted == {"parse_of_another_id": 1}


DAMAGED: list[tuple[Any, str, str]] = [
    ("{", "damaged_parse", f"the parse {SHA_1}.json:1: invalid JSON at column 2 (Expecting property name enclosed in "
     "double quotes); get the file again"),
    ("[" * 99_999, "damaged_parse", f"the parse {SHA_1}.json:1: invalid JSON (nested too deeply); get the file again"),
    (b'{"body_text": "\xff"}', "damaged_parse",
     f"the parse {SHA_1}.json: holds bytes or escapes that are no text; get the file again"),
    ([], "wrong_parse", f"the parse {SHA_1}.json is an array; expected 'body_text'; is it a parse of CORD-19?"),
    ({"a": 1}, "wrong_parse",
     f"the parse {SHA_1}.json is an object of a; expected 'body_text'; is it a parse of CORD-19?"),
    (pdf_parse(SHA_1, body_text={}), "wrong_parse",
     f"'body_text' of the parse {SHA_1}.json is an object; expected an array; is it a parse of CORD-19?"),
    (pdf_parse(SHA_1, body_text=None), "wrong_parse",
     f"'body_text' of the parse {SHA_1}.json is null; expected an array; is it a parse of CORD-19?"),
    (pdf_parse(SHA_1, body_text=[paragraph("x", ""), {"section": ""}]), "wrong_parse",
     f"paragraph 2 of 'body_text' of the parse {SHA_1}.json is without 'text'; is it a parse of CORD-19?"),
    (pdf_parse(SHA_1, abstract=["x"]), "wrong_parse",
     f"paragraph 1 of 'abstract' of the parse {SHA_1}.json is text; is it a parse of CORD-19?"),
    (pdf_parse(SHA_1, bib_entries={"BIBREF0": 1}), "wrong_parse",
     f"'BIBREF0' of 'bib_entries' of the parse {SHA_1}.json is a number; is it a parse of CORD-19?"),
    (pdf_parse(SHA_1, metadata=[]), "wrong_parse",
     f"'metadata' of the parse {SHA_1}.json is an array; expected an object; is it a parse of CORD-19?"),
]  # fmt: skip


@pytest.mark.parametrize(("parse", "reason", "fact"), DAMAGED)
def test_a_damaged_parse_makes_its_paper_a_bad_row(tmp_path: Path, parse: Any, reason: str, fact: str) -> None:
    rows = [row("aaaa1111", pdf_json_files=PDF_1), row("bbbb2222")]
    folder = write_release(tmp_path, FINAL, rows, {PDF_1: parse})
    with pytest.raises(RowError) as error:
        load(folder)
    place = "metadata.csv#1 (aaaa1111)"
    assert str(error.value) == f"{place}: {fact}; fix the row, or set it aside with on_bad_row='quarantine'"
    loaded = load(folder, on_bad_row="quarantine")
    assert loaded["cord_uid"][:] == ["bbbb2222"]
    assert account_of(loaded).quarantined == {reason: 1}
    (aside,) = quarantined(loaded)
    assert json.loads(aside.pop("raw")) == rows[0]
    assert aside == {"place": place, "reason": reason, "fact": fact}


def test_a_parse_that_is_too_long_or_cannot_be_opened_up_is_a_bad_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_documents, "MAX_BYTES", 1 << 20)
    long = '{"paper_id": "' + "x" * (2 << 20) + '"}'  # one line
    rows = [row("aaaa1111", pdf_json_files=PDF_1), row("bbbb2222", pdf_json_files=PDF_2)]
    folder = write_release(tmp_path / "loose", FINAL, rows, {PDF_1: long, f"{PDF_2}.gz": b"no gzip"})
    packed = write_release(tmp_path / "packed", FINAL, rows)
    write_tar(packed / "document_parses.tar.gz", {PDF_1: long, PDF_2: ""})
    facts = [
        f"the parse {SHA_1}.json: is one JSON document of more than 1 MiB, and no paper or study is so long; is it a "
        "file of another kind?",
        f"the parse {SHA_2}.json cannot be read (Not a gzipped file (b'no')); get it again",
        f"the parse {SHA_2}.json: the file is empty; get it again, or leave it out",
    ]
    for place, expected in ((folder, facts[:2]), (packed, facts[::2])):
        with pytest.raises(SourceError, match="no row is left for 'train'"):
            load(place, on_bad_row="quarantine")
        write_release(place, FINAL, [*rows, row("cccc3333")])
        aside = quarantined(load(place, on_bad_row="quarantine"))
        assert [(each["reason"], each["fact"]) for each in aside] == [("damaged_parse", fact) for fact in expected]


ROWS = [BOTH, row("bbbb2222", pdf_json_files=PDF_2)]
EXPECTED = [["PMC"], ["second PDF"]]


@pytest.mark.parametrize("view", ["source", "text", "messages"])
@pytest.mark.parametrize("form", ["folder", "tar.gz", "tar", "zip", "one zip"])
def test_parses_in_a_folder_or_an_archive_give_the_same(tmp_path: Path, form: str, view: str) -> None:
    expected = list(load(write_release(tmp_path / "expected", FINAL, ROWS, PARSES), view))
    folder = write_release(tmp_path / "given", FINAL, ROWS)
    if form == "folder":
        write_release(folder, FINAL, ROWS, PARSES)
    elif form == "tar.gz":
        write_tar(folder / "document_parses.tar.gz", PARSES)
    elif form == "tar":
        packed = write_tar(tmp_path / "document_parses.tar.gz", PARSES)
        (folder / "document_parses.tar").write_bytes(gzip.decompress(packed.read_bytes()))
    else:
        with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
            for path, parse in PARSES.items():
                archive.writestr(path, json.dumps(parse))
            if form == "one zip":  # as Kaggle has it
                archive.write(folder / "metadata.csv", "metadata.csv")
                (folder / "metadata.csv").unlink()
    loaded = load(folder, view)
    streamed = hf_builders.load_dataset("cord19", view, data_dir=folder, split="train", streaming=True)
    assert list(loaded) == list(streamed) == list(load(folder, view, num_proc=2, cache_dir=tmp_path / "c")) == expected
    assert account_of(loaded).noted == {}


def test_the_archives_of_early_releases_are_all_read(tmp_path: Path) -> None:
    folder = write_release(tmp_path, MARCH, [row("aaaa1111", sha=SHA_1), row("bbbb2222", sha=SHA_2)])
    write_tar(folder / "comm_use_subset.tar.gz", {f"comm_use_subset/{SHA_1}.json": PARSES[PDF_1]})
    write_tar(folder / "pmc_custom_license.tar.gz", {f"pmc_custom_license/{SHA_2}.json": PARSES[PDF_2]})
    assert body_of(load(folder)) == [["first PDF"], ["second PDF"]]


def test_an_archive_beside_the_folder_made_of_it_is_not_opened(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "document_parses", FINAL, ROWS, PARSES)
    (folder / "document_parses.tar.gz").write_bytes(b"never looked at")
    assert body_of(load(folder)) == EXPECTED
    # Another folder of this name is none that was made of it.
    other = write_release(tmp_path / "other/document_parses", FINAL, ROWS, {"stray.json": "{}"})
    write_tar(other / "document_parses.tar.gz", PARSES)
    assert body_of(load(other)) == EXPECTED


def unpacked_in(cache: Path) -> list[str]:
    extracted = cache / "downloads" / "extracted"
    return sorted(path.relative_to(extracted).as_posix() for path in extracted.rglob("*") if path.is_file())


def test_an_archive_is_unpacked_once_and_again_where_it_changed(tmp_path: Path) -> None:
    folder, cache = write_release(tmp_path / "release", FINAL, ROWS), tmp_path / "cache"
    archive = write_tar(
        folder / "document_parses.tar.gz", {**PARSES, "document_parses/read.me": "hello", "._x.json": ""}
    )
    assert body_of(load(folder, cache_dir=cache)) == EXPECTED
    first = unpacked_in(cache)
    assert [path.partition("/")[2] for path in first] == sorted(PARSES)  # and no other kind of file
    load(folder, "text", cache_dir=cache)
    assert unpacked_in(cache) == first
    # `datasets` would take the old parses for those of the new archive of the same name.
    write_tar(archive, {**PARSES, PMC_7: pmc_parse("PMC7", ("", "new PMC"))})
    assert body_of(load(folder, cache_dir=cache)) == [["new PMC"], ["second PDF"]]
    second = unpacked_in(cache)
    assert len(second) == 6
    for path in second:
        (cache / "downloads/extracted" / path).unlink()
    again = load(folder, cache_dir=cache, download_mode="force_redownload")
    assert body_of(again) == [["new PMC"], ["second PDF"]]
    assert len(unpacked_in(cache)) == 3


def link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("../../evil.json", "{}", "a name that leads out of the folder it is unpacked in"),
        ("document_parses/../../../evil.json", "{}", "a name that leads out of the folder it is unpacked in"),
        ("/cord19_evil.json", "{}", "a name that leads out of the folder it is unpacked in"),
        ("C:\\evil.json", "{}", "a name that leads out of the folder it is unpacked in"),
        ("..\\evil.json", "{}", "a name that leads out of the folder it is unpacked in"),
        (PDF_2, link(PDF_2, "/etc/passwd"), "a link or device, which no archive of parses has"),
    ],
)
def test_an_archive_that_would_write_elsewhere_is_refused_and_writes_nothing(
    tmp_path: Path, name: str, content: Any, fault: str
) -> None:
    folder = write_release(tmp_path / "a/b/release", FINAL, ROWS)
    archive = write_tar(folder / "document_parses.tar.gz", {PDF_1: PARSES[PDF_1], name: content})
    cache = tmp_path / "a/b/c/cache"
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    for options in ({}, {"streaming": True}):
        with pytest.raises(SourceError) as error:
            load(folder, cache_dir=cache, **options)
        assert str(error.value) == (
            f"{archive}: holds {name!r}, {fault}; nothing was unpacked; get the archive from its publisher"
        )
    after = {path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert after == before
    assert not Path("/cord19_evil.json").exists()
    assert not list(Path(datasets.config.DOWNLOADED_DATASETS_PATH).rglob("*.json"))


def test_a_zip_with_names_that_lead_elsewhere_is_read_in_place(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "a/b/release", FINAL, ROWS)
    with zipfile.ZipFile(folder / "parses.zip", "w") as archive:
        archive.writestr(f"../../{SHA_2}.json", json.dumps(PARSES[PDF_2]))
        archive.writestr("../../PMC7.xml.json", json.dumps(PARSES[PMC_7]))
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert body_of(load(folder)) == EXPECTED
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>", "cannot be unpacked (Not a gzipped file (b'<h')); get the archive again"),
        (b"", "cannot be unpacked (empty file); get the archive again"),
        (None, "holds no parse (*.json); an archive of a whole release has to be unpacked by hand, as metadata.csv is "
         "in it"),
    ],
)  # fmt: skip
def test_an_archive_that_is_none_or_of_something_else_is_refused(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    folder = write_release(tmp_path / "release", FINAL, ROWS)
    archive = folder / "document_parses.tar.gz"
    if content is None:
        write_tar(archive, {"metadata.csv": "x", "document_parses.tar.gz": b"x"})
    else:
        archive.write_bytes(content)
    with pytest.raises(SourceError) as error:
        load(folder, cache_dir=tmp_path / "cache")
    assert str(error.value) == f"{archive}: {message}"
    assert unpacked_in(tmp_path / "cache") == []


def test_a_release_left_packed_is_told_to_be_unpacked(tmp_path: Path) -> None:
    release = write_tar(tmp_path / "cord-19_2022-06-02.tar.gz", {"2022-06-02/metadata.csv": "x"})
    for named in ({"data_dir": tmp_path}, {"data_files": str(release)}):
        with pytest.raises(SourceError) as error:
            hf_builders.load_dataset("cord19", **named)
        assert str(error.value) == (
            f"{release}: is a whole release as it was downloaded, and is not opened; unpack it (tar -xf), and point "
            "data_dir at the folder with its metadata.csv"
        )


def test_a_packed_release_beside_what_was_unpacked_is_not_opened(tmp_path: Path) -> None:
    write_release(tmp_path / "2022-06-02", FINAL, ROWS, PARSES)
    (tmp_path / "cord-19_2022-06-02.tar.gz").write_bytes(b"<html>")
    assert body_of(load(tmp_path, cache_dir=tmp_path / "cache")) == EXPECTED
    assert unpacked_in(tmp_path / "cache") == []


def test_a_cut_off_archive_is_refused_and_not_taken_for_a_whole_one_later(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "release", FINAL, ROWS)
    many = {f"document_parses/pdf_json/{n:040d}.json": pdf_parse("", ("", f"{n}" * n)) for n in range(200)}
    archive = write_tar(folder / "document_parses.tar.gz", many)
    archive.write_bytes(archive.read_bytes()[:-4000])
    for _ in range(2):
        with pytest.raises(
            SourceError, match=r"document_parses\.tar\.gz: cannot be unpacked \(.*get the archive again"
        ):
            load(folder, cache_dir=tmp_path / "cache")


def test_an_archive_in_a_zip_or_without_a_table_is_refused(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz"):
        pass
    folder = write_release(tmp_path / "release", FINAL, ROWS)
    with zipfile.ZipFile(folder / "release.zip", "w") as archive:
        archive.writestr("document_parses.tar.gz", inner.getvalue())
    files = [str(folder / "metadata.csv"), str(folder / "release.zip")]
    with pytest.raises(SourceError) as error:
        hf_builders.load_dataset("cord19", data_files=files)
    assert str(error.value) == (
        f"{folder / 'release.zip'}: holds the archive document_parses.tar.gz; unpack it, and name the folder"
    )
    parse = write_release(tmp_path / "parse", FINAL, [], PARSES) / PMC_7
    with pytest.raises(SourceError) as error:
        hf_builders.load_dataset("cord19", data_files=str(parse))
    assert str(error.value) == "cord19: PMC7.xml.json holds parses only; expected metadata.csv beside them"


def test_of_parses_of_one_name_the_first_is_read_and_it_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    twin = {f"a/{SHA_1}.json": PARSES[PDF_1], f"b/{SHA_1}.json": pdf_parse(SHA_1, ("", "twin"))}
    folder = write_release(tmp_path, FINAL, [row("aaaa1111", sha=SHA_1)], twin)
    assert body_of(load(folder)) == [["first PDF"]]
    assert "1 of the parses have the name of another one and are not read" in caplog.text
