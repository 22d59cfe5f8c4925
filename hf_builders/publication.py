"""A prepared folder in; the files of a dataset repository out, as they are pushed and as `verify` reads them.

README.md           the card (`dataset_card`)
manifest.json       of the prepared folder, less the paths of its machine; with the hash of every file but these two
CONFIG/*.parquet    SPLIT-NNNNN-of-NNNNN of `tokens`, the rows of data/; and of views, by their names
quarantine.json     how many rows were set aside, by split and reason
quarantine/*.jsonl  the rows themselves, where that is asked for
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq

from hf_builders.cleaned_records import clean_records
from hf_builders.dataset_facts import DatasetFacts, licence_of_rows
from hf_builders.errors import OptionError, SourceError, did_you_mean
from hf_builders.prepared_folder import MANIFEST
from hf_builders.prepared_rows import check_sources
from hf_builders.progress import stage
from hf_builders.publishable_manifest import without_paths
from hf_builders.registry import builder_class
from hf_builders.run_config import CleanSection, DatasetSection
from hf_builders.run_records import load_records
from hf_builders.sources import file_sha256

TOKENS = "tokens"
"""The config that holds the rows of data/."""
CARD = "README.md"
QUARANTINE = "quarantine.json"
_SHARD_BYTES = 256 << 20
_SET_ASIDE = ("left_out", "quarantined", "set_aside")
_NOT_CLEANED = ("source", "mrc")
"""Views whose texts are nobody's turns, or have offsets into them."""


@dataclass(frozen=True)
class Publication:
    """What is in a folder that is ready to be pushed."""

    folder: Path
    manifest: dict[str, Any]
    """As it stands there."""
    configs: dict[str, dict[str, int]]
    """Rows by config and split."""
    features: dict[str, datasets.Features]

    @property
    def paths(self) -> list[Path]:
        """Of all files, the data first."""
        return sorted(
            (path for path in self.folder.rglob("*") if path.is_file()),
            key=lambda path: (path.suffix != ".parquet", path.as_posix()),
        )


def write_publication(
    folder: Path,
    place: Path,
    manifest: Mapping[str, Any],
    facts: DatasetFacts,
    tokens: datasets.DatasetDict | None,
    views: Sequence[str],
    *,
    with_quarantine: bool = False,
    licence: str | None = None,
) -> Publication:
    """Write all files but the card into an empty folder.

    Args:
        place: the prepared folder, whose manifest is given.
        tokens: what lies in its data/; None publishes views alone.
        views: of the dataset. They are read again from the raw files, and cleaned as the run cleans; `source` and
            `mrc` stay as they are, unless the run was made of that view.
        licence: of users' own files, as the Hub names it.

    Raises:
        OptionError: a view that the dataset has not.
        SourceError: the raw files, or the rows set aside, are no longer those that were prepared; or a split is empty.
    """
    check_views(manifest["dataset"]["name"], views)
    configs: dict[str, dict[str, int]] = {}
    features: dict[str, datasets.Features] = {}
    for name, splits in _configs(place, manifest, tokens, views):
        configs[name] = {split: len(rows) for split, rows in splits.items()}
        if empty := [split for split, rows in configs[name].items() if not rows]:
            raise SourceError(f"{place}: {name}: {empty[0]} has no rows, and nobody could load it; leave {name} out")
        features[name] = next(iter(splits.values())).features
        with stage(f"{name}: write", sum(configs[name].values()), " rows") as done:
            for split, rows in splits.items():
                assert rows.features == features[name]
                _write_parquet(rows, folder / name, split, done)
    if with_quarantine:
        _copy_quarantine(place, folder, manifest)
    _write_json(folder / QUARANTINE, quarantine_summary(manifest))
    files = {
        path.relative_to(folder).as_posix(): {"num_bytes": path.stat().st_size, "sha256": file_sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    published = {
        "licence": licence_of_rows(facts, is_sample=manifest["dataset"]["sample"], said=licence),
        "configs": {name: {"splits": splits} for name, splits in configs.items()},
    }
    written = {**without_paths(manifest, place), "published": published, "files": files}
    _write_json(folder / MANIFEST, written)
    return Publication(folder, written, configs, features)


def files_pattern(config: str, split: str) -> str:
    """Which files hold a split, as the card says it."""
    return f"{config}/{split}-*.parquet"


def quarantine_summary(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By split: rows read and kept, and how many were not kept by reason. No text of theirs."""
    return {
        split: {name: summary[name] for name in ("rows_read", "rows_kept", *_SET_ASIDE)}
        for split, summary in manifest["splits"].items()
    }


def check_views(name: str, views: Sequence[str]) -> None:
    """See that a dataset has these views.

    Raises:
        OptionError: it has not.
    """
    known = [config.name for config in builder_class(name).builder_configs.values()]
    for view in views:
        if view not in known:
            raise OptionError(f"no view {view!r} of {name}{did_you_mean(view, known)}; there are {', '.join(known)}")


def _configs(
    place: Path, manifest: Mapping[str, Any], tokens: datasets.DatasetDict | None, views: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, datasets.Dataset]]]:
    if tokens is not None:
        yield TOKENS, tokens
    for view in dict.fromkeys(views):
        builder, records = load_records(replace(DatasetSection(**manifest["dataset"]), view=view))
        check_sources(place, manifest, Path(builder.cache_dir))
        if (clean := _cleaning_of(view, manifest)) is not None:
            records, _ = clean_records(records, clean, Path(builder.cache_dir))
        yield view, records


def _cleaning_of(view: str, manifest: Mapping[str, Any]) -> CleanSection | None:
    """What of the run's cleaning goes for a view; its own is published as it was tokenized."""
    section = CleanSection(**manifest["clean"]) if manifest.get("clean") else None
    if section is None or view == manifest["dataset"]["view"]:
        return section
    return replace(section, template=None, columns={}) if section.steps and view not in _NOT_CLEANED else None


def _copy_quarantine(place: Path, folder: Path, manifest: Mapping[str, Any]) -> None:
    """What the run wrote there, and nothing that was put beside it."""
    for name, num_bytes in manifest["files"].items():
        if name.startswith("quarantine/"):
            if (place / name).stat().st_size != num_bytes:
                raise SourceError(f"{place / name}: changed since it was prepared; run `hf-builders prepare` again")
            (folder / "quarantine").mkdir(exist_ok=True)
            shutil.copyfile(place / name, folder / name)


def _write_parquet(rows: datasets.Dataset, folder: Path, split: str, done: Callable[[int], object]) -> None:
    """In shards of about 256 MiB of Arrow memory; equal rows give equal bytes, so that what is uploaded stays so."""
    folder.mkdir(exist_ok=True)
    num_bytes = rows.data.nbytes * len(rows) // len(rows.data)  # `rows` may be a selection
    num_shards = min(max(-(-num_bytes // _SHARD_BYTES), 1), len(rows))
    for shard in range(num_shards):
        path = folder / f"{split}-{shard:05d}-of-{num_shards:05d}.parquet"
        part = rows.shard(num_shards, shard, contiguous=True)
        part.to_parquet(path)
        assert pq.ParquetFile(path).metadata.num_rows == len(part)
        done(len(part))


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
