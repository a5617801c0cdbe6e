"""The store in a Parquet file: read once, into arrays, and never written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sasrec_serve.errors import DataError
from sasrec_serve.histories import History
from sasrec_serve.stores.contract import KEEP, Event, StoreInfo
from sasrec_serve.stores.log_columns import LogColumns
from sasrec_serve.stores.parquet_arrays import HistoryArrays, read_arrays
from sasrec_serve.stores.rows import UNTIMED


class ParquetStore:
    """Histories of a Parquet file with one row per event.

    Ten million events take about 200 MB: item numbers, times, and one offset per user, sorted by
    user. The file is not needed after opening; changes to it are not noticed.
    """

    def __init__(
        self, path: Path, *, keep: int | None = KEEP, columns: LogColumns | None = None
    ) -> None:
        """Read the file.

        Args:
            path: The file.
            keep: The most events to return of one user, the latest ones; None for all.
            columns: Names of its columns.
        """
        self._path = path
        self._keep = keep
        self._arrays: HistoryArrays | None = read_arrays(path, columns or LogColumns())

    def histories(self, users: Sequence[str]) -> list[History]:
        """Return the latest events of users; see ``HistoryStore.histories``.

        Args:
            users: Tokens.

        Returns:
            One history per user.
        """
        arrays = self._opened()
        return [self._history(arrays, user) for user in users]

    def append(self, events: Sequence[Event]) -> int:
        """Refuse.

        Args:
            events: Events.

        Raises:
            DataError: Always.
        """
        raise self._refused()

    def merge(self, events: Sequence[Event]) -> int:
        """Refuse.

        Args:
            events: Events.

        Raises:
            DataError: Always.
        """
        raise self._refused()

    def forget(self, user: str) -> int:
        """Refuse.

        Args:
            user: The user's token.

        Raises:
            DataError: Always.
        """
        raise self._refused()

    def prune(self, before: float) -> int:
        """Refuse.

        Args:
            before: The time.

        Raises:
            DataError: Always.
        """
        raise self._refused()

    def describe(self) -> StoreInfo:
        """Return path and sizes.

        Returns:
            The description.
        """
        arrays = self._opened()
        return StoreInfo(
            "parquet",
            str(self._path),
            read_only=True,
            keep=self._keep,
            n_events=len(arrays.items),
            n_users=len(arrays.users),
        )

    def close(self) -> None:
        """Free the memory; may be called again."""
        self._arrays = None

    def _opened(self) -> HistoryArrays:
        arrays = self._arrays
        if arrays is None:
            raise DataError(f"the store {self._path} is closed; open it again")
        return arrays

    def _refused(self) -> DataError:
        return DataError(
            f"{self._path} is a Parquet file, which is only read; to store events, import it into "
            "a store that can be written, such as sqlite:///events.sqlite"
        )

    def _history(self, arrays: HistoryArrays, user: str) -> History:
        number = arrays.users.find(user)
        if number is None:
            return History([], user=user)
        start, end = int(arrays.offsets[number]), int(arrays.offsets[number + 1])
        if self._keep is not None:
            start = max(start, end - self._keep)
        times = None if arrays.times is None else arrays.times[start:end]
        return History(
            items=[arrays.item_tokens[at] for at in arrays.items[start:end].tolist()],
            times=times.tolist() if times is not None and times[-1] < UNTIMED else None,
            types=_types(arrays, start, end),
            user=user,
        )


def _types(arrays: HistoryArrays, start: int, end: int) -> list[str | None] | None:
    if arrays.types is None:
        return None
    numbers = arrays.types[start:end]
    if not np.any(numbers >= 0):
        return None
    return [None if at < 0 else arrays.type_tokens[at] for at in numbers.tolist()]
