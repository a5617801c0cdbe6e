"""Trackers: TensorBoard or Weights & Biases hear of each epoch, through Accelerate.

A run is a run of its own there: TensorBoard, which draws all events of a folder as one curve, gets
a folder for each.
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
    """Tells trackers of each epoch, and another observer of everything."""

    def __init__(
        self,
        inner: Observer,
        *,
        trackers: Sequence[str],
        project: str,
        folder: Path,
        settings: Mapping[str, Any],
    ) -> None:
        """Prepare the trackers; they begin with training.

        Args:
            inner: Told everything too.
            trackers: ``tensorboard``, ``wandb`` or both.
            project: What to call the project there.
            folder: Where local logs go.
            settings: Of the run, name to number or text, to be shown there.

        Raises:
            SettingsError: Accelerate or a tracker is not installed.
        """
        how = "install what is needed with: pip install accelerate tensorboard wandb"
        try:
            from accelerate import Accelerator as Accelerator
            from accelerate.tracking import get_available_trackers
        except ImportError as error:
            raise SettingsError(f"{', '.join(trackers)} needs Accelerate; {how}") from error
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
        """Begin.

        Args:
            epochs: Most epochs.
            targets: Targets an epoch.
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
        """Return the name of a folder that no other run has, and make it."""
        moment = f"{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}"
        for number in itertools.count(1):
            name = moment if number == 1 else f"{moment}-{number}"
            with suppress(FileExistsError):
                (self._folder / self._project / name).mkdir(parents=True)
                break
        return name

    def advanced(self, epoch: int, targets: int) -> None:
        """Pass on.

        Args:
            epoch: From 1.
            targets: Done so far.
        """
        self._inner.advanced(epoch, targets)

    def finished_epoch(self, result: EpochResult) -> None:
        """Tell the trackers of loss, watched metric and seconds.

        Args:
            result: What the epoch came to.
        """
        values = {"loss": result.loss, "seconds": result.seconds}
        if result.score is not None:
            values[result.watched] = result.score
        self._accelerator.log(values, step=result.epoch)
        self._inner.finished_epoch(result)

    def stopped(self, reason: str) -> None:
        """End.

        Args:
            reason: Why.
        """
        self._accelerator.end_training()
        self._inner.stopped(reason)
