"""Times: recognises names of time columns, and converts numbers, dates or text to numbers."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import SequenceMatcher

import polars as pl

from sasrec.data.values.cleaning import is_null_like
from sasrec.data.values.timestamps import Zones, not_times, numbers_or_datetimes
from sasrec.data.values.tokens import first_location
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

MIN_SIMILARITY = 0.8
"""Names at least this similar are taken for misspellings, such as ``timestmap``."""
TIME_WORDS = {"time", "date", "datetime", "timestamp", "ts", "epoch", "when"}
QUALIFIERS = {
    *("at", "on", "in", "of", "the", "utc", "gmt", "local", "server", "client", "unix", "epoch"),
    *("event", "review", "rating", "rate", "rated", "interaction", "action", "activity", "click"),
    *("clicked", "view", "viewed", "visit", "visited", "purchase", "purchased", "buy", "bought"),
    *("order", "ordered", "transaction", "trans", "tx", "request", "log", "logged", "record"),
    *("recorded", "created", "create", "creation", "added", "occurred", "happened", "start"),
    *("started", "begin", "play", "played", "listened", "watched", "read", "s", "ms", "us", "ns"),
    *("sec", "seconds", "millis", "iso", "str", "session", "checkin", "timestamp", "time", "date"),
}
"""Words that a time column may have beside one of ``TIME_WORDS`` (``unixReviewTime``), or before
``at``."""
ENDINGS = ("timestamp", "datetime", "time", "date", "at")
"""Second halves of words that are two words joined together: ``reviewtime``, ``createdat``."""
DURATIONS = {"play time", "view time", "session time", "read time"}
"""Combinations of these words that more likely name a duration."""
MISSING_HINT = "; if this text stands for a missing time, add it to missing_values"


def as_times(
    values: pl.Series,
    where: str,
    before: int = 0,
    *,
    missing: Collection[str] = (),
    zones: Zones | None = None,
) -> pl.Series:
    """Return a column of times as numbers: in the unit of the source, or in seconds for dates.

    Args:
        values: The column: numbers, dates, or numbers or dates as text.
        where: Name of the data source, for error messages.
        before: Number of rows of the source before these, for the row number in messages.
        missing: Texts that stand for a missing time; in a column of numbers, a number equal to one
            of these texts is missing too.
        zones: Counts dates with and without a time zone.

    Returns:
        Float64, finite, or NaN where the time is missing.

    Raises:
        DataError: A value is not a time.
    """
    invalid = (pl.Duration, pl.Time, pl.Object, pl.Binary, pl.Boolean, pl.Categorical, pl.Enum)
    if values.dtype.is_nested() or values.dtype in invalid:
        raise DataError(
            f"{where}: column {values.name!r} has type {values.dtype}; times must be numbers or "
            "dates"
        )
    if values.dtype == pl.String:
        values = numbers_or_datetimes(values, missing, zones)
    is_number = values.dtype.is_numeric()
    if values.dtype.is_temporal():
        values = values.cast(pl.Datetime("us")).to_physical() / 1e6
    times = values.cast(pl.Float64, strict=False)
    if missing and is_number:
        none = pl.Series(list(missing), dtype=pl.String).cast(pl.Float64, strict=False)
        times = times.set(times.is_in(none.drop_nulls().implode()), None)
    bad = not_times(values) if values.dtype == pl.String else times.is_infinite()
    if bad.any():
        value = values.filter(bad)[0]
        hint = MISSING_HINT if isinstance(value, str) and is_null_like(value) else ""
        count = int(bad.sum() or 0)
        raise DataError(
            first_location(bad, values.name, where, before) + f" is {value!r}; times must be all "
            "numbers, or all dates such as 2024-05-31 or 2024-05-31 18:30:00"
            + (f" ({count:,} values are not)" if count > 1 else "")
            + hint
        )
    return times.fill_null(float("nan"))


def likely_times(names: Collection[str]) -> list[str]:
    """Return the column names that look like those of a time column, the most likely first.

    Args:
        names: Names of columns.

    Returns:
        Misspellings of ``timestamp``, then names such as ``created_at`` or ``unixReviewTime``.
    """
    default = DataSettings().time_column
    similarity = {name: SequenceMatcher(None, _letters(name), default).ratio() for name in names}
    misspelled = [name for name in names if similarity[name] >= MIN_SIMILARITY]
    misspelled.sort(key=similarity.__getitem__, reverse=True)
    return misspelled + [name for name in names if name not in misspelled and _names_time(name)]


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _names_time(name: str) -> bool:
    found = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    words = [part for word in found for part in _parts(word.lower())]
    if not words or " ".join(words) in DURATIONS:
        return False
    others = [word for word in words if word not in TIME_WORDS]
    if not all(word in QUALIFIERS for word in others):
        return False
    return len(others) < len(words) or (len(words) > 1 and words[-1] in {"at", "on"})


def _parts(word: str) -> list[str]:
    for ending in ENDINGS:
        if word.endswith(ending) and word.removesuffix(ending) in QUALIFIERS:
            return [word.removesuffix(ending), ending]
    return [word]
