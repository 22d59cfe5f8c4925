"""What a user is told of a dataset before any row is read: what it is, under which licence, and how to get it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hf_builders.locations import Download
from hf_builders.registry import builder_class

NOT_STATED = "not stated"
"""The licence, where nobody has named one."""


@dataclass(frozen=True)
class DatasetFacts:
    name: str
    summary: str
    licence: str
    """Of the official files, as their card has it."""
    how_to_get: str
    """What to do, and the option of `load_dataset` that goes with it."""
    barred: str
    """Why nobody may publish what is made of it; empty where the licence leaves it to the user."""
    is_of_user: bool = False
    """Whether the files, and so the licence, are the user's own."""


def dataset_facts(name: str) -> DatasetFacts:
    """The facts about one dataset.

    Raises:
        OptionError: there is no such dataset.

    >>> dataset_facts("cmrc2018").licence
    'cc-by-sa-4.0'
    """
    builder = builder_class(name)
    bare = builder.__module__.split(".")[1]
    if not builder.official_files:
        licence, how_to_get = "that of your files", "your own files; data_files= or data_dir="
    else:
        licence = _licence(card_header(bare))
        if builder.official_download is not None:
            how_to_get = f"download=True gets it from {_address(builder.official_download)}"
        else:
            how_to_get = f"{builder.how_to_get}; then data_dir="
    return DatasetFacts(
        bare, builder.summary(), licence, how_to_get, builder.barred, is_of_user=not builder.official_files
    )


def card_header(name: str) -> dict[str, Any]:
    """The YAML at the head of a dataset's card."""
    header: dict[str, Any] = yaml.safe_load(_card(name).split("---\n", 2)[1])
    return header


def card_sections(name: str) -> dict[str, str]:
    """The text under each heading of a dataset's card.

    >>> card_sections("cmrc2018")["Citation"].splitlines()[0]
    '```bibtex'
    """
    _, *rest = re.split(r"^## (.+)\n", _card(name), flags=re.MULTILINE)
    return {title: text.strip() for title, text in zip(rest[::2], rest[1::2], strict=True)}


def licence_of_rows(facts: DatasetFacts, *, is_sample: bool, said: str | None = None) -> str:
    """Of rows made of a dataset: its own; of users' files what they say, where the sample's is the project's.

    >>> licence_of_rows(dataset_facts("conversations"), is_sample=False)
    'not stated'
    """
    if not facts.is_of_user:
        return facts.licence
    return said or (str(card_header(facts.name)["license"]) if is_sample else NOT_STATED)


def _card(name: str) -> str:
    return Path(__file__).with_name(name).joinpath("README.md").read_text(encoding="utf-8")


def _address(download: Download) -> str:
    """Of the one file there is, or of the folder of several."""
    paths = list(download.files)
    return f"{download.base_url}/{paths[0]}" if len(paths) == 1 else download.base_url


def _licence(header: dict[str, Any]) -> str:
    """A name for people: the Hub's short one, or where it has none the licence's own and its address."""
    if header["license"] == "unknown":
        return NOT_STATED
    if header["license"] != "other":
        return str(header["license"])
    return f"{header['license_name']} ({header['license_link']})"
