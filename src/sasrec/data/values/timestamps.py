"""Timestamps as text: numbers, or ISO dates with or without a time zone."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from sasrec.data.values.cleaning import without_missing
from sasrec.errors import counted
from sasrec.remarks import Remark

BLOCK = 2**16
"""Texts parsed at once; each takes some 100 bytes during parsing."""


@dataclass(slots=True)
class Zones:
    """How many dates of a column have a time zone, and how many do not.

    Attributes:
        counts: Number of dates with a zone (True) and without one (False).
        examples: The first date with a zone, and the first without one.
    """

    counts: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    examples: dict[bool, str] = field(default_factory=dict)

    def count(self, texts: pl.Series, zoned: pl.Series) -> None:
        """Count dates.

        Args:
            texts: The dates, String [n], null where there is none.
            zoned: Boolean [n], whether each has a zone.
        """
        for has_zone in (True, False):
            found = texts.filter((zoned if has_zone else ~zoned) & texts.is_not_null())
            self.counts[has_zone] += found.len()
            if found.len():
                self.examples.setdefault(has_zone, found[0])

    def remarks(self, column: str) -> tuple[Remark, ...]:
        """Return a remark if some dates have a zone and others do not, or nothing.

        Args:
            column: Name of the column.
        """
        with_zone, without = self.counts[True], self.counts[False]
        if not with_zone or not without:
            return ()
        text = (
            f"{counted(with_zone, 'time')} in {column!r} {'has' if with_zone == 1 else 'have'} a "
            f"time zone, such as {self.examples[True]!r}, and {without:,} "
            f"{'has' if without == 1 else 'have'} none, such as {self.examples[False]!r}; times "
            "without a zone are read as UTC, so add the zone if they are not in UTC"
        )
        return (Remark("mixed_zones", min(with_zone, without), text),)


def numbers_or_datetimes(
    texts: pl.Series, missing: Collection[str] = (), zones: Zones | None = None
) -> pl.Series:
    """Convert a text column to numbers, or to datetimes, if all its texts can be converted.

    Args:
        texts: String [n]; null, empty or blank where the time is missing.
        missing: Further texts that stand for a missing time.
        zones: Counts dates with and without a zone.

    Returns:
        Float64 [n]; or Datetime [n], in UTC if the texts have a zone; or else the texts, with null
        where the time is missing.
    """
    read = partial(_numbers_or_datetimes, zones=zones or Zones())
    return _by_blocks(without_missing(texts, ["", *missing]), read)


def not_times(texts: pl.Series) -> pl.Series:
    """Return which texts prevent a column from being read as times.

    These are texts that are neither numbers nor dates; or, if there are none, the numbers or the
    dates, whichever are fewer.

    Args:
        texts: String [n].

    Returns:
        Boolean [n]; False where a text is null.
    """
    numbers = _numbers(texts).is_not_null()
    dates = _datetimes(texts).is_not_null()
    neither = ~(numbers | dates) & texts.is_not_null()
    if neither.any():
        return neither
    return dates if dates.sum() < numbers.sum() else numbers


def _by_blocks(texts: pl.Series, read: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Return a column converted block by block; or the texts, if blocks become different types."""
    blocks = []
    dtype: pl.DataType | None = None
    for begin in range(0, max(texts.len(), 1), BLOCK):
        block = read(texts[begin : begin + BLOCK])
        if block.null_count() < block.len():
            if dtype not in (None, block.dtype):
                return texts
            dtype = block.dtype
        blocks.append(block)
    return pl.concat(block.cast(dtype or block.dtype) for block in blocks)


def _numbers(texts: pl.Series) -> pl.Series:
    return texts.str.strip_chars().cast(pl.Float64, strict=False)


def _numbers_or_texts(texts: pl.Series) -> pl.Series:
    numbers = _numbers(texts)
    return numbers if numbers.null_count() == texts.null_count() else texts


def _numbers_or_datetimes(texts: pl.Series, zones: Zones) -> pl.Series:
    numbers = _numbers_or_texts(texts)
    if numbers.dtype != pl.String:
        return numbers
    zoned = _zoned_datetimes(texts)
    datetimes = _coalesced(texts, zoned)
    if datetimes.null_count() != texts.null_count():
        return texts
    zones.count(texts, zoned.is_not_null())
    return datetimes


def _datetimes(texts: pl.Series) -> pl.Series:
    """Return ISO dates, with or without time and zone, as datetimes in UTC; null for others."""
    return _coalesced(texts, _zoned_datetimes(texts))


def _possible_dates(texts: pl.Series) -> pl.Series:
    """Return texts with a space instead of the T before the time; null if no 4-digit year is first.

    Polars would read the first two digits of ``07-06-22`` as the year 7.
    """
    plain = texts.str.strip_chars().str.replace("T", " ", literal=True)
    is_year_first = plain.str.contains(r"^\d{4}-")
    if is_year_first.all():
        return plain
    return plain.set(~is_year_first.fill_null(value=True), None)


def _zoned_datetimes(texts: pl.Series) -> pl.Series:
    """Return dates with a time zone as datetimes in UTC, null for other texts."""
    zoned = (
        _possible_dates(texts)
        .str.replace(r"Z$", "+0000")
        .str.replace(r"([+-]\d\d):(\d\d)$", "${1}${2}")
    )
    return (
        zoned.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%z", time_unit="us", strict=False, exact=True)
        .dt.convert_time_zone("UTC")
        .dt.replace_time_zone(None)
    )


def _coalesced(texts: pl.Series, zoned: pl.Series) -> pl.Series:
    """Return ``zoned``, with its nulls filled by dates without a zone."""
    plain = _possible_dates(texts)
    read = [
        zoned,
        *(
            plain.str.to_datetime(form, time_unit="us", strict=False, exact=True)
            for form in ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")
        ),
        plain.str.to_date("%Y-%m-%d", strict=False, exact=True).cast(pl.Datetime("us")),
    ]
    return pl.select(pl.coalesce(read)).to_series().alias(texts.name)
