"""Significance: confidence intervals of means, and tests of whether two models differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

DRAWS = 2000
"""Bootstrap samples; the ends of an interval then vary by about 1/20 of its width."""


def bootstrap_interval(
    values: np.ndarray, *, level: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean (Efron & Tibshirani 1993, chapter 13).

    Args:
        values: float [M], one per case.
        level: Share of bootstrap means inside the interval.
        draws: Number of bootstrap samples.
        seed: Seed of the samples; equal values and seeds give equal intervals.

    Returns:
        Lower and upper end; NaN if there are no cases.
    """
    if not len(values):
        return float("nan"), float("nan")
    generator = np.random.default_rng(seed)
    # Drawing how often each distinct value occurs is faster, because metrics have few of them.
    distinct, counts = np.unique(values, return_counts=True)
    shares = counts / len(values)
    sums = [generator.multinomial(len(values), shares) @ distinct for _ in range(draws)]
    low, high = np.quantile(np.array(sums) / len(values), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_p_value(one: np.ndarray, other: np.ndarray) -> float:
    """Return the p-value of a two-sided paired t-test on two models' values per case.

    Smucker et al. (2007) found that it agrees with the randomisation test on ranking metrics.

    Args:
        one: float [M], one model's value per case.
        other: float [M], the other model's values for the same cases.

    Returns:
        0 to 1; 1 if all values are equal, NaN with fewer than two cases.
    """
    from scipy.stats import ttest_rel

    if len(one) < 2:
        return float("nan")
    if np.array_equal(one, other):
        return 1.0
    return float(ttest_rel(one, other).pvalue)


def one_sided_p_value(ours: Sequence[float], baseline: Sequence[float]) -> float:
    """Return the p-value of a one-sided paired t-test that the first model is better.

    Args:
        ours: At least two values of the first model, such as one per seed.
        baseline: The other model's values, in the same order.

    Returns:
        0 to 1; NaN if there are fewer than two values, or all differences are equal, so that their
        variance is 0.
    """
    from scipy.stats import ttest_rel

    differences = np.asarray(ours) - np.asarray(baseline)
    if len(differences) < 2 or (differences == differences[0]).all():
        return float("nan")
    return float(ttest_rel(ours, baseline, alternative="greater").pvalue)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values corrected for multiple comparisons (Holm 1979, step-down).

    Args:
        p_values: Comparison to p-value.

    Returns:
        The corrected values, which are never lower, in the same order; NaN stays NaN.
    """
    corrected = {name: p for name, p in p_values.items() if p != p}  # NaN
    known = [name for name in p_values if name not in corrected]
    highest = 0.0
    for index, name in enumerate(sorted(known, key=lambda name: p_values[name])):
        highest = max(highest, min(1.0, p_values[name] * (len(known) - index)))
        corrected[name] = highest
    return {name: corrected[name] for name in p_values}
