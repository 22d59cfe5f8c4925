"""SNOMED CT: which files of a release are read, however they lie and are written, and which version counts."""

from __future__ import annotations

import gzip
import shutil
import zipfile
from pathlib import Path

import pytest
from datasets import load_dataset

import hf_builders
from hf_builders import RowError, SourceError
from tests.hf_builders.snomed_ct_files import (
    BELL,
    BLUE,
    DEFINED,
    FSN,
    LAMP,
    SPANISH,
    STATED,
    SYNONYM,
    TERMS,
    TOP,
    account_of,
    concept,
    description,
    load,
    member,
    named,
    path_of,
    relationship,
    rows_by_id,
    small,
    text_of,
    warnings_of,
    write_release,
)

NAME = "hf_builders/snomed_ct"
SAMPLE = Path(hf_builders.__file__).parent / "snomed_ct" / "sample"


def rows_changed_with_time() -> dict[str, list[list[str]]]:
    """Full: the lamp is renamed in 2024, moved under the bell in 2025, and defined in 2026; the bell comes in 2025."""
    old = "20200131"
    files: dict[str, list[list[str]]] = {
        "Concept": [
            concept(TOP, time=old), concept(LAMP, time=old), concept(LAMP, time="20260131", status=DEFINED),
            concept(BELL, time="20250131"), concept(BLUE, time=old), concept(BLUE, active=0, time="20250131"),
        ],
        "Relationship": [
            relationship(1, LAMP, TOP, time=old), relationship(1, LAMP, TOP, time="20250131", active=0),
            relationship(2, LAMP, BELL, time="20250131"),
        ],
        "Description": [], "Language": [],
    }  # fmt: skip
    for item, (id_, term) in enumerate(((TOP, "Thing"), (LAMP, "Lamp"), (BELL, "Bell"), (BLUE, "Blue"))):
        for kind, rows in named(10 + 10 * item, id_, term).items():
            files[kind] += [[row[0], old, *row[2:]] for row in rows]
    files["Description"] += [description(21, LAMP, "Lantern", time="20240131")]
    return files


class TestFull:
    def test_the_latest_version_of_each_component_counts(self, tmp_path: Path) -> None:
        loaded = load(write_release(tmp_path, rows_changed_with_time(), "Full"))
        assert loaded["concept_id"][:] == [TOP, LAMP, BELL]
        lamp = loaded[1]
        assert (lamp["effective_time"], lamp["definition_status"]) == ("20260131", "fully_defined")
        assert (lamp["preferred_term"], lamp["parents"]) == ("Lantern", [{"id": BELL, "term": "Bell"}])
        account = account_of(loaded)
        assert (account.read, account.kept) == (6, 3)
        assert account.left_out == {"superseded": 2, "inactive_concept": 1}

    @pytest.mark.parametrize(
        ("as_of", "ids", "term", "parent", "left_out"),
        [
            ("20200131", [TOP, LAMP, BLUE], "Lamp", "Thing", {"after_as_of": 3}),
            ("20240131", [TOP, LAMP, BLUE], "Lantern", "Thing", {"after_as_of": 3}),
            ("20250131", [TOP, LAMP, BELL], "Lantern", "Bell",
             {"after_as_of": 1, "superseded": 1, "inactive_concept": 1}),
        ],
    )  # fmt: skip
    def test_as_of_shows_the_release_as_it_stood(
        self, as_of: str, ids: list[str], term: str, parent: str, left_out: dict[str, int], tmp_path: Path
    ) -> None:
        loaded = load(write_release(tmp_path, rows_changed_with_time(), "Full"), as_of=as_of)
        assert loaded["concept_id"][:] == ids
        lamp = next(row for row in loaded if row["concept_id"] == LAMP)
        assert (lamp["preferred_term"], [each["term"] for each in lamp["parents"]]) == (term, [parent])
        assert account_of(loaded).left_out == left_out

    def test_before_the_first_version_there_is_nothing(self, tmp_path: Path) -> None:
        folder = write_release(tmp_path, rows_changed_with_time(), "Full")
        with pytest.raises(SourceError) as error:
            load(folder, as_of="20010101")
        assert str(error.value) == (
            "snomed_ct: no row is left for 'train' of sct2_Concept_Full_INT_20250101.txt; 6 read, 6 left out "
            "(after_as_of 6); change the options that leave them out"
        )

    def test_the_snapshot_is_read_where_both_are_unless_full_is_asked_for(self, tmp_path: Path) -> None:
        folder = write_release(tmp_path, rows_changed_with_time(), "Full")
        write_release(folder, small())
        write_release(folder, {"Concept": [concept(BELL)]}, "Delta")
        assert load(folder)["preferred_term"][:] == TERMS
        assert load(folder, release="snapshot")["preferred_term"][:] == TERMS
        assert load(folder, release="full")["preferred_term"][:] == ["Thing", "Lantern", "Bell"]
        assert load(folder, as_of="20200131")["preferred_term"][:] == ["Thing", "Lamp", "Blue"]


