"""Find and load the library of the compiled scan, and choose instructions for this processor.

``setup.py`` builds the library if there is a C compiler. Without it, NumPy computes the same lists,
but reads four times as much memory for each.
"""

from __future__ import annotations

import ctypes
import logging
import os
from functools import cache
from pathlib import Path

from sasrec_serve.errors import SettingsError

logger = logging.getLogger(__name__)

LIBRARY = Path(__file__).with_name("libscan.so.1")
SOURCE_HASH = 0x0767261A572A
"""Hash of the C sources that this file works with (``source_hash`` in ``setup.py``)."""
ENVIRONMENT_VARIABLE = "SASREC_SERVE_KERNELS"
"""Environment variable: the instructions to use at most, from ``LEVELS``, or ``off`` for NumPy."""
LEVELS = ("plain", "avx2", "vnni")

STALE = (
    "%s does not match this version's C sources and is not used, so scans are slower; reinstall "
    "with: pip install --force-reinstall --no-deps sasrec-serve (in a checkout: pip install "
    "--editable ./serve)"
)


@cache
def loaded() -> ctypes.CDLL | None:
    """Return the library; None if it was not built here, or not for this version."""
    if not LIBRARY.is_file():
        return None
    try:
        library = ctypes.CDLL(str(LIBRARY))
        library.sasrec_serve_interface.restype = ctypes.c_longlong
        if library.sasrec_serve_interface() != SOURCE_HASH:
            logger.warning(STALE, LIBRARY)
            return None
        for name in ("level", "code", "scan"):
            getattr(library, f"sasrec_serve_{name}").restype = ctypes.c_long
        pointer, long = ctypes.c_void_p, ctypes.c_long
        library.sasrec_serve_code.argtypes = [pointer, *[long] * 4, *[pointer] * 5]
        library.sasrec_serve_scan.argtypes = [pointer] * 13
    except (OSError, AttributeError):  # built for another system
        return None
    return library


def level() -> int | None:
    """Return the level of instructions to use, an index of ``LEVELS``; None for NumPy.

    Raises:
        SettingsError: The environment variable has an invalid value.
    """
    chosen = os.environ.get(ENVIRONMENT_VARIABLE, "")
    if chosen not in ("", "off", *LEVELS):
        raise SettingsError(
            f"the environment variable {ENVIRONMENT_VARIABLE} is {chosen!r}; set it to off, "
            f"{', '.join(LEVELS)}, or unset it"
        )
    library = loaded()
    if chosen == "off" or library is None:
        return None
    best = int(library.sasrec_serve_level())
    return min(best, LEVELS.index(chosen)) if chosen else best
