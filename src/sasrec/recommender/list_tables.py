"""Recommendation lists as tables: a row per recommended item, with user and title."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from sasrec.data.vocabulary import Vocabulary
from sasrec.evaluation.top_items import positions_in_row
from sasrec.recommender.flat_lists import FlatLists

LIST_COLUMNS = {
    "user": pl.String(),
    "rank": pl.Int32(),
    "item": pl.String(),
    "title": pl.String(),
    "score": pl.Float32(),
    "by_popularity": pl.Boolean(),
}
"""Columns of a table of lists: rank 1 is the best item; the title is null if it is unknown."""


@dataclass(frozen=True, slots=True)
class TableNames:
    """Tokens and titles of items, for tables.

    Attributes:
        items: Token of each item number, String; index n - 1 has number n.
        titles: Title of each item number, String; null if unknown.
    """

    items: pl.Series
    titles: pl.Series

    @classmethod
    def of(cls, items: Vocabulary, titles: Mapping[str, str]) -> TableNames:
        """Return the tokens and titles of items.

        Args:
            items: Item tokens by number.
            titles: Item token to title.
        """
        entries = items.entries
        found = [titles.get(token) for token in entries] if titles else [None] * len(entries)
        return cls(entries, pl.Series(found, dtype=pl.String))

    def table(self, lists: FlatLists, users: pl.Series) -> pl.DataFrame:
        """Return lists as a table with ``LIST_COLUMNS``.

        Args:
            lists: The lists of n histories.
            users: User token of each of these histories, String [n].

        Returns:
            A row per recommended item; users in order, best item first.
        """
        owners = np.repeat(np.arange(len(lists.lengths)), lists.lengths)
        columns = {
            "user": users.gather(owners),
            "rank": (positions_in_row(owners) + 1).astype(np.int32),
            "item": self.items.gather(lists.items - 1),
            "title": self.titles.gather(lists.items - 1),
            "score": lists.scores,
            "by_popularity": lists.by_popularity[owners],
        }
        return pl.DataFrame(columns, schema=LIST_COLUMNS)
