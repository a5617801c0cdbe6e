"""Slices: parts of the test cases that tell where a model is good."""

from __future__ import annotations

import numpy as np

from sasrec.data.splits import Split


def slices_of(split: Split, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return parts of the test cases that tell where a model is good.

    Args:
        split: Its test cases.
        counts: int64 [V], training events of each item.

    Returns:
        Name of a slice to bool [M]: by length of the history, by how often the target was met in
        training, and, where there are times, by how many events a day the user has.
    """
    sequences, cases = split.sequences, split.test
    lengths = cases.stops - sequences.offsets[cases.users - 1]
    met = counts[sequences.items[cases.stops]]
    slices = _thirds("history", lengths, "events")
    slices["target never met in training"] = met == 0
    slices |= _thirds("target met", met, "times", among=met > 0)
    if sequences.times is not None:
        begins = sequences.times[sequences.offsets[cases.users - 1]]
        days = np.maximum(sequences.times[cases.stops] - begins, 1) / 86_400
        if days.max() > 1:  # else it would be the length of the history again
            slices |= _thirds("activity", lengths / np.maximum(days, 1), "events a day")
    return {name: mask for name, mask in slices.items() if mask.any()}


def _thirds(
    what: str, values: np.ndarray, unit: str, among: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return cases below, between and above the two values that part them into thirds."""
    chosen = np.ones(len(values), dtype=bool) if among is None else among
    if not chosen.any():
        return {}
    low, high = np.quantile(values[chosen], [1 / 3, 2 / 3])
    figures = f"{low:.4g}", f"{high:.4g}"
    if np.issubdtype(values.dtype, np.integer):
        figures = f"{int(low):,}", f"{int(high):,}"  # counts: up to 54.3 is up to 54
    return {
        f"{what} up to {figures[0]} {unit}": chosen & (values <= low),
        f"{what} to {figures[1]} {unit}": chosen & (values > low) & (values <= high),
        f"{what} above {figures[1]} {unit}": chosen & (values > high),
    }
