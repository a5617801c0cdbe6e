"""A GRU layer as one operator, because ``torch.export`` would unroll it for one length."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.library.custom_op("sasrec::gru_layer", mutates_args=())
def gru_layer(values: Tensor, inputs: Tensor, state: Tensor) -> Tensor:
    """Return the outputs of a GRU layer without biases.

    Args:
        values: float [B, L, d].
        inputs: float [3 h, d], weights of the values.
        state: float [3 h, h], weights of the state.

    Returns:
        float [B, L, h].
    """
    start = values.new_zeros(1, len(values), state.shape[1])
    found: Tensor = torch.gru(values, start, [inputs, state], False, 1, 0.0, False, False, True)[0]
    return found


@gru_layer.register_fake
def _(values: Tensor, inputs: Tensor, state: Tensor) -> Tensor:
    return values.new_empty(values.shape[0], values.shape[1], state.shape[1])
