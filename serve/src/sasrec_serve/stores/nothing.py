"""No store: clients send the histories."""

from __future__ import annotations

from collections.abc import Sequence

from sasrec_serve.errors import DataError
from sasrec_serve.histories import History
from sasrec_serve.stores.contract import Event, StoreInfo

REFUSED = (
    "there is no store of histories, so events and users cannot be kept; open one with a URL such "
    "as sqlite:///events.sqlite, or send the history with each request"
)


class NoStore:
    """A store without events that accepts none."""

    def histories(self, users: Sequence[str]) -> list[History]:
        """Return an empty history for each user.

        Args:
            users: Tokens.

        Returns:
            Empty histories.
        """
        return [History([], user=user) for user in users]

    def append(self, events: Sequence[Event]) -> int:
        """Refuse.

        Args:
            events: Events.

        Raises:
            DataError: Always.
        """
        raise DataError(REFUSED)

    def merge(self, events: Sequence[Event]) -> int:
        """Refuse.

        Args:
            events: Events.

        Raises:
            DataError: Always.
        """
        raise DataError(REFUSED)

    def forget(self, user: str) -> int:
        """Return 0: nothing is stored of anybody.

        Args:
            user: The user's token.

        Returns:
            0.
        """
        return 0

    def prune(self, before: float) -> int:
        """Return 0: nothing is stored.

        Args:
            before: The time.

        Returns:
            0.
        """
        return 0

    def describe(self) -> StoreInfo:
        """Return that this is no store.

        Returns:
            The description.
        """
        return StoreInfo("none", "none", read_only=True, keep=0, n_events=0, n_users=0)

    def close(self) -> None:
        """Do nothing."""
