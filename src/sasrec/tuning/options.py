"""SearchOptions of a search: how it proposes, when it ends, and where it is kept."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from sasrec.errors import SettingsError, did_you_mean
from sasrec.settings.files import yaml_file
from sasrec.settings.resolve import RunSettings
from sasrec.tuning.plan import SearchPlan
from sasrec.tuning.space import Parameter, check_grid, read_space, space_of

Algorithm = Literal["exhaustive", "random", "tpe"]
Pruner = Literal["halving", "hyperband", "none"]
SpaceGiven = Mapping[str, Mapping[str, Any]] | str | Path
"""Kind to name to values, or a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How to search.

    Attributes:
        algo: ``exhaustive``, ``random`` or ``tpe``; None takes exhaustive where the space has
            choices only, and tpe otherwise.
        prune: ``halving`` or ``hyperband`` end trials that fall behind; ``none`` does not.
        trials: Most trials of random and tpe.
        minutes: No trial begins later than this; None has no limit.
        early_stop: End after so many trials in a row without a new best; None never does.
        storage: File or database URL that keeps the search; None takes one in the folder of the
            results, and memory if there is no such folder.
        study: Name of the search in its storage.
        jobs: Trials at a time, each in a process of its own.
        seeds: Train the best settings again with so many seeds, and test them.
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
            SettingsError: One is unknown or out of range.
        """
        _check_word("prune", self.prune, get_args(Pruner))
        if self.algo is not None:
            _check_word("algo", self.algo, get_args(Algorithm))
        if self.minutes is not None and not self.minutes > 0:
            raise SettingsError(f"minutes is {self.minutes:g}; no trial could begin, so give more")
        for name, least in (("trials", 1), ("early_stop", 1), ("jobs", 1), ("seeds", 0)):
            number = getattr(self, name)
            if number is not None and (type(number) is not int or number < least):
                raise SettingsError(f"{name} is {number!r}; it is a whole number from {least}")
        if self.jobs > (cores := os.cpu_count() or 1):
            raise SettingsError(
                f"jobs is {self.jobs}; this machine has {cores} cores, one for each job"
            )

    def plan(self, space: Sequence[Parameter], run: RunSettings) -> SearchPlan:
        """Return how to search a space.

        Args:
            space: What is searched.
            run: Settings of all trials.

        Returns:
            The plan.

        Raises:
            SettingsError: The space cannot be searched exhaustively, as it is to be.
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
    """Return a space.

    Args:
        given: A mapping from kind to name to values; or a file, ``hyper.test`` or YAML.

    Returns:
        Its parameters.

    Raises:
        SettingsError: It cannot be read.
    """
    if isinstance(given, Mapping):
        return space_of(given, "the space")
    path = Path(given)
    if path.suffix in {".yaml", ".yml"}:
        return space_of(yaml_file(path).values, str(path))
    return read_space(path)


def _check_word(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        meant = did_you_mean(str(value), known)
        raise SettingsError(f"{name} is {value!r}{meant} (known: {', '.join(known)})")
