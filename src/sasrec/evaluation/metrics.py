"""Metrics: pure functions of ranks, one value a case; and of recommended lists, one value in all.

Ranks are int64 [M] with one relevant item a case, or [M, R] with up to R of them, 0 where a case
has fewer. Rank 1 is the top. Definitions are RecBole's (``recbole/evaluator/metrics.py``, 1.2.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


def recall(ranks: np.ndarray, k: int) -> np.ndarray:
    """Return the share of a case's relevant items among the first k.

    Args:
        ranks: int64 [M] or [M, R].
        k: Length of the list.

    Returns:
        float64 [M], 0 to 1.
    """
    return np.asarray(_hits(ranks, k).sum(1) / _relevant(ranks))


def hit(ranks: np.ndarray, k: int) -> np.ndarray:
    """Return 1 where any relevant item is among the first k, else 0.

    Args:
        ranks: int64 [M] or [M, R].
        k: Length of the list.

    Returns:
        float64 [M].
    """
    return np.asarray(_hits(ranks, k).any(1), dtype=np.float64)


def precision(ranks: np.ndarray, k: int) -> np.ndarray:
    """Return the share of relevant items in the list of k.

    Args:
        ranks: int64 [M] or [M, R].
        k: Length of the list.

    Returns:
        float64 [M], 0 to 1.
    """
    return np.asarray(_hits(ranks, k).sum(1) / k)


def mrr(ranks: np.ndarray, k: int) -> np.ndarray:
    """Return 1 / rank of the first relevant item, 0 if it is not among the first k.

    Args:
        ranks: int64 [M] or [M, R].
        k: Length of the list.

    Returns:
        float64 [M], 0 to 1.
    """
    gained: np.ndarray = np.where(_hits(ranks, k), 1 / np.maximum(_table(ranks), 1), 0.0)
    best: np.ndarray = gained.max(1)
    return best


def ndcg(ranks: np.ndarray, k: int) -> np.ndarray:
    """Return discounted cumulative gain over the best possible (Järvelin & Kekäläinen 2002).

    A relevant item at rank r gains 1 / log2(r + 1); the best possible list has the
    min(relevant, k) first places.

    Args:
        ranks: int64 [M] or [M, R].
        k: Length of the list.

    Returns:
        float64 [M], 0 to 1.
    """
    gain = 1 / np.log2(np.maximum(_table(ranks), 1) + 1)
    gained: np.ndarray = np.where(_hits(ranks, k), gain, 0.0).sum(1)
    ideal: np.ndarray = np.cumsum(1 / np.log2(np.arange(1, k + 1) + 1))
    return np.asarray(gained / ideal[np.minimum(_relevant(ranks), k) - 1])


def average_precision(ranks: np.ndarray, k: int) -> np.ndarray:
    """Return the mean of precision at each relevant item's rank, over min(relevant, k); "MAP".

    Args:
        ranks: int64 [M] or [M, R].
        k: Length of the list.

    Returns:
        float64 [M], 0 to 1.
    """
    table = np.sort(np.where(_hits(ranks, k), _table(ranks), np.iinfo(np.int64).max), axis=1)
    found = np.arange(1, table.shape[1] + 1)
    precisions: np.ndarray = np.where(table <= k, found / table, 0.0).sum(1)
    return np.asarray(precisions / np.minimum(_relevant(ranks), k))


def gauc(ranks: np.ndarray, n_ranked: int | np.ndarray) -> np.ndarray:
    """Return each case's area under the ROC curve: the share of other items ranked below.

    (n - rank) / (n - 1) with one relevant item; with R of them their mean, each against the items
    that are not relevant (Zhou et al. 2018, arXiv:1706.06978, as grouped by case).

    Args:
        ranks: int64 [M] or [M, R].
        n_ranked: Items ranked, n; a number, or int64 [M], one for each case.

    Returns:
        float64 [M], 0 to 1; NaN where all items are relevant.
    """
    relevant = _relevant(ranks)
    total = _table(ranks).sum(1)
    below = relevant * (n_ranked + 1) - relevant * (relevant + 1) / 2 - total
    with np.errstate(invalid="ignore", divide="ignore"):
        values: np.ndarray = below / (relevant * (n_ranked - relevant))
    return values


@dataclass(frozen=True, slots=True)
class Lists:
    """What was recommended, and what there is to recommend.

    Attributes:
        items: int64 [M, K], item numbers, best first; zeros behind them where fewer are left.
        counts: int64 [V], training events of each item; entry 0 is padding.
        n_items: Size of the catalogue that coverage and evenness refer to.
        tail: Share of the items that are the tail; above 1, the most training events it has.
    """

    items: np.ndarray
    counts: np.ndarray
    n_items: int
    tail: float = 0.1


def item_coverage(lists: Lists, k: int) -> float:
    """Return the share of the catalogue that is recommended to anybody.

    Args:
        lists: What was recommended.
        k: Length of the lists.

    Returns:
        0 to 1.
    """
    return float(len(_recommended(lists, k)[0]) / lists.n_items)


def average_popularity(lists: Lists, k: int) -> float:
    """Return the mean number of training events of the recommended items.

    Args:
        lists: What was recommended.
        k: Length of the lists.

    Returns:
        From 0.
    """
    return float(lists.counts[lists.items[:, :k]].sum(1).mean() / k)


def gini_index(lists: Lists, k: int) -> float:
    """Return how unevenly recommendations fall on items: 0 evenly, towards 1 all on one.

    Sum over items, in ascending order of how often recommended, of
    (2 i - n - 1) count_i / (n total), with n items.

    Args:
        lists: What was recommended.
        k: Length of the lists.

    Returns:
        0 to 1; 0 where nothing is recommended.
    """
    counts = np.sort(_recommended(lists, k)[1])
    if not len(counts):
        return 0.0  # nothing falls anywhere
    place = np.arange(lists.n_items - len(counts) + 1, lists.n_items + 1)
    total = counts.sum() * lists.n_items
    return float(((2 * place - lists.n_items - 1) * counts).sum() / total)


def shannon_entropy(lists: Lists, k: int) -> float:
    """Return the entropy of recommendations over items, divided by the items recommended.

    The division is RecBole's; without it the value would be the entropy in nats.

    Args:
        lists: What was recommended.
        k: Length of the lists.

    Returns:
        From 0; 0 where nothing is recommended.
    """
    counts = _recommended(lists, k)[1]
    if not len(counts):
        return 0.0
    share = counts / counts.sum()
    return abs(float((share * np.log(share)).sum() / len(counts)))  # 0.0, never -0.0


def tail_percentage(lists: Lists, k: int) -> float:
    """Return the share of recommended items that belong to the least popular tenth.

    The tenth (``lists.tail``) is taken of the items with training events, ties by number, at least
    one item; a tail above 1 is the most training events that an item of it has.

    Args:
        lists: What was recommended.
        k: Length of the lists.

    Returns:
        0 to 1.
    """
    known = np.flatnonzero(lists.counts[1:]) + 1
    rarest = known[np.lexsort((known, lists.counts[known]))]
    is_tail = np.zeros(len(lists.counts), dtype=bool)
    rare = lists.counts[rarest] <= lists.tail
    size = int(rare.sum()) if lists.tail > 1 else max(int(len(known) * lists.tail), 1)
    is_tail[rarest[:size]] = True
    given = lists.items[:, :k]
    shares = is_tail[given].sum(1) / np.maximum((given > 0).sum(1), 1)
    return float(shares.mean())


def _recommended(lists: Lists, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the items that are recommended to anybody, and how often each is."""
    given = lists.items[:, :k]
    items, counts = np.unique(given[given > 0], return_counts=True)
    return items, counts


