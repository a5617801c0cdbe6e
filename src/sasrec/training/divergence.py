"""Divergence: what to tell of losses that are no numbers, or far above those of random weights."""

from __future__ import annotations

import logging

import torch
from torch import Tensor, nn

logger = logging.getLogger(__name__)

REMEDIES = "try a smaller learning_rate, clip_norm=1, or precision=float32"
"""What to do about numbers that are none."""


def gone_wrong(model: nn.Module, losses: list[Tensor], *, epoch: int, rate: float) -> str:
    """Return what to tell of an epoch whose loss is no finite number.

    Args:
        model: As the last step left it, with its gradients.
        losses: Of the epoch's steps, scalars.
        epoch: From 1.
        rate: The learning rate.

    Returns:
        A text for people: the step, the rate, the largest gradients, or weights where no gradients
        are kept, and what to try.
    """
    values = torch.stack(losses).cpu()
    step = int(values.isfinite().logical_not().int().argmax())
    weights = dict(model.named_parameters())
    gradients = {name: w.grad for name, w in weights.items() if w.grad is not None}
    what = "gradients" if gradients else "weights"
    found = gradients or weights
    sizes = {name: float(each.detach().abs().max()) for name, each in found.items()}
    # NaN first, then by size.
    largest = sorted(sizes, key=lambda name: (sizes[name] == sizes[name], -sizes[name]))[:3]
    told = ", ".join(f"{name} {sizes[name]:.3g}" for name in largest)
    return (
        f"the loss of step {step + 1} of epoch {epoch} is {values[step]:.4g}, at a learning "
        f"rate of {rate:.3g}; largest {what}: {told}; {REMEDIES}"
    )


def warn_of_rise(mean: float, first: float, *, epoch: int, rate: float) -> bool:
    """Warn if an epoch's loss is far above that of random weights: training diverges.

    Args:
        mean: The epoch's mean loss.
        first: The loss before the first step.
        epoch: From 1.
        rate: The learning rate.

    Returns:
        Whether it is.
    """
    rises = mean > 2 * abs(first) + 1
    if rises:
        logger.warning(
            "the mean loss of epoch %d is %.4g, and of random weights it was %.4g: training "
            "diverges at a learning rate of %.3g; %s",
            *(epoch, mean, first, rate, REMEDIES),
        )
    return rises
