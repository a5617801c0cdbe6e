"""Dropout with masks that are computed directly from random bits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WORDS = {
    torch.bfloat16: torch.int16,
    torch.float16: torch.int16,
    torch.float32: torch.int32,
    torch.float64: torch.int64,
}
"""Integer type of the same width for each floating-point type."""


class Dropout(nn.Module):
    """In training, zeroes each element with a probability and scales the others up."""

    def __init__(self, probability: float) -> None:
        """Create the layer.

        Args:
            probability: Probability of zeroing an element, from 0 to less than 1.
        """
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        """Drop elements in training; outside training, return the values unchanged.

        Args:
            values: Any shape.

        Returns:
            The same shape.
        """
        if not self.training or self.probability == 0:
            return values
        if values.device.type != "cpu":
            return F.dropout(values, self.probability)
        return values * keep_mask(values.shape, self.probability, values.dtype)


def drop_rows(values: Tensor, probability: float) -> Tensor:
    """Zero whole rows with a probability and scale the others up.

    Args:
        values: [P, d].
        probability: Probability of zeroing a row, from 0 to less than 1.

    Returns:
        [P, d].
    """
    if values.device.type != "cpu":
        return values * F.dropout(values.new_ones(len(values), 1), probability)
    return values * keep_mask(torch.Size((len(values), 1)), probability, values.dtype)


def keep_mask(shape: torch.Size, probability: float, dtype: torch.dtype) -> Tensor:
    """Return a random mask on the CPU: 0 with the given probability, else 1 / (1 - probability).

    The floating-point numbers are assembled from random bits with integer operations. Comparing
    random numbers and converting the booleans takes ten times as long.

    Args:
        shape: Shape of the mask.
        probability: Probability of 0, from 0 to less than 1; accurate to 1/65,536.
        dtype: Type of the mask.

    Returns:
        The mask.
    """
    size, word = shape.numel(), WORDS[dtype]
    if probability == 0.5:
        return _zeros_or_twos(size, word).view(dtype).view(shape)
    # 16 random bits are below the threshold with the given probability.
    kept = (
        _random_bits(size, torch.int16)
        .ge_(min(round(probability * 2**16), 2**16 - 1) - 2**15)
        .to(word)
    )
    scale = torch.tensor(1 / (1 - probability), dtype=dtype).view(word)
    return (kept * scale).view(dtype).view(shape)


def _zeros_or_twos(size: int, word: torch.dtype) -> Tensor:
    """Return integers that, read as floats of the same width, are 0 or 2 with probability 1/2.

    In all these types, 2 is represented by a single bit, the second highest. So one random word
    yields several values by shifting it.
    """
    width = word.itemsize * 8
    shifts = torch.arange(width // 2, dtype=word)[:, None]
    words = _random_bits(-(-size // len(shifts)), word)
    return (words << shifts).bitwise_and_(1 << (width - 2)).view(-1)[:size]


def _random_bits(size: int, word: torch.dtype) -> Tensor:
    """Return integers with random bits, from PyTorch's default generator."""
    longs = torch.empty(-(-size * word.itemsize // 8), dtype=torch.int64)
    return longs.random_(-(2**63), None).view(word)[:size]
