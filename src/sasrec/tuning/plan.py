"""Plan: how to search a space, and what Optuna needs for it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sasrec.tuning.space import Parameter, grid_size
from sasrec.tuning.storage import optuna_here

FIRST_LOOK, REDUCTION = 5, 3
"""A trial is first compared with others after so many validations, and again after each time three
times as many; of those compared, one in three goes on."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """How to search.

    Attributes:
        space: What is searched.
        algorithm: ``exhaustive`` (every combination), ``random``, or ``tpe``.
        prune: ``none``; ``halving`` or ``hyperband`` end trials that fall behind.
        trials: Most trials of random and tpe.
        minutes: No trial begins later than this; None has no limit.
        early_stop: End after so many trials in a row without a new best; None never does.
        epochs: Most epochs of a trial.
        seed: Of the search.
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
        """Trials there are to do."""
        return grid_size(list(self.space)) if self.algorithm == "exhaustive" else self.trials


def sampler_of(plan: SearchPlan, trials: int) -> Any:
    """Return Optuna's proposer of parameters.

    Args:
        plan: How to search.
        trials: That were begun before; they must not be drawn again.

    Returns:
        The sampler.
    """
    samplers = optuna_here().samplers
    seed = plan.seed + trials
    if plan.algorithm == "tpe":
        return samplers.TPESampler(seed=seed)
    return samplers.RandomSampler(seed=seed)


def pruner_of(plan: SearchPlan) -> Any:
    """Return what ends hopeless trials.

    Args:
        plan: How to search.

    Returns:
        Optuna's pruner.
    """
    pruners = optuna_here().pruners
    if plan.prune == "halving":
        return pruners.SuccessiveHalvingPruner(min_resource=FIRST_LOOK, reduction_factor=REDUCTION)
    if plan.prune == "hyperband":
        return pruners.HyperbandPruner(
            min_resource=FIRST_LOOK, max_resource=plan.epochs, reduction_factor=REDUCTION
        )
    return pruners.NopPruner()


def points_of(plan: SearchPlan) -> list[dict[str, Any]]:
    """Return all combinations as Optuna stores them, in random order, as RecBole takes them.

    Args:
        plan: Of choices only.

    Returns:
        Name to the place among its choices, one dict a combination.
    """
    places = [range(len(each.values)) for each in plan.space]
    names = [each.name for each in plan.space]
    points = [dict(zip(names, point, strict=True)) for point in itertools.product(*places)]
    order = np.random.default_rng(plan.seed).permutation(len(points))
    return [points[place] for place in order]
