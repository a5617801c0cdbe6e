"""Where a search is kept: a journal file, or any database Optuna knows."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sasrec.errors import SettingsError, without_passwords
from sasrec.system.json_limits import json_within_limits
from sasrec.system.locks import lock_for
from sasrec.tuning.urls import refuse_mistyped, shown_storage, sqlite_file

if TYPE_CHECKING:
    import optuna

PATIENCE_SECONDS = 30.0
"""How long to wait for another process to finish making a study before doing it ourselves."""
MOST_TRIES = 5
"""To make the tables of a new database."""


def optuna_here() -> Any:
    """Return Optuna, with its own log silenced.

    Returns:
        The module.

    Raises:
        SettingsError: It is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise SettingsError("a search needs Optuna; install it with: pip install optuna") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def open_study(
    where: str | None,
    name: str,
    *,
    about: Mapping[str, Any],
    sampler: Any,
    pruner: Any,
    points: Sequence[dict[str, Any]] = (),
) -> optuna.Study:
    """Return a study, made if it is not there, with all its points queued.

    Args:
        where: A file, made if needed, or a URL such as ``sqlite:///search.db``; None keeps it in
            memory.
        name: Of the study.
        about: What it searches and what its scores depend on, by name; a study that is there must
            say the same.
        sampler: Optuna's, proposes parameters.
        pruner: Optuna's, ends hopeless trials.
        points: Parameters of an exhaustive search, each tried once, in this order.

    Returns:
        The study.

    Raises:
        SettingsError: The storage cannot be reached or is damaged, or the study there is about
            something else.
    """
    shown = "memory" if where is None else shown_storage(where)
    try:
        with alone_in_sqlite(where):
            study: optuna.Study = optuna_here().create_study(
                storage=None if where is None else _storage(where),
                study_name=name,
                sampler=sampler,
                pruner=pruner,
                direction="maximize",
                load_if_exists=True,
            )
            _describe_once(study, about, shown)
            if points:
                _queue_once(study, points)
    except SettingsError:
        raise
    except Exception as error:  # each database has errors of its own
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        if where is not None:
            reason = without_passwords(reason.replace(where, shown))
        raise SettingsError(f"the storage {shown} cannot be used: {reason}") from error
    return study


def _describe_once(study: optuna.Study, about: Mapping[str, Any], shown: str) -> None:
    """Note in a new study what it is about.

    Args:
        study: As opened.
        about: What it searches and what its scores depend on, by name.
        shown: What to call the storage.

    Raises:
        SettingsError: The study is not new, and about something else.
    """
    for what, value in about.items():
        described = json.dumps(value, default=str, sort_keys=True)
        known = study.user_attrs.get(what)
        if known is None:
            study.set_user_attr(what, described)
        elif known != described:
            other = "other settings" if what == "settings" else f"another {what}"
            raise SettingsError(
                f"the study {study.study_name!r} in {shown} has {other}{_both(known, described)}; "
                "choose another --out, --study or --storage"
            )


def _storage(where: str) -> Any:
    if "://" in where:
        return _database(where)
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if not re.match(r"\.{0,2}/(?!/)|~", where):
        refuse_mistyped(where)
    path = Path(where).expanduser()
    if path.exists() and not path.is_file():
        raise SettingsError(f"{path} is no file; the storage is a file or a database URL")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = lock_for(path)
    if path.exists():
        _refuse_others(path)
        lock.acquire()
        try:
            _cut_off_unfinished(path)
        finally:
            lock.release()
    return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))


def _database(url: str) -> Any:
    """Return the storage in a database, whose tables are made if they are not there.

    Args:
        url: Of the database.

    Returns:
        Optuna's storage.
    """
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    for _ in range(MOST_TRIES - 1):
        try:
            return RDBStorage(url)
        except (IntegrityError, ProgrammingError):  # another process has just made the same table
            time.sleep(0.2)
    return RDBStorage(url)


@contextmanager
def alone_in_sqlite(where: str | None) -> Iterator[None]:
    """Keep other processes away from an SQLite file; all other storages do so themselves.

    Optuna reads which trial is waiting, and then writes that it is taken. Other databases lock the
    row in between. SQLite does not, so that two processes could take the same trial.

    Args:
        where: A storage.

    Yields:
        Nothing.
    """
    path = sqlite_file(where)
    if path is None:
        yield
        return
    lock = lock_for(path)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _refuse_others(path: Path) -> None:
    """Refuse a file that is no journal, or a damaged one; its last line may be unfinished.

    Args:
        path: Of the file; others may be writing to it.

    Raises:
        SettingsError: It is no journal, or a line of it is none.
    """
    content = path.read_bytes()
    whole, _, rest = content.rpartition(b"\n")
    for number, line in enumerate(whole.split(b"\n") if whole else [], start=1):
        try:
            is_entry = "op_code" in json_within_limits(line)
        except (ValueError, TypeError, RecursionError):
            is_entry = False
        if not is_entry:
            raise SettingsError(
                f"{path}, line {number} is no entry of a search's journal; take the line out if "
                "the file is one, or choose another --storage"
            )
    if rest and not whole and not rest.startswith(b'{"op_code"'):
        raise SettingsError(f"{path} is no journal of a search; choose another --storage")


def _cut_off_unfinished(path: Path) -> None:
    """Cut off a last line that was never finished, as after a full disk.

    Args:
        path: Of the journal; nobody else writes to it.
    """
    content = path.read_bytes()
    os.truncate(path, content.rfind(b"\n") + 1)


def _both(one: str, other: str) -> str:
    """Return what differs in words, if it is short enough to be read; both are JSON."""
    first, second = json.loads(one), json.loads(other)
    if isinstance(first, dict) and isinstance(second, dict):
        keys = [key for key in {**first, **second} if first.get(key) != second.get(key)]
        pairs = [f"{key} {first.get(key, 'not set')}, not {second.get(key, 'set')}" for key in keys]
        words = "; ".join(pairs)
    else:
        words = f"{first}, not {second}"
    return f" ({words})" if len(words) < 120 else ""


def _queue_once(study: optuna.Study, points: Sequence[dict[str, Any]]) -> None:
    """Queue every point that is not, by one process if several begin together.

    The first to come says so in the study and queues; the others wait until it is done. If it was
    killed before, they queue what is missing.
    """
    if study.user_attrs.get("queued"):
        return
    if study.user_attrs.get("queueing"):
        waited = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < waited:
            if study.user_attrs.get("queued"):
                return
            time.sleep(0.1)
    study.set_user_attr("queueing", True)
    there = {trial.user_attrs.get("point") for trial in study.get_trials(deepcopy=False)}
    for number, point in enumerate(points):
        if number not in there:
            study.enqueue_trial(point, user_attrs={"point": number})
    study.set_user_attr("queued", True)
