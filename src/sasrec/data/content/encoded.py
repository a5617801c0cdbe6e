"""Content of items as tensors: attributes with weights, and numbers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class EncodedContent:
    """What is known about each item, as numbers.

    Item number v has the attributes ``attributes[offsets[v]:offsets[v + 1]]``. Padding has none.

    Attributes:
        attributes: int64 [n], attribute numbers from 0.
        offsets: int64 [V + 1].
        weights: float32 [n], how much each attribute counts.
        numbers: float32 [V, m], standardised numbers and vectors; 0 where they are missing.
        has_events: bool [V], items with a training event.
        n_attributes: Number of different attributes.
    """

    attributes: Tensor
    offsets: Tensor
    weights: Tensor
    numbers: Tensor
    has_events: Tensor
    n_attributes: int
