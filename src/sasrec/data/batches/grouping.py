"""Grouping: puts windows of similar length into groups, each of which becomes a batch."""

from __future__ import annotations

import numpy as np

from sasrec.data.batches.windows import Windows


def shuffled_groups(
    windows: Windows, *, batch_size: int, generator: np.random.Generator, pool: int = 16
) -> list[np.ndarray]:
    """Group windows at random, with about ``batch_size`` targets and similar lengths per group.

    Windows are shuffled, sorted by length within pools of ``pool`` batches, and cut into groups
    with about equal numbers of targets. So groups differ in each epoch and need hardly any padding.

    Args:
        windows: All windows of the epoch.
        batch_size: Upper limit on the mean number of targets per group.
        generator: Random generator for the order.
        pool: Number of batches within which windows are sorted by length; more batches mean less
            padding and less randomness.

    Returns:
        Indices of the windows in each group, int64 [w] each, none empty.
    """
    total = int(windows.targets.sum())
    n_groups = max(1, -(-total // batch_size))
    order = generator.permutation(len(windows))
    pool_of = np.arange(len(order)) * -(-n_groups // pool) // max(len(order), 1)
    # Ascending and descending alternately, so that a group across two pools has similar lengths.
    keys = windows.lengths[order] * (1 - 2 * (pool_of % 2))
    order = order[np.lexsort((keys, pool_of))]
    filled = np.cumsum(windows.targets[order])
    group_of = (filled - windows.targets[order]) * n_groups // max(total, 1)
    groups = np.split(order, np.flatnonzero(np.diff(group_of)) + 1)
    return [groups[index] for index in generator.permutation(len(groups)) if len(groups[index])]


def sorted_groups(windows: Windows, positions: int) -> list[np.ndarray]:
    """Group windows of similar length, with at most ``positions`` positions after padding.

    Args:
        windows: All windows.
        positions: Upper limit on the number of windows in a group times the length of its longest
            window; a single window may exceed it.

    Returns:
        Indices of the windows in each group, int64 [w] each, longest windows first.
    """
    order = np.argsort(-windows.lengths, kind="stable")
    groups: list[np.ndarray] = []
    begin = 0
    while begin < len(order):
        size = max(1, positions // int(windows.lengths[order[begin]]))
        groups.append(order[begin : begin + size])
        begin += size
    return groups
