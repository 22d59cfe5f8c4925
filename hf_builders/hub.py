"""The Hub as a place for the files of a publication: one commit for all of them, and nothing of anybody else's undone.

Only `huggingface_hub` speaks with it; endpoint (`HF_ENDPOINT`) and token are found as it finds them.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # public, and not in __all__

from hf_builders.errors import HubError, OptionError
from hf_builders.hub_calls import NUM_TRIES, HubCalls
from hf_builders.prepared_folder import MANIFEST
from hf_builders.progress import stage, without_bars

_MOVED_ON = {409, 412}
"""Somebody else committed in the meantime."""
_MADE_BY_HUB = re.compile(r"\.gitattributes|\.gitignore|README\.md|LICEN[CS]E.*")
"""Files that a repository may have before anything was pushed to it."""


class HubRepository:
    """One dataset repository, at a branch.

    Args:
        repo_id: `organisation/name`.
        revision: the branch; None is `main`.
        token: None is the one `huggingface_hub` finds.

    Raises:
        OptionError: no name of a repository or branch, no token, or no address of a Hub.
    """

    def __init__(self, repo_id: str, *, revision: str | None = None, token: str | None = None) -> None:
        check_repo_id(repo_id)
        if revision is not None and not revision.strip():
            raise OptionError(f"revision: {revision!r} is no name of a branch; leave it out for main")
        self.repo_id, self.revision = repo_id, revision
        self._api = HfApi(token=token)
        tokens = [each for each in (token, get_token()) if each]
        _check_access(self._api.endpoint, tokens)
        self._calls = HubCalls(repo_id, tokens)
        self._names: dict[str, Any] = {"repo_id": repo_id, "repo_type": "dataset"}

    def make(self, *, private: bool) -> None:
        """Make repository and branch, where they are not there.

        Raises:
            OptionError: it shall be private, and is there and is not; or it holds what this program did not push.
            HubError: the Hub does not answer, or refuses.
        """
        self._calls.ask(lambda: self._api.create_repo(**self._names, private=private or None, exist_ok=True))
        self._calls.is_made = True
        if private and not self._calls.ask(lambda: self._api.dataset_info(self.repo_id)).private:
            raise OptionError(
                f"{self.repo_id}: is there and is public; make it private in its settings, or leave out --private"
            )
        if self.revision is not None and not self.revision.startswith("refs/"):
            branch = self.revision
            self._calls.ask(lambda: self._api.create_branch(**self._names, branch=branch, exist_ok=True))
        self._calls.ask(self._check_ours)

    def upload(self, folder: Path, paths: Sequence[Path]) -> None:
        """Upload the contents of large files, one by one; the Hub takes none twice, so a second try goes on.

        Raises:
            HubError: the Hub does not answer, or refuses.
        """
        with stage("upload", sum(path.stat().st_size for path in paths), "B") as done:
            for path in paths:
                self._calls.ask(lambda path=path: self._upload(folder, path))  # type: ignore[misc]
                done(path.stat().st_size)

    def commit(self, folder: Path, paths: Sequence[Path], message: str) -> str:
        """Put all files in one commit, and out what an earlier publication left; gives the commit's name.

        Nobody else's commit is undone: if the branch moves on meanwhile, the files are compared with it again.

        Raises:
            HubError: the Hub does not answer, or refuses.
        """
        for attempt in range(NUM_TRIES):
            with contextlib.suppress(_MovedOn), without_bars():
                return self._calls.ask(lambda: self._commit(folder, paths, message))
            self._calls.pause(attempt, "somebody else committed meanwhile")
        raise HubError(f"{self.repo_id}: others commit to it all the time; push again when they are done")

    def download(self, folder: Path, names: Sequence[str] | None = None, *, commit: str | None = None) -> str:
        """Fetch files anew, past every cache, into a folder; all where none are named. Gives the commit they are of.

        Raises:
            HubError: the Hub does not answer, has no such repository, or does not have the files.
        """
        revision = commit or self._calls.ask(self._head)
        with tempfile.TemporaryDirectory(dir=folder.parent) as cache:
            self._calls.ask(
                lambda: self._api.snapshot_download(
                    **self._names,
                    revision=revision,
                    local_dir=folder,
                    cache_dir=cache,
                    allow_patterns=None if names is None else list(names),
                )
            )
        return revision

    def _upload(self, folder: Path, path: Path) -> None:
        with self._additions(folder, [path]) as additions:
            self._api.preupload_lfs_files(
                self.repo_id, additions, repo_type="dataset", revision=self.revision, free_memory=False
            )

    def _commit(self, folder: Path, paths: Sequence[Path], message: str) -> str:
        head = self._head()
        ours = {path.relative_to(folder).as_posix() for path in paths}
        stale = [CommitOperationDelete(path_in_repo=name) for name in self._of_last(head) if name not in ours]
        with self._additions(folder, paths) as additions:
            operations: list[CommitOperationAdd | CommitOperationDelete] = [*additions, *stale]
            try:
                made = self._api.create_commit(
                    **self._names,
                    operations=operations,
                    commit_message=message,
                    revision=self.revision,
                    parent_commit=head,
                )
            except HfHubHTTPError as error:
                if error.response.status_code in _MOVED_ON:
                    raise _MovedOn from error
                raise
        return str(made.oid)

    def _head(self) -> str:
        return str(self._api.dataset_info(self.repo_id, revision=self.revision).sha)

    def _check_ours(self) -> None:
        head = self._head()
        there = self._api.list_repo_files(**self._names, revision=head)
        others = [name for name in there if not _MADE_BY_HUB.fullmatch(name)]
        if others and not self._published(head, there):
            raise OptionError(
                f"{self.repo_id}: holds {', '.join(others[:3])}, which hf-builders did not push; "
                "choose another name, or another --revision"
            )

    def _of_last(self, commit: str) -> list[str]:
        """The files of an earlier publication, as far as they are still there."""
        there = self._api.list_repo_files(**self._names, revision=commit)
        return [name for name in self._published(commit, there) if name in there]

    def _published(self, commit: str, there: Sequence[str]) -> list[str]:
        """The files that the manifest there names, and itself; none, where it is not one of ours."""
        if MANIFEST not in there:
            return []
        with tempfile.TemporaryDirectory() as folder:
            path = self._api.hf_hub_download(
                **self._names, filename=MANIFEST, revision=commit, local_dir=folder, cache_dir=folder
            )
            try:
                manifest = json.loads(Path(path).read_text(encoding="utf-8"))
            except (ValueError, RecursionError):
                return []
        files = manifest.get("files") if isinstance(manifest, dict) and "published" in manifest else None
        return [MANIFEST, *files] if isinstance(files, (dict, list)) else []

    @contextlib.contextmanager
    def _additions(self, folder: Path, paths: Sequence[Path]) -> Iterator[list[CommitOperationAdd]]:
        """New objects each time, as the client notes in them what it found at the Hub."""
        # The client sends paths by Xet, which only the Hub itself has, and open files by plain HTTP.
        has_xet = f".{urlsplit(self._api.endpoint).hostname}".endswith(".huggingface.co")
        with contextlib.ExitStack() as files, _without_word_of_xet():
            yield [
                CommitOperationAdd(
                    path_in_repo=path.relative_to(folder).as_posix(),
                    path_or_fileobj=path if has_xet else files.enter_context(path.open("rb")),
                )
                for path in paths
            ]


@contextlib.contextmanager
def _without_word_of_xet() -> Iterator[None]:
    """The client says of each file that it goes by HTTP instead; that is what we want."""
    of_client = logging.getLogger("huggingface_hub._commit_api")

    def is_of_interest(record: logging.LogRecord) -> bool:
        return "not supported by Xet" not in record.getMessage()

    of_client.addFilter(is_of_interest)
    try:
        yield
    finally:
        of_client.removeFilter(is_of_interest)


class _MovedOn(HubError):
    """The branch is no longer where it was when we looked."""


def check_repo_id(repo_id: str) -> None:
    """See that a name can be one of a repository.

    Raises:
        OptionError: it cannot.

    >>> check_repo_id("you/adgen-tokens")
    >>> check_repo_id("adgen tokens")
    Traceback (most recent call last):
        ...
    hf_builders.errors.OptionError: repo_id: 'adgen tokens' is no name of a dataset; expected organisation/name
    """
    try:
        validate_repo_id(repo_id)
    except HFValidationError:
        is_name = False
    else:
        is_name = "/" in repo_id
    if not is_name:
        raise OptionError(f"repo_id: {repo_id!r} is no name of a dataset; expected organisation/name")


def _check_access(endpoint: str, tokens: Sequence[str]) -> None:
    address = urlsplit(endpoint)
    if address.scheme not in ("http", "https") or not address.hostname:
        shown = endpoint.rpartition("@")[2]  # without a login
        raise OptionError(f"HF_ENDPOINT: {shown!r} is no address of a Hub; expected https://…, or leave it unset")
    if not all(token.isascii() and token.isprintable() and " " not in token for token in tokens):
        # The client would show it whole.
        raise OptionError("token: has characters that no token has; copy it again (`hf auth login`, or HF_TOKEN)")
