"""Output settings: what is saved and logged, and where."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sasrec.settings.fields import Settings, Word, ignore_case, recbole


class OutputSettings(Settings):
    """What is saved and logged, and where."""

    checkpoint_dir: Word = Field("saved", json_schema_extra=recbole("checkpoint_dir"))
    """Folder in which models are saved."""
    show_progress: bool = Field(True, json_schema_extra=recbole("show_progress"))
    """Show training progress."""
    loss_decimals: int = Field(4, ge=0, le=15, json_schema_extra=recbole("loss_decimal_place"))
    """Decimal places of the loss in progress lines; saved values are not rounded."""
    log_level: Annotated[
        Literal["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"], ignore_case(str.upper)
    ] = Field("INFO", json_schema_extra=recbole("state"))
    """Lowest level of log messages to show."""
    keep_training: bool = True
    """Save the state of training next to the model folder after each epoch, so that an interrupted
    training can be resumed (sasrec train --resume)."""
    popularity_window: float = Field(0.1, gt=0, le=1)
    """Share of the training events, latest first, that are counted to find the most popular items;
    these are recommended for histories that contain nothing the model knows. 1 counts all events,
    which is also done for data without timestamps."""
    save_dataset: bool = Field(False, json_schema_extra=recbole("save_dataset"))
    """Write the events that remain after filtering to an atomic file."""
    dataset_save_path: Word | None = Field(None, json_schema_extra=recbole("dataset_save_path"))
    """Folder for the file of save_dataset; None uses checkpoint_dir."""
    log_wandb: bool = Field(False, json_schema_extra=recbole("log_wandb"))
    """Log each epoch to Weights & Biases (needs accelerate and wandb)."""
    wandb_project: Word = Field("sasrec", json_schema_extra=recbole("wandb_project"))
    """Name of the project in Weights & Biases and TensorBoard."""
    log_tensorboard: bool = False
    """Log each epoch for TensorBoard to checkpoint_dir/PROJECT, with a folder for each training
    (needs accelerate and tensorboard). PROJECT is the value of wandb_project."""

    @property
    def trackers(self) -> tuple[str, ...]:
        """Names of the experiment trackers that are switched on."""
        trackers = {"wandb": self.log_wandb, "tensorboard": self.log_tensorboard}
        return tuple(name for name, is_on in trackers.items() if is_on)
