"""Where the files of a load come from: what the caller names, a download, or the bundled sample, whichever applies."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.utils.logging import get_logger

from hf_builders.errors import OptionError, SourceError
from hf_builders.locations import (
    DATA_ENVIRONMENT_VARIABLE,
    DataFiles,
    Download,
    OfficialFile,
    fetch,
    find_data_files,
    find_in_folder,
)
from hf_builders.own_files import find_own_files, say_splits
from hf_builders.sources import SourceFile, number, told

if TYPE_CHECKING:
    from datasets import DownloadManager

logger = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a dataset declares of its files. Without official ones, the files are the user's own."""

    folder: Path
    """Of the dataset; its name is the dataset's, and the sample lies in it."""
    official_files: Sequence[OfficialFile]
    official_download: Download | None
    num_official_rows: int | None
    num_sample_rows: int
    file_endings: Sequence[str]
    """Of the user's own files; official ones are found by name."""
    how_to_get: str = ""
    """Where official files come from that no program may fetch."""

    @property
    def name(self) -> str:
        return self.folder.name

    def find(self, folder: str | Path) -> list[SourceFile]:
        """The files of this dataset in a folder, at any depth.

        Raises:
            SourceError: it is missing or holds none.
        """
        if self.official_files:
            return find_in_folder(folder, self.official_files, self.name)
        found = find_own_files(folder, self.file_endings, self.name)
        if Path(folder) != self.folder / "sample":
            say_splits(found, self.name)
        return found

    def locate(
        self, *, data_files: DataFiles | None, data_dir: str | None, download: bool | str, sample: bool
    ) -> list[SourceFile] | None:
        """The files of the first that applies: `data_files`, `data_dir`, the environment variable, `download`;
        else the sample. None where they have to be downloaded first.

        Raises:
            OptionError: the sample and other data are asked for at once, or a download where there is none.
            SourceError: the place that applies does not hold the files.
        """
        if sample and (data_files or data_dir or download):
            raise OptionError(f"{self.name}: sample=True, but data_files, data_dir or download too; choose one")
        if download and self.official_download is None:
            what = "these are files which" if self.official_files else "these are files of your own, which"
            way_out = f"{self.how_to_get}, and name" if self.how_to_get else "name"
            raise OptionError(
                f"{self.name}: download={download!r}, but {what} no address offers; {way_out} them with data_files= "
                "or data_dir="
            )
        root = os.environ.get(DATA_ENVIRONMENT_VARIABLE)
        if sample:
            return self.find(self.folder / "sample")
        if data_files is not None:
            return find_data_files(data_files, self.official_files, data_dir)
        if data_dir is not None:
            return self.find(data_dir)
        if root and Path(root, self.name).exists():
            return self.find(Path(root, self.name))
        if download:
            return None
        found = self.find(self.folder / "sample")
        self._warn_of_sample(root)
        return found

    def select(self, located: list[SourceFile], parts: list[str] | None, is_by_name: bool) -> list[SourceFile]:
        """The files of the parts that were asked for, numbered.

        Args:
            parts: each must be there; None takes all that are.
            is_by_name: the caller named each file, so one that is not there was not meant.

        Raises:
            SourceError: a part is not there.
        """
        there, names = {(file.split, file.part) for file in located}, told([file.name for file in located])
        for part in parts or []:
            if part not in {file.part for file in located}:
                raise SourceError(f"{self.name}: {part} was asked for, and none of {names} is a file of it")
        absent = [
            file.name for file in self.official_files if not file.is_optional and (file.split, file.part) not in there
        ]
        if absent and parts is None and not is_by_name:
            logger.warning(f"{self.name}: reads {names}; there is no {', '.join(absent)}")
        return number(file for file in located if parts is None or file.part in parts)

    def fetch(self, parts: list[str] | None, mirror: str | None, manager: DownloadManager) -> list[SourceFile]:
        """The official files of these parts (None: of all), downloaded and checked.

        Raises:
            SourceError: an address does not answer, or its file is not the official one.
        """
        assert self.official_download is not None, "locate refuses a download where there is none"
        wanted = [file for file in self.official_files if parts is None or file.part in parts]
        return number(fetch(self.official_download, wanted, mirror, manager))

    def _warn_of_sample(self, root: str | None) -> None:
        cause = f"{DATA_ENVIRONMENT_VARIABLE}={root} holds no {self.name}/" if root else "no data was named"
        if not self.official_files:
            way_out = "name your own files with data_files= or data_dir="
        else:
            how = self.how_to_get or "get it with download=True"
            how_many = f"the real set has {self.num_official_rows:,}. " if self.num_official_rows else "no real ones. "
            way_out = (
                f"{how_many}{how[0].upper()}{how[1:]}, name its folder with data_dir= or {DATA_ENVIRONMENT_VARIABLE} "
                f"(a folder that holds {self.name}/)"
            )
        warnings.warn(
            f"{self.name}: {cause}, so these are {self.num_sample_rows:,} invented rows bundled as a sample; "
            f"{way_out}, or keep the sample with sample=True",
            UserWarning,
            stacklevel=2,
        )
