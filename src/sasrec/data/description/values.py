"""What the other columns of the events hold, and what choosing rows by them would remove."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from sasrec.data.description.cleanings import Cleaning
from sasrec.data.interactions import VALUE, Interactions
from sasrec.data.removals import share, sizes
from sasrec.data.values.cleaning import without_missing
from sasrec.data.values.parsed_texts import parsed_texts
from sasrec.errors import printable
from sasrec.settings.data import DataSettings

MOST_COLUMNS, MOST_VALUES = 30, 6
"""At most so many columns, and values of a column, are shown."""
LONGEST = 30
"""Maximum number of characters of a value that is shown."""
FREQUENT = 0.05
"""If no value has this share of the rows, shares are not shown."""
MOSTLY = 0.5
"""If at least this share of the numbers is above 0, the others may be returns or errors."""


@dataclass(frozen=True, slots=True)
class ColumnValues:
    """What a column holds.

    Attributes:
        name: Its name.
        text: Its values, in words.
    """

    name: str
    text: str


def other_columns(columns: tuple[str, ...], settings: DataSettings) -> list[str]:
    """Return the columns that are not read as user, item or time.

    Args:
        columns: All columns of the source.
        settings: Names of the three.
    """
    own = (settings.user_column, settings.item_column, settings.time_column)
    return [name for name in columns if name not in own and name.isprintable()][:MOST_COLUMNS]


def column_values(
    rows: Interactions, settings: DataSettings, *, texts_only: bool
) -> dict[str, pl.Series]:
    """Return the value columns of events in the types of their values.

    Args:
        rows: The events.
        settings: Which texts stand for a missing value.
        texts_only: Whether the source has no types, so that texts may mean numbers.

    Returns:
        Name to column, without columns of lists and the like.
    """
    found = {}
    for column in rows.frame:
        if not column.name.startswith(VALUE) or column.dtype.is_nested():
            continue
        values = column
        if values.dtype in (pl.Object, pl.Binary, pl.Null):
            continue
        if values.dtype == pl.String:
            values = without_missing(values, ["", *settings.missing_values])
            values = parsed_texts(values) if texts_only else values
        found[column.name.removeprefix(VALUE)] = values
    return found


def in_words(name: str, values: pl.Series) -> ColumnValues:
    """Return what a column holds.

    Args:
        name: Its name.
        values: At least one value.
    """
    known = values.drop_nulls()
    parts = [_known_values(known)] if len(known) else ["no values"]
    if len(known) and len(known) < len(values):
        parts.append(f"missing in {_counted(len(values) - len(known), len(values))}")
    return ColumnValues(name, "; ".join(parts))


def _known_values(known: pl.Series) -> str:
    dtype = known.dtype
    if dtype.is_numeric() and known.n_unique() > MOST_VALUES:
        kind = "whole numbers" if dtype.is_integer() else "numbers"
        text = f"{kind} from {_number(known.min())} to {_number(known.max())}"
        low = int((known <= 0).sum() or 0)
        return text + (f"; {_counted(low, len(known))} not above 0" if low else "")
    if dtype.is_temporal():
        return f"dates from {known.min()!s} to {known.max()!s}"
    counts = known.cast(pl.String).value_counts(sort=True, name="count")
    names, numbers = (counts[each].to_list() for each in (known.name, "count"))
    if numbers[0] < FREQUENT * len(known) and len(names) > MOST_VALUES:
        return f"{len(names):,} different values, such as {printable(names[0])[:LONGEST]!r}"
    shown = [
        f"{printable(str(value))[:LONGEST]} ({share(count, len(known))})"
        for value, count in zip(names[:MOST_VALUES], numbers[:MOST_VALUES], strict=True)
    ]
    more = f" and {len(names) - MOST_VALUES:,} more" if len(names) > MOST_VALUES else ""
    return ", ".join(shown) + more


def value_cleanings(rows: Interactions, columns: dict[str, pl.Series]) -> list[Cleaning]:
    """Return what dropping numbers of 0 or less would remove, where most numbers are above 0.

    Args:
        rows: The events.
        columns: Their value columns.
    """
    whole = sizes(rows.frame)
    found = []
    for name, values in columns.items():
        if not values.dtype.is_numeric():
            continue
        above = (values > 0).fill_null(value=False)
        if (above.mean() or 0.0) < MOSTLY or above.all():  # type: ignore[operator]
            continue
        lost = whole.without(sizes(rows.frame.filter(above)))
        found.append(
            Cleaning(
                f"{name} of 0 or less",
                f"where={name}>0",
                whole,
                lost.events,
                lost.users,
                lost.items,
            )
        )
    return found


def _counted(part: int, whole: int) -> str:
    return f"{part:,} ({share(part, whole)})"


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
