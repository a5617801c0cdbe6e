"""Trackers: TensorBoard or Weights & Biases receive the metrics of each epoch, via Accelerate.

For TensorBoard each run has its own folder, because it draws all events of a folder as one curve.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from sasrec.errors import SettingsError
from sasrec.system.children import safe_path
from sasrec.training.progress import EpochResult, Observer


class TrackedObserver:
    """Sends the metrics of each epoch to trackers, and calls another observer."""

    def __init__(
        self,
        inner: Observer,
        *,
        trackers: Sequence[str],
        project: str,
        folder: Path,
        settings: Mapping[str, Any],
    ) -> None:
        """Check that the trackers are installed; they start when training starts.

        Args:
            inner: An observer that is also called.
            trackers: ``tensorboard``, ``wandb`` or both.
            project: Name of the project.
            folder: Folder of local logs.
            settings: Settings of the run to show; only numbers, text and booleans are sent.

        Raises:
            SettingsError: Accelerate or a tracker is not installed.
        """
        how = "install with: pip install accelerate tensorboard wandb"
        try:
            from accelerate import Accelerator as Accelerator
            from accelerate.tracking import get_available_trackers
        except ImportError as error:
            raise SettingsError(
                f"logging to {' and '.join(trackers)} needs Accelerate; {how}"
            ) from error
        available = {str(name) for name in get_available_trackers()}
        for name in trackers:
            if name not in available:
                raise SettingsError(f"{name} is not installed; {how}")
        self._inner = inner
        self._trackers, self._project, self._folder = trackers, project, folder
        self._settings = {
            name: value
            for name, value in settings.items()
            if isinstance(value, int | float | str | bool)
        }

    def started(self, epochs: int, targets: int) -> None:
        """Start the trackers.

        Args:
            epochs: Maximum number of epochs.
            targets: Training targets per epoch.
        """
        from accelerate import Accelerator
        from accelerate.tracking import TensorBoardTracker

        with safe_path():  # a tracker may start processes
            trackers = [
                TensorBoardTracker(f"{self._project}/{self._new_run()}", str(self._folder))
                if name == "tensorboard"
                else name
                for name in self._trackers
            ]
            self._accelerator = Accelerator(
                log_with=trackers, project_dir=str(self._folder), cpu=True
            )
            self._accelerator.init_trackers(self._project, config=self._settings)
        self._inner.started(epochs, targets)

    def _new_run(self) -> str:
        """Return the name of a new folder for this run; the folder is created."""
        started = f"{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}"
        for number in itertools.count(1):
            name = started if number == 1 else f"{started}-{number}"
            with suppress(FileExistsError):
                (self._folder / self._project / name).mkdir(parents=True)
                break
        return name

    def advanced(self, epoch: int, targets: int) -> None:
        """Call the other observer.

        Args:
            epoch: Number of the epoch, from 1.
            targets: Training targets processed in this epoch.
        """
        self._inner.advanced(epoch, targets)

    def finished_epoch(self, result: EpochResult) -> None:
        """Send loss, validation metric and seconds to the trackers.

        Args:
            result: Results of the epoch.
        """
        values = {"loss": result.loss, "seconds": result.seconds}
        if result.score is not None:
            values[result.watched] = result.score
        self._accelerator.log(values, step=result.epoch)
        self._inner.finished_epoch(result)

    def stopped(self, reason: str) -> None:
        """Stop the trackers.

        Args:
            reason: Why training ended.
        """
        self._accelerator.end_training()
        self._inner.stopped(reason)
