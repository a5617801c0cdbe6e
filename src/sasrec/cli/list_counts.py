"""Counts lists that rules have shortened or that were filled up, for a note at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sasrec.errors import counted

if TYPE_CHECKING:
    from sasrec.recommender.recommendation import Recommendation


@dataclass(slots=True)
class ListCounts:
    """What happened to the lists of a command.

    Attributes:
        k: Number of items asked for.
        lists: Number of lists.
        short: Lists with fewer items.
        filled: Lists that were filled up.
        added: Items added to them.
    """

    k: int
    lists: int = 0
    short: int = 0
    filled: int = 0
    added: int = 0

    def add(self, found: Recommendation) -> None:
        """Count a list.

        Args:
            found: The list.
        """
        self.lists += 1
        self.short += len(found.items) < self.k
        self.filled += bool(found.filled_up)
        self.added += len(found.filled_up)

    def summary(self) -> str:
        """Return a sentence, or an empty text if all lists are full as the rules left them."""
        parts = []
        if self.filled:
            parts.append(
                f"{self.filled:,} of {counted(self.lists, 'list')} filled up by popularity with "
                f"{counted(self.added, 'item')}"
            )
        if self.short:
            has = "has" if self.short == 1 else "have"
            parts.append(
                f"{self.short:,} of {counted(self.lists, 'list')} {has} fewer than {self.k} items"
            )
        return "; ".join(parts)
