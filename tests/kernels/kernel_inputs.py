"""Random numbers for the kernels, and how far off an outcome is."""

import torch


def error(ours, true):
    """Return how far off one tensor is, as a share of the size of the true one, or of 1."""
    size = max(1.0, float(true.double().norm()))
    return float((ours.double() - true.double()).norm()) / size


def narrow(*shape, seed=0, scale=1.0):
    """Return random numbers that bfloat16 holds exactly."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(*shape, generator=generator) * scale).bfloat16()
