"""Jobs: what a training is to do and where, what it keeps on the way, and how it goes on."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sasrec.errors import DataError, ModelError, SettingsError, counted, printable
from sasrec.experiment.checkpoints import CHECKPOINT, checkpoint_of, tell_of_changes
from sasrec.recommender.folder import WEIGHTS
from sasrec.settings.origin import Origin
from sasrec.settings.plugins import KEY, TABLES, require_parts
from sasrec.settings.resolve import RunSettings, resolve_settings
from sasrec.training.checkpoint import TrainState, load_state

if TYPE_CHECKING:
    from sasrec.data.sources import Source

logger = logging.getLogger(__name__)
Replaces = Literal["nothing", "same data", "anything"]
"""Which model a training may replace: none, one trained on the same data, or any."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to train, and where the model goes.

    Attributes:
        run: All settings.
        data: Name, path or data frame.
        folder: Of the model.
        replaces: What may be replaced there.
        begin: State to go on from, or None.
        fingerprint: Of the data the state belongs to; empty without one.
    """

    run: RunSettings
    data: Source
    folder: Path
    replaces: Replaces = "nothing"
    begin: TrainState | None = None
    fingerprint: str = ""

    @property
    def checkpoint(self) -> Path:
        """File that is there while the training is not finished."""
        return checkpoint_of(self.folder)

    def what_is_kept(self, good: int) -> str:
        """Return how to save what a training came to that went wrong later.

        Args:
            good: Epochs that were kept, of which one is the best; 0 if there is none.

        Returns:
            More text for its error; empty if there is nothing.
        """
        if not good:
            return ""
        return (
            f"; the best weights of the {counted(good, 'epoch')} before are kept, and "
            f"'sasrec train --resume {self.folder} --epochs {good}' saves them as a model"
        )


def unfinished_job(folder: Path, *, epochs: int | None = None, data: Source | None = None) -> Job:
    """Return the job that was cut off.

    Args:
        folder: Of the model it was to become.
        epochs: To end after so many in all; None for as many as there were to be.
        data: The data it was trained on, if these were a data frame.

    Returns:
        The job, with the state to go on from.

    Raises:
        ModelError: There is no checkpoint, or it is damaged.
        SettingsError: There would be more epochs than there were to be.
        DataError: The data were a data frame, and are not given.
    """
    if folder.name.endswith(CHECKPOINT):  # the file itself was named
        folder = folder.with_name(folder.name.removesuffix(CHECKPOINT))
    path = checkpoint_of(folder)
    if not path.is_file() and (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder} holds a model that is finished; there is nothing to go on with")
    begin, about = load_state(path)
    tell_of_changes(about.get("environment"))
    if isinstance(saved := about.get("settings"), dict):
        require_parts(saved.get(KEY, []), TABLES, path)
    try:
        run = _saved_settings(about, path)
        source, fingerprint = _text(about["data"]), _text(about["fingerprint"])
    except (KeyError, TypeError, AttributeError, SettingsError) as error:
        reason = f"{error} is missing or invalid"
        raise ModelError(f"{path} is damaged or was edited: {reason}") from error
    if data is None and not source:
        raise DataError("the training that was cut off read a data frame; give it again as data=")
    found: Source = source if data is None else data
    job = Job(run, found, folder, "anything", begin, fingerprint)
    _tell_of_trackers(job)
    return job if epochs is None else _shortened(job, epochs)


def _text(value: object) -> str:
    """Return a value that must be text.

    Raises:
        TypeError: It is not.
    """
    if not isinstance(value, str):
        raise TypeError("what it says of its data")
    return value


def _saved_settings(about: dict[str, Any], path: Path) -> RunSettings:
    """Return the settings of a checkpoint; every value counts as the user's own."""
    saved: dict[str, Any] = dict(about["settings"])
    name, preset = saved.pop("model_name"), saved.pop("preset")
    saved.pop(KEY, None)
    values = {key: value for group in saved.values() for key, value in group.items()}
    run = resolve_settings(values, name)
    return replace(
        run, preset=preset, origins=dict.fromkeys(values, Origin("checkpoint", str(path)))
    )


def _tell_of_trackers(job: Job) -> None:
    """Say whom a training that goes on tells of its epochs: the checkpoint says so, not the user.

    Args:
        job: As the checkpoint has it.

    Raises:
        ModelError: Files would be written to a folder that the training did not make.
    """
    output = job.run.output
    if not output.trackers:
        return
    if output.log_tensorboard and not Path(output.checkpoint_dir).is_dir():
        raise ModelError(
            f"{job.checkpoint} asks for TensorBoard logs in {output.checkpoint_dir!r}, which is "
            "not there; if you trust it, make that folder"
        )
    logger.warning(
        "as when the training began, %s is told of each epoch (project %s, folder %s)",
        " and ".join(output.trackers),
        *(printable(output.wandb_project), printable(output.checkpoint_dir)),
    )


def _shortened(job: Job, epochs: int) -> Job:
    """Return a job with fewer epochs.

    Raises:
        SettingsError: There would be more.
    """
    done = 0 if job.begin is None else len(job.begin.epochs)
    most = job.run.training.epochs
    if not max(1, done) <= epochs <= most:
        raise SettingsError(
            f"--epochs: of {counted(most, 'epoch')}, {done} are done; with --resume a "
            "training ends after a number between these, and a longer one begins anew"
        )
    training = job.run.training.model_copy(update={"epochs": epochs})
    return replace(job, run=replace(job.run, training=training))