class TestSeveralReleases:
    def test_a_later_version_in_an_extension_counts_and_equal_ones_count_once(self, tmp_path: Path) -> None:
        folder = write_release(tmp_path, small())
        later = "20260301"
        extension = {
            "Concept": [
                concept(TOP), concept(LAMP, time=later, status=DEFINED), concept(BLUE, 0, later), concept(BELL),
            ],
            "Description": [
                description(21, LAMP, "Lantern", time=later), *named(60, BELL, "Bell")["Description"],
                description(80, LAMP, "Lámpara", SYNONYM, "es"), description(81, LAMP, "Lámpara (objeto)", FSN, "es"),
            ],
            "Language": [*named(60, BELL, "Bell")["Language"], member(80, refset=SPANISH), member(81, refset=SPANISH)],
            "Relationship": [relationship(9, BELL, TOP)],
        }  # fmt: skip
        write_release(folder, extension, edition="ES9999999")
        loaded = load(folder)
        assert sorted(loaded["preferred_term"][:]) == ["Bell", "Lantern", "Thing"]
        lamp = next(row for row in loaded if row["concept_id"] == LAMP)
        assert (lamp["effective_time"], lamp["definition_status"]) == (later, "fully_defined")
        account = account_of(loaded)
        assert (account.read, account.kept) == (7, 3)
        assert account.left_out == {"superseded": 2, "repeated": 1, "inactive_concept": 1}
        rows = rows_by_id(folder, language="es")
        assert (rows[LAMP]["preferred_term"], rows[LAMP]["semantic_tag"]) == ("Lámpara", "objeto")
        assert rows[BELL]["preferred_term"] == "Bell"

    def test_workers_and_streams_give_the_same(self, tmp_path: Path) -> None:
        folder = write_release(tmp_path, small(Description=[["short"]]))
        write_release(folder, {"Concept": [concept(BELL)], **named(60, BELL, "Bell")}, edition="US1000124")
        for view in ("source", "messages"):
            one = load(folder, view, on_bad_row="quarantine")
            two = load_dataset(NAME, view, data_dir=folder, split="train", num_proc=2, on_bad_row="quarantine")
            streamed = load(folder, view, streaming=True, on_bad_row="quarantine")
            assert list(one) == list(two) == list(streamed)
            assert account_of(one) == account_of(two)
            assert account_of(one).quarantined == {"wrong_column_count": 1}

    def test_an_extension_alone_says_that_its_parents_are_elsewhere(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        files = {
            "Concept": [concept(BELL)],
            **named(60, BELL, "Bell"),
            "Relationship": [relationship(9, BELL, TOP), relationship(8, LAMP, TOP)],
        }
        loaded = load(write_release(tmp_path, files, edition="ES9999999"))
        assert loaded["parents"][:] == [[{"id": TOP, "term": None}]]
        assert account_of(loaded).noted == {"parent_not_in_files": 1}
        assert warnings_of(caplog) == [
            "snomed_ct: 1 active relationships are of concepts that are in no file, and not used"
        ]

    def test_full_files_of_an_extension_without_a_snapshot_are_not_passed_over_in_silence(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder = write_release(tmp_path, small())
        write_release(folder, {"Concept": [concept(BELL)]}, "Full", edition="ES9999999")
        assert load(folder).num_rows == 3
        assert warnings_of(caplog) == [
            "snomed_ct: reads the snapshot files, and there are none for sct2_Concept_Full_ES9999999_20250101.txt"
        ]


class TestLayouts:
    def test_a_zip_is_read_in_place(self, tmp_path: Path) -> None:
        folder = write_release(tmp_path / "unpacked", small())
        write_release(folder, rows_changed_with_time(), "Full")
        archive = tmp_path / "zips" / "SnomedCT_TestRF2_PRODUCTION_20250101T120000Z.zip"
        archive.parent.mkdir()
        with zipfile.ZipFile(archive, "w") as into:
            into.writestr("SnomedCT_TestRF2/Readme_en.txt", "read me")
            into.writestr("SnomedCT_TestRF2/Snapshot/Refset/Map/der2_sRefset_SimpleMapSnapshot_INT_20250101.txt", "x")
            into.writestr("SnomedCT_TestRF2/Snapshot/Refset/Content/der2_cRefset_AssociationSnapshot_INT.txt", "x")
            for path in folder.rglob("*.txt"):
                into.write(path, path.relative_to(folder))
        expected = list(load(folder))
        assert list(load(archive.parent)) == list(load(archive)) == expected
        by_name = hf_builders.load_dataset("snomed_ct", data_files=str(archive), split="train")
        assert list(by_name) == expected

    def test_files_may_be_named_one_by_one_and_gzipped(self, tmp_path: Path) -> None:
        folder = write_release(tmp_path, small())
        for path in list(folder.rglob("*Description*.txt")):
            with gzip.open(f"{path}.gz", "wb") as into:
                into.write(path.read_bytes())
            path.unlink()
        files = [str(path) for path in folder.rglob("*.txt*")]
        loaded = hf_builders.load_dataset("snomed_ct", data_files=files, split="train")
        assert loaded["preferred_term"][:] == TERMS

    @pytest.mark.parametrize(
        ("concepts", "descriptions", "members"),
        [
            ("sct2_Concept_Snapshot_GB1000000_20250101", "sct2_Description_Snapshot-en-GB_GB1000000_20250101",
             "der2_cRefset_LanguageSnapshot-en-GB_GB1000000_20250101"),
            ("sct2_Concept_MONOSnapshot_GB_20250101", "sct2_Description_MONOSnapshot-en_GB_20250101",
             "der2_cRefset_LanguageMONOSnapshot-en_GB_20250101"),
            ("sct2_Concept_SpanishExtensionSnapshot_INT_20250101",
             "sct2_Description_SpanishExtensionSnapshot-es_INT_20250101",
             "der2_cRefset_LanguageSpanishExtensionSnapshot-es_INT_20250101"),
            ("xsct2_Concept_Snapshot_US1000124_20250101", "xsct2_Description_Snapshot-en_US1000124_20250101",
             "xder2_cRefset_LanguageSnapshot-en_US1000124_20250101"),
            ("sct2_Concept_Snapshot_DK1000005_20250101", "sct2_Description_Snapshot_DK1000005_20250101",
             "der2_cRefset_LanguageSnapshot_DK1000005_20250101"),
        ],
    )  # fmt: skip
    def test_files_of_every_edition_are_found(
        self, concepts: str, descriptions: str, members: str, tmp_path: Path
    ) -> None:
        files = small()
        for kind, name in (("Concept", concepts), ("Description", descriptions), ("Language", members)):
            (tmp_path / f"{name}.txt").write_bytes(text_of(kind, files[kind]).encode())
        assert load(tmp_path)["preferred_term"][:] == TERMS

    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    @pytest.mark.parametrize("ends", [True, False])
    def test_lines_may_end_either_way_with_and_without_a_byte_order_mark(
        self, newline: str, mark: bytes, ends: bool, tmp_path: Path
    ) -> None:
        expected = list(load(write_release(tmp_path / "a", small())))
        folder = write_release(tmp_path / "b", small(), newline=newline)
        for path in folder.rglob("*.txt"):
            raw = path.read_bytes()
            path.write_bytes(mark + (raw if ends else raw.removesuffix(newline.encode())))
        assert list(load(folder)) == expected

    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_comments_and_blank_lines_are_passed_over_and_told(
        self, newline: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        # As the test files of SNOMED International's terminology server have them.
        folder = write_release(tmp_path, small(), newline=newline)
        path = path_of(folder, "Concept")
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        lines = ["#", "# Comments", "", header, "", "# One", rows[0], "", rows[1], "not a row", rows[2], ""]
        path.write_bytes(newline.join(lines).encode())
        loaded = load(folder, on_bad_row="quarantine")
        assert loaded["preferred_term"][:] == TERMS
        assert account_of(loaded).quarantined == {"wrong_column_count": 1}
        told = "snomed_ct: sct2_Concept_Snapshot_INT_20250101.txt: passed over 3 lines that begin with #"
        assert set(warnings_of(caplog)) == {told}
        with pytest.raises(RowError, match=r"^sct2_Concept_Snapshot_INT_20250101\.txt:10: not a row: the row has 1 "):
            load(folder)

    def test_files_without_rows_are_no_fault(self, tmp_path: Path) -> None:
        empty: dict[str, list[list[str]]] = {
            kind: [] for kind in ("TextDefinition", "StatedRelationship", "RelationshipConcreteValues")
        }
        assert load(write_release(tmp_path, {**small(), **empty}))["preferred_term"][:] == TERMS

    def test_a_file_may_be_longer_than_a_block(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("hf_builders.snomed_ct.rf2_table._BLOCK", 100)
        expected = list(load(SAMPLE))
        monkeypatch.setattr("hf_builders.snomed_ct.rf2_table._BLOCK", 16 << 20)
        shutil.copytree(SAMPLE, tmp_path / "copy")
        assert list(load(tmp_path / "copy", on_bad_row="quarantine")) == expected

    def test_stated_relationships_are_taken_where_there_are_no_others(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        files = small(StatedRelationship=[relationship(5, BLUE, TOP, characteristic=STATED)])
        folder = write_release(tmp_path, files)
        assert [each["term"] for each in load(folder)["parents"][2]] == ["Lamp"]
        path_of(folder, "Relationship").unlink()
        assert [each["term"] for each in load(folder)["parents"][2]] == ["Thing"]
        path_of(folder, "StatedRelationship").unlink()
        assert load(folder)["parents"][:] == [[], [], []]
        assert warnings_of(caplog) == [
            "snomed_ct: there is no file of inferred relationships, so the stated ones are taken",
            "snomed_ct: there is no file of relationships, so concepts have no parents and no attributes",
        ]
