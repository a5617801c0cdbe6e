"""Encoding: content columns and vectors of a data set as attributes and numbers of each item."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
import torch

from sasrec.data.content.columns import (
    ContentColumn,
    as_lists,
    as_numbers,
    number_column,
    standardised,
    vector_column,
)
from sasrec.data.content.encoded import EncodedContent
from sasrec.data.content.vectors import ItemVectors
from sasrec.data.corpus import Corpus
from sasrec.errors import DataError, counted
from sasrec.remarks import Remark


@dataclass(frozen=True, slots=True)
class ItemContent:
    """Content of all items of a data set.

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


@dataclass(slots=True)
class _Parts:
    """What has been encoded so far; ``known`` marks the items that have any of it, bool [V]."""

    known: np.ndarray
    columns: list[ContentColumn] = field(default_factory=list)
    entries: list[pl.DataFrame] = field(default_factory=list)
    numbers: list[np.ndarray] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    n_attributes: int = 0


def encode_content(corpus: Corpus, counts: np.ndarray, separator: str = " ") -> ItemContent | None:
    """Return the content of the items of a data set as numbers.

    Only items with training events decide which categories there are and how numbers are scaled,
    so that nothing is learned from items that the model is not trained on.

    Args:
        corpus: The data set.
        counts: int64 [V], training events of each item.
        separator: What separates the values of a ``token_seq``.

    Returns:
        The content; None if the settings name none.

    Raises:
        DataError: A column has no value that can be used, or another type than the user gave.
    """  # raised by the parts
    source = corpus.content
    if source is None:
        return None
    has_events, parts = counts[1:] > 0, _Parts(np.zeros(len(counts), dtype=bool))
    if source.types and corpus.item_columns is not None:
        values = corpus.item_columns.aligned(corpus.items)
        for name, kind in source.types.items():
            lists = as_lists(values[name], kind, separator)
            if lists is not None:
                _add_categories(parts, lists, has_events)
            else:
                _add_numbers(parts, values[name], has_events)
    for each in source.vectors:
        _add_vectors(parts, each, corpus, has_events)
    encoded = _encoded(parts, np.append(False, has_events))
    remarks = _remarks(parts, corpus, source.named)
    return ItemContent(tuple(parts.columns), encoded, parts.known, remarks)


def _add_categories(parts: _Parts, lists: pl.Series, has_events: np.ndarray) -> None:
    """Add a column of categories; those of items without events only are unknown.

    Raises:
        DataError: No item with a training event has a category.
    """
    name = lists.name
    numbers = np.arange(1, len(lists) + 1)
    pairs = pl.DataFrame({"item": numbers, "value": lists, "seen": has_events}).explode("value")
    pairs = pairs.drop_nulls("value")
    seen = pairs.filter("seen")["value"].unique(maintain_order=True)
    if not len(seen):
        raise DataError(
            f"content column {name!r} has no value for any item with a training event; remove it "
            "from content_columns, or check the items"
        )
    codes = pl.DataFrame({"value": seen}).with_row_index("attribute", offset=parts.n_attributes)
    rows = pairs.join(codes, on="value", how="inner", maintain_order="left")
    counted_rows = rows.group_by("item", "attribute", maintain_order=True).agg(
        pl.len().cast(pl.Float64).alias("count")
    )
    # Repeats count, but less and less; a list of any length has length 1.
    weight = pl.col("count").log1p()
    weighted = counted_rows.with_columns(
        (weight / (weight**2).sum().over("item").sqrt()).alias("weight")
    )
    parts.columns.append(ContentColumn(name, "categories", values=tuple(seen.to_list())))
    parts.entries.append(weighted.select("item", pl.col("attribute").cast(pl.Int64), "weight"))
    parts.known[weighted["item"].to_numpy()] = True
    parts.n_attributes += len(seen)
    _remark_categories(parts, name, pairs, seen)
    _remark_missing(parts, name, lists.is_null().to_numpy())


