"""Warnings about the results of a comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sasrec.comparison.entry import Entry
from sasrec.evaluation.baseline_check import worse_than


def remarks_on(entries: list[Entry], key: str, baselines: Sequence[str]) -> tuple[str, ...]:
    """Return warnings about the results.

    Args:
        entries: Results of the models.
        key: The first metric.
        baselines: Names of the baselines, which count events and are not trained.

    Returns:
        A sentence for each model that is worse than a baseline, and one if a p-value is unknown.
    """
    counts = {e.model: e.means[key] for e in entries if e.model in baselines}
    remarks = []
    for entry in entries:
        better = {name: mean for name, mean in counts.items() if mean > entry.means[key]}
        if better and entry.model not in counts:
            remarks.append(worse_than(entry.model, better, key, entry.means[key]))
    unknown = [entry.model for entry in entries if math.isnan(entry.p_value)]
    if unknown:
        remarks.append(
            f"p of {', '.join(unknown)} is unknown: the t-test needs at least two test cases"
        )
    return tuple(remarks)
