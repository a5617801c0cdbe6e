"""Random bits for dropout (``bits.c``): a 32nd of the memory that masks of numbers take."""

from __future__ import annotations

import torch
from torch import Tensor

from sasrec.kernels.library import call

BITS = 32
"""In a word."""


def random_bits(shape: tuple[int, ...], probability: float) -> Tensor:
    """Return words whose bits are 0 with a probability, from torch's default generator.

    Args:
        shape: Of the words.
        probability: 0 to below 1; exact to 1/65,536.

    Returns:
        int32 of that shape.
    """
    bits = torch.empty(shape, dtype=torch.int32)
    seed = int(torch.empty((), dtype=torch.int64).random_(-(2**63), None))
    threshold = min(round(probability * 2**16), 2**16 - 1)
    call("bits", bits, bits.numel(), threshold, seed)
    return bits


def spread(bits: Tensor) -> Tensor:
    """Return each bit as a number of its own, lowest first.

    Args:
        bits: int32 [..., W].

    Returns:
        int32 [..., 32 W], zeros and ones.
    """
    places = torch.arange(BITS, dtype=torch.int32)
    return (bits[..., None] >> places).bitwise_and_(1).flatten(-2)
