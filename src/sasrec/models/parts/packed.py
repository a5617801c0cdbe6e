"""Packed attention: windows are stored one after another, without padding.

A GPU kernel for sequences of unequal length takes the flat values and the start of each window. It
supports dropout, and neither synchronises with the GPU nor copies anything to it. There is no such
kernel for a CPU, where windows are padded instead (``layers.pad``).
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

    It calls the operators that ``scaled_dot_product_attention`` uses for jagged tensors. Calling
    that function would be three times slower, because of the Python code of jagged tensors.

    Args:
        projected: [P, 3, H, d / H], queries, keys and values of all positions.
        offsets: int64 [B + 1], index of each window's first position, followed by P; no window is
            empty.
        longest: Length of the longest window.
        dropout: Probability of dropping an attention probability.
        causal: Whether positions attend only to themselves and earlier positions.

    Returns:
        [P, H, d / H].
    """
    size = projected.shape[-1]
    # The kernels need a head width that is a multiple of 8; added zeros do not change products.
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
    """Return the same without dropout, with one mask over all positions; the plain version.

    Args:
        projected: [P, 3, H, d / H].
        offsets: int64 [B + 1].
        causal: Whether positions attend only to themselves and earlier positions.

    Returns:
        [P, H, d / H].
    """
    query, key, value = projected.permute(1, 2, 0, 3)
    indices = torch.arange(len(projected), device=projected.device)
    window = torch.searchsorted(offsets, indices, right=True)
    together = window[:, None] == window
    if causal:
        together = together.tril()
    scores = query @ key.mT * query.shape[-1] ** -0.5
    weights = scores.masked_fill(~together, -torch.inf).softmax(-1)
    mixed: Tensor = (weights @ value).transpose(0, 1)
    return mixed
