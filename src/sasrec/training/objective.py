"""Objective: the loss a run lowers, put together from its settings, with negatives where needed."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.negatives import popularity, shared_popularity, shared_uniform, uniform
from sasrec.errors import SettingsError
from sasrec.losses.full import smoothed
from sasrec.losses.sampled import gbce_beta, hardest
from sasrec.settings.registry import LOSSES
from sasrec.settings.training import TrainingSettings
from sasrec.system.processes import my_place
from sasrec.training.pairs import PairLoss
from sasrec.training.trainer import Loss

Draw = Callable[[Tensor, int], tuple[Tensor, Tensor | float]]
"""From targets [P] and a count K to negatives, [P, K] or [K], and the logarithm of how often each
is expected among them, of the same shape or a number."""


def negatives_generator(settings: TrainingSettings, device: torch.device) -> torch.Generator:
    """Return the source of a run's negatives; each process has random numbers of its own.

    Args:
        settings: The seed.
        device: Where negatives are drawn.

    Returns:
        The generator.
    """
    return torch.Generator(device).manual_seed(settings.seed + my_place().rank)


def training_loss(
    settings: TrainingSettings,
    *,
    counts: np.ndarray,
    device: torch.device,
    generator: torch.Generator | None = None,
) -> Loss:
    """Return the loss a run lowers, with negatives drawn where it needs them.

    Args:
        settings: The loss by name, how negatives are drawn, and the seed.
        counts: int64 [V], training events of each item.
        device: Where negatives are drawn.
        generator: Their source; None makes one of the seed.

    Returns:
        From states, targets and item table (or scorer) to a scalar.

    Raises:
        SettingsError: The loss needs a second item and there is none.
    """
    loss: Callable[..., Tensor] = LOSSES[settings.loss]
    if settings.loss == "CE":
        return _over_all(loss, settings.label_smoothing)
    if (counts[1:] > 0).sum() < 2:
        raise SettingsError(
            f"loss {settings.loss} needs at least two items to draw a negative from"
        )
    if settings.loss == "gBCE":
        beta = gbce_beta(
            negatives=settings.negative_count,
            n_items=len(counts) - 1,
            calibration=settings.gbce_calibration,
        )
        loss = partial(loss, beta=beta)
    if settings.loss == "BPRmax":
        loss = partial(loss, penalty=settings.score_penalty)
    source = negatives_generator(settings, device) if generator is None else generator
    draw = negative_sampler(settings, counts=counts, device=device, generator=source)
    count, candidates = settings.negative_count, settings.negative_candidates

    if settings.loss == "BPR" and count == 1 and not candidates and not _are_shared(settings):
        return _of_pairs(loss, draw)

    def against_negatives(hidden: Tensor, targets: Tensor, table: Any) -> Tensor:
        negatives, log_expected = draw(targets, count * max(candidates, 1))
        if candidates:
            sets = negatives.view(-1, count, candidates)
            chosen = hardest(hidden, table, sets)
            negatives = sets.gather(2, chosen)[:, :, 0]
            if isinstance(log_expected, Tensor):
                log_expected = log_expected.view(sets.shape).gather(2, chosen)[:, :, 0]
        if settings.loss == "SSM" and settings.correct_sampling:
            return loss(hidden, targets, table, negatives, log_expected=log_expected)
        return loss(hidden, targets, table, negatives)

    return against_negatives


def _of_pairs(loss: Callable[..., Tensor], draw: Draw) -> PairLoss:
    def drawn(targets: Tensor) -> Tensor:
        return draw(targets, 1)[0]

    return PairLoss(
        lambda hidden, targets, table: loss(hidden, targets, table, drawn(targets)),
        lambda targets: drawn(targets)[:, 0],
    )


def _are_shared(settings: TrainingSettings) -> bool:
    return settings.shared_negatives or settings.negatives == "in_batch"


def _over_all(loss: Callable[..., Tensor], share: float) -> Loss:
    def whole(hidden: Tensor, targets: Tensor, table: Any) -> Tensor:
        if not isinstance(table, Tensor):
            raise SettingsError(
                "the scores of this model are no products with item vectors, which loss CE needs; "
                "choose BPR, BCE, gBCE or SSM"
            )
        plain = loss(hidden, targets, table)
        return smoothed(plain, hidden, targets, table, share) if share else plain

    return whole


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
    alpha = 1.0 if settings.negatives == "in_batch" else settings.negative_alpha
    weights = torch.from_numpy(counts).double().to(device) ** alpha
    weights[0] = 0
    total = weights.sum()

    def in_batch(targets: Tensor, count: int) -> tuple[Tensor, Tensor | float]:
        return targets, (weights[targets] / total * len(targets)).log().float()

    def shared_evenly(targets: Tensor, count: int) -> tuple[Tensor, Tensor | float]:
        drawn = shared_uniform(n_items=n_items, count=count, generator=generator, device=device)
        return drawn, math.log(count / n_items)

    def shared_by_popularity(targets: Tensor, count: int) -> tuple[Tensor, Tensor | float]:
        drawn = shared_popularity(weights=weights, count=count, generator=generator)
        return drawn, (weights[drawn] / total * count).log().float()

    def own_evenly(targets: Tensor, count: int) -> tuple[Tensor, Tensor | float]:
        drawn = uniform(targets, n_items=n_items, count=count, generator=generator)
        return drawn, math.log(count / (n_items - 1))

    def own_by_popularity(targets: Tensor, count: int) -> tuple[Tensor, Tensor | float]:
        drawn = popularity(targets, weights=weights, count=count, generator=generator)
        others = (total - weights[targets])[:, None]
        return drawn, (weights[drawn] / others * count).log().float()

    if settings.negatives == "in_batch":
        return in_batch
    if settings.negatives == "popularity":
        return shared_by_popularity if settings.shared_negatives else own_by_popularity
    return shared_evenly if settings.shared_negatives else own_evenly
