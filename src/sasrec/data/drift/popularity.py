"""How far the popularity of items has moved: the population stability index.

The index compares the shares p and q of B groups in old and new data:

    PSI = sum over groups of (q - p) * ln(q / p)

It is Jeffreys' divergence (1946), as credit scoring uses it (Siddiqi, Credit Risk Scorecards, 2006,
with 0.1 and 0.25 as rules of thumb for ten groups). If nothing has changed, about
(B - 1) * (1/N + 1/M) is expected by chance with N old and M new events (Yurdakul & Naranjo,
Statistical properties of the population stability index, 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_GROUPS = 100
"""A group has at least 1% of the old events; an item with more is a group of its own."""
FEWEST_EVENTS = 50
"""A group has about this many events or more in both data sets, so that chance matters little."""
LEAST_COUNT = 0.5
"""A group without new events counts as half an event, as the logarithm of 0 is infinite."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far the popularity of known items has moved.

    Attributes:
        index: The population stability index.
        by_chance: The index to expect if nothing has changed.
        groups: Number of groups.
        item: Number of the item whose share has changed most.
        before: Share of its events in the old data.
        after: Share of its events in the new data.
    """

    index: float
    by_chance: float
    groups: int
    item: int
    before: float
    after: float


def popularity_shift(old: np.ndarray, new: np.ndarray) -> Shift | None:
    """Return how far the popularity of items has moved; None with too few events for two groups.

    Args:
        old: int64 [n], old events of each item.
        new: int64 [n], new events of the same items.
    """
    total_old, total_new = int(old.sum()), int(new.sum())
    if min(total_old, total_new) < 2 * FEWEST_EVENTS:
        return None
    least = max(1 / MOST_GROUPS, FEWEST_EVENTS / min(total_old, total_new))
    group = _groups(old / total_old, least)
    n_groups = int(group.max()) + 1
    if n_groups < 2:
        return None
    p, q = (
        np.maximum(np.bincount(group, counts, minlength=n_groups), LEAST_COUNT) / counts.sum()
        for counts in (old, new)
    )
    change = new / total_new - old / total_old
    most = int(np.abs(change).argmax())
    return Shift(
        index=float(((q - p) * np.log(q / p)).sum()),
        by_chance=(n_groups - 1) * (1 / total_old + 1 / total_new),
        groups=n_groups,
        item=most + 1,
        before=float(old[most] / total_old),
        after=float(new[most] / total_new),
    )


def _groups(shares: np.ndarray, least: float) -> np.ndarray:
    """Return the group of each item, int64 [n]: neighbours in popularity with about equal shares.

    Args:
        shares: float64 [n], share of each item; their sum is 1.
        least: Share of a group, about; an item with more is nearly always alone.
    """
    order = np.argsort(-shares, kind="stable")
    ranked = shares[order]
    places = np.floor((np.cumsum(ranked) - ranked / 2) / least)
    group = np.empty(len(shares), dtype=np.int64)
    _, group[order] = np.unique(places, return_inverse=True)
    return group
