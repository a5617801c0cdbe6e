"""train, resume: what the commands of these names do, from Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from sasrec.data.sources import load_corpus
from sasrec.experiment.job import Job, unfinished_job
from sasrec.experiment.prepared import prepare
from sasrec.experiment.run import run_prepared
from sasrec.experiment.train_into import run_job
from sasrec.recommender.recommender import Recommender
from sasrec.settings.keywords import Keywords, merged
from sasrec.settings.presets import DEFAULT
from sasrec.settings.registry import canonical_model
from sasrec.settings.resolve import resolve_settings
from sasrec.training.bars import usual_observer
from sasrec.training.progress import Observer

if TYPE_CHECKING:
    from sasrec.data.sources import Source


def train(
    data: Source,
    settings: Mapping[str, Any] | None = None,
    *,
    model: str = "SASRec",
    out: str | Path | None = None,
    overwrite: bool = False,
    observer: Observer | None = None,
    **keywords: Unpack[Keywords],
) -> Recommender:
    """Train a model on a data set and return a recommender.

    With ``out``, the state of training is kept beside that folder after each epoch, so that
    ``resume`` can go on with a training that was cut off. Ctrl-C ends training early and returns
    the best weights so far.

    >>> recommender = train("ml-100k", epochs=20, out="saved/films")  # doctest: +SKIP

    Args:
        data: A name, a path, or a Polars or pandas data frame.
        settings: Setting to value, such as ``{"epochs": 20}``; the rest takes its default.
        model: Name of the model, such as ``GRU4Rec``; upper and lower case do not matter.
        out: Folder to save the model in; None saves nothing.
        overwrite: Replace a model already in ``out``.
        observer: Told how training goes; None shows progress in a notebook or an interactive
            session, and otherwise writes to the log.
        **keywords: Settings by name, such as ``epochs=20``; they win over ``settings``.

    Returns:
        The recommender; its ``metrics`` hold validation and test figures beside two baselines.

    Raises:
        SasrecError: Settings or data cannot be used, or the model cannot be saved.
        Interrupted: Training was stopped before there was anything to return.
    """  # raised by the parts
    name = canonical_model(model)
    run = resolve_settings(merged(settings, keywords), name, DEFAULT if name == "SASRec" else None)
    watching = usual_observer(run.output.loss_decimals) if observer is None else observer
    if out is None:
        prepared = prepare(load_corpus(data, run.data), run)
        return run_prepared(prepared, observer=watching).recommender
    job = Job(run, data, Path(out).expanduser(), "anything" if overwrite else "nothing")
    return run_job(job, watching).recommender


def resume(
    folder: str | Path,
    *,
    epochs: int | None = None,
    data: Source | None = None,
    observer: Observer | None = None,
) -> Recommender:
    """Go on with a training that was cut off, as if it had never stopped.

    Args:
        folder: That the model was to be saved in.
        epochs: End after so many in all; None for as many as there were to be.
        data: The data frame it was trained on; None where it was a name or a path.
        observer: As in ``train``.

    Returns:
        The recommender; it is saved in ``folder``.

    Raises:
        ModelError: There is nothing to go on with, or the checkpoint is damaged.
        DataError: The data have changed, or a data frame is not given.
        SettingsError: ``epochs`` are fewer than are done, or more than there were to be.
        Interrupted: Training was stopped again, before its first new epoch.
    """  # raised by the parts
    job = unfinished_job(Path(folder).expanduser(), epochs=epochs, data=data)
    watching = usual_observer(job.run.output.loss_decimals) if observer is None else observer
    return run_job(job, watching).recommender
