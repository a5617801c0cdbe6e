"""How long does an epoch of SASRec on ml-100k take, against RecBole's own, for the same targets?

Both run one after the other, each in its own process and environment, with RecBole's defaults:

    make bench            (or: .venv/bin/python benchmarks/epoch.py --recbole-epochs 1)
"""

import argparse
import csv
import json
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEER = HERE.parent / ".venv-recbole" / "bin" / "python"


def timed(command: list[str]) -> dict:
    """Run a script that prints one line of JSON last.

    Args:
        command: The script and its arguments.

    Returns:
        What the line holds.
    """
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.strip().splitlines()[-1])


def main() -> None:
    """Print a table with the ratio in its last line; keep the rows as CSV."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--recbole-epochs", type=int, default=1)
    arguments.add_argument("--epochs", type=int, default=7)
    given = arguments.parse_args()
    rows = {}
    for precision in ("float32", "bfloat16"):
        command = [sys.executable, str(HERE / "ours_epoch.py"), str(given.epochs), precision]
        rows[f"sasrec {precision}"] = timed(command)
    rows["RecBole 1.2.1"] = timed(
        [str(PEER), str(HERE / "peer_recbole.py"), str(given.recbole_epochs)]
    )
    theirs = statistics.median(rows["RecBole 1.2.1"]["seconds"])
    print(f"machine: {platform.processor() or platform.machine()}, {platform.platform()}")
    print(f"{'':<18}{'targets':>9}{'s/epoch':>9}{'min':>8}{'max':>8}{'GiB':>7}{'ratio':>9}")
    for name, row in rows.items():
        median = statistics.median(row["seconds"])
        print(
            f"{name:<18}{row['targets']:>9,}{median:>9.2f}{min(row['seconds']):>8.2f}"
            f"{max(row['seconds']):>8.2f}{row['peak_bytes'] / 2**30:>7.2f}{theirs / median:>8.1f}x"
        )
    ours = rows["sasrec float32"]
    rate = ours["useful_flop"] / statistics.median(ours["seconds"])
    print(
        f"useful arithmetic in float32: {rate / 1e9:.0f} GFLOP/s, {rate / ours['peak_flops']:.0%} of "
        f"the {ours['peak_flops'] / 1e9:.0f} GFLOP/s this machine multiplies matrices at"
    )
    print(f"ratio with the default precision: {theirs / statistics.median(ours['seconds']):.1f}")
    with (HERE / "results" / "epoch.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["system", "epoch", "seconds", "targets", "peak_bytes"])
        for name, row in rows.items():
            for epoch, seconds in enumerate(row["seconds"], start=1):
                writer.writerow([name, epoch, f"{seconds:.4f}", row["targets"], row["peak_bytes"]])


main()
