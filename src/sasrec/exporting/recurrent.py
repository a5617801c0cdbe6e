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


def scanned_layer(values: Tensor, inputs: Tensor, state: Tensor) -> Tensor:
    """Return the same as ``gru_layer``, from PyTorch's own operators, which is slower.

    A graph with ``gru_layer`` could only be loaded where this package is installed.

    Args:
        values: float [B, L, d].
        inputs: float [3 h, d], weights of the values.
        state: float [3 h, h], weights of the state.

    Returns:
        float [B, L, h].
    """
    from torch._higher_order_ops.scan import scan  # noqa: PLC2701 - it has no public name yet

    def step(before: Tensor, here: Tensor) -> tuple[Tensor, Tensor]:
        reset, update, new = here.chunk(3, dim=1)
        old_reset, old_update, old_new = (before @ state.T).chunk(3, dim=1)
        share = torch.sigmoid(update + old_update)
        new = torch.tanh(new + torch.sigmoid(reset + old_reset) * old_new)
        after = new + share * (before - new)
        return after, after.clone()

    by_step = (values @ inputs.T).transpose(0, 1)  # [L, B, 3 h]
    start = values.new_zeros(values.shape[0], state.shape[1])
    _, found = scan(step, start, by_step, dim=0)
    outputs: Tensor = found.transpose(0, 1)
    return outputs
