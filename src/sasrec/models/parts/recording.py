"""Record attention probabilities, for explanations and plots."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn


@contextmanager
def recorded_attention(model: nn.Module) -> Iterator[list[Tensor]]:
    """Record the probabilities of a model's attention layers within the block.

    Only computations of the calling thread are recorded; other threads may use the model meanwhile.

    Args:
        model: A model in evaluation mode; recorded probabilities do not include dropout.

    Yields:
        A list. Each ``encode`` appends one tensor [B, H, L, L] per layer; rows are queries, columns
        are keys.
    """
    layers = frozenset(id(each) for each in model.modules())
    kept: list[Tensor] = []
    before = _recording.set((layers, kept))
    try:
        yield kept
    finally:
        _recording.reset(before)


_recording: ContextVar[tuple[frozenset[int], list[Tensor]]] = ContextVar("recording")
"""Layers to record, and the list to append to; each thread and task has its own value."""


def record_of(layer: nn.Module) -> list[Tensor] | None:
    """Return the list that an attention layer appends its probabilities to.

    Args:
        layer: The layer.

    Returns:
        The list that ``recorded_attention`` yields; None if the layer is not recorded.
    """
    layers, kept = _recording.get((frozenset(), []))
    return kept if id(layer) in layers else None


def attention_probabilities(
    query: Tensor, key: Tensor, bias: Tensor | None, *, causal: bool
) -> Tensor:
    """Return the attention probabilities of all pairs of positions.

    Args:
        query: [B, H, L, d / H].
        key: The same shape.
        bias: Tensor that broadcasts to [B, H, L, L], added to the scores, or None.
        causal: Whether positions attend only to themselves and earlier positions.

    Returns:
        [B, H, L, L]; rows sum to one.
    """
    scores: Tensor = query @ key.mT * query.shape[-1] ** -0.5
    if bias is not None:
        scores = scores + bias
    if causal:
        scores = scores + scores.new_full(scores.shape[-2:], -torch.inf).triu(1)
    return scores.softmax(-1)
