"""Times: a column of numbers, dates, or text as numbers, and the column that holds them."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import SequenceMatcher

import polars as pl

from sasrec.data.values.cleaning import means_nothing
from sasrec.data.values.timestamps import Zones, numbers_or_datetimes, odd_times
from sasrec.data.values.tokens import place_of
from sasrec.errors import DataError, did_you_mean
from sasrec.settings.data import NO_TIMES, DataSettings

ALIKE = 0.8
"""From here on two names are spellings of one another, as ``timestmap`` is of ``timestamp``."""
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
"""Words that may stand beside one of ``TIME_WORDS`` (``unixReviewTime``), or before ``at``."""
ENDINGS = ("timestamp", "datetime", "time", "date", "at")
"""Of a word that is two: ``reviewtime``, ``createdat``."""
LENGTHS = {"play time", "view time", "session time", "read time"}
"""Pairs of such words that are more likely lengths of time."""
MISSING_HINT = "; if that text means that there is no time, name it in missing_values"


def as_times(
    values: pl.Series,
    where: str,
    before: int = 0,
    *,
    missing: Collection[str] = (),
    zones: Zones | None = None,
) -> pl.Series:
    """Return a column of times as numbers, in the unit of the source; of dates in seconds.

    Args:
        values: The column: numbers, dates, or text that spells either.
        where: What to call the source in an error text.
        before: Rows of the source before these.
        missing: Texts that mean there is no time; of numbers, those that spell their value.
        zones: Counts dates with and without a zone.

    Returns:
        Float64, finite, NaN where there is no time.

    Raises:
        DataError: One is no time.
    """
    kinds = (pl.Duration, pl.Time, pl.Object, pl.Binary, pl.Boolean, pl.Categorical, pl.Enum)
    if values.dtype.is_nested() or values.dtype in kinds:
        raise DataError(
            f"{where}: column {values.name!r} holds {values.dtype}; a time is a number or a date"
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
    bad = odd_times(values) if values.dtype == pl.String else times.is_infinite()
    if bad.any():
        value = values.filter(bad)[0]
        hint = MISSING_HINT if isinstance(value, str) and means_nothing(value) else ""
        count = int(bad.sum() or 0)
        raise DataError(
            place_of(bad, values.name, where, before) + f" is {value!r}; a time is a number "
            "or a date such as 2024-05-31 or 2024-05-31 18:30:00, all of one kind"
            + (f" ({count:,} values are not)" if count > 1 else "")
            + hint
        )
    return times.fill_null(float("nan"))


def time_column(names: list[str], columns: DataSettings, where: str) -> str | None:
    """Return the column with times, or None if the events shall count in the order they stand.

    Args:
        names: Columns that are there.
        columns: The name of the time column.
        where: What to call the source in an error text.

    Returns:
        Its name; None if none is wanted, or if it has the usual name and nothing looks like it.

    Raises:
        DataError: A column of another name was asked for and is not there; or the usual one is not
            there, and another looks like it.
    """
    wanted = columns.time_column
    if wanted == NO_TIMES:
        return None
    if wanted in names:
        return wanted
    others = [name for name in names if name not in (columns.user_column, columns.item_column)]
    cure = f"or give time_column={NO_TIMES} if the rows are in the order of events"
    if wanted != DataSettings().time_column:
        raise DataError(
            f"{where} has no column {wanted!r}{did_you_mean(wanted, names)} "
            f"(it has: {', '.join(names)}), {cure}"
        )
    likely = likely_times(others)
    if likely:
        raise DataError(
            f"{where} has no column {wanted!r}, but {likely[0]!r}; give "
            f"time_column={likely[0]!r} if that holds the times of events, {cure}"
        )
    return None


def likely_times(names: Collection[str]) -> list[str]:
    """Return the names that look like those of a column of times, the likeliest first.

    Args:
        names: Of columns.

    Returns:
        Slips of ``timestamp``, then names such as ``created_at`` or ``unixReviewTime``.
    """
    usual = DataSettings().time_column
    likeness = {name: SequenceMatcher(None, _letters(name), usual).ratio() for name in names}
    slips = [name for name in names if likeness[name] >= ALIKE]
    slips.sort(key=likeness.__getitem__, reverse=True)
    return slips + [name for name in names if name not in slips and _says_time(name)]


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _says_time(name: str) -> bool:
    found = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    words = [part for word in found for part in _parts(word.lower())]
    if not words or " ".join(words) in LENGTHS:
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
