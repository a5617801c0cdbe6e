"""Optimisers by name, which weights decay, and how the learning rate goes."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from sasrec.settings.training import TrainingSettings


def decay_groups(
    model: nn.Module, *, matrices_only: bool
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the weights that decay, and those that do not.

    Args:
        model: Any.
        matrices_only: Let the matrices of linear layers decay only; otherwise all does.

    Returns:
        Two groups that hold every weight once, each in the order of the model.
    """
    if not matrices_only:
        return list(model.parameters()), []
    matrices = {id(part.weight) for part in model.modules() if isinstance(part, nn.Linear)}
    decaying = [weight for weight in model.parameters() if id(weight) in matrices]
    return decaying, [weight for weight in model.parameters() if id(weight) not in matrices]


def make_optimiser(
    weights: Iterable[nn.Parameter],
    settings: TrainingSettings,
    undecayed: Iterable[nn.Parameter] = (),
) -> torch.optim.Optimizer:
    """Return the optimiser that the settings name, over some weights.

    Args:
        weights: Weights that decay.
        settings: Name, learning rate and weight decay.
        undecayed: Weights that do not.

    Returns:
        The optimiser.
    """
    name, rate, decay = settings.optimiser, settings.learning_rate, settings.weight_decay
    groups = [
        {"params": list(weights), "weight_decay": decay},
        {"params": list(undecayed), "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    betas = (0.9, settings.adam_beta2)
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=rate, betas=betas, fused=True)
    if name == "sgd":
        return torch.optim.SGD(groups, lr=rate, fused=True)
    if name == "adagrad":
        return torch.optim.Adagrad(groups, lr=rate)
    if name == "rmsprop":
        return torch.optim.RMSprop(groups, lr=rate)
    return torch.optim.Adam(groups, lr=rate, betas=betas, fused=True)


def make_schedule(
    optimiser: torch.optim.Optimizer, settings: TrainingSettings, *, total_steps: int
) -> LambdaLR | None:
    """Return how the learning rate goes, to be stepped after each optimiser step.

    Args:
        optimiser: Whose rate changes.
        settings: Warm-up and schedule.
        total_steps: Steps of all epochs, at least 1.

    Returns:
        The schedule, or None if the rate stays as it is.
    """
    if settings.schedule == "constant" and not settings.warmup_steps:
        return None
    warmup, falls = settings.warmup_steps, settings.schedule == "cosine"

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        if not falls:
            return 1.0
        done = min(1.0, (step - warmup) / max(total_steps - warmup, 1))
        return 0.5 * (1 + math.cos(math.pi * done))

    return LambdaLR(optimiser, factor)
