"""Downloads, from a server on this machine that holds invented files in the official layout."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets import load_dataset

import hf_builders
from hf_builders import SourceError
from hf_builders.adgen.builder import Builder as AdgenBuilder
from hf_builders.chinese_medical_dialogue.builder import Builder as MedicalBuilder
from hf_builders.locations import git_blob_id

ADGEN, MEDICAL = "hf_builders/adgen", "hf_builders/chinese_medical_dialogue"
ARCHIVE = "/f/b3f119a008264b1cabd1/?dl=1"
BY_HAND = "get the files by hand and pass data_dir="


def tar_gz(folder: Path) -> bytes:
    """`folder` packed as the publisher packs it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(folder, "AdvertiseGen")
    return packed.getvalue()


@pytest.fixture
def medical_server(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Six invented divisions of two rows each, whose git blob ids the builder expects."""
    files: dict[str, str | None] = {}
    for number, path in enumerate(MedicalBuilder.official_download.files):
        text = f"department,title,ask,answer\n科,题{number},问一,答一\n科,题{number},问二,答二\n"
        (tmp_path / "file").write_bytes(text.encode("gb18030"))
        server.files[f"/{path}"] = text.encode("gb18030")
        files[path] = git_blob_id(str(tmp_path / "file"))
    monkeypatch.setattr(MedicalBuilder, "official_download", replace(MedicalBuilder.official_download, files=files))
    return server


@pytest.mark.parametrize("streaming", [False, True])
def test_the_archive_of_adgen_is_fetched_and_unpacked(server: Any, adgen_folder: Path, streaming: bool) -> None:
    server.files[ARCHIVE] = tar_gz(adgen_folder)
    loaded = load_dataset(ADGEN, "messages", download=server.url, streaming=streaming)
    expected = load_dataset(ADGEN, "messages", data_dir=adgen_folder)
    assert {split: list(rows) for split, rows in loaded.items()} == {
        split: list(rows) for split, rows in expected.items()
    }
    assert set(server.asked) == {ARCHIVE}
    assert loaded["train"].features == expected["train"].features


@pytest.mark.parametrize("route", [load_dataset, hf_builders.load_dataset])
def test_the_official_address_is_asked_when_download_is_true(
    server: Any, adgen_folder: Path, monkeypatch: pytest.MonkeyPatch, route: Callable[..., Any]
) -> None:
    server.files[ARCHIVE] = tar_gz(adgen_folder)
    monkeypatch.setattr(AdgenBuilder, "official_download", replace(AdgenBuilder.official_download, base_url=server.url))
    assert route(ADGEN, download=True, split="train").num_rows == 3
    assert route(ADGEN, download=True, split="validation").num_rows == 2


def test_what_is_downloaded_once_is_not_downloaded_again(server: Any, adgen_folder: Path) -> None:
    server.files[ARCHIVE] = tar_gz(adgen_folder)
    for _ in range(2):
        assert load_dataset(ADGEN, download=server.url, split="train").num_rows == 3
    num_asked = len(server.asked)
    assert load_dataset(ADGEN, download=server.url, split="train").num_rows == 3
    assert len(server.asked) == num_asked


def test_six_divisions_are_fetched_and_checked(medical_server: Any) -> None:
    loaded = load_dataset(MEDICAL, download=medical_server.url, split="train")
    assert loaded["division"][:] == [d for d in ("男科", "内科", "妇产科", "肿瘤科", "儿科", "外科") for _ in range(2)]
    assert set(medical_server.asked) == set(medical_server.files)
    ids = load_dataset(MEDICAL, "messages", download=medical_server.url, split="train")["id"]
    assert ids[:3] == ["男科5-13000.csv#1", "男科5-13000.csv#2", "内科5000-33000.csv#1"]


def test_only_the_divisions_that_are_wanted_are_fetched(medical_server: Any) -> None:
    loaded = load_dataset(MEDICAL, download=medical_server.url, divisions=["surgery", "男科"], split="train")
    assert loaded["division"][:] == ["男科", "男科", "外科", "外科"]
    assert set(medical_server.asked) == {
        "/Data_数据/Andriatria_男科/男科5-13000.csv",
        "/Data_数据/Surgical_外科/外科5-14000.csv",
    }


def assert_nothing_is_left() -> None:
    cache = Path(datasets.config.HF_DATASETS_CACHE)
    assert cache.exists()
    assert not list(cache.rglob("*.arrow"))
    assert not list(cache.rglob("*.incomplete"))


def test_another_file_than_the_official_one_is_refused(medical_server: Any) -> None:
    path = "/Data_数据/IM_内科/内科5000-33000.csv"
    medical_server.files[path] = b"hello\n"
    blob = MedicalBuilder.official_download.files[path[1:]]
    with pytest.raises(SourceError) as error:
        load_dataset(MEDICAL, download=medical_server.url)
    quoted = "/Data_%E6%95%B0%E6%8D%AE/IM_%E5%86%85%E7%A7%91/%E5%86%85%E7%A7%915000-33000.csv"
    assert str(error.value) == (
        f"{medical_server.url}{quoted}: has git blob id ce013625030ba8dba906f756967f9e9ca394464a instead of {blob}: "
        "damaged on the way, or changed by its publisher; "
        f"download_mode='force_redownload' tries again, or {BY_HAND}"
    )
    assert_nothing_is_left()
    # As the message says: once the file is right, force_redownload gets it.
    medical_server.files[path] = "department,title,ask,answer\n科,题1,问一,答一\n科,题1,问二,答二\n".encode("gb18030")
    loaded = load_dataset(MEDICAL, download=medical_server.url, download_mode="force_redownload", split="train")
    assert loaded.num_rows == 12


def test_the_real_blob_ids_are_not_those_of_invented_files(server: Any) -> None:
    for path in MedicalBuilder.official_download.files:
        server.files[f"/{path}"] = b"department,title,ask,answer\n"
    with pytest.raises(SourceError, match="instead of ab9752e9748e9670ef4486fe4a0d6406e3481715: damaged on the way"):
        load_dataset(MEDICAL, download=server.url)


@pytest.mark.parametrize(("dataset", "path"), [(ADGEN, ARCHIVE), (MEDICAL, None)])
def test_an_address_that_does_not_answer_says_which(server: Any, dataset: str, path: str | None) -> None:
    with pytest.raises(SourceError) as error:
        load_dataset(dataset, download=server.url)
    assert str(error.value).startswith(f"{server.url}{path or '/Data_%E6%95%B0%E6%8D%AE/Andriatria_'}")
    assert ": cannot be downloaded (" in str(error.value)
    assert str(error.value).endswith(f"); try again, or {BY_HAND}")
    assert_nothing_is_left()


def test_a_server_that_is_not_there_is_our_error() -> None:
    with pytest.raises(SourceError) as error:
        load_dataset(ADGEN, download="http://127.0.0.1:9")
    assert str(error.value).startswith(f"http://127.0.0.1:9{ARCHIVE}: cannot be downloaded (")


def test_a_web_page_in_place_of_the_archive_says_so(server: Any) -> None:
    server.files[ARCHIVE] = b"<html>this link has expired</html>"
    with pytest.raises(SourceError) as error:
        load_dataset(ADGEN, download=server.url)
    assert str(error.value) == (
        f"{server.url}{ARCHIVE}: sent something that is no archive, a web page perhaps; {BY_HAND}"
    )
    assert_nothing_is_left()


def test_a_damaged_archive_says_so(server: Any, adgen_folder: Path) -> None:
    server.files[ARCHIVE] = tar_gz(adgen_folder)[:-40]
    with pytest.raises(SourceError) as error:
        load_dataset(ADGEN, download=server.url)
    assert str(error.value).startswith(f"{server.url}{ARCHIVE}: cannot be unpacked (")
    assert_nothing_is_left()


def test_an_archive_of_something_else_says_so(server: Any, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("a")
    server.files[ARCHIVE] = tar_gz(tmp_path / "other")
    with pytest.raises(SourceError) as error:
        load_dataset(ADGEN, download=server.url)
    assert "holds none of the files of" in str(error.value)
    assert f"{server.url}{ARCHIVE}" in str(error.value)


def test_neither_importing_nor_loading_the_sample_touches_the_network(run_python: Callable[..., str]) -> None:
    printed = run_python(
        "import socket\n"
        "def refuse(*a, **k): raise AssertionError(f'network: {a} {k}')\n"
        "socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse\n"
        "import hf_builders, datasets\n"
        "print(len(datasets.load_dataset('hf_builders/adgen', sample=True)['train']),"
        " len(hf_builders.load_dataset('adgen', sample=True)['train']))",
        HF_HUB_OFFLINE="0",
    )
    first, second = map(int, printed.split())
    assert first == second > 100
