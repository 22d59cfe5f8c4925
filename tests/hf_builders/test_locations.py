"""Raw files are found by name at any depth, packed or not, or the error says what is there instead."""

from __future__ import annotations

import gzip
import os
import zipfile
from pathlib import Path

import pytest

from hf_builders import SourceError
from hf_builders.locations import OfficialFile, find_data_files, find_in_folder, git_blob_id
from hf_builders.sources import SourceFile, number

OFFICIAL = (OfficialFile("train.json", "train"), OfficialFile("dev.json", "validation"))
IN_FOLDERS = (
    OfficialFile("train.json", "train", folder="squad"),
    OfficialFile("dev.json", "validation", folder="squad"),
)
DIVISIONS = (
    OfficialFile("内科5000-33000.csv", "train", part="内科", also="内科*.csv"),
    OfficialFile("外科5-14000.csv", "train", part="外科", also="外科*.csv"),
)


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")


def names(files: list[SourceFile], folder: Path) -> list[tuple[str, str]]:
    """Path below `folder` and split of each file, as text; each can be opened and is what it says."""
    for file in files:
        with file.open() as opened:
            assert opened.read().decode().endswith(file.name)
    return [(Path(file.path).relative_to(folder).as_posix(), file.split) for file in files]


@pytest.mark.parametrize("below", ["", "AdvertiseGen/", "a b/数据#1/x/"])
def test_official_names_are_found_at_any_depth(tmp_path: Path, below: str) -> None:
    write(tmp_path, f"{below}train.json", f"{below}dev.json", "README.md", ".cache/train.json", "__MACOSX/dev.json")
    found = find_in_folder(tmp_path, OFFICIAL, "adgen")
    assert names(found, tmp_path) == [(f"{below}train.json", "train"), (f"{below}dev.json", "validation")]


def test_a_part_that_is_not_there_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, "dev.json")
    assert names(find_in_folder(tmp_path, OFFICIAL, "adgen"), tmp_path) == [("dev.json", "validation")]


def test_the_file_nearest_to_the_folder_is_taken_and_an_unpacked_one_before_a_packed_one(tmp_path: Path) -> None:
    write(tmp_path, "train.json", "old/train.json", "dev.json")
    (tmp_path / "train.json.gz").write_bytes(gzip.compress(b"another"))
    found = find_in_folder(tmp_path, OFFICIAL, "adgen")
    assert names(found, tmp_path) == [("train.json", "train"), ("dev.json", "validation")]


def test_of_files_of_one_name_the_one_in_the_publishers_folder_is_taken(tmp_path: Path) -> None:
    write(tmp_path, "train.json", "a/dev.json", "a/b/squad/train.json", "a/squad/train.json", "squad/x/dev.json")
    found = find_in_folder(tmp_path, IN_FOLDERS, "cmrc2018")
    # The nearest in such a folder; where none is in it, the nearest.
    assert names(found, tmp_path) == [("a/squad/train.json", "train"), ("a/dev.json", "validation")]
    found = find_in_folder(tmp_path / "a" / "squad" / "train.json", IN_FOLDERS, "cmrc2018")
    assert names(found, tmp_path) == [("a/squad/train.json", "train")]


def test_the_publishers_folder_may_be_in_an_archive(tmp_path: Path) -> None:
    write(tmp_path, "train.json")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for member in ("train.json", "data/dev.json", "x/squad/dev.json", "x/squad/train.json"):
            archive.writestr(member, member)
    found = find_in_folder(tmp_path, IN_FOLDERS, "cmrc2018")
    assert [(Path(file.path).name, file.member, file.split) for file in found] == [
        ("all.zip", "x/squad/train.json", "train"),
        ("all.zip", "x/squad/dev.json", "validation"),
    ]


def test_two_publishers_folders_side_by_side_have_to_be_told_apart(tmp_path: Path) -> None:
    write(tmp_path, "a/squad/dev.json", "b/squad/dev.json", "dev.json")
    with pytest.raises(SourceError) as error:
        find_in_folder(tmp_path, IN_FOLDERS, "cmrc2018")
    assert str(error.value) == (
        f"{tmp_path}: holds dev.json twice ({tmp_path}/a/squad/dev.json, {tmp_path}/b/squad/dev.json); "
        "point data_dir at one of them"
    )


