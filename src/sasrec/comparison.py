"""Comparison: several models on the same cases, with what is needed to trust the differences."""

from __future__ import annotations

import csv
import io
import resource
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from sasrec.config_files import Layer
from sasrec.configuration import RunSettings, adapted, known_keys, resolve_layers
from sasrec.data.sequences import Corpus
from sasrec.data.splits import Split, make_split
from sasrec.errors import DataError, SettingsError
from sasrec.evaluation.metrics import RANK_METRICS, split_key
from sasrec.evaluation.significance import bootstrap_interval, holm, paired_p_value
from sasrec.experiment import baseline_reports, evaluate, prepared_device, train_model
from sasrec.models.popularity import item_counts
from sasrec.presets import DEFAULT, facts_of
from sasrec.registry import BASELINES
from sasrec.training.progress import Observer
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
        peak_megabytes: Memory of this process at most so far; it only rises from model to model.
        slices: Slice, such as ``history 1-5``, to the mean of the first metric on its cases.
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
class _Measured:
    """What is kept of a model: not its weights."""

    ranks: list[np.ndarray] = field(default_factory=list)
    trained: list[Trained] = field(default_factory=list)
    parameters: int = 0
    peak: float = float("nan")


def compare(
    corpus: Corpus,
    models: Sequence[str],
    *,
    settings: Sequence[Layer],
    seeds: Sequence[int],
    observer: Callable[[str, int], Observer],
) -> Comparison:
    """Train models on a data set and rank the same test cases with each.

    Args:
        corpus: The data set.
        models: Names; baselines without training are always there.
        settings: For all models, from the weakest to the strongest; what only some have goes to
            those.
        seeds: Each model is trained once with each.
        observer: From model and seed to somebody who watches.

    Returns:
        The comparison.

    Raises:
        SettingsError: A setting is unknown to every model, or a metric is not about ranks.
    """  # by run_settings and compared_metrics
    runs = [run_settings(name, settings, models) for name in models]
    first = runs[0]
    keys = compared_metrics(first)
    split = tested_split(corpus, first)
    facts = facts_of(split, n_items=len(corpus.items))
    device = prepared_device(first)
    measured: dict[str, _Measured] = {}
    for run in (adapted(each, facts) for each in runs):
        own = measured.setdefault(run.model_name, _Measured())
        for seed in seeds:
            model, trained = train_model(
                corpus,
                split,
                _seeded(run, seed),
                device=device,
                observer=observer(run.model_name, seed),
            )
            report = evaluate(run.model_name, model, corpus, split, run=run, device=device)
            own.ranks.append(report.ranks["test"])
            own.trained.append(trained)
            own.parameters = sum(weight.numel() for weight in model.parameters())
            own.peak = _peak_megabytes()
    for report in baseline_reports(corpus, split, first, device=device):
        measured[report.model] = _Measured([report.ranks["test"]])
    protocol, dataset = report.protocol, report.dataset
    slices = slices_of(corpus, split)
    entries = _entries(measured, keys, slices)
    sizes = {name: int(mask.sum()) for name, mask in slices.items()}
    return Comparison(dataset, protocol, tuple(seeds), keys, entries, sizes)


def compared_metrics(run: RunSettings) -> tuple[str, ...]:
    """Return the metrics to compare.

    Args:
        run: Metrics and cut-offs.

    Returns:
        Keys such as ``ndcg@10``.

    Raises:
        SettingsError: A metric is no mean over cases.
    """
    odd = [name for name in run.evaluation.metrics if name not in RANK_METRICS]
    if odd:
        raise SettingsError(f"{odd[0]} is no mean over cases, so it cannot be compared")
    return tuple(f"{name}@{k}" for name in run.evaluation.metrics for k in run.evaluation.topk)


def tested_split(corpus: Corpus, run: RunSettings) -> Split:
    """Return the split models are compared on.

    Args:
        corpus: The data set.
        run: How to split.

    Returns:
        The split.

    Raises:
        DataError: It has no test cases.
    """
    split = make_split(corpus, run.evaluation)
    if not len(split.test):
        raise DataError("a comparison needs test cases, and these data, split so, have none")
    return split


