"""API keys: random texts that clients send, of which the server only keeps hashes."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from sasrec_serve.errors import SettingsError

PREFIX = "sasrec_"
BYTES = 32
"""Random bytes of a key: nobody finds one by trying, so a fast hash is enough."""
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
HASH = re.compile(r"[0-9a-f]{64}")
HEADER = "# name sha256-of-key; written by: sasrec-serve key NAME --file FILE\n"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that a server accepts.

    Attributes:
        hashes: Name of the key and SHA-256 of the key.
    """

    hashes: tuple[tuple[str, bytes], ...]

    def name_of(self, key: str) -> str | None:
        """Return the name of a key; None if it is not accepted.

        All hashes are compared, each in constant time, so the time says nothing about a key.

        Args:
            key: What the client sent.
        """
        own = _hash(key)
        found = None
        for name, known in self.hashes:
            if hmac.compare_digest(own, known):
                found = name
        return found


def read_keys(path: Path) -> Keys:
    """Return the keys of a file, which has some.

    Args:
        path: A file with a name and a hash on each line; lines that start with ``#`` are comments.

    Returns:
        The keys.

    Raises:
        SettingsError: The file cannot be read, a line is not such a line, or there is no key.
    """
    keys = keys_in(path)
    if not keys.hashes:
        raise SettingsError(
            f"{path} has no keys; add one with: sasrec-serve key NAME --file {path}"
        )
    return keys


def keys_in(path: Path) -> Keys:
    """Return the keys of a file, from which all may have been deleted.

    Args:
        path: A file as for ``read_keys``.

    Returns:
        The keys.

    Raises:
        SettingsError: The file cannot be read, or a line is not such a line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read the keys in {path}: {error}") from error
    hashes = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or not NAME.fullmatch(words[0]) or not HASH.fullmatch(words[1]):
            raise SettingsError(
                f"{path}, line {number}: expected a name and the SHA-256 of a key; add keys with: "
                f"sasrec-serve key NAME --file {path}"
            )
        hashes.append((words[0], bytes.fromhex(words[1])))
    return Keys(tuple(hashes))


def new_key(name: str, path: Path) -> str:
    """Make a key, and append its hash to a file.

    Args:
        name: A name for it, to find its line again.
        path: The file; it is made if there is none, readable by its owner only.

    Returns:
        The key; it is written nowhere.

    Raises:
        SettingsError: The name is not made of letters, digits, ``_``, ``.`` and ``-``, or exists;
            or the file cannot be written.
    """
    if not NAME.fullmatch(name):
        raise SettingsError(
            f"a key cannot be named {name!r}; use up to 64 letters, digits, '_', '.' and '-'"
        )
    if path.exists() and any(name == other for other, _ in _known(path)):
        raise SettingsError(f"{path} already has a key named {name!r}; choose another name")
    key = PREFIX + secrets.token_urlsafe(BYTES)
    try:
        path.touch(mode=0o600)
        text = path.read_text(encoding="utf-8")
        start = HEADER if not text else "" if text.endswith("\n") else "\n"
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{start}{name} {_hash(key).hex()}\n")
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot write the key to {path}: {error}") from error
    return key


def _known(path: Path) -> tuple[tuple[str, bytes], ...]:
    text = path.read_text(encoding="utf-8", errors="replace")
    has_keys = any(line.strip() and not line.strip().startswith("#") for line in text.splitlines())
    return keys_in(path).hashes if has_keys else ()


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
