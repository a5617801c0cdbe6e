"""Where exports are: one folder, a symbolic link to one, or a folder of versions."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TypeAlias

from sasrec_serve.errors import ExportError
from sasrec_serve.exported.manifest import MANIFEST

FOUND = "lost+found"
"""A folder that file systems have, and that only root may read."""
Mark: TypeAlias = tuple[str, tuple[tuple[str, int, int, int], ...]]
"""Changes whenever another export is at the place, or a copy of one goes on: the path; and name,
inode, time and size of each file."""


def exports_at(place: Path) -> list[Path]:
    """Return the exports at a place, the one to serve first.

    Args:
        place: An export; or a folder of exports, of which the last by name is the newest, where
            ``v10`` follows ``v9``. Folders whose name begins with a dot are left out.

    Returns:
        At least one folder, with symbolic links followed.

    Raises:
        ExportError: There is no export.
    """
    try:
        if (place / MANIFEST).is_file():
            return [place.resolve()]
        versions = [each for each in place.iterdir() if _is_version(each)]
    except OSError as error:
        raise ExportError(
            f"cannot open {place}: {error.strerror}; give a folder written by 'sasrec export'"
        ) from error
    if not versions:
        raise ExportError(
            f"{place} is not an export: it has no {MANIFEST}, and no folder in it has one; give a "
            "folder written by 'sasrec export'"
        )
    newest = sorted(versions, key=lambda each: _natural(each.name), reverse=True)
    return [each.resolve() for each in newest]


def mark_of(folder: Path) -> Mark | None:
    """Return what changes when an export is replaced; None if there is none now.

    Args:
        folder: The export.
    """
    try:
        with os.scandir(folder) as entries:
            files = tuple(sorted(_file_mark(entry) for entry in entries))
    except OSError:
        return None
    return (str(folder), files) if any(file[0] == MANIFEST for file in files) else None


def _file_mark(entry: os.DirEntry[str]) -> tuple[str, int, int, int]:
    try:
        found = entry.stat()
    except FileNotFoundError:  # a link to nothing
        found = entry.stat(follow_symlinks=False)
    return entry.name, found.st_ino, found.st_mtime_ns, found.st_size


def _is_version(folder: Path) -> bool:
    """Return whether a folder is an export, or could be one: its loading then tells the reason."""
    if folder.name.startswith(".") or folder.name == FOUND:
        return False
    try:
        return (folder / MANIFEST).is_file()
    except PermissionError:
        return True


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key by which numbers in names are sorted by value."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
