"""ICD: every form of the lists, a code once whatever files hold it, codes with a seventh character built out right."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hf_builders
from hf_builders import Account, RowError, SourceError
from hf_builders.icd.codes import prefixes, with_dot

ORDER = (
    f"00001 A00     0 {'Foggy cough':<60} Foggy cough of sailors\n"
    f"00002 A000    1 {'Foggy cough, brass':<60} Foggy cough of sailors due to brass\n"
    f"00003 U070    1 {'New tale':<60} Tale of a new kind\n"
)
CODES = "A000    Foggy cough of sailors due to brass\nZ999    Tale, unspecified\n"
ENCOUNTERS = (
    "<sevenChrNote><note>Add the 7th character to each code from T07</note></sevenChrNote><sevenChrDef>"
    '<extension char="A">initial encounter</extension><note>first visit</note>'
    '<extension char="D">subsequent encounter</extension>'
    "</sevenChrDef>"
)
SIDES = '<sevenChrDef><extension char="1">left knee</extension></sevenChrDef>'


def diag(name: str, desc: str, *inside: str, attributes: str = "") -> str:
    return f"<diag{attributes}>\r\n<name>{name}</name><desc>{desc}</desc>{''.join(inside)}</diag>"


def tabular(*diags: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\r\n<ICD10CM.tabular><version>2099</version><introduction/><chapter>'
        "<name>1</name><desc>Ailments of harbours (A00-T88)</desc><includes><note>tales</note></includes><sectionIndex>"
        '<sectionRef first="A00" last="A09" id="A00-A09">\r\n  Coughs\r\n</sectionRef></sectionIndex>'
        f'<section id="A00-A09"><desc>Coughs (A00-A09)</desc>{"".join(diags)}</section></chapter></ICD10CM.tabular>'
    )


COUGH = diag(
    "A00",
    "Foggy cough of sailors",
    "<excludes1><note>pretended cough (Z88.-)</note></excludes1>",
    diag(
        "A00.0",
        "Foggy cough of sailors\r\n   due to brass",
        "<inclusionTerm><note>Bandsman's cough</note><note>Tuba &amp; horn cough</note></inclusionTerm>",
    ),
)


def write(folder: Path, **files: str | bytes) -> Path:
    endings = {
        "tabular": "icd10cm-tabular-2099.xml",
        "order": "icd10cm_order_2099.txt",
        "codes": "icd10cm-codes-2099.txt",
    }
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / endings.get(name, f"CMS99_DESC_{name}.txt")).write_bytes(data)
    return folder


def load(folder: Path, view: str = "source", **options: Any) -> Any:
    return hf_builders.load_dataset("icd", view, data_dir=folder, **options)


def rows_of(folder: Path, *columns: str, **options: Any) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in columns) for row in load(folder, **options)["train"]]


@pytest.mark.parametrize(
    ("system", "code", "dotted", "above"),
    [
        ("icd10cm", "B20", "B20", []),
        ("icd10cm", "M1A0110", "M1A.0110", ["M1A", "M1A0", "M1A01", "M1A011"]),
        ("icd9cm_diagnosis", "01716", "017.16", ["017", "0171"]),
        ("icd9cm_diagnosis", "V1200", "V12.00", ["V12", "V120"]),
        ("icd9cm_diagnosis", "E8000", "E800.0", ["E80", "E800"]),
        ("icd9cm_procedure", "0309", "03.09", ["03", "030"]),
    ],
)
def test_the_dot_stands_where_people_write_it(system: Any, code: str, dotted: str, above: list[str]) -> None:
    assert (with_dot(system, code), prefixes(system, code)) == (dotted, above)


def test_the_order_file_gives_headers_flags_and_both_titles(tmp_path: Path) -> None:
    columns = ("code", "code_undotted", "title", "short_title", "is_billable")
    assert rows_of(write(tmp_path, order=ORDER), *columns) == [
        ("A00", "A00", "Foggy cough of sailors", "Foggy cough", False),
        ("A00.0", "A000", "Foggy cough of sailors due to brass", "Foggy cough, brass", True),
        ("U07.0", "U070", "Tale of a new kind", "New tale", True),
    ]
    (_, parents, _) = [row["parents"] for row in load(tmp_path)["train"]]
    assert parents == [{"code": "A00", "title": "Foggy cough of sailors"}]


@pytest.mark.parametrize(("end", "last"), [("\n", ""), ("\r\n", ""), ("\r\n", "\x1a")])
def test_the_codes_file_gives_titles_of_billable_codes(tmp_path: Path, end: str, last: str) -> None:
    folder = write(tmp_path, codes=CODES.replace("\n", end) + last)
    assert rows_of(folder, "system", "code", "title", "is_billable", "chapter") == [
        ("icd10cm", "A00.0", "Foggy cough of sailors due to brass", True, None),
        ("icd10cm", "Z99.9", "Tale, unspecified", True, None),
    ]


def test_the_tabular_list_gives_notes_and_the_place_of_a_code(tmp_path: Path) -> None:
    first, second = load(write(tmp_path, tabular=tabular(COUGH)))["train"]
    assert (first["code"], first["is_billable"], first["excludes1"]) == ("A00", False, ["pretended cough (Z88.-)"])
    assert second["title"] == "Foggy cough of sailors due to brass"
    assert second["inclusion_terms"] == ["Bandsman's cough", "Tuba & horn cough"]
    assert second["chapter"] == {"number": "1", "title": "Ailments of harbours (A00-T88)"}
    assert second["section"] == {"id": "A00-A09", "title": "Coughs (A00-A09)"}
    assert second["parents"] == [{"code": "A00", "title": "Foggy cough of sailors"}]
    assert (second["is_billable"], second["built_from"], second["notes"]) == (True, None, [])


def test_seventh_characters_are_inherited_padded_and_the_nearest_definition_holds(tmp_path: Path) -> None:
    placeholder = ' placeholder="true"'
    deepest = diag("T08.2X1", "Burn at sea")
    folder = write(
        tmp_path,
        tabular=tabular(
            diag("T07", "Fall from a ladder", ENCOUNTERS),
            diag(
                "T08",
                "Burn",
                ENCOUNTERS,
                diag("T08.0", "Burn of nose"),
                diag("T08.A", "Burn of knee", SIDES, diag("T08.A1", "Burn of knee, deep")),
                diag("T08.2", "Burn", diag("T08.2X", "Burn", deepest, attributes=placeholder)),
            ),
        ),
    )
    assert rows_of(folder, "code", "title", "is_billable", "built_from") == [
        ("T07", "Fall from a ladder", False, None),
        ("T07.XXXA", "Fall from a ladder, initial encounter", True, "T07"),
        ("T07.XXXD", "Fall from a ladder, subsequent encounter", True, "T07"),
        ("T08", "Burn", False, None),
        ("T08.0", "Burn of nose", False, None),
        ("T08.0XXA", "Burn of nose, initial encounter", True, "T08.0"),
        ("T08.0XXD", "Burn of nose, subsequent encounter", True, "T08.0"),
        ("T08.A", "Burn of knee", False, None),
        ("T08.A1", "Burn of knee, deep", False, None),
        ("T08.A1X1", "Burn of knee, deep, left knee", True, "T08.A1"),
        ("T08.2", "Burn", False, None),
        ("T08.2X", "Burn", False, None),
        ("T08.2X1", "Burn at sea", False, None),
        ("T08.2X1A", "Burn at sea, initial encounter", True, "T08.2X1"),
        ("T08.2X1D", "Burn at sea, subsequent encounter", True, "T08.2X1"),
    ]
    rows = {row["code"]: row for row in load(folder)["train"]}
    assert [parent["code"] for parent in rows["T08.2X1A"]["parents"]] == ["T08", "T08.2", "T08.2X", "T08.2X1"]
    assert [parent["code"] for parent in rows["T08.0XXA"]["parents"]] == ["T08", "T08.0"]
    assert rows["T07"]["seventh_characters"] == [
        {"character": "A", "meaning": "initial encounter", "notes": ["first visit"]},
        {"character": "D", "meaning": "subsequent encounter", "notes": []},
    ]
    assert rows["T07"]["seventh_character_notes"] == ["Add the 7th character to each code from T07"]


def test_a_seventh_character_that_a_note_takes_back_is_not_built(tmp_path: Path) -> None:
    note = (
        "7th characters D and S do not apply to codes in category T06 with 6th character 7 - lost at sea before noon, "
        "or 8 - lost at sea later."
    )
    seventh = ENCOUNTERS.replace("</sevenChrDef>", '<extension char="S">sequela</extension></sevenChrDef>')
    codes = [diag(f"T06.1X{n}", f"Knock {n}") for n in (6, 7, 8)]
    folder = write(
        tmp_path, tabular=tabular(diag("T06", "Knock", f"<notes><note>{note}</note></notes>", seventh, *codes))
    )
    built = [code for code, built_from in rows_of(folder, "code", "built_from") if built_from]
    assert built == ["T06.1X6A", "T06.1X6D", "T06.1X6S", "T06.1X7A", "T06.1X8A"]


@pytest.mark.parametrize("num_proc", [None, 2])
def test_a_code_of_several_files_is_one_record_that_knows_all_of_them(tmp_path: Path, num_proc: int | None) -> None:
    folder = write(
        tmp_path,
        tabular=tabular(COUGH),
        order=ORDER,
        codes=CODES.replace("sailors due to brass", "seamen due to brass"),
    )
    loaded = load(folder, num_proc=num_proc)
    rows = {row["code"]: row for row in loaded["train"]}
    assert sorted(rows) == ["A00", "A00.0", "U07.0", "Z99.9"]
    assert (rows["A00.0"]["title"], rows["A00.0"]["short_title"]) == (
        "Foggy cough of sailors due to brass",
        "Foggy cough, brass",
    )
    assert rows["A00.0"]["inclusion_terms"] == ["Bandsman's cough", "Tuba & horn cough"]
    assert hf_builders.account(loaded)["train"] == Account(
        7, 4, Counter(given_by_tabular_list=3), noted=Counter(titles_differ=1)
    )
    streamed = load(folder, streaming=True)["train"]
    assert sorted(row["code"] for row in streamed) == sorted(rows)


def test_of_two_files_of_one_form_that_of_the_later_year_shows_a_code(tmp_path: Path) -> None:
    write(tmp_path, codes=CODES)
    (tmp_path / "icd10cm_codes_2098.txt").write_text("A000    Foggy cough, old\n", encoding="utf-8")  # later by name
    loaded = load(tmp_path)
    assert dict(zip(loaded["train"]["code"], loaded["train"]["title"], strict=True)) == {
        "A00.0": "Foggy cough of sailors due to brass",
        "Z99.9": "Tale, unspecified",
    }
    assert hf_builders.account(loaded)["train"] == Account(3, 2, Counter(given_by_a_later_file=1))


def test_what_files_say_otherwise_is_noted_and_kept(tmp_path: Path) -> None:
    older = CODES.replace("Foggy cough of sailors due to brass", "Sézary cough").replace("Z999", "A00 ")
    loaded = load(write(tmp_path, tabular=tabular(COUGH), codes=older))
    rows = {row["code"]: row for row in loaded["train"]}
    assert (rows["A00.0"]["title"], rows["A00.0"]["other_titles"]) == (
        "Sézary cough",
        ["Foggy cough of sailors due to brass"],
    )
    assert rows["A00"]["is_billable"] is False  # codes stand below it in the tabular list
    assert hf_builders.account(loaded)["train"].noted == Counter(titles_differ=2, billable_differs=1)


def test_files_of_two_splits_do_not_take_codes_from_each_other(tmp_path: Path) -> None:
    write(tmp_path, codes=CODES, order=ORDER)
    files = {"train": str(tmp_path / "icd10cm-codes-2099.txt"), "test": str(tmp_path / "icd10cm_order_2099.txt")}
    loaded = hf_builders.load_dataset("icd", data_files=files)
    assert {split: rows["code"][:] for split, rows in loaded.items()} == {
        "train": ["A00.0", "Z99.9"],
        "test": ["A00", "A00.0", "U07.0"],
    }


def test_a_code_may_have_a_letter_in_second_place_and_a_list_may_be_unpadded(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, codes="QA00101 Tale\nA000 Cough\nA0101\tCough, deep\n"))
    assert list(zip(loaded["train"]["code"], loaded["train"]["title"], strict=True)) == [
        ("QA0.0101", "Tale"),
        ("A00.0", "Cough"),
        ("A01.01", "Cough, deep"),
    ]


def test_a_bad_first_line_is_a_bad_row_of_the_form_the_others_have(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, codes="ICD-10-CM codes of 2099\n" + CODES), on_bad_row="quarantine")
    assert hf_builders.account(loaded)["train"] == Account(3, 2, quarantined=Counter(not_a_code=1))


def test_a_title_that_two_codes_have_is_not_asked_for(tmp_path: Path) -> None:
    folder = write(tmp_path, LONG_DX="0010  Cough\n0011  Cough\n0012  Hiccup\n")
    loaded = load(folder, "instruction", tasks=["title_to_code"])
    assert loaded["train"]["output"][:] == ["001.2"]
    assert hf_builders.account(loaded)["train"] == Account(3, 1, Counter(no_title_to_code=2))


def test_icd_9_has_latin_1_long_titles_short_ones_and_procedures(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        LONG_DX="0010  Cough of Müller's sailors\r\n01716 Ménière's tale\r\nE8000 Toy train\r\n".encode("iso-8859-1"),
        SHORT_DX="0010  Mullers cough\r\n01716 Menieres tale\r\nV1200 Hx of ropes\r\n",
        LONG_SG="0050 Fitting of a whistle\r\n201  Removal of wool\r\n",
    )
    columns = ("system", "code", "title", "short_title", "is_billable")
    loaded = load(folder)
    assert [tuple(row[name] for name in columns) for row in loaded["train"]] == [
        ("icd9cm_diagnosis", "001.0", "Cough of Müller's sailors", "Mullers cough", True),
        ("icd9cm_diagnosis", "017.16", "Ménière's tale", "Menieres tale", True),
        ("icd9cm_diagnosis", "E800.0", "Toy train", None, True),
        ("icd9cm_procedure", "00.50", "Fitting of a whistle", None, True),
        ("icd9cm_procedure", "20.1", "Removal of wool", None, True),
        ("icd9cm_diagnosis", "V12.00", "Hx of ropes", "Hx of ropes", True),
    ]
    assert hf_builders.account(loaded)["train"] == Account(
        8, 6, Counter(given_by_long_titles=2), noted=Counter(short_title_only=1)
    )


def test_the_tasks_ask_only_what_a_code_can_answer(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, tabular=tabular(COUGH)), "instruction")
    assert [tuple(row.values()) for row in loaded["train"]] == [
        ("icd10cm:A00/code_to_title", "What does the ICD-10-CM code A00 stand for?", "", "Foggy cough of sailors"),
        (
            "icd10cm:A00/code_to_hierarchy",
            "Where in ICD-10-CM does the code A00 (Foggy cough of sailors) stand?",
            "",
            "Chapter 1: Ailments of harbours (A00-T88)\nSection Coughs (A00-A09)",
        ),
        (
            "icd10cm:A00.0/code_to_title",
            "What does the ICD-10-CM code A00.0 stand for?",
            "",
            "Foggy cough of sailors due to brass",
        ),
        (
            "icd10cm:A00.0/title_to_code",
            "Which ICD-10-CM code has this title?",
            "Foggy cough of sailors due to brass",
            "A00.0",
        ),
        (
            "icd10cm:A00.0/code_to_inclusion_terms",
            "Which other terms are coded as A00.0 (Foggy cough of sailors due to brass) in ICD-10-CM?",
            "",
            "Bandsman's cough\nTuba & horn cough",
        ),
        (
            "icd10cm:A00.0/code_to_hierarchy",
            "Where in ICD-10-CM does the code A00.0 (Foggy cough of sailors due to brass) stand?",
            "",
            "Chapter 1: Ailments of harbours (A00-T88)\nSection Coughs (A00-A09)\nA00: Foggy cough of sailors",
        ),
    ]
    assert hf_builders.account(loaded)["train"].left_out == Counter(no_title_to_code=1, no_code_to_inclusion_terms=1)


def test_the_text_holds_title_place_and_notes(tmp_path: Path) -> None:
    texts = load(write(tmp_path, tabular=tabular(COUGH)), "text")["train"]["text"]
    assert texts[1] == (
        "ICD-10-CM A00.0: Foggy cough of sailors due to brass\nChapter 1: Ailments of harbours (A00-T88)\n"
        "Section Coughs (A00-A09)\nA00: Foggy cough of sailors\nInclusion terms: Bandsman's cough; Tuba & horn cough"
    )
    assert texts[0].endswith("\nExcludes1: pretended cough (Z88.-)")


@pytest.mark.parametrize(
    ("files", "place", "reason", "fact"),
    [
        (
            {"order": ORDER + "00004 A001\n"},
            "icd10cm_order_2099.txt:4",
            "not_a_code",
            "'00004 A001' is no line of its file, which is one of code order",
        ),
        (
            {"codes": CODES + "a001    lower case\n"},
            "icd10cm-codes-2099.txt:3",
            "not_a_code",
            "'a001    lower case' is no line of its file, which is one of code titles",
        ),
        (
            {"codes": CODES + "1234    of another system\n"},
            "icd10cm-codes-2099.txt:3",
            "not_a_code",
            "'1234' is no code of icd10cm",
        ),
        (
            {"codes": CODES + "A000    again\n"},
            "icd10cm-codes-2099.txt:3",
            "duplicate_code",
            "the code A000 stands in this file before",
        ),
        (
            {"tabular": tabular(COUGH, diag("A01", " "))},
            "icd10cm-tabular-2099.xml#3",
            "no_title",
            "the code A01 has no title",
        ),
        (
            {"tabular": tabular(COUGH, diag("Axx", "Cough"))},
            "icd10cm-tabular-2099.xml#3",
            "not_a_code",
            "'Axx' is no code of icd10cm",
        ),
    ],
)
def test_a_bad_row_stops_the_load_or_is_set_aside(
    tmp_path: Path, files: dict[str, str], place: str, reason: str, fact: str
) -> None:
    folder = write(tmp_path, **files)
    with pytest.raises(RowError) as error:
        load(folder)
    assert (error.value.place, error.value.reason, error.value.fact) == (place, reason, fact)
    account = hf_builders.account(load(folder, on_bad_row="quarantine"))["train"]
    assert account.quarantined == Counter({reason: 1})
    assert account.read == account.kept + 1


BOMB = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"tabular": "<ICD10CM.index><letter/></ICD10CM.index>"},
            "icd10cm-tabular-2099.xml: the root is <ICD10CM.index>, expected <ICD10CM.tabular>; is it a file of "
            "another dataset?",
        ),
        (
            {"codes": "Delete: A000 Foggy cough\n"},
            "icd10cm-codes-2099.txt:1: 'Delete: A000 Foggy cough' is no line of a list of ICD-10-CM or ICD-9-CM codes "
            "(a code, blanks, a title); is it a file of another dataset?",
        ),
        ({"codes": "\n"}, "icd10cm-codes-2099.txt: the file is empty; get it again, or leave it out"),
        (
            {"tabular": tabular(COUGH)[:-40]},
            "icd10cm-tabular-2099.xml:7: the XML is broken here (expected '>'); get the file again",
        ),
        (
            {"tabular": f"<!DOCTYPE x [<!ENTITY l0 'lol'>{BOMB}]><ICD10CM.tabular>&l9;</ICD10CM.tabular>"},
            "icd10cm-tabular-2099.xml: declares the entity 'l0', which files of this kind never do; it is not read: "
            "get the file from its publisher",
        ),
    ],
)
def test_a_file_of_another_kind_or_a_broken_one_is_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(SourceError) as error:
        load(write(tmp_path, **files))
    assert str(error.value).startswith(message)


def test_lists_of_changes_and_the_index_beside_the_lists_are_not_taken_for_them(tmp_path: Path) -> None:
    folder = write(tmp_path, codes=CODES)
    (tmp_path / "icd10cm-codes-addenda-2099.txt").write_text("Add:         A001    New\n", encoding="utf-8")
    (tmp_path / "icd10cm-order-april-2099.txt").write_text(ORDER.replace("A000 ", "A001 "), encoding="utf-8")
    (tmp_path / "icd10cm-index-2099.xml").write_text("<ICD10CM.index/>", encoding="utf-8")
    assert load(folder)["train"]["code"][:] == ["A00", "A00.1", "U07.0", "A00.0", "Z99.9"]


def expected_tabular(path: Path) -> dict[str, tuple[str, list[str], list[str]]]:
    """Code → title, codes above, inclusion terms: by `xml.etree`, in other words than ours."""
    expected: dict[str, tuple[str, list[str], list[str]]] = {}

    def descend(element: Any, above: list[str], extensions: list[tuple[str, str]]) -> None:
        name, title = element.findtext("name"), " ".join(element.findtext("desc").split())
        terms = [" ".join(note.text.split()) for note in element.findall("inclusionTerm/note")]
        expected[name] = (title, above, terms)
        definition = element.find("sevenChrDef")
        if definition is not None:
            extensions = [(each.get("char"), each.text.strip()) for each in definition.findall("extension")]
        below = element.findall("diag")
        if not below:
            for character, meaning in extensions:
                digits = name.replace(".", "")
                code = digits + "X" * (6 - len(digits)) + character
                expected[f"{code[:3]}.{code[3:]}"] = (f"{title}, {meaning}", [*above, name], [])
        for each in below:
            descend(each, [*above, name], extensions)

    for section in xml.etree.ElementTree.parse(path).getroot().iter("section"):
        for each in section.findall("diag"):
            descend(each, [], [])
    return expected


@pytest.mark.realdata
def test_chapters_1_to_4_give_each_code_of_seven_characters_with_its_right_title(
    shared_realdata: Callable[[str], Path],
) -> None:
    folder = shared_realdata("icd") / "icd10cm"
    path = next(folder.glob("*tabular*.xml"))
    expected = expected_tabular(path)
    rows = {row["code"]: row for row in hf_builders.load_dataset("icd", data_files=str(path))["train"]}
    assert list(rows) == list(expected)
    for code, (title, above, terms) in expected.items():
        assert rows[code]["title"] == title
        assert [parent["code"] for parent in rows[code]["parents"]] == above
        assert rows[code]["inclusion_terms"] == terms
    built = {code: row for code, row in rows.items() if row["built_from"]}
    assert len(built) == 260
    lines = (folder / "icd10cm-codes-2024.txt").read_text(encoding="ascii").splitlines()
    official = {line[:7].strip(): line[8:].strip() for line in lines}
    compared = [code for code in built if code.replace(".", "") in official]
    assert len(compared) > 200
    for code in compared:
        assert rows[code]["title"] == official[code.replace(".", "")]
    listed = {row["code_undotted"] for row in rows.values()}
    assert {code for code in official if code[0] in "ABCDE"} - listed == set()


@pytest.mark.realdata
def test_every_line_of_the_real_lists_is_a_code_with_its_titles(shared_realdata: Callable[[str], Path]) -> None:
    folder = shared_realdata("icd")
    num_checked = 0
    for path in sorted(folder.rglob("*.txt")):
        latin = path.read_bytes().decode("iso-8859-1")
        rows = hf_builders.load_dataset("icd", data_files=str(path))["train"].to_list()
        lines = [line for line in latin.split("\n") if line.strip()]
        assert len(rows) == len(lines)
        for row, line in zip(rows, lines, strict=True):
            if "order" in path.name:
                cells = next(csv.reader(io.StringIO(line[:16].strip()), delimiter=" ", skipinitialspace=True))
                assert (row["code_undotted"], row["is_billable"]) == (cells[1], cells[2] == "1")
                assert (row["short_title"], row["title"]) == (line[16:76].strip(), line[77:].strip())
            else:
                code, title = line.split(" ", 1)
                assert (row["code_undotted"], row["title"]) == (code, title.strip())
            num_checked += 1
    assert num_checked > 15_000


@pytest.mark.realdata
def test_all_real_files_together_give_each_code_once_and_reconcile(shared_realdata: Callable[[str], Path]) -> None:
    loaded = load(shared_realdata("icd"))
    account = hf_builders.account(loaded)["train"]
    assert account.is_balanced()
    assert account.quarantined == Counter()
    ids = list(zip(loaded["train"]["system"], loaded["train"]["code"], strict=True))
    assert len(ids) == len(set(ids)) == account.kept > 20_000
    assert any("ä" in title for title in loaded["train"]["title"])
    assert account.noted["titles_differ"] == 15
