"""The manifest of an export: which files it has, with their sizes and hashes."""

from __future__ import annotations

import hashlib
import json
import mmap
import re
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sasrec_serve.errors import ExportError

MANIFEST = "manifest.json"
FORMAT = 1
"""Version of the manifest; one with a higher version is refused."""
HASH = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
"""Names that a file in a manifest may have; none leads out of the folder."""
AGAIN = "export the model again, or copy the whole folder again"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of a manifest.

    Attributes:
        folder: The folder it is in.
        raw: Its bytes.
        version: Version of sasrec that wrote the folder.
        written: Time of writing in ISO 8601 format, with time zone.
        digest: Hash of all files together, 64 hexadecimal digits.
        files: File name to size in bytes and SHA-256.
    """

    folder: Path
    raw: bytes
    version: str
    written: str
    digest: str
    files: dict[str, tuple[int, str]]

    def json(self, name: str) -> Any:
        """Return the contents of a JSON file after its hash was checked.

        Args:
            name: Name of the file.

        Returns:
            What is in the file.

        Raises:
            ExportError: The file is missing or damaged, or is not JSON.
        """
        raw = _content(self._path(name))
        self._check_hash(name, raw)
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise ExportError(
                f"{self.folder / name} is not the JSON of an export ({error}); {AGAIN}"
            ) from error

    def mapped(self, name: str, executor: Executor) -> tuple[mmap.mmap, Future[None]]:
        """Map a file into memory, and begin to check its hash.

        Args:
            name: Name of the file.
            executor: Where the hash is computed; it takes 0.2 seconds for 256 MB.

        Returns:
            The file, and a future whose ``result()`` raises an ``ExportError`` if it is damaged.

        Raises:
            ExportError: The file is missing, or of another size.
        """
        path = self._path(name)
        try:
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ExportError(f"{path} cannot be read ({_reason(error)}); {AGAIN}") from error
        # The whole file at once: hashlib then needs Python's lock only at the beginning and end.
        return mapped, executor.submit(self._check_hash, name, mapped)

    def _path(self, name: str) -> Path:
        """Return the path of a file, after its size was checked.

        Raises:
            ExportError: The file is missing, or of another size.
        """
        path = self.folder / name
        if name not in self.files:
            raise ExportError(f"{self.folder / MANIFEST} lists no {name}; {AGAIN}")
        try:
            size = path.stat().st_size
        except OSError as error:
            raise ExportError(f"{path} cannot be read ({_reason(error)}); {AGAIN}") from error
        if size != self.files[name][0]:
            raise ExportError(
                f"{path} has {size:,} bytes instead of the {self.files[name][0]:,} in {MANIFEST}; "
                f"{AGAIN}"
            )
        return path

    def _check_hash(self, name: str, content: bytes | mmap.mmap) -> None:
        if hashlib.sha256(content).hexdigest() != self.files[name][1]:
            raise ExportError(
                f"{self.folder / name} is damaged or was edited: its SHA-256 is not the one in "
                f"{MANIFEST}; {AGAIN}"
            )


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of an export.

    Args:
        folder: The folder.

    Returns:
        The manifest.

    Raises:
        ExportError: The folder does not exist or is not an export, or the manifest is damaged or
            of a newer version.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise ExportError(f"{folder} is not a folder; give one that 'sasrec export' wrote")
    if not path.is_file():
        raise ExportError(
            f"{folder} is not an export, as it has no {MANIFEST}; write one with: sasrec export "
            "MODEL --out DIR"
        )
    raw = _content(path)
    try:
        content = json.loads(raw)
        _check_format(content, path)
        files = {name: _facts(name, facts) for name, facts in content["files"].items()}
        return Manifest(
            folder,
            raw,
            version=str(content["sasrec"]),
            written=str(content["written"]),
            digest=_digest(content["digest"], files),
            files=files,
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ExportError(f"{path} is damaged or was edited: {_reason(error)}; {AGAIN}") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ExportError(f"{path} cannot be read ({_reason(error)}); {AGAIN}") from error


def _check_format(content: dict[str, Any], path: Path) -> None:
    if not isinstance(content["format"], int):
        raise TypeError("its format is not a number")
    if content["format"] > FORMAT:
        raise ExportError(
            f"{path} was written by sasrec {str(content.get('sasrec'))[:40]} in format "
            f"{content['format']}; this version reads up to format {FORMAT}: upgrade with "
            "'pip install --upgrade sasrec-serve'"
        )


def _facts(name: str, facts: dict[str, Any]) -> tuple[int, str]:
    size, sha256 = facts["bytes"], facts["sha256"]
    if not NAME.fullmatch(name) or type(size) is not int or not HASH.fullmatch(sha256):
        raise ValueError(f"the entry {name[:80]!r} is not a file name with its size and hash")
    return size, sha256


def _digest(digest: str, files: dict[str, tuple[int, str]]) -> str:
    """Return the digest of all files, after comparing it with the list of files.

    Raises:
        ValueError: They do not belong together.
    """
    lines = "".join(f"{files[name][1]}  {name}\n" for name in sorted(files))
    if digest != hashlib.sha256(lines.encode()).hexdigest():
        raise ValueError("its digest does not match the files it lists")
    return digest


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    found = getattr(error, "strerror", None) or str(error)
    return " ".join(found.split())[:300] or type(error).__name__
