"""Chooses rows before all other filters: by date (since, until) and by value (where)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from sasrec.data.date_splits import span_of, time_of
from sasrec.data.interactions import VALUE, Interactions
from sasrec.data.removals import removed
from sasrec.data.row_conditions import compared_columns, possible_columns, rows_that_meet
from sasrec.data.values.cleaning import without_missing
from sasrec.data.values.parsed_texts import comma_remark, parsed_texts
from sasrec.errors import DataError, SettingsError, counted, did_you_mean
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings
from sasrec.settings.text_tables import ITEM, USER


def choose_rows(
    events: Interactions, settings: DataSettings, where: str, *, texts_only: bool
) -> Interactions:
    """Return the events between two dates whose rows meet all conditions.

    Args:
        events: All events, with the value columns that conditions need.
        settings: ``since``, ``until`` and ``where``.
        where: Name of the data source, for error messages.
        texts_only: Whether the source has no types, so that texts may mean numbers.

    Returns:
        The chosen events, with remarks that count the others, without value columns that only
        conditions need.

    Raises:
        DataError: No event is left, or a date is given and the events have no dates.
        SettingsError: A condition is none, or names a column that does not exist.
    """  # raised by rows_that_meet
    if settings.since is not None or settings.until is not None:
        events = _between(events, settings, where)
    if not settings.where:
        return events
    columns, found = _columns(events, settings, texts_only=texts_only)
    frame, remarks = events.frame, (*events.remarks, *found)
    kept = np.ones(frame.height, dtype=bool)
    for text in settings.where:
        _check_names(text, columns, events, settings)
        met, unknown = rows_that_meet(text, columns)
        before, kept = kept, kept & met
        rest = frame.filter(pl.Series(kept))
        _require_rows(rest, f"{where}: where={text!r}")
        missing = f"; {counted(unknown, 'row')} had a missing value there" if unknown else ""
        remarks += removed(
            "where", f"where={text!r}", frame.filter(pl.Series(before)), rest, missing
        )
    return replace(
        events,
        frame=frame.filter(pl.Series(kept)).drop(_unneeded(frame, settings)),
        remarks=remarks,
    )


def _between(events: Interactions, settings: DataSettings, where: str) -> Interactions:
    """Return the events from ``since`` on and before ``until``.

    Raises:
        DataError: The events have no times, or none of them is in between.
    """
    given = {key: getattr(settings, key) for key in ("since", "until")}
    first = next(key for key, value in given.items() if value is not None)
    if not events.has_times:
        raise DataError(
            f"{where}: {first} needs times; set time_column to the column with times, or remove "
            f"{first}"
        )
    frame, remarks = events.frame, events.remarks
    times = frame["time"].to_numpy()
    for key, text in given.items():
        if text is None:
            continue
        bound = time_of(key, text, times)
        kept = pl.col("time") >= bound if key == "since" else pl.col("time") < bound
        rest = frame.filter(kept)
        _require_rows(rest, f"{where}: {key}={text}", f"; {span_of(times)}")
        remarks += removed(key, f"{key}={text}", frame, rest)
        frame = rest
    return replace(events, frame=frame, remarks=remarks)


def _columns(
    events: Interactions, settings: DataSettings, *, texts_only: bool
) -> tuple[dict[str, pl.Series], list[Remark]]:
    """Return the columns that the conditions name, by their names in the source, with remarks."""
    names = {name for text in settings.where for name in possible_columns(text)}
    found: dict[str, pl.Series] = {}
    remarks: list[Remark] = []
    for name in names:
        if VALUE + name in events.frame.columns:
            values = events.frame[VALUE + name]
            if values.dtype == pl.String:
                values = without_missing(values, ["", *settings.missing_values])
                parsed = parsed_texts(values) if texts_only else values
                remarks += comma_remark(values.alias(name), parsed)
                values = parsed
            found[name] = values
    roles = [(settings.user_column, USER), (settings.item_column, ITEM)]
    if settings.columns is not None:  # these words name the columns of a file without a header
        roles += [(USER, USER), (ITEM, ITEM)]
    for name, own in roles:
        if name in names and name not in found:
            tokens = events.users if own == USER else events.items
            found[name] = tokens.gather(events.frame[own] - 1)
    return found, remarks


def _check_names(
    text: str, columns: Mapping[str, pl.Series], events: Interactions, settings: DataSettings
) -> None:
    """Refuse a condition on times, or one that names no column of the data.

    Raises:
        SettingsError: It is one.
    """
    names = compared_columns(text, columns)
    if not names:
        raise SettingsError(
            f"where: {text!r} names no column, so it would keep all rows or none; compare a column,"
            " as in 'price > 0'"
        )
    if settings.time_column in names and events.has_times:
        raise SettingsError(
            f"where: {text!r} compares the times; choose events by time with since and until, such "
            "as since=2024-05-31"
        )
    missing = [name for name in names if name not in columns]
    if missing:
        known = events.columns
        shown = f" (columns: {', '.join(known)})" if known else ""
        raise SettingsError(
            f"where: {text!r}: the data have no column {missing[-1]!r}"
            f"{did_you_mean(missing[-1], known)}{shown}; write texts as 'text'"
        )


def _unneeded(frame: pl.DataFrame, settings: DataSettings) -> list[str]:
    """Return the value columns that nothing but conditions needs."""
    needed = {
        *settings.value_intervals,
        *(settings.item_columns or ()),
        *settings.content_types,
        settings.title_column,
        settings.type_column,
    }
    values = [name for name in frame.columns if name.startswith(VALUE)]
    return [name for name in values if name.removeprefix(VALUE) not in needed]


def _require_rows(frame: pl.DataFrame, what: str, hint: str = "") -> None:
    if not frame.height:
        raise DataError(f"{what} removes all interactions; loosen the filter{hint}")
