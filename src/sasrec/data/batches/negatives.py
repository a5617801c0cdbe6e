"""Negatives: draws items other than the target, to compare the target with."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(targets: Tensor, *, n_items: int, count: int, generator: torch.Generator) -> Tensor:
    """Return items drawn uniformly from the catalogue, never the target itself.

    Args:
        targets: int64 [P], item numbers from 1; 0 where the position is not supervised.
        n_items: Size of the catalogue, at least 2, padding not counted.
        count: Number of negatives per position, K.
        generator: Random generator on the device of ``targets``.

    Returns:
        int64 [P, K], item numbers from 1.
    """
    drawn = torch.randint(
        1, n_items, (len(targets), count), generator=generator, device=targets.device
    )
    return drawn + (drawn >= targets.clamp(min=1)[:, None])


def popularity(
    targets: Tensor, *, weights: Tensor, count: int, generator: torch.Generator
) -> Tensor:
    """Return items drawn in proportion to weights, never the target itself.

    Draws of the target are not rejected and repeated; instead, each draw is from the cumulative
    weights with the interval of the target cut out.

    Args:
        targets: int64 [P], item numbers from 1.
        weights: float64 [V], not negative, 0 for padding; positive for at least two items.
        count: Number of negatives per position, K.
        generator: Random generator on the device of ``targets``.

    Returns:
        int64 [P, K], item numbers from 1.
    """
    ends = weights.cumsum(0)
    own = weights[targets][:, None]  # [P, 1]
    shape = (len(targets), count)
    chance = torch.rand(shape, generator=generator, device=targets.device, dtype=ends.dtype)
    point = chance * (ends[-1] - own)
    before = (ends[targets][:, None] - own).expand(shape)
    point = point + own * (point >= before)
    last = int(weights.nonzero()[-1])
    drawn = torch.searchsorted(ends, point, right=True).clamp(max=last)
    # Rounding may put a draw on the edge of the target's interval; another item replaces it.
    return torch.where(drawn == targets[:, None], _other(targets, weights)[:, None], drawn)


def uniform_outside(
    owners: Tensor, excluded: Tensor, *, cases: int, n_items: int, count: int, seed: int
) -> Tensor:
    """Return items drawn uniformly, with repetition, from those that a case does not exclude.

    Draws of excluded items are not rejected and repeated; instead, each draw is an index among the
    allowed items, to which the number of excluded items before it is added.

    Args:
        owners: int64 [N], case of each excluded item, from 0.
        excluded: int64 [N], item numbers from 1; may repeat.
        cases: Number of cases, M.
        n_items: Size of the catalogue, padding not counted; each case must allow at least one item.
        count: Number of draws per case, K.
        seed: Random seed.

    Returns:
        int64 [M, K], item numbers from 1.
    """
    width = n_items + 1
    pairs = torch.unique(owners * width + excluded)  # ascending
    own, items = pairs // width, pairs % width
    taken = torch.bincount(own, minlength=cases)
    begins = taken.cumsum(0) - taken
    # Number of allowed items before each excluded item.
    before = items - 1 - (torch.arange(len(pairs)) - begins[own])
    generator = torch.Generator().manual_seed(seed)
    chance = torch.rand(cases, count, generator=generator, dtype=torch.float64)
    left = (n_items - taken)[:, None]
    index = (chance * left).long().minimum(left - 1)
    rows = torch.arange(cases)[:, None] * width
    passed = torch.searchsorted(own * width + before, rows + index, right=True) - begins[:, None]
    return index + passed + 1


def shared_uniform(
    *, n_items: int, count: int, generator: torch.Generator, device: torch.device
) -> Tensor:
    """Return one set of items drawn uniformly from the catalogue, for all positions of a batch.

    Args:
        n_items: Size of the catalogue, padding not counted.
        count: Number of draws, K; an item may be drawn twice.
        generator: Random generator on the device.
        device: Device of the result.

    Returns:
        int64 [K], item numbers from 1.
    """
    return torch.randint(1, n_items + 1, (count,), generator=generator, device=device)


def shared_popularity(*, weights: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return one set of items drawn in proportion to weights, for all positions of a batch.

    Args:
        weights: float64 [V], not negative, 0 for padding; positive for at least one item.
        count: Number of draws, K; an item may be drawn twice.
        generator: Random generator on the device of ``weights``.

    Returns:
        int64 [K], item numbers from 1.
    """
    ends = weights.cumsum(0)
    chance = torch.rand(count, generator=generator, device=weights.device, dtype=ends.dtype)
    last = int(weights.nonzero()[-1])
    return torch.searchsorted(ends, chance * ends[-1], right=True).clamp(max=last)


def _other(targets: Tensor, weights: Tensor) -> Tensor:
    """Return for each target another item with positive weight, int64 [P]."""
    first, second = weights.topk(2).indices
    return torch.where(targets == first, second, first)
