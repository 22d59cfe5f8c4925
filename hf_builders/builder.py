"""The builder every dataset folder subclasses: raw files → records → a view, with an account of every row."""

from __future__ import annotations

import abc
import contextlib
import os
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets.builder import Key
from datasets.exceptions import DatasetGenerationError

from hf_builders.content_hash import content_hash
from hf_builders.errors import HfBuildersError, OptionError, SourceError
from hf_builders.locations import DataFiles, Download, OfficialFile
from hf_builders.origin import Origin
from hf_builders.quarantine import (
    Account,
    Quarantine,
    account_path,
    quarantine_path,
    read_accounts,
)
from hf_builders.sources import Rows, SourceFile, describe, told, told_as_source_error
from hf_builders.splits import assign_splits, check_fractions
from hf_builders.view_config import ViewConfig, check_names

logger = datasets.utils.logging.get_logger(__name__)


class RecordBuilder(datasets.ArrowBasedBuilder):  # type: ignore[misc]
    """A dataset as Arrow tables of records.

    A dataset states the class attributes and writes `features`, `read` and `show`; the hooks below are for its own
    options. One of questions and answers is a `DialogueBuilder`. One without official files holds files of the user's
    own: all in `data_dir` that end in one of `file_endings`.
    """

    BUILDER_CONFIG_CLASS = ViewConfig
    BUILDER_CONFIGS: ClassVar[list[ViewConfig]]
    """One for each view."""
    DEFAULT_CONFIG_NAME: ClassVar[str]

    official_files: ClassVar[Sequence[OfficialFile]] = ()
    official_download: ClassVar[Download | None] = None
    how_to_get: ClassVar[str] = ""
    """Where the official files come from, if no program may fetch them: what their user has to do."""
    num_official_rows: ClassVar[int | None] = None
    barred: ClassVar[str] = ""
    """Why nobody may publish what is made of the official files; empty where their licence leaves it to the user."""
    file_endings: ClassVar[Sequence[str]] = (".json", ".jsonl")
    num_sample_rows: ClassVar[int]

    @classmethod
    def summary(cls) -> str:
        """One line about the dataset: the docstring of its module."""
        return (sys.modules[cls.__module__].__doc__ or "").strip()

    @abc.abstractmethod
    def features(self) -> datasets.Features | None:
        """Of the view that was asked for, `self.config.name`. Files on this machine are known by now: `self.sources`.

        None where they are in the files and a cached table should not be read again for them: then the dataset's
        `_split_generators` puts them in `self.info`, before anything is read for good.
        """

    @abc.abstractmethod
    def read(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Rows]:
        """The records of one raw file."""

    @abc.abstractmethod
    def show(self, rows: Rows, bad_rows: Quarantine) -> pa.Table:
        """The records in the view that was asked for, with the types of `features`."""

    def split_keys(self, records: pa.Table) -> pa.Array:
        """What decides the split of each record where `fractions` cuts some off: records of one key stay together."""
        raise AssertionError(f"{type(self).__module__}: states fractions, so it has to write split_keys")

    def files_of_rows(self, sources: list[SourceFile]) -> list[SourceFile]:
        """The files that `read` is asked for; in the others, `looked_up`, it looks things up, as in a list of codes."""
        return sources

    def survey(self, sources: list[SourceFile]) -> None:
        """Learns of all files of rows what has to be known before the first is read: what is newer elsewhere, say.

        What it puts on `self` goes to every process that reads.
        """

    def parts(self, config: ViewConfig) -> list[str] | None:
        """The parts the caller's options name, each of which must be there; None takes all that are."""
        return None

    def left_out(self, records: pa.Table) -> dict[str, pa.Array]:
        """Which records the caller's options leave out: n booleans for each reason."""
        return {}

    def noted(self, records: pa.Table) -> Counter[str]:
        """What is worth knowing of records that are kept: how many for each reason."""
        return Counter()

    def check(self, config: ViewConfig) -> None:
        """Raises `OptionError` where one of the dataset's own options has a value it does not take."""

    def fractions(self, config: ViewConfig) -> dict[str, float]:
        """The splits to be cut off by hash of `split_keys`, where the source has none of its own."""
        return {}

    def __init__(
        self,
        cache_dir: str | None = None,
        dataset_name: str | None = None,
        config_name: str | None = None,
        hash: str | None = None,
        data_files: DataFiles | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        self._folder = Path(str(sys.modules[type(self).__module__].__file__)).parent
        self._origin = Origin(
            folder=self._folder,
            official_files=self.official_files,
            official_download=self.official_download,
            num_official_rows=self.num_official_rows,
            num_sample_rows=self.num_sample_rows,
            file_endings=self.file_endings,
            how_to_get=self.how_to_get,
        )
        self._data_files = data_files
        self._accounts_folder: Path | None = None
        self.looked_up: list[SourceFile] = []
        """The others than `files_of_rows`."""
        # Not passed on: `dataset_name`, which the library would take from the module (`builder`), `hash`, which
        # `_create_builder_config` makes from what is read, and `data_files`, which it would resolve its own way.
        super().__init__(
            cache_dir=cache_dir,
            dataset_name=self._folder.name,
            config_name=config_name,
            data_dir=None if data_dir is None else os.fspath(data_dir),
            **options,
        )

    def _create_builder_config(self, config_name: str | None = None, **options: Any) -> tuple[ViewConfig, str]:
        """The library's hook between options and cache folder: check the first, find what names the second."""
        check_names(self._folder.name, self.BUILDER_CONFIG_CLASS, list(self.builder_configs), config_name, options)
        config, config_id = super()._create_builder_config(config_name=config_name, **options)
        self.check(config)
        check_fractions(self.fractions(config))
        located = self._origin.locate(
            data_files=self._data_files, data_dir=config.data_dir, download=config.download, sample=config.sample
        )
        is_by_name = self._data_files is not None
        self.sources = located and self._origin.select(located, self.parts(config), is_by_name)
        self.hash = content_hash(self._folder, self.sources, self.official_download)
        return config, config_id

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(features=self.features())

    def _split_generators(self, dl_manager: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        sources = self.sources
        if sources is None:
            sources = self._fetch(dl_manager)
        rows_of = self.files_of_rows(sources)
        self.looked_up = sorted(set(sources) - set(rows_of), key=lambda source: source.index)
        by_split: dict[str, list[SourceFile]] = {}
        for source in rows_of:
            by_split.setdefault(source.split, []).append(source)
        if fractions := self.fractions(self.config):
            if list(by_split) != ["train"]:
                raise OptionError(
                    f"{', '.join(fractions)}: the files already have splits of their own ({', '.join(by_split)})"
                )
            by_split = dict.fromkeys(("train", *fractions), rows_of)
        self.survey(rows_of)
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"sources": files, "split": split})
            for split, files in by_split.items()
        ]

    def local_manager(self, dl_manager: datasets.DownloadManager) -> datasets.DownloadManager:
        """The same manager, or for streams, whose manager hands out addresses, one that puts files on this machine."""
        if not dl_manager.is_streaming:
            return dl_manager
        return datasets.DownloadManager(self.dataset_name, download_config=dl_manager.download_config)

    def _fetch(self, dl_manager: datasets.DownloadManager) -> list[SourceFile]:
        mirror = self.config.download if isinstance(self.config.download, str) else None
        return self._origin.fetch(self.parts(self.config), mirror, self.local_manager(dl_manager))

    def _prepare_split(self, split_generator: datasets.SplitGenerator, **options: Any) -> None:
        # Still a temporary folder here: accounts and quarantine are renamed into the cache with the Arrow files.
        self._accounts_folder = folder = Path(self._output_dir)
        try:
            super()._prepare_split(split_generator, **options)
        finally:
            self._accounts_folder = None  # the same builder may stream next
        account = read_accounts(folder)[str(split_generator.name)]
        if not account.kept:  # the library would say "corresponds to no data"
            names = [source.name for source in split_generator.gen_kwargs["sources"]]
            raise SourceError(f"{self.dataset_name}: {self._no_row_left(str(split_generator.name), names, account)}")

    def _no_row_left(self, split: str, names: Sequence[str], account: Account) -> str:
        """Why a split is empty, and what to do about it."""
        if account.quarantined:
            way_out = "on_bad_row='raise' shows the first bad row"
        elif account.left_out:
            way_out = "change the options that leave them out"
        elif self.fractions(self.config):
            way_out = "give the split a larger fraction"
        else:
            way_out = "a header or brackets alone are no rows: put some in, or leave the file out"
        return f"no row is left for {split!r} of {told(names)}; {account.told()}; {way_out}"

    def _prepare_split_single(self, *args: Any, **options: Any) -> Iterator[Any]:
        try:
            yield from super()._prepare_split_single(*args, **options)
        except DatasetGenerationError as error:
            # "An error occurred while generating the dataset" would hide what is wrong, and a worker process lose it.
            if isinstance(error.__cause__, HfBuildersError):
                raise error.__cause__ from None
            raise

    def _generate_tables(self, sources: Sequence[SourceFile], split: str) -> Iterator[tuple[Key, pa.Table]]:
        folder, account = self._accounts_folder, Account()
        shard = 0  # `datasets` 4.7 stumbles over the number of a file that has no table, so only the others have one
        for source in sources:
            batch = -1
            for batch, table in enumerate(self._tables_of(source, split, account)):
                yield Key(shard, batch), table
            shard += batch >= 0
        if folder is not None:
            account.save(account_path(folder, split, sources[0].index), describe([*sources, *self.looked_up]))

    def _tables_of(self, source: SourceFile, split: str, account: Account) -> Iterator[pa.Table]:
        """The tables of one source; its rows go into the account."""
        folder, num_refused = self._accounts_folder, 0
        with Quarantine(self.config.on_bad_row, folder and quarantine_path(folder, split, source.index)) as bad_rows:
            # A row that cannot be read has no key to hash: it belongs to the split of its file.
            unread = bad_rows if split == source.split else Quarantine(self.config.on_bad_row, None)
            # Closed by hand: an error keeps its frames, and with them the file, for longer than anyone needs it.
            with contextlib.closing(self._read(source, unread)) as read:
                for rows in read:
                    rows = self._of_split(rows, split)
                    account.read += len(rows.table)
                    num_bad = bad_rows.counts.total()
                    table = self._show(rows, bad_rows, account)
                    num_refused += bad_rows.counts.total() - num_bad
                    account.kept += len(table)
                    yield table
        account.quarantined += bad_rows.counts
        account.read += bad_rows.counts.total() - num_refused
        if folder is None and bad_rows.counts:
            logger.warning(
                f"{source.name}: passed over bad rows {dict(bad_rows.counts)}; streaming writes no quarantine"
            )

    def _read(self, source: SourceFile, bad_rows: Quarantine) -> Generator[Rows, None, None]:
        with told_as_source_error(source):
            yield from self.read(source, bad_rows)

    def _of_split(self, rows: Rows, split: str) -> Rows:
        fractions = self.fractions(self.config)
        if not fractions:
            return rows
        return rows.filter(pc.equal(assign_splits(self.split_keys(rows.table), fractions), split))

    def _show(self, rows: Rows, bad_rows: Quarantine, account: Account) -> pa.Table:
        """The rows in the view that was asked for, less those the options leave out and those that break its schema."""
        is_kept = np.ones(len(rows.table), dtype=bool)
        for reason, is_out in self.left_out(rows.table).items():
            is_hit = is_kept & is_out.to_numpy(zero_copy_only=False)
            account.left_out.update({reason: int(is_hit.sum())})
            is_kept &= ~is_hit
        rows = rows.filter(is_kept)
        account.noted.update(self.noted(rows.table))
        return self.show(rows, bad_rows)
