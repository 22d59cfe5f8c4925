"""Work on many tables in; its results in order out: by threads of this process or, if that is faster, by processes."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import pyarrow as pa

from collators.encoding import num_cores
from collators.errors import TokenizationError

logger = logging.getLogger(__name__)

Work = Callable[[pa.Table, int], pa.Table]
"""From a table, and the number of its first row, to another."""

_THREADS = 2
"""While one waits for the encoder, which has threads of its own, the other reads texts and lays out tokens."""
_START_SECONDS = 0.3
"""Of a pool of processes, and what each of them has to make anew."""
_GAIN = 0.9
"""What more processes must save to be worth their memory: a tenth."""


@dataclass(frozen=True)
class Measured:
    """What some rows cost this process."""

    rows: int
    wall: float
    """Seconds gone by."""
    cpu: float
    """Seconds of all cores together: more than `wall` where threads share the work."""


def measure(work: Callable[[], object], num_rows: int) -> Measured:
    """Do some work and see what it costs."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Measured(num_rows, time.perf_counter() - wall, time.process_time() - cpu)


def fastest(asked: int, num_rows: int, measured: Measured) -> int:
    """How many processes, at most `asked` and one a core, are done first with `num_rows`; the log says why.

    One process whose threads keep all cores busy is not made faster by more of them.

    >>> fastest(2, 10_000, Measured(rows=100, wall=0.2, cpu=0.2)) if num_cores() > 1 else 2
    2
    >>> fastest(2, 10_000, Measured(rows=100, wall=0.1, cpu=0.2))
    1
    """
    many = min(asked, num_cores())
    if many < 2:
        return 1
    alone = measured.wall / measured.rows * num_rows
    together = _START_SECONDS + measured.cpu / measured.rows * num_rows / many
    chosen = many if together < _GAIN * alone else 1
    logger.info(
        "%d of %d processes: about %.1f s in one (%.0f µs a row, %.1f cores busy), about %.1f s in %d",
        *(chosen, asked, alone, 1e6 * measured.wall / measured.rows, measured.cpu / measured.wall, together, many),
    )
    return chosen


def in_order(work: Work, tables: Iterable[pa.Table], *, processes: int) -> Iterator[pa.Table]:
    """The results of `work` in the order of the tables; a few are worked on ahead.

    Raises:
        TokenizationError: a process was killed.

    >>> def number(table, first):
    ...     return table.append_column("place", [list(range(first, first + len(table)))])
    >>> tables = [pa.table({"n": [7, 7]}), pa.table({"n": [7]})]
    >>> [table["place"].to_pylist() for table in in_order(number, tables, processes=1)]
    [[0, 1], [2]]
    """
    waiting: deque[Future[pa.Table]] = deque()
    with _submitting(work, processes) as submit:
        ahead, first = (processes if processes > 1 else _THREADS) + 1, 0
        for table in tables:
            waiting.append(submit(table, first))
            first += len(table)
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _submitting(work: Work, processes: int) -> Iterator[Callable[[pa.Table, int], Future[pa.Table]]]:
    """A function that has a table worked on by somebody; whatever still waits at the end is dropped."""
    if processes > 1:
        # On Linux a forked process has the tokenizer already, and scripts need no `if __name__ == "__main__"`.
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        pool: Executor = ProcessPoolExecutor(processes, mp_context=context, initializer=_adopt, initargs=(work,))
        stack: AbstractContextManager[None] = _without_encoder_threads()
    else:
        pool, stack = ThreadPoolExecutor(_THREADS, thread_name_prefix="token-rows"), nullcontext()
    try:
        with stack:
            if processes > 1:
                yield lambda table, first: pool.submit(_work_on, _apart(table), first)
            else:
                yield lambda table, first: pool.submit(work, table, first)
    except BrokenProcessPool as error:
        raise TokenizationError("a process was killed, perhaps for memory; try again with a lower num_proc") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_adopted: list[Work] = []
"""In a process of the pool: what it does."""


def _adopt(work: Work) -> None:
    _adopted[:] = [work]


def _work_on(table: pa.Table, first: int) -> pa.Table:
    (work,) = _adopted
    return work(table, first)


def _apart(table: pa.Table) -> pa.Table:
    """The table in memory of its own: what is sent of a slice is all that it was cut from."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return pa.ipc.open_stream(sink.getvalue()).read_all()


@contextmanager
def _without_encoder_threads() -> Iterator[None]:
    """Keep the encoder's threads out of forked processes: there they are gone, and waiting for them never ends."""
    variable = "TOKENIZERS_PARALLELISM"
    before = os.environ.get(variable)
    os.environ[variable] = "false"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            yield
    finally:
        if before is None:
            os.environ.pop(variable, None)
        else:
            os.environ[variable] = before
