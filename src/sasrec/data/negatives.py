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
