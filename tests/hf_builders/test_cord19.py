"""CORD-19: a record for each paper of `metadata.csv` of any release, none twice, with the parse that is best."""

from __future__ import annotations

import csv
import json
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hf_builders
from hf_builders import OptionError, RowError, SourceError
from hf_builders.cord19.duplicates import mark_duplicates
from tests.hf_builders.cord19_files import (
    APRIL,
    FINAL,
    FIRST,
    MARCH,
    MAY,
    MID_2020,
    PDF_1,
    PDF_2,
    PMC_7,
    SHA_1,
    SHA_2,
    account_of,
    body_of,
    load,
    pdf_parse,
    pmc_parse,
    quarantined,
    row,
    write_release,
)

FULL = row(
    "ug7v899j",
    sha=SHA_1,
    source_x="Elsevier; Medline; PMC",
    title="Tarn virus among bell ringers",
    doi="10.99999/x;y",
    pmcid="PMC7",
    pubmed_id="99",
    license="cc-by",
    abstract='First line,\nsecond "line".',
    publish_time="2020-04",
    authors="Vole, Ada B.; Åkerby, Rune",
    journal="Quiet Rooms",
    mag_id="9900.0",
    who_covidence_id="#7",
    arxiv_id="2004.99",
    pdf_json_files=PDF_1,
    pmc_json_files=PMC_7,
    url="https://example.org/a?b=1;c=2; https://example.org/d",
    s2_id="42",
)
METADATA: dict[str, Any] = {
    "cord_uid": "ug7v899j",
    "sha": [SHA_1],
    "source_x": ["Elsevier", "Medline", "PMC"],
    "title": "Tarn virus among bell ringers",
    "doi": "10.99999/x;y",
    "pmcid": "PMC7",
    "pubmed_id": "99",
    "license": "cc-by",
    "abstract": 'First line,\nsecond "line".',
    "publish_time": "2020-04",
    "authors": ["Vole, Ada B.", "Åkerby, Rune"],
    "journal": "Quiet Rooms",
    "mag_id": "9900.0",
    "who_covidence_id": "#7",
    "arxiv_id": "2004.99",
    "pdf_json_files": [PDF_1],
    "pmc_json_files": [PMC_7],
    "url": ["https://example.org/a?b=1;c=2", "https://example.org/d"],
    "s2_id": "42",
}
NOTHING: dict[str, Any] = {
    "parse": None,
    "parse_file": None,
    "body": [],
    "back_matter": [],
    "ref_entries": [],
    "references": [],
}


def test_a_row_has_the_types_the_card_says_and_its_cells_as_they_are(tmp_path: Path) -> None:
    (paper,) = load(write_release(tmp_path, FINAL, [FULL]))
    assert paper == {**METADATA, **NOTHING}


def test_empty_cells_are_null_and_lists_of_none_are_empty(tmp_path: Path) -> None:
    (paper,) = load(write_release(tmp_path, FINAL, [{"cord_uid": "ug7v899j", "title": " ", "sha": "; "}]))
    lists = ("sha", "source_x", "authors", "pdf_json_files", "pmc_json_files", "url")
    expected = {**dict.fromkeys(METADATA), **{name: [] for name in lists}, "cord_uid": "ug7v899j"}
    assert paper == {**expected, **NOTHING}


@pytest.mark.parametrize(
    ("header", "in_old_releases"),
    [(FINAL, {}), (MID_2020, {}), (MAY, {"full_text_file": "comm_use_subset"}), (APRIL, {}), (MARCH, {})],
    ids=["final", "mid 2020", "May 2020", "April 2020", "March 2020"],
)
def test_the_header_of_each_release_is_read_by_name(
    tmp_path: Path, header: str, in_old_releases: dict[str, str]
) -> None:
    columns = header.split(",")
    old_names = {"Microsoft Academic Paper ID": FULL["mag_id"], "WHO #Covidence": FULL["who_covidence_id"]}
    cells = {name: cell for name, cell in {**FULL, **old_names, **in_old_releases}.items() if name in columns}
    (paper,) = load(write_release(tmp_path, header, [cells]))
    known = {"mag_id", "who_covidence_id", *columns}
    absent = {name: [] if isinstance(METADATA[name], list) else None for name in METADATA if name not in known}
    assert paper == {**METADATA, **absent, **NOTHING}


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    header = ",".join(reversed(FINAL.split(",")))
    (paper,) = load(write_release(tmp_path, header, [FULL]))
    assert paper == {**METADATA, **NOTHING}