def _remark_categories(parts: _Parts, name: str, pairs: pl.DataFrame, seen: pl.Series) -> None:
    unknown = pairs.filter(~pl.col("value").is_in(seen.implode()))["value"].unique().sort()
    if len(unknown):
        text = (
            f"content column {name!r}: {counted(len(unknown), 'value occurs', 'values occur')} "
            f"only in items without a training event, such as {unknown[0]!r}, so the model learns "
            "nothing about them"
        )
        parts.remarks.append(Remark("unknown_categories", len(unknown), text))
    n_items = pairs["item"].n_unique()
    if len(seen) > n_items // 2 and n_items > 20:
        text = (
            f"content column {name!r} has {len(seen):,} different values for {n_items:,} items, so "
            "most of them say nothing about other items; for texts, give their embeddings as "
            "item_vectors"
        )
        parts.remarks.append(Remark("distinct_categories", len(seen), text))


def _add_numbers(parts: _Parts, column: pl.Series, has_events: np.ndarray) -> None:
    values = as_numbers(column)
    found = number_column(column.name, values, has_events)
    parts.columns.append(found)
    parts.numbers.append(np.pad(standardised(found, values), ((1, 0), (0, 0))))
    parts.known[1:] |= ~np.isnan(values)
    _remark_missing(parts, column.name, np.isnan(values))


def _add_vectors(
    parts: _Parts, vectors: ItemVectors, corpus: Corpus, has_events: np.ndarray
) -> None:
    numbers = corpus.items.numbers(vectors.items.to_list())
    known = numbers > 0
    numbers, values = numbers[known], vectors.values[known]
    found = vector_column(vectors.name, values, has_events[numbers - 1])
    rows = np.zeros((len(corpus.items) + 1, values.shape[1]), dtype=np.float32)
    rows[numbers] = (values - np.array(found.centre, dtype=np.float32)) / np.float32(found.scale)
    parts.columns.append(found)
    parts.numbers.append(rows)
    parts.known[numbers] = True
    missing = np.ones(len(corpus.items), dtype=bool)
    missing[numbers - 1] = False
    _remark_missing(parts, vectors.name, missing)


def _remark_missing(parts: _Parts, name: str, missing: np.ndarray) -> None:
    count = int(missing.sum())
    if count:
        text = (
            f"content {name!r}: {counted(count, 'item has', 'items have')} no value, of "
            f"{len(missing):,}"
        )
        parts.remarks.append(Remark("missing_content", count, text))


def _remarks(parts: _Parts, corpus: Corpus, named: pl.Series) -> tuple[Remark, ...]:
    absent = corpus.items.entries.filter(~corpus.items.entries.is_in(named.implode()))
    if not len(absent):
        return tuple(parts.remarks)
    text = (
        f"{counted(len(absent), 'item has', 'items have')} no row in the items file, such as "
        f"{absent[0]!r}; the model knows them by their events only"
    )
    return (Remark("items_without_row", len(absent), text), *parts.remarks)


def _encoded(parts: _Parts, has_events: np.ndarray) -> EncodedContent:
    """Return the columns side by side."""
    n_rows = len(has_events)
    empty = pl.DataFrame(schema={"item": pl.Int64, "attribute": pl.Int64, "weight": pl.Float64})
    rows = pl.concat([empty, *parts.entries]).sort("item", "attribute")
    lengths = np.bincount(rows["item"].to_numpy(), minlength=n_rows)
    numbers = parts.numbers or [np.zeros((n_rows, 0), dtype=np.float32)]
    return EncodedContent(
        attributes=torch.from_numpy(rows["attribute"].to_numpy().copy()),
        offsets=torch.from_numpy(np.concatenate(([0], np.cumsum(lengths)))),
        weights=torch.from_numpy(rows["weight"].cast(pl.Float32).to_numpy().copy()),
        numbers=torch.from_numpy(np.concatenate(numbers, axis=1)),
        has_events=torch.from_numpy(has_events),
        n_attributes=parts.n_attributes,
    )
