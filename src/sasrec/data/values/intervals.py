"""Intervals of numbers, as RecBole's settings write them: ``[4,inf)``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from sasrec.errors import SettingsError

FIRST_INEXACT, MOST = 2**53, 2**127
"""From the first on floats stand for several whole numbers; from the second on Polars has none."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Numbers from ``low`` to ``high``, each end inside or outside.

    Attributes:
        low: Lower end, may be minus infinity.
        high: Upper end, may be infinity.
        with_low: Whether ``low`` itself is inside.
        with_high: Whether ``high`` itself is inside.
    """

    low: float
    high: float
    with_low: bool
    with_high: bool

    def holds(self, values: pl.Expr) -> pl.Expr:
        """Return whether values lie inside.

        Args:
            values: Numbers.

        Returns:
            Boolean, one a value.
        """
        above = values >= self.low if self.with_low else values > self.low
        below = values <= self.high if self.with_high else values < self.high
        return above & below


def parse_intervals(text: str, key: str) -> tuple[Interval, ...]:
    """Return the intervals a text spells, such as ``[4,inf)`` or ``(0,1];[3,4)``.

    Args:
        text: Intervals with ``;`` between them; square brackets include the end, round ones do not.
        key: The setting it came from, for the error text.

    Returns:
        At least one interval.

    Raises:
        SettingsError: A part is no interval, or its ends are in the wrong order.
    """
    return tuple(_interval(part.strip(), key) for part in str(text).split(";"))


def _interval(part: str, key: str) -> Interval:
    how = "write '[low,high]', with round brackets where an end is left out, such as '[4,inf)'"
    low_text, comma, high_text = part[1:-1].partition(",")
    if len(part) < 2 or part[0] not in "[(" or part[-1] not in "])" or not comma:
        raise SettingsError(f"{key}: {part!r} is no interval; {how}")
    try:
        low, high = _end(low_text), _end(high_text)
    except ValueError:
        raise SettingsError(f"{key}: the ends of {part!r} are no two numbers; {how}") from None
    if math.isnan(low) or math.isnan(high) or low > high:
        raise SettingsError(f"{key}: nothing lies in {part!r}; the lower end comes first")
    return Interval(low, high, part[0] == "[", part[-1] == "]")


def _end(text: str) -> float:
    """Return an end: a whole number that no float is equal to as int, to be compared exactly."""
    end = float(text)
    return int(text) if FIRST_INEXACT <= abs(end) < MOST and text.strip("+- ").isdigit() else end
