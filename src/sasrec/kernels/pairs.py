"""Epochs of models that compare a target with one negative (``pairs.c``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import torch
from torch import Tensor

from sasrec.kernels.library import call, is_available, threads

USER, LAST = 0, 1
"""What selects a row of a left factor: the user or the last item."""
WORTH_SHARING = 2**21
"""Number of weights from which on several threads share a step."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a model's scores are computed from rows of its tables.

    Attributes:
        tables: For each product, its left and right factor; for TransRec: users, items, biases and
            the translation [1, d].
        left_by: For each product, what selects the row of its left factor, ``USER`` or ``LAST``;
            empty for TransRec.
        under_root: For TransRec: number added to squared distances.
        length_weight: For TransRec: weight in the loss of the translation's L1 norm.
    """

    tables: tuple[Tensor, ...]
    left_by: tuple[int, ...]
    under_root: float = 0.0
    length_weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Table:
    """A weight matrix and its state; each tensor is float32 [rows, width] and contiguous.

    Attributes:
        weights: The weights.
        gradients: Sum of the gradients during a step; zero between steps.
        first: Adam's average of the gradients.
        second: Adam's average of the squared gradients.
        average: The moving average of the weights.
    """

    weights: Tensor
    gradients: Tensor
    first: Tensor
    second: Tensor
    average: Tensor


@dataclass(frozen=True, slots=True)
class Rates:
    """Parameters of the training steps.

    Attributes:
        rate: Learning rate.
        decay_first: Adam's beta_1.
        decay_second: Adam's beta_2.
        epsilon: Adam's epsilon.
        averaging: Decay of the moving average of the weights.
        under_root: Number added to squared distances.
        length_weight: Weight in the loss of the translation's L1 norm.
    """

    rate: float
    decay_first: float
    decay_second: float
    epsilon: float
    averaging: float
    under_root: float
    length_weight: float


def supports(tables: Sequence[Tensor]) -> bool:
    """Return whether the kernel can train a model with these tables.

    Args:
        tables: Weights [rows, width].
    """
    return is_available() and all(
        table.device.type == "cpu" and table.dtype == torch.float32 and table.is_contiguous()
        for table in tables
    )


def train(
    tables: Sequence[Table],
    left_by: Sequence[int],
    events: Tensor,
    rates: Rates,
    *,
    batch_size: int,
    steps: int,
    averages: int,
) -> Tensor:
    """Train on pairs in the given order, as described in ``pairs.c``.

    Args:
        tables: The tables in the order of ``Form``.
        left_by: As in ``Form``.
        events: int32 [N, 4]: user, last item, target and negative of each pair. Row 0 of a table is
            never changed.
        rates: Parameters of the steps.
        batch_size: Pairs per step; the last step may have fewer.
        steps: Number of earlier steps of Adam.
        averages: Number of earlier updates of the average.

    Returns:
        float64 [B], the mean loss of each batch before its step. A loss that is not finite is the
        last one, and no step is taken for it.

    Raises:
        IndexError: A row number in ``events`` is outside its table.
    """
    _check_rows(tables, left_by, events)
    parts = [
        (each.weights, each.gradients, each.first, each.second, each.average) for each in tables
    ]
    known = torch.tensor(
        [[*(part.data_ptr() for part in each), len(each[0]), each[0][0].numel()] for each in parts]
    )
    # With small tables, threads would wait for each other longer than they work.
    n_threads = threads() if sum(part[0].numel() for part in parts) >= WORTH_SHARING else 1
    count, width = len(events), 0 if left_by else parts[1][0].shape[1]
    batch_size = min(batch_size, count)
    workspace = torch.empty(call("pairs_workspace", batch_size, width, n_threads), dtype=torch.int8)
    losses = torch.empty(-(-count // batch_size), dtype=torch.float64)
    done = call(
        *("pairs", known, len(left_by), torch.tensor(left_by, dtype=torch.int64), events),
        *(count, batch_size, torch.tensor(astuple(rates), dtype=torch.float64)),
        *(steps, averages, losses, workspace, n_threads),
    )
    return losses[: done + 1]


def _check_rows(tables: Sequence[Table], left_by: Sequence[int], events: Tensor) -> None:
    user, last, target, negative = events.amax(0).tolist()
    lefts = (user, last)
    if left_by:
        highest = [number for by in left_by for number in (lefts[by], max(target, negative))]
    else:
        highest = [user, *[max(last, target, negative)] * 2, 0]
    rows = [len(table.weights) for table in tables]
    if events.amin() < 0 or any(h >= n for h, n in zip(highest, rows, strict=True)):
        raise IndexError(
            f"the events refer to rows up to {highest}, or below 0, but the tables have {rows} rows"
        )
