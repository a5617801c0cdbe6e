"""Find and load the library of compiled kernels, and choose instructions for this processor.

``setup.py`` builds the library if there is a C compiler. Without the library, or on a processor
without bfloat16 products, PyTorch computes everything; the results agree to the precision of
bfloat16.
"""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sasrec.errors import SettingsError

logger = logging.getLogger(__name__)

LIBRARY = Path(__file__).with_name("libkernels.so.1")
SOURCE_HASH = 0x5EED659426D3
"""Hash of the C sources that this file works with (``source_hash`` in ``setup.py``)."""
ENVIRONMENT_VARIABLE = "SASREC_KERNELS"
"""Environment variable: ``off`` uses PyTorch for everything, ``avx512`` does not use AMX."""
NONE, AVX512, AMX = 0, 1, 2
"""Levels of support for bfloat16 products: none; AVX-512; AMX, which multiplies whole tiles."""

STALE = (
    "%s does not match this version's C sources and is not used, so training on a CPU is slower; "
    "rebuild it with: pip install --editable . (in a checkout), or "
    "pip install --force-reinstall --no-deps sasrec"
)

C_TYPES = {"p": ctypes.c_void_p, "l": ctypes.c_long, "f": ctypes.c_float}
SIGNATURES = {
    "pool": "ppp",
    "choose": "l",
    "bits": "plll",
    "gaps": "ppllpl",
    "softmax": "ppplllpppl",
    "softmax_workspace": "llll",
    "attend": "ppllllfppppppl",
    "attend_back": "ppllllfppppppppppl",
    "attend_workspace": "llll",
    "linear": "ppplllpppl",
    "linear_back": "pplllpppppl",
    "linear_workspace": "lll",
    "add_norm": "pppppllffpppl",
    "add_norm_back": "ppppllfpppppl",
    "pairs": "plppllpllppl",
    "pairs_workspace": "lll",
}
"""Types of each function's arguments: p for a pointer, l for a long, f for a float."""
_limits = [AMX]
"""A stack of limits; the last one is the highest level that may be used."""


@cache
def _loaded() -> tuple[ctypes.CDLL | None, int]:
    """Return the library, or None, and the level of this processor.

    Raises:
        SettingsError: The environment variable has an invalid value.
    """
    chosen = os.environ.get(ENVIRONMENT_VARIABLE, "")
    if chosen not in ("", "off", "avx512"):
        raise SettingsError(
            f"the environment variable {ENVIRONMENT_VARIABLE} is {chosen!r}; set it to 'off' or "
            "'avx512', or unset it"
        )
    if chosen == "off" or not LIBRARY.is_file():
        return None, NONE
    try:
        library = ctypes.CDLL(str(LIBRARY))
        if _source_hash_of(library) != SOURCE_HASH:
            logger.warning(STALE, LIBRARY)
            return None, NONE
        # Use PyTorch's own threads, because a second thread pool would compete with them.
        threads = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
        names = "GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads"
        for name, types in SIGNATURES.items():
            getattr(library, f"sasrec_{name}").argtypes = [C_TYPES[each] for each in types]
        library.sasrec_pool(*(ctypes.cast(getattr(threads, n), ctypes.c_void_p) for n in names))
        level = int(library.sasrec_choose(chosen != "avx512"))
    except (OSError, AttributeError):  # built for another system, or PyTorch without OpenMP
        return None, NONE
    library.sasrec_softmax.restype = ctypes.c_double
    library.sasrec_pairs.restype = ctypes.c_long
    for name in ("softmax", "attend", "linear", "pairs"):
        getattr(library, f"sasrec_{name}_workspace").restype = ctypes.c_long
    return library, level


def _source_hash_of(library: ctypes.CDLL) -> int:
    """Return the hash of the sources that a library was built from; 0 for old ones without it."""
    try:
        function = library.sasrec_interface
    except AttributeError:
        return 0
    function.restype = ctypes.c_long
    return int(function())


def level() -> int:
    """Return the level that may be used: ``NONE``, ``AVX512`` or ``AMX``."""
    return min(_limits[-1], _loaded()[1])


def supports_products(device: torch.device, dtype: torch.dtype) -> bool:
    """Return whether kernels can compute matrix products with a type on a device.

    They can for bfloat16 on a CPU that has instructions for it.

    Args:
        device: Device of the tensors.
        dtype: Type of the products.
    """
    return device.type == "cpu" and dtype == torch.bfloat16 and level() > NONE


def is_available() -> bool:
    """Return whether kernels without bfloat16 products may be used; any processor runs them."""
    return _loaded()[0] is not None and _limits[-1] > NONE


def available_kernels() -> str:
    """Return which kernels may be used here: ``none``, ``plain``, ``avx512`` or ``amx``."""
    return ("plain", "avx512", "amx")[level()] if is_available() else "none"


def native() -> ctypes.CDLL:
    """Return the library; call this only if ``is_available()``."""
    library, _ = _loaded()
    assert library is not None  # noqa: S101 - for the type checker; callers have checked this
    return library


@contextmanager
def at_most(limit: int) -> Iterator[None]:
    """Limit the level within the block, as if on another processor.

    Args:
        limit: The highest level to use; ``NONE`` uses PyTorch for everything.

    Yields:
        Nothing.
    """
    _limits.append(limit)
    _choose_instructions()
    try:
        yield
    finally:
        _limits.pop()
        _choose_instructions()


def _choose_instructions() -> None:
    library, _ = _loaded()
    if library is not None:
        library.sasrec_choose(level() == AMX)


def call(function: str, *arguments: Tensor | float | None) -> Any:
    """Call a function of the library, which reads and writes the memory of the given tensors.

    Args:
        function: Name of the function, without the prefix ``sasrec_``.
        arguments: Tensors, None for a null pointer, sizes, and numbers.

    Returns:
        The result of the function.

    Raises:
        ValueError: A tensor is not contiguous.
    """
    return _function(function)(*[_as_c(value) for value in arguments])


def workspace(kernel: str, *sizes: int) -> Tensor:
    """Return working memory for a kernel.

    Args:
        kernel: Name of the kernel.
        sizes: Sizes that the amount of memory depends on.

    Returns:
        int8 [number of bytes].
    """
    return torch.empty(call(f"{kernel}_workspace", *sizes, threads()), dtype=torch.int8)


def threads() -> int:
    """Return the number of threads that a kernel uses."""
    return torch.get_num_threads()


@cache
def _function(name: str) -> Any:
    return getattr(native(), f"sasrec_{name}")


def _as_c(value: Tensor | float | None) -> float | None:
    if not isinstance(value, Tensor):
        return value
    if not value.is_contiguous():
        raise ValueError(
            f"a kernel got a tensor with strides {value.stride()}; make it contiguous first"
        )
    return value.data_ptr()
