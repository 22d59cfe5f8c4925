"""The PMIDs of all files in, the citations that a newer version or a deletion puts out of force out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hf_builders.pubmed.pmid_scan import Scan


class Losers(NamedTuple):
    """The citations of one file that are not shown, by position (int32, counted from 0)."""

    num_citations: int
    superseded: np.ndarray
    deleted: np.ndarray


def find_losers(scans: Sequence[Scan]) -> list[Losers]:
    """For each file, the citations that are out of force. Files are in the order in which they were published.

    A deletion is of all versions that stand in its own file or an earlier one. Of those that are left, the highest
    version of a PMID wins, and of several that are equal the last one.

    >>> first = Scan(np.array([7, 8, 9]), np.array([1, 1, 1]), np.array([], int))
    >>> update = Scan(np.array([8]), np.array([2]), np.array([9]))
    >>> [(each.superseded.tolist(), each.deleted.tolist()) for each in find_losers([first, update])]
    [([1], [2]), ([], [])]
    """
    suspects = _suspects(scans)
    # Few PMIDs of a file are in question, so the rest is left aside early: all of PubMed has 40 million.
    positions = [np.flatnonzero(_is_in(scan.pmids, suspects)) for scan in scans]
    files = np.repeat(np.arange(len(scans)), [len(each) for each in positions])
    pmids = np.concatenate([scan.pmids[each] for scan, each in zip(scans, positions, strict=True)])
    versions = np.concatenate([scan.versions[each] for scan, each in zip(scans, positions, strict=True)])
    keys = np.searchsorted(suspects, pmids)

    deleted_by = np.full(len(suspects), -1)
    for file, scan in enumerate(scans):
        deleted_by[np.searchsorted(suspects, scan.deleted)] = file
    is_deleted = files <= deleted_by[keys]

    # Sorted by PMID and version; lexsort leaves those that are equal in their order, which is that of the files.
    rest = np.flatnonzero(~is_deleted)
    rest = rest[np.lexsort((versions[rest], keys[rest]))]
    is_superseded = np.zeros(len(files), bool)
    is_superseded[rest[:-1]] = keys[rest[:-1]] == keys[rest[1:]]

    borders = np.cumsum([len(each) for each in positions])[:-1]
    by_file = zip(scans, positions, np.split(is_superseded, borders), np.split(is_deleted, borders), strict=True)
    return [
        Losers(len(scan.pmids), places[superseded].astype(np.int32), places[deleted].astype(np.int32))
        for scan, places, superseded, deleted in by_file
    ]


def count_unknown_deletions(scans: Sequence[Scan]) -> int:
    """How many PMIDs are deleted that no file holds: their citations are in files that are not loaded.

    >>> count_unknown_deletions([Scan(np.array([7]), np.array([1]), np.array([7, 8, 8]))])
    1
    """
    deleted = np.unique(np.concatenate([scan.deleted for scan in scans]))
    is_known = np.zeros(len(deleted), bool)
    for scan in scans:
        is_known[np.searchsorted(deleted, scan.pmids[_is_in(scan.pmids, deleted)])] = True
    return int((~is_known).sum())


def _suspects(scans: Sequence[Scan]) -> np.ndarray:
    """The PMIDs that stand more than once or are deleted, sorted."""
    pmids = np.concatenate([scan.pmids for scan in scans])
    pmids.sort()
    repeated = pmids[1:][pmids[1:] == pmids[:-1]]
    suspects = np.union1d(repeated, np.concatenate([scan.deleted for scan in scans]))
    return suspects[suspects >= 0]


def _is_in(pmids: np.ndarray, some: np.ndarray) -> np.ndarray:
    """Which of n PMIDs are in a sorted array; numpy's own `isin` would sort that anew for every file."""
    if not len(some):
        return np.zeros(len(pmids), bool)
    found: np.ndarray = some[np.minimum(np.searchsorted(some, pmids), len(some) - 1)] == pmids
    return found
