"""Remarks on content: missing values, unknown categories, and items without a row."""

from __future__ import annotations

import polars as pl

from sasrec.data.content.columns import ContentColumn
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import counted
from sasrec.remarks import Remark

FEW_ITEMS = 20
"""Up to this many items, a column may well have a different value for each of them."""


def category_remarks(column: ContentColumn, lists: pl.Series) -> list[Remark]:
    """Return remarks on categories that the model cannot learn, and on too many different ones.

    Args:
        column: The categories that the model learns.
        lists: The categories of each item, List of String.
    """
    found = lists.explode().drop_nulls()
    known = pl.Series(column.values, dtype=pl.String)
    unknown = found.filter(~found.is_in(known.implode())).unique().sort()
    remarks = []
    if len(unknown):
        text = (
            f"content column {column.name!r}: "
            f"{counted(len(unknown), 'value occurs', 'values occur')} only in items without a "
            f"training event, such as {unknown[0]!r}, so the model learns nothing about them"
        )
        remarks.append(Remark("unknown_categories", len(unknown), text))
    n_items = len(lists) - lists.null_count()
    if len(known) > n_items // 2 and n_items > FEW_ITEMS:
        text = (
            f"content column {column.name!r} has {len(known):,} different values for {n_items:,} "
            "items, so most of them say nothing about other items; for texts, give their "
            "embeddings as item_vectors"
        )
        remarks.append(Remark("distinct_categories", len(known), text))
    return remarks


def missing_remarks(name: str, values: pl.Series) -> list[Remark]:
    """Return a remark if some items have no value.

    Args:
        name: Name of the column or file.
        values: One for each item, null where it is missing.
    """
    count = values.null_count()
    if not count:
        return []
    text = f"content {name!r}: {counted(count, 'item has', 'items have')} no value, of "
    return [Remark("missing_content", count, f"{text}{len(values):,}")]


def row_remarks(items: Vocabulary, named: pl.Series) -> list[Remark]:
    """Return a remark if some items have no row in the items file.

    Args:
        items: The items of the data.
        named: The items that have a row.
    """
    if not len(named):  # content comes from the events, in which every item has a row
        return []
    absent = items.entries.filter(~items.entries.is_in(named.implode()))
    if not len(absent):
        return []
    text = (
        f"{counted(len(absent), 'item has', 'items have')} no row in the items file, such as "
        f"{absent[0]!r}; the model knows them by their events only"
    )
    return [Remark("items_without_row", len(absent), text)]
