"""Checkpoints beside model folders: kept after each epoch, so that a training can go on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from sasrec.errors import ModelError, printable
from sasrec.evaluation.report import environment
from sasrec.training.checkpoint import TrainState, save_state

logger = logging.getLogger(__name__)

CHECKPOINT = ".training.safetensors"
"""Behind the name of a model folder."""


def checkpoint_of(folder: Path) -> Path:
    """Return where the state of a training is kept: beside its model folder.

    Args:
        folder: Of the model.

    Returns:
        The file.

    Raises:
        ModelError: It is the root of the file system.
    """
    whole = folder if folder.name else folder.resolve()
    if not whole.name:
        raise ModelError(f"{folder} is no model folder; name the one that training began with")
    return whole.with_name(f"{whole.name}{CHECKPOINT}")


class Keeper:
    """Keeps the state after each epoch.

    Attributes:
        good: Epochs kept, of which one is the best so far; 0 without one.
    """

    def __init__(self, about: dict[str, Any], path: Path, begin: TrainState | None) -> None:
        """Keep nothing yet.

        Args:
            about: What a training needs to go on, beside its state.
            path: Where it is kept.
            begin: The state that is there already.
        """
        self._about, self._path = about, path
        self.good = 0 if begin is None else good_epochs(begin)

    def __call__(self, state: TrainState) -> None:
        """Keep a state in place of the one before.

        Args:
            state: After an epoch.
        """
        save_state(state, self._about, self._path)
        self.good = good_epochs(state)


def good_epochs(state: TrainState) -> int:
    """Return how many epochs a state holds, of which one is the best; 0 if none is.

    Args:
        state: Of training.
    """
    epochs = state.epochs
    return len(epochs) if any(epoch.is_best for epoch in epochs) else 0


def tell_of_changes(before: object) -> None:
    """Say what is not as it was when a training began; its weights come out a little other then.

    Args:
        before: What ``environment`` returned there; older checkpoints do not know.
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
            "not as when the training began, so weights may differ a little from those of one "
            "that was never cut off: %s",
            ", ".join(changes),
        )
