"""Interactions: who did something with what, and when; the one form every reader produces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from sasrec.data.checks.doubtful_times import time_remarks
from sasrec.data.checks.doubtful_tokens import token_remarks
from sasrec.data.checks.incomplete import complete_rows
from sasrec.data.checks.remarks import Remark
from sasrec.data.values.cleaning import numbering_for
from sasrec.data.values.numbering import Numbering
from sasrec.data.values.times import as_times
from sasrec.data.values.timestamps import Zones
from sasrec.data.values.tokens import place_of, spelled
from sasrec.errors import DataError, did_you_mean
from sasrec.settings.data import NO_TIMES, DataSettings

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
    settings: DataSettings | None = None,
    remarks: tuple[Remark, ...] = (),
) -> Interactions:
    """Check a frame in the user's own columns and bring it into our form.

    Tokens are text: the numbers 7 and 7.0 and the text "7" are the same item, "007" is another.

    Args:
        frame: One row an event.
        user: Name of the column with users.
        item: Name of the column with items.
        time: Name of the column with times, or None to take the rows in the order they stand.
        values: Names of further columns to keep; those that are not there are left out.
        tokens: Of columns that hold numbers of tokens from 1 (0 or null where there is none),
            those tokens by name of column.
        where: What to call the source in an error text.
        settings: How tokens are cleaned, what is missing, and what becomes of incomplete rows;
            None for the defaults.
        remarks: What has been found doubtful in the source before.

    Returns:
        The events in the order of the frame.

    Raises:
        DataError: A column is missing, there is no row, or a row repeats the header; or a user,
            item or time has an invalid value, or is missing where such rows are not dropped.
    """
    require_columns(frame.columns, (user, item) if time is None else (user, item, time), where)
    if frame.height == 0:
        raise DataError(f"{where} holds no interactions; it needs at least one row of data")
    settings = settings or DataSettings()
    columns, entries = _token_columns(frame, (user, item), tokens or {}, where, settings)
    lacking = dict(zip((user, item), map(_without_token, columns, entries), strict=True))
    if time is None:
        remarks += (_no_times(settings, frame),)
    else:
        times, zone_remarks = _times(frame[time], where, settings)
        remarks += zone_remarks
        columns.append(times.alias("time"))
        lacking[time] = times.is_nan()
    columns = [each.rechunk() for each in columns]  # so that they are NumPy's without a copy
    columns += [
        _plain(frame[name], where).alias(VALUE + name) for name in values if name in frame.columns
    ]
    _refuse_header(columns[:2], entries, (user, item), where)
    events, dropped = complete_rows(pl.DataFrame(columns), lacking, settings, where)
    remarks += dropped
    for name, own, texts in ((user, "user", entries[0]), (item, "item", entries[1])):
        numbers = events[own].to_numpy()
        remarks += token_remarks(texts, numbers, name, missing=settings.missing_values)
    if time is not None:
        remarks += time_remarks(events["time"].to_numpy(), time, where)
    return Interactions(events, entries[0], entries[1], remarks=remarks)


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


def _token_columns(
    frame: pl.DataFrame,
    names: tuple[str, str],
    tokens: Mapping[str, pl.Series],
    where: str,
    settings: DataSettings,
) -> tuple[list[pl.Series], list[pl.Series]]:
    """Return the ``user`` and ``item`` columns as numbers, Int32, and the tokens of each, String.

    Args:
        frame: One row an event.
        names: Columns with users and items.
        tokens: The tokens of columns that hold their numbers already.
        where: What to call the source in an error text.
        settings: How tokens are cleaned.
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
    """Return a column as numbers of tokens, Int32, 0 or null for none, and the tokens, String.

    Args:
        values: The column.
        entries: The tokens, if the column holds their numbers already.
        where: What to call the source in an error text.
        settings: How tokens are spelled.

    Raises:
        DataError: The column holds what is no token.
    """
    if entries is not None:
        return values, entries
    numbering = numbering_for(settings)
    numbers = numbering.add(spelled(values, where))
    return numbers, numbering.entries


def _refuse_header(
    numbers: Sequence[pl.Series], entries: Sequence[pl.Series], names: Sequence[str], where: str
) -> None:
    """Refuse a row that repeats the header, as where files were put one behind the other.

    Args:
        numbers: Number of the user and of the item of each row.
        entries: Tokens of users and of items.
        names: Of the two columns.
        where: What to call the source in an error text.

    Raises:
        DataError: There is one.
    """
    found = []
    for each, texts, name in zip(numbers, entries, names, strict=True):
        places = [texts.index_of(text) for text in (name, f"{name}:token")]
        found.append(each.is_in([place + 1 for place in places if place is not None]))
    repeats = (found[0] & found[1]).fill_null(value=False)
    if repeats.any():
        raise DataError(
            f"{place_of(repeats, names[0], where)} is the name of the column, and so is "
            f"{names[1]!r}: the header stands there again, as where files were joined; drop that "
            f"row ({int(repeats.sum()):,} in all)"
        )


def _without_token(numbers: pl.Series, entries: pl.Series) -> pl.Series:
    """Return which rows have no token, or an empty one; Boolean [n]."""
    nameless = entries.index_of("")
    return numbers.fill_null(0).is_in([0] if nameless is None else [0, nameless + 1])


def _times(
    values: pl.Series, where: str, settings: DataSettings
) -> tuple[pl.Series, tuple[Remark, ...]]:
    zones = Zones()
    times = as_times(values, where, missing=settings.missing_values, zones=zones)
    return times, zones.remarks(values.name)


def _no_times(settings: DataSettings, frame: pl.DataFrame) -> Remark:
    """Return that events count in the order of the rows, and why."""
    why = f"no column {settings.time_column!r}"
    if settings.time_column == NO_TIMES:
        why = f"no times are read (time_column={NO_TIMES})"
    return Remark("no_times", frame.height, f"{why}, so events count in the order they stand")


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
