"""Remarks on a trained model: items and users without training events."""

from __future__ import annotations

import numpy as np

from sasrec.experiment.prepared import Prepared
from sasrec.remarks import Remark


def untrained_items(prepared: Prepared) -> list[Remark]:
    """Return a remark if some items occur in no training event.

    Args:
        prepared: The data set and its training events.

    Returns:
        A list of one remark, or an empty list.
    """
    corpus = prepared.corpus
    found = np.flatnonzero(prepared.counts[1:] == 0) + 1
    if not len(found):
        return []
    text = (
        f"{len(found):,} of {len(corpus.items):,} items occur in no training event, such as "
        f"{corpus.items.tokens(found[:1])[0]!r}, so the model knows nothing about them; they are "
        "not recommended unless named as candidates, and their score is NaN (the setting "
        "item_interactions removes rare items)"
    )
    return [Remark("untrained_items", len(found), text)]


def untrained_users(prepared: Prepared) -> list[Remark]:
    """Return a remark if a model with user vectors has no training target for some users.

    Args:
        prepared: The data set and its training events.

    Returns:
        A list of one remark, or an empty list.
    """
    corpus = prepared.corpus
    found = np.flatnonzero(~prepared.split.train_users()) + 1
    if not len(found):
        return []
    text = (
        f"{len(found):,} of {len(corpus.users):,} users have no training target, such as "
        f"{corpus.users.tokens(found[:1])[0]!r}, so the model knows nothing about them; they "
        "get no personal vector"
    )
    return [Remark("untrained_users", len(found), text)]
