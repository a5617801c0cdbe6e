"""The library of compiled kernels: found, loaded, and fitted to this processor.

``setup`` builds it where there is a C compiler. Without it, or on a processor without bfloat16
products, everything is computed by PyTorch; the numbers agree to the precision of bfloat16.
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
INTERFACE = 0xD4D674DCA879
"""The number of the sources that this file goes with (``interface`` in ``setup.py``)."""
SWITCH = "SASREC_KERNELS"
"""Environment variable: ``off`` leaves all to PyTorch, ``avx512`` does without AMX."""
NONE, LANES, TILES = 0, 1, 2
"""What the processor has: no bfloat16 products; AVX-512's; AMX, products of whole tiles."""

STALE = (
    "%s was built from sources of another version and is not used, so training on a CPU is slower; "
    "build it anew with: pip install --editable . (in a checkout), or "
    "pip install --force-reinstall --no-deps sasrec"
)

FORMS = {"p": ctypes.c_void_p, "l": ctypes.c_long, "f": ctypes.c_float}
SIGNATURES = {
    "team": "ppp",
    "choose": "l",
    "bits": "plll",
    "gaps": "ppllpl",
    "softmax": "ppplllpppl",
    "softmax_room": "llll",
    "attend": "ppllllfppppppl",
    "attend_back": "ppllllfppppppppppl",
    "attend_room": "llll",
    "linear": "ppplllpppl",
    "linear_back": "pplllpppppl",
    "linear_room": "lll",
    "add_norm": "pppppllffpppl",
    "add_norm_back": "ppppllfpppppl",
    "pairs": "plppllpllppl",
    "pairs_room": "lll",
}
"""What each function is given: pointers, longs, floats."""
_ceiling = [TILES]
"""The last is the level not to go beyond."""


@cache
def _loaded() -> tuple[ctypes.CDLL | None, int]:
    """Return the library and the level of this processor.

    Raises:
        SettingsError: The environment variable asks for something else.
    """
    chosen = os.environ.get(SWITCH, "")
    if chosen not in ("", "off", "avx512"):
        raise SettingsError(
            f"the environment variable {SWITCH} is {chosen!r}; it may be 'off' or 'avx512'"
        )
    if chosen == "off" or not LIBRARY.is_file():
        return None, NONE
    try:
        library = ctypes.CDLL(str(LIBRARY))
        if _interface_of(library) != INTERFACE:
            logger.warning(STALE, LIBRARY)
            return None, NONE
        # The threads PyTorch computes with: a second set would get in their way.
        threads = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
        names = "GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads"
        for name, forms in SIGNATURES.items():
            getattr(library, f"sasrec_{name}").argtypes = [FORMS[form] for form in forms]
        library.sasrec_team(*(ctypes.cast(getattr(threads, n), ctypes.c_void_p) for n in names))
        level = int(library.sasrec_choose(chosen != "avx512"))
    except (OSError, AttributeError):  # built for another system, or PyTorch without OpenMP
        return None, NONE
    library.sasrec_softmax.restype = ctypes.c_double
    library.sasrec_pairs.restype = ctypes.c_long
    for name in ("softmax", "attend", "linear", "pairs"):
        getattr(library, f"sasrec_{name}_room").restype = ctypes.c_long
    return library, level


def _interface_of(library: ctypes.CDLL) -> int:
    """Return the number of the sources a library was built from; 0 if it is too old to tell."""
    try:
        tell = library.sasrec_interface
    except AttributeError:
        return 0
    tell.restype = ctypes.c_long
    return int(tell())


def level() -> int:
    """Return what may be used here: ``NONE``, ``LANES`` or ``TILES``."""
    return min(_ceiling[-1], _loaded()[1])


def serves(device: torch.device, dtype: torch.dtype) -> bool:
    """Return whether kernels compute products of a type: bfloat16, on a processor that has them.

    Args:
        device: Where tensors are.
        dtype: In which products are to be taken.
    """
    return device.type == "cpu" and dtype == torch.bfloat16 and level() > NONE


def is_there() -> bool:
    """Return whether what needs no products in bfloat16 may be used; any processor can do it."""
    return _loaded()[0] is not None and _ceiling[-1] > NONE


def described() -> str:
    """Return in a word what may be used here: ``none``, ``plain``, ``avx512`` or ``amx``."""
    return ("plain", "avx512", "amx")[level()] if is_there() else "none"


def native() -> ctypes.CDLL:
    """Return the library; only where ``level`` is not ``NONE``, or it ``is_there``."""
    library, _ = _loaded()
    assert library is not None  # noqa: S101 - for the type checker; callers have asked
    return library


@contextmanager
def at_most(ceiling: int) -> Iterator[None]:
    """Use no more than a level for a while, as if on another processor.

    Args:
        ceiling: ``NONE`` leaves everything to PyTorch.

    Yields:
        Nothing.
    """
    _ceiling.append(ceiling)
    _choose()
    try:
        yield
    finally:
        _ceiling.pop()
        _choose()


def _choose() -> None:
    library, _ = _loaded()
    if library is not None:
        library.sasrec_choose(level() == TILES)


def call(function: str, *arguments: Tensor | float | None) -> Any:
    """Call a function of the library, which works in the memory of the tensors it is given.

    Args:
        function: Its name.
        arguments: Tensors, None for no tensor, sizes, and numbers.

    Returns:
        What it returns.

    Raises:
        ValueError: The values of a tensor do not stand one after the other.
    """
    return _function(function)(*[_as_c(value) for value in arguments])


def room(kernel: str, *sizes: int) -> Tensor:
    """Return memory for a kernel to work in.

    Args:
        kernel: Its name.
        sizes: What it depends on.

    Returns:
        int8 [as many bytes as it needs].
    """
    return torch.empty(call(f"{kernel}_room", *sizes, threads()), dtype=torch.int8)


def threads() -> int:
    """Return how many threads share a kernel's work."""
    return torch.get_num_threads()


@cache
def _function(name: str) -> Any:
    return getattr(native(), f"sasrec_{name}")


def _as_c(value: Tensor | float | None) -> float | None:
    if not isinstance(value, Tensor):
        return value
    if not value.is_contiguous():
        raise ValueError(f"a kernel was given a tensor of strides {value.stride()}")
    return value.data_ptr()
