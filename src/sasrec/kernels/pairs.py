"""Epochs of models that set a target against one negative (``pairs.c``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import torch
from torch import Tensor

from sasrec.kernels.library import call, is_there, threads

USER, LAST = 0, 1
"""What a row is found by."""
WORTH_SHARING = 2**21
"""Weights, from which on a step is shared by threads."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a model's scores are made of rows of its tables.

    Attributes:
        tables: For each product its left and right factor; or, as TransRec has them, users, items,
            biases and the translation [1, d].
        left_by: What the row of each left factor is found by, ``USER`` or ``LAST``; none for
            TransRec.
        under_root: TransRec's; added to squared distances.
        length_weight: TransRec's; weight in the loss of the translation's magnitudes.
    """

    tables: tuple[Tensor, ...]
    left_by: tuple[int, ...]
    under_root: float = 0.0
    length_weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Table:
    """A matrix of weights, each part float32 [rows, width] and contiguous.

    Attributes:
        weights: Themselves.
        slopes: Zero; the sum of their gradients while a step is taken.
        first: Adam's average of gradients.
        second: Adam's average of their squares.
        average: The average of the weights.
    """

    weights: Tensor
    slopes: Tensor
    first: Tensor
    second: Tensor
    average: Tensor


@dataclass(frozen=True, slots=True)
class Rates:
    """How steps are taken.

    Attributes:
        rate: Learning rate.
        decay_first: Adam's first decay.
        decay_second: Adam's second.
        tiny: Adam's epsilon.
        averaging: Decay of the weights' average.
        under_root: Added to squared distances.
        length_weight: Weight in the loss of the translation's magnitudes.
    """

    rate: float
    decay_first: float
    decay_second: float
    tiny: float
    averaging: float
    under_root: float
    length_weight: float


def takes(tables: Sequence[Tensor]) -> bool:
    """Return whether the kernel can train these.

    Args:
        tables: Weights [rows, width].
    """
    return is_there() and all(
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
    """Train on pairs in their order, as ``pairs.c`` says.

    Args:
        tables: In the order of ``Form``.
        left_by: As in ``Form``.
        events: int32 [N, 4]: user, last item, target and negative of each; rows 0 never change.
        rates: How steps are taken.
        batch_size: Pairs a step; the last may have fewer.
        steps: Steps that Adam has taken before.
        averages: Updates of the average before.

    Returns:
        float64 [B], the mean loss of each batch before its step. If one is no finite number it is
        the last: no step was taken for it.

    Raises:
        IndexError: A number is no row of its table.
    """
    _check_rows(tables, left_by, events)
    parts = [(each.weights, each.slopes, each.first, each.second, each.average) for each in tables]
    known = torch.tensor(
        [[*(part.data_ptr() for part in each), len(each[0]), each[0][0].numel()] for each in parts]
    )
    # Threads would wait for each other longer than they work.
    team = threads() if sum(part[0].numel() for part in parts) >= WORTH_SHARING else 1
    count, width = len(events), 0 if left_by else parts[1][0].shape[1]
    batch_size = min(batch_size, count)
    room = torch.empty(call("pairs_room", batch_size, width, team), dtype=torch.int8)
    losses = torch.empty(-(-count // batch_size), dtype=torch.float64)
    done = call(
        *("pairs", known, len(left_by), torch.tensor(left_by, dtype=torch.int64), events),
        *(count, batch_size, torch.tensor(astuple(rates), dtype=torch.float64)),
        *(steps, averages, losses, room, team),
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
        raise IndexError(f"events reach to rows {highest}, or below 0, of tables of {rows} rows")
