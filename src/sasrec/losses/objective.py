"""The objective of a run: what it lowers, as its settings say."""

from __future__ import annotations

import numpy as np
import torch

from sasrec.losses.contract import Loss, Objective
from sasrec.losses.drawing import negatives_generator
from sasrec.settings.registry import LOSSES
from sasrec.settings.training import TrainingSettings


def training_loss(
    settings: TrainingSettings,
    *,
    counts: np.ndarray,
    device: torch.device,
    generator: torch.Generator | None = None,
) -> Objective:
    """Return the loss a run lowers, with negatives drawn where it needs them.

    Args:
        settings: The loss by name, how negatives are drawn, and the seed.
        counts: int64 [V], training events of each item.
        device: Where negatives are drawn.
        generator: Their source; None makes one of the seed.

    Returns:
        From states, targets and item table (or scorer) to a scalar.

    Raises:
        SettingsError: The loss cannot be used with these data.
    """  # by the loss
    loss: Loss = LOSSES[settings.loss]
    source = negatives_generator(settings, device) if generator is None else generator
    return loss.objective(settings, counts=counts, device=device, generator=source)
