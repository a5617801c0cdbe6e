"""Measuring: models, and baselines beside them, on the same validation and test cases."""

from __future__ import annotations

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


def baseline_reports(prepared: Prepared) -> list[Report]:
    """Measure the models that need no training on the same cases.

    Args:
        prepared: What they count, what they are measured on, and what to measure.

    Returns:
        One report a baseline.
    """
    reports = []
    for name in BASELINES:
        model: NextItemModel = BASELINES[name](prepared.split, prepared.counts)
        reports.append(measured(prepared, name, model.to(prepared.device)))
    return reports
