"""A dataset in, its rows as Arrow tables out, one after the other, in memory that does not grow with the dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from datasets import Dataset
from datasets.table import MemoryMappedTable

_BYTES = 6 * 2**20
"""Of a table: enough for the encoder's threads to be worth waking, and little beside the tokens made of it."""
_MOST_ROWS = 10_000


def record_batches(dataset: Dataset, columns: Sequence[str], *, unmapped: bool = False) -> Iterator[pa.Table]:
    """Tables of some columns, of a few megabytes each.

    What is read through a memory map stays, as far as anybody can see, in this process's memory. `unmapped` reads the
    files of `dataset` past the map, where the dataset is nothing but its files; they must be those that were mapped.

    >>> [table.num_rows for table in record_batches(Dataset.from_dict({"n": [1, 2, 3]}), ["n"])]
    [3]
    """
    batch_size = _rows_of_a_table(dataset)
    paths = _whole_files(dataset, columns) if unmapped else None
    if paths is None:
        yield from dataset.with_format("arrow", columns=list(columns)).iter(batch_size)
        return
    waiting: list[pa.Table] = []
    num_waiting = 0
    for path in paths:
        with pa.OSFile(path) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                table = pa.Table.from_batches([batch]).select(columns)
                while num_waiting + len(table) >= batch_size:
                    taken = batch_size - num_waiting
                    yield pa.concat_tables([*waiting, table.slice(0, taken)])
                    waiting, num_waiting, table = [], 0, table.slice(taken)
                if len(table):
                    waiting.append(table)
                    num_waiting += len(table)
    if waiting:
        yield pa.concat_tables(waiting)


def _rows_of_a_table(dataset: Dataset) -> int:
    bytes_per_row = dataset.data.nbytes / max(len(dataset.data), 1)
    return int(min(max(_BYTES // max(bytes_per_row, 1), 1), _MOST_ROWS))


def _whole_files(dataset: Dataset, columns: Sequence[str]) -> list[str] | None:
    """The Arrow files that hold the rows of `dataset` and nothing else, in order; None where there are none such."""
    rows_of_blocks = getattr(dataset.data, "blocks", [[dataset.data]])
    blocks = [block for row in rows_of_blocks for block in row]
    if dataset._indices is not None or any(len(row) != 1 for row in rows_of_blocks):
        return None
    if not all(isinstance(block, MemoryMappedTable) and _is_as_in_file(block) for block in blocks):
        return None
    paths = [block.path for block in blocks]
    for path in paths:
        with pa.OSFile(path) as file, pa.ipc.open_stream(file) as stream:
            if any(
                stream.schema.get_field_index(name) < 0
                or stream.schema.field(name).type != dataset.data.schema.field(name).type
                for name in columns
            ):
                return None
    return paths


def _is_as_in_file(block: MemoryMappedTable) -> bool:
    """Whether nothing was done to the table of a file but to its metadata, as every `Dataset` does."""
    return all(replay[0] == "replace_schema_metadata" for replay in block.replays or ())
