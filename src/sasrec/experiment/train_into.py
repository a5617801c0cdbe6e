"""Training into a folder: alone there, kept after each epoch, and saved whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from sasrec.data.corpus import Corpus
from sasrec.data.movielens import Progress
from sasrec.data.sources import load_corpus, save_events
from sasrec.errors import DataError, Interrupted, ModelError
from sasrec.evaluation.report import environment
from sasrec.experiment.checkpoints import Keeper
from sasrec.experiment.job import Job
from sasrec.experiment.prepared import Prepared, prepare
from sasrec.experiment.run import Outcome, run_prepared
from sasrec.recommender.folder import CURVE, SETTINGS, check_target, read_json
from sasrec.system.locks import exclusive_lock
from sasrec.system.pictures import draw_or_warn
from sasrec.system.writing import remove_leftovers
from sasrec.training.curve import draw_curve
from sasrec.training.progress import Observer

logger = logging.getLogger(__name__)
SEVERAL = "another training writes to {}; wait for it, or choose another place with --out"


def run_job(job: Job, observer: Observer, fetching: Progress = lambda done, total: None) -> Outcome:
    """Train and save a model; what is needed to go on is there until it is on the disk.

    Args:
        job: What, and where to.
        observer: Told how training goes.
        fetching: Told how a download goes.

    Returns:
        What training came to. If the user stopped it, the best weights so far are saved.

    Raises:
        SasrecError: Data, settings or the folder cannot be used, or training went wrong.
        Interrupted: It was stopped before there was anything to save, or while nothing trained.
    """  # by the parts
    with _alone(job):
        for place in (job.folder, job.checkpoint):
            remove_leftovers(place)
        if job.begin is None and job.checkpoint.is_file():
            logger.warning(
                "%s is of a training that was cut off, and is replaced after the first epoch; stop "
                "now, and 'sasrec train --resume %s' goes on with it",
                *(job.checkpoint, job.folder),
            )
        with _told_if_interrupted(job):
            check_target(job.folder, overwrite=job.replaces != "nothing")
            corpus = load_corpus(job.data, job.run.data, fetching)
            _check_source(job, corpus)
            return _trained_and_saved(job, prepare(corpus, job.run), observer)


def _check_source(job: Job, corpus: Corpus) -> None:
    """Refuse other data than those of the model to replace, or of the training to go on with.

    Raises:
        ModelError: A model of other data is there, and may not be replaced unasked.
        DataError: The data have changed since the training was cut off.
    """
    if job.replaces == "same data" and (job.folder / SETTINGS).is_file():
        other = read_json(job.folder / SETTINGS).get("source")
        if other != corpus.source:
            raise ModelError(
                f"{job.folder} holds a model trained on {other or 'a data frame'}; choose another "
                "place with --out, or replace it with --overwrite"
            )
    if job.fingerprint and corpus.sequences.fingerprint() != job.fingerprint:
        what = job.data if isinstance(job.data, str | Path) else "the data"
        raise DataError(
            f"{what} has changed since the training was cut off, so it cannot go on; train anew"
        )


def _trained_and_saved(job: Job, prepared: Prepared, observer: Observer) -> Outcome:
    """Return what training came to, measured and saved.

    Raises:
        ModelError: The loss was no longer a finite number, or something cannot be written.
    """
    output = prepared.run.output
    if output.save_dataset and job.begin is None:  # no checkpoint says where files are written
        path = save_events(prepared.corpus, Path(output.dataset_save_path or output.checkpoint_dir))
        logger.warning("events after filtering: %s", path)
    keeper = _keeper(job, prepared)
    try:
        outcome = run_prepared(prepared, observer=observer, keep=keeper, begin=job.begin)
    except ModelError as error:
        good = 0 if keeper is None else keeper.good
        raise ModelError(f"{error}{job.what_is_kept(good)}") from error
    outcome.recommender.save(job.folder, overwrite=job.replaces != "nothing")
    if not outcome.trained.interrupted:
        job.checkpoint.unlink(missing_ok=True)
    _save_curve(outcome, prepared.run.evaluation.valid_metric, job.folder)
    return outcome


def _save_curve(outcome: Outcome, watched: str, folder: Path) -> None:
    path = folder / CURVE
    path.unlink(missing_ok=True)  # of a model that was replaced
    draw_or_warn("the training", partial(draw_curve, outcome.recommender.metrics, watched, path))


def _keeper(job: Job, prepared: Prepared) -> Keeper | None:
    """Return what keeps the state after each epoch, with all that is needed to go on."""
    if not prepared.run.output.keep_training:
        return None
    named = str(job.data) if isinstance(job.data, str | Path) else ""
    about = {
        "settings": prepared.run.as_json(),
        "data": prepared.corpus.source or named,
        "fingerprint": prepared.corpus.sequences.fingerprint(),
        "replaces": job.replaces != "nothing",
        "environment": environment(),
    }
    return Keeper(about, job.checkpoint, job.begin)


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
    check_target(job.folder, overwrite=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive_lock(job.folder, wait=False))
        except BlockingIOError as error:
            raise ModelError(SEVERAL.format(job.folder)) from error
        except OSError as error:  # a place that can be written to, and a lock that cannot
            raise ModelError(
                f"{error.filename or job.folder}: {error.strerror or error}; remove this lock if "
                "nobody trains there, or choose another place with --out"
            ) from error
        yield
