"""What a Hub of datasets answers: the part of its API that `huggingface_hub` uses to publish a dataset and to read it.

Without Xet, as the Hub answers a client that has not got it.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import traceback
import urllib.parse
from collections.abc import Mapping
from typing import Any

from tests.hf_builders.hub_objects import Objects
from tests.hf_builders.hub_repositories import LARGE, Refusal, Repository, StoredFile, card_errors
from tests.hf_builders.hub_server import Answer, Request, answer_bytes, answer_json, answer_page, refused

USER = "owl"
"""Whose tokens all of them are."""

_NAME = "(?P<name>[^/]+/[^/]+?)"
_API = f"/api/datasets/{_NAME}"
_OBJECT = f"/lfs/{_NAME}/(?P<oid>[0-9a-f]{{64}})"
_ROUTES = [
    (method, re.compile(pattern), answer)
    for method, pattern, answer in (
        ("GET", "/api/whoami-v2", "_whoami"),
        ("POST", "/api/repos/create", "_create"),
        ("DELETE", "/api/repos/delete", "_delete"),
        ("POST", "/api/validate-yaml", "_validate"),
        ("GET", f"{_API}(/revision/(?P<revision>[^/]+))?", "_facts"),
        ("GET", f"{_API}/refs", "_refs"),
        ("GET", f"{_API}/commits/(?P<revision>[^/]+)", "_history"),
        ("POST", f"{_API}/branch/(?P<revision>[^/]+)", "_branch"),
        ("POST", f"{_API}/preupload/(?P<revision>[^/]+)", "_preupload"),
        ("POST", f"{_API}/commit/(?P<revision>[^/]+)", "_commit"),
        ("GET", f"{_API}/tree/(?P<revision>[^/]+)(/(?P<path>.+))?", "_tree"),
        ("POST", f"{_API}/paths-info/(?P<revision>[^/]+)", "_paths"),
        ("GET", f"/datasets/{_NAME}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", "_resolve"),
        ("POST", rf"/datasets/{_NAME}\.git/info/lfs/objects/batch", "_batch"),
        ("POST", rf"/datasets/{_NAME}\.git/info/lfs/verify", "_verify"),
        ("PUT", _OBJECT, "put"),
        ("POST", _OBJECT, "join"),
        ("GET", _OBJECT, "get"),
    )
]


class Answers:
    """The repositories of a Hub, and what it says of them.

    Args:
        roles: what a token may do: "writer" all, "reader" see what is private, "stranger" neither.
        part_size, page_size: see `Hub`.
    """

    def __init__(self, roles: Mapping[str, str], part_size: int | None, page_size: int) -> None:
        self.repositories: dict[str, Repository] = {}
        self.objects = Objects(self.repositories, part_size)
        self.url = ""
        self.lock = threading.RLock()
        self._roles, self._page_size = dict(roles), page_size

    def answer(self, request: Request) -> Answer:
        for method, pattern, name in _ROUTES:
            match = pattern.fullmatch(request.path)
            if match and method == ("GET" if request.method == "HEAD" else request.method):
                parts = {key: urllib.parse.unquote(value or "") for key, value in match.groupdict().items()}
                try:
                    with self.lock:
                        owner = self.objects if request.path.startswith("/lfs/") else self
                        answer = getattr(owner, name)(request, **parts)
                except Refusal as refusal:
                    return refused(refusal)
                except Exception:  # a fault of ours: no client tries again after this status
                    return Answer(501, traceback.format_exc().encode(), {"Content-Type": "text/plain"})
                return answer if isinstance(answer, Answer) else answer_json(answer)
        return refused(Refusal(404, "Sorry, we can't find the page you are looking for."))

    # Who may do what

    def _role(self, request: Request) -> str:
        token = request.headers.get("authorization")
        if token is None:
            return "nobody"
        if token.removeprefix("Bearer ") not in self._roles:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return self._roles[token.removeprefix("Bearer ")]

    def _check_writer(self, request: Request) -> None:
        role = self._role(request)
        if role == "nobody":
            raise Refusal(401, "Invalid username or password.")
        if role != "writer":
            raise Refusal(403, "You don't have the rights to write here; a token with the write role is needed")

    def _repository(self, request: Request, name: str, *, write: bool = False) -> Repository:
        role, found = self._role(request), self.repositories.get(name)
        if found is None or (found.private and role in ("nobody", "stranger")):
            if role == "nobody":
                raise Refusal(401, "Invalid username or password.", "RepoNotFound")
            raise Refusal(404, "Repository not found", "RepoNotFound")
        if write:
            self._check_writer(request)
        return found

    # Repositories

    def _whoami(self, request: Request) -> object:
        role = self._role(request)
        if role == "nobody":
            raise Refusal(401, "Invalid username or password.")
        token = {"displayName": role, "role": "write" if role == "writer" else "read"}
        names = {"id": "0" * 24, "type": "user", "name": USER, "fullname": USER, "isPro": False}
        return {**names, "orgs": [], "auth": {"type": "access_token", "accessToken": token}}

    def _create(self, request: Request) -> object:
        self._check_writer(request)
        wish = request.json()
        if wish.get("type") != "dataset":
            raise Refusal(400, "This stand-in keeps datasets only")
        name = f"{wish.get('organization') or USER}/{wish['name']}"
        told = {"url": f"{self.url}/datasets/{name}", "name": name}
        if name in self.repositories:
            return answer_json({"error": "You already created this dataset repo", **told}, 409)
        private = wish.get("visibility") == "private" or wish.get("private") is True
        self.repositories[name] = Repository(name, private)
        return told

    def _delete(self, request: Request) -> object:
        wish = request.json()
        name = f"{wish.get('organization') or USER}/{wish['name']}"
        self._repository(request, name, write=True)
        del self.repositories[name]
        return {}

    def _validate(self, request: Request) -> object:
        text = request.json()["content"]
        errors = [{"message": error} for error in card_errors(text)]
        empty = [] if text.startswith("---") else [{"message": "empty or missing yaml metadata in repo card"}]
        return answer_json({"errors": errors, "warnings": empty}, 400 if errors else 200)

    def _facts(self, request: Request, name: str, revision: str) -> object:
        return self._repository(request, name).facts(revision or "main", blobs="blobs" in request.query)

    def _refs(self, request: Request, name: str) -> object:
        branches = self._repository(request, name).branches.items()
        told = [{"name": name, "ref": f"refs/heads/{name}", "targetCommit": oid} for name, oid in branches]
        return {"branches": told, "tags": [], "converts": [], "pullRequests": []}

    def _history(self, request: Request, name: str, revision: str) -> object:
        return [
            {
                "id": commit.oid,
                "title": commit.title,
                "message": commit.description,
                "date": commit.date,
                "authors": [{"user": USER}],
            }
            for commit in self._repository(request, name).history(revision)
        ]

    def _branch(self, request: Request, name: str, revision: str) -> object:
        start = request.json().get("startingPoint") or "main"
        self._repository(request, name, write=True).branch(revision, start)
        return {}

    # Writing

    def _preupload(self, request: Request, name: str, revision: str) -> object:
        repository, wish, told = self._repository(request, name, write=True), request.json(), []
        there = repository.at(revision).files
        for file in wish["files"]:
            path = file["path"]
            lfs = repository.is_lfs(revision, path, file["size"])
            ignored = repository.is_ignored(revision, path, wish.get("gitIgnore"))
            known = {"oid": there[path].etag} if path in there else {}
            told.append({"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": ignored, **known})
        return {"files": told, "commitOid": repository.at(revision).oid}

    def _commit(self, request: Request, name: str, revision: str) -> object:
        repository = self._repository(request, name, write=True)
        header: dict[str, Any] = {}
        added: dict[str, StoredFile] = {}
        deleted: list[str] = []
        for line in map(json.loads, request.body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                header = value
            elif line["key"] == "file":
                added[value["path"]] = StoredFile(base64.b64decode(value["content"]), False)
                if len(added[value["path"]].data) > LARGE:
                    raise Refusal(400, f"{value['path']}: a file of more than 10 MiB has to go to LFS")
            elif line["key"] == "lfsFile":
                if len(repository.objects.get(value["oid"], b"")) != value.get("size"):
                    raise Refusal(400, f"{value['path']}: its LFS object {value['oid']} was not uploaded")
                added[value["path"]] = StoredFile(repository.objects[value["oid"]], True)
            elif line["key"] in ("deletedFile", "deletedFolder"):
                deleted.append(value["path"].rstrip("/") + ("/" if line["key"] == "deletedFolder" else ""))
            else:
                raise Refusal(400, f"Unknown operation: {line['key']}")
        what = {"title": header["summary"], "description": header.get("description", "")}
        commit = repository.commit(added, deleted, branch=revision, parent=header.get("parentCommit"), **what)
        address = f"{self.url}/datasets/{name}/commit/{commit.oid}"
        return {"success": True, "commitOid": commit.oid, "commitUrl": address, "hookOutput": ""}

    # Objects of LFS

    def _batch(self, request: Request, name: str) -> object:
        repository = self._repository(request, name, write=True)
        return self.objects.batch(repository, request.json(), f"{self.url}/datasets/{name}.git/info/lfs/verify")

    def _verify(self, request: Request, name: str) -> object:
        wish = request.json()
        if len(self._repository(request, name, write=True).objects.get(wish["oid"], b"")) != wish["size"]:
            raise Refusal(404, f"There is no object {wish['oid']} of {wish['size']} bytes")
        return {}

    # Reading

    def _tree(self, request: Request, name: str, revision: str, path: str) -> object:
        wish = {word: request.query.get(word, ["false"])[0].lower() == "true" for word in ("recursive", "expand")}
        entries = self._repository(request, name).entries(revision, expand=wish["expand"])
        if path and entries.get(path, {}).get("type") != "directory":
            raise Refusal(404, f"{path} does not exist on {revision}", "EntryNotFound")
        start = f"{path}/" if path else ""
        below = {name: entry for name, entry in entries.items() if name.startswith(start)}
        told = [entry for name, entry in below.items() if wish["recursive"] or "/" not in name[len(start) :]]
        return answer_page(request, told, self._page_size, self.url)

    def _paths(self, request: Request, name: str, revision: str) -> object:
        wish = urllib.parse.parse_qs(request.body.decode())
        expand = wish.get("expand", ["false"])[0].lower() == "true"
        entries = self._repository(request, name).entries(revision, expand=expand)
        return [entries[path] for path in wish.get("paths", []) if path in entries]

    def _resolve(self, request: Request, name: str, revision: str, path: str) -> object:
        repository = self._repository(request, name)
        headers = {"X-Repo-Commit": repository.at(revision).oid}
        try:
            file = repository.file(revision, path)
        except Refusal as refusal:
            return refused(refusal, headers)
        if not file.lfs:
            return answer_bytes(request, repository.served(file), {**headers, "ETag": f'"{file.etag}"'})
        headers |= {"X-Linked-Size": str(len(file.data)), "X-Linked-Etag": f'"{file.etag}"'}
        return Answer(302, headers={**headers, "Location": self.objects.download(repository, file)})
