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
        groups: For each group one tensor that its small weights are views of, then its large
            ones; what an optimiser updates.
    """

    def __init__(self, *groups: Sequence[nn.Parameter]) -> None:
        """Lay the small weights of each group out one after the other, without changing a value.

        Args:
            groups: Weights of a model, on one device and of one type; each group may be updated
                by other rules.
        """
        self._all = [weight for group in groups for weight in group]
        self._flat: list[tuple[nn.Parameter, list[nn.Parameter]]] = []
        self.groups: list[list[nn.Parameter]] = []
        for group in groups:
            small = [weight for weight in group if weight.numel() < SMALL]
            self.groups.append([weight for weight in group if weight.numel() >= SMALL])
            if small:
                flat = _laid_out(small)
                self._flat.append((flat, small))
                self.groups[-1].insert(0, flat)

    @property
    def weights(self) -> list[nn.Parameter]:
        """Everything an optimiser updates."""
        return [weight for group in self.groups for weight in group]

    def location_of(self, view: Tensor) -> tuple[int, int]:
        """Return in which of ``weights`` a tensor lies that shares a weight's memory.

        Args:
            view: Contiguous.

        Returns:
            Its place in ``weights``, and the element it begins at.

        Raises:
            ValueError: It lies in none.
        """
        for which, weight in enumerate(self.weights):
            begin = (view.data_ptr() - weight.data_ptr()) // view.element_size()
            if 0 <= begin < weight.numel():
                return which, begin
        raise ValueError("the tensor has memory of its own; give a weight of the model")

    def forget_gradients(self) -> None:
        """Drop the gradients of the last step."""
        for weight in self._all:
            weight.grad = None

    def gather_gradients(self) -> None:
        """Give each flat tensor the gradients of its parts; a part without one has zero."""
        for flat, small in self._flat:
            flat.grad = torch.cat([_gradient(weight) for weight in small])

    def release(self) -> None:
        """Give each weight memory of its own again."""
        for _, small in self._flat:
            for weight in small:
                weight.data = weight.detach().clone()


def _laid_out(weights: list[nn.Parameter]) -> nn.Parameter:
    """Return one tensor that the weights have become views of."""
    flat = nn.Parameter(torch.cat([weight.detach().flatten() for weight in weights]))
    sizes = [weight.numel() for weight in weights]
    for weight, part in zip(weights, torch.split(flat.detach(), sizes), strict=True):
        weight.data = part.view_as(weight)
    return flat


def _gradient(weight: nn.Parameter) -> Tensor:
    if weight.grad is None:
        return torch.zeros_like(weight).flatten()
    return weight.grad.flatten()
