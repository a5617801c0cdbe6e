"""Moments: numbers and dates that come as text."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from sasrec.data.checks.remarks import Remark
from sasrec.data.values.cleaning import without_missing

BLOCK = 2**16
"""Texts looked at once; each takes some 100 bytes meanwhile."""


@dataclass(slots=True)
class Zones:
    """How many dates of a column name a time zone, and how many do not.

    Attributes:
        counts: Of the dates with a zone, and of those without one.
        examples: The first of each kind.
    """

    counts: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    examples: dict[bool, str] = field(default_factory=dict)

    def count(self, texts: pl.Series, zoned: pl.Series) -> None:
        """Count dates.

        Args:
            texts: The dates, String [n], null where there is none.
            zoned: Boolean [n], whether each names a zone.
        """
        for kind in (True, False):
            of_kind = texts.filter((zoned if kind else ~zoned) & texts.is_not_null())
            self.counts[kind] += of_kind.len()
            if of_kind.len():
                self.examples.setdefault(kind, of_kind[0])

    def remarks(self, column: str) -> tuple[Remark, ...]:
        """Return what there is to say of a column: something only if both kinds stand in it.

        Args:
            column: Its name.
        """
        with_zone, without = self.counts[True], self.counts[False]
        if not with_zone or not without:
            return ()
        text = (
            f"{with_zone:,} times of {column!r} name a time zone, such as {self.examples[True]!r}, "
            f"and {without:,} do not, such as {self.examples[False]!r}; these are taken as UTC, so "
            "write all of them with their zone if they are not"
        )
        return (Remark("mixed_zones", min(with_zone, without), text),)


def numbers_or_datetimes(
    texts: pl.Series, missing: Collection[str] = (), zones: Zones | None = None
) -> pl.Series:
    """Return a column of text as numbers or as moments, if all of it can be read so.

    Args:
        texts: String [n]; null, or nothing but spaces, where there is no time.
        missing: Further texts that mean there is none.
        zones: Counts dates with and without a zone.

    Returns:
        Float64 [n]; or Datetime [n], in UTC where the texts name a zone; or the texts themselves,
        null where there is no time.
    """
    read = partial(_numbers_or_datetimes, zones=zones or Zones())
    return _by_blocks(without_missing(texts, ["", *missing]), read)


def odd_times(texts: pl.Series) -> pl.Series:
    """Return which texts keep a column from being times: what is none, or else the rarer kind.

    Args:
        texts: String [n].

    Returns:
        Boolean [n]; a missing text is not odd.
    """
    numbers = _numbers(texts).is_not_null()
    moments = _moments(texts).is_not_null()
    neither = ~(numbers | moments) & texts.is_not_null()
    if neither.any():
        return neither
    return moments if moments.sum() < numbers.sum() else numbers


def _by_blocks(texts: pl.Series, read: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Return what all blocks of a column are read as, or the texts if these differ."""
    blocks = []
    kind: pl.DataType | None = None
    for begin in range(0, max(texts.len(), 1), BLOCK):
        block = read(texts[begin : begin + BLOCK])
        if block.null_count() < block.len():
            if kind not in (None, block.dtype):
                return texts
            kind = block.dtype
        blocks.append(block)
    return pl.concat(block.cast(kind or block.dtype) for block in blocks)


def _numbers(texts: pl.Series) -> pl.Series:
    return texts.str.strip_chars().cast(pl.Float64, strict=False)


def _numbers_or_texts(texts: pl.Series) -> pl.Series:
    numbers = _numbers(texts)
    return numbers if numbers.null_count() == texts.null_count() else texts


def _numbers_or_datetimes(texts: pl.Series, zones: Zones) -> pl.Series:
    numbers = _numbers_or_texts(texts)
    if numbers.dtype != pl.String:
        return numbers
    zoned = _zoned_moments(texts)
    moments = _coalesced(texts, zoned)
    if moments.null_count() != texts.null_count():
        return texts
    zones.count(texts, zoned.is_not_null())
    return moments


def _moments(texts: pl.Series) -> pl.Series:
    """Return ISO dates with or without time and zone as moments in UTC; null for other texts."""
    return _coalesced(texts, _zoned_moments(texts))


def _plain(texts: pl.Series) -> pl.Series:
    """Return what may be dates with a blank before the time; null where no year stands first.

    Polars would read the two digits of ``07-06-22`` as the year 7.
    """
    plain = texts.str.strip_chars().str.replace("T", " ", literal=True)
    is_year_first = plain.str.contains(r"^\d{4}-")
    if is_year_first.all():
        return plain
    return plain.set(~is_year_first.fill_null(value=True), None)


def _zoned_moments(texts: pl.Series) -> pl.Series:
    zoned = _plain(texts).str.replace(r"Z$", "+0000").str.replace(r"([+-]\d\d):(\d\d)$", "${1}${2}")
    return (
        zoned.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%z", time_unit="us", strict=False, exact=True)
        .dt.convert_time_zone("UTC")
        .dt.replace_time_zone(None)
    )


def _coalesced(texts: pl.Series, zoned: pl.Series) -> pl.Series:
    plain = _plain(texts)
    read = [
        zoned,
        *(
            plain.str.to_datetime(form, time_unit="us", strict=False, exact=True)
            for form in ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")
        ),
        plain.str.to_date("%Y-%m-%d", strict=False, exact=True).cast(pl.Datetime("us")),
    ]
    return pl.select(pl.coalesce(read)).to_series().alias(texts.name)
