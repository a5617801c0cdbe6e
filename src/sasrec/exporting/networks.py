"""Networks to export: from padded histories to the state, or the scores, after the last event.

Training packs windows without padding and calls compiled kernels. An exported network takes
rectangles instead: item numbers [B, L] with zeros after the last event of each history, and the
number of events [B]. Most models already accept such a batch, because training on a CPU uses it
too; ``Padded`` passes it on. The others have a forward pass of their own in ``rewritten.py``, which
shares their weights.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sasrec.data.batches.batch import Batch
from sasrec.exporting.files import Kind
from sasrec.exporting.rewritten import REWRITTEN
from sasrec.models.contract import NextItemModel
from sasrec.models.sasrec import SASRec

if TYPE_CHECKING:
    from sasrec.exporting.inputs import Inputs


class Padded(nn.Module):
    """Passes rectangles of events to a model's own ``encode``."""

    def __init__(self, model: NextItemModel, longest: int | None = None) -> None:
        """Keep the model.

        Args:
            model: In evaluation mode.
            longest: Not used; the networks of ``rewritten.py`` take the same arguments.
        """
        super().__init__()
        self.model = model

    def forward(
        self,
        items: Tensor,
        lengths: Tensor,
        times: Tensor | None = None,
        users: Tensor | None = None,
        types: Tensor | None = None,
        next_type: Tensor | None = None,
    ) -> Tensor:
        """Return the state after the last event of each history.

        Args:
            items: int64 [B, L], item numbers, oldest first, with zeros after the last event.
            lengths: int64 [B], number of events, at least 1.
            times: float64 [B, L], times of the events; NaN where they are unknown, which holds for
                all events of a history or for none.
            users: int64 [B], user numbers; 0 for an unknown user.
            types: int64 [B, L], types of the events; 0 for an unknown type.
            next_type: int64 [B], type of the event to be predicted; 0 for any type.

        Returns:
            float [B, d].
        """
        rows, columns = items.shape
        begins = torch.arange(rows, device=items.device) * columns
        last = begins + lengths - 1
        following = None
        if types is not None and next_type is not None:
            flat = nn.functional.pad(types, (0, 1))[:, 1:].reshape(-1)
            following = flat.index_put((last,), next_type)
        batch = Batch(
            items=items.reshape(-1),
            offsets=torch.arange(rows + 1, device=items.device) * columns,
            targets=torch.zeros_like(items).reshape(-1),
            users=torch.zeros_like(lengths) if users is None else users,
            negatives=None,
            longest=columns,
            times=None if times is None else times.where(~times.isnan(), 0.0).reshape(-1),
            types=None if types is None else types.reshape(-1),
            next_types=following,
            untimed=None if times is None else times[:, 0].isnan(),
        )
        return self.model.encode(batch, last)


class Scores(nn.Module):
    """Appends the scores of all items, for models whose scores are not dot products."""

    def __init__(self, model: NextItemModel, states: nn.Module) -> None:
        """Keep the parts.

        Args:
            model: In evaluation mode.
            states: Computes the state after the last event of each history.
        """
        super().__init__()
        self.model, self.states = model, states

    def forward(
        self,
        items: Tensor,
        lengths: Tensor,
        times: Tensor | None = None,
        users: Tensor | None = None,
        types: Tensor | None = None,
        next_type: Tensor | None = None,
    ) -> Tensor:
        """Return the scores of all items after the last event of each history.

        Args:
            items: As for ``Padded``, like all other arguments.
            lengths: Number of events.
            times: Times of the events.
            users: User numbers.
            types: Types of the events.
            next_type: Type of the event to be predicted.

        Returns:
            float [B, V].
        """
        states = self.states(items, lengths, times, users, types, next_type)
        return self.model.score(states)


def network_of(model: NextItemModel, inputs: Inputs, kind: Kind) -> nn.Module:
    """Return the network to export; it shares the weights of the model.

    Args:
        model: In evaluation mode.
        inputs: What the network takes.
        kind: Format that the network is to be written in.

    Returns:
        A module that returns states [B, d] if the model has item vectors, otherwise scores [B, V].
    """
    plain = _with_content_folded(model)
    rewritten = REWRITTEN[kind] if is_built_in(model) else {}
    states = rewritten.get(type(model).__name__, Padded)
    network = states(plain, inputs.longest)
    return (network if model.has_item_table() else Scores(plain, network)).eval()


def is_built_in(model: NextItemModel) -> bool:
    """Return whether a model belongs to this package, so that it is no plug-in.

    Args:
        model: Any model.
    """
    return type(model).__module__.startswith("sasrec.models.")


def _with_content_folded(model: NextItemModel) -> NextItemModel:
    """Return the model with the vectors that content gives its items at the input as one table."""
    if not isinstance(model, SASRec) or model.content is None:
        return model
    with torch.inference_mode():
        content = model.content
        vectors = content.at_input.table(model.item_embedding.weight, content.data)
    plain = copy.copy(model)
    plain._modules = dict(model._modules)  # the copy gets its own parts, with the same weights
    table = copy.copy(model.item_embedding)
    table._parameters = {"weight": nn.Parameter(vectors.clone(), requires_grad=False)}
    plain.item_embedding, plain.content = table, None
    return plain