def test_the_first_release_has_other_ids(tmp_path: Path) -> None:
    rows = [
        {"doi": "10.9/a", "sha": SHA_1, "title": "A"},
        {"pmcid": "PMC7", "sha": SHA_2, "title": "B"},
        {"pubmed_id": "99", "title": "C"},
        {"sha": f"{SHA_2}; {SHA_1}", "title": "D"},
        {"title": "E"},
        {"title": "F"},
        {"doi": "10.9/a", "title": "A again"},
    ]
    folder = write_release(tmp_path, FIRST, rows)
    ids = ["doi:10.9/a", "pmcid:PMC7", "pubmed_id:99", f"sha:{SHA_2}", "metadata.csv#5", "metadata.csv#6"]
    texts = load(folder, "text")
    assert texts["id"][:] == ids
    assert account_of(texts).left_out == {"duplicate_id": 1}
    assert load(folder)["cord_uid"][:] == [None] * 6


def test_the_table_of_the_first_release_is_found_by_its_own_name(tmp_path: Path) -> None:
    folder = write_release(tmp_path, FIRST, [{"doi": "10.9/a", "title": "A"}, {"title": "B"}])
    (folder / "metadata.csv").rename(folder / "all_sources_metadata_2020-03-13.csv")
    assert load(folder, "text")["id"][:] == ["doi:10.9/a", "all_sources_metadata_2020-03-13.csv#2"]


def test_a_column_of_no_release_we_know_is_told_and_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_release(tmp_path, f"{FINAL},mood,weather", [{**FULL, "mood": "good"}])
    with caplog.at_level(logging.WARNING), pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger("datasets"), "propagate", True)
        patch.setattr(logging.getLogger("hf_builders"), "propagate", True)
        (paper,) = load(folder)
    assert paper == {**METADATA, **NOTHING}
    assert "metadata.csv: the columns mood, weather are of no release we know, and are not read" in caplog.messages
    assert "cord19: there are no parses, so no paper has a body; document_parses.tar.gz holds them" in caplog.messages


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "id,title\n1,x\n",
            "metadata.csv:1: the header is 'id,title'; metadata.csv of CORD-19 has sha, source_x, doi, pmcid, "
            "pubmed_id, license, abstract, publish_time, authors, journal too; is this a file of another dataset?",
        ),
        (f"{FINAL},mag_id\n", "metadata.csv:1: the header has the column mag_id twice; get the file again"),
        (
            f"{FINAL},WHO #Covidence\n",
            "metadata.csv:1: the header has the column who_covidence_id twice; get the file again",
        ),
    ],
)
def test_a_table_that_is_none_of_cord19_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "metadata.csv").write_text(content)
    with pytest.raises(SourceError) as error:
        load(tmp_path)
    assert str(error.value) == message


