"""Packed attention: windows one after the other, without a place of padding.

On a GPU a kernel for sequences of unequal length takes the flat values and where each window
begins. It has dropout, and neither waits for the GPU nor copies anything to it. On a CPU, where no
such kernel exists, windows are filled up instead (``layers.pad``).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ALIGNED = 8


def packed_attention(
    projected: Tensor, offsets: Tensor, *, longest: int, dropout: float, causal: bool
) -> Tensor:
    """Return scaled dot-product attention inside each window, on a GPU.

    These two are the operators behind ``scaled_dot_product_attention`` of jagged tensors, which
    does the same three times slower: a step is too short for what its tensors do in Python.

    Args:
        projected: [P, 3, H, d / H], queries, keys and values of all positions.
        offsets: int64 [B + 1], where windows begin, and the end; none of them is empty.
        longest: Length of the longest window.
        dropout: Probability of dropping an attention probability.
        causal: Whether positions look at those before them only.

    Returns:
        [P, H, d / H].
    """
    size = projected.shape[-1]
    # The kernels want heads of a multiple of eight elements; zeros change no product.
    query, key, value = F.pad(projected, (0, -size % ALIGNED)).unbind(1)
    ends = offsets.int()
    lengths = (ends, ends, longest, longest)
    if projected.dtype in {torch.bfloat16, torch.float16}:
        mixed: Tensor = torch.ops.aten._flash_attention_forward(
            query, key, value, *lengths, dropout, causal, return_debug_mask=False, scale=size**-0.5
        )[0]
        return mixed[..., :size]
    wide: Tensor = torch.ops.aten._efficient_attention_forward(
        query[None],
        key[None],
        value[None],
        None,
        *lengths,
        dropout,
        custom_mask_type=int(causal),
        compute_log_sumexp=True,
        scale=size**-0.5,
    )[0]
    return wide[0, ..., :size]


def packed_attention_plain(projected: Tensor, offsets: Tensor, *, causal: bool) -> Tensor:
    """Return the same without dropout, written out with one mask over all positions.

    Args:
        projected: [P, 3, H, d / H].
        offsets: int64 [B + 1].
        causal: Whether positions look at those before them only.

    Returns:
        [P, H, d / H].
    """
    query, key, value = projected.permute(1, 2, 0, 3)
    places = torch.arange(len(projected), device=projected.device)
    window = torch.searchsorted(offsets, places, right=True)
    together = window[:, None] == window
    if causal:
        together = together.tril()
    scores = query @ key.mT * query.shape[-1] ** -0.5
    weights = scores.masked_fill(~together, -torch.inf).softmax(-1)
    mixed: Tensor = (weights @ value).transpose(0, 1)
    return mixed
