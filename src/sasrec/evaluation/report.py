"""Report: metrics of one model on one data set, with all that is needed to trust them."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from sasrec.data.sequences import Corpus
from sasrec.data.splits import Cases, Split
from sasrec.evaluation.metrics import LIST_METRICS, RANK_METRICS, Lists
from sasrec.evaluation.ranking import rank_targets
from sasrec.models.contract import NextItemModel
from sasrec.settings import EvaluationSettings


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
    for part, cases in (("validation", split.validation), ("test", split.test)):
        values[part], ranks[part] = measure(
            model,
            split,
            cases,
            settings=settings,
            counts=counts,
            max_history=max_history,
            device=device,
        )
    return Report(
        model=name,
        validation=values["validation"],
        test=values["test"],
        protocol=(
            f"leave-one-out, full ranking over {len(corpus.items):,} items, history not removed, "
            f"last {max_history} events, ties count against the target"
        ),
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

    Returns:
        Key, such as ``ndcg@10``, to value; and ranks, int64 [M].
    """
    if not len(cases):
        return {}, np.zeros(0, dtype=np.int64)
    n_items = len(counts) - 1
    longest = min(max(settings.topk), n_items)
    wants_lists = any(name in LIST_METRICS for name in settings.metrics)
    ranking = rank_targets(
        model,
        split.sequences,
        cases,
        max_history=max_history,
        device=device,
        top_k=longest if wants_lists else 0,
    )
    lists = Lists(ranking.top, counts, n_items)
    values: dict[str, float] = {}
    for k in settings.topk:
        for name in settings.metrics:
            if name in RANK_METRICS:
                values[f"{name}@{k}"] = float(RANK_METRICS[name](ranking.ranks, k).mean())
            else:
                values[f"{name}@{k}"] = LIST_METRICS[name](lists, k)
    return values, ranking.ranks


def environment() -> dict[str, str]:
    """Return the versions and the machine a result was made with."""
    packages = ("sasrec", "torch", "numpy", "polars", "pydantic")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "threads": str(torch.get_num_threads()),
        **{name: version(name) for name in packages},
    }
