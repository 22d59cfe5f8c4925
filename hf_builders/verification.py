"""A prepared folder, or a set that somebody published, in; what of it is proven, and what is wrong with it, out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from hf_builders.check_results import Check, SplitResult
from hf_builders.checked_manifest import read_checked_manifest
from hf_builders.errors import HfBuildersError, OptionError, SourceError
from hf_builders.foreign_sets import is_saved, open_files, open_saved, told_as_no_dataset
from hf_builders.hub import HubRepository
from hf_builders.label_check import check_labels
from hf_builders.label_form import Rules, check_form
from hf_builders.manifest_counts import count_faults, type_faults
from hf_builders.prepared_folder import MANIFEST
from hf_builders.prepared_rows import PreparedRows
from hf_builders.prepared_split import digest_of_saved
from hf_builders.publication import TOKENS
from hf_builders.published_files import card_faults, file_faults, read_configs, strangers
from hf_builders.sources import told
from hf_builders.token_columns import why_no_token_rows
from hf_builders.tokenizer_of_rows import find_tokenizer
from hf_builders.window_check import check_windows

Progress = Callable[[int], None]
_WHOSE = "that the answers are those of the records"


@dataclass
class Verified:
    place: str
    """The folder, or the name of the repository."""
    commit: str | None = None
    """Of the repository, that was verified."""
    configs: dict[str, dict[str, int]] = field(default_factory=dict)
    """Rows by config and split."""
    digest: str | None = None
    """Of the ids and labels there are now; None where no manifest of ours says what it should be."""
    labels: dict[str, SplitResult] = field(default_factory=dict)
    """By split of the token rows; by `config/split` where no manifest of ours says which config they are."""
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
    template: str | None = None,
    token: str | None = None,
    progress: Progress = lambda num_rows: None,
) -> Verified:
    """Compute hashes, row counts and digest of a set again, and check the label rule on each of its rows.

    How far the labels are proven depends on what is there. With the records (the raw files of a prepared folder, or the
    view that was published beside the token rows) and the tokenizer: every trained span is an assistant's turn of its
    record. With the tokenizer alone: each begins where its chat template lets the model begin to speak, and its end is
    trained. Else: labels are ids or -100, and something is trained. `unproven` says what is left.

    Args:
        place: a folder (prepared, or a copy of a repository, or anybody's that `datasets` loads), or the name of a
            dataset repository, which is downloaded whole, past every cache.
        revision: a branch, tag or commit of the repository.
        tokenizer: a folder or hub name; left out, the one the manifest names.
        template: of rows that no manifest of ours describes, as it was given to `tokenize` (`alpaca`, `chatglm3`); left
            out, the tokenizer's own.
        token: of the Hub; None is the one `huggingface_hub` finds.
        progress: called with the number of rows checked since the last call.

    Raises:
        OptionError: neither a folder nor a name.
        SourceError: no dataset is there, it is damaged, or it has no token rows and no manifest.
        HubError: the Hub does not answer, or has no such repository.
        collators.TokenizationError: there is no tokenizer of the name given, or it lacks the template of the rows.
    """
    folder = Path(place).expanduser()
    with tempfile.TemporaryDirectory(prefix="hf-builders-verify-") as scratch:
        cache = Path(scratch) / "cache"
        if folder.is_dir():
            return _Verifier(Verified(str(place)), folder, cache, tokenizer, template, progress).verify()
        if folder.exists():
            raise OptionError(f"{place}: is a file; name a folder, or a dataset on the Hub")
        copy = Path(scratch) / "copy"
        commit = HubRepository(str(place), revision=revision, token=token).download(copy)
        return _Verifier(Verified(str(place), commit), copy, cache, tokenizer, template, progress).verify()


class _Verifier:
    def __init__(
        self,
        found: Verified,
        folder: Path,
        cache: Path,
        tokenizer: str | None,
        template: str | None,
        progress: Progress,
    ) -> None:
        self._found, self._folder, self._cache = found, folder, cache
        self._tokenizer_name, self._template, self._progress = tokenizer, template, progress

    def verify(self) -> Verified:
        manifest = read_checked_manifest(self._folder, self._found.place)
        if manifest is None:
            self._of_others()
        elif "published" in manifest:
            self._published(manifest)
        else:
            self._prepared(manifest)
        return self._found

    def _prepared(self, manifest: Mapping[str, Any]) -> None:
        for name, num_bytes in manifest["files"].items():
            path = self._folder / name
            there = path.stat().st_size if path.is_file() else None
            if there != num_bytes:
                fact = "is gone" if there is None else f"has {there:,} bytes; {MANIFEST} says {num_bytes:,}"
                self._found.faults.append(f"{name}: {fact}")
        splits = open_saved(self._folder / "data", f"{self._found.place}/data")
        self._found.configs[TOKENS] = dict(splits.num_rows)
        self._tokens(splits, manifest, None)

    def _published(self, manifest: Mapping[str, Any]) -> None:
        self._found.faults += file_faults(self._folder, manifest)
        if self._found.faults:
            return  # rows of other files than were published prove nothing
        self._found.faults += card_faults(self._folder, manifest)
        if names := strangers(self._folder, manifest):
            self._found.unproven.append(f"what other files there are for, which were not published: {told(names)}")
        with told_as_no_dataset(self._found.place):
            configs = read_configs(self._folder, manifest, self._cache)
        for name, splits in configs.items():
            rows = self._found.configs[name] = dict(splits.num_rows)
            expected = manifest["published"]["configs"][name]["splits"]
            if rows != expected:
                self._found.faults.append(f"{name}: has {rows} rows; {MANIFEST} says {expected}")
        if TOKENS in configs:
            self._tokens(configs[TOKENS], manifest, configs.get(manifest["dataset"]["view"]))

    def _of_others(self) -> None:
        place, folder = self._found.place, self._folder
        folder = folder / "data" if is_saved(folder / "data") and not is_saved(folder) else folder
        sets = [("saved", open_saved(folder, place))] if is_saved(folder) else open_files(folder, self._cache, place)
        tokenizer = self._tokenizer(None)
        reasons = []
        for config, splits in sets:
            self._found.configs[config] = dict(splits.num_rows)
            for split, rows in splits.items():
                if reason := why_no_token_rows(rows.features.arrow_schema):
                    reasons.append(f"{config}/{split}: {reason}")
                else:
                    self._form(f"{config}/{split}", rows, tokenizer, Rules(template=self._template))
        if not self._found.labels:
            raise SourceError(f"{place}: has no {MANIFEST} of ours, and no token rows ({told(reasons)})")
        if reasons:
            self._found.unproven.append(f"what has no token rows: {told(reasons)}")
        self._found.unproven.append(
            f"what the rows were made of, and whether all are there: no {MANIFEST} of ours says"
        )

    def _tokens(
        self, splits: datasets.DatasetDict, manifest: Mapping[str, Any], records: datasets.DatasetDict | None
    ) -> None:
        if faults := list(type_faults(splits, manifest)):
            self._found.faults += faults
            return
        self._found.digest = digest_of_saved(splits)
        is_same = self._found.digest == manifest["digest"]
        if not is_same:
            self._found.faults.append(
                f"the digest of ids and labels is {self._found.digest}; {MANIFEST} says {manifest['digest']}"
            )
        self._found.faults += (faults := list(count_faults(splits, manifest)))
        if set(splits) != set(manifest["splits"]):
            return
        tokenizer = self._tokenizer(manifest)
        if tokenizer is not None and (check := self._with_records(splits, manifest, records, tokenizer)) is not None:
            self._found.labels |= check.splits
            self._found.faults += [] if faults or not is_same else check.faults  # these say the same
        elif manifest["spans"]:
            self._found.unproven.append("windows: their answers are proven by the records alone")
        else:
            for split, rows in splits.items():
                self._form(split, rows, tokenizer, _rules(manifest))

    def _with_records(
        self,
        splits: datasets.DatasetDict,
        manifest: Mapping[str, Any],
        records: datasets.DatasetDict | None,
        tokenizer: Any,
    ) -> Check | None:
        """The whole proof, if the records are there."""
        view = manifest["dataset"]["view"]
        if "published" in manifest and (records is None or not set(splits) <= set(records)):
            self._found.unproven.append(
                f"{_WHOSE}: the view {view} of them is not published (--view when it is pushed)"
            )
            return None
        if self._found.commit is not None and "published" not in manifest:
            self._found.unproven.append(f"{_WHOSE}: a repository has no raw files; publish with `hf-builders push`")
            return None
        check = check_windows if manifest["spans"] else check_labels
        try:
            return check(PreparedRows(self._folder, dict(manifest), splits, tokenizer), self._progress, records)
        except HfBuildersError as error:
            self._found.unproven.append(f"{_WHOSE}: {error}")
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, pa.ArrowException) as error:
            if records is None:
                raise
            self._found.faults.append(f"{view}: its rows are no records of that view ({type(error).__name__}: {error})")
        return None

    def _form(self, name: str, rows: datasets.Dataset, tokenizer: Any | None, rules: Rules) -> None:
        check = self._found.labels[name] = check_form(rows, tokenizer, rules, progress=self._progress)
        self._found.unproven += [f"{name}: {line}" for line in check.unproven()]

    def _tokenizer(self, manifest: Mapping[str, Any] | None) -> Any | None:
        tokenizer, reason = find_tokenizer(self._found.place, self._tokenizer_name, manifest)
        if reason:
            self._found.unproven.append(f"who says what is trained: {reason}")
        return tokenizer


def _rules(manifest: Mapping[str, Any]) -> Rules:
    options = manifest["tokenize"]
    known = ("template", "chat_template_kwargs", "loss", "overflow", "max_length")
    return Rules(
        **{name: options[name] for name in known},
        packed_length=manifest["pack"].get("max_length"),
        is_text=manifest["dataset"]["view"] == "text",
    )
