"""Training into a folder: locked, checkpointed after each epoch, saved completely or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from sasrec.data.content.sources import fingerprint
from sasrec.data.corpus import Corpus
from sasrec.data.movielens import Progress
from sasrec.data.saved_events import save_events
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError, Interrupted, ModelError
from sasrec.evaluation.report import environment
from sasrec.experiment.checkpoints import CheckpointWriter
from sasrec.experiment.forecast import Forecast, forecast_of
from sasrec.experiment.plan import TrainingPlan
from sasrec.experiment.prepared import Prepared, prepare
from sasrec.experiment.run import Outcome, run_prepared
from sasrec.recommender.folder import CURVE, SETTINGS, check_target, read_json
from sasrec.system.locks import exclusive_lock
from sasrec.system.pictures import draw_or_warn
from sasrec.system.writing import remove_leftovers
from sasrec.training.curve import draw_curve
from sasrec.training.progress import Observer

logger = logging.getLogger(__name__)
LOCKED_MESSAGE = (
    "another training is writing to {}; wait until it has finished, or choose another folder with "
    "--out"
)


def train_by_plan(
    plan: TrainingPlan,
    observer: Observer,
    fetching: Progress = lambda done, total: None,
    *,
    before: Callable[[Prepared], None] = lambda prepared: None,
) -> Outcome:
    """Train and save a model; until it is saved, a checkpoint allows the training to be resumed.

    Args:
        plan: What to train, and where to save it.
        observer: Receives the progress of training.
        fetching: Called with the progress of a download.
        before: Called with the prepared data before the training.

    Returns:
        The trained model and its reports. If the user stopped training, the best weights so far
        are saved.

    Raises:
        SasrecError: Data, settings or the folder cannot be used, or training failed.
        Interrupted: The user stopped it before there was anything to save, or outside training.
    """  # raised by the parts
    with _exclusive(plan), _interrupt_explained(plan):
        replaced = _prepared_folder(plan)
        corpus = load_corpus(plan.data, plan.run.data, fetching, items=plan.items)
        _check_source(plan, replaced, corpus)
        _save_events(plan, corpus)
        prepared = prepare(corpus, plan.run)
        before(prepared)
        return _trained_and_saved(plan, prepared, observer)


def forecast_by_plan(plan: TrainingPlan, fetching: Progress = lambda done, total: None) -> Forecast:
    """Measure some steps of a training, and return what it will take; nothing is written.

    Args:
        plan: What would be trained, and where it would be saved.
        fetching: Called with the progress of a download.

    Returns:
        The forecast.

    Raises:
        SasrecError: Data, settings or the folder cannot be used.
    """  # raised by the parts
    replaced = _replaced(plan)
    corpus = load_corpus(plan.data, plan.run.data, fetching, items=plan.items)
    _check_source(plan, replaced, corpus)
    return remaining(forecast_of(prepare(corpus, plan.run)), plan)


def remaining(found: Forecast, plan: TrainingPlan) -> Forecast:
    """Return a forecast without the epochs that a resumed training has done already.

    Args:
        found: The forecast of the whole training.
        plan: The training.

    Returns:
        The forecast of the rest.
    """
    done = 0 if plan.resume_from is None else len(plan.resume_from.epochs)
    typical = None if found.typical_epochs is None else max(1, found.typical_epochs - done)
    return replace(found, epochs=found.epochs - done, typical_epochs=typical)


def _prepared_folder(plan: TrainingPlan) -> str | None:
    """Remove what a killed training left, and reject a folder that cannot be written.

    Returns:
        The data that the model to be replaced was trained on, or None if it does not matter.
    """
    for path in (plan.folder, plan.checkpoint):
        remove_leftovers(path)
    if plan.resume_from is None and plan.checkpoint.is_file():
        logger.warning(
            "%s is the checkpoint of an unfinished training; it is replaced after the first "
            "epoch. To resume that training instead, stop now and run 'sasrec train --resume %s'",
            *(plan.checkpoint, plan.folder),
        )
    return _replaced(plan)


def _replaced(plan: TrainingPlan) -> str | None:
    """Return the data of the model to be replaced; reject a folder that cannot be written."""
    check_target(plan.folder, overwrite=plan.replaces != "nothing")
    if plan.replaces != "same data" or not (plan.folder / SETTINGS).is_file():
        return None
    return str(read_json(plan.folder / SETTINGS).get("source") or "a data frame")


def _check_source(plan: TrainingPlan, replaced: str | None, corpus: Corpus) -> None:
    """Reject data that are not those of the model to replace, or of the training to resume.

    Raises:
        ModelError: The folder holds a model of other data, and overwriting was not requested.
        DataError: The data have changed since the training was interrupted.
    """
    if replaced is not None and replaced != (corpus.source or "a data frame"):
        raise ModelError(
            f"{plan.folder} holds a model trained on {replaced}; choose another output "
            "folder, or replace the model with --overwrite (in Python: overwrite=True)"
        )
    if plan.fingerprint and fingerprint(corpus) != plan.fingerprint:
        raise DataError(
            f"{corpus.source or 'the data'} has changed since the training was interrupted, so the "
            "training cannot be resumed; start a new one"
        )


def _save_events(plan: TrainingPlan, corpus: Corpus) -> None:
    """Write the events that are left after filtering, if the settings ask for them."""
    output = plan.run.output
    # A checkpoint must not choose where to write.
    if output.save_dataset and plan.resume_from is None:
        path = save_events(corpus, Path(output.dataset_save_path or output.checkpoint_dir))
        logger.warning("events after filtering: %s", path)


def _trained_and_saved(plan: TrainingPlan, prepared: Prepared, observer: Observer) -> Outcome:
    """Return the trained model and its reports, after saving them.

    Raises:
        ModelError: The loss became NaN or infinite, or something cannot be written.
    """
    keeper = _checkpoint_writer(plan, prepared)
    try:
        outcome = run_prepared(
            prepared, observer=observer, keep=keeper, resume_from=plan.resume_from
        )
    except ModelError as error:
        good = 0 if keeper is None else keeper.good
        raise ModelError(f"{error}{plan.recovery_hint(good)}") from error
    outcome.recommender.save(plan.folder, overwrite=plan.replaces != "nothing")
    if not outcome.trained.interrupted:
        plan.checkpoint.unlink(missing_ok=True)
    _save_curve(outcome, prepared.run.evaluation.valid_metric, plan.folder)
    return outcome


def _save_curve(outcome: Outcome, watched: str, folder: Path) -> None:
    path = folder / CURVE
    path.unlink(missing_ok=True)  # of a model that was replaced
    draw_or_warn("the training", partial(draw_curve, outcome.recommender.metrics, watched, path))


def _checkpoint_writer(plan: TrainingPlan, prepared: Prepared) -> CheckpointWriter | None:
    """Return what saves the state after each epoch, with everything needed to resume."""
    if not prepared.run.output.keep_training:
        return None
    about = {
        "settings": prepared.run.as_json(prepared.corpus.source),
        "data": prepared.corpus.source,
        "fingerprint": fingerprint(prepared.corpus),
        "items": "a data frame" if plan.items is not None else "",
        "replaces": plan.replaces != "nothing",
        "environment": environment(),
    }
    return CheckpointWriter(about, plan.checkpoint, plan.resume_from)


@contextmanager
def _interrupt_explained(plan: TrainingPlan) -> Iterator[None]:
    """Say what was saved if an interrupt comes while no epoch is running.

    Args:
        plan: The training.

    Yields:
        Nothing.

    Raises:
        Interrupted: There was an interrupt.
    """
    model, checkpoint = _identity(plan.folder), _identity(plan.checkpoint)
    try:
        yield
    except KeyboardInterrupt:
        if _identity(plan.folder) != model:
            text = f"interrupted after training; the model is saved in {plan.folder}"
        elif plan.resume_from is not None or _identity(plan.checkpoint) not in {checkpoint, None}:
            text = (
                "interrupted before the model was saved; 'sasrec train --resume "
                f"{plan.folder}' resumes training from the last epoch"
            )
        else:
            text = "interrupted; nothing was saved"
        raise Interrupted(text) from None


def _identity(path: Path) -> tuple[int, ...] | None:
    """Return numbers that change when a file or folder is replaced; None if there is none."""
    if not path.exists():
        return None
    found = path.stat()
    written = 0 if path.is_dir() else found.st_mtime_ns  # file systems reuse inode numbers
    return found.st_dev, found.st_ino, written


@contextmanager
def _exclusive(plan: TrainingPlan) -> Iterator[None]:
    """Prevent a second training from writing to the same folder.

    Args:
        plan: The training.

    Yields:
        Nothing.

    Raises:
        ModelError: Another training writes there, or the folder is not writable.
    """
    check_target(plan.folder, overwrite=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive_lock(plan.folder, wait=False))
        except BlockingIOError as error:
            raise ModelError(LOCKED_MESSAGE.format(plan.folder)) from error
        except OSError as error:  # the folder is writable, but the lock file is not
            raise ModelError(
                f"{error.filename or plan.folder}: {error.strerror or error}; remove this lock if "
                "no training is running there, or choose another output folder"
            ) from error
        yield
