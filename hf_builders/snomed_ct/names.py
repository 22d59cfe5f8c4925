"""The descriptions of concepts in, what each is called in one language out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hf_builders.snomed_ct.components import Groups, find, read_latest, to_numpy
from hf_builders.snomed_ct.concepts import Concepts, only_in_use
from hf_builders.snomed_ct.languages import choose_refset, main_language
from hf_builders.snomed_ct.release import Release
from hf_builders.snomed_ct.rf2_table import DESCRIPTION, LANGUAGE_MEMBER, Report
from hf_builders.snomed_ct.sctid import DEFINITION, FULLY_SPECIFIED_NAME, PREFERRED, SYNONYM

_NONE, _ACCEPTABLE, _PREFERRED = 0, 1, 2  # in the refset that was chosen


@dataclass(frozen=True)
class Names:
    """Rows of `terms`, by the number of the concept they name."""

    terms: pa.Array
    languages: pa.Array
    fsn: np.ndarray
    """Row of the fully specified name of each concept; -1 where it has none."""
    is_fsn_of_refset: np.ndarray
    preferred: np.ndarray
    """Row of the preferred term; -1 where it has none."""
    has_several: np.ndarray
    """Whether the refset prefers more than one term."""
    synonyms: Groups
    definitions: Groups


def read_names(release: Release, concepts: Concepts, language: str | None, as_of: int | None, report: Report) -> Names:
    files = [*release.descriptions, *release.definitions]
    wanted = ("conceptId", "languageCode", "typeId", "term")
    table = read_latest(files, DESCRIPTION, wanted, report, as_of=as_of)
    refset = choose_refset(release.members, table.select(["id", "languageCode"]), language)
    table = only_in_use(table, "descriptions", concepts, "conceptId")
    if refset is None:
        main = main_language(table, language)
        acceptability = np.full(len(table), _NONE)
    else:
        main = refset.language
        acceptability = _acceptability(release, table, refset.id, as_of, report)
    return _names(table, acceptability, main, len(concepts.ids), has_refset=refset is not None)


def _acceptability(
    release: Release, descriptions: pa.Table, refset: int, as_of: int | None, report: Report
) -> np.ndarray:
    """What the active members of a refset say of each description."""
    members = read_latest(
        release.members,
        LANGUAGE_MEMBER,
        ("refsetId", "referencedComponentId", "acceptabilityId"),
        report,
        as_of=as_of,
        only=lambda table: pc.equal(table["refsetId"], refset),
    )
    members = members.filter(members["active"])
    ids = to_numpy(members["referencedComponentId"])
    value = np.where(to_numpy(members["acceptabilityId"]) == PREFERRED, _PREFERRED, _ACCEPTABLE)
    order = np.lexsort((-value, ids))  # of two members for one description, the one that prefers it counts
    places = find(ids[order], to_numpy(descriptions["id"]))
    return np.where(places >= 0, value[order][places] if len(value) else _NONE, _NONE)


def _names(table: pa.Table, acceptability: np.ndarray, main: str, num_concepts: int, *, has_refset: bool) -> Names:
    types, owners = to_numpy(table["typeId"]), to_numpy(table["owner"])
    is_main = to_numpy(pc.equal(table["languageCode"], main)) if main else np.ones(len(table), bool)
    is_in_refset = acceptability > _NONE

    # The refset's own name before another of its language, and that before one of any language.
    rank = np.where(is_in_refset, acceptability + 1, is_main)
    fsn = _best(owners, rank, types == FULLY_SPECIFIED_NAME, num_concepts)
    is_preferred = (types == SYNONYM) & (acceptability == _PREFERRED)
    preferred = _best(owners, acceptability, is_preferred, num_concepts)
    has_several = np.bincount(owners[is_preferred], minlength=num_concepts) > 1

    is_synonym = (types == SYNONYM) & (is_in_refset if has_refset else is_main)
    is_synonym[preferred[preferred >= 0]] = False
    is_definition = types == DEFINITION
    # Not every edition has its definitions in the refset.
    is_definition &= is_in_refset if (is_definition & is_in_refset).any() else is_main
    return Names(
        terms=table["term"].combine_chunks(),
        languages=table["languageCode"].combine_chunks(),
        fsn=fsn,
        is_fsn_of_refset=(fsn >= 0) & is_in_refset[fsn] if len(table) else fsn >= 0,
        preferred=preferred,
        has_several=has_several,
        synonyms=_grouped(owners, is_synonym, num_concepts),
        definitions=_grouped(owners, is_definition, num_concepts),
    )


def _best(owners: np.ndarray, rank: np.ndarray, is_meant: np.ndarray, num_owners: int) -> np.ndarray:
    """Of the rows that are meant, the one of the highest rank of each owner, the first of equals; -1 where none is."""
    best = np.full(num_owners, -1)
    rows = np.flatnonzero(is_meant)
    rows = rows[np.lexsort((-rows, rank[rows]))]
    best[owners[rows]] = rows  # the last one stays
    return best


def _grouped(owners: np.ndarray, is_meant: np.ndarray, num_owners: int) -> Groups:
    rows = np.flatnonzero(is_meant)
    return Groups.by(owners[rows], num_owners, rows)
