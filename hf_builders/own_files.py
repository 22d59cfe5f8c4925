"""The files of a dataset without a publisher: whatever the user's folder holds, split by the names of files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from datasets.utils.logging import get_logger

from hf_builders.errors import SourceError
from hf_builders.locations import walk
from hf_builders.sources import SourceFile

logger = get_logger(__name__)

_SPLIT_OF_WORD = {
    "train": "train",
    "dev": "validation",
    "valid": "validation",
    "validation": "validation",
    "eval": "validation",
    "test": "test",
}
_WORD = re.compile(r"[a-z]+")


def find_own_files(folder: str | Path, endings: Sequence[str], dataset: str) -> list[SourceFile]:
    """Every file below `folder` with one of the endings (`.gz` behind it, or in a `.zip`), with the split it is for.

    Raises:
        SourceError: the folder is missing or holds no such file.
    """
    root = Path(folder).expanduser()
    if not root.exists():
        raise SourceError(f"{folder}: no such folder; data_dir is where your files for {dataset} lie")
    there = list(walk(root))
    found = [
        replace(file, split=split_of(Path(file.path).relative_to(root if root.is_dir() else root.parent), file.member))
        for file in there
        if PurePosixPath(file.name).suffix.lower() in endings
    ]
    if not found:
        names = ", ".join(sorted({file.name for file in there})[:5]) or "nothing"
        raise SourceError(
            f"{folder}: holds no file ending in {', '.join(endings)} (or such a file as .gz, or in a .zip), at any "
            f"depth; found {names}; name files with other endings with data_files"
        )
    return found


def split_of(path: Path, member: str | None = None) -> str:
    """The split a file is for, by a word of its name, or else of the folder nearest to it; `train` where none says so.

    >>> [split_of(Path(path)) for path in ("my-dev_2.json", "test/part1.json", "latest.json", "eval/train.json")]
    ['validation', 'test', 'train', 'train']
    """
    for place in reversed([*path.parts, *PurePosixPath(member or "").parts]):
        for word in _WORD.findall(place.lower()):
            if word in _SPLIT_OF_WORD:
                return _SPLIT_OF_WORD[word]
    return "train"


def say_splits(found: Sequence[SourceFile], dataset: str) -> None:
    """Log which file went to which split: names decided that, not the user."""
    by_split: dict[str, list[str]] = {}
    for file in found:
        by_split.setdefault(file.split, []).append(file.name)
    said = "; ".join(f"{split}: {', '.join(names)}" for split, names in by_split.items())
    logger.warning(f"{dataset}: by their names, the files go to {said}; data_files={{split: files}} says otherwise")
