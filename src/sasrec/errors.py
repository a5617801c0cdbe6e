"""Every error a user of this package can meet, and the words that go with it.

    SasrecError            anything below; the command line prints it and exits with 2 (130 if
                           interrupted)
    ├── SettingsError      an unknown key, a value out of range, two keys that contradict
    ├── DataError          a file that is missing, broken or too small; an unknown data set
    ├── ModelError         a folder that is no model, or one that does not fit
    ├── DeviceError        a device or precision this machine does not have
    └── Interrupted        the user stopped the work (Ctrl-C)

A text says what is wrong, where (file, line, key, value in quotes) and how to mend it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class SasrecError(Exception):
    """The base of all errors the user can mend."""


class SettingsError(SasrecError):
    """A setting is unknown, malformed, out of range, or contradicts another."""


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


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the known name nearest to ``word``, or ``""``.

    Case and the choice between ``-`` and ``_`` are ignored: ``did_you_mean("Learning-Rate",
    ["learning_rate"])`` is ``"; did you mean 'learning_rate'?"``.

    Args:
        word: What the user wrote.
        known: The names that would have been right.

    Returns:
        The question, ready to be appended to an error text, or the empty string.
    """
    spelled = {name.lower().replace("-", "_"): name for name in known}
    nearest = difflib.get_close_matches(word.lower().replace("-", "_"), spelled, n=1, cutoff=0.6)
    return f"; did you mean {spelled[nearest[0]]!r}?" if nearest else ""
