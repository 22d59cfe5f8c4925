"""Where a load's files come from: the first place that applies. The user's own files have no official place."""

from __future__ import annotations

import gzip
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from hf_builders import OptionError, SourceError
from hf_builders.locations import Download, OfficialFile
from hf_builders.origin import Origin
from hf_builders.own_files import find_own_files


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")


def origin(folder: Path, **declared: Any) -> Origin:
    """The origin of a dataset of the user's own files, unless something official is declared."""
    own: dict[str, Any] = {
        "official_files": (),
        "official_download": None,
        "num_official_rows": None,
        "num_sample_rows": 280,
        "file_endings": (".json", ".jsonl"),
    }
    return Origin(folder=folder, **{**own, **declared})


OFFICIAL: dict[str, Any] = {
    "official_files": (OfficialFile("train.json", "train"),),
    "official_download": Download("https://example.org", {"train.json": None}),
    "num_official_rows": 115_669,
}
BY_HAND: dict[str, Any] = {
    "official_files": (OfficialFile("train.json", "train"),),
    "num_official_rows": 29_812,
    "how_to_get": "ask the organisers",
}
NOTHING: dict[str, Any] = {"data_files": None, "data_dir": None, "download": False, "sample": False}


@pytest.mark.parametrize("declared", [OFFICIAL, {}], ids=["official", "own"])
def test_the_first_place_that_applies_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: dict[str, Any]
) -> None:
    places = {place: tmp_path / place for place in ("files", "dir", "environment/adgen", "adgen/sample")}
    for folder in places.values():
        write(folder, "train.json")
    monkeypatch.setenv("HF_BUILDERS_DATA", str(tmp_path / "environment"))
    given = {
        "data_files": str(places["files"] / "train.json"),
        "data_dir": str(places["dir"]),
        "download": bool(declared),
        "sample": False,
    }

    def place() -> str:
        found = origin(tmp_path / "adgen", **declared).locate(**given)  # type: ignore[arg-type]
        return "download" if found is None else Path(found[0].path).relative_to(tmp_path).as_posix()

    assert place() == "files/train.json"
    given["data_files"] = None
    assert place() == "dir/train.json"
    given["data_dir"] = None
    assert place() == "environment/adgen/train.json"
    shutil.rmtree(tmp_path / "environment" / "adgen")
    if declared:
        assert place() == "download"
    given["download"] = False
    with pytest.warns(UserWarning, match="adgen: HF_BUILDERS_DATA=.*/environment holds no adgen/, so these are 280"):
        assert place() == "adgen/sample/train.json"
    given["sample"] = True
    assert place() == "adgen/sample/train.json"


@pytest.mark.parametrize(
    ("declared", "way_out"),
    [
        (
            OFFICIAL,
            "the real set has 115,669. Get it with download=True, name its folder with data_dir= or HF_BUILDERS_DATA "
            "(a folder that holds adgen/)",
        ),
        (
            BY_HAND,
            "the real set has 29,812. Ask the organisers, name its folder with data_dir= or HF_BUILDERS_DATA (a folder "
            "that holds adgen/)",
        ),
        (
            {**BY_HAND, "num_official_rows": None},
            "no real ones. Ask the organisers, name its folder with data_dir= or HF_BUILDERS_DATA (a folder that holds "
            "adgen/)",
        ),
        ({}, "name your own files with data_files= or data_dir="),
    ],
    ids=["official", "by hand", "by hand, uncounted", "own"],
)
def test_the_sample_is_never_taken_silently(tmp_path: Path, declared: dict[str, Any], way_out: str) -> None:
    write(tmp_path / "adgen" / "sample", "train.json")
    with pytest.warns(UserWarning, match="invented rows") as caught:
        origin(tmp_path / "adgen", **declared).locate(**NOTHING)
    assert [str(warning.message) for warning in caught] == [
        f"adgen: no data was named, so these are 280 invented rows bundled as a sample; {way_out}, "
        "or keep the sample with sample=True"
    ]


