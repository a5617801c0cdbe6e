"""Times: converts a column of numbers, dates or text to numbers."""

from __future__ import annotations

import polars as pl

from sasrec.data.values.cleaning import is_null_like, without_missing
from sasrec.data.values.date_forms import IN_WORDS, read_dates
from sasrec.data.values.timestamps import (
    NUMBERS,
    TimeReader,
    as_texts,
    fitting_form,
    forms_of,
)
from sasrec.data.values.tokens import first_location
from sasrec.errors import DataError, counted
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings
from sasrec.settings.time_format import YEAR_FIRST

MISSING_HINT = "; if this text stands for a missing time, add it to missing_values"


def as_times(
    values: pl.Series,
    where: str,
    before: int = 0,
    *,
    settings: DataSettings | None = None,
) -> tuple[pl.Series, tuple[Remark, ...]]:
    """Return a column of times as numbers: in the unit of the source, or in seconds for dates.

    Args:
        values: The column: numbers, dates, or numbers or dates as text.
        where: Name of the data source, for error messages.
        before: Number of rows of the source before these, for the row number in messages.
        settings: Its ``time_format``, and texts that stand for a missing time: in a column of
            numbers, a number equal to one of these is missing too. None for the defaults.

    Returns:
        Float64, finite, or NaN where the time is missing; and remarks on how texts were read.

    Raises:
        DataError: A value is not a time, or texts can be read in two ways.
    """  # raised by TimeReader.series
    settings = settings or DataSettings()
    invalid = (pl.Duration, pl.Time, pl.Object, pl.Binary, pl.Boolean)
    if values.dtype.is_nested() or values.dtype in invalid:
        raise DataError(
            f"{where}: column {values.name!r} has type {values.dtype}; times must be numbers or "
            "dates"
        )
    if values.dtype in (pl.Categorical, pl.Enum):
        values = values.cast(pl.String)
    remarks: tuple[Remark, ...] = ()
    if is_read_as_text(values.dtype, settings):
        reader = TimeReader(settings.time_format, settings.missing_values)
        reader.add(values)
        if reader.has_failed:
            raise DataError(_not_times(values, where, before, settings))
        values, remarks = reader.series(values.name, where), reader.remarks(values.name)
    elif settings.time_format is not None:
        remarks = (unused_time_format(settings, values.name, values.len()),)
    is_number = values.dtype.is_numeric()
    if values.dtype.is_temporal():
        values = values.cast(pl.Datetime("us")).to_physical() / 1e6
    times = values.cast(pl.Float64, strict=False)
    if settings.missing_values and is_number:
        texts = pl.Series(list(settings.missing_values), dtype=pl.String)
        none = texts.cast(pl.Float64, strict=False)
        times = times.set(times.is_in(none.drop_nulls().implode()), None)
    if (bad := times.is_infinite()).any():
        raise DataError(_infinite(values, bad, where, before))
    return times.fill_null(float("nan")), remarks


def is_read_as_text(dtype: pl.DataType | type[pl.DataType], settings: DataSettings) -> bool:
    """Return whether times of a type are read by a ``TimeReader``.

    Args:
        dtype: The type of the column.
        settings: Its ``time_format`` says how dates written as numbers, such as 20240531, are read.
    """
    is_text = dtype in (pl.String, pl.Categorical, pl.Enum)
    return is_text or (dtype.is_numeric() and settings.time_format is not None)


def unused_time_format(settings: DataSettings, column: str, count: int) -> Remark:
    """Return the remark that ``time_format`` has no effect, since the type of a column is a date.

    Args:
        settings: The settings.
        column: Name of the column.
        count: Number of rows.
    """
    text = f"time_format={settings.time_format!r} has no effect: {column!r} has a type of dates"
    return Remark("unused_time_format", count, text)


def _not_times(values: pl.Series, where: str, before: int, settings: DataSettings) -> str:
    """Return the message about texts that no form fits.

    Args:
        values: The column.
        where: Name of the data source.
        before: Number of rows of the source before these.
        settings: The settings.
    """
    texts = without_missing(as_texts(values), ("", *settings.missing_values))
    form, bad = fitting_form(texts, forms_of(settings.time_format))
    text, count = texts.filter(bad)[0], int(bad.sum() or 0)
    many = f" ({count:,} values are not)" if count > 1 else ""
    hint = MISSING_HINT if is_null_like(text) else ""
    begin = first_location(bad, values.name, where, before) + f" is {text!r}; "
    if settings.time_format is not None:
        return f"{begin}it has not the form time_format={settings.time_format!r}{many}{hint}"
    if form not in (NUMBERS, YEAR_FIRST) and count < texts.drop_nulls().len():
        return f"{begin}{_others_have(texts, form)}{many}{hint}"
    return (
        f"{begin}times must be all numbers, or all dates such as 2024-05-31 18:30:00 or 5/31/2024, "
        f"or of a form that time_format names{many}{hint}"
    )


def _others_have(texts: pl.Series, form: str) -> str:
    """Return the part of a message that says which form the other texts have.

    Args:
        texts: All texts.
        form: The form that fits most of them.
    """
    fits = read_dates(texts, form).times.is_not_null()
    others = counted(int(fits.sum() or 0), "other is a date", "others are dates")
    return (
        f"{others} {IN_WORDS[form]}, such as {texts.filter(fits)[0]!r}, but this is none; correct "
        "it, or name the form of all with time_format"
    )


def _infinite(values: pl.Series, bad: pl.Series, where: str, before: int) -> str:
    value, count = values.filter(bad)[0], int(bad.sum() or 0)
    return (
        first_location(bad, values.name, where, before)
        + f" is {value!r}; times must be all numbers, or all dates such as 2024-05-31"
        + (f" ({count:,} values are not)" if count > 1 else "")
    )