RankMetric = Callable[[np.ndarray, int], np.ndarray]
WholeMetric = Callable[[np.ndarray, int | np.ndarray], np.ndarray]
ListMetric = Callable[[Lists, int], float]

RANK_METRICS: dict[str, RankMetric] = {
    "recall": recall,
    "mrr": mrr,
    "ndcg": ndcg,
    "hit": hit,
    "precision": precision,
    "map": average_precision,
}
WHOLE_METRICS: dict[str, WholeMetric] = {"gauc": gauc}
"""Of the whole ranking: they take the number of items ranked where others take a cut-off."""
LIST_METRICS: dict[str, ListMetric] = {
    "itemcoverage": item_coverage,
    "averagepopularity": average_popularity,
    "giniindex": gini_index,
    "shannonentropy": shannon_entropy,
    "tailpercentage": tail_percentage,
}


def _table(ranks: np.ndarray) -> np.ndarray:
    return ranks if ranks.ndim == 2 else ranks[:, None]


def _hits(ranks: np.ndarray, k: int) -> np.ndarray:
    table = _table(ranks)
    hits: np.ndarray = (table >= 1) & (table <= k)
    return hits


def _relevant(ranks: np.ndarray) -> np.ndarray:
    relevant: np.ndarray = np.maximum((_table(ranks) >= 1).sum(1), 1)
    return relevant
