"""Filters: which events are kept, by values, by repetition, by how often users and items occur.

They run in RecBole's order: repetitions, values, listed users and items, counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import polars as pl

from sasrec.data.checks.remarks import Remark
from sasrec.data.duplicates import without_duplicates
from sasrec.data.interactions import VALUE, Interactions
from sasrec.data.values.comparable import ValueFilter
from sasrec.data.values.intervals import Interval, parse_intervals
from sasrec.data.values.numbering import Numbering, occurrences
from sasrec.errors import DataError, did_you_mean
from sasrec.settings.data import DataSettings

NUMBERED = ("user", "item")
"""Columns of numbers of tokens."""


def apply_filters(interactions: Interactions, settings: DataSettings, where: str) -> Interactions:
    """Return the events that the settings keep, in the order they stood.

    Args:
        interactions: All events, with the value columns that the settings ask for.
        settings: Which filters.
        where: What to call the source in an error text.

    Returns:
        The kept events, without value columns.

    Raises:
        DataError: Nothing is left, or a filter names a column that the data do not have.
        SettingsError: An interval cannot be read.
    """  # by parse_intervals
    frame, remarks = interactions.frame, list(interactions.remarks)
    if settings.duplicates is not None:
        frame = without_duplicates(frame, settings.duplicates)
        frame = _unless_empty(frame, f"{where}: rm_dup_inter")
    for field in settings.value_intervals:
        frame, found = _within_values(frame, field, interactions, settings, where)
        remarks += found
    if settings.only_listed:
        frame = _unless_empty(
            _listed(frame, interactions), f"{where}: the lists of users and items"
        )
    rules = {
        "user": _intervals_or_all(settings.user_interactions, "user_inter_num_interval"),
        "item": _intervals_or_all(settings.item_interactions, "item_inter_num_interval"),
    }
    listed = {
        name: _still_listed(tokens, _entries(interactions, name), frame[name], rules[name])
        for name, tokens in interactions.listed.items()
    }
    frame = within_counts(frame, users=rules["user"], items=rules["item"])
    asked = {
        "user_inter_num_interval": settings.user_interactions,
        "item_inter_num_interval": settings.item_interactions,
    }
    given = " and ".join(f"{key} {value!r}" for key, value in asked.items() if value is not None)
    frame = _unless_empty(frame, f"{where}: {given}")
    own = [name for name in frame.columns if not name.startswith(VALUE)]
    return replace(
        interactions,
        frame=frame.select(own),
        listed=listed,
        elsewhere=(),
        remarks=tuple(remarks),
    )


def _within_values(
    frame: pl.DataFrame, field: str, interactions: Interactions, settings: DataSettings, where: str
) -> tuple[pl.DataFrame, tuple[Remark, ...]]:
    """Return the events that the filter of one column keeps, and remarks about the filter.

    Args:
        frame: Events that are left so far.
        field: A column, as ``value_intervals`` names it.
        interactions: All events, with the tokens of users and items.
        settings: Which filters.
        where: What to call the source in an error text.

    Raises:
        DataError: There is no such column, or no event is left.
    """
    name = _column_of(field, settings, frame)
    if name is None and field in interactions.elsewhere:
        return frame, ()
    if name is None:
        raise DataError(_no_column(field, settings, interactions.frame, where))
    wanted = settings.value_intervals[field]
    rule = ValueFilter(field, wanted)
    if name in NUMBERED:
        frame = _of_tokens(frame, name, rule.matches_tokens(_entries(interactions, name)))
    else:
        kept = rule.matches(frame[name])
        frame = (frame if name == "time" else frame.drop(name)).filter(kept)
    asked_for = repr(wanted if isinstance(wanted, str) else list(wanted))
    what = f"{where}: val_interval {{{field!r}: {asked_for}}}"
    return _unless_empty(frame, what, rule.hint), rule.remarks()


def _still_listed(
    listed: pl.Series, entries: pl.Series, events: pl.Series, rule: tuple[Interval, ...]
) -> pl.Series:
    """Return the listed users or items that a rule for numbers of events leaves.

    As in RecBole (``Dataset._get_illegal_ids_by_inter_num``), one without events stays where the
    rule begins at 0, and one with events only where their number was allowed at first; further
    rounds take events away, and with them users or items only where the rule begins above 0.

    Args:
        listed: Tokens of the .user or .item file, String.
        entries: Tokens of those that events have.
        events: User or item of each event before any was taken away by its number, Int32.
        rule: Numbers of events allowed; empty allows all.

    Returns:
        Some of the listed tokens, in their order.
    """
    if not rule:
        return listed
    if rule[0].low > 0:
        return listed.clear()
    counts = occurrences(events.to_numpy(), len(entries))
    counted = pl.DataFrame({"count": pl.Series(counts)}).select(_any(rule, pl.col("count")))
    allowed = counted.to_series().to_numpy().copy()
    allowed[counts == 0] = True  # number 0 is that of tokens without events
    return listed.filter(pl.Series(allowed[Numbering.of_distinct(entries).find(listed)]))


def within_counts(
    frame: pl.DataFrame, *, users: tuple[Interval, ...], items: tuple[Interval, ...]
) -> pl.DataFrame:
    """Return the events of users and items that occur often enough, and not too often.

    Taking events away changes the counts, so it is repeated until nothing changes (with lower
    ends alone this is the k-core). Both counts of a round are taken before either is applied.

    Args:
        frame: Columns ``user`` and ``item``, Int32, none negative.
        users: Numbers of events a user may have; empty allows all.
        items: Numbers of events an item may have; empty allows all.

    Returns:
        The kept rows, in their order.
    """
    rules = [(name, rule) for name, rule in (("user", users), ("item", items)) if rule]
    while rules and frame.height:
        kept = [_counted(frame[name], rule) for name, rule in rules]
        fewer = frame.filter(*kept)
        if fewer.height == frame.height:
            break
        frame = fewer
    return frame


def _counted(numbers: pl.Series, rule: tuple[Interval, ...]) -> pl.Series:
    """Return whether each number occurs as often as a rule allows; Boolean [n]."""
    values = numbers.to_numpy()
    counts = pl.Series("count", occurrences(values, int(values.max())))
    allowed = counts.to_frame().select(_any(rule, pl.col("count"))).to_series()
    return allowed.gather(numbers)


def needed_columns(settings: DataSettings) -> list[str]:
    """Return the columns that filters look at beside user, item and time.

    Args:
        settings: Which filters.

    Returns:
        Their names in the file.
    """
    known = {settings.user_column, settings.item_column, settings.time_column}
    return [name for name in settings.value_intervals if name not in known]


def loaded_columns(names: list[str], source: str, columns: DataSettings) -> list[str]:
    """Return the columns of a file that ``load_col`` and ``unload_col`` let through.

    Args:
        names: Columns of the file.
        source: ``inter``, ``user`` or ``item``.
        columns: The two settings.

    Returns:
        Some of the names, in their order.

    Raises:
        DataError: A name to load is missing, and another is so like it that it is a slip.
    """
    load, unload = columns.load_columns, columns.unload_columns
    chosen = None if load is None else load.get(source, ())
    if chosen is not None and chosen != "*":
        for name in set(chosen) - set(names):
            if meant := did_you_mean(name, set(names) - set(chosen)):
                raise DataError(f"load_col: the .{source} file has no column {name!r}{meant}")
        return [name for name in names if name in chosen]
    return [name for name in names if name not in (unload or {}).get(source, ())]


def _intervals_or_all(text: str | None, key: str) -> tuple[Interval, ...]:
    return () if text is None else parse_intervals(text, key)


def _any(intervals: Iterable[Interval], values: pl.Expr) -> pl.Expr:
    return pl.any_horizontal(interval.holds(values) for interval in intervals)


def _column_of(field: str, settings: DataSettings, frame: pl.DataFrame) -> str | None:
    names = {
        settings.user_column: "user",
        settings.item_column: "item",
        settings.time_column: "time",
    }
    name = names.get(field, VALUE + field)
    return name if name in frame.columns else None


def _no_column(field: str, settings: DataSettings, frame: pl.DataFrame, where: str) -> str:
    known = [settings.user_column, settings.item_column, settings.time_column]
    known += [name.removeprefix(VALUE) for name in frame.columns if name.startswith(VALUE)]
    return (
        f"{where}: val_interval names the column {field!r}, which is not there"
        f"{did_you_mean(field, known)}; a column of the .user or .item file must be named in "
        "load_col"
    )


def _listed(frame: pl.DataFrame, interactions: Interactions) -> pl.DataFrame:
    for name, tokens in interactions.listed.items():
        entries = _entries(interactions, name)
        chosen = np.zeros(len(entries) + 1, dtype=bool)
        chosen[Numbering.of_distinct(entries).find(tokens)] = True
        frame = _of_tokens(frame, name, pl.Series(chosen[1:]))
    return frame


def _entries(interactions: Interactions, name: str) -> pl.Series:
    return interactions.users if name == "user" else interactions.items


def _of_tokens(frame: pl.DataFrame, name: str, chosen: pl.Series) -> pl.DataFrame:
    """Return the events of chosen users or items.

    Args:
        frame: The events.
        name: ``user`` or ``item``.
        chosen: Boolean, one a token; token n stands at n - 1.
    """
    return frame.filter(chosen.gather(frame[name] - 1))


def _unless_empty(frame: pl.DataFrame, what: str, hint: str = "") -> pl.DataFrame:
    if not frame.height:
        raise DataError(f"{what} leaves no interactions; allow more{hint}")
    return frame
