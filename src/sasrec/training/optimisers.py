"""Optimisers by name."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from sasrec.settings import TrainingSettings


def make_optimiser(
    weights: Iterable[nn.Parameter], settings: TrainingSettings
) -> torch.optim.Optimizer:
    """Return the optimiser that the settings name, over some weights.

    Args:
        weights: All weights of a model.
        settings: Name, learning rate and weight decay.

    Returns:
        The optimiser.
    """
    name, rate, decay = settings.optimiser, settings.learning_rate, settings.weight_decay
    if name == "adamw":
        return torch.optim.AdamW(weights, lr=rate, weight_decay=decay, fused=True)
    if name == "sgd":
        return torch.optim.SGD(weights, lr=rate, weight_decay=decay, fused=True)
    if name == "adagrad":
        return torch.optim.Adagrad(weights, lr=rate, weight_decay=decay)
    if name == "rmsprop":
        return torch.optim.RMSprop(weights, lr=rate, weight_decay=decay)
    return torch.optim.Adam(weights, lr=rate, weight_decay=decay, fused=True)
