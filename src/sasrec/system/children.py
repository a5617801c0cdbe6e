"""Children: processes of Python that this one starts, which run no code of the current folder.

Started with ``-c`` or ``-m``, as ``multiprocessing`` does too, Python looks for modules in the
current folder first: a ``polars.py`` beside a data file would be executed. ``-P`` and the variable
``PYTHONSAFEPATH`` leave that folder out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SAFE_PATH = "PYTHONSAFEPATH"
"""Python's environment variable; any text in it means ``-P``."""


def python_command(*words: str) -> list[str]:
    """Return the command of a new Python that leaves the current folder out.

    Args:
        words: What follows the name of the program, such as ``-m`` and a module.

    Returns:
        For ``subprocess``.
    """
    return [sys.executable, "-P", *words]


@contextmanager
def safe_path() -> Iterator[None]:
    """Let processes started within the block, by whichever library, leave the current folder out.

    Yields:
        Nothing.
    """
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(SAFE_PATH, None)
        else:
            os.environ[SAFE_PATH] = before
