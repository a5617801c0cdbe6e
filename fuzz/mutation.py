"""Mutates valid inputs, so that they become almost valid."""

from __future__ import annotations

import random
from collections.abc import Sequence

LONGEST = 1 << 16
"""Maximum size of an input, in bytes."""


def mutated(chance: random.Random, pool: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """Return a copy of one of the inputs with one to eight random changes.

    Args:
        chance: Source of random numbers.
        pool: Inputs to choose from.
        words: Byte strings to insert, besides random bytes.

    Returns:
        The mutated input.
    """
    data = bytearray(chance.choice(pool))
    for _ in range(chance.choice((1, 1, 2, 3, 5, 8))):
        begin = chance.randrange(len(data) + 1)
        end = min(len(data), begin + int(chance.expovariate(0.1)))
        kind = chance.randrange(7)
        if kind == 0:
            data[begin:end] = b""
        elif kind == 1:
            data[begin:begin] = data[begin:end] * chance.choice((1, 2, 30))
        elif kind == 2 and words:
            data[begin : chance.choice((begin, end))] = chance.choice(words)
        elif kind == 3:
            data[begin:end] = chance.randbytes(end - begin)
        elif kind == 4 and begin < len(data):
            data[begin] ^= 1 << chance.randrange(8)
        elif kind == 5:
            other = chance.choice(pool)
            data[begin:] = other[chance.randrange(len(other) + 1) :]
        elif kind == 6 and chance.random() < 0.3:
            data = data[:begin]
    return bytes(data[:LONGEST])
