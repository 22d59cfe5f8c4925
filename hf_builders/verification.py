"""A prepared folder, or a set that somebody published, in; what of it is proven, and what is wrong with it, out."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets

import collators
from collators.errors import TokenizationError
from collators.tokenizers import tokenizer_digest
from hf_builders.check_results import Check, SplitResult
from hf_builders.errors import HfBuildersError, SourceError
from hf_builders.hub import HubRepository
from hf_builders.label_check import check_labels
from hf_builders.label_form import check_form
from hf_builders.prepared_folder import MANIFEST, read_manifest
from hf_builders.prepared_rows import PreparedRows
from hf_builders.prepared_split import digest_of_saved
from hf_builders.publication import TOKENS
from hf_builders.published_files import file_faults, read_configs
from hf_builders.window_check import check_windows

Progress = Callable[[int], None]
_TOKEN_COLUMNS = {"input_ids", "labels"}


@dataclass
class Verified:
    place: str
    """The folder, or the name of the repository."""
    commit: str | None = None
    """Of the repository, that was verified."""
    configs: dict[str, dict[str, int]] = field(default_factory=dict)
    """Rows by config and split."""
    digest: str | None = None
    """Of the ids and labels there are now."""
    labels: dict[str, SplitResult] = field(default_factory=dict)
    """By split of the token rows (`config/split`, where several configs have some)."""
    faults: list[str] = field(default_factory=list)
    """What is wrong with the set as a whole."""
    unproven: list[str] = field(default_factory=list)
    """What could not be looked at, and what would make it possible."""

    @property
    def passed(self) -> bool:
        return not self.faults and not any(split.failed for split in self.labels.values())


def verify(
    place: str | Path,
    *,
    revision: str | None = None,
    tokenizer: str | None = None,
    token: str | None = None,
    progress: Progress = lambda num_rows: None,
) -> Verified:
    """Compute hashes, row counts and digest of a set again, and check the label rule on each of its rows.

    How far the labels are proven depends on what is there. With the records (the raw files of a prepared folder, or the
    view that was published beside the token rows) and the tokenizer: every trained span is an assistant's turn of its
    record. With the tokenizer alone: an assistant says it, and its end is trained. Else: labels are ids or -100, and
    something is trained. `unproven` says which it was.

    Args:
        place: a folder (prepared, or a copy of a repository), or the name of a dataset repository, which is downloaded
            whole, past every cache.
        revision: a branch, tag or commit of the repository.
        tokenizer: a folder or hub name; left out, the one the manifest names.

    Raises:
        OptionError: neither a folder nor a name.
        SourceError: no dataset is there, or it has no token rows and no manifest.
        HubError: the Hub does not answer, or has no such repository.
    """
    folder = Path(place).expanduser()
    with tempfile.TemporaryDirectory(prefix="hf-builders-verify-") as scratch:
        cache = Path(scratch) / "cache"
        if folder.is_dir():
            return _Verifier(Verified(str(place)), folder, cache, tokenizer, progress).verify()
        copy = Path(scratch) / "copy"
        commit = HubRepository(str(place), revision=revision, token=token).download(copy)
        return _Verifier(Verified(str(place), commit), copy, cache, tokenizer, progress).verify()


class _Verifier:
    def __init__(self, found: Verified, folder: Path, cache: Path, tokenizer: str | None, progress: Progress) -> None:
        self._found, self._folder, self._cache = found, folder, cache
        self._tokenizer_name, self._progress = tokenizer, progress

    def verify(self) -> Verified:
        if not (self._folder / MANIFEST).is_file():
            self._of_others()
        elif "published" in (manifest := self._manifest()):
            self._published(manifest)
        else:
            self._prepared(read_manifest(self._folder))
        return self._found

    def _manifest(self) -> dict[str, Any]:
        try:
            manifest: dict[str, Any] = json.loads((self._folder / MANIFEST).read_text(encoding="utf-8"))
        except ValueError as error:
            raise SourceError(f"{self._found.place}: {MANIFEST} is damaged ({error}); publish it again") from error
        return manifest

    def _prepared(self, manifest: dict[str, Any]) -> None:
        splits = datasets.load_from_disk(self._folder / "data")
        self._found.configs[TOKENS] = dict(splits.num_rows)
        self._tokens(splits, manifest, None)

    def _published(self, manifest: dict[str, Any]) -> None:
        self._found.faults += file_faults(self._folder, manifest)
        if self._found.faults:
            return  # rows of other files than were published prove nothing
        configs = read_configs(self._folder, manifest, self._cache)
        for name, splits in configs.items():
            rows = self._found.configs[name] = dict(splits.num_rows)
            expected = manifest["published"]["configs"][name]["splits"]
            if rows != expected:
                self._found.faults.append(f"{name}: has {rows} rows; {MANIFEST} says {expected}")
        if TOKENS in configs:
            self._tokens(configs[TOKENS], manifest, configs.get(manifest["dataset"]["view"]))

    def _of_others(self) -> None:
        found_some = False
        for config, splits in _configs_of_others(self._folder, self._cache, self._found.place):
            self._found.configs[config] = dict(splits.num_rows)
            for split, rows in splits.items():
                if set(rows.column_names) >= _TOKEN_COLUMNS:
                    found_some = True
                    self._found.labels[f"{config}/{split}"] = self._form(rows, self._tokenizer(None), {})
        if not found_some:
            raise SourceError(
                f"{self._found.place}: has no {MANIFEST}, and no columns input_ids and labels; nothing to verify"
            )
        self._found.unproven.append(f"there is no {MANIFEST}: what the rows were made of, and whether all are there")

    def _tokens(
        self, splits: datasets.DatasetDict, manifest: dict[str, Any], records: datasets.DatasetDict | None
    ) -> None:
        self._found.digest = digest_of_saved(splits)
        if self._found.digest != manifest["digest"]:
            self._found.faults.append(
                f"the digest of ids and labels is {self._found.digest}; {MANIFEST} says {manifest['digest']}"
            )
        tokenizer = self._tokenizer(manifest)
        if tokenizer is not None and (check := self._with_records(splits, manifest, records, tokenizer)) is not None:
            self._found.labels |= check.splits
            self._found.faults += [fault for fault in check.faults if self._found.digest == manifest["digest"]]
        elif manifest.get("spans"):
            self._found.unproven.append("windows: their answers are proven by the records alone")
        else:
            for split, rows in splits.items():
                self._found.labels[split] = self._form(rows, tokenizer, manifest)

    def _with_records(
        self,
        splits: datasets.DatasetDict,
        manifest: dict[str, Any],
        records: datasets.DatasetDict | None,
        tokenizer: Any,
    ) -> Check | None:
        """The whole proof, if the records are there."""
        view = manifest["dataset"]["view"]
        if "published" in manifest and records is None:
            self._found.unproven.append(f"that spans are turns of their records: the view {view} is not published")
            return None
        check = check_windows if manifest.get("spans") else check_labels
        try:
            return check(PreparedRows(self._folder, manifest, splits, tokenizer), self._progress, records)
        except HfBuildersError as error:
            self._found.unproven.append(f"that spans are turns of their records: {error}")
            return None

    def _form(self, rows: datasets.Dataset, tokenizer: Any | None, manifest: Mapping[str, Any]) -> SplitResult:
        options = manifest.get("tokenize") or {}
        return check_form(
            rows,
            tokenizer,
            template=options.get("template"),
            chat_template_kwargs=options.get("chat_template_kwargs"),
            max_length=(manifest.get("pack") or {}).get("max_length") or options.get("max_length"),
            progress=self._progress,
        )

    def _tokenizer(self, manifest: Mapping[str, Any] | None) -> Any | None:
        name = self._tokenizer_name
        if name is None and manifest is not None:
            name = str((manifest["tokenize"] or manifest["spans"])["tokenizer"])
            if "/" not in name and not Path(name).is_dir():  # it was a folder where the rows were made
                self._found.unproven.append(f"who says what is trained: {name} is not here; name it (--tokenizer)")
                return None
        if name is None:
            self._found.unproven.append("who says what is trained: name the tokenizer of the rows (--tokenizer)")
            return None
        try:
            tokenizer = collators.load_tokenizer(name)
        except TokenizationError as error:
            if self._tokenizer_name is not None:
                raise
            self._found.unproven.append(f"who says what is trained: {error}; name the tokenizer (--tokenizer)")
            return None
        if manifest is not None and tokenizer_digest(tokenizer) != manifest["tokenizer_digest"]:
            fact = f"{name} is not the tokenizer of the rows (other digest)"
            if self._tokenizer_name is not None:
                raise SourceError(f"{self._found.place}: {fact}; {MANIFEST} has the digest of the right one")
            self._found.unproven.append(f"who says what is trained: {fact}; name the right one (--tokenizer)")
            return None
        return tokenizer


def _configs_of_others(folder: Path, cache: Path, place: str) -> Iterator[tuple[str, datasets.DatasetDict]]:
    try:
        for config in datasets.get_dataset_config_names(str(folder)):
            yield config, datasets.load_dataset(str(folder), config, cache_dir=str(cache))
    except (datasets.exceptions.DatasetsError, FileNotFoundError, ValueError) as error:
        raise SourceError(f"{place}: is no dataset that `datasets` can load ({error})") from error
