"""SNOMED CT: what is said of files, rows and options that are wrong, and that each is counted once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hf_builders
from hf_builders import OptionError, RowError, SourceError
from hf_builders.quarantine import BadRow
from hf_builders.snomed_ct.rf2_table import CONCEPT, read_table
from hf_builders.sources import SourceFile
from tests.hf_builders.snomed_ct_files import (
    ACCEPTABLE,
    BELL,
    BLUE,
    CORE,
    GB,
    HEADERS,
    LAMP,
    SPANISH,
    SYNONYM,
    TERMS,
    TOP,
    US,
    account_of,
    concept,
    description,
    load,
    member,
    name_of,
    named,
    path_of,
    relationship,
    rows_by_id,
    sctid,
    small,
    text_of,
    warnings_of,
    write_release,
)

SAMPLE = Path(hf_builders.__file__).parent / "snomed_ct" / "sample"


class TestWrongFiles:
    def test_a_delta_alone_is_refused(self, tmp_path: Path) -> None:
        folder = write_release(tmp_path, {"Concept": [concept(TOP)]}, "Delta")
        with pytest.raises(SourceError) as error:
            load(folder)
        assert str(error.value) == (
            "sct2_Concept_Delta_INT_20250101.txt: is a Delta, which holds only what changed since the release before; "
            "name the Snapshot or the Full files of the release"
        )

    def test_the_form_that_is_asked_for_has_to_be_there(self, tmp_path: Path) -> None:
        folder = write_release(tmp_path, {"Concept": [concept(TOP)]})
        with pytest.raises(OptionError) as error:
            load(folder, release="full")
        assert str(error.value) == (
            "release='full', or as_of, which needs it: there are only snapshot files: "
            "sct2_Concept_Snapshot_INT_20250101.txt"
        )

    def test_concepts_without_descriptions_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError) as error:
            load(write_release(tmp_path, {"Concept": [concept(TOP)]}))
        assert str(error.value) == (
            "sct2_Concept_Snapshot_INT_20250101.txt: has no snapshot file of descriptions "
            "(sct2_Description_Snapshot-en_INT_….txt), and without them concepts have no names; name the folder of the "
            "whole release"
        )

    def test_files_of_another_dataset_are_refused(self, tmp_path: Path) -> None:
        other = tmp_path / "train.json"
        other.write_text("{}", encoding="utf-8")
        with pytest.raises(SourceError) as error:
            hf_builders.load_dataset("snomed_ct", data_files=str(other))
        assert str(error.value) == (
            "train.json: none is a file of concepts; expected names like sct2_Concept_Snapshot_INT_20250101.txt, with "
            "the other files of the release beside it"
        )
        with pytest.raises(SourceError) as error:
            load(tmp_path)
        assert str(error.value) == (
            f"{tmp_path}: holds none of the files of snomed_ct (sct2_Concept_*.txt, sct2_Description_*.txt, "
            "sct2_TextDefinition_*.txt, sct2_Relationship_*.txt, sct2_StatedRelationship_*.txt, "
            "sct2_RelationshipConcreteValues_*.txt, der2_cRefset_*Language*.txt), at any depth; found train.json; "
            "point data_dir at the folder of the official download, or name your files with data_files"
        )

    @pytest.mark.parametrize("kind", ["Concept", "Description", "Relationship", "Language"])
    def test_another_header_is_an_error_with_both(self, kind: str, tmp_path: Path) -> None:
        folder = write_release(tmp_path, small())
        path = path_of(folder, kind)
        path.write_bytes(b"# x\r\nid,term\r\n" + path.read_bytes())
        with pytest.raises(SourceError) as error:
            load(folder)
        assert str(error.value) == (
            f"{name_of(kind)}:2: the header is 'id,term'; expected the columns {', '.join(HEADERS[kind].split())} with "
            "tabs between them; is this a file of another dataset?"
        )

    @pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"#\n\n#\n"])
    def test_a_file_without_a_header_is_an_error(self, content: bytes, tmp_path: Path) -> None:
        folder = write_release(tmp_path, small())
        path_of(folder, "Concept").write_bytes(content)
        with pytest.raises(SourceError) as error:
            load(folder)
        assert str(error.value) == (
            "sct2_Concept_Snapshot_INT_20250101.txt: has no header; expected the columns id, effectiveTime, active, "
            "moduleId, definitionStatusId"
        )

    def test_a_line_without_an_end_is_an_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("hf_builders.snomed_ct.rf2_table._BLOCK", 1_000)
        folder = write_release(tmp_path, small())
        path_of(folder, "Description").write_bytes(text_of("Description", [["x" * 10_000]]).encode())
        with pytest.raises(SourceError) as error:
            load(folder)
        assert str(error.value) == f"{name_of('Description')}:2: the line is longer than 4,000 bytes; is this RF2?"

    def test_a_damaged_zip_is_an_error(self, tmp_path: Path) -> None:
        archive = tmp_path / "release.zip"
        archive.write_bytes(b"PK\x03\x04 and nothing more")
        with pytest.raises(SourceError, match=r"release\.zip: is no readable zip"):
            load(tmp_path)


def changed(row: list[str], column: int, value: str) -> list[str]:
    return [*row[:column], value, *row[column + 1 :]]


A_NAME, A_MEMBER, IS_A_THING = description(60, BELL, "Bell"), member(60), relationship(9, BELL, TOP)
NO_ID = "expected a number of 6 to 18 digits"
COLUMNS = "expected the 5: id, effectiveTime, active, moduleId, definitionStatusId"
BAD: list[tuple[str, list[str], str, str]] = [
    ("Concept", concept("12345"), "bad_id", f"id is '12345'; {NO_ID}"),
    ("Concept", concept("1" * 19), "bad_id", f"id is '{'1' * 19}'; {NO_ID}"),
    ("Concept", concept("0123456"), "bad_id", f"id is '0123456'; {NO_ID}"),
    ("Concept", concept("1234567.0"), "bad_id", f"id is '1234567.0'; {NO_ID}"),
    ("Concept", concept("0x123456"), "bad_id", f"id is '0x123456'; {NO_ID}"),
    ("Concept", concept(f" {BELL}"), "bad_id", f"id is ' {BELL}'; {NO_ID}"),
    ("Concept", concept(BELL, status="primitive"), "bad_id", f"definitionStatusId is 'primitive'; {NO_ID}"),
    ("Concept", concept(BELL, module=""), "bad_id", f"moduleId is ''; {NO_ID}"),
    ("Concept", concept(BELL, active=2), "bad_active", "active is '2'; expected 0 or 1"),
    ("Concept", concept(BELL, time=""), "bad_effective_time", "effectiveTime is ''; expected a date as YYYYMMDD"),
    ("Concept", concept(BELL, time="2025-01-01"), "bad_effective_time",
     "effectiveTime is '2025-01-01'; expected a date as YYYYMMDD"),
    ("Concept", concept(BELL)[:4], "wrong_column_count", f"the row has 4 columns; {COLUMNS}"),
    ("Concept", [*concept(BELL), ""], "wrong_column_count", f"the row has 6 columns; {COLUMNS}"),
    ("Concept", concept(BELL, status=f"{CORE}\r1"), "carriage_return",
     "the row holds a carriage return, which RF2 has only at the end of a line"),
    ("Description", changed(A_NAME, 7, "Two\tcells"), "wrong_column_count",
     f"the row has 10 columns; expected the 9: {', '.join(HEADERS['Description'].split())}"),
    ("Description", changed(A_NAME, 4, "concept"), "bad_id", f"conceptId is 'concept'; {NO_ID}"),
    ("Relationship", changed(IS_A_THING, 6, "-1"), "bad_group", "relationshipGroup is '-1'; expected a number"),
    ("Relationship", changed(IS_A_THING, 5, "thing"), "bad_id", f"destinationId is 'thing'; {NO_ID}"),
    ("Language", changed(A_MEMBER, 6, ""), "bad_id", f"acceptabilityId is ''; {NO_ID}"),
]  # fmt: skip


class TestBadRows:
    @pytest.mark.parametrize(("kind", "row", "reason", "fact"), BAD, ids=range(len(BAD)))
    def test_one_stops_the_load_or_is_set_aside_with_its_reason(
        self, kind: str, row: list[str], reason: str, fact: str, tmp_path: Path
    ) -> None:
        files = small()
        files[kind].insert(1, row)
        folder = write_release(tmp_path, files)
        place = f"{name_of(kind)}:3: {row[0]}"
        for view in ("source", "text"):
            with pytest.raises(RowError) as error:
                load(folder, view)
            assert str(error.value) == f"{place}: {fact}; fix the row, or set it aside with on_bad_row='quarantine'"
            loaded = load(folder, view, on_bad_row="quarantine")
            assert loaded.num_rows == 3
            account = account_of(loaded)
            assert (account.read, account.kept, account.quarantined) == (4, 3, {reason: 1})
            (aside,) = Path(loaded.cache_files[0]["filename"]).parent.glob("quarantine-*.jsonl")
            assert [json.loads(line) for line in aside.read_text(encoding="utf-8").splitlines()] == [
                {"place": place, "reason": reason, "fact": fact, "raw": "\t".join(row)}
            ]

    def test_bytes_that_are_no_text_are_shown_as_they_are(self, tmp_path: Path) -> None:
        folder = write_release(tmp_path, small())
        path = path_of(folder, "Description")
        path.write_bytes(path.read_bytes().replace(b"\tThing\t", b"\tTh\xffng\t"))
        with pytest.raises(RowError) as error:
            load(folder)
        assert str(error.value) == (
            f"{name_of('Description')}:3: {sctid(11, '01')}: the row holds bytes that are no UTF-8 text; fix the row, "
            "or set it aside with on_bad_row='quarantine'"
        )
        loaded = load(folder, on_bad_row="quarantine")
        assert loaded["preferred_term"][:] == TERMS  # that of the thing from its fully specified name
        account = account_of(loaded)
        assert (account.quarantined, account.noted) == ({"undecodable": 1}, {"no_preferred_term": 1})

    def test_splits_and_several_files_count_each_once(self, tmp_path: Path) -> None:
        files = small(Description=[["short"]], Concept=[concept("12345")])
        folder = write_release(tmp_path, files)
        write_release(folder, {"Concept": [concept(BELL)], **named(60, BELL, "Bell")}, edition="US1000124")
        loaded = hf_builders.load_dataset("snomed_ct", data_dir=folder, validation=0.5, on_bad_row="quarantine")
        accounts = hf_builders.account(loaded)
        ids = [id_ for rows in loaded.values() for id_ in rows["concept_id"]]
        assert sorted(ids) == sorted([TOP, LAMP, BLUE, BELL])
        assert accounts["train"].quarantined == {"wrong_column_count": 1, "bad_id": 1}
        assert accounts["validation"].quarantined == {}
        assert sum(account.read for account in accounts.values()) == 6


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"release": "delta"}, "release='delta': takes 'snapshot' or 'full'"),
            ({"as_of": "2025"}, "as_of='2025': takes a date as '20250131'"),
            ({"as_of": 20250131}, "as_of=20250131: takes a date as '20250131'"),
            ({"as_of": "20250231"}, "as_of='20250231': takes a date as '20250131'"),
            ({"as_of": "20250131", "release": "snapshot"},
             "as_of: a Snapshot holds no older versions; leave out release='snapshot'"),
            ({"language": ""},
             "language='': takes a code as 'en', 'en-GB' or 'es', or the id of a language refset as a string"),
            ({"language": int(US)},
             f"language={US}: takes a code as 'en', 'en-GB' or 'es', or the id of a language refset as a string"),
        ],
    )  # fmt: skip
    def test_a_wrong_value_is_an_error(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(OptionError) as error:
            load(SAMPLE, **options)
        assert str(error.value) == message

    @pytest.mark.parametrize("language", ["sv", "en-AU", "en-GB", "900000000000508004"])
    def test_a_language_that_is_not_there_is_told_with_those_that_are(self, language: str, tmp_path: Path) -> None:
        folder = write_release(tmp_path, small())
        with pytest.raises(OptionError) as error:
            load(folder, language=language)
        assert str(error.value) == (
            f"language={language!r}: names none of the language refsets there are: {US} (en, 6 members); give the id "
            "of one"
        )

    def test_of_several_refsets_of_a_language_one_has_to_be_named(self, tmp_path: Path) -> None:
        first, second = sctid(9), sctid(8)
        files = small(Description=[description(80, LAMP, "Lampe", SYNONYM, "fr")])
        files["Language"] = [member(80, refset=first), member(80, ACCEPTABLE, second), member(20, refset=GB)]
        folder = write_release(tmp_path, files)
        with pytest.raises(OptionError) as error:
            load(folder, language="fr")
        assert str(error.value) == (
            f"language='fr': names 2 of the language refsets there are: {first} (fr, 1 members), {second} (fr, 1 "
            f"members), {GB} (en, 1 members); give the id of one"
        )
        assert rows_by_id(folder, language=first)[LAMP]["preferred_term"] == "Lampe"
        assert rows_by_id(folder, language=second)[LAMP]["synonyms"] == ["Lampe"]
        assert rows_by_id(folder, language="en")[LAMP]["fsn"] == "Lamp (object)"

    def test_the_first_refset_is_taken_and_told_where_there_is_no_us_english(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        files = small(Description=[description(80, LAMP, "Lampe", SYNONYM, "fr")])
        files["Language"] = [member(80, refset=SPANISH), member(20, refset=GB)]
        assert rows_by_id(write_release(tmp_path, files))[LAMP]["preferred_term"] == "Lampe"
        chosen = f"{SPANISH} (fr, 1 members)"
        assert warnings_of(caplog) == [
            f"snomed_ct: terms are those of the language refset {chosen}, of: {chosen}, {GB} (en, 1 members); "
            "language= chooses another"
        ]


GOOD = re.compile(rb"[1-9][0-9]{5,17}\t[0-9]{8}\t[01]\t[1-9][0-9]{5,17}\t[1-9][0-9]{5,17}")
CELLS = st.sampled_from([TOP, LAMP[:5], "20250101", "1", "0", "", '"', '"a', "é", "#", " 1", "0x1234567", "1e9", "\0"])
LINES = st.lists(
    st.one_of(
        st.lists(CELLS, max_size=7),
        st.builds(lambda cell, place: changed(concept(TOP), place, cell), CELLS, st.integers(0, 4)),
    ).map("\t".join),
    max_size=8,
)


@given(
    lines=LINES,
    newline=st.sampled_from([b"\n", b"\r\n"]),
    block=st.sampled_from([40, 1 << 20]),
    end=st.sampled_from([b"", b"\xff", b"\r"]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_stands_in_a_file_every_line_is_a_row_or_a_bad_row_where_it_stands(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], newline: bytes, block: int, end: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "sct2_Concept_Snapshot_INT_20250101.txt"
    raw = [HEADERS["Concept"].replace(" ", "\t").encode(), *(line.encode() for line in lines)]
    path.write_bytes(newline.join(raw) + (end if lines else b""))
    is_good = {}
    for number, line in enumerate(path.read_bytes().split(b"\n")[1:], start=2):
        bare = line.removesuffix(b"\r")
        if bare and not bare.startswith(b"#"):
            is_good[number] = GOOD.fullmatch(bare) is not None
    bad: list[BadRow] = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("hf_builders.snomed_ct.rf2_table._BLOCK", block)
        tables = list(read_table(SourceFile(str(path), path.name, "train"), CONCEPT, CONCEPT, bad.append))
    good = [line for table in tables for line in table["line"].to_pylist()]
    assert good == [number for number, is_right in is_good.items() if is_right]
    assert [int(row.place.split(":")[1]) for row in bad] == [n for n, is_right in is_good.items() if not is_right]
