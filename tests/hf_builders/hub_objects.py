"""Objects of Git LFS on their way to the stand-in and back, at signed addresses, because no token goes there."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from tests.hf_builders.hub_repositories import Refusal, Repository, StoredFile
from tests.hf_builders.hub_server import Answer, Request, answer_bytes


class Objects:
    """Takes and gives the objects of these repositories.

    Args:
        part_size: bytes; where given, an object is taken in parts of that length, else in one piece.
    """

    def __init__(self, repositories: Mapping[str, Repository], part_size: int | None) -> None:
        self.address = ""
        """Where objects are: another host than the Hub's, so the client reads what it wants to know off the Hub."""
        self._repositories, self._part_size = repositories, part_size
        self._secret = secrets.token_hex()
        self._parts: dict[str, dict[int, bytes]] = {}

    def batch(self, repository: Repository, wish: Mapping[str, Any], verify: str) -> object:
        """Where to send each object; of one that is there, nothing is asked for."""
        parts = self._part_size if "multipart" in wish.get("transfers", []) else None
        objects = []
        for wanted in wish["objects"]:
            oid, size = wanted["oid"], wanted["size"]
            told = {"oid": oid, "size": size, "authenticated": True}
            if oid not in repository.objects:
                upload: dict[str, Any] = {"href": self._signed("POST" if parts else "PUT", repository.name, oid, size)}
                if parts:
                    numbers = range(1, -(-size // parts) + 1)
                    addresses = {f"{n:05}": self._signed("PUT", repository.name, oid, size, n) for n in numbers}
                    upload["header"] = {"chunk_size": str(parts), **addresses}
                told["actions"] = {"upload": upload, "verify": {"href": verify}}
            objects.append(told)
        return {"transfer": "multipart" if parts else "basic", "objects": objects}

    def download(self, repository: Repository, file: StoredFile) -> str:
        """The address of an object that is there."""
        return self._signed("GET", repository.name, file.sha256, len(file.data))

    def _signed(self, method: str, name: str, oid: str, size: int, part: int = 0) -> str:
        mark = hashlib.sha256(f"{self._secret} {method} {name} {oid} {size} {part}".encode()).hexdigest()
        return f"{self.address}/lfs/{name}/{oid}?size={size}&part={part}&signature={mark}"

    def _check_signature(self, request: Request, name: str, oid: str) -> tuple[int, int]:
        size, part = (int(request.query.get(word, ["0"])[0]) for word in ("size", "part"))
        method = "GET" if request.method == "HEAD" else request.method
        if self.address + request.target != self._signed(method, name, oid, size, part):
            raise Refusal(403, "The signature of this address is not right")
        return size, part

    def put(self, request: Request, name: str, oid: str) -> object:
        size, part = self._check_signature(request, name, oid)
        if part:
            self._parts.setdefault(oid, {})[part] = request.body
        else:
            self._keep(name, oid, size, request.body)
        return Answer(headers={"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})

    def join(self, request: Request, name: str, oid: str) -> object:
        """The parts are all there."""
        size, _ = self._check_signature(request, name, oid)
        parts = self._parts.pop(oid, {})
        self._keep(name, oid, size, b"".join(parts[part["partNumber"]] for part in request.json()["parts"]))
        return {}

    def _keep(self, name: str, oid: str, size: int, data: bytes) -> None:
        if len(data) != size or hashlib.sha256(data).hexdigest() != oid:
            raise Refusal(400, f"{len(data)} bytes came that are not the {size} bytes of {oid}")
        self._repositories[name].objects[oid] = data

    def get(self, request: Request, name: str, oid: str) -> object:
        self._check_signature(request, name, oid)
        repository = self._repositories[name]
        file = StoredFile(repository.objects[oid], True)
        return answer_bytes(request, repository.served(file), {"ETag": f'"{file.etag}"'})
