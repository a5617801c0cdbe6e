"""RecBole's case study functions: scores and top-k items of some users of a data set."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.cases import EvaluationCases
from sasrec.data.splits import Cases
from sasrec.errors import DataError
from sasrec.evaluation.scoring import last_scores
from sasrec.evaluation.top_items import highest
from sasrec.models.contract import NextItemModel
from sasrec.recbole.data import Dataset
from sasrec.system.device import pick_device


def full_sort_scores(
    uid_series: Any,
    model: NextItemModel,
    test_data: Dataset,
    device: torch.device | str | None = None,
) -> Tensor:
    """Return the scores of all items for the cases of some users, as RecBole's ``case_study``.

    Args:
        uid_series: User numbers from ``token2id``.
        model: A trained model.
        test_data: A part of the data from ``load_data_and_model``.
        device: Device to compute on; None is the CPU.

    Returns:
        float32 [cases of these users, V], in the order of the users; the score of padding is -inf.
        Items of the history keep their scores, as for all sequential models in RecBole.

    Raises:
        DataError: A user has no case in this part of the data.
    """
    users = np.asarray(uid_series, dtype=np.int64).reshape(-1)
    found = [np.flatnonzero(test_data.cases.users == user) for user in users]
    missing = [int(user) for user, indices in zip(users, found, strict=True) if not len(indices)]
    if missing:
        raise DataError(f"user number {missing[0]} has no case in this part of the data")
    indices = np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
    ends = Cases(test_data.cases.users[indices], test_data.cases.stops[indices])
    used_device = device if isinstance(device, torch.device) else pick_device(device or "cpu")
    sequences = test_data.corpus.sequences
    cases = EvaluationCases(sequences, ends, test_data.max_history, used_device)
    scores = torch.full((len(cases), test_data.item_num), -torch.inf)
    for rows, _, batch in last_scores(model.to(used_device), cases):
        scores[torch.from_numpy(rows)] = batch.float().cpu()
    scores[:, 0] = -torch.inf
    return scores.to(used_device)


def full_sort_topk(
    uid_series: Any,
    model: NextItemModel,
    test_data: Dataset,
    k: int,
    device: torch.device | str | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the k best items for the cases of some users, as RecBole's ``case_study``.

    Args:
        uid_series: User numbers from ``token2id``.
        model: A trained model.
        test_data: A part of the data from ``load_data_and_model``.
        k: Number of items per case.
        device: Device to compute on; None is the CPU.

    Returns:
        Scores, float32 [cases, k], and item numbers, int64 [cases, k], without padding. Items with
        equal scores are in the order of their numbers.
    """
    scores = full_sort_scores(uid_series, model, test_data, device)
    return highest(scores, min(k, scores.shape[1] - 1))
