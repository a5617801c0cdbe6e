"""Dropout whose masks come straight from random bits."""

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
"""Types to integers of the same width."""


class Dropout(nn.Module):
    """Zeroes each element with a probability and scales the others up, while training."""

    def __init__(self, probability: float) -> None:
        """Make the layer.

        Args:
            probability: Of zeroing, 0 to below 1.
        """
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        """Drop elements, or return the values as they are outside training.

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
        probability: 0 to below 1.

    Returns:
        [P, d].
    """
    if values.device.type != "cpu":
        return values * F.dropout(values.new_ones(len(values), 1), probability)
    return values * keep_mask(torch.Size((len(values), 1)), probability, values.dtype)


def keep_mask(shape: torch.Size, probability: float, dtype: torch.dtype) -> Tensor:
    """Return 0 with the given probability and 1 / (1 - probability) otherwise, on the CPU.

    Numbers are put together from random bits as integers, since comparing into booleans and
    turning these into floats takes ten times as long.

    Args:
        shape: Of the mask.
        probability: Of zero, 0 to below 1; exact to 1/65,536.
        dtype: Of the mask.

    Returns:
        The mask.
    """
    size, word = shape.numel(), WORDS[dtype]
    if probability == 0.5:
        return _halves(size, word).view(dtype).view(shape)
    # A word of 16 random bits, below the threshold with the given probability.
    kept = (
        _random_bits(size, torch.int16)
        .ge_(min(round(probability * 2**16), 2**16 - 1) - 2**15)
        .to(word)
    )
    scale = torch.tensor(1 / (1 - probability), dtype=dtype).view(word)
    return (kept * scale).view(dtype).view(shape)


def _halves(size: int, word: torch.dtype) -> Tensor:
    """Return integers that read as floats of the same width are 0 or 2, one as likely as the other.

    2 is a single bit in all these types, the second highest; so each random word serves as often
    as it can be shifted.
    """
    width = word.itemsize * 8
    shifts = torch.arange(width // 2, dtype=word)[:, None]
    words = _random_bits(-(-size // len(shifts)), word)
    return (words << shifts).bitwise_and_(1 << (width - 2)).view(-1)[:size]


def _random_bits(size: int, word: torch.dtype) -> Tensor:
    """Return integers of which every bit is random, from torch's default generator."""
    longs = torch.empty(-(-size * word.itemsize // 8), dtype=torch.int64)
    return longs.random_(-(2**63), None).view(word)[:size]
