"""Interactions: who did something with what, and when; the one form every reader produces."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from sasrec.errors import DataError, did_you_mean


@dataclass(frozen=True, slots=True)
class Interactions:
    """A checked frame of events.

    Attributes:
        frame: Columns ``user`` and ``item`` (String, no nulls) and, if the source has times,
            ``time`` (Float64, finite, any unit); one row an event, in the order of the source.
        titles: Item token to the text a person knows it by; empty if the source has none.
    """

    frame: pl.DataFrame
    titles: dict[str, str]

    @property
    def has_times(self) -> bool:
        """Whether events carry a time; without one their order in the source counts."""
        return "time" in self.frame.columns

    def __len__(self) -> int:
        """Return the number of events."""
        return self.frame.height


def from_frame(
    frame: pl.DataFrame, *, user: str, item: str, time: str | None, where: str = "the data frame"
) -> Interactions:
    """Check a frame in the user's own columns and bring it into our form.

    Tokens are text: the number 7 and the text "7" are the same item, "007" is another.

    Args:
        frame: One row an event.
        user: Name of the column with users.
        item: Name of the column with items.
        time: Name of the column with times, or None to take the rows in the order they stand.
        where: What to call the source in an error text.

    Returns:
        The events in the order of the frame.

    Raises:
        DataError: A column is missing, there is no row, a user or item is null or a fraction,
            or a time is null, not a number, or not finite.
    """
    for name in (user, item) if time is None else (user, item, time):
        if name not in frame.columns:
            raise DataError(
                f"{where} has no column {name!r}{did_you_mean(name, frame.columns)} "
                f"(it has: {', '.join(frame.columns)})"
            )
    if frame.height == 0:
        raise DataError(f"{where} holds no interactions; it needs at least one row of data")
    columns = [_tokens(frame[user], where).alias("user"), _tokens(frame[item], where).alias("item")]
    if time is not None:
        columns.append(_times(frame[time], where).alias("time"))
    return Interactions(pl.DataFrame(columns), titles={})


def _tokens(values: pl.Series, where: str) -> pl.Series:
    if values.null_count():
        raise DataError(_at(values.is_null(), values.name, where) + " is empty; fill or drop it")
    if values.dtype.is_float():
        whole = values.cast(pl.Int64, strict=False)
        odd = whole.is_null() | (whole.cast(values.dtype) != values)
        if odd.any():
            raise DataError(
                _at(odd, values.name, where) + " is a fraction; users and items are names or "
                "whole numbers"
            )
        values = whole
    if values.dtype.is_nested():
        raise DataError(f"{where}: column {values.name!r} holds lists; it needs one value a row")
    return values.cast(pl.String)


def _times(values: pl.Series, where: str) -> pl.Series:
    if values.dtype.is_nested() or values.dtype in (pl.Duration, pl.Time):
        raise DataError(
            f"{where}: column {values.name!r} holds {values.dtype}; a time is a number (or a "
            "date in a data frame)"
        )
    if values.dtype.is_temporal():
        values = values.cast(pl.Datetime("us")).to_physical() / 1e6
    times = values.cast(pl.Float64, strict=False)
    bad = times.is_null() | ~times.is_finite()
    if bad.any():
        raise DataError(
            _at(bad, values.name, where) + f" is {values.filter(bad)[0]!r}; a time is a number "
            "(or a date in a data frame)"
        )
    return times


def _at(bad: pl.Series, column: str, where: str) -> str:
    return f"{where}, row {int(bad.fill_null(True).arg_max() or 0) + 1}: {column!r}"
