"""Settings of output: what is written beside the result, and where."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sasrec.settings.fields import Settings, Word, in_case, recbole


class OutputSettings(Settings):
    """What is written beside the result, and where."""

    checkpoint_dir: Word = Field("saved", json_schema_extra=recbole("checkpoint_dir"))
    """Folder in which models are saved."""
    show_progress: bool = Field(True, json_schema_extra=recbole("show_progress"))
    """Show how training goes."""
    loss_decimals: int = Field(4, ge=0, le=15, json_schema_extra=recbole("loss_decimal_place"))
    """Decimal places of the loss in progress lines; saved values are not rounded."""
    log_level: Annotated[
        Literal["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"], in_case(str.upper)
    ] = Field("INFO", json_schema_extra=recbole("state"))
    """Least importance of what is logged."""
    keep_training: bool = True
    """Keep the state of training beside the model folder after each epoch, so that a training that
    was cut off can go on (sasrec train --resume)."""
    popularity_window: float = Field(0.1, gt=0, le=1)
    """Share of the training events, the latest ones, by which the most popular items are chosen
    for histories the model can say nothing of. 1 counts all, as without times."""
    save_dataset: bool = Field(False, json_schema_extra=recbole("save_dataset"))
    """Write the events that are left after filtering as an atomic file."""
    dataset_save_path: Word | None = Field(None, json_schema_extra=recbole("dataset_save_path"))
    """Folder for that file; None takes checkpoint_dir."""
    log_wandb: bool = Field(False, json_schema_extra=recbole("log_wandb"))
    """Tell Weights & Biases of each epoch (needs accelerate and wandb)."""
    wandb_project: Word = Field("sasrec", json_schema_extra=recbole("wandb_project"))
    """What the project is called there, and for TensorBoard."""
    log_tensorboard: bool = False
    """Write each epoch for TensorBoard into checkpoint_dir/PROJECT, a folder for each training
    (needs accelerate and tensorboard)."""

    @property
    def trackers(self) -> tuple[str, ...]:
        """Names of the trackers asked for."""
        asked = {"wandb": self.log_wandb, "tensorboard": self.log_tensorboard}
        return tuple(name for name, wanted in asked.items() if wanted)
