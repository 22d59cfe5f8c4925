"""Ours and the peers on the same rows: `python -m tests.benchmarks --write` measures and writes RESULTS.md.

Needs real rows and tokenizers (`--realdata`, `--tokenizers`; by default the folder `shared` beside the checkout) and,
for the comparison, the venvs of the peers (`python -m tests.benchmarks.make_peers FOLDER`). What is missing is told and
left out. Figures are kept in `results.json` of the work folder, so parts can be measured one by one and written at the
end: `--parts` takes pipelines, scale, packing, collation, or nothing to write what is there.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.util
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.distinct_rows import KINDS, RawFiles, read_real_rows, write_rows
from tests.benchmarks.machine import machine_facts
from tests.benchmarks.pipelines import BY_TOKENIZER
from tests.benchmarks.results_page import results_page
from tests.benchmarks.rounds import alternate, medians, tell
from tests.benchmarks.row_facts import row_facts
from tests.benchmarks.running import HERE, RunFailed, Workplace, run
from tests.benchmarks.tokenizer_folders import copy_tokenizers

REPOSITORY = HERE.parents[1]
SHARED = REPOSITORY.parent / "shared"
CACHE = Path.home() / ".cache" / "hf-builders-benchmarks"
PARTS = ("pipelines", "scale", "packing", "collation")
_PREPARE = next(each for each in BY_TOKENIZER["qwen2_5"] if each.name == "ours-prepare")
_SCALED = (("qwen2_5", "medical"), ("chatglm3", "advertising"))


class Benchmarks:
    """One call of the command: its options, the rows and tokenizers there are, and the figures so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.place = Workplace(options.work, options.peers_dir)
        self._results_file = options.work / "results.json"
        options.work.mkdir(parents=True, exist_ok=True)
        self.results: dict[str, Any] = {}
        if self._results_file.exists():
            self.results = json.loads(self._results_file.read_text(encoding="utf-8"))
        realdata = options.realdata if options.realdata.is_dir() else None
        if realdata is None:
            tell(f"no real rows at {options.realdata}: rows are made from the invented samples instead")
        self.given = "real" if realdata else "invented sample"
        self.real = {kind: read_real_rows(kind, realdata, REPOSITORY / "hf_builders") for kind in KINDS}
        self.tokenizers = copy_tokenizers(options.tokenizers, options.work / "tokenizers")
        for name in BY_TOKENIZER:
            if name not in self.tokenizers:
                tell(f"no tokenizer at {options.tokenizers / name}: its tables are left out")

    def measure(self, part: str) -> None:
        getattr(self, f"_{part}")()
        self.results.setdefault("taken", {})[part] = {
            "command": " ".join(["python -m tests.benchmarks", shlex.join(_told(sys.argv[1:]))]).strip(),
            "date": datetime.date.today().isoformat(),
            "repeats": self.options.repeats,
        }
        self.save()

    def save(self) -> None:
        self._results_file.write_text(json.dumps(self.results, ensure_ascii=False, indent=1), encoding="utf-8")

    def rows(self, kind: str, num_rows: int, *, for_peers: bool = True) -> RawFiles:
        folder = self.options.work / "rows" / f"{kind}-{num_rows}"
        tell(f"{num_rows:,} {kind} rows in {folder}")
        return write_rows(kind, self.real[kind], folder, num_rows, for_peers=for_peers)

    def _pipelines(self) -> None:
        self.results["machine"] = machine_facts()
        self.results["pipelines"], self.results["rows"] = {}, {}
        for kind in KINDS:
            files = {False: self.rows(kind, self.options.rows), True: self.rows(kind, self.options.peer_rows)}
            facts = row_facts(kind, self.real[kind], _conversations(files[False].pairs))
            self.results["rows"][kind] = {"given": self.given} | facts
            for tokenizer in self.tokenizers:
                only = self.options.only
                chosen = [each for each in BY_TOKENIZER[tokenizer] if not only or each.name in only]
                group = alternate(chosen, kind, tokenizer, files, self.place, self.options.repeats)
                self.results["pipelines"][f"{tokenizer}/{kind}"] = group
                self.save()

    def _scale(self) -> None:
        self.results["scale"] = []
        for tokenizer, kind in _SCALED:
            if tokenizer not in self.tokenizers:
                continue
            sizes = {number: self.rows(kind, number, for_peers=False) for number in self.options.scale_rows}
            runs: dict[int, list[dict[str, Any]]] = {number: [] for number in sizes}
            for _ in range(self.options.repeats):
                for number, files in sizes.items():
                    runs[number].append(run(_PREPARE, kind, tokenizer, files, self.place))
                    tell(f"{tokenizer} {kind} prepare {number:,}: {runs[number][-1]['seconds']:.1f} s")
            named = {"tokenizer": tokenizer, "kind": kind}
            self.results["scale"] += [named | medians(some) for some in runs.values()]

    def _packing(self) -> None:
        self.results["packing"] = []
        for dump in sorted((self.options.work / "dumps").glob("*-ours.npz")):
            name = dump.name.removesuffix("-ours.npz").replace("-", ", ")
            self.results["packing"].append({"name": name} | _packed(dump))
            many = _packed(dump, "--num-lengths", "10000000")
            self.results["packing"].append({"name": f"{name}, lengths drawn from these"} | many)
        if not self.results["packing"]:
            tell("packing: no rows to take lengths from; measure the part pipelines first")

    def _collation(self) -> None:
        if importlib.util.find_spec("tests.benchmarks.collation") is None:
            tell("collation: no module tests.benchmarks.collation")
            return
        lines = importlib.import_module("tests.benchmarks.collation").measure()
        if lines:
            self.results["collation"] = lines
        else:
            tell("collation: no real rows or tokenizer, nothing measured")


