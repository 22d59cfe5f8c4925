"""Batches within a budget: every row once, equal shares for all ranks, the same in every run, and resumable."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collators.errors import TokenizationError
from collators.token_batches import TokenBatchSampler

LENGTHS = np.random.default_rng(0).integers(1, 200, 1000)


def samplers(num_replicas: int, *, max_tokens: int = 2048, lengths: Any = LENGTHS, **options: Any) -> list[Any]:
    return [
        TokenBatchSampler(lengths, max_tokens, num_replicas=num_replicas, rank=rank, **options)
        for rank in range(num_replicas)
    ]


@given(
    lengths=st.lists(st.integers(0, 64), min_size=8, max_size=200),
    max_tokens=st.integers(64, 512),
    num_replicas=st.integers(1, 8),
    max_rows=st.sampled_from([None, 1, 3]),
    multiple=st.sampled_from([1, 8, 64]),
    bucket_size=st.sampled_from([1, 7, 50, 10_000]),
    shuffle=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_every_row_comes_once_and_every_batch_keeps_the_budget(
    lengths: list[int],
    max_tokens: int,
    num_replicas: int,
    max_rows: int | None,
    multiple: int,
    bucket_size: int,
    shuffle: bool,
) -> None:
    ranks = samplers(
        num_replicas, max_tokens=max_tokens, lengths=lengths, max_rows=max_rows, pad_to_multiple_of=multiple,
        bucket_size=bucket_size, shuffle=shuffle,
    )  # fmt: skip
    for epoch in range(3):
        batches = []
        for sampler in ranks:
            sampler.set_epoch(epoch)
            mine = list(sampler)
            assert len(mine) == len(sampler) == len(ranks[0])
            batches += mine
        rows = sorted(row for batch in batches for row in batch)
        if any(len(batch) > 1 for batch in batches):
            assert rows == list(range(len(lengths)))
        else:  # Then only may some come twice.
            assert set(rows) == set(range(len(lengths)))
            assert len(rows) == -(-len(lengths) // num_replicas) * num_replicas
        for batch in batches:
            longest = max(lengths[row] for row in batch)
            assert len(batch) * math.ceil(longest / multiple) * multiple <= max_tokens
            assert max_rows is None or len(batch) <= max_rows


def test_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        sampler = TokenBatchSampler(LENGTHS, 2048, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1) != order(2, 1)
    for one, other in ((order(1, 0), order(1, 1)), (order(1, 1), order(2, 1))):
        # Not only the batches change places: who is in them does.
        assert len({*map(frozenset, one)} & {*map(frozenset, other)}) < len(one) / 2


def test_without_shuffling_the_longest_come_first_in_their_order() -> None:
    sampler = TokenBatchSampler([3, 20, 5, 17, 8], 48, shuffle=False)
    assert list(sampler) == list(sampler) == [[1, 3], [0, 2, 4]]


def test_there_is_far_less_padding_than_in_random_batches() -> None:
    def padded(batches: list[list[int]]) -> int:
        return sum(len(batch) * int(LENGTHS[batch].max()) for batch in batches)

    batches = list(TokenBatchSampler(LENGTHS, 2048, pad_to_multiple_of=1))
    rows = np.random.default_rng(0).permutation(len(LENGTHS)).tolist()
    at_random = [rows[start : start + 20] for start in range(0, len(rows), 20)]
    total = int(LENGTHS.sum())
    assert padded(batches) < 1.06 * total
    assert padded(at_random) > 1.6 * total


def test_smaller_buckets_mix_lengths_more() -> None:
    def spread(bucket_size: int) -> float:
        batches = list(TokenBatchSampler(LENGTHS, 2048, bucket_size=bucket_size))
        return float(np.mean([np.ptp(LENGTHS[batch]) for batch in batches]))

    assert spread(50) > 3 * spread(1000)


def test_ranks_step_with_batches_of_about_one_size() -> None:
    ranks = samplers(4)
    longest = np.array([[LENGTHS[batch].max() for batch in sampler] for sampler in ranks])
    assert longest.shape == (4, len(ranks[0]))
    assert np.ptp(longest, axis=0).mean() < 12 < np.ptp(longest, axis=1).mean()


def test_the_largest_batches_are_halved_until_every_rank_has_as_many() -> None:
    lengths = [8] * 10 + [16] * 2
    assert list(TokenBatchSampler(lengths, 80, shuffle=False)) == [[10, 11, 0, 1, 2], [3, 4, 5, 6, 7, 8, 9]]
    ranks = samplers(4, max_tokens=80, lengths=lengths, shuffle=False)
    assert [list(sampler) for sampler in ranks] == [[[10, 11, 0]], [[1, 2]], [[3, 4, 5, 6]], [[7, 8, 9]]]


def test_rows_that_each_fill_a_batch_are_repeated_where_the_ranks_need_more() -> None:
    ranks = samplers(2, max_tokens=64, lengths=[64, 64, 60], shuffle=False)
    assert [list(sampler) for sampler in ranks] == [[[0], [2]], [[1], [2]]]
    ranks = samplers(5, max_tokens=64, lengths=[64, 60], shuffle=False)
    assert [list(sampler) for sampler in ranks] == [[[0]], [[1]], [[1]], [[0]], [[1]]]


@pytest.mark.parametrize("stop_after", [0, 1, 7])
def test_a_loaded_state_goes_on_where_the_epoch_was_left(stop_after: int) -> None:
    for sampler, fresh in zip(samplers(2, seed=5), samplers(2, seed=5), strict=True):
        sampler.set_epoch(2)
        whole = list(sampler)
        running = iter(sampler)
        for _ in range(stop_after):
            next(running)
        state = sampler.state_dict()
        fresh.load_state_dict(state)
        fresh.set_epoch(2)  # what a trainer calls before it iterates
        assert list(fresh) == whole[stop_after:]
        assert list(fresh) == whole, "the pass after a resumed one is whole"
        assert len(whole) > 7


def test_a_pass_that_was_broken_off_does_not_shorten_the_next() -> None:
    sampler = TokenBatchSampler(LENGTHS, 2048)
    whole = list(sampler)
    next(iter(sampler))
    assert list(sampler) == whole
    assert sampler.state_dict()["batch"] == 0, "a whole pass leaves the state at a beginning"


def test_a_new_epoch_begins_at_its_beginning() -> None:
    sampler, other = TokenBatchSampler(LENGTHS, 2048), TokenBatchSampler(LENGTHS, 2048)
    running = iter(sampler)
    next(running), next(running)
    other.load_state_dict(sampler.state_dict())
    other.set_epoch(1)
    assert len(list(other)) == len(other)


def test_a_state_of_other_rows_or_options_is_refused() -> None:
    state = TokenBatchSampler(LENGTHS, 2048).state_dict()
    with pytest.raises(TokenizationError, match="the state is of a sampler with max_tokens=2048, this one has 1024"):
        TokenBatchSampler(LENGTHS, 1024).load_state_dict(state)
    with pytest.raises(TokenizationError, match="the state is of a sampler with num_rows=1000, this one has 999"):
        TokenBatchSampler(LENGTHS[1:], 2048).load_state_dict(state)


@pytest.mark.parametrize(
    ("lengths", "options", "message"),
    [
        ([3, 61, 5], {"max_tokens": 56},
         "row 1: 61 tokens, padded to 64, more than max_tokens=56; raise max_tokens, or tokenize with a smaller"
         " max_length"),
        ([3], {"rank": 1}, "rank=1: expected 0 to 0, as num_replicas=1"),
        ([3], {"max_tokens": 0}, "max_tokens=0: expected 1 or more"),
        ([3], {"max_rows": 0}, "max_rows=0: expected 1 or more"),
        ([3], {"bucket_size": 0}, "bucket_size=0: expected 1 or more"),
        ([3], {"pad_to_multiple_of": 0}, "pad_to_multiple_of=0: expected 1 or more"),
        ([[3]], {}, "lengths: of shape (1, 1); expected one whole number a row"),
    ],
)  # fmt: skip
def test_wrong_options_and_rows_are_named(lengths: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenizationError) as raised:
        TokenBatchSampler(lengths, **{"max_tokens": 64, **options})
    assert str(raised.value) == message


def test_no_rows_are_no_batches() -> None:
    sampler = TokenBatchSampler([], 64)
    assert len(sampler) == 0
    assert list(sampler) == []
