"""Registration: what a metric from outside is, and how a metric is found by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sasrec.errors import SettingsError
from sasrec.evaluation.metrics import LIST_METRICS, RANK_METRICS, WHOLE_METRICS, RankMetric
from sasrec.settings.registry import METRICS


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that is a mean over cases; higher is better.

    Attributes:
        name: What users write before ``@K``: lower-case letters, digits and _.
        function: From ranks, int64 [M] or [M, R] (1 is the top; 0 fills up cases that have fewer
            than R relevant items), and the cut-off K to one value a case, float64 [M].
    """

    name: str
    function: Callable[[np.ndarray, int], np.ndarray]


def register_metric(metric: Metric) -> Metric:
    """Make a metric known by its name, so that ``metrics=NAME`` and ``valid_metric=NAME@K`` work.

    Args:
        metric: The metric.

    Returns:
        The metric.

    Raises:
        SettingsError: The metric lacks something, or its name is taken.
    """
    check_metric(metric, getattr(metric, "name", repr(metric)))
    METRICS.add(metric.name, metric, metric.function.__module__)
    return metric


def check_metric(metric: object, name: str) -> None:
    """Refuse what is no metric the package can work with.

    The function is tried on the ranks 1, 2 and 3, with one relevant item a case and with two.

    Args:
        metric: What is to be registered.
        name: The name it is to have.

    Raises:
        SettingsError: Something does not fit.
    """
    if not isinstance(metric, Metric):
        raise SettingsError(f"{name} is no metric: wrap the function in sasrec.Metric")
    if name != metric.name:
        raise SettingsError(f"the name {name!r} is not that of the metric, {metric.name!r}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise SettingsError(f"{name!r} is no name for a metric; use lower-case letters, digits, _")
    for ranks in (np.array([1, 2, 3]), np.array([[1, 3], [2, 0], [3, 0]])):
        try:
            values = np.asarray(metric.function(ranks, 2))
        except Exception as error:  # whatever somebody else's function may raise
            raise SettingsError(
                f"metric {name} cannot be computed for ranks of shape {list(ranks.shape)} at "
                f"cut-off 2: {type(error).__name__}: {error}"
            ) from error
        if values.shape != (3,) or not np.issubdtype(values.dtype, np.floating):
            raise SettingsError(
                f"metric {name} returns {values.dtype} {list(values.shape)} for ranks of shape "
                f"{list(ranks.shape)}; it must return one floating-point value a case, [3]"
            )


def rank_metric(name: str) -> RankMetric | None:
    """Return a metric that is a mean over cases.

    Args:
        name: Lower case, without a cut-off.

    Returns:
        From ranks and a cut-off to values; None for metrics of whole rankings or of lists.
    """
    if name in RANK_METRICS:
        return RANK_METRICS[name]
    if name in WHOLE_METRICS or name in LIST_METRICS:
        return None
    metric: Metric = METRICS[name]
    return metric.function


def values_of(name: str, ranks: np.ndarray, k: int) -> np.ndarray:
    """Return the value of each case by a metric that is a mean over cases.

    Args:
        name: Lower case, without a cut-off.
        ranks: int64 [M] or [M, R].
        k: The cut-off.

    Returns:
        float64 [M].

    Raises:
        SettingsError: The metric is of whole rankings or of lists.
    """
    metric = rank_metric(name)
    if metric is None:
        raise SettingsError(f"{name} is no mean over cases")
    return metric(ranks, k)
