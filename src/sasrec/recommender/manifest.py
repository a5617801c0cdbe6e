"""Manifests: which files of a folder belong together, and what each of them must hold.

A manifest is one more JSON file in the folder, written last. It names every other file with its
size and SHA-256, says when and by which version they were written, and ties them together by one
digest, which is also what this prints::

    sha256sum environment.json metrics.json ... | sha256sum

Reading looks at all files of a folder as one: either they are as they were written together, or
they are refused. A folder that takes the place of another meanwhile is read again.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import Any

from sasrec.errors import ModelError
from sasrec.system.json_limits import json_within_limits
from sasrec.system.writing import REPLACED_SUFFIX, working_prefix

MANIFEST = "manifest.json"
FORMAT = 1
"""Version of the manifest; a reader refuses a higher one."""
PATIENCE_SECONDS = 5.0
"""How long to go on reading a folder that is replaced again and again."""
LOOKS = 5
"""Times in a row that a folder and what it may have been moved to are missing before it is gone."""
PAUSE_SECONDS = 0.01
HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a manifest says of a file.

    Attributes:
        size: In bytes.
        sha256: 64 hexadecimal digits.
    """

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was written together.

    Attributes:
        version: Of sasrec, that wrote it.
        written: When, in the form of ISO 8601, with time zone.
        files: File name to what it must be.
        digest: Of all files together, 64 hexadecimal digits.
    """

    version: str
    written: str
    files: dict[str, FileFacts]
    digest: str


@dataclass(frozen=True, slots=True)
class Together:
    """Files of one folder that belong together.

    Attributes:
        contents: File name to its bytes, for those that were asked for and are there.
        manifest: What was checked; None for a folder that has none.
    """

    contents: dict[str, bytes]
    manifest: Manifest | None


def manifest_text(folder: Path, *, version: str) -> str:
    """Return the manifest of all files that are in a folder, as it is to be written there.

    Args:
        folder: Complete but for its manifest.
        version: Of sasrec.

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


def is_there(folder: Path) -> bool:
    """Return whether a folder is there, once nobody is about to put another in its place.

    Args:
        folder: To be read.

    Returns:
        Whether it can be.
    """
    patience = time.monotonic() + PATIENCE_SECONDS
    looks = 0
    while not folder.is_dir():
        # A replacement may have ended, and another begun, between these two looks.
        looks = 0 if _is_aside(folder) else looks + 1
        if time.monotonic() > patience or looks == LOOKS:
            return False
        time.sleep(PAUSE_SECONDS)
    return True


def read_together(
    folder: Path, required: Collection[str], optional: Collection[str], *, kept: Collection[str]
) -> Together:
    """Read the files of a folder as they were written together.

    All of them are opened before any is read. If another folder takes its place meanwhile, the
    files of that one are read instead.

    Args:
        folder: As written with its manifest, or by a version that wrote none.
        required: Names of files there must be.
        optional: Names of files that belong to it, where they are there.
        kept: Names of the files whose bytes are wanted; the others are only checked.

    Returns:
        What was read and checked.

    Raises:
        ModelError: A file is missing, cannot be read, or is not what the manifest says; or the
            folder was replaced without end.
    """
    names = (*required, *optional, MANIFEST)
    patience = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < patience:
        before = _identity(folder)
        try:
            with ExitStack() as stack:
                files = {
                    name: stack.enter_context((folder / name).open("rb"))
                    for name in names
                    if (folder / name).is_file()
                }
                if before is not None and _identity(folder) == before:
                    return _checked(folder, files, required, kept)
        except OSError as error:
            if before is not None and _identity(folder) == before:
                reason = error.strerror or error
                raise ModelError(f"{error.filename or folder} cannot be read: {reason}") from error
        time.sleep(PAUSE_SECONDS)
    raise ModelError(f"{folder} is being replaced again and again, or was taken away; try again")


