"""Types of events, such as view, cart and purchase: read from a column, as small numbers."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from sasrec.data.checks.doubtful_tokens import alike_remarks
from sasrec.data.duplicates import without_duplicates
from sasrec.data.interactions import VALUE, Interactions
from sasrec.data.values.cleaning import clean_by_settings
from sasrec.data.values.tokens import column_tokens
from sasrec.errors import DataError, counted
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings

MOST_TYPES = 255
"""Largest number of types; a column with more values is probably not one of types."""


def with_event_types(events: Interactions, settings: DataSettings, where: str) -> Interactions:
    """Return events with their types as numbers, if ``type_column`` is set.

    Types are numbered in alphabetical order, so that the numbers do not depend on the order of
    rows.

    Args:
        events: The events, with the column of types among the value columns.
        settings: The column of types, the texts that mean a missing value, and how to clean tokens.
        where: Name of the source, for error messages.

    Returns:
        The events with a column ``type``, and the names of the types.

    Raises:
        DataError: The column is missing or empty, or has too many different values.
    """
    column = settings.type_column
    if column is None:
        return events
    if VALUE + column not in events.frame.columns:
        raise DataError(f"{where} has no column {column!r} with event types; change type_column")
    texts = _texts(events.frame[VALUE + column].alias(column), settings, where)
    names = texts.drop_nulls().unique().sort()
    if not len(names):
        raise DataError(f"{where}: the column {column!r} (type_column) is empty in every row")
    if len(names) > MOST_TYPES:
        raise DataError(
            f"{where}: the column {column!r} (type_column) has {len(names):,} different values, "
            f"such as {names[0]!r} and {names[1]!r}; event types are at most {MOST_TYPES}, such as "
            "view and purchase"
        )
    numbers = pl.Series(range(1, len(names) + 1), dtype=pl.UInt8)
    types = texts.replace_strict(names, numbers, default=0, return_dtype=pl.UInt8)
    kept = {
        *settings.value_intervals,
        *(settings.item_columns or ()),
        *settings.content_types,
        settings.title_column,
    }
    frame = events.frame if column in kept else events.frame.drop(VALUE + column)
    return replace(
        events,
        frame=frame.with_columns(types.alias("type")),
        event_types=tuple(names),
        remarks=(*events.remarks, *_remarks(texts, names, column)),
    )


def _texts(values: pl.Series, settings: DataSettings, where: str) -> pl.Series:
    """Return the types as text, String; null where the type is missing."""
    if values.dtype == pl.Boolean:
        values = values.cast(pl.String)
    texts = clean_by_settings(column_tokens(values, where), settings).str.strip_chars()
    return texts.set(texts == "", None)


def _remarks(texts: pl.Series, names: pl.Series, column: str) -> tuple[Remark, ...]:
    """Return remarks on types that look alike or are missing, and on a column with only one."""
    found = alike_remarks(names, column)
    if absent := texts.null_count():
        text = (
            f"{counted(absent, 'event')} of {len(texts):,} "
            f"{'has' if absent == 1 else 'have'} no type in {column!r}; "
            f"{'it counts' if absent == 1 else 'they count'} as an unknown type"
        )
        found.append(Remark("missing_types", absent, text))
    if len(names) == 1 and not absent:
        text = (
            f"all events have the type {names[0]!r} in {column!r}, so types tell the model nothing"
        )
        found.append(Remark("one_type", len(texts), text))
    return tuple(found)


def distinct_events(frame: pl.DataFrame, keep: str) -> pl.DataFrame:
    """Return the events that remain after duplicates are removed.

    Events with different types are different: viewing an item and then buying it is no duplicate.

    Args:
        frame: Columns ``user`` and ``item``, and optionally ``time`` and ``type``.
        keep: As for ``without_duplicates``.

    Returns:
        The remaining rows, as ``without_duplicates`` orders them.
    """
    if "type" not in frame.columns:
        return without_duplicates(frame, keep)
    pairs = pl.col("item").cast(pl.Int64) * (MOST_TYPES + 1) + pl.col("type")
    by_type = frame.with_columns(
        pairs.rank("dense").cast(pl.Int32).alias("item"), frame["item"].alias("own")
    )
    kept = without_duplicates(by_type, keep)
    return kept.with_columns(pl.col("own").alias("item")).drop("own")
