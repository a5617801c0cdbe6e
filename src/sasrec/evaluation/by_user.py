"""Sampled ranking by user, as in RecBole: the candidates of all cases of a user form one list.

If a user has several test (or validation) cases, RecBole puts their targets and negatives into one
list for that user (``NegSampleEvalDataLoader``). Each is scored after the history of its own case;
if an item occurs several times, its last score counts. All targets in the list are relevant.
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
        ranks: int64 [U, R], ranks of the distinct targets, in any order; padded with zeros.
        sizes: int64 [U], candidates in each list.
        case_ranks: int64 [M], rank of each case's target in the list of its user.
        top: int64 [U, K], the highest-ranked candidates; padded with zeros if there are fewer.
    """

    ranks: np.ndarray
    sizes: np.ndarray
    case_ranks: np.ndarray
    top: np.ndarray


def lists_by_user(
    users: np.ndarray, items: np.ndarray, scores: np.ndarray, top_k: int
) -> UserLists:
    """Merge the candidates of each user's cases into one list.

    Args:
        users: int64 [M], the user of each case.
        items: int64 [M, C], candidates of each case; column 0 is the target.
        scores: float32 [M, C], their scores after the history of the case.
        top_k: Number of highest-ranked candidates to return.

    Returns:
        The lists, by ascending user number. Ties count against a target.
    """
    owners, rows = np.unique(users, return_inverse=True)
    # Order as in RecBole: all targets, then the first negative of every case, and so on.
    lists = np.tile(rows, items.shape[1])
    tokens = items.T.reshape(-1).astype(np.int64)
    values = scores.T.reshape(-1)
    values = np.where(np.isnan(values), np.inf, values)  # NaN ranks above a target
    keys = lists * (int(tokens.max()) + 1) + tokens  # unique for each item of each list
    order = np.argsort(keys, kind="stable")
    last = order[np.append(keys[order][1:] != keys[order][:-1], True)]
    ranked = last[np.lexsort((tokens[last], -values[last], lists[last]))]
    begins = np.searchsorted(lists[ranked], np.arange(len(owners)))
    ends = np.append(begins[1:], len(ranked))
    last_ties = _last_ties(lists[ranked], values[ranked])
    by_key = np.argsort(keys[ranked])
    targets = by_key[np.searchsorted(keys[ranked][by_key], keys[: len(rows)])]
    positions = np.where(np.isnan(scores[:, 0]), ends[rows] - 1, last_ties[targets])
    case_ranks = positions - begins[rows] + 1
    return UserLists(
        ranks=_table(rows, keys[: len(rows)], case_ranks),
        sizes=ends - begins,
        case_ranks=case_ranks,
        top=_top(tokens[ranked], begins, ends, top_k),
    )


def _last_ties(lists: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return for each entry the index of the last entry of its list with the same value."""
    is_last = np.append((lists[1:] != lists[:-1]) | (values[1:] != values[:-1]), True)
    found: np.ndarray = np.flatnonzero(is_last)[np.cumsum(is_last) - is_last]
    return found


def _table(rows: np.ndarray, keys: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Return the ranks of each user's distinct targets, int64 [U, R]; padded with zeros."""
    _, first = np.unique(keys, return_index=True)
    owners = rows[first]
    order = np.argsort(owners, kind="stable")
    counts = np.bincount(owners)
    within = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.zeros((len(counts), int(counts.max())), dtype=np.int64)
    table[owners[order], within] = ranks[first][order]
    return table


def _top(items: np.ndarray, begins: np.ndarray, ends: np.ndarray, top_k: int) -> np.ndarray:
    """Return the first items of each list, int64 [U, K]; padded with zeros."""
    indices = begins[:, None] + np.arange(top_k)
    inside = indices < ends[:, None]
    found: np.ndarray = np.where(inside, items[np.minimum(indices, len(items) - 1)], 0)
    return found


def measure_by_user(
    model: NextItemModel,
    cases: EvaluationCases,
    samples: np.ndarray,
    settings: EvaluationSettings,
    *,
    counts: np.ndarray,
) -> tuple[dict[str, float], np.ndarray]:
    """Return the mean of each metric over the lists of all users.

    Args:
        model: On the device of the cases.
        cases: M cases, at least one.
        samples: int64 [M, N], negatives of each case.
        settings: Metrics and cut-offs.
        counts: int64 [V], training events of each item.

    Returns:
        Metric key, such as ``ndcg@10``, to value; and the rank of each case's target in the list of
        its user, int64 [M]. ``gauc`` weights users by their number of targets, as in RecBole.
    """
    items = np.concatenate([cases.targets[:, None], samples], axis=1)
    scores = _scores(model, cases, items)
    found = lists_by_user(cases.ends.users, items, scores, max(settings.topk))
    lists = Lists(found.top, counts, len(counts) - 1, settings.tail_ratio)
    return _values(found, lists, settings), found.case_ranks


def _values(found: UserLists, lists: Lists, settings: EvaluationSettings) -> dict[str, float]:
    values: dict[str, float] = {}
    weights = (found.ranks > 0).sum(1)
    for name in settings.metrics:
        if name in WHOLE_METRICS:
            each = WHOLE_METRICS[name](found.ranks, found.sizes)
            defined = ~np.isnan(each)
            if defined.any():
                values[name] = float(np.average(each[defined], weights=weights[defined]))
        for k in settings.topk:
            if (metric := rank_metric(name)) is not None:
                values[f"{name}@{k}"] = float(metric(found.ranks, k).mean())
            elif name in LIST_METRICS:
                values[f"{name}@{k}"] = LIST_METRICS[name](lists, k)
    return values


def _scores(model: NextItemModel, cases: EvaluationCases, items: np.ndarray) -> np.ndarray:
    """Return the score of each candidate after the history of its case, float32 [M, C]."""
    scores = np.empty(items.shape, dtype=np.float32)
    for which, _, some in last_scores(model, cases):
        columns = torch.from_numpy(items[which].astype(np.int64)).to(cases.device)
        scores[which] = some.gather(1, columns).float().cpu().numpy()
    return scores
