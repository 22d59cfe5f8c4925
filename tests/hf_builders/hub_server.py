"""The HTTP of the stand-in: what a request is, what an answer is, and the faults between the two.

One request on each connection, so that a body that is cut short is the end of it for both sides.
"""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, NamedTuple

from tests.hf_builders.hub_repositories import Refusal


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    """As it came: percent-encoded, and with its query."""
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, list[str]]:
        return urllib.parse.parse_qs(self.target.partition("?")[2])

    def json(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def answer_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


def answer_page(request: Request, values: list[Any], size: int, url: str) -> Answer:
    """At most `size` of the values: those from `cursor` on, and where the next page is."""
    begin = int(request.query.get("cursor", ["0"])[0])
    target = re.sub(r"[?&]cursor=\d+", "", request.target)
    more = f'<{url}{target}{"&" if "?" in target else "?"}cursor={begin + size}>; rel="next"'
    return answer_json(values[begin : begin + size], headers={"Link": more} if begin + size < len(values) else {})


def refused(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Answer:
    told = {"X-Error-Message": refusal.message.splitlines()[0]}
    if refusal.code:
        told["X-Error-Code"] = refusal.code
    return answer_json({"error": refusal.message}, refusal.status, {**told, **(headers or {})})


def answer_bytes(request: Request, data: bytes, headers: Mapping[str, str]) -> Answer:
    """The bytes, or those of them that the request names."""
    told = {"Accept-Ranges": "bytes", **headers}
    wish = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if wish is None:
        return Answer(200, data, told)
    size = len(data)
    first = int(wish[1]) if wish[1] else max(size - int(wish[2]), 0)
    last = min(int(wish[2]), size - 1) if wish[1] and wish[2] else size - 1
    if first > last:
        return Answer(416, b"", {"Content-Range": f"bytes */{size}"})
    return Answer(206, data[first : last + 1], {**told, "Content-Range": f"bytes {first}-{last}/{size}"})


Match = Callable[[str, str], bool] | tuple[str, str]
"""Which requests are meant: a function of method and path, or the method and a pattern that is found in the path."""


class Seen(NamedTuple):
    """A request that came."""

    method: str
    path: str
    status: int
    """0 where the connection was cut."""
    sent: int
    """Bytes of its body that were read."""


@dataclass
class Fault:
    match: Match
    times: int
    kind: Literal["fail", "cut", "lose"]
    answer: Answer | None = None
    """To `fail` with."""


def matches(match: Match, method: str, path: str) -> bool:
    if isinstance(match, tuple):
        return method == match[0] and re.search(match[1], path) is not None
    return match(method, path)


class Server:
    """Lets `answer` answer what comes in on `port` of this machine, but for what `faults` say."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self.answer = answer
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self._lock = threading.Lock()
        self._http = _HTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stand_in": self}))
        self.port = self._http.server_port
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def fault(self, method: str, path: str) -> Fault | None:
        """What has to go wrong with this request; it is one the less from then on."""
        with self._lock:
            for fault in self.faults:
                if fault.times > 0 and matches(fault.match, method, path):
                    fault.times -= 1
                    return fault
        return None


class _HTTPServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    stand_in: Server
    timeout = 30

    def _serve(self) -> None:
        path = self.path.partition("?")[0]
        fault = self.stand_in.fault(self.command, path)
        kind = fault.kind if fault else ""
        has_body = "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0"
        # What is refused is read all the same: a client that is still sending sees no answer.
        body = self._read(half=kind == "cut" and has_body)
        if kind == "cut" and has_body:
            self._see(path, 0, body)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body)
        answer = fault.answer if fault and fault.answer else self.stand_in.answer(request)
        self._see(path, 0 if kind in ("cut", "lose") else answer.status, body)
        if kind == "lose" or (kind == "cut" and self.command == "HEAD"):
            return
        self.send_response_only(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: len(answer.body) // 2] if kind == "cut" else answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def _see(self, path: str, status: int, body: bytes) -> None:
        self.stand_in.seen.append(Seen(self.command, path, status, len(body)))

    def _read(self, *, half: bool) -> bytes:
        if "Transfer-Encoding" not in self.headers:
            size = int(self.headers.get("Content-Length", "0"))
            return self.rfile.read(size // 2 if half else size)
        chunks: list[bytes] = []
        while (size := int(self.rfile.readline().split(b";")[0], 16)) and not (half and chunks):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        return b"".join(chunks)

    def log_message(self, *_: object) -> None:
        pass
