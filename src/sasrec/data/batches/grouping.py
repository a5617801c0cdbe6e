"""Grouping: windows of like length are dealt into groups, each of which becomes a batch."""

from __future__ import annotations

import numpy as np

from sasrec.data.batches.windows import Windows


def shuffled_groups(
    windows: Windows, *, batch_size: int, generator: np.random.Generator, pool: int = 16
) -> list[np.ndarray]:
    """Deal windows into groups of about ``batch_size`` targets and of like length, at random.

    Windows are shuffled, sorted by length within pools of ``pool`` batches, and cut into groups
    of equal share; so groups differ each epoch and need next to no padding.

    Args:
        windows: All windows of the epoch.
        batch_size: Targets a group holds on average, at most.
        generator: Source of the order.
        pool: Batches among which lengths are sorted; more means less padding and less chance.

    Returns:
        Places of the windows of each group, int64 [w] each, none empty.
    """
    total = int(windows.supervised.sum())
    n_groups = max(1, -(-total // batch_size))
    order = generator.permutation(len(windows))
    pool_of = np.arange(len(order)) * -(-n_groups // pool) // max(len(order), 1)
    # Rising and falling by turns, so that a group across two pools is of like length too.
    rising = windows.lengths[order] * (1 - 2 * (pool_of % 2))
    order = order[np.lexsort((rising, pool_of))]
    filled = np.cumsum(windows.supervised[order])
    group_of = (filled - windows.supervised[order]) * n_groups // max(total, 1)
    groups = np.split(order, np.flatnonzero(np.diff(group_of)) + 1)
    return [groups[place] for place in generator.permutation(len(groups)) if len(groups[place])]


def sorted_groups(windows: Windows, positions: int) -> list[np.ndarray]:
    """Deal windows into groups of like length with at most ``positions`` padded positions each.

    Args:
        windows: All windows.
        positions: Most windows times longest window of a group; a single window may exceed it.

    Returns:
        Places of the windows of each group, int64 [w] each, longest windows first.
    """
    order = np.argsort(-windows.lengths, kind="stable")
    groups: list[np.ndarray] = []
    begin = 0
    while begin < len(order):
        size = max(1, positions // int(windows.lengths[order[begin]]))
        groups.append(order[begin : begin + size])
        begin += size
    return groups
