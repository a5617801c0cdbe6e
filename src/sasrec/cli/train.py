"""train: settings and data in, a model folder and a table out; a training cut off can go on."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sasrec.cli.job import Job, Keeper, check_same_data, cut_off
from sasrec.cli.output_paths import expanded, model_folder_name
from sasrec.cli.progress import fetch_progress, observer_for
from sasrec.cli.run import (
    RESULT,
    AsJson,
    ConfigFiles,
    CutOffs,
    Preset,
    Quiet,
    cut_offs,
    print_reports,
    settings_from,
)
from sasrec.errors import Interrupted, ModelError, SettingsError
from sasrec.system.locks import alone_at
from sasrec.system.pictures import attempted

if TYPE_CHECKING:
    from sasrec.data.corpus import Corpus
    from sasrec.experiment.run import Outcome

SEVERAL = "another training writes to {}; wait for it, or choose another place with --out"


def train(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", "-d", metavar="DATA", help="Name (see 'sasrec data list'), file or folder."
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="SASRec, GRU4Rec, NextItNet, Caser, BERT4Rec, FPMC, FMC, TransRec or BPR.",
        ),
    ] = "SASRec",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Where the model goes; default saved/DATA[-MODEL].",
            rich_help_panel=RESULT,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            metavar="",
            help="Replace a model that is there.",
            rich_help_panel=RESULT,
        ),
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option(metavar="N", help="At most; default 300. With --resume: end sooner."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", help="Of all random numbers; default 2020."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="auto (default), cpu or cuda.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(metavar="NAME", help="auto (default), float32 or bfloat16.")
    ] = None,
    config_file: ConfigFiles = None,
    preset: Preset = None,
    topk: CutOffs = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Go on with the interrupted training of this model."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a model, compare it with two baselines, and save it.

    Any other setting is given as --key=value, such as --learning-rate=0.003;
    'sasrec config' lists them all.
    """
    if resume is not None:
        given = (data, out, seed, device, precision, preset, topk)
        source = context.get_parameter_source("model")
        named = source is not None and source.name != "DEFAULT"
        if context.args or config_file or named or any(each is not None for each in given):
            raise SettingsError("--resume takes data and settings from the training cut off")
        job = cut_off(expanded(resume), epochs)
    else:
        options = {"epochs": epochs, "seed": seed, "device": device, "precision": precision}
        options["topk"] = cut_offs(topk)
        run = settings_from(context.args, config_file, preset, options, model)
        if data is None:
            raise SettingsError("say what to train on with --data, such as --data ml-100k")
        name = model_folder_name(data, run.model_name)
        folder = expanded(Path(run.output.checkpoint_dir) / name if out is None else out)
        job = Job(run, data, folder, replaces=overwrite or out is None)
    may_be_other = out is not None or overwrite or resume is not None
    from sasrec.system.writing import remove_leftovers

    with _alone(job):
        for place in (job.folder, job.checkpoint):
            remove_leftovers(place)
        if job.begin is None and job.checkpoint.is_file():
            print(
                f"{job.checkpoint} is of a training that was cut off, and is replaced after the "
                f"first epoch; stop now, and 'sasrec train --resume {job.folder}' goes on with it",
                file=sys.stderr,
            )
        with _told_if_interrupted(job):
            _work(job, may_be_other=may_be_other, as_json=as_json, quiet=quiet)


def _work(job: Job, *, may_be_other: bool, as_json: bool, quiet: bool) -> None:
    """Train, save and print.

    Args:
        job: What and where to.
        may_be_other: Whether a model of other data may be replaced.
        as_json: Print JSON and nothing else.
        quiet: Show no progress.

    Raises:
        Interrupted: Training was stopped early; what there is was saved.
    """
    from sasrec.data.sources import load_corpus, save_events
    from sasrec.experiment.run import HASHES, fitted
    from sasrec.recommender.folder import check_target

    run = job.run
    logging.getLogger("sasrec").setLevel(run.output.log_level)
    check_target(job.folder, overwrite=job.replaces)
    corpus = load_corpus(job.data, run.data, fetch_progress())
    if not may_be_other:
        _refuse_other_source(job.folder, corpus.source)
    check_same_data(job, corpus)
    run = fitted(run, corpus)
    job = replace(job, run=run)  # what is kept to go on from holds what the preset found
    if run.output.save_dataset and job.begin is None:  # no checkpoint says where files are written
        path = save_events(corpus, Path(run.output.dataset_save_path or run.output.checkpoint_dir))
        print(f"events after filtering: {path}", file=sys.stderr)
    quiet = quiet or as_json or not run.output.show_progress
    outcome = _trained_and_saved(job, corpus, quiet=quiet)
    _save_curve(outcome.recommender.metrics, run.evaluation.valid_metric, job.folder)
    if as_json:
        told = {k: v for k, v in outcome.recommender.metrics.items() if k != HASHES}
        print(json.dumps({"folder": str(job.folder), **told}))
    else:
        print_reports(outcome.reports, run.evaluation.decimals)
        print(f"\nbest epoch {outcome.trained.best_epoch}; model saved in {job.folder}")
    if outcome.trained.interrupted:
        more = (
            f", and 'sasrec train --resume {job.folder}' goes on" if job.checkpoint.exists() else ""
        )
        raise Interrupted(
            f"training was stopped early; the best weights so far are in {job.folder}{more}"
        )


