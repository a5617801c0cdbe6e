"""Forms of dates as text: each is rewritten with the year first, and then parsed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from sasrec.settings.time_format import DAY_FIRST, MONTH_FIRST, YEAR_FIRST, polars_form

SHORT_YEAR_FIRST, MONTH_NAMES = "short_year_first", "month_names"
DATE_FORMS = (YEAR_FIRST, DAY_FIRST, MONTH_FIRST, SHORT_YEAR_FIRST, MONTH_NAMES)
IN_WORDS = {
    YEAR_FIRST: "with the year first",
    DAY_FIRST: "with the day first",
    MONTH_FIRST: "with the month first",
    SHORT_YEAR_FIRST: "with the year first",
    MONTH_NAMES: "with the name of the month",
}
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
FEW = 20
"""The first texts, which show the forms to try first."""
EARLIEST_YEAR = 1000
"""Years before it come from two digits read as a whole year."""

REST = r"([^0-9].*)?$"
"""A clock, or nothing."""
OLD, NEW = r"(69|[7-9][0-9])", r"([0-5][0-9]|6[0-8])"
"""Two digits of years from 1969 on, and of those from 2000 on, as in POSIX."""
A_B_YEAR = r"^([0-9]{1,2})[./ -]([0-9]{1,2})(?:[./-]|,? )"
A_B_SHORT = r"^([0-9]{1,2})[./-]([0-9]{1,2})[./-]"
SHORT_A_B = r"[./-]([0-9]{1,2})[./-]([0-9]{1,2})" + REST
NAME = r"([A-Za-z]{3,9})\.?"
WEEKDAY = r"^(?:(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,? +)?"
NAMED_ZONE = r"(?i:UTC|GMT|Z)"

Rules = Sequence[tuple[str, str]]
REWRITTEN: dict[str, Rules] = {
    DAY_FIRST: (
        (A_B_YEAR + r"([0-9]{4})" + REST, "${3}-${2}-${1}${4}"),
        (A_B_SHORT + OLD + REST, "19${3}-${2}-${1}${4}"),
        (A_B_SHORT + NEW + REST, "20${3}-${2}-${1}${4}"),
    ),
    MONTH_FIRST: (
        (A_B_YEAR + r"([0-9]{4})" + REST, "${3}-${1}-${2}${4}"),
        (A_B_SHORT + OLD + REST, "19${3}-${1}-${2}${4}"),
        (A_B_SHORT + NEW + REST, "20${3}-${1}-${2}${4}"),
    ),
    SHORT_YEAR_FIRST: (
        ("^" + OLD + SHORT_A_B, "19${1}-${2}-${3}${4}"),
        ("^" + NEW + SHORT_A_B, "20${1}-${2}-${3}${4}"),
    ),
    MONTH_NAMES: (
        (  # Nov 15 11:29:22 -0800 2011
            WEEKDAY
            + NAME
            + r" +([0-9]{1,2}) ([0-9]{1,2}:[0-9]{2}:[0-9]{2})"
            + r"( (?:[+-][0-9]{4}|[A-Z]{1,3}))? ([0-9]{4})$",
            "${5}-${1}-${2} ${3}${4}",
        ),
        (  # Nov 15, 2011
            WEEKDAY + NAME + r" +([0-9]{1,2})(?:st|nd|rd|th)?,? +([0-9]{4})" + REST,
            "${3}-${1}-${2}${4}",
        ),
        (  # 15-Nov-2011
            WEEKDAY + r"([0-9]{1,2})(?:st|nd|rd|th)?[ .-]+" + NAME + r"[ ,-]+([0-9]{4})" + REST,
            "${3}-${2}-${1}${4}",
        ),
        (r"^([0-9]{4})[ -]" + NAME + r"[ -]([0-9]{1,2})" + REST, "${1}-${2}-${3}${4}"),
    ),
}
"""Form to patterns and replacements that write its dates with the year first."""
COMPACT = r"^([0-9]{4})([0-9]{2})([0-9]{2})[T ]([0-9]{2}):?([0-9]{2})"
CANONICAL: Rules = (
    (COMPACT + r":?([0-9]{2})" + REST, "${1}-${2}-${3} ${4}:${5}:${6}${7}"),
    (COMPACT + REST, "${1}-${2}-${3} ${4}:${5}:00${6}"),
    (r"^([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})", "${1}-${2}-${3}"),
    (r"^([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})[T, ]+", "${1} "),
    (r"^([^ ]+ [0-9]{1,2}:[0-9]{2})([^:0-9]|$)", "${1}:00${2}"),
    (r"^([^ ]+ [0-9:]+),([0-9]+)", "${1}.${2}"),
    (r"^([^ ]+ [0-9:.]+) ?([AaPp])\.?[Mm]\.?", "${1} ${2}m"),
    (r" ?\([^)]*\)$", ""),
    (r"([+-][0-9]{4}) " + NAMED_ZONE + "$", "${1}"),
    (r"^([^ ]+ .*) ?" + NAMED_ZONE + r"$", "${1}+0000"),
    (r"^([^ ]+ .*[0-9]|[^ ]+ .* [AaPp]m) ?(?:GMT|UTC)?([+-][0-9]{2}):?([0-9]{2})$", "${1}${2}${3}"),
    (r"^([^ ]+ .*[0-9]|[^ ]+ .* [AaPp]m) ?([+-][0-9]{2})$", "${1}${2}00"),
    (r" +([+-][0-9]{4})$", "${1}"),
)
"""Patterns and replacements that write a date with the year first as the forms below."""
PLAIN = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %I:%M:%S%.f %p")
UTC = "+0000"
ZONED = ("%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %I:%M:%S%.f %p%z")


@dataclass(frozen=True, slots=True)
class Parsed:
    """Texts read as times.

    Attributes:
        times: Datetime in microseconds, UTC, or Float64 for numbers; null where a text is none. [n]
        zoned: Whether a text has a time zone, Boolean [n].
    """

    times: pl.Series
    zoned: pl.Series


def read_dates(texts: pl.Series, form: str) -> Parsed:
    """Return texts as dates of one form.

    Args:
        texts: String [n].
        form: One of ``DATE_FORMS``.

    Returns:
        The dates; those without a time zone are taken as UTC.
    """
    stripped = texts.str.strip_chars()
    if form == YEAR_FIRST:
        return _with_year_first(stripped)
    rewritten = stripped
    for pattern, replacement in REWRITTEN[form]:
        rewritten = rewritten.str.replace(pattern, replacement)
    if form == MONTH_NAMES:
        rewritten = _with_month_numbers(rewritten)
    is_other = (rewritten == stripped).fill_null(value=True)
    return _with_year_first(rewritten.set(is_other, None))


def read_form(texts: pl.Series, form: str) -> Parsed:
    """Return texts as dates of a form that the user names.

    Args:
        texts: String [n].
        form: A strptime form.

    Returns:
        The dates; those without a time zone are taken as UTC.
    """
    pattern = polars_form(form)
    read = texts.str.strip_chars().str.to_datetime(
        pattern, time_unit="us", strict=False, exact=True
    )
    datetimes = _without_zone(read)
    datetimes = datetimes.set((datetimes.dt.year() < EARLIEST_YEAR).fill_null(value=False), None)
    has_zone = getattr(read.dtype, "time_zone", None) is not None
    return Parsed(datetimes, datetimes.is_not_null() & has_zone)


def _with_month_numbers(texts: pl.Series) -> pl.Series:
    """Return texts with numbers in place of the English names of months."""
    names = [*MONTHS, "sept", *(month[:3] for month in MONTHS)]
    numbers = [*range(1, 13), 9, *range(1, 13)]
    expression = pl.col("text").str.replace_many(
        names, list(map(str, numbers)), ascii_case_insensitive=True, leftmost=True
    )
    return pl.DataFrame({"text": texts}).select(expression).to_series()


def _with_year_first(texts: pl.Series) -> Parsed:
    """Return texts as dates, if they begin with a year of four digits."""
    is_year_first = texts.str.contains(r"^([0-9]{4}[-/.]|[0-9]{8}[T ])")
    if not is_year_first.all():
        texts = texts.set(~is_year_first.fill_null(value=True), None)
    sample = _iso(texts.drop_nulls().head(FEW))
    if _parsed(sample).times.null_count():
        return _parsed(_canonical(texts))
    found = _parsed(_iso(texts))
    left = found.times.is_null()
    if left.sum() == texts.null_count():
        return found
    others = _parsed(_canonical(texts.set(~left, None)))
    return Parsed(found.times.zip_with(~left, others.times), found.zoned | others.zoned)


def _iso(texts: pl.Series) -> pl.Series:
    """Return ISO dates in the forms ``PLAIN`` and ``ZONED``, quickly."""
    return (
        texts.str.replace(r" ?(?:Z|UTC)$", UTC)
        .str.replace("T", " ", literal=True)
        .str.replace(r"([+-][0-9]{2}):([0-9]{2})$", "${1}${2}")
    )


def _canonical(texts: pl.Series) -> pl.Series:
    """Return all dates with the year first in the forms ``PLAIN`` and ``ZONED``."""
    for pattern, replacement in CANONICAL:
        texts = texts.str.replace(pattern, replacement)
    return texts


def _parsed(texts: pl.Series) -> Parsed:
    """Return texts as dates if they have exactly one of the forms ``PLAIN`` and ``ZONED``."""
    is_utc = texts.str.ends_with(UTC).fill_null(value=False)
    if is_utc.any():  # three times as fast as to parse the offset
        texts = texts.str.strip_suffix(UTC)
    forms = sorted(PLAIN + ZONED, key=partial(_misses, texts.drop_nulls().head(FEW)))
    found = pl.repeat(None, texts.len(), dtype=pl.Datetime("us"), eager=True)
    zoned = is_utc
    for form in forms:
        if found.null_count() == texts.null_count():
            break
        left = found.is_null()
        read = _read_exactly(
            texts.set(~left, None) if found.null_count() < len(found) else texts, form
        )
        found = found.zip_with(~left, read)
        if form in ZONED:
            zoned |= left & read.is_not_null()
    return Parsed(found, zoned & found.is_not_null())


def _misses(sample: pl.Series, form: str) -> int:
    """Return how many texts do not have a form."""
    return _read_exactly(sample, form).null_count()


def _read_exactly(texts: pl.Series, form: str) -> pl.Series:
    read = texts.str.to_datetime(form, time_unit="us", strict=False, exact=True)
    return _without_zone(read)


def _without_zone(datetimes: pl.Series) -> pl.Series:
    if getattr(datetimes.dtype, "time_zone", None) is None:
        return datetimes
    return datetimes.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
