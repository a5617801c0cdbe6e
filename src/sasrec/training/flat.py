"""Flat weights: all small weights of a model combined in one tensor, for a faster optimiser step.

With thirty small tensors, an optimiser spends more time on its loop than on arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

SMALL_ELEMENTS = 2**20
"""Tensors with fewer elements are combined; for larger ones, copying gradients costs too much."""


class FlatWeights:
    """The weights of a model as the optimiser sees them during training.

    Attributes:
        groups: For each group, the tensors that the optimiser updates: one tensor of which the
            small weights are views, then the large weights.
    """

    def __init__(self, *groups: Sequence[nn.Parameter]) -> None:
        """Combine the small weights of each group in one tensor; their values do not change.

        Args:
            groups: Weights of a model, all of one device and type; groups may have different
                optimiser settings.
        """
        self._all = [weight for group in groups for weight in group]
        self._flat: list[tuple[nn.Parameter, list[nn.Parameter]]] = []
        self.groups: list[list[nn.Parameter]] = []
        for group in groups:
            small = [weight for weight in group if weight.numel() < SMALL_ELEMENTS]
            self.groups.append([weight for weight in group if weight.numel() >= SMALL_ELEMENTS])
            if small:
                flat = _combined(small)
                self._flat.append((flat, small))
                self.groups[-1].insert(0, flat)

    @property
    def weights(self) -> list[nn.Parameter]:
        """Everything the optimiser updates."""
        return [weight for group in self.groups for weight in group]

    def location_of(self, view: Tensor) -> tuple[int, int]:
        """Return where in ``weights`` the memory of a tensor lies.

        Args:
            view: A contiguous tensor that shares memory with one of ``weights``.

        Returns:
            The index in ``weights``, and the index of the element at which the tensor starts.

        Raises:
            ValueError: The tensor shares memory with none of them.
        """
        for index, weight in enumerate(self.weights):
            begin = (view.data_ptr() - weight.data_ptr()) // view.element_size()
            if 0 <= begin < weight.numel():
                return index, begin
        raise ValueError("the tensor shares no memory with the weights; give a weight of the model")

    def forget_gradients(self) -> None:
        """Delete the gradients of the last step."""
        for weight in self._all:
            weight.grad = None

    def gather_gradients(self) -> None:
        """Set the gradient of each flat tensor from its views; a missing gradient is zero."""
        for flat, small in self._flat:
            flat.grad = torch.cat([_gradient(weight) for weight in small])

    def release(self) -> None:
        """Give each small weight its own memory again."""
        for _, small in self._flat:
            for weight in small:
                weight.data = weight.detach().clone()


def _combined(weights: list[nn.Parameter]) -> nn.Parameter:
    """Return one tensor with the values of the weights, and make the weights views of it."""
    flat = nn.Parameter(torch.cat([weight.detach().flatten() for weight in weights]))
    sizes = [weight.numel() for weight in weights]
    for weight, part in zip(weights, torch.split(flat.detach(), sizes), strict=True):
        weight.data = part.view_as(weight)
    return flat


def _gradient(weight: nn.Parameter) -> Tensor:
    if weight.grad is None:
        return torch.zeros_like(weight).flatten()
    return weight.grad.flatten()
