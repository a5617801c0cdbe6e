"""Verdict: whether a trained model ranks better than the baselines that only count."""

from __future__ import annotations

from collections.abc import Sequence

from sasrec.evaluation.registration import rank_metric, values_of
from sasrec.evaluation.report import Report
from sasrec.remarks import Remark
from sasrec.settings.metric_names import split_key


def worse_than_counts(reports: Sequence[Report], watched: str) -> tuple[Remark, ...]:
    """Return a remark if a model ranks worse than a baseline on the same cases.

    Args:
        reports: The model's report, then those of the baselines.
        watched: Metric to compare, such as ``ndcg@20``; a metric without a value per case is
            replaced by NDCG.

    Returns:
        One remark, or none.
    """
    part = "test" if len(reports[0].ranks.get("test", ())) else "validation"
    cases = len(reports[0].ranks.get(part, ()))
    if not cases:
        return ()
    key = compared_by(watched)
    own, *others = (mean_of(report, part, key) for report in reports)
    better = [
        f"{report.model} ({value:.4f})"
        for report, value in zip(reports[1:], others, strict=True)
        if not own >= value
    ]
    if not better:
        return ()
    text = (
        f"{reports[0].model} ranks worse than plain counts: {key} on {part} is {own:.4f}, below "
        f"that of {' and '.join(better)}; check the data and settings, train longer, or use the "
        "baseline"
    )
    return (Remark("worse_than_counts", cases, text),)


def compared_by(watched: str) -> str:
    """Return a metric with a value per case to compare models by.

    Args:
        watched: Any metric, such as ``ndcg@20``, ``gauc`` or ``giniindex@10``.

    Returns:
        The same metric if it has a value per case, otherwise NDCG at its cut-off.
    """
    name, k = split_key(watched)
    return watched if rank_metric(name) is not None else f"ndcg@{k or 10}"


def mean_of(report: Report, part: str, key: str) -> float:
    """Return the mean of a metric over cases.

    Args:
        report: A report with ranks.
        part: ``validation`` or ``test``.
        key: Key of a metric with a value per case.

    Returns:
        The mean.
    """
    name, k = split_key(key)
    return float(values_of(name, report.ranks[part], k).mean())
