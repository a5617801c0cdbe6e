"""Intervals of numbers in RecBole's notation, such as ``[4,inf)``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from sasrec.errors import SettingsError

FIRST_INEXACT, MOST = 2**53, 2**127
"""From the first on, a float can stand for several whole numbers; Polars has no integers from the
second on."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers between two ends, each included or not.

    Attributes:
        low: Lower end; may be minus infinity.
        high: Upper end; may be infinity.
        with_low: Whether ``low`` itself is included.
        with_high: Whether ``high`` itself is included.
    """

    low: float
    high: float
    with_low: bool
    with_high: bool

    def contains(self, values: pl.Expr) -> pl.Expr:
        """Return whether each value is in the interval.

        Args:
            values: Numbers.

        Returns:
            Boolean, one per value.
        """
        above = values >= self.low if self.with_low else values > self.low
        below = values <= self.high if self.with_high else values < self.high
        return above & below


def parse_intervals(text: str, key: str) -> tuple[Interval, ...]:
    """Return the intervals in a text such as ``[4,inf)`` or ``(0,1];[3,4)``.

    Args:
        text: Intervals separated by ``;``; a square bracket includes the end, a round one does not.
        key: The setting it comes from, for error messages.

    Returns:
        At least one interval.

    Raises:
        SettingsError: A part is not an interval, or its ends are in the wrong order.
    """
    return tuple(_interval(part.strip(), key) for part in str(text).split(";"))


def _interval(part: str, key: str) -> Interval:
    how = "write '[low,high]', with a round bracket to exclude an end, such as '[4,inf)'"
    low_text, comma, high_text = part[1:-1].partition(",")
    if len(part) < 2 or part[0] not in "[(" or part[-1] not in "])" or not comma:
        raise SettingsError(f"{key}: {part!r} is not an interval; {how}")
    try:
        low, high = _end(low_text), _end(high_text)
    except ValueError:
        raise SettingsError(f"{key}: the ends of {part!r} are not numbers; {how}") from None
    if math.isnan(low) or math.isnan(high) or low > high:
        raise SettingsError(f"{key}: {part!r} contains no number; write the lower end first")
    return Interval(low, high, part[0] == "[", part[-1] == "]")


def _end(text: str) -> float:
    """Return an end; a whole number too large for an exact float stays an int."""
    end = float(text)
    return int(text) if FIRST_INEXACT <= abs(end) < MOST and text.strip("+- ").isdigit() else end
