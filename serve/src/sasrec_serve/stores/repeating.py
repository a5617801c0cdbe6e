"""Repeats a call of a server whose connection was lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from sasrec_serve.errors import StoreUnavailable

Answer = TypeVar("Answer")
PAUSE = 0.1
"""Seconds before a call is repeated."""
PATIENCE = 2.0
"""Seconds after which a call that failed is not repeated, so that nobody waits twice as long."""


def with_repetition(call: Callable[[], Answer], *, repeatable: bool) -> Answer:
    """Call a server, and once more if that failed at once and calling twice is safe.

    Args:
        call: The call.
        repeatable: Whether calling twice has the same effect as calling once.

    Returns:
        The answer.

    Raises:
        StoreUnavailable: The server does not answer.
    """
    started = time.monotonic()
    try:
        return call()
    except StoreUnavailable:
        if not repeatable or time.monotonic() - started > PATIENCE:
            raise
    time.sleep(PAUSE)
    return call()
