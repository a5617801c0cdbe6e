"""Time zones of dates: counts the dates of a column that have one."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from sasrec.errors import counted
from sasrec.remarks import Remark


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
