"""Remarks on a trained model: items and users without training events."""

from __future__ import annotations

import numpy as np

from sasrec.experiment.prepared import Prepared
from sasrec.remarks import Remark


def learned_items(prepared: Prepared) -> np.ndarray | None:
    """Return the items that a model of these data knows, bool [V].

    Args:
        prepared: The data set, its training events and the content of its items.

    Returns:
        Items with a training event or with content; None without content, where the training
        events alone decide.
    """
    if prepared.content is None:
        return None
    found: np.ndarray = (prepared.counts > 0) | prepared.content.known
    return found


def cold_items(prepared: Prepared) -> list[Remark]:
    """Return a remark if some items occur in no training event, but have content.

    Args:
        prepared: The data set, its training events and the content of its items.

    Returns:
        A list of one remark, or an empty list.
    """
    corpus, content = prepared.corpus, prepared.content
    if content is None:
        return []
    found = np.flatnonzero((prepared.counts == 0) & content.known)
    if not len(found):
        return []
    text = (
        f"{len(found):,} of {len(corpus.items):,} items occur in no training event, such as "
        f"{corpus.items.tokens(found[:1])[0]!r}; they are recommended by their content"
    )
    return [Remark("cold_items", len(found), text)]


def untrained_items(prepared: Prepared) -> list[Remark]:
    """Return a remark if some items occur in no training event.

    Args:
        prepared: The data set and its training events.

    Returns:
        A list of one remark, or an empty list.
    """
    corpus = prepared.corpus
    learned = learned_items(prepared)
    is_known = prepared.counts > 0 if learned is None else learned
    found = np.flatnonzero(~is_known[1:]) + 1
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
