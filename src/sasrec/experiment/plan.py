"""Plans: what to train and where to save it; a new training, or one to resume."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sasrec.errors import DataError, ModelError, SettingsError, counted, printable
from sasrec.experiment.checkpoints import checkpoint_of, warn_of_changes
from sasrec.recommender.folder import CHECKPOINT, WEIGHTS
from sasrec.settings.origin import Origin
from sasrec.settings.plugins import PLUGINS_KEY, TABLES, require_parts
from sasrec.settings.resolve import RunSettings, resolve_settings
from sasrec.training.checkpoint import TrainState, load_state

if TYPE_CHECKING:
    from sasrec.data.formats.item_files import ItemSource
    from sasrec.data.sources import Source

logger = logging.getLogger(__name__)
Replaces = Literal["nothing", "same data", "anything"]
"""Which existing model a training may replace: none, one trained on the same data, or any."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What to train, and where to save the model.

    Attributes:
        run: All settings.
        data: Name, path or data frame.
        folder: Where the model is saved.
        replaces: Which model may be replaced there.
        resume_from: The state to resume from, or None for a new training.
        fingerprint: Hash of the data that the state belongs to; empty for a new training.
        items: Data frame with a row for each item, or None.
    """

    run: RunSettings
    data: Source
    folder: Path
    replaces: Replaces = "nothing"
    resume_from: TrainState | None = None
    fingerprint: str = ""
    items: ItemSource | None = None

    @property
    def checkpoint(self) -> Path:
        """The checkpoint file, which exists while the training is unfinished."""
        return checkpoint_of(self.folder)

    def recovery_hint(self, good: int) -> str:
        """Return a hint on how to save the best weights of a training that failed later.

        Args:
            good: Epochs in the checkpoint; 0 if none of them has usable weights.

        Returns:
            Text to append to the error message; empty if there is nothing to save.
        """
        if not good:
            return ""
        return (
            f"; the checkpoint has the best weights of the {counted(good, 'epoch')} before: "
            f"'sasrec train --resume {self.folder} --epochs {good}' saves them as a model"
        )


def unfinished_plan(
    folder: Path,
    *,
    epochs: int | None = None,
    data: Source | None = None,
    items: ItemSource | None = None,
) -> TrainingPlan:
    """Return the plan of an interrupted training.

    Args:
        folder: Where its model was going to be saved.
        epochs: Total number of epochs; None for the number that was planned.
        data: The data frame it was trained on; None if the data were a name or a path.
        items: The table of items it was trained with; None if that was no data frame.

    Returns:
        The plan, with the state to resume from.

    Raises:
        ModelError: There is no checkpoint, or it is damaged.
        SettingsError: ``epochs`` is fewer than are done, or more than were planned.
        DataError: The data or the items were a data frame, and none is given.
    """
    if folder.name.endswith(CHECKPOINT):  # the user named the checkpoint itself
        folder = folder.with_name(folder.name.removesuffix(CHECKPOINT))
    path = checkpoint_of(folder)
    if not path.is_file() and (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder} holds a finished model; there is nothing to resume")
    resume_from, about = load_state(path)
    warn_of_changes(about.get("environment"))
    if isinstance(saved := about.get("settings"), dict):
        require_parts(saved.get(PLUGINS_KEY, []), TABLES, path)
    try:
        run = _saved_settings(about, path)
        source, fingerprint = _text(about["data"]), _text(about["fingerprint"])
    except (KeyError, TypeError, AttributeError, SettingsError) as error:
        reason = f"{error} is missing or invalid"
        raise ModelError(f"{path} is damaged or was edited: {reason}") from error
    if data is None and not source:
        raise DataError(
            "the interrupted training used a data frame; pass the same data frame as data="
        )
    if items is None and about.get("items"):
        raise DataError(
            "the interrupted training used a data frame of items; pass the same data frame as "
            "items="
        )
    found: Source = source if data is None else data
    plan = TrainingPlan(run, found, folder, "anything", resume_from, fingerprint, items)
    _log_trackers(plan)
    return plan if epochs is None else _shortened(plan, epochs)


def _text(value: object) -> str:
    """Return a value that must be text.

    Raises:
        TypeError: It is not.
    """
    if not isinstance(value, str):
        raise TypeError("its description of the data")
    return value


def _saved_settings(about: dict[str, Any], path: Path) -> RunSettings:
    """Return the settings in a checkpoint; every value counts as given by the user."""
    saved: dict[str, Any] = dict(about["settings"])
    name, preset = saved.pop("model_name"), saved.pop("preset")
    saved.pop(PLUGINS_KEY, None)
    values = {key: value for group in saved.values() for key, value in group.items()}
    run = resolve_settings(values, name)
    return replace(
        run, preset=preset, origins=dict.fromkeys(values, Origin("checkpoint", str(path)))
    )


def _log_trackers(plan: TrainingPlan) -> None:
    """Warn which trackers will receive metrics, as the checkpoint chose them and not the user.

    Args:
        plan: Read from the checkpoint.

    Raises:
        ModelError: TensorBoard logs would go to a folder that does not exist, so the checkpoint
            may not have been written on this machine.
    """
    output = plan.run.output
    if not output.trackers:
        return
    if output.log_tensorboard and not Path(output.checkpoint_dir).is_dir():
        raise ModelError(
            f"{plan.checkpoint} asks for TensorBoard logs in {output.checkpoint_dir!r}, which does "
            "not exist; if you trust this checkpoint, create the folder"
        )
    logger.warning(
        "as at the start of this training, metrics are sent to %s (project %s, folder %s)",
        " and ".join(output.trackers),
        *(printable(output.wandb_project), printable(output.checkpoint_dir)),
    )


def _shortened(plan: TrainingPlan, epochs: int) -> TrainingPlan:
    """Return the plan with fewer epochs in total.

    Raises:
        SettingsError: The number is below the epochs done, or above the epochs planned.
    """
    done = 0 if plan.resume_from is None else len(plan.resume_from.epochs)
    most = plan.run.training.epochs
    if not max(1, done) <= epochs <= most:
        raise SettingsError(
            f"epochs is {epochs}; to resume, it must be from {max(1, done)} (epochs done) to "
            f"{most} (epochs planned); for more epochs, start a new training"
        )
    training = plan.run.training.model_copy(update={"epochs": epochs})
    return replace(plan, run=replace(plan.run, training=training))
