"""Converts between parameters of a search space and the values that Optuna stores for them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sasrec.tuning.space import Parameter, stepped


def suggest_value(trial: Any, each: Parameter) -> Any:
    """Draw the value of a parameter for a trial.

    Args:
        trial: Optuna's trial.
        each: The parameter.

    Returns:
        One of the choices, or a number of the range.
    """
    if each.kind == "choice":
        # Store the index, because a choice may be a list, which Optuna cannot store.
        return each.values[trial.suggest_categorical(each.name, list(range(len(each.values))))]
    low, high = each.values[:2]
    return _converted(each, trial.suggest_float(each.name, low, high))


def settings_from_params(space: Sequence[Parameter], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a stored trial.

    Args:
        space: The parameters of the search space.
        stored: Parameter to the value that Optuna stores; parameters may be missing.

    Returns:
        Setting to value.
    """
    return {
        each.name: each.values[int(stored[each.name])]
        if each.kind == "choice"
        else _converted(each, stored[each.name])
        for each in space
        if each.name in stored
    }


def _converted(each: Parameter, drawn: float) -> Any:
    if each.kind == "loguniform":
        return math.exp(drawn)
    return drawn if each.kind == "uniform" else stepped(drawn, each.values[2])
