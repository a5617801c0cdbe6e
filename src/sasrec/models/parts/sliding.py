"""Filters sliding over the growing beginnings of a window, all at once.

Caser looks at the picture of the events up to a position: L rows, zeros behind them. A filter of
height h at offset t of that picture sees the events t to t + h - 1, but none after the position i.
What it finds, sum_k weight[k] . event[t + k] over t + k <= i, is the same for every position that
has passed the filter's end, and a sum of its first m = i - t + 1 products before. So with

    S[m, t] = S[m - 1, t] + weight[m - 1] . event[t + m - 1]

the largest value at position i is that of S[h, t] over t <= i - h + 1, of S[i - t + 1, t] behind,
and of 0, where some offset shows zeros only. That is the cost of about two positions of the plain
way, for all positions of a window.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

NOTHING = float("-inf")


def largest_found(padded: Tensor, filters: Tensor) -> Tensor:
    """Return the largest value each filter finds in the picture of each position.

    Args:
        padded: float [B, n, d], windows of events; n is at most L.
        filters: float [L, C, L, d]: C filters of each height h = 1 to L; rows from h on are not
            looked at.

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
        room = height - 1 - torch.arange(height, device=padded.device)  # last offset, by height
        shape = (len(padded), n, height, filters.shape[1])
        wide = torch.promote_types(padded.dtype, torch.float32)
        best = padded.new_full(shape, NOTHING, dtype=wide)
        best.masked_fill_((steps[:, None] < room)[:, :, None], 0.0)
        # How many products of the winner were summed; 0 where zeros won, -1 where whole filters.
        winner = torch.zeros(shape, dtype=torch.int16, device=padded.device)
        whole = torch.zeros_like(winner)  # where the best whole filter ended
        sums = padded.new_zeros((len(padded), n + 1, height + 1, shape[3]), dtype=wide)
        for taken in range(1, n + 1):
            sums = sums[:, :-1, 1:] + _products(padded, filters, taken)
            ended, ends = sums[:, :, 0].cummax(1)
            first = taken - 1
            whole[:, first:, first] = (ends + first).to(torch.int16)
            _keep(best[:, first:, first], winner[:, first:, first], ended, -1)
            fits = (steps[: n - first, None] <= room[taken:])[:, :, None]
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
    """Return each event's product with the row ``taken - 1`` of every filter that has one.

    Args:
        padded: [B, n, d].
        filters: [L, C, L, d].
        taken: From 1.

    Returns:
        [B, n - taken + 1, L - taken + 1, C], the events from ``taken - 1`` on.
    """
    taps = filters[taken - 1 :, :, taken - 1].flatten(0, 1)
    products = F.linear(padded[:, taken - 1 :], taps)
    return products.view(*products.shape[:2], -1, filters.shape[1])


def _keep(best: Tensor, winner: Tensor, value: Tensor, code: int) -> None:
    """Put values where they are larger than the best, and note who they are."""
    is_better = value > best
    winner.masked_fill_(is_better, code)
    torch.maximum(best, value, out=best)
