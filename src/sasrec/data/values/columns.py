"""Checks that a source has the columns for users, items and times, and finds the time column."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from sasrec.data.values.column_names import likely_items, likely_times, likely_users
from sasrec.errors import SettingNeeded, nearest
from sasrec.settings.data import NO_TIMES, DataSettings

RECOGNISED = {"user_column": likely_users, "item_column": likely_items}
"""Setting to a function that finds such columns, the most likely first."""
MISSPELLED = 0.8
"""Names at least this similar to a default are taken for misspellings before others are looked
for."""


class MissingColumnsError(SettingNeeded):
    """A source has no column for users, items or times."""


class MissingTypesError(SettingNeeded):
    """A source has all columns but that of event types."""


@dataclass(frozen=True, slots=True)
class _Missing:
    """A column that a source lacks.

    Attributes:
        name: Name of the column.
        setting: The setting that names it, or None.
        guess: A column of the source that may be meant, or None.
    """

    name: str
    setting: str | None
    guess: str | None

    def __str__(self) -> str:
        return repr(self.name) + ("" if self.guess is None else f" (did you mean {self.guess!r}?)")

    @property
    def option(self) -> str:
        value = "NAME" if self.guess is None else shlex.quote(self.guess)
        return f"--{(self.setting or '').replace('_', '-')}={value}"

    @property
    def argument(self) -> str:
        return f"{self.setting}={self.guess or 'NAME'!r}"


def time_column(names: list[str], columns: DataSettings, where: str) -> str | None:
    """Return the name of the time column, after checking that no needed column is missing.

    Args:
        names: Columns of the source.
        columns: The names of the columns for users, items and times.
        where: Name of the data source, for error messages.

    Returns:
        The name; None, so that events are in the order of the rows, if no times are to be read, or
        if the time column has its default name and there is no such column nor a similar one.

    Raises:
        MissingColumnsError: The user or item column is missing; the time column has another name
            than the default and is missing; or the default one is missing and another column looks
            like times. The message names all missing columns.
        MissingTypesError: Only the column of event types is missing.
    """
    missing = _missing(names, (columns.user_column, columns.item_column), columns)
    name = columns.time_column
    times = None if name == NO_TIMES or name in names else _missing_times(names, columns)
    if missing or times is not None:
        missing += [] if times is None else [times]
        raise MissingColumnsError(_text(missing, names, where), _choices(missing))
    types = [] if columns.type_column is None else [columns.type_column]
    if missing := _missing(names, types, columns):
        raise MissingTypesError(_text(missing, names, where), _choices(missing))
    return name if name in names else None


def require_columns(
    names: list[str], required: Sequence[str], where: str, columns: DataSettings
) -> None:
    """Raise an error if a table lacks a column.

    Args:
        names: Columns of the table.
        required: Columns that it must have.
        where: Name of the data source, for error messages.
        columns: The names of the columns for users, items and times; the message tells which
            setting names a missing column.

    Raises:
        SettingNeeded: Required columns are missing; the message names all of them.
    """
    if missing := _missing(names, required, columns):
        raise SettingNeeded(_text(missing, names, where), _choices(missing))


def _missing(names: list[str], required: Sequence[str], columns: DataSettings) -> list[_Missing]:
    settings = {
        getattr(columns, setting): setting
        for setting in ("user_column", "item_column", "time_column", "type_column")
    }
    free = [name for name in names if name not in settings]
    return [
        _Missing(name, settings.get(name), _meant(name, settings.get(name), free))
        for name in required
        if name not in names
    ]


def _meant(name: str, setting: str | None, free: list[str]) -> str | None:
    """Return the column that may be meant by a missing one; None if there is none.

    Args:
        name: The missing column.
        setting: The setting that names it, or None.
        free: Columns that have no role yet.
    """
    recognised = RECOGNISED.get(setting or "")
    if recognised is None or name != getattr(DataSettings(), setting or ""):
        return nearest(name, free)
    misspelled = nearest(name, free, MISSPELLED)
    return misspelled or next(iter(recognised(free)), None) or nearest(name, free)


def _missing_times(names: list[str], columns: DataSettings) -> _Missing | None:
    """Return the missing time column; None if it has its default name and no column is similar."""
    name = columns.time_column
    free = [each for each in names if each not in (columns.user_column, columns.item_column)]
    if name != DataSettings().time_column:
        return _Missing(name, "time_column", nearest(name, free))
    likely = likely_times(free)
    return _Missing(name, "time_column", likely[0]) if likely else None


def _choices(missing: Sequence[_Missing]) -> tuple[dict[str, str], ...]:
    """Return the settings that name the missing columns, if all of them are known.

    Args:
        missing: The columns.
    """
    found = {each.setting: each.guess for each in missing if each.setting and each.guess}
    return (found,) if len(found) == len(missing) else ()


def _text(missing: Sequence[_Missing], names: list[str], where: str) -> str:
    first, *others = map(str, missing)
    text = f"{where} has no column {first}" + "".join(f", no column {each}" for each in others)
    named = [each for each in missing if each.setting is not None]
    if named:
        text += (
            f"; name the right {'column' if len(named) == 1 else 'columns'} with "
            f"{' '.join(each.option for each in named)} "
            f"(in Python: {', '.join(each.argument for each in named)})"
        )
    if any(each.setting == "time_column" for each in named):
        text += f", or use --time-column={NO_TIMES} if the rows are in the order of events"
    return f"{text}. It has: {', '.join(names)}"
