"""A copy of what was pushed in; its files compared with the manifest, and its rows, out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import datasets
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard

from hf_builders.prepared_folder import MANIFEST
from hf_builders.progress import without_bars
from hf_builders.publication import CARD, files_pattern
from hf_builders.sources import file_sha256

_NOT_HASHED = {CARD, MANIFEST}


def file_faults(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Files that are gone, are others than were published, or stand among them and were not."""
    faults = []
    for name, expected in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            faults.append(f"{name}: is gone")
        elif not is_inside(path, folder):
            faults.append(f"{name}: is a link that leads out of the folder")
        elif (num_bytes := path.stat().st_size) != expected["num_bytes"]:
            faults.append(f"{name}: has {num_bytes:,} bytes; {MANIFEST} says {expected['num_bytes']:,}")
        elif (sha256 := file_sha256(path)) != expected["sha256"]:
            faults.append(f"{name}: has the SHA-256 {sha256}; {MANIFEST} says {expected['sha256']}")
    faults += [
        f"{name}: was not published with the others"
        for name in strangers(folder, manifest)
        if name.strip("'").endswith(".parquet")
    ]
    for config, described in manifest["published"]["configs"].items():
        faults += [
            f"{config}: {MANIFEST} names no file of the split {split}"
            for split in described["splits"]
            if not _files_of(manifest, config, split)
        ]
    return faults


def strangers(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Files that were not published with the others, but for what the Hub and git put there."""
    there = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if not path.is_dir())
    names = [path.as_posix() for path in there if not any(part.startswith(".") for part in path.parts)]
    names = [name for name in names if name not in manifest["files"] and name not in _NOT_HASHED]
    return [name if name.isprintable() else repr(name) for name in names]


def card_faults(folder: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Where `datasets.load_dataset` would find other rows than were published, as the card says where they are."""
    path = folder / CARD
    if not path.is_file():
        yield f"{CARD}: is gone; it says which files load_dataset reads"
        return
    try:
        card = DatasetCard.load(path, ignore_metadata_errors=False)
        configs = MetadataConfigs.from_dataset_card_data(card.data)
    except Exception as error:  # whatever the YAML parser, the client and `datasets` raise of a header they do not like
        yield f"{CARD}: its header cannot be read ({' '.join(str(error).split())[:200]})"
        return
    expected = {
        name: [(split, files_pattern(name, split)) for split in described["splits"]]
        for name, described in manifest["published"]["configs"].items()
    }
    found = {name: _places(config) for name, config in configs.items()}
    for name in sorted({*expected, *found}):
        if found.get(name) != expected.get(name):
            yield f"{CARD}: load_dataset would read {found.get(name)} as {name!r}; published was {expected.get(name)}"


def read_configs(folder: Path, manifest: Mapping[str, Any], cache: Path) -> dict[str, datasets.DatasetDict]:
    """The rows of every config, read from the files of the manifest by `datasets` into `cache`."""
    configs = {}
    for config, described in manifest["published"]["configs"].items():
        files = {
            split: [str(folder / name) for name in _files_of(manifest, config, split)] for split in described["splits"]
        }
        with without_bars():
            # What load_dataset would do, less telling the Hub that it was done.
            configs[config] = datasets.DatasetDict.from_parquet(files, cache_dir=str(cache))
    return configs


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a file lies in the folder, links followed, or where the Hub's cache keeps those of the folder."""
    place, root = path.resolve(), folder.resolve()
    is_cached = root.parent.name == "snapshots" and place.is_relative_to(root.parents[1] / "blobs")
    return place.is_relative_to(root) or is_cached


def _files_of(manifest: Mapping[str, Any], config: str, split: str) -> list[str]:
    pattern = re.compile(re.escape(f"{config}/{split}-") + r"\d+-of-\d+\.parquet")
    return sorted(name for name in manifest["files"] if pattern.fullmatch(name))


def _places(config: Mapping[str, Any]) -> Any:
    """Split and pattern of each entry of `data_files`; as it stands where it is written in another way."""
    files = config.get("data_files")
    try:
        return [(each["split"], each["path"]) for each in files or []]
    except (TypeError, KeyError):
        return files
