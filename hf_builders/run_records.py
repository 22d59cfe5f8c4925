"""The `dataset` section of a run in, its records out; and which keys of a section make a difference to them."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

import datasets

from hf_builders.builder import RecordBuilder
from hf_builders.errors import ConfigError
from hf_builders.locations import DATA_ENVIRONMENT_VARIABLE
from hf_builders.registry import builder_class
from hf_builders.run_config import CleanSection, DatasetSection, PackSection, SpansSection, TokenizeSection

NO_DIFFERENCE = ("engine", "num_proc")
"""Keys of sections that make no difference to the rows."""


def load_records(section: DatasetSection) -> tuple[RecordBuilder, datasets.DatasetDict]:
    """The records a run names, and the builder that made them.

    Raises:
        HfBuildersError: names, options or raw files are wrong.
    """
    origin = {name: getattr(section, name) for name in ("data_dir", "data_files", "download", "sample")}
    builder = builder_class(section.name)(
        config_name=section.view, on_bad_row=section.on_bad_row, **origin, **section.options
    )
    if section.download and builder.sources is not None:
        root = os.environ[DATA_ENVIRONMENT_VARIABLE]
        raise ConfigError(
            f"dataset.download: {DATA_ENVIRONMENT_VARIABLE}={root} holds {section.name}/ and comes first; "
            "name that folder as dataset.data_dir, or unset the variable"
        )
    builder.download_and_prepare(num_proc=section.num_proc)
    return builder, builder.as_dataset()


def options_of(
    section: DatasetSection | CleanSection | TokenizeSection | SpansSection | PackSection | None,
) -> dict[str, Any]:
    """What of a section makes a difference to the rows; who and how many made them does not."""
    if section is None:
        return {}
    return {name: value for name, value in dataclasses.asdict(section).items() if name not in NO_DIFFERENCE}


def option_text(value: object) -> str:
    """A value of a section as one shows it: a text as it is, all else as JSON.

    >>> option_text("drop"), option_text({"enable_thinking": False})
    ('drop', '{"enable_thinking": false}')
    """
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
