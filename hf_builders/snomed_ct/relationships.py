"""The relationships of concepts in, their parents and attributes out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hf_builders.snomed_ct.components import Groups, read_latest, to_numpy
from hf_builders.snomed_ct.concepts import Concepts, only_in_use
from hf_builders.snomed_ct.release import Release
from hf_builders.snomed_ct.rf2_table import CONCRETE_VALUE, RELATIONSHIP, Report
from hf_builders.snomed_ct.sctid import INFERRED, IS_A, STATED

_NO_RELATIONSHIPS = pa.table(
    {
        "relationshipGroup": pa.array([], pa.int32()),
        "typeId": pa.array([], pa.int64()),
        "destinationId": pa.array([], pa.int64()),
        "value": pa.array([], pa.string()),
        "owner": pa.array([], pa.int64()),
    }
)


@dataclass(frozen=True)
class Relationships:
    """What active relationships say of each concept, by its number."""

    parents: Groups
    """Their ids, in the order of the file."""
    attributes: Groups
    """Rows of the columns below: those of a role group together, groups by number."""
    types: np.ndarray
    destinations: np.ndarray
    """0 where there is a value instead."""
    values: pa.Array
    groups: np.ndarray


def read_relationships(release: Release, concepts: Concepts, as_of: int | None, report: Report) -> Relationships:
    tables = [_NO_RELATIONSHIPS]
    for files, columns, end, characteristic in (
        (release.relationships, RELATIONSHIP, "destinationId", INFERRED),
        (() if release.relationships else release.stated, RELATIONSHIP, "destinationId", STATED),
        (release.values, CONCRETE_VALUE, "value", INFERRED),
    ):
        if files:
            shown = ["relationshipGroup", "typeId", end]
            wanted = ("sourceId", *shown, "characteristicTypeId")
            table = read_latest(files, columns, wanted, report, as_of=as_of)
            table = table.filter(pc.equal(table["characteristicTypeId"], characteristic))
            tables.append(only_in_use(table, "relationships", concepts, "sourceId").select([*shown, "owner"]))
    table = pa.concat_tables(tables, promote_options="default").combine_chunks()
    types, owners = to_numpy(table["typeId"]), to_numpy(table["owner"])
    destinations = to_numpy(pc.fill_null(table["destinationId"], 0))
    is_parent = (types == IS_A) & (destinations > 0)
    rows = np.flatnonzero(is_parent)
    groups = to_numpy(table["relationshipGroup"])
    others = np.flatnonzero(~is_parent)
    others = others[np.argsort(groups[others], kind="stable")]
    return Relationships(
        parents=Groups.by(owners[rows], len(concepts.ids), destinations[rows]),
        attributes=Groups.by(owners[others], len(concepts.ids), others),
        types=types,
        destinations=destinations,
        values=table["value"].combine_chunks(),
        groups=groups,
    )
