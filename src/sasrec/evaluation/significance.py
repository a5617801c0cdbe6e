"""Significance: how sure a mean over cases is, and whether two models differ on the same cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

DRAWS = 2000
"""Bootstrap samples; the ends of an interval then scatter by a twentieth of its width."""


def bootstrap_interval(
    values: np.ndarray, *, level: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean (Efron & Tibshirani 1993, chapter 13).

    Args:
        values: float [M], one a case.
        level: Share of bootstrap means inside.
        draws: Bootstrap samples.
        seed: Of the samples; the same values always give the same interval.

    Returns:
        Its ends; NaN without cases.
    """
    if not len(values):
        return float("nan"), float("nan")
    generator = np.random.default_rng(seed)
    # How often each value is drawn, rather than the draws: metrics take few values.
    kinds, counts = np.unique(values, return_counts=True)
    shares = counts / len(values)
    sums = [generator.multinomial(len(values), shares) @ kinds for _ in range(draws)]
    low, high = np.quantile(np.array(sums) / len(values), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_p_value(one: np.ndarray, other: np.ndarray) -> float:
    """Return the p-value of a two-sided paired t-test on two models' values case by case.

    Smucker et al. (2007) found it to agree with the randomisation test on ranking metrics.

    Args:
        one: float [M], one a case.
        other: float [M], the same cases.

    Returns:
        From 0 to 1; 1 if the models never differ, NaN with fewer than two cases.
    """
    from scipy.stats import ttest_rel

    if len(one) < 2:
        return float("nan")
    if np.array_equal(one, other):
        return 1.0
    return float(ttest_rel(one, other).pvalue)


def one_sided_p_value(ours: Sequence[float], baseline: Sequence[float]) -> float:
    """Return the p-value of a paired t-test whose alternative is that the first is larger.

    Args:
        ours: Two or more values, such as one a seed.
        baseline: Of the other model, in the same order.

    Returns:
        From 0 to 1; NaN if all differences are equal, as their spread then says nothing.
    """
    from scipy.stats import ttest_rel

    differences = np.asarray(ours) - np.asarray(baseline)
    if len(differences) < 2 or (differences == differences[0]).all():
        return float("nan")
    return float(ttest_rel(ours, baseline, alternative="greater").pvalue)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values corrected for being several (Holm 1979, step-down).

    Args:
        p_values: One a comparison.

    Returns:
        The corrected values, none below its own, in the same order; NaN stays NaN.
    """
    corrected = {name: p for name, p in p_values.items() if p != p}  # NaN is not itself
    known = [name for name in p_values if name not in corrected]
    highest = 0.0
    for place, name in enumerate(sorted(known, key=lambda name: p_values[name])):
        highest = max(highest, min(1.0, p_values[name] * (len(known) - place)))
        corrected[name] = highest
    return {name: corrected[name] for name in p_values}
