"""Stores a study in a journal file, or in any database that Optuna supports."""

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
from sasrec.tuning.urls import reject_mistyped_url, shown_storage, sqlite_file

if TYPE_CHECKING:
    import optuna

PATIENCE_SECONDS = 30.0
"""Seconds to wait for another process to queue all trials, before this process does it."""
MAX_TRIES = 5
"""Number of attempts to create the tables of a new database."""


def import_optuna() -> Any:
    """Return the Optuna module, with its logging limited to errors.

    Returns:
        The module.

    Raises:
        SettingsError: Optuna is not installed.
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
    """Open a study, or create it, and queue all its points.

    Args:
        where: A file, created if needed, or a URL such as ``sqlite:///search.db``; None keeps the
            study in memory.
        name: Name of the study.
        about: Name to value of everything the scores depend on, such as the space and the data; an
            existing study must have the same values.
        sampler: Optuna's sampler, which proposes parameters.
        pruner: Optuna's pruner, which stops unpromising trials.
        points: Combinations of an exhaustive search, each tried once, in this order.

    Returns:
        The study.

    Raises:
        SettingsError: The storage cannot be reached or is damaged, or the existing study has other
            values in ``about``.
    """
    shown = "memory" if where is None else shown_storage(where)
    try:
        with sqlite_lock(where):
            study: optuna.Study = import_optuna().create_study(
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
    except Exception as error:  # each database raises its own exceptions
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        if where is not None:
            reason = without_passwords(reason.replace(where, shown))
        raise SettingsError(f"the storage {shown} cannot be used: {reason}") from error
    return study


def _describe_once(study: optuna.Study, about: Mapping[str, Any], shown: str) -> None:
    """Record in a new study what its scores depend on; check it in an existing study.

    Args:
        study: The study.
        about: Name to value of everything the scores depend on.
        shown: The storage as shown in error texts.

    Raises:
        SettingsError: The study exists and has other values.
    """
    for what, value in about.items():
        described = json.dumps(value, default=str, sort_keys=True)
        known = study.user_attrs.get(what)
        if known is None:
            study.set_user_attr(what, described)
        elif known != described:
            other = "other settings" if what == "settings" else f"another {what}"
            raise SettingsError(
                f"the study {study.study_name!r} in {shown} has {other}"
                f"{_difference(known, described)}; choose another --out, --study or --storage"
            )


def _storage(where: str) -> Any:
    if "://" in where:
        return _database(where)
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if not re.match(r"\.{0,2}/(?!/)|~", where):
        reject_mistyped_url(where)
    path = Path(where).expanduser()
    if path.exists() and not path.is_file():
        raise SettingsError(
            f"{path} is not a regular file; give a file or a database URL as storage"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = lock_for(path)
    if path.exists():
        _check_journal(path)
        lock.acquire()
        try:
            _remove_incomplete_line(path)
        finally:
            lock.release()
    return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))


def _database(url: str) -> Any:
    """Return the storage in a database; its tables are created if necessary.

    Args:
        url: URL of the database.

    Returns:
        Optuna's storage.
    """
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    for _ in range(MAX_TRIES - 1):
        try:
            return RDBStorage(url)
        except (IntegrityError, ProgrammingError):  # another process just created the same table
            time.sleep(0.2)
    return RDBStorage(url)


@contextmanager
def sqlite_lock(where: str | None) -> Iterator[None]:
    """Lock an SQLite file in the ``with`` block; other storages do their own locking.

    Optuna first reads which trial is waiting, and then writes that it is taken. Other databases
    lock the row in between, but SQLite does not, so two processes could take the same trial.

    Args:
        where: The storage.

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


def _check_journal(path: Path) -> None:
    """Reject a file that is not a journal, or is damaged; its last line may be incomplete.

    Args:
        path: The file; other processes may be writing to it.

    Raises:
        SettingsError: The file is not a journal, or a line of it is not a journal entry.
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
                f"{path}, line {number} is not an entry of a search journal; delete the line if "
                "the rest of the file is one, or choose another --storage"
            )
    if rest and not whole and not rest.startswith(b'{"op_code"'):
        raise SettingsError(f"{path} is not a search journal; choose another --storage")


def _remove_incomplete_line(path: Path) -> None:
    """Remove an incomplete last line, which a full disk may leave behind.

    Args:
        path: The journal; it must be locked against other writers.
    """
    content = path.read_bytes()
    os.truncate(path, content.rfind(b"\n") + 1)


def _difference(one: str, other: str) -> str:
    """Return the difference between two JSON texts, as text; empty if it is long."""
    first, second = json.loads(one), json.loads(other)
    if isinstance(first, dict) and isinstance(second, dict):
        keys = [key for key in {**first, **second} if first.get(key) != second.get(key)]
        pairs = [f"{key} {first.get(key, 'not set')}, not {second.get(key, 'set')}" for key in keys]
        words = "; ".join(pairs)
    else:
        words = f"{first}, not {second}"
    return f" ({words})" if len(words) < 120 else ""


def _queue_once(study: optuna.Study, points: Sequence[dict[str, Any]]) -> None:
    """Queue all points that are not queued yet; if several processes start together, one does it.

    The first process marks the study as "queueing" and queues the points; the others wait until it
    has finished. If it was killed, they queue the missing points.
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
    queued = {trial.user_attrs.get("point") for trial in study.get_trials(deepcopy=False)}
    for number, point in enumerate(points):
        if number not in queued:
            study.enqueue_trial(point, user_attrs={"point": number})
    study.set_user_attr("queued", True)
