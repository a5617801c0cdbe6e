"""Suggestions: between a parameter of a space and what Optuna stores of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sasrec.tuning.space import Parameter, stepped


def suggested(trial: Any, each: Parameter) -> Any:
    """Return the value a trial takes for a parameter.

    Args:
        trial: Optuna's.
        each: The parameter.

    Returns:
        One of the choices, or a number of the range.
    """
    if each.kind == "choice":
        # By place, as a choice may be a list, which Optuna does not store.
        return each.values[trial.suggest_categorical(each.name, list(range(len(each.values))))]
    low, high = each.values[:2]
    return _meant(each, trial.suggest_float(each.name, low, high))


def meant(space: Sequence[Parameter], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a stored trial stands for.

    Args:
        space: Its parameters.
        stored: What Optuna keeps; some may be missing.

    Returns:
        Setting to value.
    """
    return {
        each.name: each.values[int(stored[each.name])]
        if each.kind == "choice"
        else _meant(each, stored[each.name])
        for each in space
        if each.name in stored
    }


def _meant(each: Parameter, drawn: float) -> Any:
    if each.kind == "loguniform":
        return math.exp(drawn)
    return drawn if each.kind == "uniform" else stepped(drawn, each.values[2])
