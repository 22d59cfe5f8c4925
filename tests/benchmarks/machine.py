"""On what the figures were taken."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

_LIBRARIES = ("datasets", "pyarrow", "numpy", "transformers", "tokenizers", "gigatoken", "sentencepiece", "torch")


def machine_facts() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
        "versions": {name: version for name in _LIBRARIES if (version := _version(name))},
    }


def machine_line(facts: dict[str, Any]) -> str:
    """
    >>> facts = {"processor": "X", "cores": 2, "memory_gib": 8, "python": "3.11.7", "system": "Linux", "load": 0.1}
    >>> machine_line(facts)
    'X, 2 cores, 8 GiB, Linux, Python 3.11.7; load 0.1 before the first run'
    """
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB, {facts['system']}, "
        f"Python {facts['python']}; load {facts['load']} before the first run"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
