"""Random bits for dropout (``bits.c``), which take 1/32 of the memory of float32 masks."""

from __future__ import annotations

import torch
from torch import Tensor

from sasrec.kernels.library import call

BITS = 32
"""Number of bits in a word."""


def random_bits(shape: tuple[int, ...], probability: float) -> Tensor:
    """Return words whose bits are 0 with a given probability, from PyTorch's default generator.

    Args:
        shape: Shape of the result.
        probability: Probability of 0, from 0 to less than 1; accurate to 1/65,536.

    Returns:
        int32 of that shape.
    """
    bits = torch.empty(shape, dtype=torch.int32)
    seed = int(torch.empty((), dtype=torch.int64).random_(-(2**63), None))
    threshold = min(round(probability * 2**16), 2**16 - 1)
    call("bits", bits, bits.numel(), threshold, seed)
    return bits


def unpacked_bits(bits: Tensor) -> Tensor:
    """Return each bit as a separate number, lowest bit first.

    Args:
        bits: int32 [..., W].

    Returns:
        int32 [..., 32 W], zeros and ones.
    """
    shifts = torch.arange(BITS, dtype=torch.int32)
    return (bits[..., None] >> shifts).bitwise_and_(1).flatten(-2)
