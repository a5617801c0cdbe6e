"""Attention probabilities, kept for whoever wants to look at them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn


@contextmanager
def recorded_attention(model: nn.Module) -> Iterator[list[Tensor]]:
    """Let the attention layers of a model keep their probabilities for a while.

    Only what the calling thread computes is kept; others may use the model meanwhile.

    Args:
        model: In evaluation mode; dropout would not be seen in what is kept.

    Yields:
        A list that gets one tensor [B, H, L, L] a layer at each ``encode``; rows are positions that
        look, columns positions that are looked at.
    """
    layers = frozenset(id(each) for each in model.modules())
    kept: list[Tensor] = []
    before = _recording.set((layers, kept))
    try:
        yield kept
    finally:
        _recording.reset(before)


_recording: ContextVar[tuple[frozenset[int], list[Tensor]]] = ContextVar("recording")
"""Which layers keep their probabilities, and where; each thread and task has a value of its own."""


def record_of(layer: nn.Module) -> list[Tensor] | None:
    """Return where an attention layer is to keep its probabilities; None if nobody asked for them.

    Args:
        layer: The layer.

    Returns:
        The list that ``recorded_attention`` yields, or None.
    """
    layers, kept = _recording.get((frozenset(), []))
    return kept if id(layer) in layers else None


def attention_probabilities(
    query: Tensor, key: Tensor, bias: Tensor | None, *, causal: bool
) -> Tensor:
    """Return how much each position looks at each other, written out.

    Args:
        query: [B, H, L, d / H].
        key: The same shape.
        bias: What broadcasts to [B, H, L, L], added to the scores, or None.
        causal: Whether positions look at those before them only.

    Returns:
        [B, H, L, L]; rows sum to one.
    """
    scores: Tensor = query @ key.mT * query.shape[-1] ** -0.5
    if bias is not None:
        scores = scores + bias
    if causal:
        scores = scores + scores.new_full(scores.shape[-2:], -torch.inf).triu(1)
    return scores.softmax(-1)
