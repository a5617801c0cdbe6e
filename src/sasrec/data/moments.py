"""Moments: numbers and dates that come as text."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

BLOCK = 2**16
"""Texts looked at once; each takes some 100 bytes meanwhile."""


def numbers_or_moments(texts: pl.Series) -> pl.Series:
    """Return a column of text as numbers or as moments, if all of it can be read so.

    Args:
        texts: String [n].

    Returns:
        Float64 [n]; or Datetime [n], in UTC where the texts name a zone; or the texts themselves.
    """
    return _by_blocks(texts, _numbers_or_moments)


def odd_times(texts: pl.Series) -> pl.Series:
    """Return which texts keep a column from being times: what is none, or else the rarer kind.

    Args:
        texts: String [n].

    Returns:
        Boolean [n]; a missing text is odd.
    """
    numbers = _numbers(texts).is_not_null()
    moments = _moments(texts).is_not_null()
    neither = ~(numbers | moments)
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


def _numbers_or_moments(texts: pl.Series) -> pl.Series:
    numbers = _numbers_or_texts(texts)
    if numbers.dtype != pl.String:
        return numbers
    moments = _moments(texts)
    return moments if moments.null_count() == texts.null_count() else texts


def _moments(texts: pl.Series) -> pl.Series:
    """Return ISO dates with or without time and zone as moments in UTC; null for other texts."""
    plain = texts.str.strip_chars().str.replace("T", " ", literal=True)
    zoned = plain.str.replace(r"Z$", "+0000").str.replace(r"([+-]\d\d):(\d\d)$", "${1}${2}")
    read = [
        zoned.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%z", time_unit="us", strict=False, exact=True)
        .dt.convert_time_zone("UTC")
        .dt.replace_time_zone(None),
        *(
            plain.str.to_datetime(form, time_unit="us", strict=False, exact=True)
            for form in ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")
        ),
        plain.str.to_date("%Y-%m-%d", strict=False, exact=True).cast(pl.Datetime("us")),
    ]
    return pl.select(pl.coalesce(read)).to_series().alias(texts.name)
