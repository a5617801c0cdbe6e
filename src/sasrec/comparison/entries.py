"""Entries: what each compared model reached, and how sure the differences are."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from sasrec.errors import DataError
from sasrec.evaluation.registration import values_of
from sasrec.evaluation.significance import bootstrap_interval, holm, paired_p_value
from sasrec.settings.metric_names import split_key


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
        seconds_per_epoch: Median over epochs and seeds, of its own training where the model was
            loaded; NaN where it was not trained, or that is not known.
        seconds_to_best: Training time to the epoch that was kept, mean over seeds.
        epochs: Trained, mean over seeds.
        parameters: Weights.
        peak_megabytes: Memory of this process at most while the model was trained and tested; where
            the system cannot forget its peak, while those before it were, too.
        slices: Slice, such as ``history 1-5``, to the mean of the first metric on its cases.
        settings: What was set for it, beside presets and defaults.
        saved: Whether it was trained before and loaded.
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
    saved: bool = False

    @property
    def is_timed(self) -> bool:
        """Whether it is known how its training went."""
        return not math.isnan(self.epochs)

    @property
    def is_trained_here(self) -> bool:
        """Whether it was trained for this comparison, neither loaded nor counted."""
        return self.is_timed and not self.saved


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
        remarks: What a reader must know beside the figures, a sentence each.
    """

    dataset: dict[str, Any]
    protocol: str
    seeds: tuple[int, ...]
    metrics: tuple[str, ...]
    entries: list[Entry]
    slice_sizes: dict[str, int]
    remarks: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return everything in types JSON has; what is no number is null."""
        values: dict[str, Any] = _finite(asdict(self))
        return values


@dataclass(frozen=True, slots=True)
class Course:
    """How long a training took.

    Attributes:
        seconds: Of each epoch, validation not counted.
        best_epoch: The epoch that was kept, from 1.
    """

    seconds: list[float]
    best_epoch: int


@dataclass(frozen=True, slots=True)
class Training:
    """What one training came to; not its weights.

    Attributes:
        ranks: int64 [M], of the targets of the test cases.
        course: How long it took.
        parameters: Weights.
        peak: Megabytes of memory of the process at most.
    """

    ranks: np.ndarray
    course: Course
    parameters: int
    peak: float


def course_of(metrics: dict[str, Any]) -> Course | None:
    """Return how long the training of a saved model took; None where its folder does not tell.

    Args:
        metrics: What ``metrics.json`` of the folder holds.
    """
    try:
        seconds = [float(epoch["seconds"]) for epoch in metrics["epochs"]]
        best = int(metrics["best_epoch"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    known = all(math.isfinite(each) and each >= 0 for each in seconds)
    return Course(seconds, best) if known and 1 <= best <= len(seconds) else None


@dataclass(slots=True)
class Measured:
    """What is kept of a model: not its weights.

    Attributes:
        ranks: Of the targets of the test cases, for each seed.
        courses: How long training took, for each seed; empty where there was none or it is not
            known.
        parameters: Weights.
        peak: Megabytes of memory of this process at most.
        settings: What was set for it.
        saved: Whether it was trained before and loaded.
    """

    ranks: list[np.ndarray] = field(default_factory=list)
    courses: list[Course] = field(default_factory=list)
    parameters: int = 0
    peak: float = float("nan")
    settings: dict[str, Any] = field(default_factory=dict)
    saved: bool = False

    def add(self, training: Training) -> None:
        """Keep what there is to know of one more training.

        Args:
            training: With another seed than those before.
        """
        self.ranks.append(training.ranks)
        self.courses.append(training.course)
        self.parameters, self.peak = training.parameters, training.peak


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

    Raises:
        DataError: The models were measured on different cases.
    """
    sizes = {len(ranks) for own in measured.values() for ranks in own.ranks}
    if len(sizes) > 1:
        raise DataError(
            f"models were measured on different cases ({', '.join(map(str, sorted(sizes)))} of "
            "them), so they cannot be compared; measure them on the same data and split"
        )
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
            saved=measured[name].saved,
            **_costs(measured[name].courses),
        )
        for name in order
    ]


def remarks_on(entries: list[Entry], key: str, baselines: Sequence[str]) -> tuple[str, ...]:
    """Return what a reader must know beside the figures.

    Args:
        entries: Best first.
        key: The first metric.
        baselines: Names of the models that only count.

    Returns:
        A sentence for each model that ranks worse than counts, and one if there is no p-value.
    """
    counts = {e.model: e.means[key] for e in entries if e.model in baselines}
    remarks = []
    for entry in entries:
        better = [
            f"{name} ({mean:.4f})" for name, mean in counts.items() if mean > entry.means[key]
        ]
        if better and entry.model not in counts:
            remarks.append(
                f"{entry.model} ranks worse than plain counts: {key} is {entry.means[key]:.4f}, "
                f"below that of {' and '.join(better)}"
            )
    unknown = [entry.model for entry in entries if math.isnan(entry.p_value)]
    if unknown:
        remarks.append(f"p of {', '.join(unknown)} is unknown: a test needs two test cases or more")
    return tuple(remarks)


def _costs(courses: list[Course]) -> dict[str, float]:
    if not courses:
        return dict.fromkeys(("seconds_per_epoch", "seconds_to_best", "epochs"), float("nan"))
    return {
        "seconds_per_epoch": statistics.median(each for one in courses for each in one.seconds),
        "seconds_to_best": statistics.mean(sum(one.seconds[: one.best_epoch]) for one in courses),
        "epochs": statistics.mean(len(one.seconds) for one in courses),
    }


def _values(ranks: np.ndarray, key: str) -> np.ndarray:
    name, k = split_key(key)
    return values_of(name, ranks, k)


def _standard_error(values: list[np.ndarray]) -> float:
    means = [float(some.mean()) for some in values]
    return statistics.stdev(means) / len(means) ** 0.5 if len(means) > 1 else float("nan")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
