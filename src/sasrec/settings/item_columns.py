"""Settings about items: titles, categories, prices and other columns that rules can use."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sasrec.settings.fields import Settings, Word


def _names(value: Any) -> Any:
    """Return ``price,category`` as a tuple; values of other types are checked by pydantic."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


class ItemSettings(Settings):
    """Which facts about items to read and to keep with the model."""

    items_file: Word | None = None
    """File with a row for each item (.csv, .tsv, .parquet, .jsonl, .item): titles, categories,
    prices and other columns for rules. None reads the .item file beside the .inter file, if there
    is one."""
    item_columns: Annotated[tuple[Word, ...] | None, BeforeValidator(_names)] = Field(None)
    """Columns about items to keep with the model, such as ['price', 'category']; they may be in the
    items file or in the file of events. None keeps all columns of the items file."""
    title_column: Word | None = None
    """Column with the titles of items. None takes the first column of the items file whose name
    contains title or name."""
