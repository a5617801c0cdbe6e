"""All exceptions of this package that users can get, and functions for their texts.

    SasrecError            base class; the command line prints the error and exits with code 2 (130
                           if interrupted)
    ├── SettingsError      an unknown key, a value out of range, keys that contradict each other
    │   └── SeveralMistakesError    several of these at once
    ├── DataError          a file that is missing, damaged or too small; an unknown data set
    │   └── SettingNeeded           the settings that the text proposes make the data usable
    ├── ModelError         a folder that is not a saved model, or is one that cannot be used here
    ├── DeviceError        a device or precision that this machine does not support
    └── Interrupted        the user stopped the program (Ctrl-C or SIGTERM)

An error text says what is wrong, where (file, line, key, value in quotes), and how to fix it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence


class SasrecError(Exception):
    """The base class of all errors that the user can fix."""


class SettingsError(SasrecError):
    """A setting is unknown, malformed, out of range, or contradicts another."""


class SeveralMistakesError(SettingsError):
    """Several mistakes in the settings.

    Attributes:
        mistakes: The error text of each mistake.
    """

    def __init__(self, mistakes: Sequence[str]) -> None:
        """Create the error.

        Args:
            mistakes: The error text of each mistake.
        """
        super().__init__(tuple(mistakes))
        self.mistakes = tuple(mistakes)

    def __str__(self) -> str:
        """Return the number of mistakes, and each mistake on its own line."""
        return "\n  ".join((f"{len(self.mistakes)} mistakes in the settings:", *self.mistakes))


class DataError(SasrecError):
    """Data cannot be found, read, or used for the requested task."""

    def with_text(self, text: str) -> DataError:
        """Return the same error with another text.

        Args:
            text: The text.
        """
        return DataError(text)


class SettingNeeded(DataError):  # noqa: N818 - what is needed, rather than an error
    """Data that can be used once the user gives some settings, which the text proposes.

    Attributes:
        choices: Settings by name; the user must choose between several.
    """

    def __init__(self, text: str, choices: Sequence[Mapping[str, str]] = ()) -> None:
        """Create the error.

        Args:
            text: The error text.
            choices: The proposals.
        """
        super().__init__(text)
        self.choices = tuple(choices)

    def with_text(self, text: str) -> SettingNeeded:
        """Return the same error with another text.

        Args:
            text: The text.
        """
        return type(self)(text, self.choices)


class ModelError(SasrecError):
    """A saved model cannot be found, read, or used for the requested task."""


class DeviceError(SasrecError):
    """The requested device or precision is not supported by this machine."""


class Interrupted(SasrecError):  # noqa: N818 - not an error
    """The user stopped the program (Ctrl-C or SIGTERM); the text says which results are kept."""


_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, except tab and line feed
    "\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"  # invisible, or change direction
    "\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
_IN_URL = re.compile(r"((?:\b[a-z][\w+.-]+:/*|//)[^\s/:@]*):\S*@", re.IGNORECASE)
_SECRET = re.compile(
    r"([?&;][\w.-]*(?:passw|pwd|secret|token|credential|api_?key|access_?key|signature)[\w.-]*=)"
    r"[^&;\s'\"]+?(?=[:,.)]*(?:[&;\s'\"]|$))",
    re.IGNORECASE,
)


def printable(text: str) -> str:
    r"""Return a text with control characters escaped, so that a terminal does not execute them.

    Args:
        text: Any text, such as a file name from an untrusted source.

    Returns:
        The text with control characters such as ESC replaced by escapes such as ``\x1b``, and
        invisible or direction-changing characters by escapes such as ``\u202e``. Valid JSON stays
        valid JSON.
    """
    return _UNSAFE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x7F else f"\\u{code:04x}"


def without_passwords(text: str) -> str:
    """Return a text in which the passwords of URLs are replaced by ``***``.

    Args:
        text: Such as ``postgresql://me:secret@host/studies?sslpassword=other``.

    Returns:
        Such as ``postgresql://me:***@host/studies?sslpassword=***``.
    """
    return _SECRET.sub(r"\1***", _IN_URL.sub(r"\1:***@", text))


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that is most similar to a word, or None if none is similar.

    Case and the choice between ``-`` and ``_`` are ignored: ``nearest("Learning-Rate",
    ["learning_rate"])`` is ``"learning_rate"``.

    Args:
        word: The word that the user wrote.
        known: The known names.
        cutoff: The least similarity, from 0 to 1.

    Returns:
        The most similar known name, or None.
    """
    spelled = {name.lower().replace("-", "_"): name for name in known}
    close = difflib.get_close_matches(word.lower().replace("-", "_"), spelled, n=1, cutoff=cutoff)
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
    """Return a number with its noun: ``1 epoch``, ``2 epochs``, ``12,000 histories``.

    Args:
        number: The number.
        singular: The noun for the number 1.
        plural: The noun for all other numbers; None adds an s to ``singular``.

    Returns:
        The number, with commas as thousands separators, and the noun.
    """
    noun = singular if number == 1 else plural or f"{singular}s"
    return f"{number:,} {noun}"
