"""The results of one model in a comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """Results of one model over all its seeds.

    Attributes:
        model: Name of the model.
        means: Metric key to the mean over seeds and test cases.
        intervals: Metric key to the ends of the 95 % bootstrap interval over test cases.
        by_seed: Metric key to the mean over test cases for each seed.
        spread: Metric key to the standard error over seeds; NaN for one seed.
        p_value: p-value of the paired test against the best model on the first metric, corrected
            for multiple comparisons; 1 for the best model itself.
        p_value_named: The same against the best model that is no baseline, corrected for the
            comparisons without baselines; 1 for that model itself, NaN for a baseline.
        is_baseline: Whether it is a baseline, which only counts events and is always compared.
        seconds_per_epoch: Median over epochs and seeds; for a saved model, from its own training.
            NaN if the model was not trained or this is not known.
        seconds_to_best: Training time up to the best epoch, mean over seeds.
        epochs: Number of epochs trained, mean over seeds.
        parameters: Number of weights.
        peak_megabytes: Peak memory of this process while the model was trained and tested. Where
            the system cannot reset the peak, it includes earlier models.
        slices: Slice, such as ``history of up to 5 events``, to the mean of the first metric on its
            cases.
        settings: Settings that were given, without those of presets and defaults.
        saved: Whether the model was loaded from a folder.
        unused: Settings of inputs that the comparison names and that the model did not learn from:
            of ``type_column``, ``content_columns`` and ``item_vectors``.
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
    p_value_named: float = math.nan
    is_baseline: bool = False
    unused: tuple[str, ...] = ()

    @property
    def is_timed(self) -> bool:
        """Whether epochs and seconds of its training are known."""
        return not math.isnan(self.epochs)

    @property
    def is_trained_here(self) -> bool:
        """Whether it was trained for this comparison, so it is neither loaded nor a baseline."""
        return self.is_timed and not self.saved
