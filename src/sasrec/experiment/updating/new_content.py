"""New items of a model with content: their vectors begin from a table of items."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sasrec.errors import SettingsError
from sasrec.recommender.new_items import with_new_items
from sasrec.recommender.recommender import Recommender

if TYPE_CHECKING:
    from sasrec.data.formats.item_files import ItemSource


def with_content_of(
    recommender: Recommender,
    items: ItemSource | None,
    item_vectors: str | Path | None,
) -> Recommender:
    """Return a model that knows the new items of a table by their content.

    Args:
        recommender: The model.
        items: The table, or None.
        item_vectors: File with the vectors of the new items, or None.

    Returns:
        The longer model; the same one if it was trained without content, or no table is given.

    Raises:
        SettingsError: Vectors are given, but no table, or the model was trained without content.
    """
    if item_vectors is not None and (items is None or not recommender.content):
        reason = "without a table of items" if items is None else "with a model without content"
        raise SettingsError(
            f"item_vectors has no effect {reason}; "
            f"{'give the table with --items' if items is None else 'remove it'}"
        )
    if items is None or not recommender.content:
        return recommender
    longer = with_new_items(recommender, items, item_vectors)
    return replace(longer, metrics=recommender.metrics)  # the update is a step of its own
