"""The content of items as it was read, before it is turned into numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from sasrec.data.content.vectors import ItemVectors


@dataclass(frozen=True, slots=True)
class ContentSource:
    """What is known about items, before it is turned into numbers.

    Attributes:
        types: Name of each content column, with the type that the user gave, or None.
        vectors: Ready vectors, from columns and from a file.
        named: Items that the items file, or the file of vectors, has a row for, String.
    """

    types: Mapping[str, str | None]
    vectors: tuple[ItemVectors, ...]
    named: pl.Series
