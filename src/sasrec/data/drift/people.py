"""The users of a data set as hashes of their tokens, or of a sample of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from sasrec.data.token_hashes import hashes_as_text, hashes_from_text, token_hashes

SAMPLE = 5_000
"""Users sampled for a model folder, within a few percent; they take 55 KB."""
LARGEST_HASH = 2**64 - 1


@dataclass(frozen=True, slots=True)
class People:
    """Hashes of users.

    Attributes:
        hashes: uint64 [n], sorted.
        below: The largest hash in the sample; all users if it is the largest possible one.
    """

    hashes: np.ndarray
    below: int

    def sampled(self) -> People:
        """Return about ``SAMPLE`` of the users, chosen by their hashes; all if they are fewer."""
        if len(self.hashes) <= SAMPLE:
            return self
        below = int(SAMPLE / len(self.hashes) * 2**64)
        return People(self.hashes[self.hashes <= np.uint64(below)], below)

    def unknown(self, others: People) -> tuple[int, int]:
        """Return how many of some users are not among these, and how many could be compared.

        Args:
            others: All the users to look for.
        """
        compared = others.hashes[others.hashes <= np.uint64(self.below)]
        return int((~np.isin(compared, self.hashes)).sum()), len(compared)

    def as_json(self) -> dict[str, Any]:
        """Return the hashes in types JSON has."""
        return {"below": self.below, "hashes": hashes_as_text(self.hashes.astype("<u8"))}


def people_of(users: pl.Series) -> People:
    """Return the hashes of all users.

    Args:
        users: Their tokens, String.
    """
    return People(np.sort(token_hashes(users)), LARGEST_HASH)


def people_from_json(content: dict[str, Any]) -> People:
    """Return what ``as_json`` wrote.

    Args:
        content: The JSON.

    Raises:
        ValueError: It is not valid.
    """
    below = int(content["below"])
    if not 0 <= below <= LARGEST_HASH:
        raise ValueError("below")
    return People(hashes_from_text(content["hashes"], "<u8").astype(np.uint64), below)
