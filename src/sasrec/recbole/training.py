"""One training as RecBole's entry points do it: trained, saved under the time, rounded."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from torch import Tensor

from sasrec.data.corpus import Corpus
from sasrec.data.sources import save_events
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
    """Train a model and save it as RecBole names checkpoints.

    Args:
        run: All settings.
        corpus: The data set.
        saved: Whether to save the model in ``checkpoint_dir``.
        observer: Told how training goes; None writes to the log.
        weights: To begin with instead of fresh ones.

    Returns:
        The outcome, and the folder of the model, if it was saved.

    Raises:
        Interrupted: The user stopped it; what was best by then is saved.
    """
    first = process_info().rank == 0
    folder = _new_folder(Path(run.output.checkpoint_dir), run.model_name)
    if saved and first:
        check_target(folder, overwrite=False)
    if run.output.save_dataset and first:
        path = save_events(corpus, Path(run.output.dataset_save_path or run.output.checkpoint_dir))
        logger.info("events after filtering: %s", path)
    observer = LogObserver(run.output.loss_decimals) if observer is None else observer
    outcome = run_experiment(corpus, run, observer=observer, weights=weights)
    if saved and first:
        outcome.recommender.save(folder)
        logger.info("saved in %s", folder)
    if outcome.trained.interrupted and first:
        kept = f"; the best weights so far are in {folder}" if saved else ""
        raise Interrupted(f"training was stopped early{kept}")
    return outcome, folder if saved and first else None


def _new_folder(parent: Path, model: str) -> Path:
    """Return a folder named as RecBole names checkpoints, by the second, and not there yet."""
    name = f"{model}-{datetime.now().astimezone():%b-%d-%Y_%H-%M-%S}"
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(parent / each for each in names if not (parent / each).exists())


def best_score(outcome: Outcome, run: RunSettings) -> float | None:
    """Return the watched metric at the best epoch, rounded as asked; None without validation.

    Args:
        outcome: Of a training.
        run: Decimal places.

    Returns:
        The score.
    """
    epochs, best = outcome.trained.epochs, outcome.trained.best_epoch
    score = next((each.score for each in epochs if each.epoch == best), None)
    return None if score is None else round(score, run.evaluation.decimals)


def rounded(values: Mapping[str, float], run: RunSettings) -> dict[str, float]:
    """Return metrics with as many decimal places as asked.

    Args:
        values: Key to value.
        run: Decimal places.

    Returns:
        The same keys.
    """
    return {key: round(value, run.evaluation.decimals) for key, value in values.items()}
