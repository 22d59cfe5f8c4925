"""A publication in, its dataset card out: a header the Hub validates, and a body made of the manifest's own numbers.

What the source is, its known defects and its citation come from the dataset's own card (`hf_builders/NAME/README.md`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from huggingface_hub import DatasetCard

from hf_builders import dataset_card_tables as tables
from hf_builders.dataset_card_header import card_data
from hf_builders.dataset_facts import DatasetFacts, card_header, card_sections
from hf_builders.markdown import code
from hf_builders.publication import TOKENS, Publication
from hf_builders.summaries import first_split

_TEMPLATE = "dataset_card.md.jinja"
_SECTIONS = {"Source": "Source", "Known defects": "Known defects of the source", "Citation": "Citation"}
_OF_THE_SAMPLE = re.compile(r"^### In the sample\n.*?(?=^### |\Z)", re.MULTILINE | re.DOTALL)
_ANY_MODEL = "path/to/model"


def dataset_card(publication: Publication, repo_id: str, facts: DatasetFacts) -> str:
    """The text of README.md."""
    manifest = publication.manifest
    licence = manifest["published"]["licence"]
    name = _name(repo_id, facts, manifest)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    body = environment.get_template(_TEMPLATE).render(
        name=name,
        repo_id=repo_id,
        facts=facts,
        licence=licence,
        manifest=manifest,
        publication=publication,
        configs=publication.configs,
        default=next(iter(publication.configs)),
        has_tokens=TOKENS in publication.configs,
        has_records=manifest["dataset"]["view"] in publication.configs,
        all_trained=all(each.get("trained_tokens") == each["tokens"] for each in manifest["splits"].values()),
        has_quarantine=(publication.folder / "quarantine").is_dir(),
        kind="windows" if manifest.get("spans") else "packed rows" if manifest.get("pack") else "token rows",
        split=first_split(manifest["splits"]),
        code=code,
        tables=tables,
        sections=_sections(facts, manifest),
        **_to_train_with(manifest),
    )
    head = card_data(publication, name, facts, licence).to_yaml()
    return str(DatasetCard(f"---\n{head}\n---\n\n{body}"))


def _name(repo_id: str, facts: DatasetFacts, manifest: Mapping[str, Any]) -> str:
    """What people call the set: files of somebody's own go by the name they are published under."""
    if manifest["dataset"]["sample"]:
        return f"{card_header(facts.name)['pretty_name']} (invented sample)"
    return repo_id.split("/")[-1] if facts.is_of_user else str(card_header(facts.name)["pretty_name"])


def _sections(facts: DatasetFacts, manifest: Mapping[str, Any]) -> dict[str, str]:
    """What the dataset's own card says that holds for rows made of it."""
    if facts.is_of_user:
        return {}
    texts = {title: text for title, text in card_sections(facts.name).items() if title in _SECTIONS}
    if not manifest["dataset"]["sample"]:
        texts = {title: _OF_THE_SAMPLE.sub("", text).strip() for title, text in texts.items()}
    return {_SECTIONS[title]: text for title, text in texts.items()}


def _to_train_with(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The words of the card's code that differ from run to run."""
    tokenizer = (manifest["tokenize"] or manifest["spans"])["tokenizer"]
    is_at_hub = "/" in tokenizer  # other folders are published by their last part
    if manifest.get("spans"):
        head, collator = "QuestionAnswering", "SpanCollator(tokenizer)"
    elif manifest.get("pack"):
        head, collator = "CausalLM", "PackingCollator(tokenizer, attention=model.config._attn_implementation)"
    else:
        head, collator = "CausalLM", "PaddingCollator(tokenizer)"
    return {
        "head": head,
        "collator": collator,
        "tokenizer": json.dumps(tokenizer, ensure_ascii=False),
        "model": json.dumps(tokenizer if is_at_hub else _ANY_MODEL, ensure_ascii=False),
        "note": "" if is_at_hub else "  # a model with this tokenizer",
    }
