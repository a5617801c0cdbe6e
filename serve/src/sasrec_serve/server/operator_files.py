"""The operator's files beside the export: rules, the lists they name, and a table of items."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from sasrec_serve.rules.switches import RuleSwitches

Stamp: TypeAlias = tuple[int, int, int] | None
"""Changes whenever a file is written or replaced: inode, time and size; None if there is none."""
FROM_FILES = ("candidates", "exclude", "candidates_by_user", "exclude_by_user")
"""Rules that can name a file."""


def stamps_of(files: Iterable[Path | None]) -> dict[Path, Stamp]:
    """Return what changes when one of some files does.

    Args:
        files: The files; None is left out.
    """
    return {path: _stamp(path) for path in files if path is not None}


def files_of(switches: RuleSwitches) -> list[Path]:
    """Return the files that rules name.

    Args:
        switches: The operator's rules.
    """
    values = (
        getattr(rules, name)
        for rules in (switches.always, *switches.sets.values())
        for name in FROM_FILES
    )
    return [value for value in values if isinstance(value, Path)]


def _stamp(path: Path) -> Stamp:
    try:
        found = path.expanduser().stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