def _packed(dump: Path, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, str(HERE / "packing_speed.py"), str(dump), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    return json.loads(done.stdout)


def _conversations(pairs: Path) -> list[tuple[str, str]]:
    with pairs.open(encoding="utf-8") as lines:
        return [(row["prompt"], row["completion"]) for row in map(json.loads, lines)]


def _told(arguments: Sequence[str]) -> list[str]:
    """The arguments of a reader's command: without the folders of this machine."""
    hidden = ("--work", "--peers-dir", "--realdata", "--tokenizers")
    before = ["", *arguments[:-1]]
    return [each for each, last in zip(arguments, before, strict=True) if each not in hidden and last not in hidden]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rows", type=int, default=100_000, help="for ours, the encoders alone and ChatGLM3's demo")
    parser.add_argument("--peer-rows", type=int, default=10_000, help="for the other peers, which take long")
    parser.add_argument("--scale-rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="pipelines, by name: ours llamafactory …")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=["pipelines"])
    parser.add_argument("--peers-dir", type=Path, default=CACHE / "peers", help="where make_peers put the venvs")
    parser.add_argument("--work", type=Path, default=CACHE / "work", help="rows, scratch files and results.json")
    parser.add_argument("--realdata", type=Path, default=SHARED / "realdata")
    parser.add_argument("--tokenizers", type=Path, default=SHARED / "tokenizers")
    parser.add_argument("--write", action="store_true", help="write RESULTS.md beside this file, not on stdout")
    return parser.parse_args()


def main() -> int:
    options = _options()
    for name in ("work", "peers_dir", "realdata", "tokenizers"):
        setattr(options, name, getattr(options, name).expanduser().resolve())
    benchmarks = Benchmarks(options)
    for part in options.parts:
        try:
            benchmarks.measure(part)
        except RunFailed as error:
            tell(f"{part}: {error}")
            return 1
    if "machine" not in benchmarks.results:
        benchmarks.results["machine"] = machine_facts()
    page = results_page(benchmarks.results)
    if options.write:
        (HERE / "RESULTS.md").write_text(page, encoding="utf-8")
    else:
        print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
