"""One training for RecBole's functions: the model folder is named by time, metrics are rounded."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from torch import Tensor

from sasrec.data.corpus import Corpus
from sasrec.data.saved_events import save_events
from sasrec.errors import Interrupted
from sasrec.experiment.run import Outcome, run_experiment
from sasrec.recommender.folder import check_target
from sasrec.settings.resolve import RunSettings
from sasrec.system.processes import process_info
from sasrec.training.progress import LogObserver

logger = logging.getLogger(__name__)


def trained(
    run: RunSettings,
    corpus: Corpus,
    *,
    saved: bool,
    observer: LogObserver | None = None,
    weights: Mapping[str, Tensor] | None = None,
) -> tuple[Outcome, Path | None]:
    """Train a model, and save it in a folder named as RecBole names checkpoints.

    Args:
        run: All settings.
        corpus: The data set.
        saved: Save the model in ``checkpoint_dir``.
        observer: Observer of the training; None writes to the log.
        weights: Initial weights; None takes new ones.

    Returns:
        The outcome, and the folder of the model; None if it was not saved.

    Raises:
        Interrupted: The user stopped the training; the best weights so far are saved.
    """
    is_first = process_info().rank == 0
    folder = _new_folder(Path(run.output.checkpoint_dir), run.model_name)
    if saved and is_first:
        check_target(folder, overwrite=False)
    if run.output.save_dataset and is_first:
        path = save_events(corpus, Path(run.output.dataset_save_path or run.output.checkpoint_dir))
        logger.info("events after filtering: %s", path)
    observer = LogObserver(run.output.loss_decimals) if observer is None else observer
    outcome = run_experiment(corpus, run, observer=observer, weights=weights)
    if saved and is_first:
        outcome.recommender.save(folder)
        logger.info("model saved in %s", folder)
    if outcome.trained.interrupted and is_first:
        where = f"; the best weights so far are in {folder}" if saved else ""
        raise Interrupted(f"training was interrupted{where}")
    return outcome, folder if saved and is_first else None


def _new_folder(parent: Path, model: str) -> Path:
    """Return a new folder named by model, date and time, as RecBole names checkpoints."""
    name = f"{model}-{datetime.now().astimezone():%b-%d-%Y_%H-%M-%S}"
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(parent / each for each in names if not (parent / each).exists())


def best_score(outcome: Outcome, run: RunSettings) -> float | None:
    """Return the validation score of the best epoch, rounded.

    Args:
        outcome: The outcome of a training.
        run: Settings with the number of decimal places.

    Returns:
        The score; None without validation.
    """
    epochs, best = outcome.trained.epochs, outcome.trained.best_epoch
    score = next((each.score for each in epochs if each.epoch == best), None)
    return None if score is None else round(score, run.evaluation.decimals)


def rounded(values: Mapping[str, float], run: RunSettings) -> dict[str, float]:
    """Return metrics rounded to the decimal places in the settings.

    Args:
        values: Metric key to value.
        run: Settings with the number of decimal places.

    Returns:
        Metric key to rounded value.
    """
    return {key: round(value, run.evaluation.decimals) for key, value in values.items()}
