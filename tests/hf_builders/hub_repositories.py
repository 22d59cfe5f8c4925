"""What a Hub keeps: repositories of datasets with their branches, commits, files, and objects of Git LFS.

No HTTP here: `hub_stand_in.Hub` answers the real client out of it, and tests look at it. A file is its bytes; what is
large or named by `.gitattributes` is kept as Git LFS does, with a pointer to the bytes in the history.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from typing import Any

import yaml

LARGE = 10 << 20
"""Bytes. What is longer goes to LFS, whatever its name; a commit that holds more than that itself is refused."""

_ATTRIBUTES = "".join(
    f"*.{ending} filter=lfs diff=lfs merge=lfs -text\n" for ending in ("arrow", "bin", "gz", "parquet", "zip", "zst")
)


class Refusal(Exception):
    """A request the Hub refuses: the status, the sentence, and the word the client reads the reason from."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


@dataclass(frozen=True)
class StoredFile:
    data: bytes
    lfs: bool

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def pointer(self) -> bytes:
        lines = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.data)}\n"
        return lines.encode()

    @cached_property
    def blob_id(self) -> str:
        blob = self.pointer if self.lfs else self.data
        return hashlib.sha1(f"blob {len(blob)}\0".encode() + blob).hexdigest()

    @property
    def etag(self) -> str:
        """Also the id by which the client knows that a file of its own is no other: of LFS, that of the bytes."""
        return self.sha256 if self.lfs else self.blob_id

    def facts(self) -> dict[str, Any]:
        known: dict[str, Any] = {"oid": self.blob_id, "size": len(self.data)}
        if self.lfs:
            known["lfs"] = {"oid": self.sha256, "size": len(self.data), "pointerSize": len(self.pointer)}
        return known


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: str | None
    title: str
    description: str
    date: str
    """As the Hub writes it: `2026-01-31T12:00:00.000Z`."""
    files: Mapping[str, StoredFile]
    """All files of the repository after this commit, by path."""


