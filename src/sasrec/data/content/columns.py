"""Content columns: how the values of a column become categories or numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from sasrec.data.content.vectors import ItemVectors
from sasrec.errors import DataError, counted, printable

Kind = Literal["categories", "number", "vector"]
LARGEST = 5.0
"""Standardised numbers are cut at this many standard deviations, so that one extreme price does not
dominate."""


@dataclass(frozen=True, slots=True)
class ContentColumn:
    """How a column was turned into numbers; the same is done with items that come later.

    Attributes:
        name: Name of the column or file.
        kind: ``categories`` (one or several for each item), ``number`` or ``vector``.
        values: The categories, in the order of their attribute numbers; empty for other kinds.
        centre: Means over the items with training events, float [m]; empty for categories.
        scale: What the difference from the mean is divided by.
    """

    name: str
    kind: Kind
    values: tuple[str, ...] = ()
    centre: tuple[float, ...] = ()
    scale: float = 1.0

    @property
    def width(self) -> int:
        """Number of values in a row of ``EncodedContent.numbers``; a number also has a flag."""
        return {"categories": 0, "number": 2, "vector": len(self.centre)}[self.kind]

    def __str__(self) -> str:
        """Return name and kind for people, such as ``brand (312 categories)``."""
        kinds = {
            "categories": counted(len(self.values), "category", "categories"),
            "number": "number",
            "vector": f"vector of {len(self.centre)}",
        }
        return f"{self.name} ({kinds[self.kind]})"

    def as_json(self) -> dict[str, Any]:
        """Return the attributes in types JSON has."""
        return {
            "name": self.name,
            "kind": self.kind,
            "values": list(self.values),
            "centre": list(self.centre),
            "scale": self.scale,
        }


def as_lists(column: pl.Series, kind: str | None, separator: str) -> pl.Series | None:
    """Return a column as lists of categories, or None if it holds numbers.

    Args:
        column: Values of one of the types of item columns.
        kind: The type that the user gave, as in RecBole's files, or None.
        separator: What separates the values of a ``token_seq``, if no value contains ``|``.

    Returns:
        List of String; null where the value is missing.

    Raises:
        DataError: The column has another type than the user gave.
    """
    dtype = column.dtype
    if kind == "float" or (kind is None and (dtype.is_numeric() or dtype.is_temporal())):
        if not (dtype.is_numeric() or dtype.is_temporal()):
            example = column.drop_nulls()[:1].cast(pl.String).to_list()
            shown = f", such as {printable(example[0][:40])!r}" if example else ""
            raise DataError(
                f"content column {column.name!r} is given as float, but has text{shown}; "
                f"write {column.name} or {column.name}:token"
            )
        return None
    return category_lists(column, kind, separator)


def category_lists(column: pl.Series, kind: str | None, separator: str) -> pl.Series:
    """Return a column as lists of categories, even if it holds numbers.

    Args:
        column: Values of one of the types of item columns.
        kind: The type that the user gave, as in RecBole's files, or None.
        separator: What separates the values of a ``token_seq``, if no value contains ``|``.

    Returns:
        List of String; null where the value is missing.
    """
    if isinstance(column.dtype, pl.List):
        parts = column
        if column.explode().drop_nulls().str.contains("|", literal=True).any():
            parts = column.list.join("|").str.split("|")
    else:
        texts = as_texts(column).str.strip_chars()
        has_bars = kind != "token" and bool(texts.str.contains("|", literal=True).any())
        mark = "|" if has_bars else separator if kind == "token_seq" else None
        parts = texts.str.split(mark) if mark else texts.reshape((-1, 1)).arr.to_list()
    stripped = parts.list.eval(pl.element().cast(pl.String).str.strip_chars())
    kept = stripped.list.eval(
        pl.element().filter(pl.element().is_not_null() & (pl.element() != ""))
    )
    found = pl.DataFrame({"v": kept}).select(
        pl.when(pl.col("v").list.len() > 0).then(pl.col("v")).otherwise(None)
    )["v"]
    return found.alias(column.name)


def as_texts(column: pl.Series) -> pl.Series:
    """Return values as text; whole numbers without a point, so that 3 and 3.0 are one category.

    Args:
        column: Values of one of the types of item columns, other than lists.
    """
    if column.dtype.is_float():
        whole = column.cast(pl.Int64, strict=False)
        if whole.cast(column.dtype).eq_missing(column.fill_nan(None)).all():
            return whole.cast(pl.String)
    return column.cast(pl.String)


def as_numbers(column: pl.Series) -> np.ndarray:
    """Return a column of numbers, dates or times as float64 [n]; NaN where a value is missing.

    Args:
        column: The column.

    Returns:
        float64 [n].

    Raises:
        DataError: A value is infinite.
    """
    numeric = column if column.dtype.is_numeric() else column.to_physical()
    found: np.ndarray = numeric.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    if np.isinf(found).any():
        raise DataError(
            f"content column {column.name!r} contains infinity; correct it or leave the value empty"
        )
    return found


def category_column(lists: pl.Series, has_events: np.ndarray) -> ContentColumn:
    """Return the categories that a model can learn: those of items with training events.

    Args:
        lists: The categories of each item, List of String.
        has_events: bool [n_items], items with a training event.

    Raises:
        DataError: No item with a training event has a category.
    """
    seen = lists.filter(pl.Series(has_events)).explode().drop_nulls().unique(maintain_order=True)
    if not len(seen):
        raise DataError(
            f"content column {lists.name!r} has no value for any item with a training event; "
            "remove it from content_columns, or check the items"
        )
    return ContentColumn(lists.name, "categories", values=tuple(seen.to_list()))


def number_column(name: str, values: np.ndarray, has_events: np.ndarray) -> ContentColumn:
    """Return how a column of numbers is standardised.

    Args:
        name: Name of the column.
        values: float64 [n_items], NaN where missing.
        has_events: bool [n_items], items with a training event, which alone are measured.

    Raises:
        DataError: No item with a training event has a number.
    """
    known = values[has_events & ~np.isnan(values)]
    if not len(known):
        raise DataError(
            f"content column {name!r} has no number for any item with a training event; remove it "
            "from content_columns"
        )
    deviation = float(known.std())
    return ContentColumn(
        name, "number", centre=(float(known.mean()),), scale=deviation if deviation > 0 else 1.0
    )


def standardised(column: ContentColumn, values: np.ndarray) -> np.ndarray:
    """Return numbers as the model reads them.

    Args:
        column: From ``number_column``.
        values: float64 [n], NaN where missing.

    Returns:
        float32 [n, 2], the standardised number (0 if missing) and whether there is one.
    """
    known = ~np.isnan(values)
    scaled = (np.where(known, values, column.centre[0]) - column.centre[0]) / column.scale
    return np.stack([scaled.clip(-LARGEST, LARGEST), known], axis=1).astype(np.float32)


def vector_column(
    vectors: ItemVectors, values: np.ndarray, has_events: np.ndarray
) -> ContentColumn:
    """Return how vectors are centred and scaled: to mean 0 and a mean squared length of 1.

    Args:
        vectors: Their names.
        values: float32 [n, m], of n items of the data that have a vector.
        has_events: bool [n], items with a training event, which alone are measured.

    Raises:
        DataError: No item with a training event has a vector.
    """
    known = values[has_events]
    if not len(known):
        raise DataError(f"{vectors.where} has no vector for any item with a training event")
    centre = known.mean(0, dtype=np.float64)
    length = float(np.sqrt(np.mean(((known - centre) ** 2).sum(1))))
    return ContentColumn(
        vectors.name, "vector", centre=tuple(centre.tolist()), scale=length if length > 0 else 1.0
    )
