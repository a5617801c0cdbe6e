"""The plan of a search, and the Optuna sampler, pruner and grid that follow from it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sasrec.tuning.space import Parameter, grid_size
from sasrec.tuning.storage import import_optuna

FIRST_LOOK, REDUCTION = 5, 3
"""A trial is first compared with others after 5 validations, and again whenever the number of
validations has tripled; each time, one in three of the compared trials continues."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """How to search.

    Attributes:
        space: The parameters to search.
        algorithm: ``exhaustive`` (every combination), ``random``, or ``tpe``.
        prune: ``halving`` or ``hyperband`` stop unpromising trials early; ``none`` does not.
        trials: Maximum number of trials of random and tpe.
        minutes: Time after which no new trial starts; None has no limit.
        early_stop: Stop after this many trials in a row without a new best; None never does.
        epochs: Maximum number of epochs of a trial.
        seed: Seed of the search.
    """

    space: tuple[Parameter, ...]
    algorithm: Literal["exhaustive", "random", "tpe"] = "tpe"
    prune: Literal["none", "halving", "hyperband"] = "halving"
    trials: int = 100
    minutes: float | None = None
    early_stop: int | None = None
    epochs: int = 300
    seed: int = 2020

    @property
    def total(self) -> int:
        """Number of trials to run."""
        return grid_size(list(self.space)) if self.algorithm == "exhaustive" else self.trials


def sampler_of(plan: SearchPlan, trials: int) -> Any:
    """Return Optuna's sampler, which proposes parameters.

    Args:
        plan: How to search.
        trials: Number of trials started before; it changes the seed, so that the sampler does not
            repeat them.

    Returns:
        The sampler.
    """
    samplers = import_optuna().samplers
    seed = plan.seed + trials
    if plan.algorithm == "tpe":
        return samplers.TPESampler(seed=seed)
    return samplers.RandomSampler(seed=seed)


def pruner_of(plan: SearchPlan) -> Any:
    """Return Optuna's pruner, which stops unpromising trials early.

    Args:
        plan: How to search.

    Returns:
        Optuna's pruner.
    """
    pruners = import_optuna().pruners
    if plan.prune == "halving":
        return pruners.SuccessiveHalvingPruner(min_resource=FIRST_LOOK, reduction_factor=REDUCTION)
    if plan.prune == "hyperband":
        return pruners.HyperbandPruner(
            min_resource=FIRST_LOOK, max_resource=plan.epochs, reduction_factor=REDUCTION
        )
    return pruners.NopPruner()


def points_of(plan: SearchPlan) -> list[dict[str, Any]]:
    """Return all combinations as Optuna stores them, in random order, as RecBole tries them.

    Args:
        plan: A plan whose parameters are all choices.

    Returns:
        One dict for each combination: name of the parameter to the index of its choice.
    """
    indices = [range(len(each.values)) for each in plan.space]
    names = [each.name for each in plan.space]
    points = [dict(zip(names, point, strict=True)) for point in itertools.product(*indices)]
    order = np.random.default_rng(plan.seed).permutation(len(points))
    return [points[index] for index in order]
