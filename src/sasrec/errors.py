"""Every error a user of this package can meet, and the words that go with it.

    SasrecError            anything below; the command line prints it and exits with 2 (130 if
                           interrupted)
    ├── SettingsError      an unknown key, a value out of range, two keys that contradict
    │   └── SeveralMistakesError    more than one of these
    ├── DataError          a file that is missing, broken or too small; an unknown data set
    ├── ModelError         a folder that is no model, or one that does not fit
    ├── DeviceError        a device or precision this machine does not have
    └── Interrupted        the user stopped the work (Ctrl-C)

A text says what is wrong, where (file, line, key, value in quotes) and how to mend it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence


class SasrecError(Exception):
    """The base of all errors the user can mend."""


class SettingsError(SasrecError):
    """A setting is unknown, malformed, out of range, or contradicts another."""


class SeveralMistakesError(SettingsError):
    """More than one mistake in the settings.

    Attributes:
        mistakes: A text for each, as it would be alone.
    """

    def __init__(self, mistakes: Sequence[str]) -> None:
        """Hold some mistakes.

        Args:
            mistakes: A text for each.
        """
        super().__init__(tuple(mistakes))
        self.mistakes = tuple(mistakes)

    def __str__(self) -> str:
        """Return how many there are, and each on a line of its own."""
        return "\n  ".join((f"{len(self.mistakes)} mistakes in the settings:", *self.mistakes))


class DataError(SasrecError):
    """Data cannot be found, read, or used for what was asked."""


class ModelError(SasrecError):
    """A saved model cannot be found, read, or used for what was asked."""


class DeviceError(SasrecError):
    """A device or a precision was asked for that this machine does not have."""


class Interrupted(SasrecError):  # noqa: N818 - nothing went wrong
    """The user stopped the work (Ctrl-C or SIGTERM); the text says what is kept of it."""


_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for tab and line end
    "\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"  # invisible, or turn the direction
    "\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
_IN_URL = re.compile(r"((?:\b[a-z][\w+.-]+:/*|//)[^\s/:@]*):\S*@", re.IGNORECASE)
_SECRET = re.compile(
    r"([?&;][\w.-]*(?:passw|pwd|secret|token|credential|api_?key|access_?key|signature)[\w.-]*=)"
    r"[^&;\s'\"]+?(?=[:,.)]*(?:[&;\s'\"]|$))",
    re.IGNORECASE,
)


def printable(text: str) -> str:
    r"""Return a text with control characters shown, not obeyed; a terminal obeys some in names.

    Args:
        text: Of anybody.

    Returns:
        The same, but for such as ESC, which becomes ``\x1b``, and for marks that are not seen but
        turn the direction of what follows, such as ``\u202e``. Text that is JSON stays so.
    """
    return _OBEYED.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x7F else f"\\u{code:04x}"


def without_passwords(text: str) -> str:
    """Return a text without the passwords of the URLs in it.

    Args:
        text: Such as ``postgresql://me:secret@host/studies?sslpassword=other``.

    Returns:
        Such as ``postgresql://me:***@host/studies?sslpassword=***``.
    """
    return _SECRET.sub(r"\1***", _IN_URL.sub(r"\1:***@", text))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like a word, or None if none is like it.

    Case and the choice between ``-`` and ``_`` are ignored: ``nearest("Learning-Rate",
    ["learning_rate"])`` is ``"learning_rate"``.

    Args:
        word: What the user wrote.
        known: The names that would have been right.

    Returns:
        A name that is known.
    """
    spelled = {name.lower().replace("-", "_"): name for name in known}
    close = difflib.get_close_matches(word.lower().replace("-", "_"), spelled, n=1, cutoff=0.6)
    return spelled[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the known name nearest to a word, or ``""``.

    Args:
        word: What the user wrote.
        known: The names that would have been right.

    Returns:
        The question, ready to be appended to an error text, or the empty string.
    """
    meant = nearest(word, known)
    return "" if meant is None else f"; did you mean {meant!r}?"


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 epoch``, ``2 epochs``, ``12,000 histories``.

    Args:
        number: How many.
        singular: What there is one of.
        plural: What there are several of; None adds an s.

    Returns:
        The number, with commas between thousands, and the noun.
    """
    noun = singular if number == 1 else plural or f"{singular}s"
    return f"{number:,} {noun}"
