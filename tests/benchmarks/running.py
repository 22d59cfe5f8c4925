"""One run of one pipeline: a process of its own, with caches nobody has touched, that reports by a line of JSON."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.distinct_rows import RawFiles
from tests.benchmarks.pipelines import Pipeline

HERE = Path(__file__).parent
_TIME_LIMIT = 1800  # seconds; nothing here takes a tenth of it


class RunFailed(Exception):
    """A pipeline that is not installed, or ended with an error; the message says what it said last."""


@dataclass(frozen=True)
class Workplace:
    """Where runs find tokenizers and venvs, and what they may write to."""

    work: Path
    peers: Path

    def tokenizer(self, name: str) -> Path:
        return self.work / "tokenizers" / name

    def python(self, pipeline: Pipeline) -> Path:
        return Path(sys.executable) if pipeline.venv is None else self.peers / pipeline.venv / "bin" / "python"


def run(
    pipeline: Pipeline, kind: str, tokenizer: str, files: RawFiles, place: Workplace, *, dump: Path | None = None
) -> dict[str, Any]:
    """What the run reports: rows, tokens, seconds, cpu_seconds, process_seconds, peak_bytes, versions.

    `dump` is where its rows go as arrays, for comparison; they are written after its clock has stopped.

    Raises:
        RunFailed: the venv is missing, or the process ended with an error.
    """
    python = place.python(pipeline)
    if not python.exists():
        raise RunFailed(f"no venv at {python.parents[1]}; `python -m tests.benchmarks.make_peers` makes it")
    scratch = place.work / "run"
    shutil.rmtree(scratch, ignore_errors=True)
    out = scratch / "out"
    out.mkdir(parents=True)
    folder = place.tokenizer(tokenizer + pipeline.tokenizer_form)
    raw = getattr(files, pipeline.reads)
    command = [str(python), str(HERE / pipeline.script), str(raw), str(out), str(folder), *pipeline.arguments]
    if pipeline.role == "ours":
        command += ["--kind", kind]
    if dump is not None:
        command.append("--dump")
    try:
        facts = _report_of(command, scratch)
        if dump is not None:
            dump.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(out / "rows.npz", dump)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return facts


def _report_of(command: list[str], scratch: Path) -> dict[str, Any]:
    with (scratch / "log").open("w+", encoding="utf-8") as log:
        try:
            done = subprocess.run(
                command,
                cwd=scratch,
                env=_environment(scratch),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                errors="replace",
                timeout=_TIME_LIMIT,
            )
        except subprocess.TimeoutExpired:
            raise RunFailed(f"not done after {_TIME_LIMIT} seconds") from None
        log.seek(0)
        said = [line.strip() for line in (log.read() + done.stdout).splitlines() if line.strip()]
    if done.returncode:
        errors = [line for line in said if re.match(r"[\w.]*(Error|Exception)\b", line)]
        raise RunFailed(f"exit code {done.returncode}: {(errors or said or ['said nothing'])[-1]}")
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"rows"')]
    if not lines:
        raise RunFailed("ended without a report")
    return json.loads(lines[-1])


def _environment(scratch: Path) -> dict[str, str]:
    """No network, and every cache in a folder that is removed afterwards."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    caches = ("HF_HOME", "HF_DATASETS_CACHE", "MODELSCOPE_CACHE", "XDG_CACHE_HOME", "TMPDIR")
    folders = {name: str(scratch / "cache" / name.lower()) for name in caches}
    for folder in folders.values():
        Path(folder).mkdir(parents=True)
    return {
        **kept,
        **folders,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "PYTHONUTF8": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "BENCHMARK_STARTED": str(time.time()),
    }
