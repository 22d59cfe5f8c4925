"""How full the packs of `collators.bin_packing` are, and what packing costs; one case in a process of its own."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "peers"), str(Path(__file__).resolve().parents[2])]

import numpy as np  # noqa: E402
from measured_run import peak_bytes  # noqa: E402  (lies in the folder of the peers' scripts)

CAPACITY = 2048


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("rows", type=Path, help="rows.npz of a run")
    arguments.add_argument("--num-lengths", type=int, help="draw as many from those of the rows")
    options = arguments.parse_args()
    from collators.bin_packing import best_fit

    with np.load(options.rows) as rows:
        lengths = rows["lengths"]
    lengths = lengths[lengths <= CAPACITY]
    if options.num_lengths:
        lengths = np.random.default_rng(0).choice(lengths, options.num_lengths)
    started = time.perf_counter()
    packs = best_fit(lengths, CAPACITY)
    seconds = time.perf_counter() - started
    num_packs = len(packs.starts) - 1
    fill = int(lengths.sum()) / (num_packs * CAPACITY)
    facts = {"lengths": len(lengths), "packs": num_packs, "fill": fill, "seconds": seconds, "peak_bytes": peak_bytes()}
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
