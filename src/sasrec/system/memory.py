"""Memory: for a while, what was freed is kept for the next piece of work; and peaks."""

from __future__ import annotations

import ctypes
import platform
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""glibc's numbers of the two settings (``malloc.h``)."""
KEPT_BYTES = 2**30
"""Blocks up to this size, and this much free memory altogether, stay with the process meanwhile."""
RESTORED_MMAP, RESTORED_TRIM = 2**25, 2**26
"""What is set afterwards: glibc cannot be asked what was set before. By itself it raises the first
up to this size as larger blocks are freed, and keeps the second at twice as much."""

_owners = 0
_owners_lock = threading.Lock()


@contextmanager
def freed_memory_kept() -> Iterator[bool]:
    """Let glibc hold on to freed memory for a while, as a training step needs the same again.

    By default glibc returns large blocks to the system, which hands them out anew as empty pages;
    touching these cost up to a third of a step (ml-100k, bfloat16: 1.60 s an epoch without, 1.31 s
    with). Elsewhere than on Linux with glibc nothing happens. May be nested, and used by several
    threads: when the last one ends, large blocks go back to the system again.

    Yields:
        Whether this is Linux with glibc.
    """
    global _owners
    with _owners_lock:
        _owners += 1
        if _owners == 1:
            _set_thresholds(KEPT_BYTES, KEPT_BYTES)
    try:
        yield _glibc() is not None
    finally:
        with _owners_lock:
            _owners -= 1
            if not _owners:
                _set_thresholds(RESTORED_MMAP, RESTORED_TRIM)


@contextmanager
def release_memory_after() -> Iterator[None]:
    """Keep freed memory during a run, and return it to the system at its end.

    Around a function (``@release_memory_after()``) this happens when its variables are gone.

    Yields:
        Nothing.
    """
    try:
        with freed_memory_kept():
            yield
    finally:
        with _owners_lock:
            library = _glibc()
            if not _owners and library is not None:
                library.malloc_trim(0)


def _set_thresholds(mmap: int, trim: int) -> None:
    """Tell glibc from which size blocks are taken from the system, and how much free is kept."""
    library = _glibc()
    if library is not None:
        library.mallopt(TRIM_THRESHOLD, trim)
        library.mallopt(MMAP_THRESHOLD, mmap)


@cache
def _glibc() -> ctypes.CDLL | None:
    """Return glibc; None elsewhere than on Linux with it."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def peak_bytes() -> int:
    """Return the most memory this process has held, in bytes."""
    with suppress(OSError, KeyError, ValueError):  # Linux, where ``reset_peak`` works
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return int(fields["VmHWM"].split()[0]) * 1024
    import resource  # which not every system has; training, which needs this file, can do without

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def reset_peak() -> bool:
    """Let the peak begin anew from what is held now, freed memory not counted.

    Returns:
        Whether the system can do it; Linux can.
    """
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return True
    return False
