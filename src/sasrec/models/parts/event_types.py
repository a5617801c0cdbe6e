"""Event types as input: vectors of the type of each event and of the event to be predicted."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.kernels.lookup import VectorTable

TypeUse = Literal["both", "history", "next", "none"]
"""Which types a model uses: of the events in the history, of the event to be predicted, or both."""


class EventTypes(nn.Module):
    """Vectors to add to the item vectors of a batch.

    All vectors are initially zero, so that a model begins like one without types. Row 0 stays zero:
    it stands for an unknown type, and for the question for an event of any type.

    In training, some types are hidden, so that the model also works without them: in some windows
    the types of all events and all next types but the last, as in a plain history; and elsewhere
    the next type of some positions.
    """

    def __init__(self, n_types: int, width: int, *, use: TypeUse, hidden: float) -> None:
        """Create the vectors.

        Args:
            n_types: Number of types.
            width: d.
            use: Which types are used; not none.
            hidden: Probability that types are hidden in training.
        """
        super().__init__()
        self._hidden = hidden
        of_events, of_next = use in {"both", "history"}, use in {"both", "next"}
        self.events = VectorTable(n_types + 1, width, padding_idx=0) if of_events else None
        self.next = VectorTable(n_types + 1, width, padding_idx=0) if of_next else None
        for table in (self.events, self.next):
            if table is not None:
                nn.init.zeros_(table.weight)

    def forward(self, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
        """Return what to add to the item vectors of a batch.

        Args:
            batch: Any batch.

        Returns:
            The vector of the type of each event, and of the type to be predicted at each position,
            float [P, d] each; None where there is none.
        """
        types, next_types = batch.types, batch.next_types
        if self.training and self._hidden:
            types, next_types = self._partly_hidden(batch)
        return _looked_up(self.events, types), _looked_up(self.next, next_types)

    def _partly_hidden(self, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
        """Return the types of a training batch, some of them 0; int64 [P] each."""
        device, n_positions = batch.items.device, len(batch.items)
        lengths = batch.offsets.diff()
        shown_windows = torch.rand(len(lengths), device=device) >= self._hidden
        shown = torch.repeat_interleave(shown_windows, lengths, output_size=n_positions)
        types = None if batch.types is None else batch.types * shown
        if batch.next_types is None:
            return types, None
        last = (batch.offsets[:-1] + batch.lengths - 1).clamp(min=0)
        shown = shown.index_fill(0, last, True)
        shown &= torch.rand(n_positions, device=device) >= self._hidden
        return types, batch.next_types * shown


def _looked_up(table: nn.Module | None, numbers: Tensor | None) -> Tensor | None:
    if table is None or numbers is None:
        return None
    vectors: Tensor = table(numbers)
    return vectors


def make_event_types(n_types: int, width: int, use: TypeUse, hidden: float) -> EventTypes | None:
    """Return the part for event types, or None if there are none or they are not used.

    Args:
        n_types: Number of types.
        width: d.
        use: Which types are used.
        hidden: Probability that types are hidden in training.
    """
    if not n_types or use == "none":
        return None
    return EventTypes(n_types, width, use=use, hidden=hidden)
