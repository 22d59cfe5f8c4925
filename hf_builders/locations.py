"""Raw files found: by name in a folder, by the paths a caller gives, or at the official address.

In: what a dataset declares (`OfficialFile`, `Download`) and what the caller gave. Out: `SourceFile`s with their splits.
"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import os
import tarfile
import urllib.parse
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from hf_builders.errors import OptionError, SourceError
from hf_builders.sources import READ_ERRORS, SourceFile

if TYPE_CHECKING:
    from datasets import DownloadManager

DATA_ENVIRONMENT_VARIABLE = "HF_BUILDERS_DATA"
DataFiles = str | Sequence[str] | Mapping[str, str | Sequence[str]]
"""What `load_dataset` takes as `data_files`: paths or glob patterns, for `train` or by split."""
_BY_HAND = "get the files by hand and pass data_dir="


@dataclass(frozen=True)
class OfficialFile:
    """A file of the publisher's own layout."""

    name: str
    split: str
    part: str = ""
    """Which part of the dataset it is, where that is more than a split (a medical division, say)."""
    also: str = ""
    """A pattern for the names this file goes by when nothing has the official one."""
    folder: str = ""
    """The publisher's folder it lies in: of files of this name, the one in such a folder is meant."""
    is_optional: bool = False
    """Nothing is said where it is not there, as of one of several forms that a set is published in."""


@dataclass(frozen=True)
class Download:
    """The official address of a dataset."""

    base_url: str
    files: Mapping[str, str | None]
    """Path below `base_url` of each file or archive, and its git blob id where one is known."""
    is_archive: bool = False


def find_in_folder(folder: str | Path, official: Sequence[OfficialFile], dataset: str) -> list[SourceFile]:
    """The dataset's files in `folder`, by name, at any depth. A part that is not there is not read.

    Raises:
        SourceError: the folder is missing, holds none of the files, or one of them twice.
    """
    root = Path(folder).expanduser()
    if not root.exists():
        raise SourceError(f"{folder}: no such folder; data_dir is where the files of {dataset} lie")
    candidates = list(walk(root))
    found = [file for wanted in official for file in _match(wanted, candidates, root)]
    if not found:
        names = ", ".join(sorted({file.name for file in candidates})[:5]) or "nothing"
        wanted_names = ", ".join(wanted.name for wanted in official)
        raise SourceError(
            f"{folder}: holds none of the files of {dataset} ({wanted_names}), at any depth; found {names}; "
            "point data_dir at the folder of the official download, or name your files with data_files"
        )
    return found


def find_data_files(
    data_files: DataFiles, official: Sequence[OfficialFile], data_dir: str | None = None
) -> list[SourceFile]:
    """The files the caller names, by split; a plain path or list is `train`, as everywhere in `datasets`.

    Args:
        data_dir: what relative paths start from; the working directory by default.

    Raises:
        SourceError: a path or pattern that matches no file.
    """
    by_split = data_files if isinstance(data_files, Mapping) else {"train": data_files}
    found: dict[SourceFile, None] = {}  # a file that two patterns of a split match is read once
    for split, patterns in by_split.items():
        names = [patterns] if isinstance(patterns, (str, os.PathLike)) else patterns
        if not isinstance(names, (list, tuple)):
            raise OptionError(f"data_files: {split} is {patterns!r}; takes a path, a pattern, or a list of them")
        for pattern in names:
            path = os.path.join(os.path.expanduser(data_dir or ""), os.path.expanduser(os.fspath(pattern)))
            matches = (
                [path] if os.path.isfile(path) else sorted(filter(os.path.isfile, glob.glob(path, recursive=True)))
            )
            if not matches and os.path.isdir(path):
                raise SourceError(f"{pattern}: is a folder, and data_files takes files; name a folder with data_dir=")
            if not matches:
                raise SourceError(
                    f"{pattern}: no such file; data_files takes paths and patterns of files on this machine"
                )
            for file in [file for match in matches for file in members(Path(match))]:
                found[replace(file, split=str(split), part=_part_of(file, official))] = None
    if not found:
        raise SourceError(f"data_files={data_files!r}: names no file")
    return list(found)


def _part_of(file: SourceFile, official: Sequence[OfficialFile]) -> str:
    """The part a file belongs to: the one its name mentions, or else the folder nearest to it that mentions one."""
    places = reversed([*Path(file.path).parts, *PurePosixPath(file.member or "").parts])
    return next((wanted.part for place in places for wanted in official if wanted.part and wanted.part in place), "")


