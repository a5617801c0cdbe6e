"""Attention weights of a trained model for one history."""

from __future__ import annotations

import numpy as np
import torch

from sasrec.errors import DataError
from sasrec.models.parts.recording import recorded_attention
from sasrec.recommender.answers import Answerer
from sasrec.recommender.histories import Chunk


def attention_maps(answerer: Answerer, chunk: Chunk) -> tuple[list[str], np.ndarray] | None:
    """Return the attention weights between the events of a history.

    Args:
        answerer: The model with its vocabularies.
        chunk: One history.

    Returns:
        The L tokens of the history that the model uses, and float32 [layers, heads, L, L]; None if
        the model has no attention.

    Raises:
        DataError: The history contains no item that the model knows.
    """
    usable, queries = answerer.queries(chunk, answerer.item_numbers(chunk))
    if not len(usable):
        raise DataError(_nothing_known(answerer, chunk))
    scorer = answerer.scorer
    known = answerer.items.tokens(queries.items[0][-scorer.max_history :])
    batch = scorer.batch(queries)
    with torch.inference_mode(), recorded_attention(scorer.model) as maps:
        scorer.model.encode(batch, batch.last)
    return (known, torch.cat(maps).float().cpu().numpy()) if maps else None


def _nothing_known(answerer: Answerer, chunk: Chunk) -> str:
    """Return the error text for a history without any known item."""
    [tokens] = chunk.tokens
    if not tokens:
        return "the history is empty, so there is no attention to show; give at least one item"
    given = ", ".join(map(repr, tokens[:3])) + (", …" if len(tokens) > 3 else "")
    known = answerer.items.tokens([int(np.argmax(answerer.trained))])[0]
    return f"the model knows none of the items {given}; an item it knows is {known!r}"