@pytest.mark.parametrize("named", [{"data_dir": "x"}, {"data_files": "x"}, {"download": True}])
def test_the_sample_and_other_data_together_are_refused(tmp_path: Path, named: dict[str, Any]) -> None:
    with pytest.raises(OptionError) as error:
        origin(tmp_path / "adgen", **OFFICIAL).locate(**{**NOTHING, **named, "sample": True})
    assert str(error.value) == "adgen: sample=True, but data_files, data_dir or download too; choose one"


@pytest.mark.parametrize("download", [True, "https://example.org"])
def test_files_of_the_users_own_cannot_be_downloaded(tmp_path: Path, download: bool | str) -> None:
    with pytest.raises(OptionError) as error:
        origin(tmp_path / "mine").locate(**{**NOTHING, "download": download, "data_dir": str(tmp_path)})
    assert str(error.value) == (
        f"mine: download={download!r}, but these are files of your own, which no address offers; "
        "name them with data_files= or data_dir="
    )


@pytest.mark.parametrize(
    ("how_to_get", "way_out"),
    [("ask the organisers", "ask the organisers, and name them"), ("", "name them")],
)
def test_official_files_that_no_address_offers_cannot_be_downloaded(
    tmp_path: Path, how_to_get: str, way_out: str
) -> None:
    by_hand = origin(tmp_path / "les_mrc", **{**BY_HAND, "how_to_get": how_to_get})
    with pytest.raises(OptionError) as error:
        by_hand.locate(**{**NOTHING, "download": True})
    assert str(error.value) == (
        f"les_mrc: download=True, but these are files which no address offers; {way_out} with data_files= or data_dir="
    )


def test_every_file_with_a_known_ending_is_read_for_the_split_its_name_says(tmp_path: Path) -> None:
    expected = {
        "a.json": "train",
        "B.JSONL": "train",
        "dev.json": "validation",
        "eval_2.jsonl": "validation",
        "latest.json": "train",
        "my-valid.json": "validation",
        "test/part1.json": "test",
        "test/train.json": "train",
        "validation/x/1.json": "validation",
    }
    write(tmp_path, *expected, "README.md", "x.csv", ".hidden/a.json", "__MACOSX/a.json")
    (tmp_path / "test.jsonl.gz").write_bytes(gzip.compress(b"1"))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for member in ("dev/1.json", "2.json", "notes.txt"):
            archive.writestr(member, "1")
    found = find_own_files(tmp_path, (".json", ".jsonl"), "mine")
    places = {(Path(f.path).relative_to(tmp_path).as_posix(), f.member): f.split for f in found}
    assert places == {(name, None): split for name, split in expected.items()} | {
        ("test.jsonl.gz", None): "test",
        ("all.zip", "dev/1.json"): "validation",
        ("all.zip", "2.json"): "train",
    }


def test_a_folder_above_data_dir_decides_nothing_and_data_dir_may_be_a_file(tmp_path: Path) -> None:
    write(tmp_path, "test/a.json", "test/dev.json")
    assert [file.split for file in find_own_files(tmp_path / "test", (".json",), "mine")] == ["train", "validation"]
    assert [file.split for file in find_own_files(tmp_path / "test/dev.json", (".json",), "mine")] == ["validation"]


def test_which_file_went_to_which_split_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "a.json", "b.json", "test.json")
    origin(tmp_path / "mine").locate(**{**NOTHING, "data_dir": str(tmp_path)})
    assert caplog.messages == [
        "mine: by their names, the files go to train: a.json, b.json; test: test.json; "
        "data_files={split: files} says otherwise"
    ]


def test_a_folder_without_such_files_says_what_is_there(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "b.txt")
    with pytest.raises(SourceError) as error:
        find_own_files(tmp_path, (".json", ".jsonl"), "mine")
    assert str(error.value) == (
        f"{tmp_path}: holds no file ending in .json, .jsonl (or such a file as .gz, or in a .zip), at any depth; "
        "found a.csv, b.txt; name files with other endings with data_files"
    )
    with pytest.raises(SourceError) as error:
        find_own_files(tmp_path / "no", (".json",), "mine")
    assert str(error.value) == f"{tmp_path}/no: no such folder; data_dir is where your files for mine lie"
