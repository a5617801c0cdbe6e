"""The folder of an export: its files, and how it is written completely or not at all.

``docs/export.md`` describes the files for programs that read them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sasrec.errors import ModelError
from sasrec.recommender.folder import WEIGHTS, read_json
from sasrec.recommender.manifest import MANIFEST, manifest_text
from sasrec.system.folders import check_replaceable, write_folder_atomically, write_json_files

FORMAT = 1
"""Version of the folder format; programs should refuse a folder with a higher one."""
Kind = Literal["onnx", "torch"]
"""Format of the network."""
NETWORKS: dict[Kind, str] = {"onnx": "network.onnx", "torch": "network.pt2"}
SERVING, VOCABULARY, TITLES = "serving.json", "vocabulary.json", "titles.json"
ITEM_COLUMNS, CARD, CHECK = "item_columns.json", "card.json", "check.json"
VECTORS, TRAINED, POPULARITY = "item_vectors.npy", "trained.npy", "popularity.npy"
TRAINED_USERS = "trained_users.npy"
COMPACT = (VOCABULARY, TITLES, ITEM_COLUMNS)
"""Files with lists as long as the catalogue, which are written on one line."""
TEXTS = (SERVING, VOCABULARY, TITLES, ITEM_COLUMNS, CARD, CHECK)
ARRAYS = (VECTORS, TRAINED, POPULARITY, TRAINED_USERS)
NAMES = frozenset({*TEXTS, *ARRAYS, *NETWORKS.values(), "network.onnx.data", MANIFEST})


def is_export(folder: Path) -> bool:
    """Return whether a folder holds an export and nothing else.

    Args:
        folder: An existing folder.

    Returns:
        Whether replacing it deletes nothing but an export.
    """
    names = {path.name for path in folder.iterdir()}
    if SERVING not in names or not names <= NAMES:
        return False
    try:
        return "format" in read_json(folder / SERVING)
    except ModelError:
        return False


def check_target(folder: Path, *, overwrite: bool) -> Path:
    """Raise an error if an export cannot or must not be written to a folder.

    Args:
        folder: Folder to write to.
        overwrite: Whether an export there may be replaced.

    Returns:
        The folder, with links and ``~`` resolved.

    Raises:
        ModelError: The folder contains an export and ``overwrite`` is off, contains something else,
            is inside a model folder, or is not writable.
    """
    target = check_replaceable(folder, "an export", is_export, overwrite=overwrite)
    for parent in target.parents:
        if (parent / WEIGHTS).is_file():
            raise ModelError(
                f"{folder} is inside the model folder {parent}, which then could not be replaced; "
                "choose another folder"
            )
    return target


def write_export(
    target: Path,
    texts: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    write_network: Callable[[Path], object],
    *,
    overwrite: bool,
) -> int:
    """Write an export under a temporary name, then rename it; an existing one is replaced.

    Args:
        target: The folder, from ``check_target``.
        texts: File name to the contents of its JSON.
        arrays: File name to an array.
        write_network: Receives a folder, writes the network to it, and checks it.
        overwrite: Whether an export there may be replaced, also one written in the meantime.

    Returns:
        Size of all files together, in bytes.

    Raises:
        ModelError: The folder cannot be written, or something came into its place in the meantime;
            an existing one is then unchanged.
    """
    n_bytes = 0

    def fill(folder: Path) -> None:
        from importlib.metadata import version

        nonlocal n_bytes

        write_network(folder)
        write_json_files(folder, texts, COMPACT)
        for name, array in arrays.items():
            np.save(folder / name, array, allow_pickle=False)
        (folder / MANIFEST).write_text(manifest_text(folder, version=version("sasrec")))
        n_bytes = sum(path.stat().st_size for path in folder.iterdir())
        check_target(target, overwrite=overwrite)

    try:
        write_folder_atomically(target, fill)
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error.strerror or error}") from error
    return n_bytes
