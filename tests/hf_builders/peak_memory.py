"""How much memory a process of a test has had at most."""

from __future__ import annotations

from pathlib import Path

import pytest

_STATUS = Path("/proc/self/status")
PEAK_MIB = f"(int(next(line for line in open({str(_STATUS)!r}) if line.startswith('VmHWM')).split()[1]) >> 10)"
"""Code for it. `getrusage` would not do: a new process inherits what the one that started it has had."""

needs_peak_memory = pytest.mark.skipif(not _STATUS.exists(), reason="only Linux tells a process its own peak of memory")
