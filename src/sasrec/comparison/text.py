"""Parts of the text of a comparison: the table of metrics, and what its p-values mean."""

from __future__ import annotations

from collections.abc import Sequence

from sasrec.comparison.entry import Entry


def main_rows(entries: Sequence[Entry], metrics: Sequence[str]) -> list[list[str]]:
    """Return the cells of the table of metrics, with a row for each model.

    Args:
        entries: Results of each model, the best first.
        metrics: Keys of the metrics.

    Returns:
        The heading, and one row per model, the best first.
    """
    first = metrics[0]
    rows = [["model", *metrics, f"95 % of {first}", "p"]]
    for entry in entries:
        low, high = entry.intervals[first]
        p_value = "best" if entry is entries[0] else f"{entry.p_value:.1g}"
        values = [f"{entry.means[key]:.4f}" for key in metrics]
        rows.append([entry.model, *values, f"{low:.4f} {high:.4f}", p_value])
    return rows


def about_p(entries: Sequence[Entry], metrics: Sequence[str]) -> list[str]:
    """Return sentences about the p-values of a comparison.

    Args:
        entries: Results of each model, the best first.
        metrics: Keys of the metrics.

    Returns:
        What the column p means; and, if a baseline is the best model, the p-values of the models
        that the user named against the best of them.
    """
    first, best = metrics[0], entries[0]
    sentences = [
        f"p: paired t-test of {first} against {best.model} over test cases, corrected for multiple "
        "comparisons (Holm); intervals: bootstrap over test cases"
    ]
    named = [entry for entry in entries if not entry.is_baseline]
    if best.is_baseline and len(named) > 1:
        values = ", ".join(f"{entry.model} {entry.p_value_named:.1g}" for entry in named[1:])
        sentences.append(
            f"without the baselines, {named[0].model} is the best; p of the same test against it, "
            f"corrected for the models without the baselines: {values}"
        )
    return sentences