@dataclass
class Repository:
    name: str
    """`organisation/name`."""
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    """In the order they were made, whatever their branch."""
    branches: dict[str, str] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    """Of Git LFS, by SHA-256; one can be there before a commit names it."""
    corrupted: set[str] = field(default_factory=set)
    """SHA-256 of what is served with one bit turned."""

    def __post_init__(self) -> None:
        self._add({".gitattributes": StoredFile(_ATTRIBUTES.encode(), False)}, "main", None, "initial commit", "")

    def _add(self, files: Mapping[str, StoredFile], branch: str, parent: str | None, title: str, text: str) -> Commit:
        now = datetime.datetime.now(datetime.timezone.utc)
        date = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        names = "".join(f"{path} {file.blob_id}\n" for path, file in sorted(files.items()))
        oid = hashlib.sha1(f"{self.name} {len(self.commits)} {parent} {title}\n{names}".encode()).hexdigest()
        self.commits[oid] = Commit(oid, parent, title, text, date, dict(files))
        self.branches[branch] = oid
        return self.commits[oid]

    def at(self, revision: str) -> Commit:
        """The commit of a branch, or with that full id."""
        oid = self.branches.get(revision, revision)
        if oid not in self.commits:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[oid]

    def file(self, revision: str, path: str) -> StoredFile:
        found = self.at(revision).files.get(path)
        if found is None:
            raise Refusal(404, "Entry not found", "EntryNotFound")
        return found

    def served(self, file: StoredFile) -> bytes:
        if file.sha256 not in self.corrupted:
            return file.data
        middle = len(file.data) // 2
        return file.data[:middle] + bytes([file.data[middle] ^ 1]) + file.data[middle + 1 :]

    def history(self, revision: str) -> Iterator[Commit]:
        """The newest first."""
        commit: Commit | None = self.at(revision)
        while commit is not None:
            yield commit
            commit = self.commits[commit.parent] if commit.parent else None

    def branch(self, name: str, start: str) -> None:
        if name in self.branches:
            raise Refusal(409, f"Reference already exists: {name}")
        self.branches[name] = self.at(start).oid

    def commit(
        self,
        added: Mapping[str, StoredFile],
        deleted: Collection[str] = (),
        *,
        branch: str = "main",
        parent: str | None = None,
        title: str = "commit",
        description: str = "",
    ) -> Commit:
        """One commit more. Of `deleted`, what ends in `/` is a folder; `parent` is what the head has to be."""
        if branch not in self.branches:
            raise Refusal(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        head = self.at(branch)
        if parent not in (None, head.oid):
            raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        files = dict(head.files)
        for name in deleted:
            gone = [path for path in files if path == name or (name.endswith("/") and path.startswith(name))]
            if not gone:
                raise Refusal(404, f"A file with this name doesn't exist: {name}", "EntryNotFound")
            for path in gone:
                del files[path]
        if "README.md" in added and (errors := card_errors(added["README.md"].data.decode())):
            raise Refusal(400, "\n".join(errors))
        return self._add({**files, **added}, branch, head.oid, title, description)

    def is_lfs(self, revision: str, path: str, size: int) -> bool:
        """Whether a file of that name and length belongs to LFS, by its length and `.gitattributes`."""
        attributes = self.at(revision).files.get(".gitattributes", StoredFile(b"", False)).data.decode()
        patterns = [line.split()[0] for line in attributes.splitlines() if "filter=lfs" in line.split()]
        return size > LARGE or _matches(path, patterns)

    def is_ignored(self, revision: str, path: str, rules: str | None) -> bool:
        """Whether `.gitignore` (the one sent, else the one that is there) keeps the file out."""
        if rules is None:
            rules = self.at(revision).files.get(".gitignore", StoredFile(b"", False)).data.decode()
        return _matches(path, [line for line in rules.splitlines() if line and not line.startswith("#")])

    def entries(self, revision: str, *, expand: bool = False) -> dict[str, dict[str, Any]]:
        """What the Hub tells of every file and folder, by path; with `expand`, also the commit that changed it last."""
        files = self.at(revision).files
        told = {path: {"type": "file", "path": path, **file.facts()} for path, file in files.items()}
        for path in files:
            for folder in (path[: end.start()] for end in re.finditer("/", path)):
                oid = hashlib.sha1(str(_below(files, folder)).encode()).hexdigest()
                told[folder] = {"type": "directory", "path": folder, "oid": oid, "size": 0}
        if expand:
            for path, entry in told.items():
                entry["lastCommit"] = self._last_change(revision, path)
        return dict(sorted(told.items()))

    def _last_change(self, revision: str, path: str) -> dict[str, str]:
        commits = list(self.history(revision))
        states = [_below(commit.files, path) for commit in commits] + [{}]
        last = next(commit for place, commit in enumerate(commits) if states[place] != states[place + 1])
        return {"id": last.oid, "title": last.title, "date": last.date}

    def facts(self, revision: str, *, blobs: bool = False) -> dict[str, Any]:
        """What the Hub tells of a dataset; with `blobs`, also how long its files are."""
        commit, first = self.at(revision), next(iter(self.commits.values()))
        siblings: list[dict[str, Any]] = [{"rfilename": path} for path in sorted(commit.files)]
        for sibling in siblings if blobs else []:
            facts = commit.files[sibling["rfilename"]].facts()
            sibling |= {"size": facts["size"], "blobId": facts["oid"]}
            if lfs := facts.get("lfs"):
                sibling["lfs"] = {"sha256": lfs["oid"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
        told = {
            "id": self.name,
            "author": self.name.split("/")[0],
            "sha": commit.oid,
            "private": self.private,
            "gated": False,
            "createdAt": first.date,
            "lastModified": commit.date,
            "siblings": siblings,
        }
        if "README.md" in commit.files:
            told["cardData"] = _card_data(commit.files["README.md"].data.decode())
        return told


def _matches(path: str, patterns: Collection[str]) -> bool:
    return any(fnmatch(path, pattern) or fnmatch(path.rsplit("/", 1)[-1], pattern) for pattern in patterns)


def _below(files: Mapping[str, StoredFile], path: str) -> dict[str, str]:
    return {name: file.blob_id for name, file in files.items() if name == path or name.startswith(f"{path}/")}


def _card_data(text: str) -> Any:
    """The YAML at the head of a card; None where there is none."""
    head = re.match(r"---\r?\n(.*?)^---\s*$", text, re.DOTALL | re.MULTILINE)
    return yaml.safe_load(head[1]) if head else None


def card_errors(text: str) -> list[str]:
    """What the Hub says against the head of a card; only the kinds of its commonest fields are looked at."""
    try:
        data = _card_data(text)
    except yaml.YAMLError as error:
        return [f"YAML Metadata Error: {error}"]
    if data is None:
        return []
    if not isinstance(data, dict):
        return ["YAML Metadata Error: the metadata must be an object"]
    errors = []
    for name in ("license", "language", "task_categories", "size_categories", "tags"):
        values = data.get(name, [])
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(value, str) or (name in ("license", "language") and value != value.lower()):
                errors.append(f'"{name}" must be a string, or an array of them, and no capitals in it (is {value!r})')
    configs = data.get("configs", [])
    if not isinstance(configs, list) or any("config_name" not in config for config in configs):
        errors.append('"configs" must be an array of objects with a "config_name"')
    return errors