def _trained_and_saved(job: Job, corpus: Corpus, *, quiet: bool) -> Outcome:
    """Train, measure and save; what is needed to go on is there until the model is on the disk.

    Args:
        job: What and where to.
        corpus: The data set.
        quiet: Show no progress.

    Returns:
        What training came to.

    Raises:
        ModelError: The loss was no longer a finite number, or something cannot be written.
    """
    from sasrec.experiment.run import run_experiment

    keeper = _keeper(job, corpus)
    try:
        outcome = run_experiment(
            corpus,
            job.run,
            observer=observer_for(quiet=quiet, loss_decimals=job.run.output.loss_decimals),
            keep=keeper,
            begin=job.begin,
        )
    except ModelError as error:
        good = 0 if keeper is None else keeper.good
        raise ModelError(f"{error}{job.what_is_kept(good)}") from error
    outcome.recommender.save(job.folder, overwrite=job.replaces)
    if not outcome.trained.interrupted:
        job.checkpoint.unlink(missing_ok=True)
    return outcome


@contextmanager
def _told_if_interrupted(job: Job) -> Iterator[None]:
    """Say what there is if a signal comes where training itself does not wait for one.

    Args:
        job: Being done.

    Yields:
        Nothing.

    Raises:
        Interrupted: A signal came.
    """
    model, kept = _identity(job.folder), _identity(job.checkpoint)
    try:
        yield
    except KeyboardInterrupt:
        if _identity(job.folder) != model:
            text = f"interrupted after training; the model is saved in {job.folder}"
        elif job.begin is not None or _identity(job.checkpoint) not in {kept, None}:
            text = (
                "interrupted before the model was saved; 'sasrec train --resume "
                f"{job.folder}' goes on from the last epoch"
            )
        else:
            text = "interrupted; nothing was saved"
        raise Interrupted(text) from None


def _identity(path: Path) -> tuple[int, ...] | None:
    """Return what is another once a file or folder was put in the place of another."""
    if not path.exists():
        return None
    found = path.stat()
    written = 0 if path.is_dir() else found.st_mtime_ns  # numbers of files are used again
    return found.st_dev, found.st_ino, written


def _keeper(job: Job, corpus: Corpus) -> Keeper | None:
    """Return what keeps the state after each epoch, with all that is needed to go on."""
    if not job.run.output.keep_training:
        return None
    from sasrec.evaluation.report import environment

    about = {
        "settings": job.run.as_json(),
        "data": corpus.source or job.data,
        "fingerprint": corpus.sequences.fingerprint(),
        "replaces": job.replaces,
        "environment": environment(),
    }
    return Keeper(about, job.checkpoint, job.begin)


@contextmanager
def _alone(job: Job) -> Iterator[None]:
    """Keep a second training from writing to the same folder.

    Args:
        job: Whose folder.

    Yields:
        Nothing.

    Raises:
        ModelError: There is another training, or nothing can be written there.
    """
    from sasrec.recommender.folder import check_target

    check_target(job.folder, overwrite=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(alone_at(job.folder, waits=False))
        except BlockingIOError as error:
            raise ModelError(SEVERAL.format(job.folder)) from error
        except OSError as error:  # a place that can be written to, and a lock that cannot
            raise ModelError(
                f"{error.filename or job.folder}: {error.strerror or error}; remove this lock if "
                "nobody trains there, or choose another place with --out"
            ) from error
        yield


def _refuse_other_source(folder: Path, source: str) -> None:
    """Refuse to replace, unasked, a model that was trained on other data of the same name."""
    from sasrec.recommender.folder import SETTINGS, read_json

    if not (folder / SETTINGS).is_file():
        return
    other = read_json(folder / SETTINGS).get("source")
    if other != source:
        raise ModelError(
            f"{folder} holds a model trained on {other or 'a data frame'}; choose another place "
            "with --out, or replace it with --overwrite"
        )


def _save_curve(metrics: dict[str, Any], watched: str, folder: Path) -> None:
    from sasrec.recommender.folder import CURVE
    from sasrec.training.curve import draw_curve

    path = folder / CURVE
    path.unlink(missing_ok=True)  # of a model that was replaced
    attempted("the training", partial(draw_curve, metrics, watched, path))
