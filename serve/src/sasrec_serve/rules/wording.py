"""Words of the messages about rules."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, except tab and line feed
    "\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"  # invisible, or change direction
    "\ud800-\udfff\ufeff\ufff9-\ufffb]"
)


def printable(text: str) -> str:
    r"""Return a text with control characters escaped, so that a terminal does not execute them.

    Args:
        text: Any text.

    Returns:
        The text with characters such as ESC replaced by escapes such as ``\x1b``.
    """
    return _UNSAFE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x7F else f"\\u{code:04x}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to a word; None if none is similar.

    Args:
        word: The word that the user wrote.
        known: The known names; case and the choice between ``-`` and ``_`` are ignored.

    Returns:
        The most similar name, or None.
    """
    spelled = {name.lower().replace("-", "_"): name for name in known}
    close = difflib.get_close_matches(word.lower().replace("-", "_"), spelled, n=1)
    return spelled[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the known name nearest to a word, or ``""``.

    Args:
        word: The word that the user wrote.
        known: The known names.

    Returns:
        The question, to be appended to an error text, or the empty string.
    """
    meant = nearest(word, known)
    return "" if meant is None else f"; did you mean {meant!r}?"


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 item``, ``12,000 items``.

    Args:
        number: The number.
        singular: The noun for the number 1.
        plural: The noun for all other numbers; None adds an s to ``singular``.

    Returns:
        The number, with commas as thousands separators, and the noun.
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