def fetch(
    download: Download, wanted: Sequence[OfficialFile], mirror: str | None, manager: DownloadManager
) -> list[SourceFile]:
    """Download the wanted files through the manager of `datasets` (its cache, its progress bar) and check them.

    Args:
        mirror: an address with the same layout as `download.base_url`, to be asked instead.

    Raises:
        SourceError: an address does not answer, or its file is not the official one.
    """
    by_name = {file.name: file for file in wanted}
    found = []
    for path, git_blob in download.files.items():
        name = PurePosixPath(path).name
        if not download.is_archive and name not in by_name:
            continue
        url = (mirror or download.base_url).rstrip("/") + "/" + urllib.parse.quote(path, safe="/?=")
        try:
            local = cast(str, manager.download(url))
        except (OSError, ValueError, ImportError) as error:
            raise SourceError(f"{url}: cannot be downloaded ({error}); try again, or {_BY_HAND}") from error
        if git_blob is not None and (actual := git_blob_id(local)) != git_blob:
            raise SourceError(
                f"{url}: has git blob id {actual} instead of {git_blob}: damaged on the way, or changed by its "
                f"publisher; download_mode='force_redownload' tries again, or {_BY_HAND}"
            )
        if download.is_archive:
            found += find_in_folder(_unpack(local, url, manager), wanted, url)
        else:
            found.append(SourceFile(local, name, by_name[name].split, by_name[name].part))
    return found


def _unpack(archive: str, url: str, manager: DownloadManager) -> str:
    """The folder with what is in a downloaded archive.

    Raises:
        SourceError: it is none, as when a web page was sent instead, or is damaged.
    """
    try:
        folder = cast(str, manager.extract(archive))
    except (*READ_ERRORS, tarfile.TarError) as error:
        raise SourceError(f"{url}: cannot be unpacked ({error}); {_BY_HAND}") from error
    if not os.path.isdir(folder):
        raise SourceError(f"{url}: sent something that is no archive, a web page perhaps; {_BY_HAND}")
    return folder


def git_blob_id(path: str) -> str:
    """The id git gives the content of a file: the SHA-1 of a short header and the bytes."""
    digest = hashlib.sha1(f"blob {os.path.getsize(path)}\0".encode(), usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def walk(root: Path) -> Iterator[SourceFile]:
    """Every file below `root`, archives opened up; hidden folders and macOS's copies are no data."""
    if root.is_file():
        yield from members(root)
        return
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith((".", "__MACOSX")))
        for name in sorted(names):
            if not name.startswith("."):
                yield from members(Path(folder, name))


def members(path: Path) -> Iterator[SourceFile]:
    """The files `path` stands for: itself, or what is in it where it is a zip. Split and part are not known here."""
    if path.suffix != ".zip":
        yield SourceFile(str(path), path.name.removesuffix(".gz"), split="")
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise SourceError(f"{path}: is no readable zip ({error}); download it again") from error
    for info in members:
        member, name = info.filename, PurePosixPath(info.filename).name
        if info.flag_bits & 1:
            raise SourceError(f"{path}: is encrypted; unpack it with its password, and name the folder")
        if not name.startswith(".") and not member.startswith("__MACOSX"):
            yield SourceFile(str(path), name, split="", member=member)


def _folder_of(file: SourceFile) -> str:
    """The name of the folder a file lies in, on disk or in its archive."""
    return PurePosixPath(file.member).parent.name if file.member is not None else Path(file.path).parent.name


def _match(wanted: OfficialFile, candidates: list[SourceFile], root: Path) -> list[SourceFile]:
    """The candidates that are this official file: the one nearest to the root, or all that go by its other pattern."""

    def rank(file: SourceFile) -> tuple[int, bool]:
        depth = len(Path(file.path).parts) + (file.member or "").count("/")
        return depth, file.member is not None or file.path.endswith(".gz")

    named = sorted((file for file in candidates if file.name == wanted.name), key=rank)
    named = [file for file in named if wanted.folder and _folder_of(file) == wanted.folder] or named
    if len(named) > 1 and rank(named[0]) == rank(named[1]):
        raise SourceError(
            f"{root}: holds {wanted.name} twice ({named[0].path}, {named[1].path}); point data_dir at one of them"
        )
    chosen: list[SourceFile] = named[:1]
    if not chosen and wanted.also:
        chosen = [file for file in candidates if fnmatch.fnmatch(file.name, wanted.also)]
    return [replace(file, split=wanted.split, part=wanted.part) for file in chosen]
