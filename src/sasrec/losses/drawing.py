"""Draw the negatives of each batch, with the expected number of times each one is drawn."""

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
    """Negatives and their expected counts.

    Attributes:
        items: int64 [P, K], drawn for each target, or [K], one set shared by all targets.
        log_expected: Logarithm of the expected number of times that each one is drawn; either of
            the shape of ``items`` or one number.
    """

    items: Tensor
    log_expected: Tensor | float


Draw = Callable[[Tensor, int], Negatives]
"""Maps targets [P] and the number of negatives K to the negatives."""


def negatives_generator(settings: TrainingSettings, device: torch.device) -> torch.Generator:
    """Return the random number generator for negatives; each process has a different seed.

    Args:
        settings: Training settings, which hold the seed.
        device: The device that draws negatives.

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
    """Return a function that draws negatives.

    Args:
        settings: Training settings: the distribution, and whether a batch shares its negatives.
        counts: int64 [V], training events of each item.
        device: The device that draws negatives.
        generator: Random number generator on that device.

    Returns:
        The function.
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
