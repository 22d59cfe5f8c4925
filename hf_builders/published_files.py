"""A copy of what was pushed in; its files compared with the manifest, and its rows, out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets

from hf_builders.prepared_folder import MANIFEST
from hf_builders.sources import file_sha256


def file_faults(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Files that are gone, are others than were published, or stand among them and were not."""
    faults = []
    for name, expected in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            faults.append(f"{name}: is gone")
        elif (num_bytes := path.stat().st_size) != expected["num_bytes"]:
            faults.append(f"{name}: has {num_bytes:,} bytes; {MANIFEST} says {expected['num_bytes']:,}")
        elif (sha256 := file_sha256(path)) != expected["sha256"]:
            faults.append(f"{name}: has the SHA-256 {sha256}; {MANIFEST} says {expected['sha256']}")
    for config in manifest["published"]["configs"]:
        there = {path.relative_to(folder).as_posix() for path in (folder / config).rglob("*.parquet")}
        faults += [f"{name}: was not published with the others" for name in sorted(there - set(manifest["files"]))]
    return faults


def read_configs(folder: Path, manifest: Mapping[str, Any], cache: Path) -> dict[str, datasets.DatasetDict]:
    """The rows of every config, read from the files by `datasets` into `cache`."""
    configs = {}
    for config, described in manifest["published"]["configs"].items():
        files = {
            split: sorted(str(path) for path in (folder / config).glob(f"{split}-*.parquet"))
            for split in described["splits"]
        }
        configs[config] = datasets.load_dataset("parquet", data_files=files, cache_dir=str(cache))
    return configs