def _checked(
    folder: Path, files: dict[str, BufferedReader], required: Collection[str], kept: Collection[str]
) -> Together:
    """Return the contents of open files of one folder, compared with its manifest if it has one.

    Raises:
        ModelError: As ``read_together``.
    """
    missing = [name for name in required if name not in files]
    if missing:
        raise ModelError(
            f"{folder} is no model folder: it lacks {', '.join(missing)}; give the folder that "
            "'sasrec train' wrote"
        )
    listed = files.pop(MANIFEST, None)
    manifest = None if listed is None else _parsed(listed.read(), folder / MANIFEST)
    if manifest is not None:
        _check_names(folder, manifest, files)
    contents = {}
    for name, file in files.items():
        # Before any of it is read: a file may have been made to take all memory.
        if manifest is not None and os.fstat(file.fileno()).st_size != manifest.files[name].size:
            raise ModelError(_changed(folder, name))
        content, facts = _content(file, kept=name in kept)
        if manifest is not None and facts != manifest.files[name]:
            raise ModelError(_changed(folder, name))
        if name in kept:
            contents[name] = content
    return Together(contents, manifest)


def _content(file: BufferedReader, *, kept: bool) -> tuple[bytes, FileFacts]:
    """Return the bytes of a file, if they are kept, and what there is to say of them."""
    if kept:
        content = file.read()
        return content, FileFacts(len(content), hashlib.sha256(content).hexdigest())
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    return b"", FileFacts(file.tell(), digest)


def _check_names(folder: Path, manifest: Manifest, files: Mapping[str, object]) -> None:
    """Refuse files that are there and not in the manifest, or the other way round.

    Raises:
        ModelError: There is such a file.
    """
    if unlisted := sorted(set(files) - set(manifest.files)):
        raise ModelError(_changed(folder, unlisted[0]))
    if missing := sorted(set(manifest.files) - set(files)):
        raise ModelError(
            f"{folder} is damaged or was edited: it lacks {missing[0]!a}, which {MANIFEST} names; "
            "copy the whole folder again, or train anew"
        )


def _changed(folder: Path, name: str) -> str:
    return (
        f"{folder} is damaged or was edited: {name} is not the file that {MANIFEST} describes "
        "(size or SHA-256 differs); copy the whole folder again, or train anew"
    )


def _parsed(raw: bytes, path: Path) -> Manifest:
    """Return a manifest as it was read.

    Raises:
        ModelError: It is none, of a newer version, or its digest is not that of its files.
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
        raise ModelError(f"{path} is damaged or was edited: {_in_a_line(error)}") from error
    if manifest.digest != _digest(manifest.files):
        raise ModelError(
            f"{path} is damaged or was edited: its digest is not that of the files it names; copy "
            "the whole folder again, or train anew"
        )
    return manifest


def _check_format(content: dict[str, Any], path: Path) -> None:
    if content["format"] > FORMAT:
        raise ModelError(
            f"{path} was written by sasrec {str(content.get('sasrec'))[:40]} in format "
            f"{content['format']}; this version reads up to format {FORMAT}: upgrade with "
            "'pip install --upgrade sasrec'"
        )


def _in_a_line(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return " ".join(str(error).split())[:300] or type(error).__name__


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:40]!r} is no text")
    return value


def _hash(value: object) -> str:
    if not isinstance(value, str) or not HASH.fullmatch(value):
        raise ValueError(f"{str(value)[:80]!r} is no SHA-256")
    return value


def _size(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{str(value)[:40]!r} is no size in bytes")
    return value


def _facts(path: Path) -> FileFacts:
    with path.open("rb") as file:
        return _content(file, kept=False)[1]


def _digest(files: Mapping[str, FileFacts]) -> str:
    """Return the digest of all files: that of the lines ``sha256sum`` prints of them."""
    lines = "".join(f"{files[name].sha256}  {name}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode(errors="backslashreplace")).hexdigest()


def _identity(folder: Path) -> tuple[int, ...] | None:
    """Return what is another after a folder was replaced; None while there is none.

    Numbers of folders are used again, so its times belong to it.
    """
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def _is_aside(folder: Path) -> bool:
    """Return whether a folder was moved aside, so that another one will take its place soon."""
    target = folder.resolve()
    return any(target.parent.glob(f"{glob.escape(working_prefix(target))}*{REPLACED_SUFFIX}"))
