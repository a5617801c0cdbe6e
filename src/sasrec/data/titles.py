"""Titles of items, such as the name of a film."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import polars as pl

from sasrec.settings.data import DataSettings


class Titles(Mapping[str, str]):
    """Item token to title, kept as columns until first used; a dictionary takes five times as much.

    >>> titles = Titles(pl.DataFrame({"item": ["242"], "title": ["Kolya"]}))
    >>> titles["242"]
    'Kolya'
    >>> titles.of(pl.Series(["242", "1"]))
    {'242': 'Kolya'}
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        """Keep a table of titles.

        Args:
            frame: Items and their titles, two columns of String without nulls; if an item has
                several titles, the last one is used.
        """
        self._frame = frame

    def of(self, items: pl.Series) -> dict[str, str]:
        """Return the titles of some items only, without building the whole dictionary.

        Args:
            items: Tokens, String.
        """
        item, _ = self._frame.columns
        return dict(self._frame.filter(pl.col(item).is_in(items.implode())).iter_rows())

    @cached_property
    def _title_of(self) -> dict[str, str]:
        return dict(self._frame.iter_rows())

    def __getitem__(self, item: str) -> str:
        """Return the title of an item."""
        return self._title_of[item]

    def __iter__(self) -> Iterator[str]:
        """Return the items."""
        return iter(self._title_of)

    def __len__(self) -> int:
        """Return how many items have a title."""
        return len(self._title_of)


def title_column(names: Sequence[str], settings: DataSettings) -> str | None:
    """Return the name of the column with the titles of items.

    Args:
        names: Columns of a table of items.
        settings: The item column, and the title column if the user named one.

    Returns:
        The named column if the table has it; otherwise the first column, other than the item
        column, whose name contains ``title`` or ``name``; None without such a column.
    """
    if settings.title_column in names:
        return settings.title_column
    others = (name for name in names if name != settings.item_column)
    return next(
        (name for name in others if any(w in name.lower() for w in ("title", "name"))), None
    )
