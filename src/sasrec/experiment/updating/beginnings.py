"""Where the vector of a new item begins: at those of the items met beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sasrec.data.sequences import Sequences

REACH = 3
"""Items up to this many events away count as beside; nearer ones count more, by 1 / distance."""
ROUNDS = 2
"""In the second round, new items also begin from other new items."""
NOISE = 0.1
"""Share of random noise, so that two items met beside the same ones do not get the same vector."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Pairs of a beginning item and an item met beside it.

    Attributes:
        begins: int64 [n], items whose vector begins.
        others: int64 [n], the items beside them.
        weights: float32 [n], how much each of them counts.
    """

    begins: Tensor
    others: Tensor
    weights: Tensor


def met_beside(sequences: Sequences, learned: np.ndarray, begins: np.ndarray) -> Beside:
    """Return which items were met beside beginning items, in events that are learned.

    Events that are held out are not looked at, nor are earlier events of people without new ones.

    Args:
        sequences: All histories.
        learned: bool [N], new events that train the model; events before them count too.
        begins: bool [V], items whose vector begins.

    Returns:
        The pairs.
    """
    items, users = sequences.items, np.repeat(np.arange(sequences.n_users), sequences.lengths())
    found = []
    for distance in range(1, REACH + 1):
        left, right = np.arange(len(items) - distance), np.arange(distance, len(items))
        same = (users[left] == users[right]) & learned[right]
        left, right = left[same], right[same]
        for own, other in ((left, right), (right, left)):
            # The other event is learned too, or it is earlier and known before.
            kept = begins[items[own]] & learned[own] & (items[own] != items[other])
            weights = np.full(int(kept.sum()), 1 / distance, dtype=np.float32)
            found.append((items[own[kept]], items[other[kept]], weights))
    own, other, shares = (np.concatenate(each) for each in zip(*found, strict=True))
    return Beside(
        torch.from_numpy(own.astype(np.int64)),
        torch.from_numpy(other.astype(np.int64)),
        torch.from_numpy(shares),
    )


def with_beginnings(
    table: Tensor, beside: Beside, known: Tensor, *, begins: Tensor, generator: torch.Generator
) -> Tensor:
    """Return a table in which beginning items have a vector of a typical length.

    Args:
        table: float [V, d]; the rows of beginning items are ignored.
        beside: The items met beside them.
        known: bool [V], items whose row was learned.
        begins: bool [V], items whose vector begins.
        generator: Random generator for the noise.

    Returns:
        float [V, d]; an item met beside nothing known begins at the mean of the known items.
    """
    if not begins.any():
        return table
    lengths = table[known].norm(dim=1)
    typical = lengths.median() if len(lengths) else table.new_ones(())
    mean = table[known].mean(0) if known.any() else table.new_zeros(table.shape[1])
    result, ready = table * known[:, None], known.clone()
    for _ in range(ROUNDS):
        sums, total = torch.zeros_like(table), table.new_zeros(len(table))
        weights = beside.weights * ready[beside.others]
        sums.index_add_(0, beside.begins, weights[:, None] * result[beside.others])
        total.index_add_(0, beside.begins, weights)
        found = begins & (total > 0)
        result[found] = _of_length(sums[found], typical)
        ready = known | found
    rest = begins & ~ready
    result[rest] = _of_length(mean.expand(int(rest.sum()), -1), typical)
    noise = torch.randn(table.shape, generator=generator) * (
        NOISE * typical / table.shape[1] ** 0.5
    )
    result = torch.where(begins[:, None], result + noise, table)
    result[0] = table[0]
    return result


def _of_length(vectors: Tensor, length: Tensor) -> Tensor:
    found: Tensor = vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-12) * length
    return found
