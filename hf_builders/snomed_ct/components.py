"""Versions of components in, the one of each that counts out; and components grouped by the concept they are of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets.utils.logging import get_logger

from hf_builders.snomed_ct.rf2_table import Report, read_table
from hf_builders.sources import SourceFile, told

logger = get_logger(__name__)

VERSION = ("id", "effectiveTime", "active")
"""What tells the versions of a component apart, and whether one is in use."""
_LINES_PER_FILE = 1 << 40

Choice = Callable[[pa.Table], pa.Array]


def read_latest(
    files: Sequence[SourceFile],
    columns: Sequence[str],
    wanted: Sequence[str],
    report: Report,
    *,
    as_of: int | None = None,
    only: Choice | None = None,
) -> pa.Table:
    """The version of each component that counts, active or not: the latest, of equal ones the one that stands first.

    Args:
        as_of: versions later than this date, as 20250131, are not seen.
        only: of a table, the rows that matter at all.

    Returns:
        The wanted columns, those of `VERSION`, and `place`: a number for each line of all files.
    """
    names = list(dict.fromkeys((*VERSION, *wanted)))
    tables = []
    for number, file in enumerate(files):
        for table in read_table(file, columns, names, report):
            if only is not None:
                table = table.filter(only(table))
            if as_of is not None:
                table = table.filter(pc.less_equal(table["effectiveTime"], as_of))
            tables.append(table.append_column("place", place_of(number, table["line"])).drop_columns("line"))
    table = pa.concat_tables(tables)
    is_latest = _is_latest(_numbers(table["id"]), to_numpy(table["effectiveTime"]))
    if is_latest is not None:
        told_names = told([file.name for file in files])
        logger.info(
            f"snomed_ct: {int((~is_latest).sum()):,} of {len(table):,} rows of {told_names} have a later version"
        )
        table = table.filter(pa.array(is_latest))
    return table.combine_chunks()


def place_of(number_of_file: int, lines: pa.ChunkedArray) -> pa.ChunkedArray:
    """A number for a line that no other line of all files has, growing from file to file."""
    return pc.add(lines, number_of_file * _LINES_PER_FILE)


def to_numpy(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    values: np.ndarray = column.to_numpy() if isinstance(column, pa.ChunkedArray) else column.to_numpy(False)
    return values


def _numbers(ids: pa.ChunkedArray) -> np.ndarray:
    """Ids as numbers: SCTIDs are some, UUIDs are counted."""
    if pa.types.is_integer(ids.type):
        return to_numpy(ids)
    return to_numpy(ids.combine_chunks().dictionary_encode().indices)


def _is_latest(ids: np.ndarray, times: np.ndarray) -> np.ndarray | None:
    """Which row is the latest version of its component; None where each has but one."""
    in_order = np.sort(ids)
    if not (in_order[1:] == in_order[:-1]).any():
        return None
    order = np.lexsort((-np.arange(len(ids)), times, ids))
    ids = ids[order]
    is_latest = np.zeros(len(ids), bool)
    is_latest[order[np.append(ids[1:] != ids[:-1], True)]] = True
    return is_latest


def find(in_order: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each wanted number stands among numbers in order; -1 where it does not.

    >>> find(np.array([2, 5, 7]), np.array([5, 6, 2, 9])).tolist()
    [1, -1, 0, -1]
    """
    places = np.searchsorted(in_order, wanted)
    places[places == len(in_order)] = 0
    if not len(in_order):
        return np.full(len(wanted), -1)
    return np.where(in_order[places] == wanted, places, -1)


@dataclass(frozen=True)
class Groups:
    """Rows of a table by their owner, a number from 0: some for each, in the order of the table."""

    bounds: np.ndarray
    rows: np.ndarray

    @classmethod
    def by(cls, owners: np.ndarray, num_owners: int, rows: np.ndarray | None = None) -> Groups:
        """Groups of these rows (by default of all), the i-th of which is owned by `owners[i]`."""
        order = np.argsort(owners, kind="stable")
        bounds = np.searchsorted(owners[order], np.arange(num_owners + 1))
        return cls(bounds, order if rows is None else rows[order])

    def of(self, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How many rows each of these owns, and the rows, one owner's behind the other's.

        >>> [each.tolist() for each in Groups.by(np.array([1, 0, 1]), 3).of(np.array([1, 2, 0]))]
        [[2, 0, 1], [0, 2, 1]]
        """
        begins = self.bounds[owners]
        counts = self.bounds[owners + 1] - begins
        shift = begins - (np.cumsum(counts) - counts)
        return counts, self.rows[np.repeat(shift, counts) + np.arange(counts.sum())]
