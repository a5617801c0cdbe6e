"""Candidates: ranking targets against sampled items, in our way and in that of the 2018 code.

Such figures are not comparable with those of full ranking, and can even rank models in another
order (Krichene & Rendle 2020).
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
"""What candidates drawn as in the code of 2018 begin with, such as ``paper100``."""
CANDIDATE_SEED = 2018
"""Sampled candidates are the same for every model and every run."""


def ranks_among_candidates(
    model: NextItemModel, split: Split, cases: EvaluationCases, candidates: str, n_items: int
) -> np.ndarray:
    """Return the rank of each case's target among sampled items.

    Args:
        model: On the device of the cases.
        split: Whose events decide which items are drawn.
        cases: M cases of the split.
        candidates: Such as ``uni100``, ``pop100`` or ``paper100``.
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
    """Return items to rank each case's target against, the same at every call.

    Args:
        split: Whose events say how popular items are.
        cases: M cases.
        candidates: Such as ``uni100`` (drawn evenly) or ``pop100`` (by popularity).
        n_items: Items in the catalogue, padding not counted.

    Returns:
        int64 [M, N], none of them the target.

    Raises:
        DataError: There is no second item to draw.
    """
    items = split.sequences.items
    counts = np.bincount(items, minlength=n_items + 1)
    if (counts > 0).sum() < 2:
        raise DataError("candidates cannot be drawn from a catalogue of one item")
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
    """Return items drawn as ``util.py`` of kang205/SASRec does, the same at every call.

    They are drawn evenly, with repetition, from the items that are not among the user's training
    events; so the target itself may be among them, and of the test the validation item.

    Args:
        split: Whose training events are left out.
        cases: M cases.
        candidates: Such as ``paper100``.
        n_items: Items in the catalogue, padding not counted.

    Returns:
        int64 [M, N].

    Raises:
        DataError: A user has met the whole catalogue in training.
    """
    begins = split.sequences.offsets[cases.users - 1]
    lengths = split.train_stops[cases.users - 1] - begins
    owners = np.repeat(np.arange(len(cases)), lengths)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    items = split.sequences.items[begins[owners] + within].astype(np.int64)
    met = np.bincount(np.unique(owners * (n_items + 1) + items) // (n_items + 1))
    if met.max(initial=0) >= n_items:
        raise DataError(
            f"a user has met all {n_items:,} items in training, so that no candidates are left to "
            f"draw for {candidates}; rank among all items (--candidates=full)"
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
    """Rank each case's target among sampled items only; an item drawn twice counts once.

    Args:
        model: On the device of the cases; put into evaluation mode and back.
        cases: M cases.
        samples: int64 [M, N], items to rank against, none of them the target.

    Returns:
        int64 [M], 1 is the top, N + 1 the lowest possible.
    """
    ranks = np.zeros(len(cases), dtype=np.int64)
    batches = cases.batches(with_times=model.needs_times)
    for which, targets, scores in target_scores(model, batches):
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

    The rank is one more than the number of samples that score higher. An item drawn twice counts
    twice, and equal scores do not count; the target may be among its own samples. A score that is
    NaN still counts against the target, as everywhere else in this package.

    Args:
        model: On the device of the cases; put into evaluation mode and back.
        cases: M cases.
        samples: int64 [M, N], items to rank against.

    Returns:
        int64 [M], 1 is the top, N + 1 the lowest possible.
    """
    ranks = np.zeros(len(cases), dtype=np.int64)
    batches = cases.batches(with_times=model.needs_times)
    for which, targets, scores in target_scores(model, batches):
        own = scores.gather(1, targets[:, None])
        drawn = torch.from_numpy(samples[which]).to(cases.device)
        ranks[which] = (1 + (~(scores.gather(1, drawn) <= own)).sum(1)).cpu().numpy()
    return ranks
