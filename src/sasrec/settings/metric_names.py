"""Names of metrics, and keys such as ``ndcg@10``; ``evaluation/metrics.py`` computes them."""

from __future__ import annotations

from collections.abc import Iterable

from sasrec.errors import SettingsError, did_you_mean
from sasrec.settings.registry import METRICS

OF_WHOLE_RANKINGS = ("gauc",)
"""Without a cut-off. Those that are neither here nor below come from the ranks of targets, at a
cut-off; ``METRICS`` in ``registry.py`` has the names of all."""
OF_LISTS = (
    "itemcoverage",
    "averagepopularity",
    "giniindex",
    "shannonentropy",
    "tailpercentage",
)
"""Computed from all lists together, at a cut-off."""
SMALLER_IS_BETTER = frozenset({"averagepopularity", "giniindex"})
"""Of all others, those from outside too, higher is better."""


def check_names(names: Iterable[str]) -> None:
    """Refuse names of metrics that do not exist.

    Args:
        names: Lower-case names without a cut-off.

    Raises:
        SettingsError: A name is unknown.
    """
    for name in names:
        if name not in METRICS:
            raise SettingsError(
                f"unknown metric {name!r}{did_you_mean(name, METRICS)} "
                f"(metrics: {', '.join(METRICS)}; others come with plug-ins)"
            )


def split_key(key: str) -> tuple[str, int]:
    """Return name and cut-off of a key such as ``ndcg@10``, or ``gauc``, which has none.

    Args:
        key: Lower case, as in settings.

    Returns:
        ``("ndcg", 10)``; ``("gauc", 0)``.

    Raises:
        SettingsError: The name is unknown, or what follows ``@`` is no number from 1.
    """
    name, _, cut = key.partition("@")
    check_names([name])
    if name in OF_WHOLE_RANKINGS:
        if "@" in key:
            raise SettingsError(f"{key!r} has a cut-off, and {name} is of whole rankings; drop it")
        return name, 0
    if cut.startswith("0") or not cut.isdecimal() or len(cut) > 5 or int(cut) < 1:
        raise SettingsError(
            f"{key!r} names no cut-off from 1 to 99999; write a metric as NAME@K, such as ndcg@10"
        )
    return name, int(cut)


def smaller_is_better(key: str) -> bool:
    """Return whether a lower value of a metric is better.

    Args:
        key: Such as ``giniindex@10``.

    Returns:
        Whether it is.
    """
    return split_key(key)[0] in SMALLER_IS_BETTER
