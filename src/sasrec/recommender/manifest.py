"""Manifests: a JSON file in a folder that lists every other file with its size and SHA-256.

The manifest is written last. It also contains the time of writing, the version of sasrec, and one
digest of all the files, which is what this command prints::

    sha256sum environment.json metrics.json ... | sha256sum

``read_consistently`` compares a folder with its manifest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import Any

from sasrec.errors import ModelError
from sasrec.system.json_limits import json_within_limits

MANIFEST = "manifest.json"
FORMAT = 1
"""Version of the manifest format; a manifest with a higher one is rejected."""
HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Size and hash of a file, as listed in a manifest.

    Attributes:
        size: In bytes.
        sha256: 64 hexadecimal digits.
    """

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Contents of a manifest.

    Attributes:
        version: Version of sasrec that wrote the folder.
        written: Time of writing in ISO 8601 format, with time zone.
        files: File name to the size and hash the file must have.
        digest: Hash of all files together, 64 hexadecimal digits.
    """

    version: str
    written: str
    files: dict[str, FileFacts]
    digest: str


def manifest_text(folder: Path, *, version: str) -> str:
    """Return the text of the manifest for the files in a folder.

    Args:
        folder: Contains all files except the manifest.
        version: Version of sasrec.

    Returns:
        JSON.
    """
    files = {path.name: _facts(path) for path in sorted(folder.iterdir())}
    content = {
        "format": FORMAT,
        "sasrec": version,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "digest": _digest(files),
        "files": {name: {"bytes": f.size, "sha256": f.sha256} for name, f in files.items()},
    }
    return json.dumps(content, indent=2) + "\n"


def file_facts(file: BufferedReader) -> FileFacts:
    """Return size and hash of an open file, read from its beginning in bounded memory.

    Args:
        file: At its beginning.

    Returns:
        Size and hash.
    """
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileFacts(file.tell(), digest)


def parsed_manifest(raw: bytes, path: Path) -> Manifest:
    """Return a manifest from its JSON.

    Args:
        raw: Contents of the file.
        path: The file, for error messages.

    Returns:
        The manifest.

    Raises:
        ModelError: It is not a manifest, comes from a newer version, or its digest does not match
            the files it lists.
    """
    try:
        content = json_within_limits(raw)
        if isinstance(content, dict) and isinstance(content.get("format"), int):
            _check_format(content, path)
        manifest = Manifest(
            version=_text(content["sasrec"]),
            written=_text(content["written"]),
            files={
                name: FileFacts(_size(facts["bytes"]), _hash(facts["sha256"]))
                for name, facts in content["files"].items()
            },
            digest=_hash(content["digest"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} is damaged or was edited: {_on_one_line(error)}") from error
    if manifest.digest != _digest(manifest.files):
        raise ModelError(
            f"{path} is damaged or was edited: its digest does not match the files it lists; copy "
            "the whole folder again, or train again"
        )
    return manifest


def _check_format(content: dict[str, Any], path: Path) -> None:
    if content["format"] > FORMAT:
        raise ModelError(
            f"{path} was written by sasrec {str(content.get('sasrec'))[:40]} in format "
            f"{content['format']}; this version reads up to format {FORMAT}: upgrade with "
            "'pip install --upgrade sasrec'"
        )


def _on_one_line(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return " ".join(str(error).split())[:300] or type(error).__name__


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:40]!r} is not text")
    return value


def _hash(value: object) -> str:
    if not isinstance(value, str) or not HASH.fullmatch(value):
        raise ValueError(f"{str(value)[:80]!r} is not a SHA-256 hash")
    return value


def _size(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{str(value)[:40]!r} is not a size in bytes")
    return value


def _facts(path: Path) -> FileFacts:
    with path.open("rb") as file:
        return file_facts(file)


def _digest(files: Mapping[str, FileFacts]) -> str:
    """Return the digest of all files: the SHA-256 of what ``sha256sum`` prints for them."""
    lines = "".join(f"{files[name].sha256}  {name}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode(errors="backslashreplace")).hexdigest()
