"""Optimisers by name, weight decay, and learning rate schedules."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from sasrec.settings.training import TrainingSettings


def decay_groups(
    model: nn.Module, settings: TrainingSettings
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the weights with weight decay, and those without.

    Args:
        model: Any model.
        settings: ``decay_matrices_only`` limits weight decay to the matrices of linear layers.

    Returns:
        Two groups that together contain each weight once, in the order of the model.
    """
    if not settings.decay_matrices_only:
        return list(model.parameters()), []
    matrices = {id(part.weight) for part in model.modules() if isinstance(part, nn.Linear)}
    decaying = [weight for weight in model.parameters() if id(weight) in matrices]
    return decaying, [weight for weight in model.parameters() if id(weight) not in matrices]


def make_optimiser(
    weights: Iterable[nn.Parameter],
    settings: TrainingSettings,
    undecayed: Iterable[nn.Parameter] = (),
) -> torch.optim.Optimizer:
    """Return the optimiser that the settings name.

    Args:
        weights: Weights with weight decay.
        settings: Optimiser, learning rate and weight decay.
        undecayed: Weights without weight decay.

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
    """Return the learning rate schedule; its ``step`` is called after each optimiser step.

    Args:
        optimiser: The optimiser.
        settings: Warm-up steps and schedule.
        total_steps: Steps of all epochs together, at least 1.

    Returns:
        The schedule, or None if the learning rate is constant.
    """
    if settings.schedule == "constant" and not settings.warmup_steps:
        return None
    warmup, has_decay = settings.warmup_steps, settings.schedule == "cosine"

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        if not has_decay:
            return 1.0
        done = min(1.0, (step - warmup) / max(total_steps - warmup, 1))
        return 0.5 * (1 + math.cos(math.pi * done))

    return LambdaLR(optimiser, factor)
