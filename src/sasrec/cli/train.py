"""train: trains a model, prints its metrics, and saves it; resumes an interrupted training."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sasrec.cli.options import (
    AsJson,
    ConfigFiles,
    CutOffs,
    Device,
    DryRun,
    Epochs,
    EpochsFrom,
    ItemsFile,
    ModelName,
    ModelOut,
    OptionalData,
    Overwrite,
    Precision,
    Preset,
    Quiet,
    Resume,
    Seed,
    as_source,
)
from sasrec.cli.output_paths import expanded, model_folder_name
from sasrec.cli.progress import fetch_progress, observer_for
from sasrec.cli.run import cut_offs, print_reports, settings_from
from sasrec.errors import Interrupted, SettingsError, counted

if TYPE_CHECKING:
    from sasrec.experiment.plan import TrainingPlan
    from sasrec.experiment.prepared import Prepared
    from sasrec.experiment.run import Outcome
    from sasrec.settings.resolve import RunSettings


def train(
    context: typer.Context,
    data: OptionalData = None,
    items: ItemsFile = None,
    model: ModelName = "SASRec",
    out: ModelOut = None,
    overwrite: Overwrite = False,
    epochs: Epochs = None,
    epochs_from: EpochsFrom = None,
    seed: Seed = None,
    device: Device = None,
    precision: Precision = None,
    config_file: ConfigFiles = None,
    preset: Preset = None,
    topk: CutOffs = None,
    resume: Resume = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a model, compare it with two baselines, and save it.

    Give any other setting as --key=value, such as --learning-rate=0.003;
    'sasrec config' lists all settings.
    """
    options: dict[str, Any] = {"epochs": epochs, "seed": seed, "device": device}
    options |= {"precision": precision, "topk": cut_offs(topk), "items_file": items}
    if resume is not None:
        given = {**options, "epochs": epochs_from, "data": as_source(data), "out": out}
        _refuse_with_resume(context, given, config_file)
        job = _unfinished(expanded(resume), epochs)
    else:
        if epochs_from is not None:
            options["epochs"] = _best_epoch(expanded(epochs_from), epochs)
        run = settings_from(context, config_file, preset, options, model)
        job = _new_job(run, as_source(data), out, overwrite=overwrite)
    if dry_run:
        _forecast(job, as_json=as_json)
        return
    _show(_trained(job, quiet=quiet or as_json), job, as_json=as_json)


def _refuse_with_resume(
    context: typer.Context, given: dict[str, Any], config_file: list[Path] | None
) -> None:
    """Reject options and settings that a resumed training takes from its checkpoint.

    Args:
        context: Context of the command, with the ``--key=value`` words.
        given: Option to value; None for those not given.
        config_file: Files of settings.

    Raises:
        SettingsError: One of them is given.
    """
    named = [
        name
        for name in ("model", "preset")
        if (source := context.get_parameter_source(name)) is not None and source.name != "DEFAULT"
    ]
    if context.args or config_file or named or any(each is not None for each in given.values()):
        raise SettingsError(
            "--resume takes data and settings from the interrupted training; remove all other "
            "options for data and settings except --epochs"
        )


def _best_epoch(folder: Path, epochs: int | None) -> int:
    """Return the best epoch of a saved model.

    Args:
        folder: The model folder.
        epochs: The value of ``--epochs``, which must not be given too.

    Raises:
        SettingsError: ``--epochs`` is given too, or the model is of no use for this.
    """
    from sasrec.recommender.loading import load

    if epochs is not None:
        raise SettingsError("give either --epochs or --epochs-from, not both")
    found = load(folder).metrics.get("best_epoch")
    if not isinstance(found, int) or found < 1:
        raise SettingsError(f"{folder} does not say which epoch was its best; give --epochs")
    return found


def _unfinished(folder: Path, epochs: int | None) -> TrainingPlan:
    from sasrec.experiment.plan import unfinished_plan

    return unfinished_plan(folder, epochs=epochs)


def _new_job(
    run: RunSettings, data: str | None, out: Path | None, *, overwrite: bool
) -> TrainingPlan:
    """Return the training to run, with its data and output folder.

    Args:
        run: All settings.
        data: Name or path of the data.
        out: Folder for the model; None takes one named after data and model, where a model
            trained on the same data is replaced.
        overwrite: Replace any existing model.

    Returns:
        The job.

    Raises:
        SettingsError: No data are given.
    """
    from sasrec.experiment.plan import TrainingPlan

    if data is None:
        raise SettingsError("no data are given; add --data, such as --data ml-100k")
    if out is not None:
        return TrainingPlan(run, data, expanded(out), "anything" if overwrite else "nothing")
    name = model_folder_name(data, run.model_name)
    folder = expanded(Path(run.output.checkpoint_dir) / name)
    return TrainingPlan(run, data, folder, "anything" if overwrite else "same data")


def _forecast(job: TrainingPlan, *, as_json: bool) -> None:
    """Print what a training would take; write nothing."""
    from sasrec.experiment.train_into import forecast_by_plan

    found = forecast_by_plan(job, fetch_progress())
    print(json.dumps(found.as_json()) if as_json else f"forecast: {found}")


def _trained(job: TrainingPlan, *, quiet: bool) -> Outcome:
    from sasrec.experiment.forecast import forecast_unless_short
    from sasrec.experiment.train_into import remaining, train_by_plan

    def tell(prepared: Prepared) -> None:
        found = forecast_unless_short(prepared)
        if found is not None:
            print(f"forecast: {remaining(found, job)}", file=sys.stderr, flush=True)

    output = job.run.output
    logging.getLogger("sasrec").setLevel(output.log_level)
    observer = observer_for(
        quiet=quiet or not output.show_progress, loss_decimals=output.loss_decimals
    )
    if quiet or not output.show_progress:
        return train_by_plan(job, observer, fetch_progress())
    return train_by_plan(job, observer, fetch_progress(), before=tell)


def _show(outcome: Outcome, job: TrainingPlan, *, as_json: bool) -> None:
    """Print the metrics of a trained model and where it was saved.

    Args:
        outcome: The trained model and its metrics.
        job: The training, with its output folder.
        as_json: Print only JSON.

    Raises:
        Interrupted: Training was interrupted; the best weights so far were saved.
    """
    from sasrec.data.drift.saved import KEY as PROFILE
    from sasrec.experiment.run import HASHES

    if as_json:
        hidden = (HASHES, PROFILE)
        metrics = {k: v for k, v in outcome.recommender.metrics.items() if k not in hidden}
        print(json.dumps({"folder": str(job.folder), **metrics}))
    else:
        print_reports(outcome.reports, job.run.evaluation.decimals)
        epoch = outcome.trained.best_epoch
        what = f"best epoch {epoch}" if outcome.reports[0].validation else counted(epoch, "epoch")
        print(f"\n{what}; model saved in {job.folder}")
    if outcome.trained.interrupted:
        resume = (
            f"; to resume: sasrec train --resume {job.folder}" if job.checkpoint.exists() else ""
        )
        raise Interrupted(
            f"training was interrupted; the best weights so far are in {job.folder}{resume}"
        )
