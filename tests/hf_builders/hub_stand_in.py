"""A Hub on this machine, which the real `huggingface_hub` talks to over HTTP, and which fails where a test wants it to.

    with Hub() as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)
        api.create_repo("org/name", repo_type="dataset")
        ...
        assert hub.files("org/name")["README.md"] == b"..."

It keeps datasets only. What is kept is in `hub_repositories`, what is answered in `hub_answers`.
"""

from __future__ import annotations

import re
import time
import types
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.hf_builders.hub_answers import Answers
from tests.hf_builders.hub_repositories import Commit, Refusal, Repository, StoredFile
from tests.hf_builders.hub_server import Answer, Fault, Match, Request, Seen, Server, matches, refused


class Hub:
    """Starts with no repository; a new one has one commit, that of `.gitattributes`.

    Args:
        part_size: bytes; where given, LFS objects are uploaded in parts of that length.
        page_size: files and folders that one answer lists; more are on further pages.
    """

    token = "token-of-a-writer"
    reader = "token-of-a-reader"
    """Sees what is private, and may not write."""
    stranger = "token-of-a-stranger"
    """Is a token, and has no rights here."""

    def __init__(self, *, part_size: int | None = None, page_size: int = 1_000) -> None:
        roles = {self.token: "writer", self.reader: "reader", self.stranger: "stranger"}
        self._answers = Answers(roles, part_size, page_size)
        self._before_commit: list[Callable[[], object]] = []

    def start(self) -> Hub:
        self._server = Server(self._answer)
        self._answers.url = f"http://127.0.0.1:{self._server.port}"
        self._answers.objects.address = f"http://localhost:{self._server.port}"
        return self

    def stop(self) -> None:
        self._server.stop()

    def __enter__(self) -> Hub:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return self._answers.url

    # What a test sees

    @property
    def requests(self) -> list[Seen]:
        """What came so far, in the order it was answered."""
        return list(self._server.seen)

    def asked(self, method: str, pattern: str) -> list[Seen]:
        """Those of the requests with that method and a path in which the pattern is found."""
        return [seen for seen in self.requests if matches((method, pattern), seen.method, seen.path)]

    def repository(self, name: str) -> Repository:
        return self._answers.repositories[name]

    def commits(self, name: str, revision: str = "main") -> list[Commit]:
        """The newest first; the last is the one the repository was made with."""
        return list(self.repository(name).history(revision))

    def files(self, name: str, revision: str = "main") -> dict[str, bytes]:
        """What is there, by path: of LFS the bytes, not the pointer."""
        return {path: file.data for path, file in self.repository(name).at(revision).files.items()}

    # What a test does behind the client's back

    def create(self, name: str, *, private: bool = False) -> None:
        with self._answers.lock:
            self._answers.repositories[name] = Repository(name, private)

    def commit(self, name: str, files: Mapping[str, bytes | None], *, title: str = "somebody else's") -> Commit:
        """A commit to `main` by somebody else; None deletes a file."""
        repository = self.repository(name)
        added = {
            path: StoredFile(data, repository.is_lfs("main", path, len(data)))
            for path, data in files.items()
            if data is not None
        }
        with self._answers.lock:
            repository.objects.update({file.sha256: file.data for file in added.values() if file.lfs})
            return repository.commit(added, [path for path, data in files.items() if data is None], title=title)

    def before_commit(self, callback: Callable[[], object]) -> None:
        """Call it once, when the next commit has come and before it is looked at; it may commit something itself."""
        self._before_commit.append(callback)

    def fail(self, match: Match, status: int, times: int = 1, headers: Mapping[str, str] | None = None) -> None:
        """Answer the next `times` such requests with this status, and do nothing of what they ask for."""
        answer = refused(Refusal(status, f"The stand-in was told to answer {status}"), headers)
        self._server.faults.append(Fault(match, times, "fail", answer))

    def answer(
        self, match: Match, body: bytes, status: int = 200, times: int = 1, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer the next `times` such requests with this, and do nothing of what they ask for."""
        self._server.faults.append(Fault(match, times, "fail", Answer(status, body, headers or {})))

    def cut(self, match: Match, times: int = 1) -> None:
        """Close the connection in the middle of what is sent, or, where nothing is, of what is answered.

        What is cut while it is sent has no effect.
        """
        self._server.faults.append(Fault(match, times, "cut"))

    def recover(self) -> None:
        """Forget the faults that were asked for."""
        self._server.faults.clear()

    def lose_answer(self, match: Match, times: int = 1) -> None:
        """Do what is asked, and close the connection without a word."""
        self._server.faults.append(Fault(match, times, "lose"))

    def corrupt(self, name: str, path: str, revision: str = "main") -> None:
        """Serve the file with one bit turned from now on, under the same ETag and hashes; what is kept stays right."""
        self.repository(name).corrupted.add(self.repository(name).file(revision, path).sha256)

    def environment(self, home: Path, token: str | None = token) -> dict[str, str]:
        """For a process of its own whose Hub this is, whose caches are in `home`, and which calls nobody else."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_DATASETS_CACHE": str(home / "datasets"),
            "HF_TOKEN": token or "",
            "HF_HUB_OFFLINE": "0",
            "HF_DATASETS_OFFLINE": "0",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def _answer(self, request: Request) -> Answer:
        if request.method == "POST" and re.fullmatch("/api/datasets/.+/commit/[^/]+", request.path):
            with self._answers.lock:
                callbacks, self._before_commit = self._before_commit, []
            for callback in callbacks:
                callback()
        return self._answers.answer(request)


def bare_client(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The client calls no Hub but the one it is told, not even to learn which programs use it, and no longer sleeps
    before it tries again; returns the seconds it would have slept, as they come to be.
    """
    from huggingface_hub import constants, file_download
    from huggingface_hub.utils import _http

    seconds: list[float] = []
    clock = types.SimpleNamespace(**{**vars(time), "sleep": seconds.append})
    monkeypatch.setattr(file_download, "time", clock)
    monkeypatch.setattr(_http, "time", clock)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    return seconds


def at_hub(monkeypatch: pytest.MonkeyPatch, hub: Hub, home: Path) -> list[float]:
    """This process's Hub is that one, with the writer's token, its client is `bare_client`, and downloads go to `home`.

    Variables of the environment alone would not do: `huggingface_hub` and `datasets` have read where their Hub is, and
    whether it may be called, when they were imported.
    """
    import datasets
    import huggingface_hub
    from huggingface_hub import constants

    for name, value in hub.environment(home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", hub.url)
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", hub.url)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_UPDATE_DOWNLOAD_COUNTS", False)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", home / "datasets")
    return bare_client(monkeypatch)
