"""Words of error texts that several files need."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the known name nearest to a word, or ``""``.

    Args:
        word: The word that the user wrote.
        known: The known names; case and the choice between ``-`` and ``_`` are ignored.

    Returns:
        The question, to be appended to an error text, or the empty string.
    """
    spelled = {name.lower().replace("-", "_"): name for name in known}
    close = difflib.get_close_matches(word.lower().replace("-", "_"), spelled, n=1)
    return f"; did you mean {spelled[close[0]]!r}?" if close else ""


def counted(number: int, singular: str) -> str:
    """Return a number with its noun: ``1 event``, ``12,000 events``.

    Args:
        number: The number.
        singular: The noun for the number 1; the plural adds an s.

    Returns:
        The number, with commas as thousands separators, and the noun.
    """
    return f"{number:,} {singular}{'' if number == 1 else 's'}"
