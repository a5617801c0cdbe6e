"""Owners: which process works on a trial, and whether it is still alive.

Optuna's own heartbeat needs a database, and takes minutes to notice that a process was killed. Here
a process of the same machine is asked for by its number, in any storage, and only those of other
machines by their heartbeat.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optuna

SILENCE_SECONDS = 900.0
"""Without a heartbeat for so long, a trial on another machine counts as lost."""
BEAT_SECONDS = 60.0
"""Time between two heartbeats."""


def owner_here() -> str:
    """Return the name of this process: machine and number."""
    return f"{socket.gethostname()}:{os.getpid()}"


def claim_for(trial: optuna.Trial, owner: str) -> None:
    """Note in the study who works on a trial.

    Args:
        trial: From the study.
        owner: Of ``owner_here``.
    """
    trial.set_user_attr("owner", owner)
    beat(trial)


def beat(trial: optuna.Trial) -> None:
    """Note in the study that somebody is at work on a trial right now.

    Args:
        trial: Being trained.
    """
    trial.set_user_attr("beat", time.time())


def is_lost(trial: optuna.trial.FrozenTrial) -> bool:
    """Return whether the process that works on a trial is gone.

    Args:
        trial: Marked as running.

    Returns:
        On this machine, whether there is no such process; on others, whether its last heartbeat is
        too long ago.
    """
    host, _, process = str(trial.user_attrs.get("owner", "")).rpartition(":")
    if host == socket.gethostname():
        return not _is_alive(int(process))
    started = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    return time.time() - float(trial.user_attrs.get("beat", started)) > SILENCE_SECONDS


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
