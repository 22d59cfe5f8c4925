"""Prepared folders made public in a folder beside them, card included; nothing here asks a Hub."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import datasets

from hf_builders.dataset_card import dataset_card
from hf_builders.dataset_facts import dataset_facts
from hf_builders.prepare import prepare
from hf_builders.prepared_folder import read_manifest
from hf_builders.publication import CARD, write_publication
from hf_builders.run_config import CleanSection, DatasetSection, OutputSection, PackSection, RunConfig, TokenizeSection
from tests.hf_builders.span_runs import config_of

TOKENIZER = str(Path(__file__).parents[2] / "configs" / "demo_tokenizer")
REPO_ID = "somebody/rows"
OWN = Path(__file__).parents[2] / "hf_builders"


class Public(NamedTuple):
    folder: Path
    manifest: dict[str, Any]
    card: str


def prepared(
    folder: Path,
    name: str = "adgen",
    *,
    view: str = "messages",
    tokenizer: str = TOKENIZER,
    overflow: str = "truncate_prompt",
    max_length: int = 256,
    pack: bool = False,
    clean: CleanSection | None = None,
    **dataset: Any,
) -> Path:
    """A prepared folder: of the sample, unless `dataset` says what else is read; windows in the view `mrc`."""
    if not {"data_dir", "data_files"} & set(dataset):
        dataset["sample"] = True
    if view == "mrc":
        prepare(config_of(folder, name, dataset=dataset))
        return folder
    tokenize = TokenizeSection(tokenizer=tokenizer, max_length=max_length, overflow=overflow)  # type: ignore[arg-type]
    config = RunConfig(
        dataset=DatasetSection(name=name, view=view, **dataset),
        tokenize=tokenize,
        output=OutputSection(dir=str(folder)),
    )
    prepare(replace(config, pack=PackSection() if pack else None, clean=clean))
    return folder


def published(
    place: Path,
    views: Sequence[str] = (),
    *,
    tokens: bool = True,
    licence: str | None = None,
    manifest: Mapping[str, Any] | None = None,
    with_quarantine: bool = False,
) -> Public:
    """What would be pushed of a prepared folder, in a folder beside it."""
    folder = place.with_name(f"{place.name}_public")
    folder.mkdir()
    known = manifest or read_manifest(place)
    facts = dataset_facts(known["dataset"]["name"])
    rows = datasets.load_from_disk(place / "data") if tokens else None
    publication = write_publication(
        folder, place, known, facts, rows, views, with_quarantine=with_quarantine, licence=licence
    )
    card = dataset_card(publication, REPO_ID, facts)
    (folder / CARD).write_text(card, encoding="utf-8")
    return Public(folder, json.loads((folder / "manifest.json").read_text(encoding="utf-8")), card)


def rows_of(splits: Mapping[str, datasets.Dataset]) -> dict[str, dict[str, Any]]:
    return {name: split.to_dict() for name, split in splits.items()}


def write_lines(path: Path, rows: Sequence[object]) -> Path:
    """JSON Lines; a text stands there as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def adgen_rows(number: int) -> list[dict[str, str]]:
    return [{"content": f"类型#裙*颜色#{place}", "summary": f"第{place}条裙子。"} for place in range(number)]
