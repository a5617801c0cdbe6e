"""URLs of stores: split into parts, and passwords kept out of messages."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from sasrec_serve.errors import DataError

_USER_PART = re.compile(r"(://[^:@/?]*):(.*)@")  # a password may contain @, / and ? unescaped
_OPTION = re.compile(r"([?&][^=&]*(?:passw|pwd|secret|token)[^=&]*=)([^&]*)", re.IGNORECASE)
SHORT = 3
"""Passwords shorter than this are left in texts of libraries, as they are parts of words."""


def masked(url: str) -> str:
    """Return a URL with its passwords replaced by ``***``.

    Args:
        url: Such as ``redis://me:secret@host/0``.

    Returns:
        Such as ``redis://me:***@host/0``.
    """
    return _OPTION.sub(r"\1***", _USER_PART.sub(r"\1:***@", url))


def scrubbed(text: str, url: str) -> str:
    """Return the text of an error of a library without the passwords of a URL, in one line.

    Args:
        text: The text.
        url: The URL.

    Returns:
        The text.
    """
    found = {match[2] for match in (*_USER_PART.finditer(url), *_OPTION.finditer(url))}
    for secret in found | {unquote(secret) for secret in found}:
        if len(secret) >= SHORT:
            text = text.replace(secret, "***")
    return " ".join(masked(text).split())


def path_and_options(url: str, known: frozenset[str]) -> tuple[Path, dict[str, str]]:
    """Return the file and the options of a URL of a file, or of a path.

    Args:
        url: ``kind:///relative/path``, ``kind:////absolute/path``, or a path; either may end with
            ``?name=value``.
        known: Names of options.

    Returns:
        The path and the options.

    Raises:
        DataError: The URL names a host or no path, or an option is unknown.
    """
    if "://" in url:
        parts = urlsplit(url)
        if parts.netloc or not parts.path.strip("/"):
            raise DataError(
                f"{url!r} names no file; write {parts.scheme}:///events.{parts.scheme} for a file "
                f"in this folder, or {parts.scheme}:////var/lib/events.{parts.scheme} for a full "
                "path"
            )
        path, query = unquote(parts.path[1:]), parts.query
    else:
        path, _, query = url.partition("?")
    options = {name: values[-1] for name, values in parse_qs(query, True).items()}
    for name in options.keys() - known:
        raise DataError(
            f"{url!r} has an unknown option {name!r}; known are: {', '.join(sorted(known))}"
        )
    return Path(path), options
