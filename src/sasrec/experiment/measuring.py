"""Measuring a model and the baselines on the same validation and test cases."""

from __future__ import annotations

from collections.abc import Iterator

from sasrec.evaluation.measure import evaluate_model
from sasrec.evaluation.report import Report
from sasrec.experiment.prepared import Prepared, repeatable
from sasrec.experiment.recent_baseline import recent_popularity
from sasrec.models.contract import NextItemModel
from sasrec.settings.registry import BASELINES


@repeatable
def measured(prepared: Prepared, name: str, model: NextItemModel) -> Report:
    """Measure a model on the validation and test cases.

    Args:
        prepared: The cases and the metrics.
        name: Name of the model in the report.
        model: The model, on the device of ``prepared``.

    Returns:
        The report.
    """
    return evaluate_model(name, model, prepared.corpus, prepared.protocol)


def baselines(prepared: Prepared) -> Iterator[tuple[str, NextItemModel]]:
    """Create the baselines, which only count training events.

    Args:
        prepared: The training events to count, and validation cases to choose a window by.

    Yields:
        Name and model, on the device of ``prepared``.
    """
    for name in BASELINES:
        model: NextItemModel = BASELINES[name](prepared.split, prepared.counts)
        yield name, model.to(prepared.device)
    recent = recent_popularity(prepared)
    if recent is not None:
        yield recent


def baseline_reports(prepared: Prepared) -> list[Report]:
    """Measure the baselines on the validation and test cases.

    Args:
        prepared: The training events to count, the cases and the metrics.

    Returns:
        One report for each baseline.
    """
    return [measured(prepared, name, model) for name, model in baselines(prepared)]


def is_baseline(name: str) -> bool:
    """Return whether a name in a report is that of a baseline, such as ``Popularity 7d``.

    Args:
        name: The name.
    """
    return name.partition(" ")[0] in BASELINES
