"""Clocks with AM or PM: refuses columns in which only some of them have it."""

from __future__ import annotations

import polars as pl

from sasrec.errors import DataError

MARKED = r"[0-9] ?[AaPp]\.?[Mm]"
"""A clock with AM or PM."""
UNMARKED = r"[T ,](?:0?[1-9]|1[0-2]):[0-9]{2}(?:[:.,][0-9.,]*)?(?: *(?:[Zz+-]|UTC|GMT)[^AaPp]*)?$"
"""A clock without AM or PM, from 1:00 to 12:59, at the end of a time; other hours are clear."""


class HalfDays:
    """Whether some clocks of a column have AM or PM, and others lack it."""

    def __init__(self) -> None:
        """Begin a column."""
        self._examples: dict[str, str] = {}

    def look_at(self, texts: pl.Series) -> None:
        """Look for clocks with AM or PM and without.

        Args:
            texts: Dates as text, String [n], null where there is none.
        """
        for pattern in (MARKED, UNMARKED):
            if pattern in self._examples:
                continue
            found = texts.str.contains(pattern).fill_null(value=False)
            if found.any():
                self._examples[pattern] = texts[int(found.arg_max() or 0)]

    def check(self, column: str, where: str) -> None:
        """Raise an error if it is not clear which half of the day some clocks mean.

        Args:
            column: Name of the column.
            where: Name of the data source.

        Raises:
            DataError: Some clocks have AM or PM, and others, which are not after 12:59, have not.
        """
        if len(self._examples) == 2:
            raise DataError(
                f"{where}: some times in {column!r} have AM or PM, such as "
                f"{self._examples[MARKED]!r}, and others do not, such as "
                f"{self._examples[UNMARKED]!r}, so it is not known which half of the day they "
                "mean; write all of them with AM or PM, or all with hours from 0 to 23"
            )
