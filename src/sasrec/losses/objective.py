"""Build the objective of a run, which is the function that training minimises."""

from __future__ import annotations

import numpy as np
import torch

from sasrec.losses.contract import Loss, Objective
from sasrec.losses.drawing import negatives_generator
from sasrec.settings.attribution import attributed
from sasrec.settings.registry import LOSSES
from sasrec.settings.training import TrainingSettings


def training_loss(
    settings: TrainingSettings,
    *,
    counts: np.ndarray,
    device: torch.device,
    generator: torch.Generator | None = None,
) -> Objective:
    """Return the loss that a run minimises; it draws negatives if the loss needs them.

    Args:
        settings: Training settings: name of the loss, how negatives are drawn, and the seed.
        counts: int64 [V], training events of each item.
        device: The device that draws negatives.
        generator: Random number generator for negatives; None creates one from the seed.

    Returns:
        A function from states, targets and item table (or scorer) to a scalar.

    Raises:
        SettingsError: The loss cannot be used with these data, or is a plug-in whose ``build``
            fails.
    """  # raised by loss.objective and attributed
    loss: Loss = LOSSES[settings.loss]
    source = negatives_generator(settings, device) if generator is None else generator
    with attributed(LOSSES, settings.loss, "cannot be built"):
        return loss.objective(settings, counts=counts, device=device, generator=source)
