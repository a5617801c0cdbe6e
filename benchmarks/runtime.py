"""How soon is ``sasrec_serve`` ready, and how long does it take to recommend?

Exports models with the network of ``best`` and random weights, and in a new process imports
``sasrec_serve``, loads the export, and recommends ten items for histories of 50 events. CPU seconds
are those of all threads, and do not depend on what else the machine does.

.venv/bin/python benchmarks/runtime.py                      # 12,101 and 1,000,000 items
.venv/bin/python benchmarks/runtime.py --items 12101
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "runtime.csv"
BATCHES, ROUNDS = (1, 4, 16, 64), 50
MEASURED = """
import json, statistics, sys, time

started, worked = time.perf_counter(), time.process_time()
import sasrec_serve

imported = time.perf_counter()
recommender = sasrec_serve.load(sys.argv[1], threads=int(sys.argv[2]))
row = {
    "import_seconds": imported - started,
    "ready_seconds": time.perf_counter() - started,
    "ready_cpu_seconds": time.process_time() - worked,
}
import numpy as np

random = np.random.default_rng(0)
for size in json.loads(sys.argv[3]):
    wall, cpu = [], []
    for _ in range(int(sys.argv[4])):
        numbers = random.integers(1, len(recommender.items) + 1, (size, 50))
        histories = [recommender.items.tokens(each) for each in numbers]
        begun, before = time.perf_counter(), time.process_time()
        recommender.recommend(histories)
        wall.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - before)
    row[f"ms_{size}"] = 1e3 * statistics.median(wall)
    row[f"lowest_ms_{size}"] = 1e3 * min(wall)
    row[f"cpu_ms_{size}"] = 1e3 * statistics.median(cpu)
status = open("/proc/self/status").read().split()
row["own_mib"] = int(status[status.index("RssAnon:") + 1]) / 1024
row["peak_mib"] = int(status[status.index("VmHWM:") + 1]) / 1024
print(json.dumps(row))
"""


def measured(n_items: int) -> list[dict[str, float]]:
    """Return a row for each number of threads."""
    import torch

    import sasrec
    from export import random_model

    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "out"
        sasrec.export(random_model(n_items), folder)
        for threads in (1, 2) if n_items >= 100_000 else (1,):
            numbers = str(threads), json.dumps(BATCHES), str(ROUNDS)
            told = subprocess.run(
                [sys.executable, "-c", MEASURED, folder, *numbers],
                capture_output=True,
                text=True,
                check=True,
            )
            row = {"items": n_items, "threads": threads, **json.loads(told.stdout)}
            rows.append(row)
            print(
                f"{n_items:,} items, {threads} thread(s): import {row['import_seconds']:.3f} s, "
                f"ready after {row['ready_seconds']:.2f} s (CPU {row['ready_cpu_seconds']:.2f} s), "
                f"memory {row['own_mib']:.0f} MB of its own, {row['peak_mib']:.0f} MB with files"
            )
            for size in BATCHES:
                print(
                    f"  {size:3} histories: median {row[f'ms_{size}']:.2f} ms, lowest "
                    f"{row[f'lowest_ms_{size}']:.2f} ms, CPU {row[f'cpu_ms_{size}']:.2f} ms"
                )
    return rows


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[12_101, 1_000_000])
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    rows = [row for n_items in parser.parse_args().items for row in measured(n_items)]
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
