"""The manifest of a folder that anybody may have made in; the same, once all that is relied on is seen to be there.

Names of files lead nowhere out of the folder, numbers are numbers, options are such as a run config may have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from hf_builders.errors import SourceError
from hf_builders.prepared_folder import MANIFEST
from hf_builders.run_config import CleanSection, DatasetSection, PackSection, SpansSection, TokenizeSection
from hf_builders.run_records import options_of
from hf_builders.yaml_sections import read_section

_OURS = {"digest", "tokenizer_digest", "published"}
"""Keys by which a manifest.json is known as one of ours, be it damaged or not."""
_MADE_WITH: dict[str, type[Any]] = {"tokenize": TokenizeSection, "spans": SpansSection, "pack": PackSection}
_READ_FROM: dict[str, type[Any]] = {"dataset": DatasetSection, "clean": CleanSection}
"""Sections that say where raw files are; what is published names none."""
_LARGEST = 1 << 62
_NAME = re.compile(r"\w[\w.-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_checked_manifest(folder: Path, place: str) -> dict[str, Any] | None:
    """The manifest of a prepared folder, or of one that was published; None where there is none of ours.

    Raises:
        SourceError: it is damaged, or not as this version writes it.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{place}: {MANIFEST} cannot be read ({error}); get it again") from error
    if not isinstance(manifest, dict) or _OURS.isdisjoint(manifest):
        return None
    faults: list[str] = []
    is_published = "published" in manifest
    sections = _MADE_WITH if is_published else _MADE_WITH | _READ_FROM
    read = {name: _section(cls, manifest.get(name) or {}, name, faults) for name, cls in sections.items()}
    faults += _faults(manifest, is_published)
    if not faults and bool(read["tokenize"]) == bool(read["spans"]):
        faults.append("tokenize, spans: one of them says how the rows were made")
    if faults:
        raise SourceError(
            f"{place}: {MANIFEST}: {faults[0]}; it is damaged, or made by another version, that can verify it"
        )
    return {**manifest, "clean": {}, **read}


def _section(cls: type[Any], content: Any, name: str, faults: list[str]) -> dict[str, Any]:
    return options_of(read_section(cls, content, name, faults)) if content else {}


def _faults(manifest: Mapping[str, Any], is_published: bool) -> Iterator[str]:
    yield from _hash(manifest.get("digest"), "digest")
    yield from _unless(
        isinstance(manifest.get("tokenizer_digest"), str), "tokenizer_digest", manifest.get("tokenizer_digest"), "text"
    )
    yield from _each(manifest.get("splits"), "splits", _split_faults)
    yield from _each(manifest.get("files"), "files", _published_file if is_published else _count, is_path=True)
    sources = manifest.get("sources")
    are_sources = isinstance(sources, list) and all(
        isinstance(each, Mapping) and all(isinstance(each.get(name), str) for name in ("name", "sha256"))
        for each in sources
    )
    yield from _unless(are_sources, "sources", sources, "a list of files with name and sha256")
    if is_published:
        dataset = manifest.get("dataset")
        is_named = isinstance(dataset, Mapping) and all(
            isinstance(dataset.get(name), str) and _NAME.fullmatch(dataset[name]) for name in ("name", "view")
        )
        yield from _unless(is_named, "dataset", dataset, "its name and view")
        published = manifest["published"]
        yield from _each(
            published.get("configs") if isinstance(published, Mapping) else None, "published.configs", _config
        )


def _split_faults(summary: Any, place: str) -> Iterator[str]:
    if not isinstance(summary, Mapping):
        yield from _unless(False, place, summary, "a mapping")
        return
    for name in ("rows_read", "rows_kept", "tokens"):
        yield from _count(summary.get(name), f"{place}.{name}")
    for name in ("windows", "trained_tokens"):
        yield from _count(summary.get(name, 0), f"{place}.{name}")
    for name in ("left_out", "quarantined", "set_aside"):
        yield from _each(summary.get(name), f"{place}.{name}", _count, names=None)
    if (packed := summary.get("packed")) is not None:
        rows = packed.get("rows") if isinstance(packed, Mapping) else None
        yield from _count(rows, f"{place}.packed.rows")


def _published_file(facts: Any, place: str) -> Iterator[str]:
    facts = facts if isinstance(facts, Mapping) else {}
    yield from _count(facts.get("num_bytes"), f"{place}.num_bytes")
    yield from _hash(facts.get("sha256"), f"{place}.sha256")


def _config(config: Any, place: str) -> Iterator[str]:
    yield from _each(config.get("splits") if isinstance(config, Mapping) else None, f"{place}.splits", _count)


def _hash(value: Any, place: str) -> Iterator[str]:
    is_hash = isinstance(value, str) and _SHA256.fullmatch(value) is not None
    yield from _unless(is_hash, place, value, "64 hexadecimal digits")


def _count(value: Any, place: str) -> Iterator[str]:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST
    yield from _unless(is_count, place, value, "a whole number from 0")


def _each(
    values: Any, place: str, faults_of: Any, *, names: re.Pattern[str] | None = _NAME, is_path: bool = False
) -> Iterator[str]:
    """The faults of each value of a mapping whose keys are names, paths, or any text."""
    if not isinstance(values, Mapping):
        yield from _unless(False, place, values, "a mapping")
        return
    for name, value in values.items():
        if is_path:
            yield from _unless(_stays_inside(name), place, name, "the path of a file in the folder")
        elif names is not None:
            yield from _unless(names.fullmatch(name) is not None, place, name, "a name")
        yield from faults_of(value, f"{place}.{name}")


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return name.isprintable() and bool(path.parts) and not (path.is_absolute() or ".." in path.parts or "\\" in name)


def _unless(is_so: bool, place: str, value: Any, expected: str) -> Iterator[str]:
    if not is_so:
        yield f"{place}: is {'missing' if value is None else f'{value!r:.60}'}; expected {expected}"
