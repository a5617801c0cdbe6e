"""Report: metrics of one model on one data set, with all that is needed to trust them."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from sasrec.data.corpus import Corpus
from sasrec.data.splits import Cases, Split
from sasrec.errors import counted
from sasrec.evaluation.by_user import measure_by_user
from sasrec.evaluation.candidates import PAPER, ranks_among_candidates
from sasrec.evaluation.candidates import sampled_candidates as sampled_candidates
from sasrec.evaluation.metrics import LIST_METRICS, WHOLE_METRICS, Lists
from sasrec.evaluation.ranking import rank_targets, removed_counts
from sasrec.evaluation.registration import rank_metric
from sasrec.kernels import library
from sasrec.models.contract import NextItemModel
from sasrec.settings.evaluation import EvaluationSettings


@dataclass(frozen=True, slots=True)
class Report:
    """What a model reached.

    Attributes:
        model: Its name.
        validation: Metric key to value on the validation cases; empty if there are none.
        test: The same on the test cases.
        protocol: How it was measured, in one sentence.
        dataset: Name, size and fingerprint of the data.
        ranks: Split name to the rank of each case's target, int64 [M]; not saved as JSON.
    """

    model: str
    validation: dict[str, float]
    test: dict[str, float]
    protocol: str
    dataset: dict[str, Any]
    ranks: dict[str, np.ndarray] = field(default_factory=dict, compare=False)

    def as_json(self) -> dict[str, Any]:
        """Return everything but the single ranks, in types JSON has."""
        return {name: value for name, value in asdict(self).items() if name != "ranks"}


def describe_corpus(corpus: Corpus) -> dict[str, Any]:
    """Return name, sizes and fingerprint of a data set.

    Args:
        corpus: The data set.

    Returns:
        Types JSON has.
    """
    return {
        "name": corpus.name,
        "users": len(corpus.users),
        "items": len(corpus.items),
        "interactions": corpus.sequences.n_events,
        "fingerprint": corpus.sequences.fingerprint(),
    }


def describe_protocol(
    corpus: Corpus, settings: EvaluationSettings, max_history: int | None = None
) -> str:
    """Return in one sentence how figures are made.

    Args:
        corpus: The data set.
        settings: Split and candidates.
        max_history: Longest history the model sees; None where models differ in it.

    Returns:
        Such as ``leave-one-out, full ranking over 1,682 items, ...``.
    """
    shares = "/".join(f"{ratio:g}" for ratio in settings.ratios)
    split = {
        "leave_one_out": "leave-one-out",
        "ratio": f"split {shares} " + ("by user" if settings.ratio_by == "user" else "of all"),
        "time": f"split {shares} by time",
        "recbole_time": f"split {shares} by RecBole's TS",
    }[settings.split]
    if corpus.target_counts is not None:
        split = "split as the files are"
    elif settings.split == "leave_one_out" and settings.leave_out != "valid_and_test":
        split += f" ({settings.leave_out.replace('_', ' ')})"
    ranked, ties = f"full ranking over {len(corpus.items):,} items", "ties count against the target"
    if settings.candidates.startswith(PAPER):
        ranked = (
            f"ranking against {settings.candidates.removeprefix(PAPER)} items drawn evenly outside "
            "the user's training events (one drawn twice counts twice, as in the code of 2018)"
        )
        ties = "ties count for the target"
    elif settings.candidates != "full":
        kind = "evenly" if settings.candidates.startswith("uni") else "by popularity"
        ranked = f"ranking against {settings.candidates[3:]} items drawn {kind}"
        if settings.sampled_by == "user":
            ranked += " for each case, all cases of a user in one list"
    seen = "" if max_history is None else f"last {counted(max_history, 'event')}, "
    if corpus.sequences.times is None:
        split += " in the order of the source, without times"
    return (
        f"{split}, {ranked}, history {'' if settings.remove_seen else 'not '}removed, {seen}{ties}"
    )


def evaluate_model(
    name: str,
    model: NextItemModel,
    corpus: Corpus,
    split: Split,
    *,
    settings: EvaluationSettings,
    counts: np.ndarray,
    max_history: int,
    device: torch.device,
) -> Report:
    """Measure a model on both sets of cases.

    Args:
        name: What to call the model.
        model: On ``device``.
        corpus: The data set.
        split: Its cases.
        settings: Metrics and cut-offs.
        counts: int64 [V], training events of each item.
        max_history: Longest history the model sees.
        device: Where to compute.

    Returns:
        The report.
    """
    values: dict[str, dict[str, float]] = {}
    ranks: dict[str, np.ndarray] = {}
    for part, cases, candidates in (
        ("validation", split.validation, settings.validated_against),
        ("test", split.test, settings.candidates),
    ):
        values[part], ranks[part] = measure(
            model,
            split,
            cases,
            settings=settings,
            counts=counts,
            max_history=max_history,
            device=device,
            candidates=candidates,
        )
    return Report(
        model=name,
        validation=values["validation"],
        test=values["test"],
        protocol=describe_protocol(corpus, settings, max_history),
        dataset=describe_corpus(corpus),
        ranks=ranks,
    )


def measure(
    model: NextItemModel,
    split: Split,
    cases: Cases,
    *,
    settings: EvaluationSettings,
    counts: np.ndarray,
    max_history: int,
    device: torch.device,
    candidates: str = "full",
) -> tuple[dict[str, float], np.ndarray]:
    """Return the mean of every metric at every cut-off, and the ranks behind them.

    Args:
        model: On ``device``.
        split: For its histories.
        cases: M questions; without any, no metric has a value.
        settings: Metrics and cut-offs.
        counts: int64 [V], training events of each item.
        max_history: Longest history the model sees.
        device: Where to compute.
        candidates: What targets are ranked against: ``full``, ``uni100``, ``paper100`` …

    Returns:
        Key, such as ``ndcg@10``, to value; and ranks, int64 [M].
    """
    if not len(cases):
        return {}, np.zeros(0, dtype=np.int64)
    n_items = len(counts) - 1
    if candidates != "full" and settings.sampled_by == "user":
        return measure_by_user(
            model,
            split.sequences,
            cases,
            sampled_candidates(split, cases, candidates, n_items),
            settings=settings,
            counts=counts,
            max_history=max_history,
            device=device,
        )
    return _measure_cases(
        model,
        split,
        cases,
        settings=settings,
        counts=counts,
        max_history=max_history,
        device=device,
        candidates=candidates,
    )


def _measure_cases(
    model: NextItemModel,
    split: Split,
    cases: Cases,
    *,
    settings: EvaluationSettings,
    counts: np.ndarray,
    max_history: int,
    device: torch.device,
    candidates: str,
) -> tuple[dict[str, float], np.ndarray]:
    """Return what ``measure`` does, each case by itself."""
    n_items = len(counts) - 1
    lists = None
    if candidates == "full":
        wants_lists = any(name in LIST_METRICS for name in settings.metrics)
        top_k = min(max(settings.topk), n_items) if wants_lists else 0
        ranking = rank_targets(
            model,
            split.sequences,
            cases,
            max_history=max_history,
            device=device,
            top_k=top_k,
            remove_seen=settings.remove_seen,
        )
        ranks, lists = ranking.ranks, Lists(ranking.top, counts, n_items, settings.tail_ratio)
    else:
        ranks = ranks_among_candidates(
            *(model, split, cases, candidates, n_items), max_history=max_history, device=device
        )
    values: dict[str, float] = {}
    for name in settings.metrics:
        if name in WHOLE_METRICS:
            ranked = np.full(len(cases), n_items)
            if settings.remove_seen:
                ranked -= removed_counts(split.sequences, cases)
            each = WHOLE_METRICS[name](np.minimum(ranks, ranked), ranked)
            if not np.isnan(each).all():  # with one item alone there is nothing to order
                values[name] = float(np.nanmean(each))
        for k in settings.topk:
            if (metric := rank_metric(name)) is not None:
                values[f"{name}@{k}"] = float(metric(ranks, k).mean())
            elif lists is not None and name in LIST_METRICS:
                values[f"{name}@{k}"] = LIST_METRICS[name](lists, k)
    return values, ranks


def environment() -> dict[str, str]:
    """Return the versions and the machine a result was made with."""
    packages = ("sasrec", "torch", "numpy", "polars", "pydantic")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "threads": str(torch.get_num_threads()),
        "kernels": library.available_kernels(),
        **{name: version(name) for name in packages},
    }
