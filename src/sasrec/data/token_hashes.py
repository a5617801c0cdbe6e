"""Hashes of tokens: the same for all versions and machines, and written as text for JSON."""

from __future__ import annotations

import base64
import hashlib

import numpy as np
import polars as pl

PIECE_TOKENS = 2**20
"""Tokens hashed at a time."""


def token_hashes(entries: pl.Series) -> np.ndarray:
    """Return a hash of each token, uint64 [n].

    Args:
        entries: n tokens, String.
    """
    hashes = np.empty(len(entries), dtype="<u8")
    for begin in range(0, len(entries), PIECE_TOKENS):
        tokens = entries.slice(begin, PIECE_TOKENS).to_list()
        digests = (hashlib.blake2b(token.encode(), digest_size=8).digest() for token in tokens)
        hashes[begin : begin + PIECE_TOKENS] = np.frombuffer(b"".join(digests), dtype="<u8")
    return hashes.astype(np.uint64)


def hashes_as_text(values: np.ndarray) -> str:
    """Return numbers as base64 text.

    Args:
        values: Of any type with a fixed byte order.
    """
    return base64.b64encode(values.tobytes()).decode("ascii")


def hashes_from_text(text: str, dtype: str) -> np.ndarray:
    """Return the numbers that ``hashes_as_text`` wrote.

    Args:
        text: The text.
        dtype: Their type, such as ``<u8``.

    Raises:
        ValueError: The text is not base64, or not a whole number of values.
    """  # raised by b64decode and frombuffer
    return np.frombuffer(base64.b64decode(text, validate=True), dtype=dtype)
