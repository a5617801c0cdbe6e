"""Part files: the files of a folder or a pattern, and the columns in the names of their folders."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from sasrec.data.source_names import fixed_folder
from sasrec.errors import DataError
from sasrec.settings.plugins import suffix_of

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
"""What Spark and Hive write for null."""
PARTITION = re.compile(r"([^=/\\]+)=([^/\\]*)")
"""Name of a folder that holds the rows with one value of a column."""


@dataclass(frozen=True, slots=True)
class PartFile:
    """A file, and columns that the names of its folders give it.

    Attributes:
        path: The file.
        constants: Column to its value in all rows, None for null; from a folder such as
            ``date=2024-05-31``.
    """

    path: Path
    constants: dict[str, str | None] = field(default_factory=dict)


def parts_below(folder: Path, suffixes: Sequence[str]) -> list[PartFile]:
    """Return the data files in a folder and the folders in it, sorted by path.

    Files and folders whose names begin with ``.`` or ``_`` are left out, such as ``_SUCCESS``.

    Args:
        folder: The folder.
        suffixes: Suffixes of data files, such as ``csv``; they may be followed by that of a
            compression.

    Returns:
        The files; there may be none.
    """
    found = sorted(_visible_files(folder), key=lambda path: path.relative_to(folder).parts)
    return [
        PartFile(path, partitions(path.relative_to(folder)))
        for path in found
        if suffix_of(path) in suffixes
    ]


def _visible_files(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name[0] not in "._"]
        yield from (Path(root) / name for name in files if name[0] not in "._")


def parts_matching(pattern: str, suffixes: Sequence[str]) -> list[PartFile]:
    """Return the data files that match a pattern, sorted by path.

    Args:
        pattern: A path with ``*``, ``?``, ``[…]`` or ``**``. A folder that matches stands for all
            data files below it.
        suffixes: Suffixes of data files, for folders.

    Returns:
        The files, none twice.

    Raises:
        DataError: Nothing matches.
    """
    fixed = fixed_folder(pattern)
    found: dict[Path, None] = {}
    for path in map(Path, glob.iglob(pattern, recursive=True)):  # leaves out hidden files
        if any(part[0] in "_." for part in path.relative_to(fixed).parts):
            continue
        files = [part.path for part in parts_below(path, suffixes)] if path.is_dir() else [path]
        found |= dict.fromkeys(files)
    if not found:
        raise DataError(f"{pattern}: no data file matches this pattern")
    paths = sorted(found, key=lambda path: path.parts)
    return [PartFile(path, partitions(path.relative_to(fixed))) for path in paths]


def partitions(path: Path) -> dict[str, str | None]:
    """Return the columns that the folders of a path name, as Hive and Spark do.

    >>> partitions(Path("year=2024/shop=a%20b/part-0.parquet"))
    {'year': '2024', 'shop': 'a b'}

    Args:
        path: A path of a file, relative to the folder of the whole table.

    Returns:
        Column to value; None for null.
    """
    found = (PARTITION.fullmatch(part) for part in path.parts[:-1])
    return {
        unquote(each[1]): None if each[2] == HIVE_NULL else unquote(each[2])
        for each in found
        if each
    }
