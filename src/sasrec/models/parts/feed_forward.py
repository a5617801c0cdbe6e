"""Layers applied to each position separately: linear, feed-forward and normalisation layers."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sasrec.kernels import layers as kernel
from sasrec.models.parts.dropout import Dropout
from sasrec.settings.fields import Activation, Norm

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,  # the exact form with erf, as in RecBole
    "relu": F.relu,
    "swish": F.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


class Linear(nn.Linear):
    """A linear layer with an optional activation; it uses compiled code if that is faster."""

    def forward(
        self,
        input: Tensor,  # noqa: A002 - the name nn.Linear gives it
        activation: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Transform each position.

        Args:
            input: [P, d].
            activation: Function to apply to the result, or None.

        Returns:
            [P, e].
        """
        if kernel.supports_linear(input, self.weight, self.bias):
            if activation is F.gelu:
                return kernel.linear(input, self.weight, self.bias, gelu=True)
            result = kernel.linear(input, self.weight, self.bias)
        else:
            result = super().forward(input)
        return result if activation is None else activation(result)


class FeedForward(nn.Module):
    """Two linear layers with an activation in between, applied to each position separately."""

    def __init__(
        self, width: int, *, inner: int, activation: Activation, dropout: float = 0.0
    ) -> None:
        """Create the layers.

        Args:
            width: d.
            inner: Width between the two layers.
            activation: Name of the activation.
            dropout: Probability of dropping an element between the two layers.
        """
        super().__init__()
        self.up = Linear(width, inner)
        self.down = Linear(inner, width)
        self.activation = ACTIVATIONS[activation]
        self.dropout = Dropout(dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        """Transform each position.

        Args:
            hidden: [P, d].

        Returns:
            [P, d].
        """
        result: Tensor = self.down(self.dropout(self.up(hidden, self.activation)))
        return result


class SwiGLU(nn.Module):
    """A feed-forward layer with a gated hidden layer (Shazeer 2020, arXiv:2002.05202, section 2).

    down(swish(gate(x)) * up(x)); ``gate`` and ``up`` are computed in one product.
    """

    def __init__(self, width: int, *, inner: int) -> None:
        """Create the layers.

        Args:
            width: d.
            inner: Width between the layers. For the same ``inner``, they hold 1.5 times as many
                weights as a ``FeedForward``.
        """
        super().__init__()
        self.gate_and_up = Linear(width, 2 * inner)
        self.down = Linear(inner, width)

    def forward(self, hidden: Tensor) -> Tensor:
        """Transform each position.

        Args:
            hidden: [P, d].

        Returns:
            [P, d].
        """
        gate, up = self.gate_and_up(hidden).chunk(2, dim=-1)
        result: Tensor = self.down(F.silu(gate) * up)
        return result


def make_norm(kind: Norm, width: int, eps: float) -> nn.Module:
    """Return a normalisation over the last dimension.

    Args:
        kind: ``layer`` (Ba et al. 2016, arXiv:1607.06450) or ``rms``, which neither centres nor
            shifts (Zhang & Sennrich 2019, arXiv:1910.07467).
        width: d.
        eps: Number added to the variance, or to the mean square.

    Returns:
        The module.
    """
    return LayerNorm(width, eps=eps) if kind == "layer" else RMSNorm(width, eps=eps)


class LayerNorm(nn.LayerNorm):
    """Layer normalisation; it uses compiled code if that is faster."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name nn.LayerNorm gives it
        """Normalise each row.

        Args:
            input: [..., d].

        Returns:
            The same shape.
        """
        if kernel.supports_sum(input, norm=self):
            return kernel.normalised(input, self)
        return super().forward(input)


class RMSNorm(nn.RMSNorm):
    """Normalisation by the root mean square, in the type of its input."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each row.

        Args:
            x: [..., d]; inside autocast, it has a narrower type than the weights.

        Returns:
            The same shape and type.
        """
        weight = self.weight.to(x.dtype)  # PyTorch is slow and warns if the types differ
        return F.rms_norm(x, self.normalized_shape, weight, self.eps)
