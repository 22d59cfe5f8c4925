"""Packs of lengths: never more of them than best fit makes, whatever the lengths are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collators.bin_packing import Packs, best_fit, stable_order
from collators.exact_packs import exact_packs


def fills_one_by_one(lengths: list[int], capacity: int) -> list[int]:
    """Best fit as the books have it: each record, longest first, into the tightest pack that holds it.

    Packs equally full are equally good, and which of them is taken is not said: so the fills are compared.
    """
    packs: list[list[int]] = []
    for length in sorted(lengths, reverse=True):
        fitting = [pack for pack in packs if sum(pack) + length <= capacity]
        if fitting:
            max(fitting, key=sum).append(length)
        else:
            packs.append([length])
    return sorted(map(sum, packs))


def lengths_of(packs: Packs, lengths: list[int]) -> list[list[int]]:
    return [[lengths[row] for row in rows] for rows in np.split(packs.order, packs.starts[1:-1])] if lengths else []


CASES = st.integers(1, 40).flatmap(
    lambda capacity: st.tuples(st.lists(st.integers(1, capacity), min_size=1, max_size=60), st.just(capacity))
)


@given(CASES, st.integers(0, 3))
@settings(max_examples=300, deadline=None)
def test_every_record_is_in_one_pack_and_there_are_no_more_packs_than_by_best_fit(
    case: tuple[list[int], int], seed: int
) -> None:
    lengths, capacity = case
    packs = best_fit(np.array(lengths, np.int32), capacity, seed=seed)
    assert sorted(packs.order.tolist()) == list(range(len(lengths)))
    found = lengths_of(packs, lengths)
    assert len(found) == len(packs.starts) - 1 <= len(fills_one_by_one(lengths, capacity))
    assert max(map(sum, found)) <= capacity
    for rows in np.split(packs.order, packs.starts[1:-1]):
        assert rows.tolist() == sorted(rows.tolist()), "records lie in the order of the dataset"


@pytest.mark.parametrize("capacity", [30, 2_048, 131_072])
def test_where_best_fit_needs_no_pack_too_many_the_packs_are_its_packs(capacity: int) -> None:
    draw, num_checked = np.random.default_rng(1), 0
    for _ in range(60):
        lengths = draw.integers(1, capacity // 2, draw.integers(1, 150)).tolist()
        expected = fills_one_by_one(lengths, capacity)
        if len(expected) == -(-sum(lengths) // capacity):
            found = lengths_of(best_fit(np.array(lengths), capacity), lengths)
            assert sorted(map(sum, found)) == expected
            num_checked += 1
    assert num_checked > 20


def test_without_short_records_packs_are_full_where_best_fit_leaves_them_half_a_record_short() -> None:
    lengths = np.random.default_rng(5).normal(170, 30, 2_000).clip(122, 400).astype(int).tolist()
    least = -(-sum(lengths) // 2_048)
    assert len(fills_one_by_one(lengths, 2_048)) > 1.01 * least
    assert len(best_fit(np.array(lengths), 2_048).starts) - 1 <= least + 1


@given(CASES)
@settings(max_examples=300, deadline=None)
def test_exact_packs_are_full_and_take_what_they_hold_out_of_the_supply(case: tuple[list[int], int]) -> None:
    lengths, capacity = case
    supply = np.bincount(lengths).tolist()
    taken = np.zeros(len(supply), int)
    for num_packs, kind in exact_packs(supply, capacity):
        assert num_packs >= 1
        assert sum(length * num for length, num in kind.items()) == capacity
        for length, num in kind.items():
            taken[length] += num_packs * num
    assert min(supply) >= 0
    assert (taken + supply).tolist() == np.bincount(lengths).tolist()


def test_nothing_gives_no_pack() -> None:
    packs = best_fit(np.zeros(0, np.int64), 8)
    assert (packs.order.tolist(), packs.starts.tolist()) == ([], [0])


def test_a_record_as_long_as_the_window_has_a_pack_of_its_own() -> None:
    packs = best_fit(np.array([8, 8, 1]), 8)
    assert sorted(lengths_of(packs, [8, 8, 1])) == [[1], [8], [8]]


def test_equal_lengths_and_seed_give_equal_packs_and_another_seed_another_order() -> None:
    lengths = np.random.default_rng(2).integers(1, 300, 2_000)
    first, again, other = (best_fit(lengths, 1_024, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.order, again.order)
    assert np.array_equal(first.starts, again.starts)
    assert not np.array_equal(first.order, other.order)
    packs = [{tuple(rows) for rows in np.split(each.order, each.starts[1:-1])} for each in (first, other)]
    assert packs[0] == packs[1]
    # Pinned: whatever NumPy is installed, on whatever machine.
    assert best_fit(np.arange(1, 9), 10, seed=0).order.tolist() == [0, 4, 3, 5, 2, 6, 1, 7]


def test_packs_are_not_in_order_of_length() -> None:
    lengths = np.random.default_rng(3).integers(20, 1_000, 5_000)
    packs = best_fit(lengths, 2_048)
    num_records = np.diff(packs.starts)
    thirds = [part.mean() for part in np.array_split(num_records, 3)]
    assert max(thirds) / min(thirds) < 1.1
    assert num_records.max() / num_records.min() > 4


@given(st.lists(st.integers(0, 2**32 - 1), max_size=40), st.integers(0, 2**20))
@settings(deadline=None)
def test_stable_order_is_numpys(values: list[int], most: int) -> None:
    for array in (np.array(values, np.int64), np.array(values, np.int64) % (most + 1)):
        assert stable_order(array).tolist() == np.argsort(array, kind="stable").tolist()


@pytest.mark.parametrize("capacity", [2_048, 131_072, 1_000_000])
def test_half_a_million_records_are_packed_whatever_the_window(capacity: int) -> None:
    """With lengths that hardly repeat, work that grew with the square of the records would take hours here."""
    lengths = np.random.default_rng(4).integers(1, capacity + 1, 500_000)
    packs = best_fit(lengths, capacity)
    assert np.array_equal(np.sort(packs.order), np.arange(500_000))
    fills = np.add.reduceat(lengths[packs.order], packs.starts[:-1])
    assert fills.max() <= capacity
    assert fills.mean() > 0.995 * capacity
