"""NumPy arrays of an export, mapped into memory."""

from __future__ import annotations

import io
import math
import mmap

import numpy as np
from numpy.lib import format as npy

HEADER = 4096
"""Bytes that are searched for the header; that of an export's array has 128."""


def mapped_array(mapped: mmap.mmap, dtype: type[np.generic], shape: tuple[int, ...]) -> np.ndarray:
    """Return a NumPy file as a read-only array that shares its memory.

    Args:
        mapped: The file.
        dtype: The type it must have.
        shape: The shape it must have; -1 allows any size.

    Returns:
        The array.

    Raises:
        ValueError: The file is not an array of this type and shape.
    """
    header = io.BytesIO(mapped[:HEADER])
    if npy.read_magic(header) != (1, 0):
        raise ValueError("it is not a NumPy file of version 1.0")
    found, is_fortran, stored = npy.read_array_header_1_0(header)
    fits = len(found) == len(shape) and all(
        wanted in (-1, size) for size, wanted in zip(found, shape, strict=True)
    )
    if not fits or stored != np.dtype(dtype) or is_fortran:
        raise ValueError(
            f"it has shape {list(found)} and type {stored}, and should have shape {list(shape)} "
            f"and type {np.dtype(dtype)}"
        )
    if header.tell() + math.prod(found) * stored.itemsize != len(mapped):
        raise ValueError("its size is not that of its shape")
    flat = np.frombuffer(mapped, stored, math.prod(found), header.tell())
    return flat.reshape(found)
