"""Sampled ranking as RecBole does it: the candidates of all cases of a user make one list.

Where a split gives a user several cases of a part, RecBole puts their targets and negatives into
one list a user (``NegSampleEvalDataLoader``), each with its score after its own history; of an item
that comes up several times the last score counts. All targets of the list are relevant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from sasrec.data.batches.cases import EvaluationCases
from sasrec.evaluation.metrics import LIST_METRICS, WHOLE_METRICS, Lists
from sasrec.evaluation.registration import rank_metric
from sasrec.evaluation.scoring import last_scores
from sasrec.models.contract import NextItemModel
from sasrec.settings.evaluation import EvaluationSettings


@dataclass(frozen=True, slots=True)
class UserLists:
    """One list of candidates for each of U users.

    Attributes:
        ranks: int64 [U, R], ranks of the distinct targets, in any order; zeros behind them.
        sizes: int64 [U], candidates in each list.
        own: int64 [M], rank of each case's target in the list of its user.
        top: int64 [U, K], the candidates ranked first; zeros behind them where fewer were drawn.
    """

    ranks: np.ndarray
    sizes: np.ndarray
    own: np.ndarray
    top: np.ndarray


def merged(users: np.ndarray, items: np.ndarray, scores: np.ndarray, top_k: int) -> UserLists:
    """Put the candidates of each user's cases into one list.

    Args:
        users: int64 [M], the user of each case.
        items: int64 [M, C], candidates of each case, the target first.
        scores: float32 [M, C], their scores after the history of the case.
        top_k: Length of the lists to return.

    Returns:
        The lists, users in rising order. Ties count against a target.
    """
    owners, rows = np.unique(users, return_inverse=True)
    # As there: all targets come first, then the first negative of every case, and so on.
    lists = np.tile(rows, items.shape[1])
    tokens = items.T.reshape(-1).astype(np.int64)
    values = scores.T.reshape(-1)
    values = np.where(np.isnan(values), np.inf, values)  # counts as better than a target
    keys = lists * (int(tokens.max()) + 1) + tokens  # one for each item of each list
    order = np.argsort(keys, kind="stable")
    kept = order[np.append(keys[order][1:] != keys[order][:-1], True)]
    kept = kept[np.lexsort((tokens[kept], -values[kept], lists[kept]))]
    begins = np.searchsorted(lists[kept], np.arange(len(owners)))
    ends = np.append(begins[1:], len(kept))
    places = _last_alike(lists[kept], values[kept])
    by_key = np.argsort(keys[kept])
    mine = by_key[np.searchsorted(keys[kept][by_key], keys[: len(rows)])]
    own = np.where(np.isnan(scores[:, 0]), ends[rows] - 1, places[mine]) - begins[rows] + 1
    return UserLists(
        ranks=_table(rows, keys[: len(rows)], own),
        sizes=ends - begins,
        own=own,
        top=_top(tokens[kept], begins, ends, top_k),
    )


def _last_alike(lists: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the place of the last of those that follow in one list with the same value."""
    is_last = np.append((lists[1:] != lists[:-1]) | (values[1:] != values[:-1]), True)
    found: np.ndarray = np.flatnonzero(is_last)[np.cumsum(is_last) - is_last]
    return found


def _table(rows: np.ndarray, keys: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return the ranks of each user's distinct targets side by side, int64 [U, R]."""
    _, first = np.unique(keys, return_index=True)
    owners = rows[first]
    order = np.argsort(owners, kind="stable")
    counts = np.bincount(owners)
    within = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.zeros((len(counts), int(counts.max())), dtype=np.int64)
    table[owners[order], within] = own[first][order]
    return table


def _top(items: np.ndarray, begins: np.ndarray, ends: np.ndarray, top_k: int) -> np.ndarray:
    """Return the first items of each list, int64 [U, K]; zeros where there are fewer."""
    places = begins[:, None] + np.arange(top_k)
    inside = places < ends[:, None]
    found: np.ndarray = np.where(inside, items[np.minimum(places, len(items) - 1)], 0)
    return found


def measure_by_user(
    model: NextItemModel,
    cases: EvaluationCases,
    samples: np.ndarray,
    settings: EvaluationSettings,
    *,
    counts: np.ndarray,
) -> tuple[dict[str, float], np.ndarray]:
    """Return the mean of every metric over the users' lists.

    Args:
        model: On the device of the cases.
        cases: M cases, at least one.
        samples: int64 [M, N], negatives of each case.
        settings: Metrics and cut-offs.
        counts: int64 [V], training events of each item.

    Returns:
        Key, such as ``ndcg@10``, to value; and the rank of each case's target in the list of its
        user, int64 [M]. ``gauc`` weighs users by their targets, as RecBole does.
    """
    items = np.concatenate([cases.targets[:, None], samples], axis=1)
    scores = _scores(model, cases, items)
    found = merged(cases.ends.users, items, scores, max(settings.topk))
    lists = Lists(found.top, counts, len(counts) - 1, settings.tail_ratio)
    return _values(found, lists, settings), found.own


def _values(found: UserLists, lists: Lists, settings: EvaluationSettings) -> dict[str, float]:
    values: dict[str, float] = {}
    weights = (found.ranks > 0).sum(1)
    for name in settings.metrics:
        if name in WHOLE_METRICS:
            each = WHOLE_METRICS[name](found.ranks, found.sizes)
            told = ~np.isnan(each)
            if told.any():
                values[name] = float(np.average(each[told], weights=weights[told]))
        for k in settings.topk:
            if (metric := rank_metric(name)) is not None:
                values[f"{name}@{k}"] = float(metric(found.ranks, k).mean())
            elif name in LIST_METRICS:
                values[f"{name}@{k}"] = LIST_METRICS[name](lists, k)
    return values


def _scores(model: NextItemModel, cases: EvaluationCases, items: np.ndarray) -> np.ndarray:
    """Return the score of each candidate after the history of its case, float32 [M, C]."""
    scores = np.empty(items.shape, dtype=np.float32)
    batches = cases.batches(with_times=model.needs_times)
    for which, _, some in last_scores(model, batches):
        drawn = torch.from_numpy(items[which].astype(np.int64)).to(cases.device)
        scores[which] = some.gather(1, drawn).float().cpu().numpy()
    return scores
