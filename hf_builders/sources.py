"""A raw file of a load, how it is opened, and the rows a reader makes of it."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hf_builders.errors import SourceError

READ_ERRORS = (OSError, EOFError, zlib.error, zipfile.BadZipFile)
"""What opening or reading a raw file raises: no permission, gone meanwhile, a damaged archive."""


@dataclass(frozen=True)
class SourceFile:
    """One raw file of a load; `.gz` and `.zip` are read in place."""

    path: str
    name: str
    """What ids and errors call it: the file name, or as much of the path as tells it from its namesakes."""
    split: str
    part: str = ""
    member: str | None = None
    """The file inside `path`, where that is a zip."""
    index: int = 0

    def open(self) -> IO[bytes]:
        if self.member is not None:
            return zipfile.ZipFile(self.path).open(self.member)
        if self.path.endswith(".gz"):
            return cast("IO[bytes]", gzip.open(self.path))
        return open(self.path, "rb")

    @functools.cached_property
    def sha256(self) -> str:
        """Of the bytes on disk (of the whole archive, for a zip)."""
        digest = hashlib.sha256()
        with open(self.path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()


@contextlib.contextmanager
def told_as_source_error(source: SourceFile) -> Iterator[None]:
    """Makes what reading a raw file raises an error of ours, with the file and a way out."""
    try:
        yield
    except READ_ERRORS as error:
        raise SourceError(f"{source.path}: cannot be read ({error}); get the file again") from error


class Rows(NamedTuple):
    """Some rows of one source, in their order: what a reader makes of raw files."""

    table: pa.Table
    """The source's columns, all text."""
    ids: pa.Array
    """Where each row stands: `file:line` in JSON Lines, `file#n` (the n-th row) in CSV and in a JSON array."""

    def filter(self, is_kept: np.ndarray | pa.Array) -> Rows:
        """The rows for which a mask of n booleans is true."""
        mask = pa.array(is_kept)
        return self if pc.all(mask).as_py() else Rows(self.table.filter(mask), self.ids.filter(mask))


def ids_of(name: str, positions: Sequence[int]) -> pa.Array:
    """The id of each row from what comes before its number (`train.json:`) and the number.

    >>> ids_of("train.json:", [1, 3]).to_pylist()
    ['train.json:1', 'train.json:3']
    """
    return pc.binary_join_element_wise(name, pa.array(np.asarray(positions, np.int64)).cast(pa.string()), "")


def number(sources: Iterable[SourceFile]) -> list[SourceFile]:
    """The same files with an `index` each, and with names that tell them apart."""
    files = list(sources)
    # A name in another encoding than this machine's (a GBK archive unpacked on Linux) is no text as it is.
    names = [os.fsencode(file.name).decode(errors="backslashreplace") for file in files]
    if len(set(names)) < len(names):
        places = [PurePosixPath(Path(file.path).resolve().as_posix()) / (file.member or "") for file in files]
        common = os.path.commonpath([place.parent for place in places])
        names = [place.relative_to(common).as_posix() for place in places]
    return [replace(file, name=name, index=i) for i, (file, name) in enumerate(zip(files, names, strict=True))]


def describe(source: SourceFile) -> dict[str, Any]:
    """What accounts and manifests say of a raw file: its content, not its place, since a cache outlives that."""
    return {
        "name": source.name,
        "member": source.member,
        "num_bytes": os.path.getsize(source.path),
        "sha256": source.sha256,
    }
