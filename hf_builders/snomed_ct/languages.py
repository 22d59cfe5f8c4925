"""The language that was asked for in, the language refset that says which terms are preferred in it out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets.utils.logging import get_logger

from hf_builders.errors import OptionError
from hf_builders.snomed_ct.components import to_numpy
from hf_builders.snomed_ct.rf2_table import LANGUAGE_MEMBER, read_table
from hf_builders.snomed_ct.sctid import GB_ENGLISH, US_ENGLISH
from hf_builders.sources import SourceFile

logger = get_logger(__name__)

_DIALECTS = {"en-us": US_ENGLISH, "en-gb": GB_ENGLISH}
"""Those of the International edition; others differ from edition to edition, and are named by their id."""
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]+)*|[1-9][0-9]{5,17}")
_NUM_LOOKED_AT = 5_000  # members of a refset, to know its language


class Refset(NamedTuple):
    """A language refset of the files."""

    id: int
    language: str
    """The code that most of its descriptions have; empty where none of them is in the files."""
    num_members: int = 0

    def __str__(self) -> str:
        return f"{self.id} ({self.language or 'of no description here'}, {self.num_members:,} members)"


def check_language(language: str | None) -> None:
    """Raises `OptionError` unless it can name a language or a refset."""
    if language is not None and not (isinstance(language, str) and _LANGUAGE.fullmatch(language)):
        raise OptionError(
            f"language={language!r}: takes a code as 'en', 'en-GB' or 'es', or the id of a language refset as a string"
        )


def choose_refset(files: Sequence[SourceFile], descriptions: pa.Table, language: str | None) -> Refset | None:
    """The refset that `language` names; by default that of US English, or else the first; None without files.

    Args:
        descriptions: with `id` and `languageCode`.

    Raises:
        OptionError: none is of that language, or several are.
    """
    refsets = _refsets(files, descriptions)
    if not refsets:
        return None
    told = ", ".join(str(refset) for refset in refsets)
    us_english = [refset for refset in refsets if refset.id == US_ENGLISH]
    if language is None:
        chosen = us_english or refsets[:1]
    elif language.isdecimal() or language.lower() in _DIALECTS:
        id_ = _DIALECTS.get(language.lower()) or int(language)
        chosen = [refset for refset in refsets if refset.id == id_]
    else:
        code = language.lower()
        among = [each for each in refsets if each.language.lower() == code or each.language.lower()[:3] == f"{code}-"]
        chosen = us_english if code == "en" and us_english else among
    if len(chosen) != 1:
        raise OptionError(
            f"language={language!r}: names {len(chosen) or 'none'} of the language refsets there are: {told}; give the "
            "id of one"
        )
    if language is None:
        say = logger.warning if len({refset.language for refset in refsets}) > 1 else logger.info
        say(f"snomed_ct: terms are those of the language refset {chosen[0]}, of: {told}; language= chooses another")
    return chosen[0]


def main_language(descriptions: pa.Table, language: str | None) -> str:
    """The language code to go by where no refset tells: the one asked for, or that of most descriptions."""
    if language is not None and not language.isdecimal():
        return language.partition("-")[0].lower()
    return _most_common(descriptions["languageCode"])


def _refsets(files: Sequence[SourceFile], descriptions: pa.Table) -> list[Refset]:
    """In the order they come in."""
    counts, members = Counter[int](), dict[int, list[int]]()
    for file in files:
        # What is bad is said by whoever reads the members for good.
        for table in read_table(file, LANGUAGE_MEMBER, ("refsetId", "referencedComponentId"), lambda row: None):
            ids, components = to_numpy(table["refsetId"]), to_numpy(table["referencedComponentId"])
            _, firsts = np.unique(ids, return_index=True)
            for id_ in ids[np.sort(firsts)].tolist():
                of_refset = components[ids == id_]
                counts[id_] += len(of_refset)
                looked_at = members.setdefault(id_, [])
                looked_at += of_refset[: _NUM_LOOKED_AT - len(looked_at)].tolist()
    ids = to_numpy(descriptions["id"])
    return [
        Refset(id_, _most_common(descriptions["languageCode"].filter(pa.array(np.isin(ids, some)))), counts[id_])
        for id_, some in members.items()
    ]


def _most_common(codes: pa.ChunkedArray) -> str:
    found = pc.value_counts(codes).to_pylist()
    return str(max(found, key=lambda each: each["counts"])["values"]) if found else ""
