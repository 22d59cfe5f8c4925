"""Lengths of rows in, batches of row numbers out, each within a budget of padded tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from collators.errors import TokenizationError

Numbers = np.ndarray[Any, np.dtype[np.int64]]

# Suffix: N rows.


class TokenBatchSampler:
    """Batches of rows of about one length, as a `DataLoader`'s `batch_sampler`.

    Rows × longest row (rounded up to `pad_to_multiple_of`) is at most `max_tokens` in every batch, so long rows come in
    small batches and short rows in large ones, with little padding. Every row comes once an epoch, on one rank only.

    Which rows share a batch, and the order of batches, depend on `(seed, epoch)` alone: call `set_epoch` before each
    epoch. Rows of one rounded length change places; how many batches there are, and of which size, is the same in every
    epoch, so `len()` holds for all of them. All ranks have equally many: where the number of batches is no multiple of
    the ranks, the largest are halved, so no row is repeated or left out; only where there is but one row in every batch
    do the last ones come twice. At each step the ranks' batches are neighbours in length, so that none waits long for
    another.

    `state_dict` counts the batches handed out; a loader that fetches ahead has handed out more than were trained on.

    Args:
        lengths: tokens of each row, N whole numbers (`FlatRows.lengths`, or the column `length`).
        max_tokens: of a padded batch on one rank.
        shuffle: False gives rows of one length in their order, and the longest batches first.
        bucket_size: rows that are sorted together. Each bucket has rows of every length; smaller ones mix lengths more
            and pad more.
        max_rows: of a batch; None sets no limit.
        pad_to_multiple_of: as the collator's.

    Raises:
        TokenizationError: a row that is longer than the budget, or a wrong option.

    >>> batches = TokenBatchSampler([3, 9, 4, 8, 2], max_tokens=16, shuffle=False, pad_to_multiple_of=1)
    >>> list(batches), len(batches)
    ([[1], [3, 2], [0, 4]], 3)
    """

    def __init__(
        self,
        lengths: Sequence[int] | Numbers,
        max_tokens: int,
        *,
        shuffle: bool = True,
        seed: int = 0,
        rank: int = 0,
        num_replicas: int = 1,
        bucket_size: int = 10_000,
        max_rows: int | None = None,
        pad_to_multiple_of: int = 8,
    ) -> None:
        options = {"max_tokens": max_tokens, "num_replicas": num_replicas, "bucket_size": bucket_size}
        options |= {"max_rows": 1 if max_rows is None else max_rows, "pad_to_multiple_of": pad_to_multiple_of}
        for option, value in options.items():
            if value < 1:
                raise TokenizationError(f"{option}={value}: expected 1 or more")
        if not 0 <= rank < num_replicas:
            raise TokenizationError(f"rank={rank}: expected 0 to {num_replicas - 1}, as num_replicas={num_replicas}")
        self.max_tokens = max_tokens
        self.shuffle = shuffle
        self.seed = seed
        self.rank = rank
        self.num_replicas = num_replicas
        self.epoch = 0
        self._next = 0  # the batch that comes next, for state_dict
        self._resume_at = 0
        widths = _padded(np.asarray(lengths, np.int64), max_tokens, pad_to_multiple_of)
        buckets = _buckets(len(widths), bucket_size)
        self._place_N = np.concatenate(buckets)
        # The longest first; in the narrowest type, as NumPy sorts 16 bits by counting.
        multiples = widths // pad_to_multiple_of
        longest = multiples.max(initial=0)
        self._key_N = (longest - multiples).astype(np.min_scalar_type(longest))
        falling = np.sort(widths)[::-1]
        limit = max_rows or len(widths)
        sizes = [size for places in buckets for size in _sizes(falling[places], max_tokens, limit)]
        self._starts, self._ends = _shared_out(sizes, num_replicas)

    def __len__(self) -> int:
        """Batches of this rank an epoch."""
        return len(self._ends) // self.num_replicas

    def __iter__(self) -> Iterator[list[int]]:
        rows, groups = self._epoch_order()
        batches = groups * self.num_replicas + self.rank
        first, self._resume_at = self._resume_at, 0
        for number in range(first, len(batches)):
            self._next = number + 1
            batch = batches[number]
            yield rows[self._starts[batch] : self._ends[batch]].tolist()
        self._next = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass; the epoch of a state that was just loaded keeps its place."""
        if epoch != self.epoch:
            self.epoch, self._next, self._resume_at = epoch, 0, 0

    def state_dict(self) -> dict[str, int]:
        """Where this rank is: to be loaded into a sampler of the same rows and options."""
        return {"epoch": self.epoch, "batch": self._next, **self._identity()}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on behind the last batch that was handed out.

        Raises:
            TokenizationError: the state is of other rows or options.
        """
        for name, mine in self._identity().items():
            if state.get(name) != mine:
                raise TokenizationError(
                    f"the state is of a sampler with {name}={state.get(name)}, this one has {mine}; "
                    "give it the same rows and options, or start the epoch anew"
                )
        self.epoch = state["epoch"]
        self._next = self._resume_at = state["batch"]

    def _identity(self) -> dict[str, int]:
        return {
            "seed": self.seed,
            "max_tokens": self.max_tokens,
            "num_replicas": self.num_replicas,
            "num_rows": len(self._key_N),
            "num_batches": len(self),
        }

    def _epoch_order(self) -> tuple[Numbers, Numbers]:
        """Rows as they are cut into batches, and the order in which groups of batches come."""
        num_groups = len(self)
        if not self.shuffle:
            return np.argsort(self._key_N, kind="stable")[self._place_N], np.arange(num_groups)
        random = np.random.default_rng([self.seed, self.epoch])
        rows = random.permutation(len(self._key_N))
        rows = rows[np.argsort(self._key_N[rows], kind="stable")][self._place_N]
        return rows, random.permutation(num_groups)


def _padded(lengths: Numbers, max_tokens: int, multiple: int) -> Numbers:
    """Lengths rounded up, as the collator will; an empty row too takes its place in a batch."""
    if lengths.ndim != 1:
        raise TokenizationError(f"lengths: of shape {lengths.shape}; expected one whole number a row")
    widths = np.maximum(-(-lengths // multiple), 1) * multiple
    if len(widths) and widths.max() > max_tokens:
        row = int(widths.argmax())
        raise TokenizationError(
            f"row {row:,}: {lengths[row]:,} tokens, padded to {widths[row]:,}, more than max_tokens={max_tokens:,}; "
            "raise max_tokens, or tokenize with a smaller max_length"
        )
    return widths


def _buckets(num_rows: int, bucket_size: int) -> list[Numbers]:
    """Places of the sorted rows, dealt out in turn, so that each bucket has rows of every length."""
    num_buckets = max(1, round(num_rows / bucket_size))
    return [np.arange(first, num_rows, num_buckets) for first in range(num_buckets)]


def _sizes(widths: Numbers, max_tokens: int, max_rows: int) -> list[int]:
    """Rows of each batch of a bucket, whose `widths` fall, so that a batch's first row is its longest."""
    fitting = np.minimum(max_tokens // widths, max_rows).tolist()
    sizes = []
    start = 0
    while start < len(fitting):
        sizes.append(min(fitting[start], len(fitting) - start))
        start += sizes[-1]
    return sizes


def _shared_out(sizes: list[int], num_replicas: int) -> tuple[Numbers, Numbers]:
    """Where each batch begins and ends, as many for every rank: the largest halved, else the last ones repeated."""
    while (missing := -len(sizes) % num_replicas) and max(sizes) > 1:
        largest = sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True)[:missing]
        for batch in sorted(largest, reverse=True):
            size = sizes[batch]
            if size > 1:
                sizes[batch : batch + 1] = [size - size // 2, size // 2]
    ends = np.cumsum(sizes, dtype=np.int64)
    again = len(sizes) - 1 - np.arange(missing) % max(len(sizes), 1)
    batches = np.concatenate([np.arange(len(sizes)), again])
    return (ends - sizes)[batches], ends[batches]
