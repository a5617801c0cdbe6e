"""Reading a folder consistently: all files come from one write, or the folder is rejected.

If another folder replaces the folder during the read, the new one is read instead.
"""

from __future__ import annotations

import glob
import hashlib
import os
import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from sasrec.errors import ModelError
from sasrec.recommender.manifest import MANIFEST, FileFacts, Manifest, file_facts, parsed_manifest
from sasrec.system.writing import REPLACED_SUFFIX, working_prefix

TIMEOUT_SECONDS = 5.0
"""How long to retry while the folder is being replaced."""
ATTEMPTS = 5
"""Successive checks that must find neither the folder nor its renamed predecessor before the
folder counts as missing."""
PAUSE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """Files of a folder that were written together.

    Attributes:
        contents: File name to bytes, for the requested files that exist.
        manifest: The manifest the files were compared with; None if the folder has none.
    """

    contents: dict[str, bytes]
    manifest: Manifest | None


def folder_exists(folder: Path) -> bool:
    """Return whether a folder exists; if it is being replaced, wait until the new one is there.

    Args:
        folder: The folder to read.

    Returns:
        Whether it can be read.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    attempts = 0
    while not folder.is_dir():
        # Between these two checks, one replacement may have ended and another begun.
        attempts = 0 if _is_being_replaced(folder) else attempts + 1
        if time.monotonic() > deadline or attempts == ATTEMPTS:
            return False
        time.sleep(PAUSE_SECONDS)
    return True


def read_consistently(
    folder: Path,
    required: Collection[str],
    optional: Collection[str],
    *,
    returned: Collection[str],
) -> FolderFiles:
    """Read files of a folder, and check that they were written together.

    All files are opened before any is read. If another folder replaces this one in the meantime,
    the files of the new one are read instead.

    Args:
        folder: The folder; one without a manifest is read unchecked.
        required: Names of files that must exist.
        optional: Names of files that are read if they exist.
        returned: Names of the files whose bytes are returned; the others are only checked.

    Returns:
        The checked files.

    Raises:
        ModelError: A file is missing, cannot be read, or differs from the manifest; or the folder
            is replaced again and again.
    """
    names = (*required, *optional, MANIFEST)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        before = _identity(folder)
        try:
            with ExitStack() as stack:
                files = {
                    name: stack.enter_context((folder / name).open("rb"))
                    for name in names
                    if (folder / name).is_file()
                }
                if before is not None and _identity(folder) == before:
                    return _checked(folder, files, required, returned)
        except OSError as error:
            if before is not None and _identity(folder) == before:
                reason = error.strerror or error
                raise ModelError(f"{error.filename or folder} cannot be read: {reason}") from error
        time.sleep(PAUSE_SECONDS)
    raise ModelError(f"{folder} is being replaced again and again, or was removed; try again")


def _checked(
    folder: Path,
    files: dict[str, BufferedReader],
    required: Collection[str],
    returned: Collection[str],
) -> FolderFiles:
    """Return the contents of open files of a folder, compared with its manifest if it has one.

    Raises:
        ModelError: As for ``read_consistently``.
    """
    missing = [name for name in required if name not in files]
    if missing:
        what = "an export, not a model folder" if _is_export(folder) else "not a model folder"
        raise ModelError(
            f"{folder} is {what}: it lacks {', '.join(missing)}; give the folder that 'sasrec "
            "train' wrote"
        )
    listed = files.pop(MANIFEST, None)
    manifest = None if listed is None else parsed_manifest(listed.read(), folder / MANIFEST)
    if manifest is not None:
        _check_names(folder, manifest, files)
    contents = {}
    for name, file in files.items():
        # Before reading: an edited folder may contain a file that would fill the memory.
        if manifest is not None and os.fstat(file.fileno()).st_size != manifest.files[name].size:
            raise ModelError(_changed(folder, name))
        if name in returned:
            contents[name] = file.read()
            facts = _facts_of_bytes(contents[name])
        else:
            facts = file_facts(file)
        if manifest is not None and facts != manifest.files[name]:
            raise ModelError(_changed(folder, name))
    return FolderFiles(contents, manifest)


def _is_export(folder: Path) -> bool:
    """Return whether ``sasrec export`` wrote a folder."""
    return (folder / "serving.json").is_file()


def _facts_of_bytes(content: bytes) -> FileFacts:
    return FileFacts(len(content), hashlib.sha256(content).hexdigest())


def _check_names(folder: Path, manifest: Manifest, files: Mapping[str, object]) -> None:
    """Reject a folder whose files are not exactly those in the manifest.

    Raises:
        ModelError: A file is missing, or is not in the manifest.
    """
    if unlisted := sorted(set(files) - set(manifest.files)):
        raise ModelError(_changed(folder, unlisted[0]))
    if missing := sorted(set(manifest.files) - set(files)):
        raise ModelError(
            f"{folder} is damaged or was edited: it lacks {missing[0]!a}, which {MANIFEST} lists; "
            "copy the whole folder again, or train again"
        )


def _changed(folder: Path, name: str) -> str:
    return (
        f"{folder} is damaged or was edited: {name} is not the file that {MANIFEST} describes "
        "(size or SHA-256 differs); copy the whole folder again, or train again"
    )


def _identity(folder: Path) -> tuple[int, ...] | None:
    """Return numbers that change when a folder is replaced; None if the folder does not exist.

    They include timestamps because file systems reuse inode numbers.
    """
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def _is_being_replaced(folder: Path) -> bool:
    """Return whether a folder was renamed, so that another will soon take its name."""
    target = folder.resolve()
    return any(target.parent.glob(f"{glob.escape(working_prefix(target))}*{REPLACED_SUFFIX}"))
