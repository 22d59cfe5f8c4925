"""What names the tokenizer of a set in; the tokenizer, if it is here and is the right one, or why it is not, out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import collators
from collators.errors import TokenizationError
from collators.tokenizers import tokenizer_digest
from hf_builders.errors import SourceError
from hf_builders.prepared_folder import MANIFEST
from hf_builders.publishable_manifest import is_hub_name

_WAY_OUT = "name the tokenizer of the rows (--tokenizer)"


def find_tokenizer(place: str, named: str | None, manifest: Mapping[str, Any] | None) -> tuple[Any | None, str]:
    """The tokenizer that was named, or else that of the manifest; or None, and why.

    Raises:
        SourceError: the one that was named is not that of the manifest.
        collators.TokenizationError: there is none of the name given.
    """
    if named is not None:
        tokenizer = collators.load_tokenizer(named)
        if manifest is not None and tokenizer_digest(tokenizer) != manifest["tokenizer_digest"]:
            raise SourceError(f"{place}: {named} is not the tokenizer of the rows; {MANIFEST} has its digest")
        return tokenizer, ""
    if manifest is None:
        return None, _WAY_OUT
    name = str((manifest["tokenize"] or manifest["spans"])["tokenizer"])
    if "published" in manifest and not _is_name(name):
        return None, f"{name if name.isprintable() else repr(name)} is not here; {_WAY_OUT}"
    try:
        tokenizer = collators.load_tokenizer(name)
    except TokenizationError as error:
        return None, f"{error}; {_WAY_OUT}"
    if tokenizer_digest(tokenizer) != manifest["tokenizer_digest"]:
        return None, f"{name} is not, or no longer, that of the rows; {_WAY_OUT}"
    return tokenizer, ""


def _is_name(name: str) -> bool:
    """Whether what somebody published names one on the Hub, or in the folder we are in; other folders are not read."""
    return is_hub_name(name) and ("/" in name or Path(name).is_dir())