def run_settings(name: str, settings: Sequence[Layer], models: Sequence[str]) -> RunSettings:
    """Return a model's settings; a key that only others of the compared know is left out.

    Args:
        name: The model.
        settings: For all models, from the weakest to the strongest.
        models: All that are compared.

    Returns:
        The settings.
    """
    own = known_keys(name)
    others = {key for model in models for key in known_keys(model)} - own
    layers = [
        replace(layer, values={k: v for k, v in layer.values.items() if k not in others})
        for layer in settings
    ]
    return resolve_layers(layers, name, DEFAULT if name == "SASRec" else None)


def _seeded(run: RunSettings, seed: int) -> RunSettings:
    return replace(run, training=run.training.model_copy(update={"seed": seed}))


def _entries(
    measured: dict[str, _Measured], keys: tuple[str, ...], slices: dict[str, np.ndarray]
) -> list[Entry]:
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


def slices_of(corpus: Corpus, split: Split) -> dict[str, np.ndarray]:
    """Return parts of the test cases that tell where a model is good.

    Args:
        corpus: The data set.
        split: Its test cases.

    Returns:
        Name of a slice to bool [M]: by length of the history, by how often the target was met in
        training, and, where there are times, by how many events a day the user has.
    """
    sequences, cases = corpus.sequences, split.test
    lengths = cases.stops - sequences.offsets[cases.users - 1]
    counts = item_counts(split, len(corpus.items))[sequences.items[cases.stops]]
    slices = _thirds("history", lengths, "events")
    slices["target never met in training"] = counts == 0
    slices |= _thirds("target met", counts, "times", among=counts > 0)
    if sequences.times is not None:
        begins = sequences.times[sequences.offsets[cases.users - 1]]
        days = np.maximum(sequences.times[cases.stops] - begins, 1) / 86_400
        if days.max() > 1:  # else it would be the length of the history again
            slices |= _thirds("activity", lengths / np.maximum(days, 1), "events a day")
    return {name: mask for name, mask in slices.items() if mask.any()}


def _thirds(
    what: str, values: np.ndarray, unit: str, among: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return cases below, between and above the two values that part them into thirds."""
    chosen = np.ones(len(values), dtype=bool) if among is None else among
    if not chosen.any():
        return {}
    low, high = np.quantile(values[chosen], [1 / 3, 2 / 3])
    return {
        f"{what} up to {low:.4g} {unit}": chosen & (values <= low),
        f"{what} to {high:.4g} {unit}": chosen & (values > low) & (values <= high),
        f"{what} above {high:.4g} {unit}": chosen & (values > high),
    }


def _peak_megabytes() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def as_csv(comparison: Comparison) -> str:
    """Return the table as CSV, a model a row.

    Args:
        comparison: What was measured.

    Returns:
        Text with a header line.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    costs = ("p_value", "epochs", "seconds_per_epoch", "seconds_to_best", "parameters")
    head = [f"{key}{end}" for key in comparison.metrics for end in ("", " low", " high", " se")]
    writer.writerow(["model", *head, *costs, "peak_megabytes"])
    for entry in comparison.entries:
        row: list[Any] = [entry.model]
        for key in comparison.metrics:
            row += [entry.means[key], *entry.intervals[key], entry.spread[key]]
        writer.writerow([*row, *(getattr(entry, cost) for cost in costs), entry.peak_megabytes])
    return text.getvalue()


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Draw accuracy against training time, a point a model with its interval.

    Args:
        comparison: What was measured.
        path: The PNG file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    key = comparison.metrics[0]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, entry in enumerate(comparison.entries):
        low, high = entry.intervals[key]
        mean, colour = entry.means[key], f"C{number % 10}"
        if entry.model in BASELINES:
            axes.axhline(mean, color=colour, linestyle=":", label=f"{entry.model} (not trained)")
            continue
        errors = [[mean - low], [high - mean]]
        seconds = max(entry.seconds_to_best, 1e-3)
        axes.errorbar(seconds, mean, yerr=errors, fmt="o", color=colour, label=entry.model)
    axes.set(xscale="log", xlabel="training time to the best epoch, s", ylabel=f"test {key}")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    axes.set_title(f"{comparison.dataset['name']}: means and 95 % intervals over cases")
    figure.savefig(path, dpi=120, bbox_inches="tight")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
