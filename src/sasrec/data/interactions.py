"""Interactions: who did something with what, and when; the one form every reader produces."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from sasrec.data.moments import numbers_or_moments, odd_times
from sasrec.data.numbering import Numbering
from sasrec.data.remarks import Remark
from sasrec.errors import DataError, did_you_mean
from sasrec.settings import DataSettings

logger = logging.getLogger(__name__)

VALUE = "value:"
"""What the names of further columns in a frame of events begin with."""


@dataclass(frozen=True, slots=True)
class Interactions:
    """A checked frame of events.

    Attributes:
        frame: Columns ``user`` and ``item`` (Int32, numbers from 1) and, if the source has times,
            ``time`` (Float64, finite, any unit); one row an event, in the order of the source.
            Until the filters have run also the columns they look at, as ``value:NAME``.
        users: Token of each user number, String; user number n stands at n - 1. Not all need have
            events left.
        items: The same of items.
        titles: Item token to the text a person knows it by; empty if the source has none.
        listed: ``user`` or ``item`` to the tokens that a file of its own lists, each once, String;
            what the source does not list has no entry.
        elsewhere: Columns of those files whose value filters have been applied to them.
        remarks: What is doubtful in the source; whoever makes new interactions from these keeps
            them.
    """

    frame: pl.DataFrame
    users: pl.Series
    items: pl.Series
    titles: Mapping[str, str] = field(default_factory=dict)
    listed: dict[str, pl.Series] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def unmet_items(self) -> pl.Series:
        """Items that the .item file lists and nobody met, in its order; String [n]."""
        return self._unmet("item", self.items)

    @property
    def unmet_users(self) -> pl.Series:
        """Users that the .user file lists and who have no event, in its order; String [n]."""
        return self._unmet("user", self.users)

    def _unmet(self, name: str, entries: pl.Series) -> pl.Series:
        listed = self.listed.get(name, pl.Series([], dtype=pl.String))
        if not len(listed):
            return listed
        is_met = np.zeros(len(entries) + 1, dtype=bool)
        is_met[self.frame[name].to_numpy()] = True
        return listed.filter(~is_met[Numbering.of_distinct(entries).find(listed)])

    @property
    def has_times(self) -> bool:
        """Whether events carry a time; without one their order in the source counts."""
        return "time" in self.frame.columns

    def spelled(self) -> pl.DataFrame:
        """Return the frame with the tokens themselves, as String, in place of their numbers."""
        return self.frame.with_columns(
            self.users.gather(self.frame["user"] - 1).alias("user"),
            self.items.gather(self.frame["item"] - 1).alias("item"),
        )

    def __len__(self) -> int:
        """Return the number of events."""
        return self.frame.height


def from_frame(
    frame: pl.DataFrame,
    *,
    user: str = "user",
    item: str = "item",
    time: str | None,
    values: Sequence[str] = (),
    tokens: Mapping[str, pl.Series] | None = None,
    where: str = "the data frame",
) -> Interactions:
    """Check a frame in the user's own columns and bring it into our form.

    Tokens are text: the number 7 and the text "7" are the same item, "007" is another.

    Args:
        frame: One row an event.
        user: Name of the column with users.
        item: Name of the column with items.
        time: Name of the column with times, or None to take the rows in the order they stand.
        values: Names of further columns to keep; those that are not there are left out.
        tokens: Of columns that hold numbers of tokens from 1 (0 or null where there is none),
            those tokens by name of column.
        where: What to call the source in an error text.

    Returns:
        The events in the order of the frame.

    Raises:
        DataError: A column is missing, there is no row, a user or item is null or a fraction,
            or a time is null, not a number, or not finite.
    """
    require_columns(frame.columns, (user, item) if time is None else (user, item, time), where)
    if frame.height == 0:
        raise DataError(f"{where} holds no interactions; it needs at least one row of data")
    tokens = tokens or {}
    user_numbers, users = _checked(frame[user], tokens.get(user), where)
    item_numbers, items = _checked(frame[item], tokens.get(item), where)
    columns = [user_numbers.alias("user"), item_numbers.alias("item")]
    if time is not None:
        columns.append(as_times(frame[time], where).alias("time"))
    columns = [each.rechunk() for each in columns]  # so that they are NumPy's without a copy
    columns += [
        _plain(frame[name], where).alias(VALUE + name) for name in values if name in frame.columns
    ]
    return Interactions(pl.DataFrame(columns), users, items)


def require_columns(names: list[str], wanted: Sequence[str], where: str) -> None:
    """Refuse a table that lacks a column.

    Args:
        names: Columns that are there.
        wanted: Columns that must be.
        where: What to call the table in the error text.

    Raises:
        DataError: One is missing.
    """
    for name in wanted:
        if name not in names:
            raise DataError(
                f"{where} has no column {name!r}{did_you_mean(name, names)} "
                f"(it has: {', '.join(names)})"
            )


def time_column(names: list[str], columns: DataSettings, where: str) -> str | None:
    """Return the column with times, or None if the events shall count in the order they stand.

    Args:
        names: Columns that are there.
        columns: The name of the time column.
        where: What to call the source in an error text.

    Returns:
        Its name; None, with a line in the log, if it has the usual name and is not there.

    Raises:
        DataError: A column of another name was asked for and is not there.
    """
    wanted = columns.time_column
    if wanted in names:
        return wanted
    if wanted != DataSettings().time_column:
        require_columns(names, [wanted], where)
    logger.warning("%s: no column %r, so events count in the order they stand", where, wanted)
    return None


def _checked(
    values: pl.Series, entries: pl.Series | None, where: str
) -> tuple[pl.Series, pl.Series]:
    """Return a column as numbers of tokens, Int32, and the tokens, String.

    Args:
        values: The column.
        entries: The tokens, if the column holds their numbers already, 0 or null for none.
        where: What to call the source in an error text.

    Raises:
        DataError: The column holds what is no token, or a row has none.
    """
    numbers = values
    if entries is None:
        numbering = Numbering()
        numbers = numbered(values, where, numbering)
        entries = numbering.entries
    nameless = entries.index_of("")
    empty = numbers.fill_null(0).is_in([0] if nameless is None else [0, nameless + 1])
    if empty.any():
        raise DataError(_at(empty, values.name, where) + " is empty; fill or drop it")
    return numbers, entries


def numbered(values: pl.Series, where: str, numbering: Numbering, before: int = 0) -> pl.Series:
    """Return the numbers of a column's tokens.

    Args:
        values: The column, text or whole numbers.
        where: What to call the source in an error text.
        numbering: Of all its tokens; is added to.
        before: Rows of the source before these.

    Returns:
        Int32, null where there is no token.

    Raises:
        DataError: The column holds what is no token.
    """
    return numbering.add(_texts(values, where, before))


def _texts(values: pl.Series, where: str, before: int) -> pl.Series:
    if values.dtype.is_nested() or values.dtype in (pl.Duration, pl.Object, pl.Binary):
        raise DataError(
            f"{where}: column {values.name!r} holds {values.dtype}; it needs text or "
            "whole numbers, so cast it to one of them"
        )
    if values.dtype.is_float():
        values = _whole(values.fill_nan(None), where, before)
    return values.cast(pl.String)


def _plain(values: pl.Series, where: str) -> pl.Series:
    """Return a column that a filter can compare.

    Raises:
        DataError: It cannot.
    """
    if values.dtype.is_nested() or values.dtype in (pl.Duration, pl.Object, pl.Binary):
        raise DataError(
            f"{where}: column {values.name!r} holds {values.dtype}; a filter needs text or numbers"
        )
    return values


def _whole(values: pl.Series, where: str, before: int) -> pl.Series:
    """Return numbers that are whole, as integers; missing ones stay missing.

    Args:
        values: Of a float type.
        where: What to call the source in an error text.
        before: Rows of the source before these.

    Returns:
        Int64.

    Raises:
        DataError: One is a fraction or not finite.
    """
    whole = values.cast(pl.Int64, strict=False)
    odd = values.is_not_null() & (whole.is_null() | (whole.cast(values.dtype) != values))
    if odd.any():
        raise DataError(
            _at(odd, values.name, where, before)
            + f" is {values.filter(odd)[0]!r}; users and items are "
            "names or whole numbers"
        )
    return whole


def as_times(values: pl.Series, where: str, before: int = 0) -> pl.Series:
    """Return a column of times as numbers, in the unit of the source; of dates in seconds.

    Args:
        values: The column: numbers, dates, or text that spells either.
        where: What to call the source in an error text.
        before: Rows of the source before these.

    Returns:
        Float64, finite.

    Raises:
        DataError: One is missing, or no time.
    """
    kinds = (pl.Duration, pl.Time, pl.Object, pl.Binary, pl.Categorical, pl.Enum)
    if values.dtype.is_nested() or values.dtype in kinds:
        raise DataError(
            f"{where}: column {values.name!r} holds {values.dtype}; a time is a number or a date"
        )
    if values.dtype == pl.String:
        values = numbers_or_moments(values)
    if values.dtype.is_temporal():
        values = values.cast(pl.Datetime("us")).to_physical() / 1e6
    times = values.cast(pl.Float64, strict=False)
    bad = times.is_null() | ~times.is_finite()
    if values.dtype == pl.String:
        bad = odd_times(values)
    if bad.any():
        raise DataError(
            _at(bad, values.name, where, before)
            + f" is {values.filter(bad)[0]!r}; a time is a number "
            "or a date such as 2024-05-31 or 2024-05-31 18:30:00, all of one kind"
        )
    return times


def _at(bad: pl.Series, column: str, where: str, before: int = 0) -> str:
    return f"{where}, row {before + int(bad.fill_null(True).arg_max() or 0) + 1}: {column!r}"
