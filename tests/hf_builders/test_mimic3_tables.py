"""The files of MIMIC-III: in every form they come in, or told what is wrong; and kept to their user."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import pytest

import hf_builders
from hf_builders import Account, OptionError, RowError, SourceError
from hf_builders.dataset_facts import dataset_facts
from hf_builders.encodings import detect_encoding
from hf_builders.quarantine import read_sources
from tests.hf_builders.mimic3_files import (
    FIRST,
    OTHERS,
    TABLES,
    VIEWS,
    account_of,
    demo,
    full,
    load,
    rows_of,
    with_rows,
    write,
)
from tests.hf_builders.peak_memory import PEAK_MIB, needs_peak_memory


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "mimic", demo(TABLES))


class TestFiles:
    @pytest.mark.parametrize("view", VIEWS)
    def test_both_headers_zipped_or_not_in_either_case_of_the_name_give_the_same(
        self, view: str, tmp_path: Path
    ) -> None:
        expected = rows_of(write(tmp_path / "demo", demo(TABLES)), view)
        lower = {name.lower(): text for name, text in demo(TABLES).items()}
        assert rows_of(write(tmp_path / "full", full(TABLES)), view) == expected
        assert rows_of(write(tmp_path / "zipped" / "1.4", full(TABLES), zipped=True), view) == expected
        assert rows_of(write(tmp_path / "lower", lower), view) == expected
        assert len(expected) > 1

    @pytest.mark.parametrize("view", VIEWS)
    def test_streaming_and_two_processes_give_the_same(self, view: str, folder: Path) -> None:
        loaded = load(folder, view)
        again = load(folder, view, num_proc=2, download_mode="force_redownload")
        assert again["train"].to_list() == loaded["train"].to_list()
        assert hf_builders.account(again) == hf_builders.account(loaded)
        assert list(load(folder, view, streaming=True)["train"]) == loaded["train"].to_list()

    def test_columns_more_than_needed_and_in_another_order_do_no_harm(self, tmp_path: Path) -> None:
        files = demo(TABLES)
        lines = [line.split(",", 1) for line in files["PROCEDURES_ICD.csv"].splitlines()]
        files["PROCEDURES_ICD.csv"] = "".join(f"extra,{rest},{first}\n" for first, rest in lines)
        assert rows_of(write(tmp_path, files))[0] == FIRST

    def test_files_named_one_by_one_are_known_by_their_names(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "1.4", demo(TABLES))
        (folder / "ADMISSIONS.csv").rename(folder / "my_admissions.csv")
        files = [str(folder / name) for name in ("my_admissions.csv", "DIAGNOSES_ICD.csv")]
        loaded = hf_builders.load_dataset("mimic3", data_files=files)["train"].to_list()
        assert [len(row["diagnoses"]) for row in loaded] == [3, 1]
        assert [row["prescriptions"] for row in loaded] == [[], []]

    def test_tables_named_for_two_splits_are_joined_once(self, folder: Path) -> None:
        names = [str(path) for path in sorted(folder.glob("*.csv")) if "NOTE" not in path.name]
        loaded = hf_builders.load_dataset("mimic3", data_files={"train": names, "test": names})
        assert loaded["train"][0] == loaded["test"][0] == FIRST

    def test_a_table_that_is_there_twice_is_refused(self, tmp_path: Path) -> None:
        lower = {name.lower(): text for name, text in demo(TABLES).items()}
        folder = write(write(tmp_path, lower), lower, zipped=True)
        with pytest.raises(SourceError) as error:
            load(folder)
        assert str(error.value) == (
            "mimic3: admissions.csv and admissions.csv.gz are the same table; leave one of them out"
        )

    @pytest.mark.parametrize(
        ("view", "table", "name"),
        [
            ("source", "ADMISSIONS", "x/admissions.csv"),
            ("source", "ADMISSIONS", "ADMISSIONS_part2.csv"),
            ("source", "DIAGNOSES_ICD", "x/diagnoses_icd.csv"),
            ("source", "DIAGNOSES_ICD", "DIAGNOSES_ICD_copy.csv"),
            ("notes", "NOTEEVENTS", "x/NoteEvents.csv"),
        ],
    )
    def test_a_table_that_is_named_twice_is_refused_whatever_its_names(
        self, view: str, table: str, name: str, folder: Path
    ) -> None:
        (folder / "x").mkdir()
        (folder / name).write_bytes((folder / f"{table}.csv").read_bytes())
        wanted = dict.fromkeys(("ADMISSIONS.csv", "NOTEEVENTS.csv", f"{table}.csv", name))
        with pytest.raises(SourceError) as error:
            hf_builders.load_dataset("mimic3", view, data_files=[str(folder / each) for each in wanted])
        twin = Path(name).name
        assert str(error.value) == f"mimic3: {table}.csv and {twin} are the same table; leave one of them out"

    def test_a_copy_that_another_split_names_is_joined_once(self, folder: Path) -> None:
        (folder / "x").mkdir()
        (folder / "x" / "codes_DIAGNOSES_ICD.csv").write_bytes((folder / "DIAGNOSES_ICD.csv").read_bytes())
        train = [str(folder / name) for name in ("ADMISSIONS.csv", "DIAGNOSES_ICD.csv")]
        test = [str(folder / name) for name in ("ADMISSIONS.csv", "x/codes_DIAGNOSES_ICD.csv")]
        loaded = hf_builders.load_dataset("mimic3", data_files={"train": train, "test": test})
        assert {split: [len(row["diagnoses"]) for row in rows] for split, rows in loaded.items()} == {
            "train": [3, 1],
            "test": [3, 1],
        }

    @pytest.mark.parametrize("ending", ["", ".gz"])
    def test_of_a_whole_download_named_by_a_pattern_the_other_tables_are_passed_over(
        self, ending: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder = write(tmp_path / "1.4 ADMISSIONS", demo(TABLES) | OTHERS, zipped=bool(ending))
        with caplog.at_level(logging.WARNING):
            loaded = hf_builders.load_dataset("mimic3", data_files=str(folder / f"*.csv{ending}"))["train"]
        assert loaded.to_list() == rows_of(write(tmp_path / "tables", demo(TABLES)))
        told = [record.message for record in caplog.records if "passed over" in record.message]
        assert told == [
            "mimic3: passed over CALLOUT.csv, CAREGIVERS.csv, CHARTEVENTS.csv, CPTEVENTS.csv, DATETIMEEVENTS.csv and "
            "13 more; the tables that are read are ADMISSIONS, NOTEEVENTS, PATIENTS, DIAGNOSES_ICD, PROCEDURES_ICD, "
            "PRESCRIPTIONS, D_ICD_DIAGNOSES, D_ICD_PROCEDURES"
        ]
        sources = read_sources(Path(loaded.cache_files[0]["filename"]).parent)
        assert sorted(source["name"] for source in sources) == sorted(demo(TABLES))

    def test_tables_that_are_not_read_make_no_load(self, tmp_path: Path) -> None:
        folder = write(tmp_path, {"D_ITEMS.csv": "row_id\n1\n"})
        with pytest.raises(SourceError) as error:
            hf_builders.load_dataset("mimic3", data_files=str(folder / "*.csv"))
        assert str(error.value) == (
            "mimic3: the view 'source' needs ADMISSIONS.csv, and there is only D_ITEMS.csv; get access to MIMIC-III at "
            "https://physionet.org/content/mimiciii/1.4/ (a course and a data use agreement) and download its tables, "
            "or take the open demo, https://physionet.org/content/mimiciii-demo/1.4/"
        )

    def test_the_encoding_of_a_table_is_found_out_once(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        detected = []

        def detect(file: IO[bytes]) -> str:
            detected.append(file.name)
            return detect_encoding(file)

        monkeypatch.setattr("hf_builders.encodings.detect_encoding", detect)
        assert len(list(load(folder, "notes", streaming=True)["train"])) == 3
        assert detected == [str(folder / "NOTEEVENTS.csv")]

    def test_the_tables_looked_up_are_part_of_the_account_and_of_the_cache_key(self, folder: Path) -> None:
        cache = Path(load(folder)["train"].cache_files[0]["filename"]).parent
        names = [source["name"] for source in read_sources(cache)]
        assert names[0] == "ADMISSIONS.csv"
        assert sorted(names) == sorted(path.name for path in folder.iterdir())
        text = demo(TABLES)["D_ICD_PROCEDURES.csv"].replace("one stent", "two stents")
        write(folder, {"D_ICD_PROCEDURES.csv": text})
        assert rows_of(folder)[0]["procedures"][0]["long_title"] == "Placing of two stents in a vessel"

    @pytest.mark.parametrize(
        ("options", "absent", "asked"),
        [
            ({"name": "source"}, "ADMISSIONS", "the view 'source' needs ADMISSIONS.csv"),
            ({"name": "notes"}, "NOTEEVENTS", "the view 'notes' needs NOTEEVENTS.csv"),
            ({"name": "text", "text_from": "notes"}, "NOTEEVENTS",
             "the view 'text' with text_from='notes' needs NOTEEVENTS.csv"),
            ({"name": "messages", "tasks": ["admission_to_diagnoses", "note_to_codes"]}, "NOTEEVENTS",
             "the view 'messages' with tasks=['admission_to_diagnoses', 'note_to_codes'] needs NOTEEVENTS.csv"),
        ],
    )  # fmt: skip
    def test_what_was_asked_for_by_name_has_to_be_there(
        self, options: dict[str, Any], absent: str, asked: str, tmp_path: Path
    ) -> None:
        kept = {name: lines for name, lines in TABLES.items() if name in ("ADMISSIONS", "NOTEEVENTS", "PATIENTS")}
        folder = write(tmp_path, demo({name: lines for name, lines in kept.items() if name != absent}))
        with pytest.raises(SourceError) as error:
            load(folder, options.pop("name"), **options)
        is_in_demo = absent == "ADMISSIONS"
        there = "NOTEEVENTS.csv, PATIENTS.csv" if is_in_demo else "ADMISSIONS.csv, PATIENTS.csv"
        assert str(error.value) == (
            f"mimic3: {asked}, and there is only {there}; get access to MIMIC-III at "
            "https://physionet.org/content/mimiciii/1.4/ (a course and a data use agreement) and download its tables"
            + (", or take the open demo, https://physionet.org/content/mimiciii-demo/1.4/" if is_in_demo else "")
        )

    def test_without_notes_what_nobody_asked_for_by_name_is_not_missed(self, tmp_path: Path) -> None:
        folder = write(tmp_path, demo({name: lines for name, lines in TABLES.items() if name != "NOTEEVENTS"}))
        assert [row["id"] for row in rows_of(folder, "messages")] == ["admission-8001/admission_to_diagnoses"]
        assert [row["id"] for row in rows_of(folder, "text")] == ["admission-8001", "admission-8002"]

    def test_the_empty_notes_of_the_demo_do_no_harm(self, tmp_path: Path) -> None:
        folder = write(tmp_path, demo(with_rows(NOTEEVENTS=[])))
        for options in ({}, {"num_proc": 2}):
            assert len(rows_of(folder, "text", **options)) == 2
        assert [row["id"] for row in rows_of(folder, "messages")] == ["admission-8001/admission_to_diagnoses"]

    @pytest.mark.parametrize(
        ("view", "options", "asked"),
        [
            ("notes", {}, "the view 'notes'"),
            ("notes", {"streaming": True}, "the view 'notes'"),
            ("notes", {"validation": 0.2}, "the view 'notes'"),
            ("text", {"text_from": "notes"}, "the view 'text' with text_from='notes'"),
            ("messages", {"tasks": ["note_to_codes"]}, "the view 'messages' with tasks=['note_to_codes']"),
        ],
    )
    @pytest.mark.parametrize("zipped", [False, True])
    def test_who_asks_the_demo_for_notes_is_told_that_it_has_none(
        self, view: str, options: dict[str, Any], asked: str, zipped: bool, tmp_path: Path
    ) -> None:
        folder = write(tmp_path, demo(with_rows(NOTEEVENTS=[])), zipped)
        with pytest.raises(SourceError) as error:
            load(folder, view, **options)
        assert str(error.value) == (
            f"mimic3: {asked} needs notes, and NOTEEVENTS.csv is a header alone: the open demo has no notes; get "
            "access to MIMIC-III at https://physionet.org/content/mimiciii/1.4/ (a course and a data use agreement) "
            "and download its tables"
        )

    def test_notes_that_are_no_file_at_all_are_not_taken_for_the_demo(self, tmp_path: Path) -> None:
        folder = write(tmp_path, demo(TABLES) | {"NOTEEVENTS.csv": ""})
        with pytest.raises(SourceError) as error:
            load(folder, "notes")
        assert str(error.value) == "NOTEEVENTS.csv: the file is empty; get it again, or leave it out"


class TestBadInput:
    @pytest.mark.parametrize(
        ("name", "line", "place", "reason", "fact"),
        [
            ("ADMISSIONS", TABLES["ADMISSIONS"][0].replace("8001,2150-03-01 14:05:00", "8003,2/3/99 4:05"),
             "ADMISSIONS.csv#3", "bad_time", "admittime is '2/3/99 4:05'; expected a time as in '2199-02-03 04:05:06', "
             "or nothing (a spreadsheet that saves the table writes times its own way: take the table as published)"),
            ("ADMISSIONS", TABLES["ADMISSIONS"][0].replace("8001,2150-03-01 14:05:00", "8003,2150-02-30 14:05:00"),
             "ADMISSIONS.csv#3", "bad_time", None),
            ("ADMISSIONS", TABLES["ADMISSIONS"][0].replace("8001", ""), "ADMISSIONS.csv#3", "bad_id",
             "hadm_id is ''; expected a whole number"),
            ("ADMISSIONS", TABLES["ADMISSIONS"][0].replace("8001", "8003")[:-3] + "Y,1", "ADMISSIONS.csv#3", "bad_flag",
             "hospital_expire_flag is 'Y'; expected 0, 1 or nothing"),
            ("ADMISSIONS", "9,900,8003", "ADMISSIONS.csv:4", "wrong_column_count", None),
            ("PRESCRIPTIONS", TABLES["PRESCRIPTIONS"][0].replace("2150-03-01 00:00:00", "3/1/50 0:00"),
             "PRESCRIPTIONS.csv#3", "bad_time", None),
            ("DIAGNOSES_ICD", "9,900,8001,1.0,0418", "DIAGNOSES_ICD.csv#5", "bad_number",
             "seq_num is '1.0'; expected a whole number or nothing"),
            ("PATIENTS", "9,9x,F,,,,,0", "PATIENTS.csv#3", "bad_id", "subject_id is '9x'; expected a whole number"),
        ],
        ids=range(8),
    )  # fmt: skip
    def test_a_row_that_is_not_in_the_format_is_set_aside_with_its_reason(
        self, name: str, line: str, place: str, reason: str, fact: str | None, tmp_path: Path
    ) -> None:
        folder = write(tmp_path, demo(with_rows(**{name: [*TABLES[name], line]})))
        with pytest.raises(RowError) as error:
            load(folder)
        assert (error.value.place, error.value.reason) == (place, reason)
        assert fact is None or error.value.fact == fact
        loaded = load(folder, on_bad_row="quarantine")
        assert loaded["train"].to_list()[0] == FIRST
        noted = Counter(diagnosis_without_title=1)
        assert hf_builders.account(loaded)["train"] == Account(3, 2, Counter(), Counter({reason: 1}), noted)
        (aside,) = Path(loaded["train"].cache_files[0]["filename"]).parent.glob("quarantine-*.jsonl")
        assert json.loads(aside.read_text(encoding="utf-8"))["place"] == place

    def test_an_id_that_a_program_made_a_decimal_is_told(self, tmp_path: Path) -> None:
        line = TABLES["NOTEEVENTS"][0].replace("8001", "8001.0")
        folder = write(tmp_path, demo(with_rows(NOTEEVENTS=[line, *TABLES["NOTEEVENTS"][1:]])))
        with pytest.raises(
            RowError, match=r"NOTEEVENTS\.csv#1: hadm_id is '8001\.0'; expected a whole number or nothing"
        ):
            load(folder, "notes")
        assert account_of(folder, "notes", on_bad_row="quarantine").quarantined == {"bad_id": 1}

    @pytest.mark.parametrize("files_first", [("ADMISSIONS", "NOTEEVENTS"), ("NOTEEVENTS", "ADMISSIONS")])
    def test_a_bad_row_of_a_table_that_two_kinds_of_record_look_up_is_counted_once(
        self, files_first: tuple[str, ...], tmp_path: Path
    ) -> None:
        bad = {"DIAGNOSES_ICD": "9,900,8001,x,0418", "PATIENTS": "9,9x,F,,,,,0"}
        folder = write(tmp_path, demo(with_rows(**{name: [*TABLES[name], line] for name, line in bad.items()})))
        others = [path.stem for path in folder.iterdir() if path.stem not in files_first]
        names = [str(folder / f"{name}.csv") for name in (*files_first, *others)]
        loaded = hf_builders.load_dataset("mimic3", "messages", data_files=names, on_bad_row="quarantine")
        account = hf_builders.account(loaded)["train"]
        assert account.quarantined == {"bad_number": 1, "bad_id": 1}
        assert (account.read, account.kept) == (8, 2)

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ("row_id,subject_id,hadm_id,icd_code",
             "PROCEDURES_ICD.csv:1: the header lacks the columns seq_num, icd9_code; PROCEDURES_ICD of MIMIC-III has "
             "hadm_id, seq_num, icd9_code, and this file 'row_id,subject_id,hadm_id,icd_code'; is it a table of "
             "another database?"),
            ("hadm_id,HADM_ID,seq_num,icd9_code",
             "PROCEDURES_ICD.csv:1: the header has hadm_id twice; PROCEDURES_ICD of MIMIC-III has hadm_id, seq_num, "
             "icd9_code, and this file 'hadm_id,HADM_ID,seq_num,icd9_code'; is it a table of another database?"),
        ],
    )  # fmt: skip
    def test_a_table_of_another_database_is_told(self, header: str, message: str, tmp_path: Path) -> None:
        folder = write(tmp_path, {**demo(TABLES), "PROCEDURES_ICD.csv": f"{header}\n1,2,3,4\n"})
        with pytest.raises(SourceError) as error:
            load(folder)
        assert str(error.value) == message

    def test_a_file_of_no_table_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "mine.csv").write_text("a\n1\n", encoding="utf-8")
        with pytest.raises(SourceError) as error:
            hf_builders.load_dataset("mimic3", data_files=str(tmp_path / "mine.csv"))
        assert str(error.value) == (
            "mine.csv: is named like none of the tables that are read (ADMISSIONS, NOTEEVENTS, PATIENTS, "
            "DIAGNOSES_ICD, PROCEDURES_ICD, PRESCRIPTIONS, D_ICD_DIAGNOSES, D_ICD_PROCEDURES); leave the file "
            "out, or give it the name of its table"
        )

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"text_from": "note"}, "text_from='note': takes 'admissions' or 'notes' or 'both'"),
            ({"deidentified": True}, "deidentified=True: takes 'keep' or 'placeholder'"),
            ({"note_categories": []}, "note_categories=[]: takes a list of categories, as ['Discharge summary']"),
            ({"note_categories": "ECG"}, "note_categories='ECG': takes a list of categories, as ['Discharge summary']"),
            ({"note_categories": [1]}, "note_categories=[1]: takes a list of categories, as ['Discharge summary']"),
            ({"tasks": ["note_to_code"]}, "tasks: no task 'note_to_code'; did you mean 'note_to_codes'?; the tasks are "
             "admission_to_diagnoses, note_to_codes"),
        ],
    )  # fmt: skip
    def test_options_with_other_values_are_refused(
        self, options: Mapping[str, Any], message: str, folder: Path
    ) -> None:
        with pytest.raises(OptionError) as error:
            load(folder, "text", **options)
        assert str(error.value) == message


class TestCredentialed:
    def test_no_program_fetches_it_and_nobody_publishes_it(self) -> None:
        with pytest.raises(OptionError, match="download=True, but these are files which no address offers"):
            hf_builders.load_dataset("mimic3", download=True)
        facts = dataset_facts("mimic3")
        assert facts.barred.startswith("the PhysioNet Credentialed Health Data License forbids sharing MIMIC-III")
        assert "physionet-credentialed-health-data-license-1.5.0" in facts.licence

    def test_the_folder_that_is_written_to_is_named_and_no_other(
        self, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            for kind in ({"data_dir": str(folder)}, {"sample": True}):
                hf_builders.load_dataset("mimic3", "notes", cache_dir=str(tmp_path / "mine"), **kind)
            load(folder, "notes", streaming=True)
        (told,) = [record.message for record in caplog.records if "is written to" in record.message]
        assert told.startswith(f"mimic3: what is read is written to {tmp_path / 'mine'}")
        assert told.endswith("keep that folder to yourself, or name another with cache_dir=")


@needs_peak_memory
def test_memory_stays_far_below_the_size_of_the_notes(tmp_path: Path, run_python: Callable[..., str]) -> None:
    folder = write(tmp_path / "mimic", demo({name: lines for name, lines in TABLES.items() if name != "NOTEEVENTS"}))
    text = "\n".join(f'line {n} of a note about [**Known lastname 7**], of whom it ""says"" little' for n in range(90))
    with (folder / "NOTEEVENTS.csv").open("w", encoding="utf-8") as file:
        file.write(demo({"NOTEEVENTS": []})["NOTEEVENTS.csv"])
        num_notes = (200 << 20) // len(text)
        for n in range(num_notes):
            file.write(f'{n},900,8001,2150-01-01,,,Nursing,Report,,,"{n}\n{text}"\n')
    peak = run_python(
        "import hf_builders, datasets\n"
        "hf_builders.load_dataset('mimic3', 'notes', sample=True)\n"
        f"before = {PEAK_MIB}\n"
        f"loaded = hf_builders.load_dataset('mimic3', 'notes', data_dir={str(folder)!r})\n"
        f"assert len(loaded['train']) == {num_notes}\n"
        f"print({PEAK_MIB} - before)"
    )
    assert int(peak) < 350, "MiB more than with the sample, Arrow file in the page cache included"
