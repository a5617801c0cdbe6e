"""Attention of a trained model: how much each event of a history looks at each other one."""

from __future__ import annotations

import numpy as np
import torch

from sasrec.errors import DataError
from sasrec.models.parts.recording import recorded_attention
from sasrec.recommender.answers import Answerer
from sasrec.recommender.histories import Chunk


def attention_maps(answerer: Answerer, chunk: Chunk) -> tuple[list[str], np.ndarray] | None:
    """Return how much each event of a history looks at each other one.

    Args:
        answerer: Of the model.
        chunk: One history.

    Returns:
        The L tokens looked at, and float32 [layers, heads, L, L]; None if the model has no
        attention.

    Raises:
        DataError: The model knows nothing of the history.
    """
    places, asked = answerer.questions(chunk, answerer.numbers(chunk))
    if not len(places):
        raise DataError(_nothing_known(answerer, chunk))
    scorer = answerer.scorer
    known = answerer.items.tokens(asked.numbers[0][-scorer.max_history :])
    batch = scorer.batch(asked)
    with torch.inference_mode(), recorded_attention(scorer.model) as maps:
        scorer.model.encode(batch, batch.last)
    return (known, torch.cat(maps).float().cpu().numpy()) if maps else None


def _nothing_known(answerer: Answerer, chunk: Chunk) -> str:
    """Return why nothing can be said of a history of which no item is known."""
    [tokens] = chunk.tokens
    if not tokens:
        return "the history is empty, so there is nothing to look at"
    asked_for = ", ".join(map(repr, tokens[:3])) + (", …" if len(tokens) > 3 else "")
    one = answerer.items.tokens([int(np.argmax(answerer.trained))])[0]
    return f"the model knows none of the items {asked_for}; it knows such as {one!r}"
