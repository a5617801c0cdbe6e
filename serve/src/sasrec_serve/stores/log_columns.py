"""Names of the columns of a log of events."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sasrec_serve.errors import DataError

TIME = "timestamp"
"""Name of the column of times unless another is named; a log may lack it."""


@dataclass(frozen=True, slots=True)
class LogColumns:
    """Names of the columns of a log; the defaults are those of ``sasrec train``.

    Attributes:
        user: Column of users.
        item: Column of items.
        time: Column of times; None for ``timestamp`` if the log has it.
        type: Column of event types; None for no types.
        id: Column of ids, unique among the events of a user; None for no ids.
    """

    user: str = "user_id"
    item: str = "item_id"
    time: str | None = None
    type: str | None = None
    id: str | None = None

    def found_in(self, names: Collection[str], where: str) -> LogColumns:
        """Return the columns that a log has.

        Args:
            names: Its columns.
            where: The log, for messages.

        Returns:
            These columns; ``time`` is None if the log has no times.

        Raises:
            DataError: A column is missing.
        """
        time = TIME if self.time is None and TIME in names else self.time
        for role, name in (
            *(("user", self.user), ("item", self.item), ("time", time)),
            *(("type", self.type), ("id", self.id)),
        ):
            if name is not None and name not in names:
                raise DataError(
                    f"{where} has no column {name!r} of {role}s, only {', '.join(names)}; name the "
                    f"right one (--{role}-column, or LogColumns({role}=...) in Python)"
                )
        return LogColumns(self.user, self.item, time, self.type, self.id)
