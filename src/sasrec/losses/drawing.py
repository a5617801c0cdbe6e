"""Drawing: the negatives of each batch, and how often each of them was to be expected."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.negatives import popularity, shared_popularity, shared_uniform, uniform
from sasrec.settings.training import TrainingSettings
from sasrec.system.processes import process_info


class Negatives(NamedTuple):
    """What targets are set against.

    Attributes:
        items: int64 [P, K], drawn for each target, or [K], one set shared by all.
        log_expected: Logarithm of how often each is expected to be drawn, of the same shape or a
            number.
    """

    items: Tensor
    log_expected: Tensor | float


Draw = Callable[[Tensor, int], Negatives]
"""From targets [P] and a count K to their negatives."""


def negatives_generator(settings: TrainingSettings, device: torch.device) -> torch.Generator:
    """Return the source of a run's negatives; each process has random numbers of its own.

    Args:
        settings: The seed.
        device: Where negatives are drawn.

    Returns:
        The generator.
    """
    return torch.Generator(device).manual_seed(settings.seed + process_info().rank)


def negative_sampler(
    settings: TrainingSettings,
    *,
    counts: np.ndarray,
    device: torch.device,
    generator: torch.Generator,
) -> Draw:
    """Return how negatives are drawn.

    Args:
        settings: The distribution, and whether a batch shares its negatives.
        counts: int64 [V], training events of each item.
        device: Where to draw.
        generator: Source of the draws, there.

    Returns:
        The sampler.
    """
    n_items = len(counts) - 1
    alpha = 1.0 if settings.sampler == "in_batch" else settings.negative_alpha
    weights = torch.from_numpy(counts).double().to(device) ** alpha
    weights[0] = 0
    total = weights.sum()

    def in_batch(targets: Tensor, count: int) -> Negatives:
        return Negatives(targets, (weights[targets] / total * len(targets)).log().float())

    def shared_evenly(targets: Tensor, count: int) -> Negatives:
        drawn = shared_uniform(n_items=n_items, count=count, generator=generator, device=device)
        return Negatives(drawn, math.log(count / n_items))

    def shared_by_popularity(targets: Tensor, count: int) -> Negatives:
        drawn = shared_popularity(weights=weights, count=count, generator=generator)
        return Negatives(drawn, (weights[drawn] / total * count).log().float())

    def own_evenly(targets: Tensor, count: int) -> Negatives:
        drawn = uniform(targets, n_items=n_items, count=count, generator=generator)
        return Negatives(drawn, math.log(count / (n_items - 1)))

    def own_by_popularity(targets: Tensor, count: int) -> Negatives:
        drawn = popularity(targets, weights=weights, count=count, generator=generator)
        others = (total - weights[targets])[:, None]
        return Negatives(drawn, (weights[drawn] / others * count).log().float())

    if settings.sampler == "in_batch":
        return in_batch
    if settings.sampler == "popularity":
        return shared_by_popularity if settings.shared_negatives else own_by_popularity
    return shared_evenly if settings.shared_negatives else own_evenly
