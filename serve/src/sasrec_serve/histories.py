"""The history of one user: what they did, oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class History:
    """The events of one user, oldest first.

    Attributes:
        items: Item tokens.
        times: The time of each event, in the unit of the training data; None if unknown.
        types: The type of each event, such as ``purchase``; None if unknown.
        user: The user's token; None if unknown.
    """

    items: Sequence[str]
    times: Sequence[float] | None = None
    types: Sequence[str | None] | None = None
    user: str | None = None
