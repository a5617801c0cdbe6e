"""RecBole's case studies: scores and lists of some users of a part of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.cases import EvaluationCases
from sasrec.data.splits import Cases
from sasrec.errors import DataError
from sasrec.evaluation.leaders import highest
from sasrec.evaluation.scoring import last_scores
from sasrec.models.contract import NextItemModel
from sasrec.recbole.data import Dataset
from sasrec.system.device import pick_device


def full_sort_scores(
    uid_series: Any,
    model: NextItemModel,
    test_data: Dataset,
    device: torch.device | str | None = None,
) -> Tensor:
    """Return the scores of all items for some users' cases, as RecBole's ``case_study``.

    Args:
        uid_series: User numbers, as ``token2id`` gives them.
        model: A trained model.
        test_data: From ``load_data_and_model``.
        device: Where to compute; None is the CPU.

    Returns:
        float32 [cases of these users, V], in the order of the users; padding scores -inf. Items of
        the history keep their score, as for every sequential model there.

    Raises:
        DataError: A user has no case in this part of the data.
    """
    wanted = np.asarray(uid_series, dtype=np.int64).reshape(-1)
    found = [np.flatnonzero(test_data.cases.users == user) for user in wanted]
    missing = [int(user) for user, places in zip(wanted, found, strict=True) if not len(places)]
    if missing:
        raise DataError(f"user number {missing[0]} has no case in this part of the data")
    places = np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
    ends = Cases(test_data.cases.users[places], test_data.cases.stops[places])
    target = device if isinstance(device, torch.device) else pick_device(device or "cpu")
    sequences = test_data.corpus.sequences
    cases = EvaluationCases(sequences, ends, test_data.max_history, target)
    scores = torch.full((len(cases), test_data.item_num), -torch.inf)
    batches = cases.batches(with_times=model.needs_times)
    for which, _, some in last_scores(model.to(target), batches):
        scores[torch.from_numpy(which)] = some.float().cpu()
    scores[:, 0] = -torch.inf
    return scores.to(target)


def full_sort_topk(
    uid_series: Any,
    model: NextItemModel,
    test_data: Dataset,
    k: int,
    device: torch.device | str | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the k best items for some users' cases, as RecBole's ``case_study``.

    Args:
        uid_series: User numbers, as ``token2id`` gives them.
        model: A trained model.
        test_data: From ``load_data_and_model``.
        k: Length of the lists.
        device: Where to compute; None is the CPU.

    Returns:
        Scores, float32 [cases, k], and item numbers, int64 [cases, k], equal scores in the order of
        the numbers; padding is never among them.
    """
    scores = full_sort_scores(uid_series, model, test_data, device)
    return highest(scores, min(k, scores.shape[1] - 1))
