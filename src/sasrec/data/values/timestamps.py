"""Timestamps as text: decides in which form a column of them is read, piece by piece."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import combinations

import polars as pl

from sasrec.data.values.cleaning import without_missing
from sasrec.data.values.date_forms import (
    DATE_FORMS,
    IN_WORDS,
    SHORT_YEAR_FIRST,
    Parsed,
    read_dates,
    read_form,
)
from sasrec.data.values.half_days import HalfDays
from sasrec.data.values.zones import Zones
from sasrec.errors import SettingNeeded
from sasrec.remarks import Remark
from sasrec.settings.time_format import YEAR_FIRST

BLOCK = 2**16
"""Texts parsed at once; each takes some 100 bytes during parsing."""
FEW = 100
"""The first texts of a column, which rule out most forms quickly."""
NUMBERS = "numbers"
FORMS = (*DATE_FORMS, NUMBERS)
"""Forms in which a column of texts can be read, unless the user names one."""


class TimeReader:
    """Reads a column of texts as times: in the one form that all of them have.

    The texts come in pieces, perhaps from several files. Until only one form is left, each form
    that has fitted all texts keeps what it made of them.

    Attributes:
        forms: The forms that fit all texts so far: names in ``FORMS``, or a strptime form.
        example: The first text.
    """

    def __init__(self, time_format: str | None = None, missing: Collection[str] = ()) -> None:
        """Begin a column.

        Args:
            time_format: The setting; None allows all forms.
            missing: Texts that stand for a missing time, besides empty ones.
        """
        self.time_format = time_format
        self.forms = forms_of(time_format)
        self.example = ""
        self._zones = Zones()
        self._half_days = HalfDays()
        self._missing = ("", *missing)
        self._read: dict[str, list[pl.Series]] = {form: [] for form in self.forms}
        self._count = 0
        self._doubts: dict[tuple[str, str], str] = {}

    @property
    def zone_counts(self) -> dict[bool, int]:
        """Number of dates so far with a time zone (True) and without one (False)."""
        return dict(self._zones.counts)

    @property
    def has_failed(self) -> bool:
        """Whether no form fits all texts."""
        return not self.forms

    def add(self, values: pl.Series) -> None:
        """Read the next values.

        Args:
            values: String [n], null where the time is missing; or numbers, if there is a
                ``time_format``.
        """
        texts = without_missing(as_texts(values), self._missing)
        if not self._count:
            self._begin(texts.drop_nulls().head(FEW))
        for begin in range(0, max(texts.len(), 1), BLOCK):
            if self.forms:
                self._add_block(texts[begin : begin + BLOCK])

    def empty_copy(self) -> TimeReader:
        """Return a reader with the same settings that has read nothing."""
        return TimeReader(self.time_format, self._missing)

    def kind_beside(self, other: TimeReader) -> str:
        """Return what the column holds, in words that tell it from another.

        Args:
            other: The other, with other forms.
        """
        if NUMBERS in self.forms:
            return "numbers"
        return "dates" if NUMBERS in other.forms else f"dates such as {self.example!r}"

    def _begin(self, texts: pl.Series) -> None:
        """Rule out forms that do not fit the first texts; no number is a date."""
        if NUMBERS in self.forms and len(texts):
            are_numbers = not _read(texts, NUMBERS).times.null_count()
            self.forms = tuple(each for each in FORMS if (each == NUMBERS) is are_numbers)
        self._keep_fitting(texts)

    def _keep_fitting(self, texts: pl.Series) -> dict[str, Parsed]:
        """Return what each form makes of some texts, after ruling out forms that do not fit."""
        found = {form: _read(texts, form) for form in self.forms}
        self.forms = tuple(
            form for form, each in found.items() if each.times.null_count() == texts.null_count()
        )
        self._read = {form: self._read[form] for form in self.forms}
        return {form: found[form] for form in self.forms}

    def _add_block(self, texts: pl.Series) -> None:
        found = self._keep_fitting(texts)
        for form, each in found.items():
            self._read[form].append(each.times)
        filled = texts.drop_nulls()
        if not self._count and filled.len():
            self.example = filled[0]
        self._count += filled.len()
        dates = [each for form, each in found.items() if form != NUMBERS]
        if dates:
            self._zones.count(texts, dates[0].zoned)
            self._half_days.look_at(texts)
        for pair in combinations(found, 2):
            text = _first_difference(texts, *(found[form].times for form in pair))
            if text is not None:
                self._doubts.setdefault(pair, text)

    def series(self, column: str, where: str) -> pl.Series:
        """Return the whole column, and empty the reader.

        Args:
            column: Its name.
            where: Name of the data source, for the error message.

        Returns:
            Float64 [n] for numbers, otherwise Datetime [n] in UTC; null where the time is missing.

        Raises:
            SettingNeeded: Two forms fit, and they mean different times.
            DataError: Only some clocks have AM or PM.
        """  # raised by check
        self._half_days.check(column, where)
        if len(self.forms) > 1 and self._count:
            self._decide(column, where)
        if not self._count:  # all are missing
            self.forms = self.forms[-1:]
        [blocks] = [self._read[form] for form in self.forms]
        self._read = {form: [] for form in self.forms}
        return pl.concat(blocks).alias(column)

    def _decide(self, column: str, where: str) -> None:
        """Keep one of several forms, if they mean the same times.

        Raises:
            SettingNeeded: They mean different times.
        """
        text = next(
            (self._doubts[p] for p in combinations(self.forms, 2) if p in self._doubts), None
        )
        if text is not None:
            raise SettingNeeded(*_undecided(column, where, text, self.forms))
        self.forms = self.forms[:1]

    def remarks(self, column: str) -> tuple[Remark, ...]:
        """Return remarks on how the column was read: time zones, and an unusual form.

        Args:
            column: Its name.
        """
        remarks = self._zones.remarks(column)
        form = next(iter(self.forms), NUMBERS)
        if self.time_format is not None or form in (NUMBERS, YEAR_FIRST):
            return remarks
        read = read_dates(pl.Series([self.example]), form).times[0]
        text = (
            f"times in {column!r} are read as dates {IN_WORDS[form]}, such as {self.example!r} as "
            f"{_shown(read)}; time_format names another form"
        )
        return (*remarks, Remark(f"dates_{form}", self._count, text))


SETTING = {SHORT_YEAR_FIRST: YEAR_FIRST}
"""Form to the value of ``time_format`` that chooses it, where they differ."""


def forms_of(time_format: str | None) -> tuple[str, ...]:
    """Return the forms in which texts may be read.

    Args:
        time_format: The setting; None allows all forms.
    """
    if time_format is None:
        return FORMS
    if time_format == YEAR_FIRST:
        return YEAR_FIRST, SHORT_YEAR_FIRST
    return (time_format,)


def fitting_form(texts: pl.Series, forms: Collection[str]) -> tuple[str, pl.Series]:
    """Return the form that fits most texts, and which texts it does not fit.

    Args:
        texts: String [n], null where the time is missing.
        forms: The forms to try.

    Returns:
        The form; and Boolean [n], False where a text is null. If some texts fit no form, it is true
        for these only.
    """
    fits = {form: _fits(texts, form) for form in forms}
    best = max(fits, key=lambda form: int(fits[form].sum() or 0))
    none = ~pl.DataFrame(list(fits.values())).select(pl.any_horizontal(pl.all())).to_series()
    neither = none & texts.is_not_null()
    return best, neither if neither.any() else ~fits[best] & texts.is_not_null()


def as_texts(values: pl.Series) -> pl.Series:
    """Return texts unchanged, and numbers as texts, whole ones without a point.

    Args:
        values: The column.
    """
    if values.dtype == pl.String:
        return values
    if values.dtype.is_float():
        whole = values.cast(pl.Int64, strict=False)
        is_whole = whole.cast(values.dtype).eq_missing(values) | values.is_nan()
        if is_whole.fill_null(value=True).all():
            values = whole
    return values.cast(pl.String)


def _fits(texts: pl.Series, form: str) -> pl.Series:
    blocks = [
        _read(texts[begin : begin + BLOCK], form).times.is_not_null()
        for begin in range(0, max(texts.len(), 1), BLOCK)
    ]
    return pl.concat(blocks).alias(form)


def _read(texts: pl.Series, form: str) -> Parsed:
    if form == NUMBERS:
        numbers = texts.str.strip_chars().cast(pl.Float64, strict=False)
        return Parsed(numbers, pl.repeat(False, texts.len(), dtype=pl.Boolean, eager=True))
    return read_dates(texts, form) if form in DATE_FORMS else read_form(texts, form)


def _first_difference(texts: pl.Series, one: pl.Series, other: pl.Series) -> str | None:
    """Return the first text that two forms read differently, or None."""
    differs = (one != other).fill_null(value=False)
    return texts[int(differs.arg_max() or 0)] if differs.any() else None


def _undecided(
    column: str, where: str, text: str, forms: Sequence[str]
) -> tuple[str, tuple[dict[str, str], ...]]:
    """Return the message that a column can be read in several forms, and the settings to choose.

    Args:
        column: Its name.
        where: Name of the data source.
        text: One of its texts.
        forms: The forms.
    """
    readings = {
        SETTING.get(form, form): read_dates(pl.Series([text]), form).times[0] for form in forms
    }
    ways = " or ".join(f"{IN_WORDS[form]} ({_shown(time)})" for form, time in readings.items())
    options = " or ".join(f"--time-format={form}" for form in readings)
    arguments = " or ".join(f"time_format={form!r}" for form in readings)
    return (
        f"{where}: times in {column!r} such as {text!r} can be read {ways}, and no value rules one "
        f"out; add {options} (in Python: {arguments})",
        tuple({"time_format": form} for form in readings),
    )


def _shown(time: datetime) -> str:
    text = time.isoformat(" ")
    return text.removesuffix(":00").removesuffix(" 00:00")