def test_two_files_of_one_name_side_by_side_have_to_be_told_apart(tmp_path: Path) -> None:
    write(tmp_path, "a/train.json", "b/train.json")
    with pytest.raises(SourceError) as error:
        find_in_folder(tmp_path, OFFICIAL, "adgen")
    assert str(error.value) == (
        f"{tmp_path}: holds train.json twice ({tmp_path}/a/train.json, {tmp_path}/b/train.json); "
        "point data_dir at one of them"
    )


def test_gz_and_zip_are_read_in_place(tmp_path: Path) -> None:
    (tmp_path / "train.json.gz").write_bytes(gzip.compress(b"train.json"))
    with zipfile.ZipFile(tmp_path / "数据.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("AdvertiseGen/dev.json", "dev.json")
        archive.writestr("__MACOSX/AdvertiseGen/._dev.json", "no data")
        archive.writestr("AdvertiseGen/train.json", "further away")
    found = find_in_folder(tmp_path, OFFICIAL, "adgen")
    assert names(found, tmp_path) == [("train.json.gz", "train"), ("数据.zip", "validation")]
    assert find_in_folder(tmp_path / "数据.zip", OFFICIAL, "adgen")[1].member == "AdvertiseGen/dev.json"


def test_a_data_dir_may_be_a_file(tmp_path: Path) -> None:
    write(tmp_path, "train.json", "dev.json")
    assert names(find_in_folder(tmp_path / "train.json", OFFICIAL, "adgen"), tmp_path) == [("train.json", "train")]


def test_a_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as error:
        find_in_folder(tmp_path / "no", OFFICIAL, "adgen")
    assert str(error.value) == f"{tmp_path}/no: no such folder; data_dir is where the files of adgen lie"


@pytest.mark.parametrize(("there", "shown"), [((), "nothing"), (("b.csv", "x/a.csv"), "a.csv, b.csv")])
def test_a_wrong_folder_says_what_is_wanted_and_what_is_there(
    tmp_path: Path, there: tuple[str, ...], shown: str
) -> None:
    write(tmp_path, *there)
    with pytest.raises(SourceError) as error:
        find_in_folder(tmp_path, OFFICIAL, "adgen")
    assert str(error.value) == (
        f"{tmp_path}: holds none of the files of adgen (train.json, dev.json), at any depth; found {shown}; "
        "point data_dir at the folder of the official download, or name your files with data_files"
    )


def test_archives_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    path = tmp_path / "train.zip"
    path.write_bytes(b"<html>link expired</html>")
    with pytest.raises(SourceError) as error:
        find_in_folder(tmp_path, OFFICIAL, "adgen")
    assert str(error.value) == f"{path}: is no readable zip (File is not a zip file); download it again"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train.json", "x")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag of an encrypted file
    path.write_bytes(data)
    with pytest.raises(SourceError) as error:
        find_in_folder(tmp_path, OFFICIAL, "adgen")
    assert str(error.value) == f"{path}: is encrypted; unpack it with its password, and name the folder"


def test_other_names_are_taken_only_where_the_official_one_is_missing(tmp_path: Path) -> None:
    write(tmp_path, "内科1.csv", "内科2.csv", "外科5-14000.csv", "外科9.csv", "牙科.csv")
    found = find_in_folder(tmp_path, DIVISIONS, "medical")
    assert [(file.name, file.part) for file in found] == [
        ("内科1.csv", "内科"),
        ("内科2.csv", "内科"),
        ("外科5-14000.csv", "外科"),
    ]


def test_data_files_are_paths_lists_patterns_or_any_of_these_by_split(tmp_path: Path) -> None:
    write(tmp_path, "a/one.json", "a/two.json", "b/[1] 三#.json")
    a, b = tmp_path / "a", tmp_path / "b" / "[1] 三#.json"
    one, two, three = ("a/one.json", "train"), ("a/two.json", "train"), ("b/[1] 三#.json", "train")
    for data_files, expected in [
        (str(a / "one.json"), [one]),
        (a / "one.json", [one]),
        (str(b), [three]),
        ([str(b), str(a / "one.json")], [three, one]),
        (str(a / "*.json"), [one, two]),
        (str(tmp_path / "**" / "*.json"), [one, two, three]),
        ([str(a / "two.json"), str(a / "*.json")], [two, one]),
        ({"train": str(a / "*.json")}, [one, two]),
        ({"dev": [b], "train": a / "one.json"}, [("b/[1] 三#.json", "dev"), one]),
    ]:
        assert names(find_data_files(data_files, OFFICIAL), tmp_path) == expected


def test_relative_data_files_start_from_the_working_folder_or_from_data_dir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a/one.json")
    monkeypatch.chdir(tmp_path)
    assert [file.path for file in find_data_files("a/one.json", OFFICIAL)] == ["a/one.json"]
    monkeypatch.chdir("/")
    assert [file.path for file in find_data_files("one.json", OFFICIAL, f"{tmp_path}/a")] == [f"{tmp_path}/a/one.json"]


@pytest.mark.parametrize("data_files", ["no.json", "*.json", {"train": ["no.json"]}, "https://example.org/a.json"])
def test_data_files_that_match_nothing_stop_the_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_files: str | dict[str, list[str]]
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = "no.json" if isinstance(data_files, dict) else data_files
    with pytest.raises(SourceError) as error:
        find_data_files(data_files, OFFICIAL)
    assert str(error.value) == f"{shown}: no such file; data_files takes paths and patterns of files on this machine"


@pytest.mark.parametrize("data_files", [[], {}, {"train": []}])
def test_data_files_that_name_nothing_stop_the_load(data_files: list[str] | dict[str, str]) -> None:
    with pytest.raises(SourceError) as error:
        find_data_files(data_files, OFFICIAL)
    assert str(error.value) == f"data_files={data_files!r}: names no file"


def test_a_part_is_told_by_the_file_name_and_then_by_the_folder_nearest_to_it(tmp_path: Path) -> None:
    write(tmp_path, "内科/外科.csv", "内科/外科/1.csv", "外科/内科/2.csv", "3.csv")
    parts = {Path(file.path).name: file.part for file in find_data_files(str(tmp_path / "**/*.csv"), DIVISIONS)}
    assert parts == {"外科.csv": "外科", "1.csv": "外科", "2.csv": "内科", "3.csv": ""}


def test_namesakes_are_told_apart_by_as_much_of_their_path_as_it_takes(tmp_path: Path) -> None:
    write(tmp_path, "x/a/1.csv", "x/b/1.csv", "x/2.csv")
    files = number(find_data_files(str(tmp_path / "**/*.csv"), ()))
    assert [(file.name, file.index) for file in files] == [("2.csv", 0), ("a/1.csv", 1), ("b/1.csv", 2)]
    files = number(find_data_files([str(tmp_path / "x/a/1.csv"), str(tmp_path / "x/2.csv")], ()))
    assert [file.name for file in files] == ["1.csv", "2.csv"]


def test_a_file_name_that_is_no_text_gets_one(tmp_path: Path) -> None:
    name = os.fsdecode("内科.csv".encode("gb18030"))  # as an archive packed on Chinese Windows leaves it
    try:
        (tmp_path / name).write_text("x")
    except OSError:
        pytest.skip("this file system takes no such name")
    file = number(find_data_files(str(tmp_path / name), ()))[0]
    assert (file.name, Path(file.path).read_bytes()) == ("\\xc4ڿ\\xc6.csv", b"x")


def test_a_git_blob_id_is_what_git_says(tmp_path: Path) -> None:
    for text, blob in (
        ("", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        ("hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
    ):
        (tmp_path / "a").write_text(text)
        assert git_blob_id(str(tmp_path / "a")) == blob


@pytest.mark.parametrize("data_files", ["my", {"test": ["my/"]}])
def test_a_folder_among_data_files_is_sent_to_data_dir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_files: str | dict[str, list[str]]
) -> None:
    write(tmp_path, "my/one.json")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        SourceError, match=r"^my/?: is a folder, and data_files takes files; name a folder with data_dir=$"
    ):
        find_data_files(data_files, OFFICIAL)
