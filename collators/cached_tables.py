"""Arrow tables in, a dataset of them out: kept beside the dataset they were made of, under a name of our own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable

import pyarrow as pa
from datasets import Dataset, DatasetInfo, Features, is_caching_enabled
from datasets.table import InMemoryTable, MemoryMappedTable

from collators.errors import TokenizationError

Write = Callable[[Iterable[pa.Table]], None]


def cached_table(source: Dataset, fingerprint: str, features: Features, make: Callable[[Write], None]) -> Dataset:
    """What `make` writes, or what it wrote before under this fingerprint; for a source in memory, in memory.

    As with `Dataset.map`, the cache is a file in the folder of the source's own. It has its name only once it is whole.
    What is written last counts: whoever starts over, writes again.

    >>> source = Dataset.from_dict({"n": [1]})
    >>> features = Features({"m": source.features["n"]})
    >>> cached_table(source, "made", features, lambda write: write([pa.table({"m": [2]})]))["m"][:]
    [2]
    """
    info = DatasetInfo(features=features)
    schema = features.arrow_schema
    if not source.cache_files:
        written: list[pa.Table] = []

        def collect(tables: Iterable[pa.Table]) -> None:
            written[:] = [table.cast(schema) for table in tables]

        make(collect)
        table = InMemoryTable(pa.concat_tables([schema.empty_table(), *written]))
        return Dataset(table, info=info, split=source.split, fingerprint=fingerprint)
    path = source._get_cache_file_path(fingerprint)
    if not (is_caching_enabled() and os.path.exists(path)):
        # Threads, and machines that share the folder, may write the same rows at a time.
        draft = f"{path}.draft-{uuid.uuid4().hex}"

        def write(tables: Iterable[pa.Table]) -> None:
            with _opened(draft) as file, pa.ipc.new_stream(file, schema) as stream:
                for table in tables:
                    stream.write_table(table.cast(schema))

        try:
            make(write)
            os.replace(draft, path)
        finally:
            if os.path.exists(draft):
                os.remove(draft)
    return Dataset(MemoryMappedTable.from_file(path), info=info, split=source.split, fingerprint=fingerprint)


def _opened(path: str) -> pa.OSFile:
    try:
        return pa.OSFile(path, "wb")
    except OSError as error:
        raise TokenizationError(
            f"{os.path.dirname(path)}: the cache of the dataset cannot be written ({error.strerror or error}); save "
            "the dataset to a folder of your own (save_to_disk, load_from_disk), or call datasets.disable_caching()"
        ) from error
