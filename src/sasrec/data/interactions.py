"""Interactions: which user used which item, and when; all readers return them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from sasrec.data.checks.doubtful_times import time_remarks
from sasrec.data.checks.doubtful_tokens import token_remarks
from sasrec.data.checks.incomplete import complete_rows
from sasrec.data.item_columns import ItemColumns
from sasrec.data.values.cleaning import numbering_for
from sasrec.data.values.columns import require_columns
from sasrec.data.values.numbering import Numbering
from sasrec.data.values.times import as_times
from sasrec.data.values.tokens import column_tokens, first_location
from sasrec.errors import DataError
from sasrec.remarks import Remark
from sasrec.settings.data import NO_TIMES, DataSettings

VALUE = "value:"
"""Prefix of the names of further columns in a frame of events."""


@dataclass(frozen=True, slots=True)
class Interactions:
    """A checked frame of events.

    Attributes:
        frame: Columns ``user`` and ``item`` (Int32, numbers from 1) and, if the source has times,
            ``time`` (Float64, finite, any unit); one row per event, in the order of the source.
            Until the filters have run, also the columns they need, as ``value:NAME``.
        users: Token of each user number, String; index n - 1 has the token of number n. Some may
            have no events left.
        items: Token of each item number, likewise.
        titles: Item token to its title; empty if the source has none.
        item_columns: Facts about items, such as their category; None if there are none.
        listed: ``user`` or ``item`` to the distinct tokens in the .user or .item file, String; no
            entry for a file that was not read.
        already_filtered: Columns of those files whose value filters have been applied to them.
        columns: Names of all columns of the source, for error messages; empty if they are unknown.
        remarks: Remarks on the source; they must be kept when the interactions are replaced.
    """

    frame: pl.DataFrame
    users: pl.Series
    items: pl.Series
    titles: Mapping[str, str] = field(default_factory=dict)
    item_columns: ItemColumns | None = None
    listed: dict[str, pl.Series] = field(default_factory=dict)
    already_filtered: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def items_without_events(self) -> pl.Series:
        """Items in the .item file that have no event, in its order; String [n]."""
        return self._without_events("item", self.items)

    @property
    def users_without_events(self) -> pl.Series:
        """Users in the .user file who have no event, in its order; String [n]."""
        return self._without_events("user", self.users)

    def _without_events(self, name: str, entries: pl.Series) -> pl.Series:
        listed = self.listed.get(name, pl.Series([], dtype=pl.String))
        if not len(listed):
            return listed
        has_events = np.zeros(len(entries) + 1, dtype=bool)
        has_events[self.frame[name].to_numpy()] = True
        return listed.filter(~has_events[Numbering.of_distinct(entries).find(listed)])

    @property
    def has_times(self) -> bool:
        """Whether events have times; without times, they are in the order of the source."""
        return "time" in self.frame.columns

    def with_tokens(self) -> pl.DataFrame:
        """Return the frame with tokens, String, instead of their numbers."""
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
    settings: DataSettings | None = None,
    remarks: tuple[Remark, ...] = (),
) -> Interactions:
    """Check a data frame and convert it to ``Interactions``.

    Tokens are text: the numbers 7 and 7.0 and the text "7" are the same item, "007" is another.

    Args:
        frame: One row per event.
        user: Name of the column with users.
        item: Name of the column with items.
        time: Name of the column with times, or None to keep the order of the rows.
        values: Names of further columns to keep; names that the frame lacks are ignored.
        tokens: For user and item columns that contain token numbers from 1 (0 or null if missing)
            instead of tokens: name of the column to its tokens.
        where: Name of the data source, for error messages.
        settings: How to clean tokens, what counts as missing, and what to do with incomplete rows;
            None for the defaults.
        remarks: Remarks found while reading the source.

    Returns:
        The events in the order of the frame.

    Raises:
        DataError: A column is missing, there is no row, or a row repeats the header; or a user,
            item or time has an invalid value, or is missing where such rows are not dropped.
    """
    settings = settings or DataSettings()
    required = (user, item) if time is None else (user, item, time)
    require_columns(frame.columns, required, where, settings)
    if frame.height == 0:
        raise DataError(f"{where} has no interactions; it needs at least one row")
    columns, entries = _token_columns(frame, (user, item), tokens or {}, where, settings)
    lacking = dict(zip((user, item), map(_without_token, columns, entries), strict=True))
    if time is None:
        remarks += (_no_times(settings, frame),)
    else:
        times, found = as_times(frame[time], where, settings=settings)
        remarks += found
        columns.append(times.alias("time"))
        lacking[time] = times.is_nan()
    columns = [each.rechunk() for each in columns]  # single chunks become NumPy without a copy
    present = [name for name in values if name in frame.columns]
    columns += [
        _comparable(frame[name], where).alias(VALUE + name)
        if name in settings.value_intervals
        else frame[name].alias(VALUE + name)
        for name in present
    ]
    _check_for_header(columns[:2], entries, (user, item), where)
    events, dropped = complete_rows(pl.DataFrame(columns), lacking, settings, where)
    remarks += dropped + _token_remarks(events, entries, (user, item), settings)
    if time is not None:
        remarks += time_remarks(events["time"].to_numpy(), time, where)
    return Interactions(events, entries[0], entries[1], remarks=remarks)


def _token_columns(
    frame: pl.DataFrame,
    names: tuple[str, str],
    tokens: Mapping[str, pl.Series],
    where: str,
    settings: DataSettings,
) -> tuple[list[pl.Series], list[pl.Series]]:
    """Return the ``user`` and ``item`` columns as numbers, Int32, and the tokens of each, String.

    Args:
        frame: One row per event.
        names: Names of the columns with users and items.
        tokens: The tokens of columns that contain token numbers already.
        where: Name of the data source, for error messages.
        settings: How to clean tokens.
    """
    columns: list[pl.Series] = []
    entries: list[pl.Series] = []
    for name, own in zip(names, ("user", "item"), strict=True):
        numbers, texts = _numbered(frame[name], tokens.get(name), where, settings)
        columns.append(numbers.alias(own))
        entries.append(texts)
    return columns, entries


def _numbered(
    values: pl.Series, entries: pl.Series | None, where: str, settings: DataSettings
) -> tuple[pl.Series, pl.Series]:
    """Return a column as token numbers, Int32, 0 or null if missing, and the tokens, String.

    Args:
        values: The column.
        entries: The tokens, if the column contains their numbers already.
        where: Name of the data source, for error messages.
        settings: How to clean tokens.

    Raises:
        DataError: A value cannot be a token.
    """
    if entries is not None:
        return values, entries
    numbering = numbering_for(settings)
    numbers = numbering.add(column_tokens(values, where))
    return numbers, numbering.entries


def _check_for_header(
    numbers: Sequence[pl.Series], entries: Sequence[pl.Series], names: Sequence[str], where: str
) -> None:
    """Raise an error if a row repeats the header, which happens when files are concatenated.

    Args:
        numbers: Token numbers of the user and the item column.
        entries: Tokens of users and of items.
        names: Names of the two columns.
        where: Name of the data source, for error messages.

    Raises:
        DataError: A row repeats the header.
    """
    found = []
    for each, texts, name in zip(numbers, entries, names, strict=True):
        indices = [texts.index_of(text) for text in (name, f"{name}:token")]
        found.append(each.is_in([index + 1 for index in indices if index is not None]))
    repeats = (found[0] & found[1]).fill_null(value=False)
    if repeats.any():
        count = int(repeats.sum())
        rows = "this row" if count == 1 else f"these {count:,} rows"
        raise DataError(
            f"{first_location(repeats, names[0], where)} and {names[1]!r} are the names of their "
            f"columns: the header is repeated there, as in files that were joined; delete {rows}"
        )


def _token_remarks(
    events: pl.DataFrame,
    entries: Sequence[pl.Series],
    names: tuple[str, str],
    settings: DataSettings,
) -> tuple[Remark, ...]:
    """Return remarks on the tokens of users and items.

    Args:
        events: Columns ``user`` and ``item``, token numbers.
        entries: Tokens of users and of items.
        names: Names of the two columns in the source.
        settings: Its ``missing_values``.
    """
    remarks: tuple[Remark, ...] = ()
    for own, texts, name in zip(("user", "item"), entries, names, strict=True):
        numbers = events[own].to_numpy()
        remarks += token_remarks(texts, numbers, name, missing=settings.missing_values)
    return remarks


def _without_token(numbers: pl.Series, entries: pl.Series) -> pl.Series:
    """Return which rows have no token, or an empty one; Boolean [n]."""
    empty = entries.index_of("")
    return numbers.fill_null(0).is_in([0] if empty is None else [0, empty + 1])


def _no_times(settings: DataSettings, frame: pl.DataFrame) -> Remark:
    """Return a remark that events are in the order of the rows, and why."""
    reason = f"there is no column {settings.time_column!r}"
    if settings.time_column == NO_TIMES:
        reason = f"no times are read (time_column={NO_TIMES})"
    return Remark("no_times", frame.height, f"{reason}, so the order of the rows is used")


def _comparable(values: pl.Series, where: str) -> pl.Series:
    """Return a column that a filter can compare.

    Raises:
        DataError: The column has a type that filters cannot compare.
    """
    if values.dtype.is_nested() or values.dtype in (pl.Duration, pl.Object, pl.Binary):
        raise DataError(
            f"{where}: column {values.name!r} has type {values.dtype}, which cannot be filtered; "
            "convert it to text or numbers"
        )
    return values
