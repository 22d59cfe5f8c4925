"""Make the venvs of the peers: `python -m tests.benchmarks.make_peers FOLDER [NAME …]`, about 2 minutes and 1 GiB each.

Each file in `peers/*.txt` holds the exact versions of one peer and of what its data preparation imports, without the
GPU-only wheels a peer asks for, so it is installed with `--no-deps`. torch has to be its CPU wheel: where pip does not
find one by itself, set PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from pathlib import Path

from tests.benchmarks.pipelines import PEER_VENVS
from tests.benchmarks.running import HERE


def main() -> None:
    arguments = argparse.ArgumentParser(description="Make the venvs of the peers.")
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PEER_VENVS)}; all by default")
    options = arguments.parse_args()
    for name in options.names or PEER_VENVS:
        if name not in PEER_VENVS:
            arguments.error(f"no peer {name!r}; there are {', '.join(PEER_VENVS)}")
        make_peer(options.folder / name, HERE / "peers" / f"{name}.txt")


def make_peer(folder: Path, requirements: Path) -> None:
    """Make one venv; what fails is told and left out, so that one peer does not stop the others."""
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "--no-deps", "-r", str(requirements)], check=False)
    print(f"{folder.name}: {'ready' if done.returncode == 0 else 'could not be installed'}", file=sys.stderr)


if __name__ == "__main__":
    main()
