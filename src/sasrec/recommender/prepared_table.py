"""The item table of a model, prepared once for many products."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sasrec.models.contract import NextItemModel


@dataclass(frozen=True, slots=True)
class Table:
    """Item vectors, with which states are multiplied.

    Attributes:
        vectors: float [V, d].
        max_norm: Norm of the longest item vector, without padding.
    """

    vectors: Tensor
    max_norm: float


@dataclass(slots=True)
class PreparedTable:
    """Caches the item table of a model until the model's weights change.

    Some models normalise the whole table, which takes as long as a product with one state.
    """

    _cached: tuple[Any, Table | None] | None = field(default=None, repr=False)

    def of(self, model: NextItemModel) -> Table | None:
        """Return the table.

        Args:
            model: The same model at every call.

        Returns:
            The table, or None if the model does not score by dot product.
        """
        state = _versions(model)
        cached = self._cached
        if cached is None or cached[0] != state:
            cached = self._cached = (state, _table(model))  # one assignment: other threads read it
        return cached[1]


def _versions(model: NextItemModel) -> list[tuple[int, int]]:
    """Return numbers that change when a weight is replaced or changed in place."""
    weights = [*model.parameters(), *model.buffers()]
    return [(w.data_ptr(), 0 if w.is_inference() else w._version) for w in weights]


@torch.inference_mode()
def _table(model: NextItemModel) -> Table | None:
    vectors = model.item_table
    if vectors is None:
        return None
    norms = vectors[1:].norm(dim=1)
    return Table(vectors, float(norms.max()) if len(norms) else 0.0)
