"""How long does it take to read and prepare ten million interactions, and in how much memory?

.venv/bin/python benchmarks/reading.py --users 200000
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

READ = """
import resource, sys, time
started = time.perf_counter()
from sasrec.data.sources import load_corpus
from sasrec.data.splits import leave_one_out
from sasrec.settings.data import DataSettings
corpus = load_corpus(sys.argv[1], DataSettings())
split = leave_one_out(corpus.sequences)
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(f"{corpus.sequences.n_events:,} interactions, {len(corpus.users):,} users, "
      f"{len(corpus.items):,} items: {seconds:.1f} s, {peak:.2f} GiB peak memory")
print(f"ratio to the limits of 20 s and 3 GB: {20 / seconds:.1f}x faster, "
      f"{3e9 / (peak * 2**30):.1f}x smaller")
"""


def main() -> None:
    """Write a generated file, then read it in a separate process."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--users", type=int, default=200_000)
    users = arguments.parse_args().users
    with tempfile.TemporaryDirectory() as folder:
        name = f"synthetic:users={users},items=20000,length=50"
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "sasrec", "data", "fetch", name, "--to", folder], check=True
        )
        file = Path(folder) / "synthetic" / "synthetic.inter"
        size = file.stat().st_size / 1e6
        print(f"generated {size:.0f} MB in {time.perf_counter() - started:.1f} s")
        subprocess.run([sys.executable, "-c", READ, str(file)], check=True)


main()
