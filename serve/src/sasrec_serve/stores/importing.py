"""Fills a store from a log of events in a file."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sasrec_serve.errors import DataError
from sasrec_serve.stores.contract import Event, HistoryStore
from sasrec_serve.stores.log_columns import LogColumns
from sasrec_serve.stores.log_events import read_rows


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import has done so far.

    Attributes:
        n_rows: Rows of the log that were read.
        n_new: Events that were stored.
        n_known: Events that were in the store already, or occur twice in the log.
        n_incomplete: Rows without user or item, which were left out.
    """

    n_rows: int = 0
    n_new: int = 0
    n_known: int = 0
    n_incomplete: int = 0


def import_events(
    store: HistoryStore,
    path: str | Path,
    *,
    columns: LogColumns | None = None,
    progress: Callable[[Imported], object] | None = None,
) -> Imported:
    """Store the events of a log that are not in the store yet.

    The log is read in pieces, so it may be larger than memory. An import that was interrupted, or
    of a log that has grown, can be repeated: events with a time are recognised by user, item, time
    and type; events with an id also by it; and events with neither by their row and content.

    Args:
        store: The store.
        path: A file ending in ``.csv``, ``.tsv``, ``.inter`` (each also with ``.gz``) or
            ``.parquet``.
        columns: Names of its columns; None for the defaults.
        progress: Called after each piece that is stored.

    Returns:
        The counts.

    Raises:
        DataError: The file cannot be read, has an invalid row, or the store is read-only. The
            events of earlier rows are stored.
        StoreUnavailable: The store's server or lock cannot be had in time.
    """  # StoreUnavailable is raised by the store
    counts = Imported()
    for first, rows in read_rows(Path(path), columns or LogColumns()):
        events = [
            recognisable(event, number)
            for number, event in enumerate(rows, first)
            if event is not None
        ]
        try:
            n_new = store.merge(events)
        except DataError as error:
            raise type(error)(f"{path}, events from row {first:,} on: {error}") from error
        counts = Imported(
            counts.n_rows + len(rows),
            counts.n_new + n_new,
            counts.n_known + len(events) - n_new,
            counts.n_incomplete + len(rows) - len(events),
        )
        if progress is not None:
            progress(counts)
    return counts


def recognisable(event: Event, row: int) -> Event:
    """Return an event that a store recognises if it is merged again.

    Args:
        event: The event.
        row: Its row in the log, from 1.

    Returns:
        The event; if it has neither time nor id, with an id made of its row and content.
    """
    if event.time is not None or event.id is not None:
        return event
    content = "\0".join((event.user, event.item, event.type or ""))
    digest = hashlib.blake2b(content.encode(errors="replace"), digest_size=8).hexdigest()
    return dataclasses.replace(event, id=f"row-{row}-{digest}")
