"""How long is an epoch of SASRec on ml-100k here and in RecBole, with the same targets?

Both run one after the other, each in its own process and environment, with RecBole's defaults:

    make bench            (or: .venv/bin/python benchmarks/epoch.py --recbole-epochs 1)
"""

import argparse
import csv
import platform
import statistics
import sys
from pathlib import Path

from common import timed

HERE = Path(__file__).resolve().parent
PEER_NAME = "RecBole 1.2.1"
PEER = HERE.parent / ".venv-recbole" / "bin" / "python"


def main() -> None:
    """Print a table with the ratio in its last line; write the rows as CSV."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--recbole-epochs", type=int, default=1)
    arguments.add_argument("--epochs", type=int, default=7)
    given = arguments.parse_args()
    rows = {}
    for precision in ("float32", "auto"):
        command = [sys.executable, str(HERE / "ours_epoch.py"), str(given.epochs), precision]
        rows[f"sasrec {precision}"] = timed(command)
    rows[PEER_NAME] = timed([str(PEER), str(HERE / "peer_recbole.py"), str(given.recbole_epochs)])
    theirs = statistics.median(rows[PEER_NAME]["seconds"])
    print(f"machine: {platform.processor() or platform.machine()}, {platform.platform()}")
    print(f"{'':<18}{'targets':>9}{'s/epoch':>9}{'min':>8}{'max':>8}{'GB':>7}{'ratio':>9}")
    for name, row in rows.items():
        median = statistics.median(row["seconds"])
        print(
            f"{name:<18}{row['targets']:>9,}{median:>9.2f}{min(row['seconds']):>8.2f}"
            f"{max(row['seconds']):>8.2f}{row['peak_bytes'] / 1e9:>7.2f}{theirs / median:>8.1f}x"
        )
    for name, row in rows.items():
        if name != PEER_NAME:
            print_rate(name, row)
    ours = statistics.median(rows["sasrec auto"]["seconds"])
    print(f"ratio with the default settings: {theirs / ours:.1f}")
    write_rows(rows)


def print_rate(name: str, row: dict) -> None:
    """Print the FLOP/s of a system and its share of the machine's peak.

    Args:
        name: Name of the system.
        row: Its measurements.
    """
    rate = row["useful_flop"] / statistics.median(row["seconds"])
    shares = ", ".join(
        f"{rate / peak:.0%} of the {peak / 1e9:.0f} GFLOP/s peak in {precision}"
        for precision, peak in row["peaks"].items()
    )
    print(f"{name}: {rate / 1e9:.0f} GFLOP/s of useful arithmetic, {shares}")


def write_rows(rows: dict[str, dict]) -> None:
    """Write each epoch as a row of CSV.

    Args:
        rows: System to its measurements.
    """
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    with (results / "epoch.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["system", "epoch", "seconds", "targets", "peak_bytes"])
        for name, row in rows.items():
            for epoch, seconds in enumerate(row["seconds"], start=1):
                writer.writerow([name, epoch, f"{seconds:.4f}", row["targets"], row["peak_bytes"]])


main()
