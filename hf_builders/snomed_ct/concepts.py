"""The concepts of a release, by id, and which components are in use as they belong to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from datasets.utils.logging import get_logger

from hf_builders.snomed_ct.components import find, read_latest, to_numpy
from hf_builders.snomed_ct.rf2_table import CONCEPT
from hf_builders.sources import SourceFile

logger = get_logger(__name__)


@dataclass(frozen=True)
class Concepts:
    """The version of each concept that counts, in the order of ids; a concept is named by its number in it."""

    ids: np.ndarray
    places: np.ndarray
    times: np.ndarray
    is_active: np.ndarray


def read_concepts(files: Sequence[SourceFile], as_of: int | None) -> Concepts:
    """Whoever reads the rows again, to show them, says what is bad."""
    table = read_latest(files, CONCEPT, (), lambda row: None, as_of=as_of).sort_by("id")
    return Concepts(*(to_numpy(table[name]) for name in ("id", "place", "effectiveTime", "active")))


def only_in_use(table: pa.Table, what: str, concepts: Concepts, owner: str) -> pa.Table:
    """The active rows of concepts that are in the files, with the number of their concept as `owner`."""
    owners = find(concepts.ids, to_numpy(table[owner]))
    is_active = to_numpy(table["active"])
    num_strange = int((is_active & (owners < 0)).sum())
    logger.info(f"snomed_ct: {int((~is_active).sum()):,} of {len(table):,} {what} are inactive, and not used")
    if num_strange:
        logger.warning(f"snomed_ct: {num_strange:,} active {what} are of concepts that are in no file, and not used")
    is_used = pa.array(is_active & (owners >= 0))
    return table.drop_columns(owner).append_column("owner", pa.array(owners)).filter(is_used).combine_chunks()
