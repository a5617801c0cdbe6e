"""Validation after an epoch, by which training chooses the best weights."""

from __future__ import annotations

import math
from functools import partial

from sasrec.evaluation.measure import measure
from sasrec.evaluation.protocol import EvaluationProtocol
from sasrec.models.contract import NextItemModel
from sasrec.settings.metric_names import smaller_is_better
from sasrec.training.trainer import Validation


def validation_of(model: NextItemModel, protocol: EvaluationProtocol) -> Validation:
    """Return how each epoch is validated.

    Args:
        model: The model being trained.
        protocol: The validation cases and the validation metric.

    Returns:
        The validation; it measures nothing if there are no validation cases.
    """
    measure_epoch = (
        partial(validation_score, model, protocol) if len(protocol.split.validation) else None
    )
    key = protocol.settings.valid_metric
    return Validation(measure_epoch, key, smaller_is_better(key))


def validation_score(model: NextItemModel, protocol: EvaluationProtocol) -> float:
    """Return the validation metric on the validation cases.

    Args:
        model: On the device of the protocol.
        protocol: The validation cases and the validation metric.

    Returns:
        The value; NaN if the metric is undefined on these cases.
    """
    key = protocol.settings.valid_metric
    values, _ = measure(
        model,
        protocol.limited_to(key),
        protocol.split.validation,
        candidates=protocol.settings.validation_candidates,
    )
    return values.get(key, math.nan)
