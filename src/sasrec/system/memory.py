"""Memory: what was freed is kept for the next piece of work, not given back to the system."""

from __future__ import annotations

import ctypes
import platform
import sys
from contextlib import suppress
from pathlib import Path

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""glibc's numbers of the two settings (``malloc.h``)."""
KEPT_BYTES = 2**30
"""Blocks up to this size, and this much free memory altogether, stay with the process."""


def keep_freed_memory() -> bool:
    """Tell glibc to hold on to freed memory, as a training step needs the same again.

    By default glibc returns large blocks to the system, which hands them out anew as empty pages;
    touching these cost up to a third of a step (ml-100k, bfloat16: 1.60 s an epoch without, 1.31 s
    with). Elsewhere than on Linux with glibc nothing happens.

    Returns:
        Whether it was done.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    return all(
        library.mallopt(setting, KEPT_BYTES) == 1 for setting in (TRIM_THRESHOLD, MMAP_THRESHOLD)
    )


def peak_bytes() -> int:
    """Return the most memory this process has held, in bytes."""
    with suppress(OSError, KeyError, ValueError):  # Linux, where ``forget_peak`` works
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return int(fields["VmHWM"].split()[0]) * 1024
    import resource  # which not every system has; training, which needs this file, can do without

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forget_peak() -> bool:
    """Let the peak begin anew from what is held now, freed memory not counted.

    Returns:
        Whether the system can do it; Linux can.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return True
    return False
