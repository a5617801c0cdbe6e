"""How does the time of an epoch grow with data size, history length, catalogue size and width?

Each axis varies one quantity of a medium configuration; the exponent is the slope of a line fitted
in logarithmic scale. Draws docs/growth.png:

    .venv/bin/python benchmarks/growth.py            (about twenty minutes on two cores)
"""

import argparse
import csv
import statistics
import time
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from common import random_split, training_loop
from sasrec.settings.resolve import resolve_settings

HERE = Path(__file__).resolve().parent
AXES = {
    "interactions": [100_000, 300_000, 1_000_000, 3_000_000, 10_000_000],
    "length": [25, 50, 100, 200, 400, 600, 800],
    "items": [1_000, 10_000, 100_000, 1_000_000],
    "width": [32, 64, 128, 256],
}
MIDDLE = {"interactions": 100_000, "length": 50, "items": 2_000, "width": 64}
HISTORY = 120
"""Events of a user; histories are longer than common values of max_history and so get cut."""


def epoch_seconds(size: dict[str, int], epochs: int) -> tuple[float, int]:
    """Return the median seconds of an epoch, and its targets.

    Args:
        size: Interactions, length, items, width.
        epochs: Number of timed epochs, after one warm-up epoch.

    Returns:
        Seconds and targets.
    """
    history = max(HISTORY, size["length"] + 1)
    run = resolve_settings(
        {
            "max_history": size["length"],
            "hidden_size": size["width"],
            "inner_size": 4 * size["width"],
        }
    )
    split = random_split(max(2, round(size["interactions"] / history)), size["items"], history)
    loop, _ = training_loop(split, size["items"], run)
    seconds, targets = [], 0
    for epoch in range(epochs + 1):
        _, taken, targets = loop.epoch(epoch)
        seconds.append(taken)
        if sum(seconds) > 120:
            break
    return statistics.median(seconds[1:] or seconds), targets


def main() -> None:
    """Measure each axis, print a table with exponents, and draw the picture."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("axes", nargs="*", default=list(AXES))
    arguments.add_argument("--epochs", type=int, default=3)
    given = arguments.parse_args()
    rows = []
    for axis in given.axes:
        for value in AXES[axis]:
            started = time.perf_counter()
            seconds, targets = epoch_seconds({**MIDDLE, axis: value}, given.epochs)
            rows.append((axis, value, targets, seconds))
            print(
                f"{axis} {value:>10,}: {targets:>9,} targets, {seconds:8.2f} s per epoch, "
                f"{1e6 * seconds / targets:7.1f} us per target "
                f"({time.perf_counter() - started:.0f} s in total)",
                flush=True,
            )
        values, per_target = zip(*[(r[1], r[3] / r[2]) for r in rows if r[0] == axis], strict=True)
        print(f"{axis}: the time per target grows with exponent {slope(values, per_target):.2f}")
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    with (results / "growth.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["axis", "value", "targets", "seconds"], *rows])
    draw(rows, HERE.parent / "docs" / "growth.png")


def slope(values: tuple, seconds: tuple) -> float:
    """Return the exponent b of the curve a x^b fitted to the points.

    Args:
        values: x.
        seconds: y.

    Returns:
        The exponent.
    """
    return float(np.polyfit(np.log(values), np.log(seconds), 1)[0])


def draw(rows: list, path: Path) -> None:
    """Draw microseconds per target against each axis, both logarithmic.

    Args:
        rows: Axis, value, targets, seconds.
        path: The PNG file.
    """
    axes = list(dict.fromkeys(row[0] for row in rows))
    figure = Figure(figsize=(4 * len(axes), 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    for place, axis in enumerate(axes, start=1):
        points = [(row[1], 1e6 * row[3] / row[2]) for row in rows if row[0] == axis]
        values, each = zip(*points, strict=True)
        panel = figure.add_subplot(1, len(axes), place)
        panel.loglog(values, each, "C0.-")
        panel.set(
            xlabel=axis, ylabel="microseconds per target", title=f"{slope(values, each):+.2f}"
        )
        panel.set_ylim(bottom=min(each) / 2, top=max(each) * 2)
    figure.savefig(path, dpi=110)


main()
