"""Flat weights: all small weights of a model in one piece of memory, so that a step is one call.

An optimiser spends more time on going through thirty small tensors than on their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

SMALL = 2**20
"""Elements; gathering the gradient of a larger tensor would cost more than it saves."""


class FlatWeights:
    """Stands in for the weights of a model while it is trained.

    Attributes:
        weights: One tensor that all small weights are views of, then the large ones; what an
            optimiser updates.
    """

    def __init__(self, weights: Sequence[nn.Parameter]) -> None:
        """Lay the small weights out one after the other, without changing a value.

        Args:
            weights: Of a model, on one device and of one type.
        """
        self._all = list(weights)
        self._small = [weight for weight in self._all if weight.numel() < SMALL]
        self.weights = [weight for weight in self._all if weight.numel() >= SMALL]
        if self._small:
            flat = nn.Parameter(torch.cat([weight.detach().flatten() for weight in self._small]))
            self.weights.insert(0, flat)
            sizes = [weight.numel() for weight in self._small]
            for weight, part in zip(self._small, torch.split(flat.detach(), sizes), strict=True):
                weight.data = part.view_as(weight)

    def forget_gradients(self) -> None:
        """Drop the gradients of the last step."""
        for weight in self._all:
            weight.grad = None

    def gather_gradients(self) -> None:
        """Give the flat tensor the gradients of its parts; a part without one has zero."""
        if self._small:
            self.weights[0].grad = torch.cat([_gradient(weight) for weight in self._small])

    def release(self) -> None:
        """Give each weight memory of its own again."""
        for weight in self._small:
            weight.data = weight.detach().clone()


def _gradient(weight: nn.Parameter) -> Tensor:
    if weight.grad is None:
        return torch.zeros_like(weight).flatten()
    return weight.grad.flatten()
