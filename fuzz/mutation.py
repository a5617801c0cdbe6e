"""Mutation: from good input to input that is nearly good."""

from __future__ import annotations

import random
from collections.abc import Sequence

LONGEST = 1 << 16
"""Bytes of an input, at most."""


def mutated(chance: random.Random, pool: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """Return one of the inputs, changed in one to eight places.

    Args:
        chance: Source of random numbers.
        pool: Inputs to begin with.
        words: What to put in, beside random bytes.

    Returns:
        The input.
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
