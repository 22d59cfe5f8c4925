"""Raw files in the official layouts, a server for them, and processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def adgen_folder(tmp_path: Path) -> Path:
    """AdvertiseGen in small: three rows to train on, two to validate on."""
    folder = tmp_path / "AdvertiseGen"
    folder.mkdir()
    (folder / "train.json").write_text(
        '{"content": "类型#上衣*颜色#红", "summary": "红色上衣，衬得气色好。"}\n'
        '{"content": "类型#裙*版型#宽松", "summary": "宽松的裙子,\\n不挑身材。"}\n'
        '{"content": "类型#裤", "summary": "一条好裤子。"}\n',
        encoding="utf-8",
    )
    (folder / "dev.json").write_text(
        '{"content": "类型#裙", "summary": "一条好裙子。"}\n{"content": "类型#鞋", "summary": "一双好鞋。"}\n',
        encoding="utf-8",
    )
    return folder


@pytest.fixture
def medical_folder(tmp_path: Path) -> Path:
    """Two of the six divisions in small, GB18030 as published: four rows of 内科, two of 外科."""
    folder = tmp_path / "Data_数据"
    texts = {
        "IM_内科/内科5000-33000.csv": (
            "department,title,ask,answer\n"
            '心血管科,高血压能吃党参吗？,"我有高血压,\n能吃党参吗？",可以，但要听医生的。\n'
            "消化科,胃痛怎么办,无,少吃辣。\n"
            "呼吸科,咳嗽,咳嗽,多喝水。\n"
            "呼吸科,咳嗽两周,咳嗽两周，夜里重,去拍片子。\n"
        ),
        "Surgical_外科/外科5-14000.csv": (
            "department,title,ask,answer\n普外科,阑尾炎,右下腹痛,手术。\n骨科,骨折,手臂骨折了,打石膏。\n"
        ),
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(text.encode("gb18030"))
    return folder


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., str]:
    """Runs code in a process of its own, by default from the checkout, and returns what it prints."""

    def run(code: str, cwd: Path = ROOT, **environment: str) -> str:
        env = {
            **os.environ,
            "PYTHONPATH": str(cwd),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HF_HOME": str(tmp_path / "hf_home"),
            "HF_DATASETS_CACHE": str(tmp_path / "hf_cache"),
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            **environment,
        }
        done = subprocess.run(
            [sys.executable, "-W", "error::UserWarning", "-c", code],
            cwd=cwd,
            env=env,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


class Server:
    """An HTTP server on this machine: serves `files`, by path, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urllib.parse.unquote(self.path)
                assert self.path.isascii(), "an address is percent-encoded"
                server.asked.append(path)
                body = server.files.get(path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body or b"")

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, daemon=True)
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()
