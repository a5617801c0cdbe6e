"""Computing all metrics of a model under an evaluation protocol."""

from __future__ import annotations

import numpy as np

from sasrec.data.batches.cases import EvaluationCases
from sasrec.data.corpus import Corpus
from sasrec.data.splits import Cases
from sasrec.evaluation.by_user import measure_by_user
from sasrec.evaluation.candidates import ranks_among_candidates, sampled_candidates
from sasrec.evaluation.metrics import LIST_METRICS, WHOLE_METRICS, Lists
from sasrec.evaluation.protocol import EvaluationProtocol, describe_protocol
from sasrec.evaluation.ranking import rank_targets, removed_counts
from sasrec.evaluation.registration import rank_metric
from sasrec.evaluation.report import Report, describe_corpus
from sasrec.models.contract import NextItemModel


def evaluate_model(
    name: str, model: NextItemModel, corpus: Corpus, protocol: EvaluationProtocol
) -> Report:
    """Measure a model on the validation and test cases.

    Args:
        name: Name of the model in the report.
        model: On the device of the protocol.
        corpus: The data set.
        protocol: How to measure.

    Returns:
        The report.
    """
    split, settings = protocol.split, protocol.settings
    validation = measure(
        model, protocol, split.validation, candidates=settings.validation_candidates
    )
    test = measure(model, protocol, split.test, candidates=settings.candidates)
    return Report(
        model=name,
        validation=validation[0],
        test=test[0],
        protocol=describe_protocol(corpus, settings, protocol.max_history),
        dataset=describe_corpus(corpus),
        ranks={"validation": validation[1], "test": test[1]},
    )


def measure(
    model: NextItemModel,
    protocol: EvaluationProtocol,
    ends: Cases,
    *,
    candidates: str = "full",
) -> tuple[dict[str, float], np.ndarray]:
    """Return the mean of each metric at each cut-off, and the ranks of the targets.

    Args:
        model: On the device of the protocol.
        protocol: How to measure.
        ends: M cases of its split; if there are none, the result is empty.
        candidates: Items to rank against: ``full``, ``uni100``, ``pop100``, ``paper100`` …

    Returns:
        Metric key, such as ``ndcg@10``, to value; and ranks, int64 [M].
    """
    if not len(ends):
        return {}, np.zeros(0, dtype=np.int64)
    cases = protocol.cases(ends)
    if candidates == "full":
        return _full_ranking(model, protocol, cases)
    if protocol.settings.sampled_by == "user":
        samples = sampled_candidates(protocol.split, ends, candidates, protocol.n_items)
        return measure_by_user(model, cases, samples, protocol.settings, counts=protocol.counts)
    ranks = ranks_among_candidates(model, protocol.split, cases, candidates, protocol.n_items)
    return _values(ranks, protocol, cases, None), ranks


def _full_ranking(
    model: NextItemModel, protocol: EvaluationProtocol, cases: EvaluationCases
) -> tuple[dict[str, float], np.ndarray]:
    """Return metrics and ranks with each target ranked among all items."""
    settings = protocol.settings
    needs_lists = any(name in LIST_METRICS for name in settings.metrics)
    top_k = min(max(settings.topk), protocol.n_items) if needs_lists else 0
    ranking = rank_targets(model, cases, top_k=top_k, remove_seen=settings.removes_seen)
    lists = Lists(ranking.top, protocol.counts, protocol.n_items, settings.tail_ratio)
    return _values(ranking.ranks, protocol, cases, lists), ranking.ranks


def _values(
    ranks: np.ndarray, protocol: EvaluationProtocol, cases: EvaluationCases, lists: Lists | None
) -> dict[str, float]:
    """Return the metrics that can be computed from ranks and, unless None, from lists."""
    settings, n_items = protocol.settings, protocol.n_items
    values: dict[str, float] = {}
    for name in settings.metrics:
        if name in WHOLE_METRICS:
            ranked = np.full(len(cases), n_items)
            if settings.removes_seen:
                ranked -= removed_counts(cases)
            each = WHOLE_METRICS[name](np.minimum(ranks, ranked), ranked)
            if not np.isnan(each).all():  # gauc is undefined if only one item is ranked
                values[name] = float(np.nanmean(each))
        for k in settings.topk:
            if (metric := rank_metric(name)) is not None:
                values[f"{name}@{k}"] = float(metric(ranks, k).mean())
            elif lists is not None and name in LIST_METRICS:
                values[f"{name}@{k}"] = LIST_METRICS[name](lists, k)
    return values
