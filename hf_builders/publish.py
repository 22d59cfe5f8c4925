"""A prepared folder in, a dataset on the Hub out, if the licence of what it was made of does not forbid that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import datasets
from huggingface_hub.errors import HfHubHTTPError

from hf_builders.dataset_facts import dataset_facts
from hf_builders.errors import OptionError, SourceError
from hf_builders.prepared_folder import read_manifest
from hf_builders.prepared_split import digest_of_saved


@dataclass(frozen=True)
class Pushed:
    repo_id: str
    num_rows: int
    licence: str
    """Of what the rows were made of."""


def push(folder: str | Path, repo_id: str, *, private: bool = False) -> Pushed:
    """Upload the token rows of a prepared folder, as Parquet with the same splits.

    Args:
        folder: what `prepare` wrote.
        repo_id: `organisation/name`, made if it is not there; the Hub is that of `HF_ENDPOINT`, the token that of
            `huggingface_hub`.

    Raises:
        OptionError: what the rows were made of may not be published.
        SourceError: nothing was prepared there, it is no longer what was prepared, or the Hub does not take it.
    """
    manifest = read_manifest(folder)
    facts = dataset_facts(manifest["dataset"]["name"])
    if facts.barred:
        raise OptionError(f"{folder}: was made of {facts.name}, which may not be published: {facts.barred}")
    splits = datasets.load_from_disk(Path(folder).expanduser() / "data")
    if digest_of_saved(splits) != manifest["digest"]:
        raise SourceError(f"{folder}: data/ is not what manifest.json proves; run `hf-builders prepare` again")
    try:
        splits.push_to_hub(repo_id, private=private)
    except (HfHubHTTPError, OSError) as error:
        raise SourceError(f"{repo_id}: cannot be pushed ({error}); is the token one that may write there?") from error
    return Pushed(repo_id, sum(splits.num_rows.values()), facts.licence)
