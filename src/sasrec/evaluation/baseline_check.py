"""Verdict: whether a trained model ranks better than the baselines that only count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sasrec.evaluation.registration import rank_metric, values_of
from sasrec.evaluation.report import Report
from sasrec.remarks import Remark
from sasrec.settings.metric_names import split_key


def worse_than_counts(reports: Sequence[Report], watched: str) -> tuple[Remark, ...]:
    """Return a remark if a model ranks worse than a baseline on the same cases.

    Args:
        reports: The model's report, then those of the baselines.
        watched: The validation metric, such as ``ndcg@20``; if the reports lack it, a metric that
            they have is compared.

    Returns:
        One remark, or none.
    """
    part = "test" if len(reports[0].ranks.get("test", ())) else "validation"
    cases = len(reports[0].ranks.get(part, ()))
    if not cases:
        return ()
    key = compared_by(watched, list(getattr(reports[0], part)))
    own, *others = (mean_of(report, part, key) for report in reports)
    better = {
        report.model: value
        for report, value in zip(reports[1:], others, strict=True)
        if not own >= value
    }
    if not better:
        return ()
    text = (
        f"{worse_than(reports[0].model, better, f'{key} on {part}', own)}; check the data and "
        "settings, train longer, or use the baseline"
    )
    return (Remark("worse_than_counts", cases, text),)


def worse_than(model: str, better: Mapping[str, float], metric: str, own: float) -> str:
    """Return a sentence that says that a model ranks worse than baselines.

    Args:
        model: Name of the model.
        better: Name of each better baseline to its value; not empty.
        metric: The metric, such as ``ndcg@10 on test``.
        own: The model's value.

    Returns:
        The sentence, without a full stop.
    """
    noun = "baseline" if len(better) == 1 else "baselines"
    values = " and ".join(f"{value:.4f}" for value in better.values())
    return (
        f"{model} ranks worse than the {' and '.join(better)} {noun}: {metric} is {own:.4f}, "
        f"below {values}"
    )


def compared_by(watched: str, shown: Sequence[str] = ()) -> str:
    """Return a metric with a value per case to compare models by.

    Args:
        watched: Any metric, such as ``ndcg@20``, ``gauc`` or ``giniindex@10``.
        shown: The metrics in the reports.

    Returns:
        The watched metric if it is shown and has a value per case; otherwise a shown one with such
        values, if possible the watched one at another cut-off. If none is shown, the watched
        metric, or NDCG at its cut-off.
    """
    name, k = split_key(watched)
    usable = [key for key in shown if rank_metric(split_key(key)[0]) is not None]
    if usable and watched not in usable:
        return next((key for key in usable if split_key(key)[0] == name), usable[0])
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
