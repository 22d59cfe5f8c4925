"""The datasets there are, found by looking at the folders, and the route to them that needs no hook."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_builders.errors import OptionError, SourceError, did_you_mean
from hf_builders.quarantine import Account, read_accounts

if TYPE_CHECKING:
    import datasets

    from hf_builders.builder import RecordBuilder

PREFIX = "hf_builders/"
_FOLDER = Path(__file__).parent


def list_datasets() -> list[str]:
    """The names of all datasets, sorted.

    >>> "adgen" in list_datasets()
    True
    """
    return sorted(path.parent.name for path in _FOLDER.glob("*/builder.py"))


def builder_class(name: str) -> type[RecordBuilder]:
    """The builder of a dataset, by its name with or without the prefix `hf_builders/`.

    Raises:
        OptionError: there is no such dataset.
    """
    bare, known = name.removeprefix(PREFIX), list_datasets()
    if bare not in known:
        raise OptionError(f"no dataset {bare!r}{did_you_mean(bare, known)}; the datasets are {', '.join(known)}")
    cls: type[RecordBuilder] = importlib.import_module(f"hf_builders.{bare}.builder").Builder
    return cls


def load_dataset(
    name: str,
    view: str | None = None,
    *,
    split: str | datasets.Split | None = None,
    streaming: bool = False,
    num_proc: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download_mode: str | datasets.DownloadMode | None = None,
    **options: Any,
) -> Any:
    """What `datasets.load_dataset("hf_builders/<name>", view)` gives, through the public API of `datasets` alone.

    Args:
        name: with or without the prefix `hf_builders/`.
        view: one of the dataset's card; None is its default, the first of them.
        options: `data_dir`, `data_files`, `download`, `sample`, `on_bad_row` and the dataset's own.

    Raises:
        HfBuildersError: an unknown name or option, missing files, a bad row.

    >>> load_dataset("adgen", "messages", split="validation", sample=True).column_names
    ['id', 'messages']
    """
    builder = builder_class(name)(
        cache_dir=None if cache_dir is None else os.fspath(cache_dir), config_name=view, **options
    )
    if streaming:
        return builder.as_streaming_dataset(split=split)
    builder.download_and_prepare(num_proc=num_proc, download_mode=download_mode)
    return builder.as_dataset(split=split)


def account(dataset: datasets.Dataset | datasets.DatasetDict) -> dict[str, Account]:
    """Where the raw rows of a loaded dataset went, by split: `read = kept + left_out + quarantined`.

    The bad rows themselves lie in `quarantine-*.jsonl` beside the Arrow files.

    >>> account(load_dataset("adgen", sample=True))["train"].kept
    240
    """
    some = next(iter(dataset.values())) if isinstance(dataset, dict) else dataset
    if not getattr(some, "cache_files", None):
        raise SourceError(
            "this dataset is not the one load_dataset returned (no file of it is known), so it has no account"
        )
    return read_accounts(Path(some.cache_files[0]["filename"]).parent)
