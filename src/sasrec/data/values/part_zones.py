"""Time zones of dates in several files: refuses files of which only some have zones."""

from __future__ import annotations

from sasrec.data.values.timestamps import TimeReader
from sasrec.errors import DataError


class PartZones:
    """Whether the dates of each part have a time zone."""

    def __init__(self, reader: TimeReader, column: str) -> None:
        """Begin before the first part.

        Args:
            reader: What reads the column in all parts, one after the other.
            column: Its name.
        """
        self._reader, self._column = reader, column
        self._before = reader.zone_counts
        self._parts: dict[bool, str] = {}

    def end_part(self, where: str) -> None:
        """Look at the dates of a part after it was read.

        Args:
            where: Name of the part.

        Raises:
            DataError: All its dates have a zone and those of an earlier part have none, or the
                other way round.
        """
        counts = self._reader.zone_counts
        zoned, plain = (counts[kind] - self._before[kind] for kind in (True, False))
        self._before = counts
        if bool(zoned) == bool(plain):  # no dates, or both kinds, which a remark tells
            return
        first = self._parts.setdefault(bool(zoned), where)
        other = self._parts.get(not zoned)
        if other is not None:
            with_zone, without = (first, other) if zoned else (other, first)
            raise DataError(
                f"times in {self._column!r} have a time zone in {with_zone} and none in {without}, "
                "so they cannot be compared; write them with a zone in all files, or in none"
            )
