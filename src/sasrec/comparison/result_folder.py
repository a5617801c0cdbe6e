"""The folder of a comparison: its files, and the lock that only one comparison holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sasrec.comparison.entries import Comparison
from sasrec.comparison.kept import UNFINISHED
from sasrec.comparison.report import as_csv, draw_comparison
from sasrec.errors import SettingsError
from sasrec.settings.mistakes import Mistakes
from sasrec.system.locks import exclusive_lock
from sasrec.system.pictures import draw_or_warn
from sasrec.system.writing import remove_leftovers, write_atomically

RESULTS = ("comparison.csv", "comparison.png", "comparison.json")
"""Files of a finished comparison, in the order they are written."""


@contextmanager
def locked_result_folder(
    folder: Path, mistakes: Callable[[], Mistakes] = Mistakes, *, overwrite: bool
) -> Iterator[None]:
    """Lock the folder of a result; raise an error if it would replace an existing result.

    Args:
        folder: Folder of the result.
        mistakes: Returns those of the comparison; they are reported together with an existing
            result.
        overwrite: Replace an existing result.

    Yields:
        Nothing.

    Raises:
        SettingsError: Another comparison is writing to the folder, or it holds a result.
    """
    try:
        with exclusive_lock(folder, wait=False):
            if not overwrite and _holds_result(folder):
                found = mistakes()
                found.add(
                    f"{folder} already holds a comparison; choose another output folder, or, on "
                    "the command line, replace it with --overwrite"
                )
                found.raise_all()
            for name in RESULTS:
                remove_leftovers(folder / name)
            yield
    except BlockingIOError as error:
        raise SettingsError(
            f"another comparison is writing to {folder}; wait until it ends, or choose another "
            "output folder"
        ) from error


def _holds_result(folder: Path) -> bool:
    """Return whether a folder holds a result; partial files of a killed comparison do not count."""
    if (folder / UNFINISHED).is_dir():
        return (folder / RESULTS[-1]).exists()
    return any((folder / name).exists() for name in RESULTS)


def write_result(found: Comparison, folder: Path) -> None:
    """Write a comparison as table, picture and JSON.

    Args:
        found: The comparison.
        folder: An existing folder, locked by ``locked_result_folder``.
    """
    write_atomically(folder / "comparison.csv", as_csv(found))
    picture = folder / "comparison.png"
    picture.unlink(missing_ok=True)  # it may be of an older comparison
    draw_or_warn("the comparison", partial(draw_comparison, found, picture))
    write_atomically(folder / "comparison.json", json.dumps(found.as_json(), indent=1) + "\n")
