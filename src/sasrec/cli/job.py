"""Jobs: what a training is to do and where, what it keeps on the way, and how it goes on."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sasrec.errors import DataError, ModelError, SettingsError, counted, printable

if TYPE_CHECKING:
    from sasrec.data.corpus import Corpus
    from sasrec.settings.resolve import RunSettings
    from sasrec.training.checkpoint import TrainState

CHECKPOINT = ".training.safetensors"
"""Behind the name of a model folder."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to train, and where the model goes.

    Attributes:
        run: All settings.
        data: Name or path.
        folder: Of the model.
        replaces: Whether a model that is there may be replaced.
        begin: State to go on from, or None.
        fingerprint: Of the data the state belongs to; empty without one.
    """

    run: RunSettings
    data: str
    folder: Path
    replaces: bool
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


def checkpoint_of(folder: Path) -> Path:
    """Return where the state of a training is kept: beside its model folder.

    Args:
        folder: Of the model.

    Returns:
        The file.
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
        self.good = 0 if begin is None else _good_epochs(begin)

    def __call__(self, state: TrainState) -> None:
        """Keep a state in place of the one before.

        Args:
            state: After an epoch.
        """
        from sasrec.training.checkpoint import save_state

        save_state(state, self._about, self._path)
        self.good = _good_epochs(state)


def _good_epochs(state: TrainState) -> int:
    epochs = state.epochs
    return len(epochs) if any(epoch.is_best for epoch in epochs) else 0


def cut_off(folder: Path, epochs: int | None = None) -> Job:
    """Return the job that was cut off.

    Args:
        folder: Of the model it was to become.
        epochs: To end after so many in all; None for as many as there were to be.

    Returns:
        The job, with the state to go on from.

    Raises:
        ModelError: There is no checkpoint, or it is damaged.
        SettingsError: There would be more epochs than there were to be.
    """
    from sasrec.recommender.folder import WEIGHTS
    from sasrec.settings.origin import Origin
    from sasrec.settings.resolve import resolve_settings
    from sasrec.training.checkpoint import load_state

    if folder.name.endswith(CHECKPOINT):  # the file itself was named
        folder = folder.with_name(folder.name.removesuffix(CHECKPOINT))
    path = checkpoint_of(folder)
    if not path.is_file() and (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder} holds a model that is finished; there is nothing to go on with")
    begin, about = load_state(path)
    _tell_of_changes(about.get("environment"))
    try:
        saved: dict[str, Any] = dict(about["settings"])
        name, preset = saved.pop("model_name"), saved.pop("preset")
        values = {key: value for group in saved.values() for key, value in group.items()}
        run = resolve_settings(values, name)
        # Every value counts as the user's own, so that the preset changes none.
        run = replace(
            run, preset=preset, origins=dict.fromkeys(values, Origin("checkpoint", str(path)))
        )
        data, fingerprint = about["data"], about["fingerprint"]
        if not (isinstance(data, str) and isinstance(fingerprint, str) and data and fingerprint):
            raise TypeError("what it says of its data")
        job = Job(run, data, folder, True, begin, fingerprint)
    except (KeyError, TypeError, AttributeError, SettingsError) as error:
        raise ModelError(f"{path} is damaged or was edited: {error} is missing or odd") from error
    _tell_of_trackers(job)
    return job if epochs is None else _shortened(job, epochs)


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
    print(
        f"as when the training began, {' and '.join(output.trackers)} is told of each epoch "
        f"(project {printable(output.wandb_project)}, folder {printable(output.checkpoint_dir)})",
        file=sys.stderr,
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


def _tell_of_changes(before: object) -> None:
    """Say what is not as it was when a training began; its weights come out a little other then.

    Args:
        before: What ``environment`` returned there; older checkpoints do not know.
    """
    from sasrec.evaluation.report import environment

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
        print(
            f"not as when the training began, so weights may differ a little from those of one "
            f"that was never cut off: {', '.join(changes)}",
            file=sys.stderr,
        )


def check_same_data(job: Job, corpus: Corpus) -> None:
    """Refuse to go on with other data.

    Args:
        job: With a fingerprint, if it goes on.
        corpus: What was read.

    Raises:
        DataError: The data have changed.
    """
    if job.fingerprint and corpus.sequences.fingerprint() != job.fingerprint:
        raise DataError(
            f"{job.data} has changed since the training was cut off, so it cannot go on; train anew"
        )
