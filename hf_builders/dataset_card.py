"""A publication in, its dataset card out: a header the Hub validates, and a body made of the manifest's own numbers.

What the source is, its known defects and its citation come from the dataset's own card (`hf_builders/NAME/README.md`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard, DatasetCardData

from hf_builders.dataset_facts import DatasetFacts, card_header, card_sections
from hf_builders.publication import TOKENS, Publication

_TEMPLATE = Path(__file__).with_name("dataset_card.md.jinja")
_SECTIONS = ("Source", "Known defects", "Known limits", "Citation")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10**7, "1M<n<10M"),
          (10**8, "10M<n<100M"), (10**9, "100M<n<1B"))  # fmt: skip
_LICENCE_FIELDS = ("license", "license_name", "license_link")
_VIEWS = {
    TOKENS: "token rows: ids and labels, ready for a Trainer",
    "source": "the source's own columns",
    "messages": "conversations of `{role, content}`",
    "conversations": "conversations in ChatGLM3's fine-tuning format",
    "instruction": "`instruction`, `input`, `output`",
    "mrc": "questions on texts in SQuAD's columns",
    "text": "plain texts",
}


def dataset_card(publication: Publication, repo_id: str, facts: DatasetFacts, *, licence: str | None = None) -> str:
    """The text of README.md.

    Args:
        licence: of users' own files, as the Hub names it; of a dataset with a licence of its own, that is named.

    >>> size_category(999), size_category(115_669)
    ('n<1K', '100K<n<1M')
    """
    manifest, source = publication.manifest, card_header(facts.name)
    title = f"{source['pretty_name']}{' (invented sample)' if manifest['dataset']['sample'] else ''}"
    header = DatasetCardData(
        language=source["language"],
        **_licence_fields(source, facts, licence),
        pretty_name=title,
        size_categories=[size_category(max(sum(splits.values()) for splits in publication.configs.values()))],
        task_categories=source["task_categories"],
        tags=[*source.get("tags", []), "hf-builders", *(["tokenized"] if TOKENS in publication.configs else [])],
    )
    _add_configs(header, publication)
    card = DatasetCard.from_template(
        header,
        template_path=str(_TEMPLATE),
        title=title,
        repo_id=repo_id,
        facts=facts,
        licence=licence or facts.licence,
        manifest=manifest,
        configs=[
            (name, _VIEWS.get(name, ""), list(publication.features[name]), splits)
            for name, splits in publication.configs.items()
        ],
        default=next(iter(publication.configs)),
        rules=manifest["tokenize"] or manifest["spans"],
        reasons=list(_reasons(manifest["splits"])),
        sections={name: text for name, text in card_sections(facts.name).items() if name in _SECTIONS},
        code=_code,
    )
    return str(card)


def size_category(num_rows: int) -> str:
    """How the Hub names a number of rows."""
    return next((name for limit, name in _SIZES if num_rows < limit), "n>1B")


def _licence_fields(source: Mapping[str, Any], facts: DatasetFacts, licence: str | None) -> dict[str, Any]:
    if facts.is_of_user:
        return {"license": licence or "unknown"}
    return {name: source[name] for name in _LICENCE_FIELDS if name in source}


def _add_configs(header: DatasetCardData, publication: Publication) -> None:
    """`configs` says where the files of each split are, `dataset_info` how many rows `load_dataset` must find there."""
    infos, places = {}, {}
    for number, (name, splits) in enumerate(publication.configs.items()):
        files = {split: sorted((publication.folder / name).glob(f"{split}-*.parquet")) for split in splits}
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
        data_files = [{"split": split, "path": f"{name}/{split}-*.parquet"} for split in splits]
        places[name] = {**({} if number else {"default": True}), "data_files": data_files}
    DatasetInfosDict(infos).to_dataset_card_data(header)
    MetadataConfigs(places).to_dataset_card_data(header)


def _reasons(splits: Mapping[str, Mapping[str, Any]]) -> Any:
    """Split, what became of some rows, why, and how many."""
    for split, summary in splits.items():
        for kind in ("left_out", "quarantined", "set_aside"):
            for reason, count in summary[kind].items():
                yield split, kind.replace("_", " "), reason, count


def _code(text: object) -> str:
    """Text of the data as Markdown shows it and does not read it, also in a table."""
    flat = re.sub(r"\s+", " ", str(text)).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", flat)), default=0)
    return f"{'`' * (longest + 1)}{' ' if longest else ''}{flat}{' ' if longest else ''}{'`' * (longest + 1)}"
