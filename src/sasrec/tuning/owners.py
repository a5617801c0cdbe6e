"""Which process runs a trial (its owner), and whether that process is still alive.

Optuna's own heartbeat needs a database, and takes minutes to notice that a process was killed.
Instead, processes of the same machine are checked by their process id, with any storage; only
processes of other machines are checked by their heartbeat.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optuna

SILENCE_SECONDS = 900.0
"""Seconds without a heartbeat after which a trial on another machine counts as lost."""
HEARTBEAT_SECONDS = 60.0
"""Seconds between two heartbeats."""


def this_process() -> str:
    """Return the name of this process: host name and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def claim_for(trial: optuna.Trial, owner: str) -> None:
    """Record in the study which process runs a trial.

    Args:
        trial: A trial of the study.
        owner: The result of ``this_process``.
    """
    trial.set_user_attr("owner", owner)
    record_heartbeat(trial)


def record_heartbeat(trial: optuna.Trial) -> None:
    """Record the current time in the study as the last heartbeat of a trial.

    Args:
        trial: The trial being trained.
    """
    trial.set_user_attr("beat", time.time())


def is_lost(trial: optuna.trial.FrozenTrial) -> bool:
    """Return whether the process that runs a trial has ended.

    Args:
        trial: A trial with the state "running".

    Returns:
        For this machine, whether the process no longer exists; for other machines, whether the
        last heartbeat is too long ago.
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
