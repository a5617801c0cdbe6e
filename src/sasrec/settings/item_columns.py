"""Settings about items: titles, categories, prices and other columns that rules can use."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from sasrec.settings.content import ContentSettings, names_in
from sasrec.settings.fields import Word


class ItemSettings(ContentSettings):
    """Which facts about items to read and to keep with the model."""

    items_file: Word | None = None
    """File with a row for each item (.csv, .tsv, .parquet, .jsonl, .item): titles, categories,
    prices and other columns for rules. None reads the .item file beside the .inter file, if there
    is one."""
    item_columns: Annotated[tuple[Word, ...] | None, BeforeValidator(names_in)] = Field(None)
    """Columns about items to keep with the model, such as ['price', 'category']; they may be in the
    items file or in the file of events. None keeps all columns of the items file."""
    title_column: Word | None = None
    """Column with the titles of items. None takes the first column of the items file whose name
    contains title or name."""

    @property
    def kept_columns(self) -> tuple[str, ...] | None:
        """Columns to keep with the model, those for its content included; None keeps all."""
        if self.item_columns is None:
            return None
        return tuple(dict.fromkeys((*self.item_columns, *self.content_types)))
