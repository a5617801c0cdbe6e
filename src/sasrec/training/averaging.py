"""Averaging: an exponential moving average of the weights, which is what gets used.

Single epochs of a small data set scatter; their average does not, so early stopping follows the
trend and not the noise (Polyak & Juditsky 1992; the form is that of Izmailov et al. 2018,
arXiv:1803.05407, with exponential weights).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """average = decay x average + (1 - decay) x weights, after every optimiser step.

    Early on the decay is (1 + step) / (10 + step) where that is smaller, so that the random
    initial weights are soon forgotten.

    Attributes:
        values: The average of each weight.
        decay: 0 follows the weights exactly, towards 1 remembers longer.
        steps: Updates so far.
    """

    def __init__(self, weights: Sequence[nn.Parameter], decay: float) -> None:
        """Begin with the weights as they are.

        Args:
            weights: What to follow.
            decay: 0 follows them exactly, towards 1 remembers longer.
        """
        self._weights: list[Tensor] = [weight.detach() for weight in weights]
        self.values = [weight.clone() for weight in self._weights]
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.values, self._weights, 1 - decay)

    @contextmanager
    @torch.no_grad()
    def applied(self) -> Iterator[None]:
        """Put the average in the place of the weights for a while.

        Yields:
            Nothing; the weights are back afterwards.
        """
        own = [weight.clone() for weight in self._weights]
        torch._foreach_copy_(self._weights, self.values)
        try:
            yield
        finally:
            torch._foreach_copy_(self._weights, own)
