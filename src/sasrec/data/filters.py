"""Filters: which events are kept, by repetition, by value, and by counts of users and items.

They run in the order of RecBole: repetitions, values, listed users and items, counts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from sasrec.data.count_filters import in_any, within_counts, without_active_users
from sasrec.data.event_types import distinct_events
from sasrec.data.interactions import VALUE, Interactions
from sasrec.data.removals import removed
from sasrec.data.row_conditions import possible_columns
from sasrec.data.values.intervals import Interval, parse_intervals
from sasrec.data.values.numbering import Numbering, occurrences
from sasrec.data.values.value_filter import ValueFilter
from sasrec.errors import DataError, did_you_mean
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings

NUMBERED = ("user", "item")
"""Columns that contain token numbers."""


def apply_filters(interactions: Interactions, settings: DataSettings, where: str) -> Interactions:
    """Return the events that pass all filters, in their order.

    Args:
        interactions: All events, with the value columns that the filters need.
        settings: The filters.
        where: Name of the data source, for error messages.

    Returns:
        The remaining events, without value columns.

    Raises:
        DataError: No event is left, or a filter names a column that does not exist.
        SettingsError: An interval is invalid.
    """  # raised by parse_intervals
    frame, remarks = interactions.frame, list(interactions.remarks)
    if settings.duplicates is not None:
        before, frame = frame, distinct_events(frame, settings.duplicates)
        frame = _unless_empty(frame, f"{where}: rm_dup_inter")
        remarks += removed("duplicates", f"duplicates={settings.duplicates}", before, frame)
    for field in settings.value_intervals:
        before = frame
        frame, found = _within_values(frame, field, interactions, settings, where)
        text = f"value_intervals {_condition_text(field, settings)}"
        remarks += (*found, *removed("value_intervals", text, before, frame))
    if settings.only_listed:
        before, what = frame, "the filter by the .user and .item files"
        frame = _unless_empty(_listed_only(frame, interactions), f"{where}: {what}")
        remarks += removed("only_listed", what, before, frame)
    frame, listed, told = _by_activity(frame, interactions, settings, where)
    remarks += told
    own = [name for name in frame.columns if not name.startswith(VALUE)]
    return replace(
        interactions,
        frame=frame.select(own),
        listed=listed,
        already_filtered=(),
        remarks=tuple(remarks),
    )


def _by_activity(
    frame: pl.DataFrame, interactions: Interactions, settings: DataSettings, where: str
) -> tuple[pl.DataFrame, dict[str, pl.Series], list[Remark]]:
    """Return the events that pass the filters by numbers of events, as ``apply_filters`` does.

    Args:
        frame: Events that are left so far.
        interactions: All events, with the tokens of users and items.
        settings: The filters.
        where: Name of the data source, for error messages.

    Returns:
        The events; the listed users and items that remain; and remarks.
    """
    remarks: list[Remark] = []
    if (most := settings.max_user_events) is not None:
        before, frame = frame, without_active_users(frame, most)
        frame = _unless_empty(frame, f"{where}: max_user_events={most}")
        remarks += removed("max_user_events", f"max_user_events={most}", before, frame)
    rules = {
        "user": _intervals_or_all(settings.user_interactions, "user_inter_num_interval"),
        "item": _intervals_or_all(settings.item_interactions, "item_inter_num_interval"),
    }
    listed = {
        name: _listed_after_counts(tokens, _entries(interactions, name), frame[name], rules[name])
        for name, tokens in interactions.listed.items()
    }
    before, frame = frame, within_counts(frame, users=rules["user"], items=rules["item"])
    texts = {
        "user_inter_num_interval": settings.user_interactions,
        "item_inter_num_interval": settings.item_interactions,
    }
    given = " and ".join(f"{key} {value!r}" for key, value in texts.items() if value is not None)
    frame = _unless_empty(frame, f"{where}: {given}")
    remarks += removed("interactions", given, before, frame)
    return frame, listed, remarks


def _within_values(
    frame: pl.DataFrame, field: str, interactions: Interactions, settings: DataSettings, where: str
) -> tuple[pl.DataFrame, tuple[Remark, ...]]:
    """Return the events that pass the filter of one column, and remarks about the filter.

    Args:
        frame: Events that are left so far.
        field: A column, by its name in ``value_intervals``.
        interactions: All events, with the tokens of users and items.
        settings: The filters.
        where: Name of the data source, for error messages.

    Raises:
        DataError: The column does not exist, or no event is left.
    """
    name = _column_of(field, settings, frame)
    if name is None and field in interactions.already_filtered:
        return frame, ()
    if name is None:
        raise DataError(_no_column(field, settings, interactions.frame, where))
    condition = settings.value_intervals[field]
    rule = ValueFilter(field, condition)
    if name in NUMBERED:
        frame = _of_tokens(frame, name, rule.matches_tokens(_entries(interactions, name)))
    else:
        kept = rule.matches(frame[name])
        frame = (frame if name == "time" else frame.drop(name)).filter(kept)
    what = f"{where}: value_intervals {_condition_text(field, settings)}"
    return _unless_empty(frame, what, rule.hint), rule.remarks()


def _condition_text(field: str, settings: DataSettings) -> str:
    condition = settings.value_intervals[field]
    shown = repr(condition if isinstance(condition, str) else list(condition))
    return f"{{{field!r}: {shown}}}"


def _listed_after_counts(
    listed: pl.Series, entries: pl.Series, events: pl.Series, rule: tuple[Interval, ...]
) -> pl.Series:
    """Return the listed users or items that remain after the filter by number of events.

    As in RecBole (``Dataset._get_illegal_ids_by_inter_num``): if the intervals begin above 0, only
    users or items with events remain, so the list becomes empty. If they begin at 0, those without
    events remain, and those whose number of events was allowed before the filter was first applied.

    Args:
        listed: Tokens of the .user or .item file, String.
        entries: Token of each number in ``events``.
        events: User or item of each event before the filter, Int32.
        rule: Allowed numbers of events; empty allows all.

    Returns:
        Some of the listed tokens, in their order.
    """
    if not rule:
        return listed
    if rule[0].low > 0:
        return listed.clear()
    counts = occurrences(events.to_numpy(), len(entries))
    counted = pl.DataFrame({"count": pl.Series(counts)}).select(in_any(rule, pl.col("count")))
    allowed = counted.to_series().to_numpy().copy()
    allowed[counts == 0] = True  # tokens without events have number 0
    return listed.filter(pl.Series(allowed[Numbering.of_distinct(entries).find(listed)]))


def filter_columns(settings: DataSettings) -> list[str]:
    """Return the columns that ``value_intervals`` and ``where`` name.

    Args:
        settings: The filters.

    Returns:
        Names; some may be texts to compare with.

    Raises:
        SettingsError: A condition of ``where`` is invalid.
    """  # raised by possible_columns
    conditions = (name for text in settings.where for name in possible_columns(text))
    return list(dict.fromkeys([*settings.value_intervals, *conditions]))


def needed_columns(settings: DataSettings) -> list[str]:
    """Return the columns that filters need or that are about items, and that of event types.

    Args:
        settings: The filters, the item columns and the column of event types.

    Returns:
        The names of the columns in the source.
    """
    known = {settings.user_column, settings.item_column, settings.time_column}
    names = [*filter_columns(settings), *(settings.item_columns or ()), *settings.content_types]
    names += [each for each in (settings.title_column, settings.type_column) if each is not None]
    return [name for name in dict.fromkeys(names) if name not in known]


def loaded_columns(names: list[str], source: str, columns: DataSettings) -> list[str]:
    """Return the columns of a file that ``load_col`` and ``unload_col`` select.

    Args:
        names: Columns of the file.
        source: ``inter``, ``user`` or ``item``.
        columns: The two settings.

    Returns:
        Some of the names, in their order.

    Raises:
        DataError: The file lacks a column to load but has one with a similar name, so the name in
            the settings is probably misspelled.
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
        f"{where}: value_intervals names a column {field!r} that does not exist"
        f"{did_you_mean(field, known)}; to filter by a column of the .user or .item file, add it "
        "to load_col"
    )


def _listed_only(frame: pl.DataFrame, interactions: Interactions) -> pl.DataFrame:
    """Return the events whose user and item are in the .user and .item files that were read."""
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
        chosen: Boolean, one per token; index n - 1 is for number n.
    """
    return frame.filter(chosen.gather(frame[name] - 1))


def _unless_empty(frame: pl.DataFrame, what: str, hint: str = "") -> pl.DataFrame:
    if not frame.height:
        raise DataError(f"{what} removes all interactions; loosen the filter{hint}")
    return frame
