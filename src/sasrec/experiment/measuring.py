"""Measuring: models, and baselines beside them, on the same validation and test cases."""

from __future__ import annotations

from collections.abc import Iterator

from sasrec.evaluation.measure import evaluate_model
from sasrec.evaluation.report import Report
from sasrec.experiment.prepared import Prepared, repeatable
from sasrec.models.contract import NextItemModel
from sasrec.settings.registry import BASELINES


@repeatable
def measured(prepared: Prepared, name: str, model: NextItemModel) -> Report:
    """Measure a model on the validation and test cases.

    Args:
        prepared: The cases, and what to measure.
        name: What to call the model.
        model: On the device of ``prepared``.

    Returns:
        The report.
    """
    return evaluate_model(name, model, prepared.corpus, prepared.protocol)


def baselines(prepared: Prepared) -> Iterator[tuple[str, NextItemModel]]:
    """Make the models that need no training.

    Args:
        prepared: The training events that these models count.

    Yields:
        Name and model, on the device of ``prepared``.
    """
    for name in BASELINES:
        model: NextItemModel = BASELINES[name](prepared.split, prepared.counts)
        yield name, model.to(prepared.device)


def baseline_reports(prepared: Prepared) -> list[Report]:
    """Measure the models that need no training on the validation and test cases.

    Args:
        prepared: The training events to count, the cases, and what to measure.

    Returns:
        One report for each baseline.
    """
    return [measured(prepared, name, model) for name, model in baselines(prepared)]
