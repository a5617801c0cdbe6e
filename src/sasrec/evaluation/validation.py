"""Validation: the watched metric after an epoch, by which training keeps the best weights."""

from __future__ import annotations

import math
from functools import partial

from sasrec.evaluation.measure import measure
from sasrec.evaluation.protocol import EvaluationProtocol
from sasrec.models.contract import NextItemModel
from sasrec.settings.metric_names import smaller_is_better
from sasrec.training.trainer import Validation


def validation_of(model: NextItemModel, protocol: EvaluationProtocol) -> Validation:
    """Return how the epochs of a training are judged.

    Args:
        model: The model that is trained.
        protocol: The validation cases, and which metric is watched.

    Returns:
        How to judge; without validation cases, epochs are not judged.
    """
    measured = partial(watched_value, model, protocol) if len(protocol.split.validation) else None
    key = protocol.settings.valid_metric
    return Validation(measured, key, smaller_is_better(key))


def watched_value(model: NextItemModel, protocol: EvaluationProtocol) -> float:
    """Return the value of the watched metric on the validation cases.

    Args:
        model: On the device of the protocol.
        protocol: The cases, and which metric is watched.

    Returns:
        The value; NaN if the metric has none on these cases.
    """
    key = protocol.settings.valid_metric
    values, _ = measure(
        model,
        protocol.watching(key),
        protocol.split.validation,
        candidates=protocol.settings.validated_against,
    )
    return values.get(key, math.nan)
