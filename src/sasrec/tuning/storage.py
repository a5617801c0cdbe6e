"""Where a search is kept: a journal file, or any database Optuna knows."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sasrec.errors import SettingsError
from sasrec.tuning.space import Parameter

if TYPE_CHECKING:
    import optuna

PATIENCE_SECONDS = 30.0
"""How long to wait for another process to finish making a study before doing it ourselves."""


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
        raise SettingsError(
            "a search needs Optuna; install it with: pip install 'sasrec[tuning]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def open_study(
    where: str,
    name: str,
    *,
    space: Sequence[Parameter],
    sampler: Any,
    pruner: Any,
    points: Sequence[dict[str, Any]] = (),
) -> optuna.Study:
    """Return a study, made if it is not there, with all its points queued.

    Args:
        where: A file, made if needed, or a URL such as ``sqlite:///search.db``.
        name: Of the study.
        space: What it searches; one that is there must search the same.
        sampler: Optuna's, proposes parameters.
        pruner: Optuna's, ends hopeless trials.
        points: Parameters of an exhaustive search, each tried once, in this order.

    Returns:
        The study.

    Raises:
        SettingsError: The storage cannot be reached, or the study there searches another space.
    """
    library = optuna_here()
    try:
        study: Any = library.create_study(
            storage=_storage(where),
            study_name=name,
            sampler=sampler,
            pruner=pruner,
            direction="maximize",
            load_if_exists=True,
        )
        described = json.dumps([[p.name, p.kind, list(p.values)] for p in space], default=str)
        known = study.user_attrs.get("space")
        if known is not None and known != described:
            raise SettingsError(
                f"the study {name!r} in {where} searches another space; choose another --study or "
                "--storage"
            )
        if known is None:
            study.set_user_attr("space", described)
        if points:
            _queue_once(study, points)
    except SettingsError:
        raise
    except Exception as error:  # each database has errors of its own
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise SettingsError(f"the storage {where} cannot be used: {reason}") from error
    opened: optuna.Study = study
    return opened


def _storage(where: str) -> Any:
    if "://" in where:
        from optuna.storages import RDBStorage

        return RDBStorage(where)
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path = Path(where).expanduser()
    if path.is_dir():
        raise SettingsError(f"{path} is a folder; the storage is a file or a database URL")
    path.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(path)))


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
