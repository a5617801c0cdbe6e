"""Checkpoints beside model folders, saved after each epoch so that training can be resumed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from sasrec.errors import ModelError, printable
from sasrec.evaluation.report import environment
from sasrec.recommender.folder import CHECKPOINT
from sasrec.training.checkpoint import TrainState, save_state

logger = logging.getLogger(__name__)


def checkpoint_of(folder: Path) -> Path:
    """Return the checkpoint file of a training; it is beside the model folder.

    Args:
        folder: Where the model is saved.

    Returns:
        The file; it need not exist.

    Raises:
        ModelError: The folder is the root of the file system.
    """
    whole = folder if folder.name else folder.resolve()
    if not whole.name:
        raise ModelError(f"{folder} is not a model folder; name the folder given to --out")
    return whole.with_name(f"{whole.name}{CHECKPOINT}")


class CheckpointWriter:
    """Saves the state of training after each epoch.

    Attributes:
        good: Epochs in the checkpoint; 0 if none of them has usable weights.
    """

    def __init__(self, about: dict[str, Any], path: Path, resume_from: TrainState | None) -> None:
        """Save nothing yet.

        Args:
            about: Settings and data, which are needed beside the state to resume training.
            path: The checkpoint file.
            resume_from: The state that training was resumed from, if any.
        """
        self._about, self._path = about, path
        self.good = 0 if resume_from is None else good_epochs(resume_from)

    def __call__(self, state: TrainState) -> None:
        """Save a state, replacing the previous one.

        Args:
            state: The state after an epoch.
        """
        save_state(state, self._about, self._path)
        self.good = good_epochs(state)


def good_epochs(state: TrainState) -> int:
    """Return the number of epochs in a state, or 0 if none of them has usable weights.

    Args:
        state: The state of a training.
    """
    epochs = state.epochs
    return len(epochs) if any(epoch.is_best for epoch in epochs) else 0


def warn_of_changes(before: object) -> None:
    """Warn about changed versions or hardware, because they change the weights slightly.

    Args:
        before: What ``environment`` returned when training began; older checkpoints lack it.
    """
    if not isinstance(before, dict):
        return
    names = "sasrec", "torch", "numpy", "threads", "kernels"
    now = environment()
    changes = [
        f"{name} {printable(str(before[name])[:40])} -> {now[name]}"
        for name in names
        if name in before and before[name] != now[name]
    ]
    if changes:
        logger.warning(
            "the environment has changed since the training began, so the weights may differ "
            "slightly from those of an uninterrupted training: %s",
            ", ".join(changes),
        )
