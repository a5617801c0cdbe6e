"""Compiled kernels: what PyTorch would take many passes over memory for, in one."""
