"""Checks that metrics exist and fit the other evaluation settings."""

from __future__ import annotations

from sasrec.errors import SettingsError
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.metric_names import FULL_RANKING_METRICS, LISTS_METRICS, check_names, split_key
from sasrec.settings.origin import PYTHON
from sasrec.settings.validate import Checks


def check_metrics(its: EvaluationSettings, checks: Checks) -> None:
    """Check that the metrics exist and can be computed with the evaluation settings.

    Args:
        its: The evaluation settings.
        checks: Receives the mistakes.
    """
    for key, metrics, check in (
        ("metrics", its.metrics, lambda name: check_names([name])),
        ("valid_metric", (its.valid_metric,), split_key),
    ):
        for name in metrics:
            try:
                check(name)
            except SettingsError as error:
                checks.mistakes.add(f"{checks.origins.get(key, PYTHON).prefix}{error}")
    watched = its.valid_metric.partition("@")[0]
    sampled = {its.candidates, its.validation_candidates} != {"full"}
    whole = [
        name for name in (*its.metrics, watched) if name in {*LISTS_METRICS, *FULL_RANKING_METRICS}
    ]
    if sampled and whole and its.sampled_by == "case":
        checks.add_contradiction(
            f"{whole[0]} needs full ranking; set candidates (RecBole: mode) to 'full', or "
            "sampled_by to 'user' to compute it among the sampled candidates, as RecBole does"
        )
