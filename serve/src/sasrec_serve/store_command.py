"""``sasrec-serve store``: fills a store of histories, and deletes from it."""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sasrec_serve.errors import DataError, SettingsError
from sasrec_serve.wording import counted

if TYPE_CHECKING:
    from sasrec_serve.stores.contract import HistoryStore
    from sasrec_serve.stores.importing import Imported
    from sasrec_serve.stores.log_columns import LogColumns

STORE = "SASREC_SERVE_STORE"
"""Variable for the URL of the store: arguments of a program can be read by everybody."""
EVERY = 2.0
"""Seconds between two lines of progress."""
ROLES = ("user", "item", "time", "type", "id")
COLUMN_HELP = {
    "user": "column of users (user_id)",
    "item": "column of items (item_id)",
    "time": "column of times: numbers, or dates (timestamp, if the log has it)",
    "type": "column of event types, such as purchase",
    "id": "column of ids; an event with an id of the same user is stored once",
}


def run_store(words: Sequence[str]) -> int:
    """Run ``sasrec-serve store`` with some words.

    Args:
        words: What follows ``sasrec-serve store``.

    Returns:
        The exit code.
    """
    given = _parser().parse_args(words)
    actions: dict[str, Callable[[argparse.Namespace], None]] = {
        "import": _import,
        "forget": _forget,
        "prune": _prune,
        "info": _info,
    }
    actions[given.action](given)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "sasrec-serve store",
        description="Fill a store of histories, delete from it, or look at it.",
        epilog="To serve an export in a folder named store, write: sasrec-serve ./store",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for add in (_add_import, _add_forget, _add_prune, _add_info):
        add(actions)
    return parser


Actions = argparse._SubParsersAction


def _add_import(actions: Actions[argparse.ArgumentParser]) -> None:
    text = (
        "Store the events of a log that are not there yet. It can be repeated, also after it was "
        "interrupted, or when the log has grown."
    )
    parser = _action(actions, "import", "store the events of a log", text)
    parser.add_argument("log", metavar="LOG", help=".csv, .tsv, .inter (also .gz) or .parquet")
    for role in ROLES:
        parser.add_argument(f"--{role}-column", metavar="NAME", help=COLUMN_HELP[role])


def _add_forget(actions: Actions[argparse.ArgumentParser]) -> None:
    text = "Delete all events of users, for example when a person asks for it."
    parser = _action(actions, "forget", "delete everything about a user", text)
    parser.add_argument("users", metavar="USER", nargs="+", help="token of the user")


def _add_prune(actions: Actions[argparse.ArgumentParser]) -> None:
    text = "Delete all events before a time; events without a time stay."
    parser = _action(actions, "prune", "delete old events", text)
    parser.add_argument(
        "--before",
        required=True,
        metavar="TIME",
        help="a number in the unit of the events' times, or a date such as 2024-05-31 (in UTC)",
    )


def _add_info(actions: Actions[argparse.ArgumentParser]) -> None:
    text = "Print the kind, place and size of a store, and how acknowledged events can be lost."
    _action(actions, "info", "print what is known about a store", text)


def _action(
    actions: Actions[argparse.ArgumentParser], name: str, summary: str, text: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=text, allow_abbrev=False)
    parser.add_argument(
        "--store",
        metavar="URL",
        default=os.environ.get(STORE),
        help=f"the store: a file such as events.sqlite, or a URL (or set {STORE})",
    )
    return parser


def _import(given: argparse.Namespace) -> None:
    from sasrec_serve.stores.importing import Imported, import_events
    from sasrec_serve.stores.log_events import read_rows

    done, columns, url = Imported(), _columns(given), _named(given.store)
    next(iter(read_rows(Path(given.log), columns)), None)  # no new store for a mistyped log

    def keep(counts: Imported) -> None:
        nonlocal done
        done = counts
        show(counts)

    show = _Progress()
    with _opened(url) as store:
        try:
            import_events(store, given.log, columns=columns, progress=keep)
        except DataError as error:
            raise type(error)(f"{error}{_so_far(done)}") from error
        except KeyboardInterrupt:
            print(f"interrupted{_so_far(done)}", file=sys.stderr)
            raise
        print(_outcome(done, store.describe().place))


class _Progress:
    """Prints a line now and then, on standard error."""

    def __init__(self) -> None:
        self._started = self._shown = time.monotonic()

    def __call__(self, counts: Imported) -> None:
        now = time.monotonic()
        if now - self._shown < EVERY:
            return
        self._shown = now
        speed = counts.n_rows / (now - self._started)
        print(f"{counts.n_rows:,} rows, {speed:,.0f} a second", file=sys.stderr, flush=True)


def _columns(given: argparse.Namespace) -> LogColumns:
    from sasrec_serve.stores.log_columns import LogColumns

    named = {role: getattr(given, f"{role}_column") for role in ROLES}
    return LogColumns(**{role: name for role, name in named.items() if name is not None})


def _outcome(done: Imported, place: str) -> str:
    told = [f"{counted(done.n_new, 'new event')} stored in {place}"]
    if done.n_known:
        told.append(f"{done.n_known:,} known already")
    if done.n_incomplete:
        told.append(f"{counted(done.n_incomplete, 'row')} without user or item left out")
    return "; ".join(told)


def _so_far(done: Imported) -> str:
    stored = counted(done.n_rows, "row")
    return f"; the first {stored} are stored, and the import can be repeated" if done.n_rows else ""


def _forget(given: argparse.Namespace) -> None:
    with _opened(_existing(given.store)) as store:
        for user in given.users:
            deleted = store.forget(user)
            print(f"{user!r}: {counted(deleted, 'event')} deleted", flush=True)


def _prune(given: argparse.Namespace) -> None:
    before = _moment(given.before)
    with _opened(_existing(given.store)) as store:
        print(f"{counted(store.prune(before), 'event')} deleted")


def _moment(text: str) -> float:
    from sasrec_serve.stores.log_texts import date_or_number

    moment = date_or_number(text)
    if moment is None or not math.isfinite(moment):
        raise SettingsError(
            f"--before is {text!r}; give a number in the unit of the events' times, or a date such "
            "as 2024-05-31"
        )
    return moment


def _info(given: argparse.Namespace) -> None:
    with _opened(_existing(given.store)) as store:
        found = store.describe()
    print(f"kind    {found.kind}{' (only read)' if found.read_only else ''}")
    print(f"place   {found.place}")
    for name, count in (("events", found.n_events), ("users", found.n_users)):
        if count is not None:
            print(f"{name:8}{count:,}")
    if found.weakness:
        print(f"warning {found.weakness}")


def _named(url: str | None) -> str:
    if not url or url.strip() == "none":
        raise SettingsError(f"no store is named; give --store URL, or set {STORE}")
    return url


def _existing(url: str | None) -> str:
    """Return the URL of a store; a mistyped file would be created, only to delete from it."""
    from sasrec_serve.stores.opening import check_exists

    check_exists(_named(url))
    return _named(url)


@contextmanager
def _opened(url: str) -> Iterator[HistoryStore]:
    """Open a store, and close it afterwards."""
    from sasrec_serve.stores.opening import open_store

    store = open_store(url)
    try:
        yield store
    finally:
        store.close()
