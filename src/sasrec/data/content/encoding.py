"""Encoding: content columns and vectors of items as attributes and numbers of each item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import torch

from sasrec.data.content.columns import (
    ContentColumn,
    as_lists,
    as_numbers,
    category_column,
    category_lists,
    number_column,
    standardised,
    vector_column,
)
from sasrec.data.content.encoded import EncodedContent
from sasrec.data.content.remarks import category_remarks, missing_remarks, row_remarks
from sasrec.data.content.source import ContentSource
from sasrec.data.content.vectors import ItemVectors
from sasrec.data.item_columns import ItemColumns
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError
from sasrec.remarks import Remark


@dataclass(frozen=True, slots=True)
class ItemContent:
    """Content of all items of a vocabulary.

    Attributes:
        columns: How each column or file was turned into numbers.
        encoded: Attributes and numbers of each item.
        known: bool [V], items that have any content that the model can use.
        remarks: Missing values and unknown categories, with counts.
    """

    columns: tuple[ContentColumn, ...]
    encoded: EncodedContent
    known: np.ndarray
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class ContentTables:
    """Where content comes from.

    Attributes:
        items: The items to encode.
        columns: Facts about items; None if there are none.
        source: Which of them are content, and ready vectors.
        separator: What separates the values of a ``token_seq``.
    """

    items: Vocabulary
    columns: ItemColumns | None
    source: ContentSource
    separator: str = " "


def encode_content(tables: ContentTables, counts: np.ndarray) -> ItemContent:
    """Return the content of items as numbers.

    Only items with training events decide which categories there are and how numbers are scaled,
    so that nothing is learned from items that the model is not trained on.

    Args:
        tables: Columns and vectors.
        counts: int64 [V], training events of each item.

    Returns:
        The content.

    Raises:
        DataError: A column has no value that can be used, or another type than the user gave.
    """  # raised by the parts
    has_events, parts = counts > 0, _Parts(np.zeros(len(counts), dtype=bool))
    trained = has_events[1:]
    for name, values in _columns(tables).items():
        lists = as_lists(values, tables.source.types[name], tables.separator)
        if lists is not None:
            column = category_column(lists, trained)
            parts.add_categories(column, lists)
            parts.remarks += category_remarks(column, lists)
        else:
            numbers = as_numbers(values)
            parts.add_numbers(number_column(name, numbers, trained), numbers)
        parts.remarks += missing_remarks(name, values if lists is None else lists)
    for each in tables.source.vectors:
        rows, vectors = _vectors_of(tables.items, each)
        parts.add_vectors(vector_column(each, vectors, has_events[rows]), rows, vectors)
        parts.remarks += missing_remarks(each.where, parts.has_vector(rows))
    remarks = (*row_remarks(tables.items, tables.source.named), *parts.remarks)
    return ItemContent(tuple(parts.columns), parts.encoded(has_events), parts.known, remarks)


def encode_new_items(tables: ContentTables, columns: Sequence[ContentColumn]) -> ItemContent:
    """Return the content of further items, turned into numbers as that of earlier ones.

    Args:
        tables: Columns and vectors of the further items.
        columns: How the content of the earlier items was turned into numbers.

    Returns:
        The content; categories that the earlier items did not have are ignored.

    Raises:
        DataError: Vectors have another length than the earlier ones.
    """  # raised by _check_width
    parts, n_attributes = _Parts(np.zeros(len(tables.items) + 1, dtype=bool)), 0
    values = _columns(tables)
    vectors = {each.name: each for each in tables.source.vectors}
    empty = ItemVectors("", "", pl.Series(dtype=pl.String), np.zeros((0, 0), dtype=np.float32))
    for column in columns:
        if column.kind == "vector":
            given = vectors.get(column.name, empty)
            _check_width(column, given)
            rows, found = _vectors_of(tables.items, given)
            parts.add_vectors(column, rows, found)
            parts.remarks += missing_remarks(column.name, parts.has_vector(rows))
        elif column.name not in values:
            raise DataError(
                f"the new items: column {column.name!r} holds values of another type than those "
                f"that the model was trained with ({column}); convert it"
            )
        elif column.kind == "number":
            parts.add_numbers(column, as_numbers(values[column.name]))
            parts.remarks += missing_remarks(column.name, values[column.name])
        else:
            lists = _earlier_lists(column, tables, values[column.name])
            parts.add_categories(column, lists)
            parts.remarks += category_remarks(column, lists)
            parts.remarks += missing_remarks(column.name, lists)
        n_attributes += len(column.values)
    has_events = np.zeros(len(parts.known), dtype=bool)
    return ItemContent(tuple(columns), parts.encoded(has_events), parts.known, tuple(parts.remarks))


def _earlier_lists(column: ContentColumn, tables: ContentTables, values: pl.Series) -> pl.Series:
    """Return the categories of new items, separated as those of the earlier items were."""
    kind, mark = tables.source.types.get(column.name), tables.separator
    if any(mark in each for each in column.values):  # they were separated by bars
        mark = "|"
    return category_lists(values, kind, mark)


@dataclass(slots=True)
class _Parts:
    """What has been encoded so far; ``known`` marks the items that have any of it, bool [V]."""

    known: np.ndarray
    columns: list[ContentColumn] = field(default_factory=list)
    entries: list[pl.DataFrame] = field(default_factory=list)
    numbers: list[np.ndarray] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    n_attributes: int = 0

    def add_categories(self, column: ContentColumn, lists: pl.Series) -> None:
        """Add categories, List of String [n_items]; those that the column lacks are ignored."""
        items = np.arange(1, len(lists) + 1)
        pairs = pl.DataFrame({"item": items, "value": lists}).explode("value").drop_nulls("value")
        values = pl.Series("value", column.values, dtype=pl.String)
        codes = pl.DataFrame([values]).with_row_index("attribute", offset=self.n_attributes)
        rows = pairs.join(codes, on="value", how="inner", maintain_order="left")
        counts = rows.group_by("item", "attribute", maintain_order=True).agg(
            pl.len().cast(pl.Float64).log1p().alias("weight")
        )
        # Repeats count, but less and less; the weights of a list of any length have length 1.
        length = (pl.col("weight") ** 2).sum().over("item").sqrt()
        weighted = counts.select(
            "item", pl.col("attribute").cast(pl.Int64), pl.col("weight") / length
        )
        self.columns.append(column)
        self.entries.append(weighted)
        self.n_attributes += len(column.values)
        self.known[weighted["item"].to_numpy()] = True

    def add_numbers(self, column: ContentColumn, values: np.ndarray) -> None:
        """Add numbers, float64 [n_items], NaN where missing."""
        self.columns.append(column)
        self.numbers.append(np.pad(standardised(column, values), ((1, 0), (0, 0))))
        self.known[1:] |= ~np.isnan(values)

    def add_vectors(self, column: ContentColumn, rows: np.ndarray, values: np.ndarray) -> None:
        """Add vectors, float32 [n, m], of the item numbers ``rows``, int64 [n]."""
        whole = np.zeros((len(self.known), column.width), dtype=np.float32)
        if len(rows):
            centre = np.array(column.centre, dtype=np.float32)
            whole[rows] = (values - centre) / np.float32(column.scale)
        self.columns.append(column)
        self.numbers.append(whole)
        self.known[rows] = True

    def has_vector(self, rows: np.ndarray) -> pl.Series:
        """Return which items have a vector: True, or null without one."""
        found = np.zeros(len(self.known), dtype=bool)
        found[rows] = True
        has: pl.Series = pl.Series(found[1:])
        return has.set(~has, None)

    def encoded(self, has_events: np.ndarray) -> EncodedContent:
        """Return the columns side by side."""
        n_rows = len(has_events)
        empty = pl.DataFrame(schema={"item": pl.Int64, "attribute": pl.Int64, "weight": pl.Float64})
        rows = pl.concat([empty, *self.entries]).sort("item", "attribute")
        lengths = np.bincount(rows["item"].to_numpy(), minlength=n_rows)
        numbers = self.numbers or [np.zeros((n_rows, 0), dtype=np.float32)]
        return EncodedContent(
            attributes=torch.from_numpy(rows["attribute"].to_numpy().copy()),
            offsets=torch.from_numpy(np.concatenate(([0], np.cumsum(lengths)))),
            weights=torch.from_numpy(rows["weight"].cast(pl.Float32).to_numpy().copy()),
            numbers=torch.from_numpy(np.concatenate(numbers, axis=1)),
            has_events=torch.from_numpy(has_events),
            n_attributes=self.n_attributes,
        )


def _columns(tables: ContentTables) -> Mapping[str, pl.Series]:
    """Return the content columns, one row for each item."""
    if tables.columns is None:
        return {}
    values = tables.columns.aligned(tables.items)
    return {name: values[name] for name in tables.source.types}


def _vectors_of(items: Vocabulary, vectors: ItemVectors) -> tuple[np.ndarray, np.ndarray]:
    """Return item numbers, int64 [n], and their vectors, float32 [n, m], of known items."""
    numbers = items.numbers(vectors.items.to_list()).astype(np.int64)
    known = numbers > 0
    return numbers[known], vectors.values[known]


def _check_width(column: ContentColumn, given: ItemVectors) -> None:
    """Refuse vectors of another length.

    Raises:
        DataError: They have another length than those of the model.
    """
    if len(given.items) and given.values.shape[1] != column.width:
        raise DataError(
            f"{given.where}: the vectors have {given.values.shape[1]} numbers, but those that the "
            f"model was trained with have {column.width}; compute them in the same way"
        )
