"""Results of a comparison: metrics, confidence intervals, p-values and costs of each model."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from sasrec.comparison.entry import Entry
from sasrec.comparison.text import about_p, main_rows
from sasrec.errors import DataError, printable
from sasrec.evaluation.registration import values_of
from sasrec.evaluation.significance import bootstrap_interval, holm, paired_p_value
from sasrec.evaluation.text import aligned, sizes_of
from sasrec.settings.metric_names import split_key


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """Several models on the same test cases.

    Attributes:
        dataset: Name, sizes and fingerprint of the data.
        protocol: The evaluation protocol in one sentence.
        seeds: Seeds that every model was trained with.
        metrics: Keys of the metrics; p-values and slices are for the first one.
        entries: Results of each model, the best first.
        slice_sizes: Slice to number of test cases.
        remarks: Warnings about the results, one sentence each.
    """

    dataset: dict[str, Any]
    protocol: str
    seeds: tuple[int, ...]
    metrics: tuple[str, ...]
    entries: list[Entry]
    slice_sizes: dict[str, int]
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the data, the protocol, the table of metrics and the remarks, as the command."""
        lines = [sizes_of(self.dataset), self.protocol]
        if any(entry.is_trained_here for entry in self.entries):
            seeds = ", ".join(map(str, self.seeds))
            lines.append(f"results on the test cases, seed{'s' * (len(self.seeds) > 1)} {seeds}")
        table, sentences = (
            main_rows(self.entries, self.metrics),
            about_p(self.entries, self.metrics),
        )
        lines += ["", aligned(table), "", *sentences]
        lines += [f"note: {remark}" for remark in self.remarks]
        return printable("\n".join(lines))

    def __repr__(self) -> str:
        """Return one line: the data, and each model with the first metric."""
        first = self.metrics[0]
        models = ", ".join(f"{entry.model} {entry.means[first]:.4f}" for entry in self.entries)
        return printable(f"<Comparison on {self.dataset['name']}, {first}: {models}>")

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the table in IPython and notebooks."""
        printer.text("Comparison(...)" if cycle else str(self))

    def as_json(self) -> dict[str, Any]:
        """Return all attributes in types that JSON has; NaN and infinities become null."""
        values: dict[str, Any] = _finite(asdict(self))
        return values


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a training took.

    Attributes:
        seconds: Seconds of each epoch, without validation.
        best_epoch: The epoch whose weights were kept, counted from 1.
    """

    seconds: list[float]
    best_epoch: int


@dataclass(frozen=True, slots=True)
class Training:
    """Result of one training, without its weights.

    Attributes:
        ranks: int64 [M], ranks of the targets of the test cases.
        timing: How long it took.
        parameters: Number of weights.
        peak: Peak memory of the process in megabytes.
    """

    ranks: np.ndarray
    timing: Timing
    parameters: int
    peak: float


def timing_of(metrics: dict[str, Any]) -> Timing | None:
    """Return how long the training of a saved model took; None if its folder lacks valid values.

    Args:
        metrics: Contents of ``metrics.json`` of the folder.
    """
    try:
        seconds = [float(epoch["seconds"]) for epoch in metrics["epochs"]]
        best = int(metrics["best_epoch"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    known = all(math.isfinite(each) and each >= 0 for each in seconds)
    return Timing(seconds, best) if known and 1 <= best <= len(seconds) else None


@dataclass(slots=True)
class Measured:
    """Measurements of one model over all its seeds, without its weights.

    Attributes:
        ranks: For each seed int64 [M], ranks of the targets of the test cases.
        timings: How long each training took; empty if there was none or it is not known.
        parameters: Number of weights.
        peak: Peak memory of this process in megabytes.
        settings: Settings that were given.
        saved: Whether the model was loaded from a folder.
        unused: Settings of inputs that the comparison names and the model did not learn from.
    """

    ranks: list[np.ndarray] = field(default_factory=list)
    timings: list[Timing] = field(default_factory=list)
    parameters: int = 0
    peak: float = float("nan")
    settings: dict[str, Any] = field(default_factory=dict)
    saved: bool = False
    unused: tuple[str, ...] = ()

    def add(self, training: Training) -> None:
        """Add the result of one more training.

        Args:
            training: A training with another seed than the earlier ones.
        """
        self.ranks.append(training.ranks)
        self.timings.append(training.timing)
        self.parameters, self.peak = training.parameters, training.peak


def entries_of(
    measured: dict[str, Measured],
    keys: tuple[str, ...],
    slices: dict[str, np.ndarray],
    *,
    baselines: Sequence[str] = (),
) -> list[Entry]:
    """Return the results of the models with their statistics, the best model first.

    Args:
        measured: Model name to its measurements, on the same test cases for all models.
        keys: Metrics; the first one decides the order and is used for p-values and slices.
        slices: Name to bool [M], the cases of each slice.
        baselines: Names of the baselines.

    Returns:
        One entry per model.

    Raises:
        DataError: The models were measured on different cases.
    """
    sizes = {len(ranks) for own in measured.values() for ranks in own.ranks}
    if len(sizes) > 1:
        raise DataError(
            f"models have different numbers of test cases ({', '.join(map(str, sorted(sizes)))}), "
            "so they cannot be compared; measure them on the same data and split"
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
    cases = {name: over_seeds[name][first] for name in order}
    p_values = _p_values_against_the_first(cases)
    among_named = _p_values_against_the_first(
        {name: own for name, own in cases.items() if name not in baselines}
    )
    return [
        Entry(
            model=name,
            means={key: float(cases.mean()) for key, cases in over_seeds[name].items()},
            intervals={key: bootstrap_interval(cases) for key, cases in over_seeds[name].items()},
            by_seed={key: [float(some.mean()) for some in values[name][key]] for key in keys},
            spread={key: _standard_error(values[name][key]) for key in keys},
            p_value=p_values[name],
            p_value_named=among_named.get(name, math.nan),
            is_baseline=name in baselines,
            slices={
                part: float(over_seeds[name][first][mask].mean())
                for part, mask in slices.items()
                if mask.any()
            },
            parameters=measured[name].parameters,
            peak_megabytes=measured[name].peak,
            settings=measured[name].settings,
            saved=measured[name].saved,
            unused=measured[name].unused,
            **_costs(measured[name].timings),
        )
        for name in order
    ]


def _p_values_against_the_first(values: dict[str, np.ndarray]) -> dict[str, float]:
    """Return p-values against the first model, corrected for multiple comparisons; 1 for itself."""
    names = list(values)
    p_values = {name: paired_p_value(values[name], values[names[0]]) for name in names[1:]}
    return dict.fromkeys(names[:1], 1.0) | holm(p_values)


def _costs(timings: list[Timing]) -> dict[str, float]:
    if not timings:
        return dict.fromkeys(("seconds_per_epoch", "seconds_to_best", "epochs"), float("nan"))
    return {
        "seconds_per_epoch": statistics.median(each for one in timings for each in one.seconds),
        "seconds_to_best": statistics.mean(sum(one.seconds[: one.best_epoch]) for one in timings),
        "epochs": statistics.mean(len(one.seconds) for one in timings),
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
