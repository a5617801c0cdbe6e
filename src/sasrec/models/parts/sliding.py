"""Caser's horizontal filters for all positions of a window at once.

For position i, Caser uses a matrix of L rows: the events up to i, filled up with zeros at the end.
A filter of height h at offset t of that matrix covers the events t to t + h - 1, but none after
position i. Its output, the sum of weight[k] . event[t + k] over t + k <= i, is the same for every
position at or after the filter's last event; for earlier positions it is the sum of the first
m = i - t + 1 products. So with

    S[m, t] = S[m - 1, t] + weight[m - 1] . event[t + m - 1]

the largest output at position i is the maximum of S[h, t] over t <= i - h + 1, of S[i - t + 1, t]
over larger t, and of 0 if some offset covers zeros only. The cost for all positions of a window is
about that of two positions computed separately.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

NOTHING = float("-inf")


def largest_outputs(padded: Tensor, filters: Tensor) -> Tensor:
    """Return the largest output of each filter for each position.

    Args:
        padded: float [B, n, d], windows of events; n is at most L.
        filters: float [L, C, L, d]: C filters of each height h = 1 to L; rows from h on are not
            used.

    Returns:
        float [B, n, L, C].
    """
    found: Tensor = _Largest.apply(padded, filters)  # type: ignore[no-untyped-call]
    return found


class _Largest(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, padded: Tensor, filters: Tensor) -> Tensor:
        n, height = padded.shape[1], len(filters)
        steps = torch.arange(n, device=padded.device)
        last_offset = (
            height - 1 - torch.arange(height, device=padded.device)
        )  # last offset, by height
        shape = (len(padded), n, height, filters.shape[1])
        wide = torch.promote_types(padded.dtype, torch.float32)
        best = padded.new_full(shape, NOTHING, dtype=wide)
        best.masked_fill_((steps[:, None] < last_offset)[:, :, None], 0.0)
        # Number of products in the largest sum; 0 if zeros are largest, -1 for a whole filter.
        winner = torch.zeros(shape, dtype=torch.int16, device=padded.device)
        whole = torch.zeros_like(winner)  # position at which the best whole filter ends
        sums = padded.new_zeros((len(padded), n + 1, height + 1, shape[3]), dtype=wide)
        for taken in range(1, n + 1):
            sums = sums[:, :-1, 1:] + _products(padded, filters, taken)
            ended, ends = sums[:, :, 0].cummax(1)
            first = taken - 1
            whole[:, first:, first] = (ends + first).to(torch.int16)
            _keep(best[:, first:, first], winner[:, first:, first], ended, -1)
            fits = (steps[: n - first, None] <= last_offset[taken:])[:, :, None]
            cut_off = sums[:, :, 1:].masked_fill(~fits, NOTHING)
            _keep(best[:, first:, taken:], winner[:, first:, taken:], cut_off, taken)
        ctx.save_for_backward(padded, filters, winner, whole)
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        padded, filters, winner, whole = ctx.saved_tensors
        n = padded.shape[1]
        padded_grad, filters_grad = torch.zeros_like(padded), torch.zeros_like(filters)
        ended = torch.zeros_like(grad).scatter_add_(1, whole.long(), grad * (winner == -1))
        later = grad.new_zeros((len(padded), 0, len(filters) - n, filters.shape[1]))
        for taken in range(n, 0, -1):
            first = taken - 1
            cut_off = grad[:, first:, taken:] * (winner[:, first:, taken:] == taken)
            sums_grad = torch.cat([ended[:, first:, first:taken], cut_off], dim=2)
            sums_grad[:, :-1, 1:] += later
            later, flat = sums_grad, sums_grad.flatten(2)
            taps = filters[first:, :, first].flatten(0, 1)
            padded_grad[:, first:] += flat @ taps
            filters_grad[first:, :, first] = (
                flat.flatten(0, 1).T @ padded[:, first:].flatten(0, 1)
            ).view(-1, filters.shape[1], filters.shape[3])
        return padded_grad, filters_grad


def _products(padded: Tensor, filters: Tensor, taken: int) -> Tensor:
    """Return each event's product with row ``taken - 1`` of every filter that has this row.

    Args:
        padded: [B, n, d].
        filters: [L, C, L, d].
        taken: Number of rows used so far, this one included; from 1.

    Returns:
        [B, n - taken + 1, L - taken + 1, C], the events from ``taken - 1`` on.
    """
    taps = filters[taken - 1 :, :, taken - 1].flatten(0, 1)
    products = F.linear(padded[:, taken - 1 :], taps)
    return products.view(*products.shape[:2], -1, filters.shape[1])


def _keep(best: Tensor, winner: Tensor, value: Tensor, code: int) -> None:
    """Update the best values where a value is larger, and store its code in ``winner``."""
    is_better = value > best
    winner.masked_fill_(is_better, code)
    torch.maximum(best, value, out=best)
