"""The YAML at the head of a dataset card: what the Hub shows and sorts by, and what `load_dataset` finds files with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import datasets
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCardData

from hf_builders.dataset_facts import NOT_STATED, DatasetFacts, card_header
from hf_builders.errors import OptionError, did_you_mean
from hf_builders.publication import TOKENS, Publication, files_pattern

_SIZES = (
    *((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")),
    *((10**7, "1M<n<10M"), (10**8, "10M<n<100M"), (10**9, "100M<n<1B"), (10**10, "1B<n<10B")),
    *((10**11, "10B<n<100B"), (10**12, "100B<n<1T")),
)
_LICENCE_FIELDS = ("license", "license_name", "license_link")
# https://huggingface.co/docs/hub/repositories-licenses. `other` asks for a name and an address, which nobody gives us.
_LICENCES = re.findall(
    r"\S+",
    """
    afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
    bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0
    etalab-2.0 eupl-1.1 eupl-1.2 fair-noncommercial-research-license gemma gfdl gpl gpl-2.0 gpl-3.0
    grok2-community h-research intel-research isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1 llama3.2
    llama3.3 llama4 lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openmdw-1.0 openrail openrail++ osl-3.0
    pddl postgresql unknown unlicense wtfpl zlib
    """,
)


def card_data(publication: Publication, title: str, facts: DatasetFacts, licence: str) -> DatasetCardData:
    """The header.

    Args:
        licence: in words, or of users' own files as the Hub names it.
    """
    source, is_sample = card_header(facts.name), publication.manifest["dataset"]["sample"]
    is_of_stranger = facts.is_of_user and not is_sample  # the dataset's own card knows nothing of such files
    data = DatasetCardData(
        language=None if is_of_stranger else source["language"],
        **_licence_fields(source, facts, licence),
        pretty_name=title,
        size_categories=[size_category(max(sum(splits.values()) for splits in publication.configs.values()))],
        task_categories=_tasks(source, publication.manifest, is_of_stranger),
        tags=[
            *([] if is_of_stranger else source.get("tags", [])),
            "hf-builders",
            *(["tokenized"] if TOKENS in publication.configs else []),
        ],
    )
    _add_configs(data, publication)
    return data


def size_category(num_rows: int) -> str:
    """How the Hub names a number of rows.

    >>> size_category(999), size_category(115_669)
    ('n<1K', '100K<n<1M')
    """
    return next((name for limit, name in _SIZES if num_rows < limit), "n>1T")


def check_licence(licence: str) -> None:
    """See that the Hub knows a licence by this name.

    Raises:
        OptionError: it does not.

    >>> check_licence("cc-by-4.0")
    """
    if licence not in _LICENCES:
        hint = did_you_mean(licence.lower().replace(" ", "-"), _LICENCES)
        raise OptionError(
            f"licence: the Hub knows none named {licence!r}{hint}; choose one of "
            "https://huggingface.co/docs/hub/repositories-licenses, or leave it out"
        )


def _licence_fields(source: Mapping[str, Any], facts: DatasetFacts, licence: str) -> dict[str, Any]:
    if facts.is_of_user:
        return {"license": "unknown" if licence == NOT_STATED else licence}
    return {name: source[name] for name in _LICENCE_FIELDS if name in source}


def _tasks(source: Mapping[str, Any], manifest: Mapping[str, Any], is_of_stranger: bool) -> list[str]:
    if is_of_stranger:
        return ["question-answering" if manifest.get("spans") else "text-generation"]
    return list(source["task_categories"])


def _add_configs(data: DatasetCardData, publication: Publication) -> None:
    """`configs` says where the files of each split are, `dataset_info` how many rows `load_dataset` must find there."""
    infos, places = {}, {}
    for number, (name, splits) in enumerate(publication.configs.items()):
        files = {split: publication.folder.glob(files_pattern(name, split)) for split in splits}
        sizes = {split: sum(path.stat().st_size for path in paths) for split, paths in files.items()}
        infos[name] = datasets.DatasetInfo(
            features=publication.features[name],
            splits=[
                {"name": split, "num_bytes": sizes[split], "num_examples": num_rows}
                for split, num_rows in splits.items()
            ],
            download_size=sum(sizes.values()),
            dataset_size=sum(sizes.values()),
        )
        data_files = [{"split": split, "path": files_pattern(name, split)} for split in splits]
        places[name] = {**({} if number else {"default": True}), "data_files": data_files}
    DatasetInfosDict(infos).to_dataset_card_data(data)
    MetadataConfigs(places).to_dataset_card_data(data)
