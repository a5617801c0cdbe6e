"""The optimiser state of the training that a model comes from, if its checkpoint is still there."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from sasrec.errors import ModelError, printable
from sasrec.experiment.checkpoints import checkpoint_of
from sasrec.recommender.recommender import Recommender
from sasrec.settings.resolve import RunSettings
from sasrec.training.checkpoint import load_state
from sasrec.training.moments import Moments, moments_in

logger = logging.getLogger(__name__)


def moments_beside(folder: Path, recommender: Recommender, run: RunSettings) -> Moments | None:
    """Return the optimiser state in the checkpoint beside a model folder.

    Only an interrupted training has left one.

    Args:
        folder: The model folder.
        recommender: The model in it.
        run: The settings of the update.

    Returns:
        The state by the names of the weights; None without a checkpoint, or if it is of another
        model or optimiser.
    """
    path = checkpoint_of(folder)
    if not path.is_file():
        return None
    try:
        state, _ = load_state(path)
    except ModelError as error:
        logger.warning("the optimiser starts anew: %s", printable(str(error)))
        return None
    weights = recommender.model.state_dict()
    best = {name: state.tensors.get(f"best.{name}") for name in weights}
    is_own = all(
        value is not None
        and value.shape == weights[name].shape
        and torch.equal(value, weights[name])
        for name, value in best.items()
    )
    is_same = run.training.optimiser == recommender.settings["training"].get("optimiser")
    if not is_own or not is_same:
        return None
    return moments_in(state, recommender.model, run.training) or None
