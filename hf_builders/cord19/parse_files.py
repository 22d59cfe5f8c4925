"""Where the files of `document_parses` lie, in folders or archives, by name."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from datasets.utils.logging import get_logger

from hf_builders import json_documents
from hf_builders.cord19.metadata import Row
from hf_builders.cord19.parse import PMC_ENDING
from hf_builders.errors import SourceError
from hf_builders.locations import walk
from hf_builders.sources import READ_ERRORS, SourceFile

logger = get_logger(__name__)

_ARCHIVES = (".tar", ".tar.gz", ".tgz")


class ParseFiles:
    """The parses that are there: a few hundred thousand names and places in a full release."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[str, str | None]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def add(self, files: Iterable[SourceFile]) -> None:
        """Of files of one name, which the releases do not have, the first is the one."""
        num_twins = 0
        for file in files:
            name = _name_on_disk(file).removesuffix(".gz")
            num_twins += name in self._places
            self._places.setdefault(name, (file.path, file.member))
        if num_twins:
            logger.warning(f"{num_twins:,} of the parses have the name of another one and are not read")

    def of(self, row: Row) -> tuple[list[SourceFile], bool]:
        """The parses of a paper that are there, those of PMC first, and whether one that is named is not."""
        named, tried = _names_of(row)
        found = [name for name in dict.fromkeys(tried) if name in self._places]
        found.sort(key=lambda name: not name.endswith(PMC_ENDING))
        files = [SourceFile(path, name, "", "", member) for name in found for path, member in [self._places[name]]]
        return files, any(name not in self._places for name in named)


def is_parse_file(file: SourceFile) -> bool:
    return file.name.endswith((".json", *_ARCHIVES))


def is_packed_release(file: SourceFile) -> bool:
    """Whether it is an archive of all that a release has, as `cord-19_2022-06-02.tar.gz`."""
    name = _name_on_disk(file)
    return name.startswith("cord-19_") and name.endswith(_ARCHIVES)


def find_parses(files: Iterable[SourceFile], cache: Path, *, unpack_again: bool) -> ParseFiles:
    """The parses in these files, of which the archives are unpacked first.

    Args:
        cache: the folder of archives that were unpacked.
    """
    archives: list[SourceFile] = []
    loose: list[SourceFile] = []
    for file in files:
        (archives if _name_on_disk(file).endswith(_ARCHIVES) else loose).append(file)
    parses = ParseFiles()
    parses.add(loose)
    inner = {Path(file.path).parent for file in loose}
    folders = {folder for each in inner for folder in (each, *each.parents)}
    for archive in archives:
        if Path(archive.path).parent / _name_on_disk(archive).partition(".")[0] in folders:
            logger.info(f"{archive.name}: is not opened, it lies beside the folder that was made of it")
        else:
            parses.add(walk(_unpack(archive, cache, unpack_again)))
    return parses


def _name_on_disk(file: SourceFile) -> str:
    """Of the file itself, which `name` need not be where several have one name."""
    return PurePosixPath(file.member).name if file.member is not None else Path(file.path).name


def _names_of(row: Row) -> tuple[list[str], list[str]]:
    """The parses a row says there are, and all it may have."""
    by_hash = [f"{sha}.json" for sha in row.list_of("sha")]
    by_number = [f"{number}{PMC_ENDING}" for number in row.list_of("pmcid")]
    if "pdf_json_files" in row.cells or "pmc_json_files" in row.cells:
        paths = [*row.list_of("pmc_json_files"), *row.list_of("pdf_json_files")]
        named = [PurePosixPath(path).name for path in paths]
    else:
        # Before 2020-05-26 columns say only that there are some; the first releases had some of PDF alone.
        is_said = {name: row.cells.get(name, "").strip().lower() == "true" for name in row.cells}
        named = by_hash if is_said.get("has_pdf_parse") or is_said.get("has_full_text") else []
        named = [*(by_number if is_said.get("has_pmc_xml_parse") else []), *named]
    return named, [*named, *by_number, *by_hash]


def _unpack(archive: SourceFile, cache: Path, again: bool) -> Path:
    """The folder with the parses of an archive.

    `datasets` would unpack it under the name of its path, so that another release of the same name gets the parses of
    the old one; it takes what an interrupted run left for the whole, and passes over names that lead out of the folder.
    """
    if archive.member is not None:
        raise SourceError(f"{archive.path}: holds the archive {archive.member}; unpack it, and name the folder")
    folder = cache / f"cord19-{archive.sha256}"
    if again:
        shutil.rmtree(folder, ignore_errors=True)
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="cord19-") as scratch:
        partial = Path(scratch, "parses")
        partial.mkdir()
        try:
            num_parses = sum(1 for _ in _write_parses(archive, partial))
        except (*READ_ERRORS, tarfile.TarError) as error:
            raise SourceError(f"{archive.path}: cannot be unpacked ({error}); get the archive again") from error
        if not num_parses:
            raise SourceError(
                f"{archive.path}: holds no parse (*.json); an archive of a whole release has to be unpacked by hand, "
                "as metadata.csv is in it"
            )
        try:
            os.rename(partial, folder)
        except OSError:
            if not folder.is_dir():  # another process was faster
                raise
    return folder


def _write_parses(archive: SourceFile, folder: Path) -> Iterator[Path]:
    """Write the parses of an archive below `folder`, and nothing anywhere else."""
    with archive.open() as file, tarfile.open(fileobj=file, mode="r|") as tar:
        while (member := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # public, but not in typeshed; it would keep every member
            _check_member(archive, member)
            path = folder / member.name
            content = tar.extractfile(member)
            if content is not None and path.suffix == ".json" and not path.name.startswith("."):
                path.parent.mkdir(parents=True, exist_ok=True)
                # No more than it takes to see that it is too long to be read: a small archive can hold terabytes.
                path.write_bytes(content.read(json_documents.MAX_BYTES + 1))
                yield path


def _check_member(archive: SourceFile, member: tarfile.TarInfo) -> None:
    path = PureWindowsPath(member.name)  # takes both slashes
    if path.anchor or ".." in path.parts or "\0" in member.name:
        fault = "a name that leads out of the folder it is unpacked in"
    elif not (member.isfile() or member.isdir()):
        fault = "a link or device, which no archive of parses has"
    else:
        return
    raise SourceError(
        f"{archive.path}: holds {member.name!r}, {fault}; nothing was unpacked; get the archive from its publisher"
    )
