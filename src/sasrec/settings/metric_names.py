"""Names of metrics and keys such as ``ndcg@10``; ``evaluation/metrics.py`` computes the metrics."""

from __future__ import annotations

from collections.abc import Iterable

from sasrec.errors import SettingsError, did_you_mean
from sasrec.settings.registry import METRICS

FULL_RANKING_METRICS = ("gauc",)
"""Metrics of full rankings, without a cut-off. ``METRICS`` in ``registry.py`` lists all metrics;
those neither here nor in ``LISTS_METRICS`` are computed from the ranks of targets, at a cut-off."""
LISTS_METRICS = (
    "itemcoverage",
    "averagepopularity",
    "giniindex",
    "shannonentropy",
    "tailpercentage",
)
"""Metrics computed from the recommended lists of all cases together, at a cut-off."""
SMALLER_IS_BETTER = frozenset({"averagepopularity", "giniindex"})
"""Metrics where lower is better; for all others, including those of plug-ins, higher is better."""


def check_names(names: Iterable[str]) -> None:
    """Reject names of metrics that do not exist.

    Args:
        names: Lower-case names without cut-offs.

    Raises:
        SettingsError: A name is unknown.
    """
    for name in names:
        if name not in METRICS:
            raise SettingsError(
                f"unknown metric {name!r}{did_you_mean(name, METRICS)} "
                f"(known: {', '.join(METRICS)}; plug-ins can add others)"
            )


def split_key(key: str) -> tuple[str, int]:
    """Return name and cut-off of a key such as ``ndcg@10``, or ``gauc``, which has no cut-off.

    Args:
        key: The key in lower case, as in settings.

    Returns:
        Name and cut-off, such as ``("ndcg", 10)``, or ``("gauc", 0)``.

    Raises:
        SettingsError: The name is unknown, or the cut-off is not an integer from 1 to 99999.
    """
    name, _, cut = key.partition("@")
    check_names([name])
    if name in FULL_RANKING_METRICS:
        if "@" in key:
            raise SettingsError(
                f"{key!r} has a cut-off, but {name} uses the full ranking; write {name!r} instead"
            )
        return name, 0
    if cut.startswith("0") or not cut.isdecimal() or len(cut) > 5 or int(cut) < 1:
        raise SettingsError(
            f"{key!r} has no cut-off from 1 to 99999; write a metric as NAME@K, such as ndcg@10"
        )
    return name, int(cut)


def smaller_is_better(key: str) -> bool:
    """Return whether a lower value of a metric is better.

    Args:
        key: A key such as ``giniindex@10``.

    Returns:
        True if lower is better.
    """
    return split_key(key)[0] in SMALLER_IS_BETTER
