"""Registration of custom metrics, and lookup of metrics by name."""

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
    """A metric with one value per case; the mean over cases is reported; higher is better.

    Attributes:
        name: The part before ``@K`` in settings: lower-case letters, digits and _.
        function: Takes ranks, int64 [M] or [M, R] (1 is the best; cases with fewer than R relevant
            items are padded with 0), and the cut-off K; returns a value per case, float64 [M].
    """

    name: str
    function: Callable[[np.ndarray, int], np.ndarray]


def register_metric(metric: Metric) -> Metric:
    """Register a metric, so that ``metrics=NAME`` and ``valid_metric=NAME@K`` can be used.

    Args:
        metric: The metric.

    Returns:
        The metric.

    Raises:
        SettingsError: The metric is not valid, or its name is taken.
    """
    check_metric(metric, getattr(metric, "name", repr(metric)))
    METRICS.add(metric.name, metric, metric.function.__module__)
    return metric


def check_metric(metric: object, name: str) -> None:
    """Raise an error if a metric cannot be used.

    The function is called with ranks of three cases, once with one relevant item per case and once
    with up to two.

    Args:
        metric: The object to register.
        name: The name to register it under.

    Raises:
        SettingsError: It is not a ``Metric``, or its name or its function is not valid.
    """
    if not isinstance(metric, Metric):
        raise SettingsError(f"{name} is not a metric; wrap the function in sasrec.Metric")
    if name != metric.name:
        raise SettingsError(
            f"the metric {metric.name!r} is registered as {name!r}; use the same name for both"
        )
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise SettingsError(
            f"{name!r} is not a valid name for a metric; use lower-case letters, digits and _, "
            "beginning with a letter"
        )
    for ranks in (np.array([1, 2, 3]), np.array([[1, 3], [2, 0], [3, 0]])):
        try:
            values = np.asarray(metric.function(ranks, 2))
        except Exception as error:  # a plug-in function may raise anything
            raise SettingsError(
                f"metric {name} cannot be computed for ranks of shape {list(ranks.shape)} at "
                f"cut-off 2: {type(error).__name__}: {error}"
            ) from error
        if values.shape != (3,) or not np.issubdtype(values.dtype, np.floating):
            raise SettingsError(
                f"metric {name} returns {values.dtype} {list(values.shape)} for ranks of shape "
                f"{list(ranks.shape)}; it must return one floating-point value per case, [3]"
            )


def rank_metric(name: str) -> RankMetric | None:
    """Return the function of a metric that has one value per case.

    Args:
        name: Lower-case name without cut-off.

    Returns:
        A function of ranks and cut-off; None for metrics of whole rankings or of lists.
    """
    if name in RANK_METRICS:
        return RANK_METRICS[name]
    if name in WHOLE_METRICS or name in LIST_METRICS:
        return None
    metric: Metric = METRICS[name]
    return metric.function


def values_of(name: str, ranks: np.ndarray, k: int) -> np.ndarray:
    """Return a metric's value for each case.

    Args:
        name: Lower-case name without cut-off.
        ranks: int64 [M] or [M, R].
        k: The cut-off.

    Returns:
        float64 [M].

    Raises:
        SettingsError: The metric is of whole rankings or of lists, so it has no value per case.
    """
    metric = rank_metric(name)
    if metric is None:
        raise SettingsError(
            f"{name} has no value for each case; choose a metric of ranks, such as ndcg"
        )
    return metric(ranks, k)
