"""Units of times: a model is not given times in another unit than those it was trained with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sasrec.data.checks.doubtful_times import compact_form
from sasrec.data.date_splits import UNIT_NAMES, unit_seconds
from sasrec.errors import DataError

KEY = "time_unit"
"""Key in the metrics of a model."""


def unit_of(times: np.ndarray | None) -> str | None:
    """Return the unit of Unix timestamps, such as ``seconds``; None for other times or none.

    Args:
        times: float64 [n], or None.
    """
    if times is None or not len(times):
        return None
    unit = unit_seconds(float(times.max()))
    return None if unit is None else UNIT_NAMES[unit]


def trained_unit(metrics: Mapping[str, Any]) -> str | None:
    """Return the unit of the times that a model was trained with; None if it is not known.

    Args:
        metrics: The metrics of the model.
    """
    unit = metrics.get(KEY)
    return unit if unit in UNIT_NAMES.values() else None


def units_per_second(unit: str | None) -> float:
    """Return how many units of time a second has.

    Args:
        unit: Such as ``milliseconds``; None counts as seconds.
    """
    seconds = {name: seconds for seconds, name in UNIT_NAMES.items()}
    return 1.0 if unit is None else 1 / seconds[unit]


def check_unit(times: Sequence[np.ndarray | None], trained: str | None, where: str) -> None:
    """Raise an error if times are in another unit than those of the training.

    Small numbers are accepted, as only differences between times matter.

    Args:
        times: Times of histories, float64 each; None for a history without times.
        trained: Unit of the times of the training; None allows all.
        where: What has these times, for the error message.

    Raises:
        DataError: They are in another unit, or dates written as numbers.
    """
    if trained is None:
        return
    latest = max((float(each.max()) for each in times if each is not None and len(each)), default=0)
    unit = unit_of(np.array([latest]))
    if unit == trained or (unit is None and not compact_form(latest)):
        return
    shown = "dates written as numbers" if unit is None else f"{unit} since 1970"
    raise DataError(
        f"{where}: times such as {latest:.15g} are {shown}, but the model was trained with times "
        f"in {trained} since 1970 and uses the time between events; convert them"
    )