def test_an_empty_or_damaged_table_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("")
    with pytest.raises(SourceError, match=r"metadata\.csv"):
        load(tmp_path)
    (tmp_path / "metadata.csv").unlink()
    (tmp_path / "metadata.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(SourceError, match=r"metadata\.csv\.gz: cannot be read"):
        load(tmp_path)
    write_release(tmp_path, FINAL, [])
    with pytest.raises(SourceError, match=r"no row is left for 'train' of metadata\.csv; 0 read"):
        load(tmp_path)


def test_a_row_that_cannot_be_read_is_a_bad_row_and_the_others_are_kept(tmp_path: Path) -> None:
    folder = write_release(tmp_path, MARCH, [row("aaaa1111"), row(" "), row("bbbb2222")])
    with pytest.raises(RowError) as error:
        load(folder)
    assert str(error.value) == (
        "metadata.csv#2: the cord_uid is blank; every paper has one; fix the row, or set it aside with "
        "on_bad_row='quarantine'"
    )
    with (folder / "metadata.csv").open("ab") as file:
        file.write(b"cccc3333,too,few\r\ndddd4444," + b"," * 15 + b"\xff\r\n")
    loaded = load(folder, on_bad_row="quarantine")
    assert loaded["cord_uid"][:] == ["aaaa1111", "bbbb2222"]
    account = account_of(loaded)
    assert (account.read, account.kept) == (5, 2)
    assert account.quarantined == {"no_cord_uid": 1, "wrong_column_count": 1, "undecodable": 1}
    assert {each["reason"]: each["raw"] for each in quarantined(loaded)}["no_cord_uid"] == (
        '{"cord_uid": " ", "title": "Title of  ", "abstract": "Abstract of  ."}'
    )


def test_of_rows_of_one_paper_the_one_with_the_best_parse_is_shown_then_the_longest_abstract_then_the_first(
    tmp_path: Path,
) -> None:
    rows = [
        row("aaaa1111", title="no parse", abstract="a long, long abstract"),
        row("bbbb2222", title="short", abstract="short"),
        row("cccc3333", title="the first"),
        row("aaaa1111", title="pdf", pdf_json_files=PDF_1),
        row("bbbb2222", title="long", abstract="not short"),
        row("dddd4444", title="alone"),
        row("aaaa1111", title="pmc", pmc_json_files=PMC_7, abstract=""),
        row("cccc3333", title="the second"),
        # What the metadata names and is not there is no parse.
        row("cccc3333", title="the third", pdf_json_files=PDF_2),
    ]
    parses = {PDF_1: pdf_parse(SHA_1, ("", "of a PDF")), PMC_7: pmc_parse("PMC7", ("", "of PMC"))}
    folder = write_release(tmp_path, FINAL, rows, parses)
    loaded = load(folder)
    assert loaded["title"][:] == ["the first", "long", "alone", "pmc"]
    account = account_of(loaded)
    assert (account.read, account.kept, account.left_out) == (9, 4, {"duplicate_cord_uid": 5})
    streamed = hf_builders.load_dataset("cord19", data_dir=folder, split="train", streaming=True)
    assert list(streamed) == list(loaded) == list(load(folder, num_proc=2))


def test_duplicates_are_those_of_a_dictionary() -> None:
    rows = [(f"{n * n % 97:08d}", n * 7 % 5) for n in range(500)]
    best: dict[str, int] = {}
    for number, (id_, rank) in enumerate(rows):
        if id_ not in best or rank > rows[best[id_]][1]:
            best[id_] = number
    kept = [number for number, is_out in enumerate(mark_duplicates(rows)) if not is_out]
    assert kept == sorted(best.values())
    assert 0 < len(kept) < 500
    assert mark_duplicates([]).tolist() == []


def test_text_is_title_abstract_and_body_with_a_heading_where_the_section_changes(tmp_path: Path) -> None:
    body = [
        ("", "Of no section."),
        ("Background", " First. "),
        ("Background", "Second."),
        ("Setting ::: Methods", "Third."),
        ("Counting ::: Methods", "Fourth."),
        ("Counting ::: Methods", "  "),
        ("Counting ::: Methods", "Fifth."),
        ("Methods", "Sixth."),
        ("", "Seventh."),
    ]
    parse = pmc_parse("PMC7", *body, back_matter=[{"text": "We thank all.", "section": "Acknowledgements"}])
    rows = [row("aaaa1111", pmc_json_files=PMC_7), row("bbbb2222", abstract=""), row("cccc3333", title="", abstract="")]
    texts = load(write_release(tmp_path, FINAL, rows, {PMC_7: parse}), "text")
    assert texts["text"][:] == [
        "Title of aaaa1111\n\nAbstract of aaaa1111.\n\nOf no section.\n\nBackground\n\nFirst.\n\nSecond.\n\nMethods\n\n"
        "Setting\n\nThird.\n\nCounting\n\nFourth.\n\nFifth.\n\nMethods\n\nSixth.\n\nSeventh.",
        "Title of bbbb2222",
    ]
    assert account_of(texts).left_out == {"no_text": 1}


def test_the_question_asks_for_the_title_and_is_left_out_without_one_or_without_an_abstract(tmp_path: Path) -> None:
    rows = [
        row("aaaa1111", title=" A title\n", abstract="An abstract. "),
        row("bbbb2222", title=""),
        row("cccc3333", abstract=" "),
    ]
    folder = write_release(tmp_path, FINAL, rows)
    (asked,) = load(folder, "instruction")
    assert asked == {
        "id": "aaaa1111/abstract_to_title",
        "instruction": "Write the title of the paper with this abstract.",
        "input": "An abstract.",
        "output": "A title",
    }
    messages = load(folder, "messages", tasks=["abstract_to_title"])
    assert messages["messages"][:] == [
        [
            {"role": "user", "content": "Write the title of the paper with this abstract.\n\nAn abstract."},
            {"role": "assistant", "content": "A title"},
        ]
    ]
    assert account_of(messages).left_out == {"no_abstract_to_title": 2}
    with pytest.raises(OptionError, match="no task 'title'"):
        load(folder, "messages", tasks=["title"])


def test_two_tables_are_two_splits_or_an_error(tmp_path: Path) -> None:
    first = write_release(tmp_path / "first", MARCH, [row("aaaa1111")]) / "metadata.csv"
    last = write_release(tmp_path / "last", FINAL, [row("aaaa1111"), row("bbbb2222", pmc_json_files=PMC_7)])
    parse = write_release(tmp_path / "parses", FINAL, [], {PMC_7: pmc_parse("PMC7", ("", "x"))}) / PMC_7
    files = {"train": [str(first), str(parse)], "test": [str(last / "metadata.csv")]}
    splits = hf_builders.load_dataset("cord19", data_files=files)
    assert {split: rows["cord_uid"][:] for split, rows in splits.items()} == {
        "train": ["aaaa1111"],
        "test": ["aaaa1111", "bbbb2222"],
    }
    assert body_of(splits["test"]) == [[], ["x"]]
    with pytest.raises(SourceError) as error:
        hf_builders.load_dataset("cord19", data_files=[str(first), str(last / "metadata.csv")])
    assert str(error.value) == (
        "cord19: first/metadata.csv, last/metadata.csv: a release has one metadata.csv; name one for each split"
    )


def test_shares_are_cut_off_by_paper(tmp_path: Path) -> None:
    rows = [row(f"{n // 2:08d}", title=f"{n}") for n in range(200)]
    splits = hf_builders.load_dataset("cord19", data_dir=write_release(tmp_path, FINAL, rows), validation=0.2)
    ids = {split: set(papers["cord_uid"]) for split, papers in splits.items()}
    assert len(ids["train"] | ids["validation"]) == len(ids["train"]) + len(ids["validation"]) == 100
    assert ids["validation"]


def test_the_sample_has_every_quirk_and_its_counts_are_those_of_the_card() -> None:
    loaded = hf_builders.load_dataset("cord19", sample=True)
    account = hf_builders.account(loaded)["train"]
    assert (account.read, account.kept, account.left_out) == (172, 168, {"duplicate_cord_uid": 4})
    assert account.noted == {"several_parses": 1, "empty_parse": 1, "abstract_from_parse": 1, "parse_missing": 1}
    papers = loaded["train"]
    assert Counter(papers["parse"]) == {None: 151, "pmc_json": 10, "pdf_json": 7}
    assert sum("\n" in (abstract or "") for abstract in papers["abstract"]) > 5
    assert sum(abstract is None for abstract in papers["abstract"]) == 6
    assert {len(time) for time in papers["publish_time"]} == {4, 10}
    assert {len(sha) for sha in papers["sha"]} == {0, 1, 2}


@pytest.mark.realdata
def test_every_real_paper_is_what_csv_and_json_read(shared_realdata: Callable[[str], Path]) -> None:
    folder = shared_realdata("cord19")
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    best: dict[str, dict[str, str]] = {}
    for cells in rows:
        if cells["cord_uid"] not in best or _merit(folder, cells) > _merit(folder, best[cells["cord_uid"]]):
            best[cells["cord_uid"]] = cells
    papers = {paper["cord_uid"]: paper for paper in load(folder)}
    assert papers.keys() == best.keys()
    num_bodies = sum(_check_paper(papers[id_], cells, folder) for id_, cells in best.items())
    assert len(papers) >= 3
    assert num_bodies >= 2
    account = account_of(load(folder))
    assert (account.read, account.kept) == (len(rows), len(best))


def _parses(folder: Path, cells: dict[str, str]) -> list[Path]:
    paths = [folder / path for name in ("pmc_json_files", "pdf_json_files") for path in cells[name].split("; ") if path]
    return [path for path in paths if path.exists()]


def _merit(folder: Path, cells: dict[str, str]) -> tuple[int, int]:
    parses = _parses(folder, cells)
    return ("pdf_json", "pmc_json").index(parses[0].parent.name) if parses else -1, len(cells["abstract"])


def _check_paper(paper: dict[str, Any], cells: dict[str, str], folder: Path) -> bool:
    parses = {path: json.loads(path.read_text(encoding="utf-8")) for path in _parses(folder, cells)}
    texts = ["\n\n".join(each["text"] for each in parse.get("abstract", [])) for parse in parses.values()]
    expected: dict[str, Any] = {"abstract": next((text for text in texts if text), ""), **NOTHING}
    expected |= {name: cell for name, cell in cells.items() if cell or name != "abstract"}
    for name in ("sha", "source_x", "authors", "pdf_json_files", "pmc_json_files", "url"):
        expected[name] = [part for part in cells[name].split("; ") if part]
    path = next((path for path, parse in parses.items() if any(each["text"] for each in parse["body_text"])), None)
    if path is not None:
        expected |= {"parse": path.parent.name, "parse_file": path.name, **_shown(parses[path])}
    for name, value in paper.items():
        assert value == (expected.get(name) if expected.get(name) != "" else None), name
    return path is not None


def _shown(parse: dict[str, Any]) -> dict[str, Any]:
    sections = {"body": "body_text", "back_matter": "back_matter"}
    shown: dict[str, Any] = {
        name: [{"section": each["section"], "text": each["text"]} for each in parse[member]]
        for name, member in sections.items()
    }
    columns = {"ref_entries": ("type", "text", "html", "latex"), "references": ("title", "venue", "year")}
    for name, members in columns.items():
        entries = parse["ref_entries" if name == "ref_entries" else "bib_entries"].items()
        shown[name] = [{"id": key, **{each: entry.get(each) for each in members}} for key, entry in entries]
    return shown


@pytest.mark.realdata
def test_every_real_text_holds_all_paragraphs_in_order(shared_realdata: Callable[[str], Path]) -> None:
    folder = shared_realdata("cord19")
    num_paragraphs = 0
    for paper, text in zip(load(folder), load(folder, "text")["text"], strict=True):
        position = 0
        for part in [paper["title"], paper["abstract"] or "", *(each["text"] for each in paper["body"])]:
            found = text.find(part.strip(), position)
            assert found >= 0
            position, num_paragraphs = found + len(part.strip()), num_paragraphs + 1
    assert num_paragraphs > 50


@pytest.mark.realdata
def test_in_a_real_section_the_innermost_part_stands_first(shared_realdata: Callable[[str], Path]) -> None:
    folder = shared_realdata("cord19")
    (paper,) = (paper for paper in load(folder) if paper["parse_file"] == "PMC140314.xml.json")
    assert "Organism ::: Methods" in [paragraph["section"] for paragraph in paper["body"]]
    (text,) = (row["text"] for row in load(folder, "text") if row["id"] == paper["cord_uid"])
    assert "\n\nMethods\n\nOrganism\n\nWe obtained rhinovirus" in text
    assert "\n\nMethods\n\n" not in text.partition("\n\nOrganism\n\n")[2]
