"""Splits for datasets that come without: by a hash of what a record asks, so that a question stays in one split."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from hf_builders.errors import OptionError


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Raises `OptionError` unless each fraction is above 0 and `train` keeps a share."""
    for split, fraction in fractions.items():
        if not isinstance(fraction, (int, float)) or not 0 < fraction < 1:
            raise OptionError(f"{split}={fraction!r}: a fraction of the rows must lie between 0 and 1")
    if sum(fractions.values()) >= 1:
        parts = ", ".join(f"{split}={fraction}" for split, fraction in fractions.items())
        raise OptionError(f"{parts}: nothing is left for train; the fractions must add up to less than 1")


def assign_splits(keys: pa.Array, fractions: Mapping[str, float]) -> pa.Array:
    """The split of each of n keys, such as questions; `train` has what the fractions leave over.

    Keys that differ only in letter case, width, spaces or punctuation share a split. A row's split depends on its key
    and the fractions alone, so it does not move when other rows come or go.

    >>> questions = pa.array(["头痛怎么办？", "头痛 怎么办", "高血压能吃党参吗", "胃痛"])
    >>> assign_splits(questions, {"test": 0.5}).to_pylist()
    ['train', 'train', 'train', 'test']
    """
    shares = [(split, fraction * 2**64) for split, fraction in fractions.items()]
    splits = []
    for key in normalise_key(keys).to_pylist():
        place = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
        for split, share in shares:
            if place < share:
                splits.append(split)
                break
            place -= int(share)
        else:
            splits.append("train")
    return pa.array(splits, pa.string())


def normalise_key(keys: pa.Array) -> pa.Array:
    """What is left of n texts when letter case, width, spaces, punctuation and symbols do not count."""
    folded = pc.utf8_lower(pc.utf8_normalize(keys, form="NFKC"))
    return pc.replace_substring_regex(folded, r"[\s\pZ\pP\pS\pC]+", "")
