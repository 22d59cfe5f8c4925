"""Chinese vertical-domain data as Hugging Face datasets, with every row accounted for.

    import hf_builders
    from datasets import load_dataset

    load_dataset("hf_builders/adgen", "messages", data_dir="AdvertiseGen")

Importing this package makes the names above work in `datasets`; `hf_builders.load_dataset` needs no such hook.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hf_builders import load_hook

if TYPE_CHECKING:
    from hf_builders.errors import ConfigError, HfBuildersError, HubError, OptionError, RowError, SourceError
    from hf_builders.exports import export
    from hf_builders.publish import push
    from hf_builders.quarantine import Account
    from hf_builders.registry import account, list_datasets, load_dataset
    from hf_builders.verification import verify

__version__ = "0.1.0"
__all__ = [
    "Account",
    "ConfigError",
    "HfBuildersError",
    "HubError",
    "OptionError",
    "RowError",
    "SourceError",
    "account",
    "export",
    "list_datasets",
    "load_dataset",
    "push",
    "verify",
]

_HOMES = {
    "Account": "quarantine",
    "account": "registry",
    "export": "exports",
    "list_datasets": "registry",
    "load_dataset": "registry",
    "push": "publish",
    "verify": "verification",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


load_hook.install()
