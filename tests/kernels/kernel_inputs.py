"""Random inputs for the kernels, and the relative error of a result."""

import torch


def error(ours, true):
    """Return the norm of the error, divided by the norm of the true tensor or by 1 if larger."""
    size = max(1.0, float(true.double().norm()))
    return float((ours.double() - true.double()).norm()) / size


def narrow(*shape, seed=0, scale=1.0):
    """Return random numbers in bfloat16."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(*shape, generator=generator) * scale).bfloat16()
