"""The folder a run is prepared into: it appears whole or not at all, and takes the place of nothing it did not write.

OUT/data/         token rows by split (`datasets.load_from_disk`)
OUT/manifest.json sources, options, versions, counts, statistics, a digest of all ids and labels, the files themselves
OUT/quarantine/   raw rows that could not be read, and records that gave no token row, each with its reason
OUT/report.html   all of it for human eyes (`hf_builders.report`)
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hf_builders.errors import SourceError

MANIFEST = "manifest.json"


class Writer(NamedTuple):
    """Who writes a folder: the command, what names the folder to it, and the file that lists what was written."""

    command: str
    option: str
    manifest: str


PREPARE = Writer("prepare", "output.dir", MANIFEST)


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """The manifest of a prepared folder.

    Raises:
        SourceError: there is none, or it is damaged.
    """
    path = Path(folder).expanduser() / MANIFEST
    if not path.is_file():
        raise SourceError(f"{folder}: holds no {MANIFEST}; make the folder with `hf-builders prepare`")
    manifest = _parse_manifest(path)
    if not manifest:
        raise SourceError(f"{path}: is damaged, or not ours; run `hf-builders prepare` again")
    if absent := [name for name in manifest["files"] if not (path.parent / name).is_file()]:
        raise SourceError(f"{folder}: {absent[0]} is gone; run `hf-builders prepare` again")
    return manifest


def _parse_manifest(path: Path) -> dict[str, Any]:
    """The manifest, or nothing where the file is none of ours."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) and {"format", "digest", "files"} <= set(manifest) else {}


@contextlib.contextmanager
def drafted(place: str | Path, writer: Writer = PREPARE) -> Iterator[Path]:
    """A draft folder for the files of `place`; it gets its manifest from `write_manifest` and the place at the end.

    If the block raises, the draft is gone and `place` is as it was.

    Raises:
        SourceError: `place` holds something that `writer` did not write, or nothing can be written there.
    """
    folder = Path(place).expanduser().resolve()  # a link stays a link, and what it points to is replaced
    try:
        _clear_up(folder)
        _check_replaceable(folder, writer)
        draft = _beside(folder, "draft")
        draft.mkdir(parents=True)
    except OSError as error:
        raise SourceError(f"{writer.option}: {place}: cannot be written ({error.strerror}); choose another") from error
    try:
        yield draft
        _swap_in(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def staged_beside(place: Path) -> Iterator[Path]:
    """An empty folder beside a prepared one, and on the same disk, that is gone afterwards."""
    folder = _beside(place, "staged")
    try:
        _clear_up(place)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise SourceError(
            f"{folder.parent}: cannot be written ({error.strerror or error}); make room there, or copy {place.name}/ "
            "to where you may write"
        ) from error


def write_manifest(draft: Path, facts: dict[str, Any], writer: Writer = PREPARE) -> None:
    """Write the facts and the size of every file of the draft, which is how a later run knows its own files."""
    files = {path.relative_to(draft).as_posix(): path.stat().st_size for path in _files(draft)}
    text = json.dumps({**facts, "files": files}, ensure_ascii=False, indent=2)
    (draft / writer.manifest).write_text(text + "\n", encoding="utf-8")


def _check_replaceable(folder: Path, writer: Writer) -> None:
    if folder == Path.cwd():
        raise SourceError(f"{writer.option}: is the folder the command runs in; choose one below it")
    if folder.exists() and not folder.is_dir():
        raise SourceError(f"{writer.option}: {folder} is a file; choose a folder")
    there = [path.relative_to(folder).as_posix() for path in _files(folder)]
    manifest = _parse_manifest(folder / writer.manifest)
    ours = [*manifest["files"], writer.manifest] if manifest else []
    if others := sorted(set(there) - set(ours)):
        raise SourceError(
            f"{writer.option}: {folder} holds {', '.join(others[:3])}, which {writer.command} did not write; "
            "choose another folder, or empty this one"
        )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


def _beside(folder: Path, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{what}-{os.getpid()}")


def _swap_in(draft: Path, folder: Path) -> None:
    """Put the finished draft in the folder's place; what was there is kept beside it until then."""
    old = _beside(folder, "old")
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _clear_up(folder: Path) -> None:
    """Remove what killed runs left beside the folder, or put it back if they were killed between two renames."""
    leftovers = folder.parent.glob(f".{folder.name}.*-*") if folder.parent.is_dir() else ()
    for path in leftovers:
        match = re.fullmatch(r"(draft|old|staged)-(\d+)", path.name.removeprefix(f".{folder.name}."))
        if match is None or _is_running(int(match[2])):
            continue
        if match[1] == "old" and not folder.exists():
            path.rename(folder)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, as another user
        return True
    return True
