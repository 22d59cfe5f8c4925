"""A folder of anybody's in, the rows in it out; no code of theirs runs, and no file outside of the folder is read."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from hf_builders.errors import SourceError
from hf_builders.published_files import is_inside

_READ = ("parquet", "arrow", "json")
"""Builders of `datasets` for files that can hold lists of ids."""
_SPLIT = re.compile(r"\w[\w.-]*")
_SAVED = "dataset_dict.json"
_STATE = "state.json"


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote it."""
    return (folder / _SAVED).is_file() or (folder / _STATE).is_file()


def open_saved(folder: Path, place: str) -> datasets.DatasetDict:
    """What `save_to_disk` wrote, once every file is seen to be Arrow through and through.

    Raises:
        SourceError: a file is damaged, or lies elsewhere.
    """
    with told_as_no_dataset(place):
        names = json.loads((folder / _SAVED).read_text(encoding="utf-8"))["splits"] if _is_dict(folder) else ["."]
        for name in names:
            if name != "." and not _SPLIT.fullmatch(name):
                raise SourceError(f"{place}: {_SAVED}: {name!r} is no name of a split")
            _check_files(folder / name, folder, place)
        loaded = datasets.load_from_disk(str(folder))
        return loaded if isinstance(loaded, datasets.DatasetDict) else datasets.DatasetDict({_split_of(loaded): loaded})


def open_files(folder: Path, cache: Path, place: str) -> Iterator[tuple[str, datasets.DatasetDict]]:
    """Config and rows of each that `datasets` finds in the folder, read into `cache`.

    Raises:
        SourceError: there is none, its files are of a kind that is not read here, or lie elsewhere.
    """
    path = str(folder.resolve())  # a name like hf_builders/adgen is one of ours
    with told_as_no_dataset(place):
        for config in datasets.get_dataset_config_names(path):
            builder = datasets.load_dataset_builder(path, config, cache_dir=str(cache))
            kind = type(builder).__module__.rpartition(".")[2]
            if kind not in _READ:
                raise SourceError(f"{place}: has files for `datasets` of the kind {kind}; {', '.join(_READ)} are read")
            for file in (str(file) for files in (builder.config.data_files or {}).values() for file in files):
                if "://" in file or not is_inside(Path(file), folder):
                    raise SourceError(
                        f"{place}: {config} names {file}, which is not in the folder; nothing else is read"
                    )
                if kind == "arrow":
                    _check_arrow(Path(file))
            builder.download_and_prepare()
            yield config, builder.as_dataset()


def _check_files(folder: Path, root: Path, place: str) -> None:
    """See that the files of one split lie in its folder, and are what they say."""
    state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    for name in (each["filename"] for each in [*state["_data_files"], *(state.get("_indices_data_files") or [])]):
        path = folder / name
        if Path(name).name != name or not is_inside(path, root):
            raise SourceError(f"{place}: {_STATE} names {name!r}, which is not in the folder; nothing else is read")
        _check_arrow(path)


def _check_arrow(path: Path) -> None:
    """See that no list of a file leads out of it, which nobody else looks at, and which crashes whoever reads it."""
    with pa.memory_map(str(path)) as file:
        try:
            reader: Any = pa.ipc.open_stream(file)
        except pa.ArrowInvalid:
            reader = pa.ipc.open_file(file)
            reader = map(reader.get_batch, range(reader.num_record_batches))
        for batch in reader:
            batch.validate(full=True)


def _is_dict(folder: Path) -> bool:
    return (folder / _SAVED).is_file()


def _split_of(rows: datasets.Dataset) -> str:
    return str(rows.split) if rows.split is not None else "train"


@contextlib.contextmanager
def told_as_no_dataset(place: str) -> Iterator[None]:
    """Makes what reading files of others raises an error of ours."""
    try:
        yield
    except SourceError:
        raise
    # `datasets` raises RuntimeError of a script of the dataset's own, and whatever JSON of another shape gives.
    except (
        datasets.exceptions.DatasetsError, OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError,
        pa.ArrowException,
    ) as error:  # fmt: skip
        cause = error.__cause__ if isinstance(error, datasets.exceptions.DatasetGenerationError) else None
        fact = "".join(filter(str.isprintable, " ".join(str(cause or error).split())))[:300]
        raise SourceError(
            f"{place}: is no dataset that can be read ({type(cause or error).__name__}: {fact})"
        ) from error
