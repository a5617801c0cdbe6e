"""Start Python child processes that do not import modules from the current folder.

With ``-c`` or ``-m``, which ``multiprocessing`` uses too, Python searches the current folder first
for modules: a ``polars.py`` next to a data file would be executed. The option ``-P`` and the
environment variable ``PYTHONSAFEPATH`` exclude that folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SAFE_PATH = "PYTHONSAFEPATH"
"""Environment variable of Python; any non-empty value has the effect of ``-P``."""


def python_command(*words: str) -> list[str]:
    """Return a command that starts Python without the current folder in its module search path.

    Args:
        words: The arguments, such as ``-m`` and a module.

    Returns:
        The command for ``subprocess``.
    """
    return [sys.executable, "-P", *words]


@contextmanager
def safe_path() -> Iterator[None]:
    """Exclude the current folder from the module search path of processes started in the block.

    This covers processes that libraries start.

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
