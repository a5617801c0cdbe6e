"""What rules are looked up in: the items of a model and what is known about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sasrec.data.expressions import ROW
from sasrec.data.formats.item_files import item_table
from sasrec.data.item_columns import ItemColumns
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError
from sasrec.remarks import log_remarks
from sasrec.settings.data import DataSettings

if TYPE_CHECKING:
    from sasrec.data.formats.item_files import ItemSource


@dataclass(frozen=True, slots=True)
class Shop:
    """What rules are looked up in.

    Attributes:
        items: Item tokens by number.
        columns: Facts about items, one row per item; no columns if nothing is known.
        settings: Names of columns, and how to clean tokens.
        trained: bool [V], items that the model has learned.
        popularity: int64 [V], recent events of each item.
        event_types: Names of the event types that the model knows.
    """

    items: Vocabulary
    columns: pl.DataFrame
    settings: DataSettings
    trained: np.ndarray
    popularity: np.ndarray
    event_types: tuple[str, ...] = ()


def shop_columns(
    items: Vocabulary,
    own: ItemColumns | None,
    given: ItemSource | None,
    titles: dict[str, str],
    settings: DataSettings,
) -> pl.DataFrame:
    """Return the item columns that rules can use, one row per item of the model.

    Args:
        items: Item tokens by number.
        own: The columns that were saved with the model.
        given: A table of items, which wins where both have a column; None for none.
        titles: Item token to title, which become the column ``title``.
        settings: The item column, and how to clean tokens.

    Returns:
        [n_items] rows.

    Raises:
        DataError: The table cannot be read, or has none of the items of the model.
    """
    columns = pl.DataFrame({ROW: items.entries}) if own is None else own.values
    if given is not None:
        named = settings.model_copy(update={"item_columns": None})
        table, more = item_table(given, named)
        log_remarks(table.remarks, "items")
        if not items.numbers(table.items.to_list()).any():
            example = table.items[0] if len(table.items) else "nothing"
            raise DataError(
                f"the table of items has none of the model's items: it has {example!r}, the model "
                f"has {items.tokens([1])[0]!r}; check the item column"
            )
        titles = {**titles, **more}
        aligned = table.aligned(items)
        kept = columns.select(name for name in columns.columns if name not in aligned.columns)
        columns = pl.concat([kept, aligned], how="horizontal")
    if titles and "title" not in columns.columns:
        texts = [titles.get(item) for item in items.entries.to_list()]
        columns = columns.with_columns(pl.Series("title", texts, dtype=pl.String))
    return columns
