"""A comparison as plain text, for ``print`` and notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sasrec.errors import printable
from sasrec.evaluation.text import aligned, sizes_of

if TYPE_CHECKING:
    from sasrec.comparison.entries import Comparison


def main_rows(found: Comparison) -> list[list[str]]:
    """Return the cells of the table of metrics, with a row for each model.

    Args:
        found: The comparison.

    Returns:
        The heading, and one row per model, the best first.
    """
    first = found.metrics[0]
    rows = [["model", *found.metrics, f"95 % of {first}", "p"]]
    for entry in found.entries:
        low, high = entry.intervals[first]
        p_value = "best" if entry is found.entries[0] else f"{entry.p_value:.1g}"
        values = [f"{entry.means[key]:.4f}" for key in found.metrics]
        rows.append([entry.model, *values, f"{low:.4f} {high:.4f}", p_value])
    return rows


def about_p(found: Comparison) -> list[str]:
    """Return sentences about the p-values of a comparison.

    Args:
        found: The comparison.

    Returns:
        What the column p means; and, if a baseline is the best model, the p-values of the models
        that the user named against the best of them.
    """
    first, best = found.metrics[0], found.entries[0]
    sentences = [
        f"p: paired t-test of {first} against {best.model} over test cases, corrected for multiple "
        "comparisons (Holm); intervals: bootstrap over test cases"
    ]
    named = [entry for entry in found.entries if not entry.is_baseline]
    if best.is_baseline and len(named) > 1:
        values = ", ".join(f"{entry.model} {entry.p_value_named:.1g}" for entry in named[1:])
        sentences.append(
            f"without the baselines, {named[0].model} is the best; p of the same test against it, "
            f"corrected for the models without the baselines: {values}"
        )
    return sentences


def comparison_as_text(found: Comparison) -> str:
    """Return the data, the protocol, the table of metrics and the remarks.

    Args:
        found: The comparison.

    Returns:
        Several lines, without a line end at the end.
    """
    seeds = ", ".join(map(str, found.seeds))
    lines = [sizes_of(found.dataset), found.protocol]
    if any(entry.is_trained_here for entry in found.entries):
        lines.append(f"results on the test cases, seed{'s' * (len(found.seeds) > 1)} {seeds}")
    lines += ["", aligned(main_rows(found)), "", *about_p(found)]
    lines += [f"note: {remark}" for remark in found.remarks]
    return printable("\n".join(lines))
