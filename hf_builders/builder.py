"""The builder every dataset folder subclasses: raw files → records → a view, with an account of every row."""

from __future__ import annotations

import abc
import hashlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets.builder import Key
from datasets.exceptions import DatasetGenerationError

from hf_builders.errors import HfBuildersError, OptionError, SourceError
from hf_builders.locations import DATA_ENVIRONMENT_VARIABLE, DataFiles, Download, OfficialFile, fetch, locate
from hf_builders.quarantine import (
    Account,
    Quarantine,
    account_path,
    quarantine_path,
    read_accounts,
)
from hf_builders.schema import DIALOGUE_VIEWS, FEATURES
from hf_builders.sources import READ_ERRORS, Rows, SourceFile, describe, number
from hf_builders.splits import assign_splits, check_fractions
from hf_builders.view_config import ViewConfig, check_names
from hf_builders.views import Dialogue, show_dialogue

logger = datasets.utils.logging.get_logger(__name__)

# What `_generate_tables` runs: a cached table made by other code than this is not used.
_SHARED_MODULES = (
    "builder",
    "csv_reader",
    "encodings",
    "errors",
    "json_reader",
    "locations",
    "quarantine",
    "schema",
    "sources",
    "splits",
    "view_config",
    "views",
)


class RecordBuilder(datasets.ArrowBasedBuilder):  # type: ignore[misc]
    """A dataset as Arrow tables of records.

    A dataset states the class attributes and writes `read` and `dialogue`; the hooks below are for its own options.
    """

    BUILDER_CONFIG_CLASS = ViewConfig
    BUILDER_CONFIGS: ClassVar[list[ViewConfig]] = [ViewConfig(name=view) for view in DIALOGUE_VIEWS]
    DEFAULT_CONFIG_NAME = "source"

    source_features: ClassVar[datasets.Features]
    """Of the view `source`."""
    official_files: ClassVar[Sequence[OfficialFile]]
    official_download: ClassVar[Download]
    num_official_rows: ClassVar[int]
    num_sample_rows: ClassVar[int]

    @classmethod
    def summary(cls) -> str:
        """One line about the dataset: the docstring of its module."""
        return (sys.modules[cls.__module__].__doc__ or "").strip()

    @abc.abstractmethod
    def read(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Rows]:
        """The records of one raw file, with the columns of `source_features`."""

    @abc.abstractmethod
    def dialogue(self, records: pa.Table) -> Dialogue:
        """Question and answer of each record: what every view but `source` is made of."""

    def parts(self, config: ViewConfig) -> list[str] | None:
        """The parts the caller's options name, each of which must be there; None takes all that are."""
        return None

    def left_out(self, records: pa.Table) -> dict[str, pa.Array]:
        """Which records the caller's options leave out: n booleans for each reason."""
        return {}

    def check(self, config: ViewConfig) -> None:
        """Raises `OptionError` where one of the dataset's own options has a value it does not take."""

    def fractions(self, config: ViewConfig) -> dict[str, float]:
        """The splits to be cut off by hash of the question, where the source has none of its own."""
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
        self._data_files = data_files
        self._accounts_folder: Path | None = None
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
        located = locate(
            self._folder,
            self.official_files,
            data_files=self._data_files,
            data_dir=config.data_dir,
            download=config.download,
            sample=config.sample,
        )
        self.sources = None if located is None else self._selected(located, self.parts(config))
        if not config.sample and self.sources and self._folder in Path(self.sources[0].path).parents:
            self._warn_of_sample()
        self.hash = self._content_hash()
        return config, config_id

    def _selected(self, located: list[SourceFile], parts: list[str] | None) -> list[SourceFile]:
        """The raw files of the parts that were asked for, each of which is there."""
        there, names = {(file.split, file.part) for file in located}, ", ".join(file.name for file in located)
        for part in parts or []:
            if part not in {file.part for file in located}:
                raise SourceError(f"{self._folder.name}: {part} was asked for, and none of {names} is a file of it")
        absent = [file.name for file in self.official_files if (file.split, file.part) not in there]
        if absent and parts is None and self._data_files is None:
            logger.warning(f"{self._folder.name}: reads {names}; there is no {', '.join(absent)}")
        return number(file for file in located if parts is None or file.part in parts)

    def _content_hash(self) -> str:
        """Names the cache folder: other bytes or other code, another folder. Options are in the config id beside it."""
        digest = hashlib.sha256()
        shared = [Path(__file__).with_name(f"{module}.py") for module in _SHARED_MODULES]
        for path in [*shared, *sorted(self._folder.glob("*.py"))]:
            digest.update(path.read_bytes())
        if self.sources is None:
            digest.update(repr(self.official_download).encode())
        for source in self.sources or []:
            try:
                bytes_hash = source.sha256
            except OSError as error:
                raise SourceError(f"{source.path}: cannot be read ({error.strerror})") from error
            digest.update(f"{source.name}|{source.split}|{source.part}|{source.member}|{bytes_hash}|".encode())
        return digest.hexdigest()[:32]

    def _info(self) -> datasets.DatasetInfo:
        view = self.config.name
        return datasets.DatasetInfo(features=self.source_features if view == "source" else FEATURES[view])

    def _split_generators(self, dl_manager: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        sources = self.sources
        if sources is None:
            sources = self._fetch(dl_manager)
        by_split: dict[str, list[SourceFile]] = {}
        for source in sources:
            by_split.setdefault(source.split, []).append(source)
        if fractions := self.fractions(self.config):
            if list(by_split) != ["train"]:
                raise OptionError(
                    f"{', '.join(fractions)}: the files already have splits of their own ({', '.join(by_split)})"
                )
            by_split = dict.fromkeys(("train", *fractions), sources)
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"sources": files, "split": split})
            for split, files in by_split.items()
        ]

    def _fetch(self, dl_manager: datasets.DownloadManager) -> list[SourceFile]:
        if dl_manager.is_streaming:  # its manager hands out addresses; a file has to be here to be checked
            dl_manager = datasets.DownloadManager(self.dataset_name, download_config=dl_manager.download_config)
        mirror = self.config.download if isinstance(self.config.download, str) else None
        parts = self.parts(self.config)
        wanted = [file for file in self.official_files if parts is None or file.part in parts]
        return number(fetch(self.official_download, wanted, mirror, dl_manager))

    def _warn_of_sample(self) -> None:
        name, root = self._folder.name, os.environ.get(DATA_ENVIRONMENT_VARIABLE)
        cause = f"{DATA_ENVIRONMENT_VARIABLE}={root} holds no {name}/" if root else "no data was named"
        warnings.warn(
            f"{name}: {cause}, so these are {self.num_sample_rows:,} invented rows bundled as a sample; "
            f"the real set has {self.num_official_rows:,}. Get it with download=True, name its folder with data_dir= "
            f"or {DATA_ENVIRONMENT_VARIABLE} (a folder that holds {name}/), or keep the sample with sample=True",
            UserWarning,
            stacklevel=2,
        )

    def _prepare_split(self, split_generator: datasets.SplitGenerator, **options: Any) -> None:
        # Still a temporary folder here: accounts and quarantine are renamed into the cache with the Arrow files.
        self._accounts_folder = folder = Path(self._output_dir)
        try:
            super()._prepare_split(split_generator, **options)
        finally:
            self._accounts_folder = None  # the same builder may stream next
        account = read_accounts(folder)[str(split_generator.name)]
        if not account.kept:  # the library would say "corresponds to no data"
            raise SourceError(
                f"{self.dataset_name}: no row is left for {str(split_generator.name)!r}; of {account.read:,} read, "
                f"{account.left_out.total():,} were left out and {account.quarantined.total():,} set aside"
            )

    def _prepare_split_single(self, *args: Any, **options: Any) -> Iterator[Any]:
        try:
            yield from super()._prepare_split_single(*args, **options)
        except DatasetGenerationError as error:
            # "An error occurred while generating the dataset" would hide what is wrong, and a worker process lose it.
            if isinstance(error.__cause__, HfBuildersError):
                raise error.__cause__ from None
            raise

    def _generate_tables(self, sources: Sequence[SourceFile], split: str) -> Iterator[tuple[Key, pa.Table]]:
        for shard, source in enumerate(sources):
            for batch, table in enumerate(self._tables_of(source, split)):
                yield Key(shard, batch), table

    def _tables_of(self, source: SourceFile, split: str) -> Iterator[pa.Table]:
        """The tables of one source, and at their end its account."""
        folder, account, num_refused = self._accounts_folder, Account(), 0
        with Quarantine(self.config.on_bad_row, folder and quarantine_path(folder, split, source.index)) as bad_rows:
            # A row that cannot be read has no question to hash: it belongs to the split of its file.
            unread = bad_rows if split == source.split else Quarantine(self.config.on_bad_row, None)
            for rows in self._read(source, unread):
                rows = self._of_split(rows, split)
                account.read += len(rows.table)
                num_bad = bad_rows.counts.total()
                table = self._show(rows, bad_rows, account)
                num_refused += bad_rows.counts.total() - num_bad
                account.kept += len(table)
                yield table
        account.quarantined = bad_rows.counts
        account.read += bad_rows.counts.total() - num_refused
        if folder is not None:
            account.save(account_path(folder, split, source.index), describe(source))
        elif bad_rows.counts:
            logger.warning(
                f"{source.name}: passed over bad rows {dict(bad_rows.counts)}; streaming writes no quarantine"
            )

    def _read(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Rows]:
        try:
            yield from self.read(source, bad_rows)
        except READ_ERRORS as error:
            raise SourceError(f"{source.path}: cannot be read ({error}); get the file again") from error

    def _of_split(self, rows: Rows, split: str) -> Rows:
        fractions = self.fractions(self.config)
        if not fractions:
            return rows
        return rows.filter(pc.equal(assign_splits(self.dialogue(rows.table).question, fractions), split))

    def _show(self, rows: Rows, bad_rows: Quarantine, account: Account) -> pa.Table:
        """The rows in the view that was asked for, less those the options leave out and those that break its schema."""
        is_kept = np.ones(len(rows.table), dtype=bool)
        for reason, is_out in self.left_out(rows.table).items():
            is_hit = is_kept & is_out.to_numpy(zero_copy_only=False)
            account.left_out.update({reason: int(is_hit.sum())})
            is_kept &= ~is_hit
        rows = rows.filter(is_kept)
        if self.config.name == "source":
            return rows.table.cast(self.source_features.arrow_schema)
        return show_dialogue(self.config.name, rows, self.dialogue(rows.table), bad_rows)
