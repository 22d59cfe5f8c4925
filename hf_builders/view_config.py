"""The options of a load: what every dataset takes, and a clear word about a name that none does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import datasets

from hf_builders.errors import OptionError, did_you_mean
from hf_builders.quarantine import OnBadRow


@dataclass
class ViewConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """Options every dataset takes, as keyword arguments of `load_dataset`. The config's name is the view."""

    on_bad_row: OnBadRow = "raise"
    """A row that cannot be read or breaks the schema stops the load, or is set aside with its reason."""
    download: bool | str = False
    """Get the official files; an address instead of True is a mirror with the same layout."""
    sample: bool = False
    """Use the bundled invented rows, on purpose and so without a warning."""


def check_names(
    dataset: str, config: type[ViewConfig], views: Iterable[str], view: str | None, options: Mapping[str, Any]
) -> None:
    """Raises `OptionError` unless the view and every option are ones the dataset has."""
    if view is not None and view not in views:
        raise OptionError(
            f"{dataset} has no view {view!r}{did_you_mean(view, views)}; its views are {', '.join(views)}"
        )
    libraries_own = {field.name for field in fields(datasets.BuilderConfig)} - {"data_dir", "data_files"}
    known = [field.name for field in fields(config) if field.name not in libraries_own]
    for option in options:
        if option not in [*known, "custom_features", "config_id"]:
            raise OptionError(f"{dataset} has no option {option!r}{did_you_mean(option, known)}")
    if (policy := options.get("on_bad_row", "raise")) not in ("raise", "quarantine"):
        raise OptionError(f"on_bad_row={policy!r}: takes 'raise' or 'quarantine'")
