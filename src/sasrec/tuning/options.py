"""Options of a search: the algorithm, the limits, and the storage."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from sasrec.errors import SettingsError, counted, did_you_mean
from sasrec.settings.files import yaml_file
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.resolve import RunSettings
from sasrec.tuning.plan import SearchPlan
from sasrec.tuning.space import Parameter, check_grid, read_space, space_of

Algorithm = Literal["exhaustive", "random", "tpe"]
Pruner = Literal["halving", "hyperband", "none"]
SpaceGiven = Mapping[str, Mapping[str, Any]] | str | Path
"""A search space: kind of parameter to name to values, or a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How to search.

    Attributes:
        algo: ``exhaustive``, ``random`` or ``tpe``; None uses exhaustive if all parameters are
            choices, and tpe otherwise.
        prune: ``halving`` or ``hyperband`` stop unpromising trials early; ``none`` does not.
        trials: Maximum number of trials of random and tpe.
        minutes: Time after which no new trial starts; None has no limit.
        early_stop: Stop after this many trials in a row without a new best; None never does.
        storage: File or database URL for the study; None uses a file in the folder of the
            results, or memory if there is no such folder.
        study: Name of the study in its storage.
        jobs: Number of parallel trials, each in its own process.
        seeds: Number of seeds with which the best settings are trained again and tested.
    """

    algo: Algorithm | None = None
    prune: Pruner = "halving"
    trials: int = 100
    minutes: float | None = None
    early_stop: int | None = None
    storage: str | None = None
    study: str = "sasrec"
    jobs: int = 1
    seeds: int = 1

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            SettingsError: A value is unknown or out of range.
        """  # raised in Mistakes.raise_all
        mistakes = Mistakes()
        with mistakes.collected():
            _check_word("prune", self.prune, get_args(Pruner))
        with mistakes.collected():
            if self.algo is not None:
                _check_word("algo", self.algo, get_args(Algorithm))
        if self.minutes is not None and not (
            isinstance(self.minutes, int | float) and self.minutes > 0
        ):
            mistakes.add(f"minutes is {self.minutes!r}; it must be a number above 0")
        for name in ("storage", "study"):
            text = getattr(self, name)
            if not isinstance(text, str) and (text is not None or name == "study"):
                mistakes.add(f"{name} is {text!r}; it must be text")
        for name, least in (("trials", 1), ("early_stop", 1), ("jobs", 1), ("seeds", 0)):
            number = getattr(self, name)
            if number is not None and (type(number) is not int or number < least):
                mistakes.add(f"{name} is {number!r}; it must be a whole number of at least {least}")
        if type(self.jobs) is int and self.jobs > (cores := os.cpu_count() or 1):
            mistakes.add(
                f"jobs is {self.jobs}, but this machine has only {counted(cores, 'core')}; choose "
                f"at most {cores}"
            )
        mistakes.raise_all()

    def plan(self, space: Sequence[Parameter], run: RunSettings) -> SearchPlan:
        """Return the plan for searching a space.

        Args:
            space: The parameters to search.
            run: Settings that all trials have in common.

        Returns:
            The plan.

        Raises:
            SettingsError: The algorithm is exhaustive, but the space does not allow it.
        """
        algorithm = self.algo
        if algorithm is None:
            choices_only = all(each.kind == "choice" for each in space)
            algorithm = "exhaustive" if choices_only else "tpe"
        if algorithm == "exhaustive":
            check_grid(list(space))
        return SearchPlan(
            space=tuple(space),
            algorithm=algorithm,
            prune=self.prune,
            trials=self.trials,
            minutes=self.minutes,
            early_stop=self.early_stop,
            epochs=run.training.epochs,
            seed=run.training.seed,
        )


def space_from(given: SpaceGiven) -> list[Parameter]:
    """Return the parameters of a search space.

    Args:
        given: A mapping from kind to name to values, or a file in YAML or in RecBole's
            ``hyper.test`` format.

    Returns:
        The parameters.

    Raises:
        SettingsError: The space cannot be read.
    """
    if isinstance(given, Mapping):
        return space_of(given, "the space")
    if not isinstance(given, str | os.PathLike):
        raise SettingsError(
            f"space is {given!r}; it must be a dict such as "
            "{'choice': {'n_layers': [1, 2]}}, or a file"
        )
    path = Path(given)
    if path.suffix in {".yaml", ".yml"}:
        return space_of(yaml_file(path).values, str(path))
    return read_space(path)


def _check_word(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        meant = did_you_mean(str(value), known)
        raise SettingsError(f"{name} is {value!r}{meant} (known: {', '.join(known)})")
