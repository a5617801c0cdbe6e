"""Tracing a network with ``torch.export``, for batches and histories of any size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.nn.attention import SDPBackend, sdpa_kernel

from sasrec.exporting.inputs import Inputs


def traced(network: nn.Module, inputs: Inputs) -> ExportedProgram:
    """Return the graph of a network.

    Args:
        network: From ``network_of``.
        inputs: Its inputs.

    Returns:
        The graph with its weights.
    """
    with plain_attention():
        return torch.export.export(
            network,
            (),
            kwargs=dict(inputs.examples()),
            dynamic_shapes=inputs.dynamic(),
            strict=False,
        )


@contextmanager
def plain_attention() -> Iterator[None]:
    """Let PyTorch trace attention without gradients and fused kernels, whose memory layout differs.

    A graph must be traced and translated with the same ones.
    """
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        yield
