"""What `push` would send, in a folder of its own: a copy of a repository without a Hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import datasets

from hf_builders.dataset_card import dataset_card
from hf_builders.dataset_facts import dataset_facts
from hf_builders.prepared_folder import read_manifest
from hf_builders.publication import CARD, write_publication


def published_copy(prepared: Path, copy: Path, views: Sequence[str] = (), *, tokens: bool = True) -> Path:
    """A folder with all that is pushed of a prepared one."""
    manifest = read_manifest(prepared)
    facts = dataset_facts(manifest["dataset"]["name"])
    copy.mkdir(parents=True)
    splits = datasets.load_from_disk(prepared / "data") if tokens else None
    publication = write_publication(copy, prepared, manifest, facts, splits, views)
    (copy / CARD).write_text(dataset_card(publication, "you/rows", facts), encoding="utf-8")
    return copy
