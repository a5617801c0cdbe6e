"""Remarks on a trained model: what it has learned nothing of."""

from __future__ import annotations

import numpy as np

from sasrec.data.checks.remarks import Remark
from sasrec.experiment.prepared import Prepared


def untrained_items(prepared: Prepared) -> list[Remark]:
    """Return a remark if the model has learned nothing of some items.

    Args:
        prepared: The data set, and what of it trains.

    Returns:
        One, or none.
    """
    corpus = prepared.corpus
    found = np.flatnonzero(prepared.counts[1:] == 0) + 1
    if not len(found):
        return []
    text = (
        f"{len(found):,} of {len(corpus.items):,} items occur in no training event, such as "
        f"{corpus.items.tokens(found[:1])[0]!r}, so nothing was learned of them; they are not "
        "recommended unless named as candidates, and their score is NaN (item_interactions "
        "leaves rare items out)"
    )
    return [Remark("untrained_items", len(found), text)]


def untrained_users(prepared: Prepared) -> list[Remark]:
    """Return a remark if a model that learns of people has learned nothing of some.

    Args:
        prepared: The data set, and what of it trains.

    Returns:
        One, or none.
    """
    corpus = prepared.corpus
    found = np.flatnonzero(~prepared.split.train_users()) + 1
    if not len(found):
        return []
    text = (
        f"{len(found):,} of {len(corpus.users):,} people have no training target, such as "
        f"{corpus.users.tokens(found[:1])[0]!r}, so nothing was learned of them; for "
        "recommendations they are nobody in particular"
    )
    return [Remark("untrained_users", len(found), text)]
