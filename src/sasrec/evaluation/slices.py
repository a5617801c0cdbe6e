"""Slices: subsets of the test cases, to see for which of them a model works well."""

from __future__ import annotations

import numpy as np

from sasrec.data.splits import Split


def slices_of(split: Split, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return subsets of the test cases, to see for which of them a model works well.

    Args:
        split: The test cases.
        counts: int64 [V], training events of each item.

    Returns:
        Name of a slice to bool [M]: by length of the history, by training events of the target,
        and, if there are times, by events per day of the user.
    """
    sequences, cases = split.sequences, split.test
    lengths = cases.stops - sequences.offsets[cases.users - 1]
    n_trained = counts[sequences.items[cases.stops]]
    slices = _thirds("history of", lengths, "events")
    slices["target without a training event"] = n_trained == 0
    slices |= _thirds("target with", n_trained, "training events", among=n_trained > 0)
    if sequences.times is not None:
        begins = sequences.times[sequences.offsets[cases.users - 1]]
        days = np.maximum(sequences.times[cases.stops] - begins, 1) / 86_400
        if days.max() > 1:  # otherwise this would equal the slices by history
            slices |= _thirds("user with", lengths / np.maximum(days, 1), "events a day")
    return {name: mask for name, mask in slices.items() if mask.any()}


def _thirds(
    what: str, values: np.ndarray, unit: str, among: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return the cases in the lower, middle and upper third of the values."""
    chosen = np.ones(len(values), dtype=bool) if among is None else among
    if not chosen.any():
        return {}
    low, high = np.quantile(values[chosen], [1 / 3, 2 / 3])
    if np.issubdtype(values.dtype, np.integer):
        low, high = int(low), int(high)  # for counts, "up to 54.3" means up to 54
        bounds, middle = (f"{low:,}", f"{high:,}"), f"{low + 1:,} to {high:,}"
        if low + 1 == high:
            middle = bounds[1]
    else:
        bounds = _rounded(low), _rounded(high)
        middle = f"{bounds[0]} to {bounds[1]}"
    return {
        f"{what} up to {bounds[0]} {unit}": chosen & (values <= low),
        f"{what} {middle} {unit}": chosen & (values > low) & (values <= high),
        f"{what} more than {bounds[1]} {unit}": chosen & (values > high),
    }


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
