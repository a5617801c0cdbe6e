"""Compiled kernels, which do in one pass over memory what takes PyTorch many."""
