"""Negatives: items that did not follow, to set a target against."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(targets: Tensor, *, n_items: int, count: int, generator: torch.Generator) -> Tensor:
    """Return items drawn evenly from the catalogue, never the target itself.

    Args:
        targets: int64 [P], item numbers from 1; 0 where the position is not supervised.
        n_items: Size of the catalogue, at least 2, padding not counted.
        count: Negatives a position, K.
        generator: Source of the draws, on the device of ``targets``.

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

    The target is skipped exactly, not by drawing again: a draw falls on the line of all weights
    with the target's piece cut out.

    Args:
        targets: int64 [P], item numbers from 1.
        weights: float64 [V], not negative, 0 for padding; at least two items have some.
        count: Negatives a position, K.
        generator: Source of the draws, on the device of ``targets``.

    Returns:
        int64 [P, K], item numbers from 1.
    """
    ends = weights.cumsum(0)
    own = weights[targets][:, None]  # [P, 1]
    shape = (len(targets), count)
    chance = torch.rand(shape, generator=generator, device=targets.device, dtype=ends.dtype)
    place = chance * (ends[-1] - own)
    before = (ends[targets][:, None] - own).expand(shape)
    place = place + own * (place >= before)
    last = int(weights.nonzero()[-1])
    drawn = torch.searchsorted(ends, place, right=True).clamp(max=last)
    # Rounding may land on the target's very edge; the neighbour takes it.
    return torch.where(drawn == targets[:, None], _other(targets, weights)[:, None], drawn)


def uniform_outside(
    owners: Tensor, excluded: Tensor, *, cases: int, n_items: int, count: int, seed: int
) -> Tensor:
    """Return items drawn evenly, with repetition, from those that a case does not exclude.

    Nothing is drawn again: a draw is a place among the items left, and the excluded ones before it
    are counted in.

    Args:
        owners: int64 [N], case of each excluded item, from 0.
        excluded: int64 [N], item numbers from 1; may repeat.
        cases: M.
        n_items: Size of the catalogue, padding not counted; each case must leave one item.
        count: Draws a case, K.
        seed: Of the draws.

    Returns:
        int64 [M, K], item numbers from 1.
    """
    width = n_items + 1
    pairs = torch.unique(owners * width + excluded)  # rising
    own, items = pairs // width, pairs % width
    taken = torch.bincount(own, minlength=cases)
    begins = taken.cumsum(0) - taken
    # How many items that are left stand before each excluded one.
    before = items - 1 - (torch.arange(len(pairs)) - begins[own])
    generator = torch.Generator().manual_seed(seed)
    chance = torch.rand(cases, count, generator=generator, dtype=torch.float64)
    left = (n_items - taken)[:, None]
    place = (chance * left).long().minimum(left - 1)
    rows = torch.arange(cases)[:, None] * width
    passed = torch.searchsorted(own * width + before, rows + place, right=True) - begins[:, None]
    return place + passed + 1


def shared_uniform(
    *, n_items: int, count: int, generator: torch.Generator, device: torch.device
) -> Tensor:
    """Return one set of items drawn evenly from the catalogue, for all positions of a batch.

    Args:
        n_items: Size of the catalogue, padding not counted.
        count: Draws, K; an item may be drawn twice.
        generator: Source of the draws, on the device.
        device: Where to.

    Returns:
        int64 [K], item numbers from 1.
    """
    return torch.randint(1, n_items + 1, (count,), generator=generator, device=device)


def shared_popularity(*, weights: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return one set of items drawn in proportion to weights, for all positions of a batch.

    Args:
        weights: float64 [V], not negative, 0 for padding; at least one item has some.
        count: Draws, K; an item may be drawn twice.
        generator: Source of the draws, on the device of ``weights``.

    Returns:
        int64 [K], item numbers from 1.
    """
    ends = weights.cumsum(0)
    chance = torch.rand(count, generator=generator, device=weights.device, dtype=ends.dtype)
    last = int(weights.nonzero()[-1])
    return torch.searchsorted(ends, chance * ends[-1], right=True).clamp(max=last)


def _other(targets: Tensor, weights: Tensor) -> Tensor:
    """Return for each target an item with weight that is not the target, int64 [P]."""
    first, second = weights.topk(2).indices
    return torch.where(targets == first, second, first)
