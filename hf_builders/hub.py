"""The Hub as a place for the files of a publication: patient with what passes, one commit for all of them.

Only `huggingface_hub` speaks with it; endpoint (`HF_ENDPOINT`) and token are found as it finds them.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import sleep
from typing import Any, TypeVar
from urllib.parse import urlsplit

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # public, and not in __all__

from hf_builders.errors import HubError, OptionError
from hf_builders.prepared_folder import MANIFEST

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_HTTPError = HfHubHTTPError.__bases__[0]
"""What the client's HTTP library raises, also where there was no answer; which library that is differs by version."""
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_MOVED_ON = 412
"""Somebody else committed in the meantime."""
_NUM_TRIES = 6
_LONGEST_WAIT = 300.0
"""Seconds."""
_MADE_BY_HUB = re.compile(r"\.gitattributes|\.gitignore|README\.md|LICEN[CS]E.*")
"""Files that a repository may have before anything was pushed to it."""


class HubRepository:
    """One dataset repository, at a branch.

    Args:
        repo_id: `organisation/name`.
        revision: the branch; None is `main`.
        token: None is the one `huggingface_hub` finds.

    Raises:
        OptionError: no name of a repository.
    """

    def __init__(self, repo_id: str, *, revision: str | None = None, token: str | None = None) -> None:
        check_repo_id(repo_id)
        self.repo_id, self.revision = repo_id, revision
        self._api = HfApi(token=token)
        self._secrets = [secret for secret in (token, get_token()) if secret]
        self._names: dict[str, Any] = {"repo_id": repo_id, "repo_type": "dataset"}

    def make(self, *, private: bool) -> None:
        """Make repository and branch, where they are not there.

        Raises:
            OptionError: it shall be private, and is there and is not; or it holds what this program did not push.
            HubError: the Hub does not answer, or refuses.
        """
        self._ask(lambda: self._api.create_repo(**self._names, private=private or None, exist_ok=True))
        if private and not self._ask(lambda: self._api.dataset_info(self.repo_id)).private:
            raise OptionError(
                f"{self.repo_id}: is there and is public; make it private in its settings, or leave out --private"
            )
        if self.revision is not None and not self.revision.startswith("refs/"):
            branch = self.revision
            self._ask(lambda: self._api.create_branch(**self._names, branch=branch, exist_ok=True))
        self._ask(self._check_ours)

    def upload(self, folder: Path, paths: Sequence[Path]) -> None:
        """Upload the contents of large files, one by one; the Hub takes none twice, so a second try goes on.

        Raises:
            HubError: the Hub does not answer, or refuses.
        """
        for path in paths:
            self._ask(lambda path=path: self._upload(folder, path))  # type: ignore[misc]

    def commit(self, folder: Path, paths: Sequence[Path], message: str) -> str:
        """Put all files in one commit, and out what an earlier publication left; gives the commit's name.

        Nobody else's commit is undone: if the branch moves on meanwhile, the files are compared with it again.

        Raises:
            HubError: the Hub does not answer, or refuses.
        """
        for _ in range(_NUM_TRIES):
            with contextlib.suppress(_MovedOn):
                return self._ask(lambda: self._commit(folder, paths, message))
            logger.warning("%s: somebody else committed meanwhile; trying again", self.repo_id)
        raise HubError(f"{self.repo_id}: others commit to it all the time; push again when they are done")

    def download(self, folder: Path, names: Sequence[str] | None = None, *, commit: str | None = None) -> str:
        """Fetch files anew, past every cache, into a folder; all where none are named. Gives the commit they are of.

        Raises:
            HubError: the Hub does not answer, has no such repository, or does not have the files.
        """
        revision = commit or self._ask(self._head)
        with tempfile.TemporaryDirectory(dir=folder.parent) as cache:
            self._ask(
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
                if error.response.status_code == _MOVED_ON:
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
            except ValueError:
                return []
        is_ours = isinstance(manifest, dict) and {"published", "files"} <= set(manifest)
        return [MANIFEST, *manifest["files"]] if is_ours else []

    @contextlib.contextmanager
    def _additions(self, folder: Path, paths: Sequence[Path]) -> Iterator[list[CommitOperationAdd]]:
        """New objects each time, as the client notes in them what it found at the Hub."""
        # The client sends paths by Xet, which only the Hub itself has, and open files by plain HTTP.
        has_xet = str(urlsplit(self._api.endpoint).hostname).endswith("huggingface.co")
        with contextlib.ExitStack() as files, _without_word_of_xet():
            yield [
                CommitOperationAdd(
                    path_in_repo=path.relative_to(folder).as_posix(),
                    path_or_fileobj=path if has_xet else files.enter_context(path.open("rb")),
                )
                for path in paths
            ]

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        """Call the Hub, again after a while where what went wrong may pass."""
        for attempt in range(_NUM_TRIES):
            try:
                return call()
            except Exception as error:
                cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
                if isinstance(cause, (OptionError, _MovedOn)):
                    raise
                if not isinstance(cause, (_HTTPError, OSError, EntryNotFoundError)):
                    raise
                if not _may_pass(cause) or attempt == _NUM_TRIES - 1:
                    # Not the chain, whose addresses may have secrets.
                    raise HubError(f"{self._told(cause)}; {_way_out(cause)}") from None
                wait = _wait_of(cause, attempt)
                logger.warning("%s; trying again in %.0f s", self._told(cause), wait)
                sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _told(self, error: BaseException) -> str:
        fact = " ".join(str(error).split()) or type(error).__name__
        for secret in self._secrets:
            fact = fact.replace(secret, "[token]")
        fact = re.sub(r"//[^/@\s]+@", "//", fact)
        return f"{self.repo_id}: {fact}"


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


class _MovedOn(Exception):
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


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in _PASSING
    # The client hides a connection that broke behind a file that is not there.
    no_answer = (_HTTPError, ConnectionError, LocalEntryNotFoundError)
    return isinstance(error, no_answer) and not isinstance(error, OfflineModeIsEnabled)


def _wait_of(error: BaseException, attempt: int) -> float:
    """Seconds: as long as the Hub asks for, or twice as long as before."""
    asked = error.response.headers.get("Retry-After", "") if isinstance(error, HfHubHTTPError) else ""
    return min(float(asked) if asked.isdecimal() else 2.0**attempt, _LONGEST_WAIT)


def _way_out(error: BaseException) -> str:
    if isinstance(error, RevisionNotFoundError):
        return "is there such a branch?"
    if isinstance(error, RepositoryNotFoundError):
        return "is the name right, and the token (`hf auth login`, or HF_TOKEN) one that may see it?"
    if isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403):
        return "is the token (`hf auth login`, or HF_TOKEN) one that may write there?"
    if isinstance(error, OfflineModeIsEnabled):
        return "unset HF_HUB_OFFLINE"
    return "try again later: what is uploaded is not sent twice"
