"""An exponential moving average of the weights, which is validated and saved.

On small data sets, the validation score varies from epoch to epoch. That of the averaged weights
varies less, so early stopping follows the trend and not the noise (Polyak & Juditsky 1992; in the
form of Izmailov et al. 2018, arXiv:1803.05407, with exponential weights).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """average = decay x average + (1 - decay) x weights, after each optimiser step.

    In the first steps the decay is (1 + step) / (10 + step), if that is smaller, so that the random
    initial weights soon have little influence.

    Attributes:
        values: The average of each weight.
        decay: 0 makes the average equal to the weights; values near 1 average over more steps.
        steps: Number of updates so far.
    """

    def __init__(self, weights: Sequence[nn.Parameter], decay: float) -> None:
        """Start with the current weights.

        Args:
            weights: The weights to average.
            decay: 0 makes the average equal to the weights; values near 1 average over more steps.
        """
        self._weights: list[Tensor] = [weight.detach() for weight in weights]
        self.values = [weight.clone() for weight in self._weights]
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Add the weights after an optimiser step."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.values, self._weights, 1 - decay)

    @contextmanager
    @torch.no_grad()
    def applied(self) -> Iterator[None]:
        """Replace the weights by the average inside a ``with`` block.

        Yields:
            Nothing; the weights are restored afterwards.
        """
        own = [weight.clone() for weight in self._weights]
        torch._foreach_copy_(self._weights, self.values)
        try:
            yield
        finally:
            torch._foreach_copy_(self._weights, own)
