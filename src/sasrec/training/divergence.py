"""Messages about losses that are NaN, infinite, or far above the initial loss."""

from __future__ import annotations

import logging

import torch
from torch import Tensor, nn

logger = logging.getLogger(__name__)

REMEDIES = "try a smaller learning_rate, clip_norm=1, or precision=float32"
"""Advice for losses or weights that are NaN or infinite."""


def bad_loss_message(model: nn.Module, losses: list[Tensor], *, epoch: int, rate: float) -> str:
    """Return the error text for an epoch whose loss is NaN or infinite.

    Args:
        model: The model after the last step, with its gradients.
        losses: Loss of each step of the epoch, scalars.
        epoch: Number of the epoch, from 1.
        rate: The learning rate.

    Returns:
        A text with the step, the learning rate, the largest gradients (or the largest weights, if
        the model stores no gradients), and what to try.
    """
    values = torch.stack(losses).cpu()
    step = int(values.isfinite().logical_not().int().argmax())
    weights = dict(model.named_parameters())
    gradients = {name: w.grad for name, w in weights.items() if w.grad is not None}
    what = "gradients" if gradients else "weights"
    found = gradients or weights
    sizes = {name: float(each.detach().abs().max()) for name, each in found.items()}
    # NaN first, then in descending order.
    largest = sorted(sizes, key=lambda name: (sizes[name] == sizes[name], -sizes[name]))[:3]
    examples = ", ".join(f"{name} {sizes[name]:.3g}" for name in largest)
    return (
        f"the loss of step {step + 1} of epoch {epoch} is {values[step]:.4g}, at a learning "
        f"rate of {rate:.3g}; largest {what}: {examples}; {REMEDIES}"
    )


def warn_if_diverging(mean: float, first: float, *, epoch: int, rate: float) -> bool:
    """Warn if an epoch's loss is far above the initial loss, which means that training diverges.

    Args:
        mean: Mean loss of the epoch.
        first: Loss before the first step, with random weights.
        epoch: Number of the epoch, from 1.
        rate: The learning rate.

    Returns:
        Whether there was a warning.
    """
    is_diverging = mean > 2 * abs(first) + 1
    if is_diverging:
        logger.warning(
            "the mean loss of epoch %d is %.4g, and with random weights it was %.4g: training "
            "diverges at a learning rate of %.3g; %s",
            *(epoch, mean, first, rate, REMEDIES),
        )
    return is_diverging
