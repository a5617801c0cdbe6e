"""Sampled ranking: targets ranked against sampled items, by our rule or that of the 2018 code.

Such metrics are not comparable with those of full ranking, and may even order models differently
(Krichene & Rendle 2020).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from sasrec.data.batches.cases import EvaluationCases
from sasrec.data.batches.negatives import popularity, uniform, uniform_outside
from sasrec.data.splits import Cases, Split
from sasrec.errors import DataError
from sasrec.evaluation.scoring import target_scores
from sasrec.models.contract import NextItemModel

PAPER = "paper"
"""Prefix of candidates that are drawn as in the code of 2018, such as ``paper100``."""
CANDIDATE_SEED = 2018
"""Fixed seed, so that the candidates are the same for every model and every run."""


def ranks_among_candidates(
    model: NextItemModel, split: Split, cases: EvaluationCases, candidates: str, n_items: int
) -> np.ndarray:
    """Return the rank of each case's target among sampled items.

    Args:
        model: On the device of the cases.
        split: The split; its events determine which items can be drawn.
        cases: M cases of the split.
        candidates: Sampling method and number, such as ``uni100``, ``pop100`` or ``paper100``.
        n_items: Items in the catalogue, padding not counted.

    Returns:
        int64 [M].
    """
    if candidates.startswith(PAPER):
        samples = candidates_as_in_2018(split, cases.ends, candidates, n_items)
        return rank_as_in_2018(model, cases, samples)
    samples = sampled_candidates(split, cases.ends, candidates, n_items)
    return rank_among_samples(model, cases, samples)


def sampled_candidates(split: Split, cases: Cases, candidates: str, n_items: int) -> np.ndarray:
    """Return sampled items for each case; the same at every call.

    Args:
        split: The split; item popularity is counted over all of its events.
        cases: M cases.
        candidates: ``uni100`` for 100 uniform samples, ``pop100`` for 100 by popularity.
        n_items: Items in the catalogue, padding not counted.

    Returns:
        int64 [M, N], none of them the target.

    Raises:
        DataError: The events contain only one item.
    """
    items = split.sequences.items
    counts = np.bincount(items, minlength=n_items + 1)
    if (counts > 0).sum() < 2:
        raise DataError(
            "the events contain only one item, so there are no candidates to sample; use data with "
            "more items, or rank among all items (--candidates=full)"
        )
    targets = torch.from_numpy(items[cases.stops].astype(np.int64))
    generator = torch.Generator().manual_seed(CANDIDATE_SEED)
    count = int(candidates[3:])
    if candidates.startswith("uni"):
        drawn = uniform(targets, n_items=n_items, count=count, generator=generator)
    else:
        weights = torch.from_numpy(counts).double()
        drawn = popularity(targets, weights=weights, count=count, generator=generator)
    return drawn.numpy()


def candidates_as_in_2018(split: Split, cases: Cases, candidates: str, n_items: int) -> np.ndarray:
    """Return items sampled as in ``util.py`` of kang205/SASRec; the same at every call.

    They are drawn uniformly, with replacement, from the items that are not in the user's training
    events. So they may include the target itself, and for test cases the validation target.

    Args:
        split: The split; the user's training items are never drawn.
        cases: M cases.
        candidates: Method and number, such as ``paper100``.
        n_items: Items in the catalogue, padding not counted.

    Returns:
        int64 [M, N].

    Raises:
        DataError: A user has all items in training.
    """
    begins = split.sequences.offsets[cases.users - 1]
    lengths = split.train_stops[cases.users - 1] - begins
    owners = np.repeat(np.arange(len(cases)), lengths)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    items = split.sequences.items[begins[owners] + within].astype(np.int64)
    n_seen = np.bincount(np.unique(owners * (n_items + 1) + items) // (n_items + 1))
    if n_seen.max(initial=0) >= n_items:
        raise DataError(
            f"a user has all {n_items:,} items in training, so no candidates are left to sample "
            f"for {candidates}; rank among all items (--candidates=full)"
        )
    drawn = uniform_outside(
        torch.from_numpy(owners),
        torch.from_numpy(items),
        cases=len(cases),
        n_items=n_items,
        count=int(candidates.removeprefix(PAPER)),
        seed=CANDIDATE_SEED,
    )
    return drawn.numpy()


def rank_among_samples(
    model: NextItemModel, cases: EvaluationCases, samples: np.ndarray
) -> np.ndarray:
    """Rank each case's target among sampled items; an item drawn twice counts once.

    Args:
        model: On the device of the cases; its training mode is restored afterwards.
        cases: M cases.
        samples: int64 [M, N], sampled items, none of them the target.

    Returns:
        int64 [M], from 1 (best) to N + 1.
    """
    ranks = np.zeros(len(cases), dtype=np.int64)
    for which, targets, scores in target_scores(model, cases):
        own = scores.gather(1, targets[:, None])
        drawn = torch.from_numpy(samples[which]).to(cases.device).sort(1).values
        is_new = F.pad(drawn[:, 1:] != drawn[:, :-1], (1, 0), value=True)
        better = ~(scores.gather(1, drawn) < own) & is_new
        ranks[which] = (1 + better.sum(1)).cpu().numpy()
    return ranks


def rank_as_in_2018(
    model: NextItemModel, cases: EvaluationCases, samples: np.ndarray
) -> np.ndarray:
    """Rank each case's target by the rule of ``util.py`` of kang205/SASRec.

    The rank is one more than the number of samples with a higher score. An item drawn twice counts
    twice, and ties count for the target, which may be among its own samples. A NaN score counts
    against the target, as everywhere in this package.

    Args:
        model: On the device of the cases; its training mode is restored afterwards.
        cases: M cases.
        samples: int64 [M, N], sampled items.

    Returns:
        int64 [M], from 1 (best) to N + 1.
    """
    ranks = np.zeros(len(cases), dtype=np.int64)
    for which, targets, scores in target_scores(model, cases):
        own = scores.gather(1, targets[:, None])
        drawn = torch.from_numpy(samples[which]).to(cases.device)
        ranks[which] = (1 + (~(scores.gather(1, drawn) <= own)).sum(1)).cpu().numpy()
    return ranks
