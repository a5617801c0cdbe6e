"""Metrics: functions of ranks with one value per case, and of recommended lists with one value.

Ranks are int64 [M] with one relevant item per case, or [M, R] with up to R relevant items, padded
with 0. Rank 1 is the best. Definitions are RecBole's (``recbole/evaluator/metrics.py``, 1.2.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


def recall(ranks: np.ndarray, k: int) -> np.ndarray:
    """Return the share of a case's relevant items that are among the first k.

    Args:
        ranks: int64 [M] or [M, R].
        k: Length of the list.

    Returns:
        float64 [M], 0 to 1.
    """
    return np.asarray(_hits(ranks, k).sum(1) / _relevant(ranks))


def hit(ranks: np.ndarray, k: int) -> np.ndarray:
    """Return 1 if any relevant item is among the first k, else 0.

    Args:
        ranks: int64 [M] or [M, R].
        k: Length of the list.

    Returns:
        float64 [M].
    """
    return np.asarray(_hits(ranks, k).any(1), dtype=np.float64)


def precision(ranks: np.ndarray, k: int) -> np.ndarray:
    """Return the share of the first k items that are relevant.

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
    """Return normalised discounted cumulative gain (Järvelin & Kekäläinen 2002).

    A relevant item at rank r has the gain 1 / log2(r + 1). The sum is divided by that of the best
    possible list, whose first min(relevant, k) items are relevant.

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
    """Return average precision ("MAP"): the mean precision at the ranks of the relevant items.

    The sum over relevant items among the first k is divided by min(relevant, k).

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
    """Return each case's area under the ROC curve: the share of irrelevant items ranked below.

    With one relevant item this is (n - rank) / (n - 1); with several, the mean over them, each
    compared with the irrelevant items (Zhou et al. 2018, arXiv:1706.06978, grouped by case).

    Args:
        ranks: int64 [M] or [M, R].
        n_ranked: Number of ranked items, n; an integer, or int64 [M], one for each case.

    Returns:
        float64 [M], 0 to 1; NaN if all items are relevant.
    """
    relevant = _relevant(ranks)
    total = _table(ranks).sum(1)
    below = relevant * (n_ranked + 1) - relevant * (relevant + 1) / 2 - total
    with np.errstate(invalid="ignore", divide="ignore"):
        values: np.ndarray = below / (relevant * (n_ranked - relevant))
    return values


@dataclass(frozen=True, slots=True)
class Lists:
    """Recommended lists, and facts about the catalogue.

    Attributes:
        items: int64 [M, K], item numbers, best first; padded with zeros at the end.
        counts: int64 [V], training events of each item; entry 0 is padding.
        n_items: Size of the catalogue, for coverage and the Gini index.
        tail: Up to 1, share of the items that form the tail; above 1, the maximum number of
            training events of an item in the tail.
    """

    items: np.ndarray
    counts: np.ndarray
    n_items: int
    tail: float = 0.1


def item_coverage(lists: Lists, k: int) -> float:
    """Return the share of the catalogue that is in at least one list.

    Args:
        lists: The recommended lists.
        k: Length of the lists.

    Returns:
        0 to 1.
    """
    return float(len(_recommended(lists, k)[0]) / lists.n_items)


def average_popularity(lists: Lists, k: int) -> float:
    """Return the mean number of training events of the recommended items.

    Args:
        lists: The recommended lists.
        k: Length of the lists.

    Returns:
        At least 0.
    """
    return float(lists.counts[lists.items[:, :k]].sum(1).mean() / k)


def gini_index(lists: Lists, k: int) -> float:
    """Return the Gini index of the recommendations: 0 if all items are recommended equally often.

    It approaches 1 if all recommendations are of one item. The formula is the sum over the n items,
    in ascending order of count, of (2 i - n - 1) count_i / (n total), where count_i is the number
    of lists with the i-th item and total the sum of all counts.

    Args:
        lists: The recommended lists.
        k: Length of the lists.

    Returns:
        0 to 1; 0 if all lists are empty.
    """
    counts = np.sort(_recommended(lists, k)[1])
    if not len(counts):
        return 0.0
    rank = np.arange(lists.n_items - len(counts) + 1, lists.n_items + 1)
    total = counts.sum() * lists.n_items
    return float(((2 * rank - lists.n_items - 1) * counts).sum() / total)


def shannon_entropy(lists: Lists, k: int) -> float:
    """Return the entropy of the recommended items in nats, divided by the number of these items.

    The division is RecBole's; the usual Shannon entropy is not divided.

    Args:
        lists: The recommended lists.
        k: Length of the lists.

    Returns:
        At least 0; 0 if all lists are empty.
    """
    counts = _recommended(lists, k)[1]
    if not len(counts):
        return 0.0
    share = counts / counts.sum()
    return abs(float((share * np.log(share)).sum() / len(counts)))  # abs, so that it is never -0.0


def tail_percentage(lists: Lists, k: int) -> float:
    """Return the share of recommended items that are in the tail, the least popular items.

    With ``lists.tail`` up to 1, the tail is that share of the items with training events, at least
    one item, ties by number. Above 1, it is all such items with at most ``lists.tail`` events.

    Args:
        lists: The recommended lists.
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
    listed = lists.items[:, :k]
    shares = is_tail[listed].sum(1) / np.maximum((listed > 0).sum(1), 1)
    return float(shares.mean())


def _recommended(lists: Lists, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the items in at least one list, and the number of lists with each."""
    listed = lists.items[:, :k]
    items, counts = np.unique(listed[listed > 0], return_counts=True)
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
"""Metrics of whole rankings: their second argument is the number of ranked items, not a cut-off."""
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
