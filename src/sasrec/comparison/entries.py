"""Entries: what each compared model reached, and how sure the differences are."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from sasrec.evaluation.metrics import RANK_METRICS, split_key
from sasrec.evaluation.report import Report
from sasrec.evaluation.significance import bootstrap_interval, holm, paired_p_value
from sasrec.memory import peak_bytes
from sasrec.models.contract import NextItemModel
from sasrec.training.trainer import Trained


@dataclass(frozen=True, slots=True)
class Entry:
    """What one model reached, over all its seeds.

    Attributes:
        model: Its name.
        means: Metric key to the mean over seeds and test cases.
        intervals: Metric key to the ends of the 95 % bootstrap interval over cases.
        by_seed: Metric key to the mean over test cases with each seed.
        spread: Metric key to the standard error over seeds; NaN with one seed.
        p_value: Of the paired test against the best model on the first metric, corrected for the
            number of comparisons; 1 for the best itself.
        seconds_per_epoch: Median over epochs and seeds; NaN for a model that is not trained.
        seconds_to_best: Training time to the epoch that was kept, mean over seeds.
        epochs: Trained, mean over seeds.
        parameters: Weights.
        peak_megabytes: Memory of this process at most while the model was trained and tested; where
            the system cannot forget its peak, while those before it were, too.
        slices: Slice, such as ``history 1-5``, to the mean of the first metric on its cases.
        settings: What was set for it, beside presets and defaults.
    """

    model: str
    means: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    by_seed: dict[str, list[float]]
    spread: dict[str, float]
    p_value: float
    seconds_per_epoch: float
    seconds_to_best: float
    epochs: float
    parameters: int
    peak_megabytes: float
    slices: dict[str, float] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def is_trained(self) -> bool:
        """Whether it was trained for this comparison, neither loaded nor counted."""
        return not math.isnan(self.epochs)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several models on the same test cases.

    Attributes:
        dataset: Name, sizes and fingerprint.
        protocol: How it was measured, in one sentence.
        seeds: Of every trained model.
        metrics: Keys compared; the first is tested and sliced.
        entries: Best first.
        slice_sizes: Slice to number of cases.
    """

    dataset: dict[str, Any]
    protocol: str
    seeds: tuple[int, ...]
    metrics: tuple[str, ...]
    entries: list[Entry]
    slice_sizes: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return everything in types JSON has; what is no number is null."""
        values: dict[str, Any] = _finite(asdict(self))
        return values


@dataclass(slots=True)
class Measured:
    """What is kept of a model: not its weights.

    Attributes:
        ranks: Of the targets of the test cases, for each seed.
        trained: How training went, for each seed; empty for a model that was not trained here.
        parameters: Weights.
        peak: Megabytes of memory of this process at most.
        settings: What was set for it.
    """

    ranks: list[np.ndarray] = field(default_factory=list)
    trained: list[Trained] = field(default_factory=list)
    parameters: int = 0
    peak: float = float("nan")
    settings: dict[str, Any] = field(default_factory=dict)

    def add(self, model: NextItemModel, report: Report) -> None:
        """Keep what there is to know of a model that has been tested.

        Args:
            model: Of which weights are counted.
            report: With its ranks.
        """
        self.ranks.append(report.ranks["test"])
        self.parameters = sum(weight.numel() for weight in model.parameters())
        self.peak = peak_bytes() / 1e6


def entries_of(
    measured: dict[str, Measured], keys: tuple[str, ...], slices: dict[str, np.ndarray]
) -> list[Entry]:
    """Return the models with their statistics, best first.

    Args:
        measured: Model to what was kept of it; the same cases for all.
        keys: Metrics; the first is tested, sliced, and decides the order.
        slices: Name to bool [M], the cases of each slice.

    Returns:
        The entries.
    """
    values = {
        name: {key: [_values(ranks, key) for ranks in own.ranks] for key in keys}
        for name, own in measured.items()
    }
    over_seeds = {
        name: {key: np.mean(some, axis=0) for key, some in own.items()}
        for name, own in values.items()
    }
    first = keys[0]
    order = sorted(over_seeds, key=lambda name: -over_seeds[name][first].mean())
    best = over_seeds[order[0]][first]
    p_values = holm({name: paired_p_value(over_seeds[name][first], best) for name in order[1:]})
    return [
        Entry(
            model=name,
            means={key: float(cases.mean()) for key, cases in over_seeds[name].items()},
            intervals={key: bootstrap_interval(cases) for key, cases in over_seeds[name].items()},
            by_seed={key: [float(some.mean()) for some in values[name][key]] for key in keys},
            spread={key: _standard_error(values[name][key]) for key in keys},
            p_value=p_values.get(name, 1.0),
            slices={
                part: float(over_seeds[name][first][mask].mean())
                for part, mask in slices.items()
                if mask.any()
            },
            parameters=measured[name].parameters,
            peak_megabytes=measured[name].peak,
            settings=measured[name].settings,
            **_costs(measured[name].trained),
        )
        for name in order
    ]


def _costs(trained: list[Trained]) -> dict[str, float]:
    if not trained:
        return dict.fromkeys(("seconds_per_epoch", "seconds_to_best", "epochs"), float("nan"))
    epochs = [each.epochs for each in trained]
    return {
        "seconds_per_epoch": statistics.median(each.seconds for some in epochs for each in some),
        "seconds_to_best": statistics.mean(
            sum(epoch.seconds for epoch in each.epochs[: each.best_epoch]) for each in trained
        ),
        "epochs": statistics.mean(len(some) for some in epochs),
    }


def _values(ranks: np.ndarray, key: str) -> np.ndarray:
    name, k = split_key(key)
    values: np.ndarray = RANK_METRICS[name](ranks, k)
    return values


def _standard_error(values: list[np.ndarray]) -> float:
    means = [float(some.mean()) for some in values]
    return statistics.stdev(means) / len(means) ** 0.5 if len(means) > 1 else float("nan")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
