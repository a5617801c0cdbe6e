"""A comparison as a CSV table and as a plot."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sasrec.comparison.entries import Comparison
from sasrec.experiment.measuring import is_baseline
from sasrec.system.pictures import new_figure, plain_logarithmic, plain_texts, rendered
from sasrec.system.writing import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def as_csv(comparison: Comparison) -> str:
    """Return the results as CSV with one row per model.

    Args:
        comparison: The comparison.

    Returns:
        CSV text with a header line.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    costs = ("p_value", "epochs", "seconds_per_epoch", "seconds_to_best", "parameters")
    head = [f"{key}{end}" for key in comparison.metrics for end in ("", " low", " high", " se")]
    writer.writerow(["model", *head, *costs, "peak_megabytes", "p_value_named"])
    for entry in comparison.entries:
        row: list[Any] = [entry.model]
        for key in comparison.metrics:
            row += [entry.means[key], *entry.intervals[key], entry.spread[key]]
        row += [getattr(entry, cost) for cost in costs]
        writer.writerow([*row, entry.peak_megabytes, entry.p_value_named])
    return text.getvalue()


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Plot accuracy against training time, one point with an error bar per model.

    Args:
        comparison: The comparison.
        path: The PNG file to write.
    """
    with plain_texts():
        figure = _comparison(comparison)
        write_atomically(path, rendered(figure, "png", dpi=120, bbox_inches="tight"))


def _comparison(comparison: Comparison) -> Figure:
    key = comparison.metrics[0]
    figure = new_figure(8, 4.5)
    axes = figure.add_subplot()
    for number, entry in enumerate(comparison.entries):
        low, high = entry.intervals[key]
        mean, colour = entry.means[key], f"C{number % 10}"
        if not entry.is_timed:
            how = "not trained" if is_baseline(entry.model) else "time not known"
            axes.axhline(mean, color=colour, linestyle=":", label=f"{entry.model} ({how})")
            continue
        errors = [[mean - low], [high - mean]]
        seconds = max(entry.seconds_to_best, 1e-3)
        axes.errorbar(seconds, mean, yerr=errors, fmt="o", color=colour, label=entry.model)
    if not any(entry.is_timed for entry in comparison.entries):
        # axhline does not adjust the limits of the axis.
        lows, highs = zip(*(each.intervals[key] for each in comparison.entries), strict=True)
        axes.set_ylim(0.95 * min(lows), 1.05 * max(highs) + 1e-9)
    axes.set(xscale="log", xlabel="training time to the best epoch, s", ylabel=f"test {key}")
    plain_logarithmic(axes.xaxis)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    axes.set_title(f"{comparison.dataset['name']}: means and 95 % intervals over cases")
    return figure
