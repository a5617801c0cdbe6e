"""The folder of a saved model: its files, and how it is written completely or not at all.

Weights are in a safetensors file and everything else in JSON, so that loading never executes code.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sasrec.errors import ModelError
from sasrec.recommender.manifest import MANIFEST, manifest_text
from sasrec.system.folders import check_replaceable, write_folder_atomically, write_json_files
from sasrec.system.json_limits import json_within_limits
from sasrec.system.writing import UNFINISHED_MARKER

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
"""Version of the folder format; a folder with a higher one is rejected."""
WEIGHTS, SETTINGS, VOCABULARY = "model.safetensors", "settings.json", "vocabulary.json"
ITEM_COLUMNS, CONTENT = "item_columns.json", "content.json"
METRICS, ENVIRONMENT, CURVE = "metrics.json", "environment.json", "training.png"
EXPLANATION = re.compile(
    rf"explanation(\.html|-[^/]*\.png)|\.explanation[^/]*{UNFINISHED_MARKER}[^/]*"
)
"""Files that ``sasrec explain`` writes there, or leaves when killed; replaced with the model."""
CHECKPOINT = ".training.safetensors"
"""Appended to the name of a model folder: the checkpoint of its training, beside the folder."""
PARTS = (SETTINGS, VOCABULARY, WEIGHTS)
"""Files that every model folder has."""
NOTES = (METRICS, ENVIRONMENT, ITEM_COLUMNS, CONTENT)
"""Files that a model can be loaded without."""
COMPACT = (VOCABULARY, ITEM_COLUMNS, CONTENT)
"""Files with lists as long as the catalogue, which are written on one line."""
NAMES = frozenset({*PARTS, *NOTES, CURVE, MANIFEST})


def is_model(folder: Path) -> bool:
    """Return whether a folder holds a model and nothing else.

    Args:
        folder: An existing folder.

    Returns:
        Whether replacing it deletes nothing but a model.
    """
    names = {path.name for path in folder.iterdir()}
    names -= {name for name in names if EXPLANATION.fullmatch(name)}
    if not set(PARTS) <= names <= NAMES:
        return False
    try:
        return "format" in read_json(folder / SETTINGS)
    except ModelError:
        return False


def check_target(folder: Path, *, overwrite: bool) -> Path:
    """Raise an error if a model cannot or must not be written to a folder.

    This is called before training.

    Args:
        folder: Folder to write a model to.
        overwrite: Whether a model there may be replaced.

    Returns:
        The folder, with links and ``~`` resolved.

    Raises:
        ModelError: The folder contains a model and ``overwrite`` is off, contains something else,
            or is not writable.
    """  # raised by check_replaceable
    return check_replaceable(folder, "a model folder", is_model, overwrite=overwrite)


def write_folder(
    folder: Path, weights: dict[str, Tensor], texts: dict[str, dict[str, Any]], *, overwrite: bool
) -> Path:
    """Write a model folder under a temporary name, then rename it.

    When this returns, the folder and its name have been flushed to the disk. A replaced model is
    deleted after that. File permissions follow the umask.

    Args:
        folder: The folder to write; missing parent folders are created.
        weights: Name to value.
        texts: File name to the contents of its JSON.
        overwrite: Replace a model that is already there.

    Returns:
        The folder.

    Raises:
        ModelError: The folder exists and may not be replaced, or cannot be written; an existing
            folder is then unchanged.
    """
    from safetensors import SafetensorError

    target = check_target(folder, overwrite=overwrite)
    try:
        write_folder_atomically(target, lambda working: _fill(working, weights, texts))
    except OSError as error:
        raise ModelError(f"{folder} cannot be written: {error.strerror or error}") from error
    except SafetensorError as error:  # raised if the disk is full
        raise ModelError(f"{folder} cannot be written: {error}") from error
    return folder


def _fill(folder: Path, weights: dict[str, Tensor], texts: dict[str, dict[str, Any]]) -> None:
    from importlib.metadata import version

    from safetensors.torch import save_file

    (folder / WEIGHTS).touch()
    permissions = (folder / WEIGHTS).stat().st_mode
    save_file({name: value.contiguous().cpu() for name, value in weights.items()}, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(permissions)  # safetensors replaces the file
    write_json_files(folder, texts, COMPACT)
    (folder / MANIFEST).write_text(manifest_text(folder, version=version("sasrec")))


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Args:
        path: The file.

    Returns:
        Its keys and values.

    Raises:
        ModelError: The file cannot be read, or does not contain a JSON object.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}") from error
    return parsed_json(raw, path)


def parsed_json(raw: bytes, path: Path, allowed_values: int = 0) -> dict[str, Any]:
    """Return the object in the contents of a JSON file.

    Args:
        raw: The contents.
        path: The file, for error messages.
        allowed_values: Number of values that is always accepted, however small the file.

    Returns:
        Its keys and values.

    Raises:
        ModelError: The contents are not a JSON object.
    """
    try:
        content = json_within_limits(raw, allowed_values)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is not a JSON object; the model folder is damaged")
    return content
