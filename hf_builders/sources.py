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
_TOLD = 5  # names in a sentence
_DESCRIBED = 100  # files of a folder that are described one by one


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
            return _archive(self.path, os.stat(self.path).st_mtime_ns, os.getpid()).open(self.member)
        if self.path.endswith(".gz"):
            return cast("IO[bytes]", gzip.open(self.path))
        return open(self.path, "rb")

    @functools.cached_property
    def sha256(self) -> str:
        """Of the bytes on disk (of the whole archive, for a zip)."""
        return _sha256(self.path, os.stat(self.path).st_mtime_ns)


@functools.lru_cache(maxsize=1)  # the members of an archive follow each other
def _sha256(path: str, _mtime_ns: int) -> str:
    return file_sha256(path)


def file_sha256(path: str | Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@functools.lru_cache(maxsize=8)  # members of two archives may be asked for by turns
def _archive(path: str, _mtime_ns: int, _process: int) -> zipfile.ZipFile:
    """A zip whose list of members is read once for all of them, and by each process for itself."""
    return zipfile.ZipFile(path)


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


def told(names: Sequence[str]) -> str:
    """Names in a sentence, only the first few where they are many.

    >>> told(["a.json", "b.json"]), told([str(n) for n in range(1000)])
    ('a.json, b.json', '0, 1, 2, 3, 4 and 995 more')
    """
    return ", ".join(names[:_TOLD]) + (f" and {len(names) - _TOLD:,} more" if len(names) > _TOLD else "")


def number(sources: Iterable[SourceFile]) -> list[SourceFile]:
    """The same files with an `index` each, and with names that tell them apart."""
    files = list(sources)
    # A name in another encoding than this machine's (a GBK archive unpacked on Linux) is no text as it is.
    names = [os.fsencode(file.name).decode(errors="backslashreplace") for file in files]
    if len(set(names)) < len(names):
        places = [PurePosixPath(Path(file.path).resolve().as_posix()) / (file.member or "") for file in files]
        names = _told_apart(places)
    return [replace(file, name=name, index=i) for i, (file, name) in enumerate(zip(files, names, strict=True))]


def _told_apart(places: Sequence[PurePosixPath]) -> list[str]:
    """Files by their places below the folder they share. Rows are called by these names, and published: where that
    folder is above the user's own, names are cut to what tells files apart.
    """
    common = PurePosixPath(os.path.commonpath([place.parent for place in places]))
    below = [place.relative_to(common).parts for place in places]
    home = PurePosixPath(os.path.realpath(os.path.expanduser("~")))
    if common in home.parents:
        own = [place.relative_to(home).parts if home in place.parents else place.parts for place in places]
        longest = max(len(parts) for parts in own)
        cut = ([parts[-length:] for parts in own] for length in range(1, longest + 1))
        below = next((each for each in cut if len(set(each)) == len(each)), below)
    return ["/".join(parts) for parts in below]


def describe(sources: Iterable[SourceFile]) -> list[dict[str, Any]]:
    """What accounts and manifests say of raw files: their content, not their place, since a cache outlives that.

    Very many files of one folder or archive are described as a whole.
    """
    together: dict[str, list[SourceFile]] = {}
    for source in sources:
        together.setdefault(source.path if source.member else os.path.dirname(source.path), []).append(source)
    return [each for files in together.values() for each in _describe_some(files)]


def _describe_some(files: Sequence[SourceFile]) -> list[dict[str, Any]]:
    if len(files) <= _DESCRIBED:
        return [
            {
                "name": source.name,
                "member": source.member,
                "num_bytes": os.path.getsize(source.path),
                "sha256": source.sha256,
            }
            for source in files
        ]
    digest = hashlib.sha256()
    for source in files:
        digest.update(f"{source.name}|{source.member}|{source.sha256}|".encode())
    place = Path(files[0].path)
    return [
        {
            "name": f"{place.name if files[0].member else place.parent.name}: {len(files):,} files",
            "member": None,
            "num_bytes": sum(os.path.getsize(path) for path in {source.path for source in files}),
            "sha256": digest.hexdigest(),
        }
    ]
