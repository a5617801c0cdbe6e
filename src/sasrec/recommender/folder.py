"""The folder a trained model lives in: what it holds, and how it is written whole or not at all.

Weights are safetensors, everything else is JSON; nothing is pickled, and reading executes nothing.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sasrec.errors import ModelError
from sasrec.recommender.manifest import MANIFEST, manifest_text
from sasrec.system.json_limits import json_within_limits
from sasrec.system.writing import (
    REPLACED_SUFFIX,
    UNFINISHED_MARKER,
    exchange_names,
    flush_to_disk,
    make_folders,
    working_prefix,
)

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
"""Version of the folder; a reader refuses a higher one."""
WEIGHTS, SETTINGS, VOCABULARY = "model.safetensors", "settings.json", "vocabulary.json"
METRICS, ENVIRONMENT, CURVE = "metrics.json", "environment.json", "training.png"
EXPLANATION = re.compile(
    rf"explanation(\.html|-[^/]*\.png)|\.explanation[^/]*{UNFINISHED_MARKER}[^/]*"
)
"""What ``sasrec explain`` writes there, and what it leaves when killed; it goes with the model."""
PARTS = (SETTINGS, VOCABULARY, WEIGHTS)
"""Files without which there is no model."""
NOTES = (METRICS, ENVIRONMENT)
NAMES = frozenset({*PARTS, *NOTES, CURVE, MANIFEST})


def is_model(folder: Path) -> bool:
    """Return whether a folder holds a model and nothing else.

    Args:
        folder: An existing folder.

    Returns:
        Whether it may be replaced by another model without loss of anything foreign.
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
    """Refuse a place a model cannot or must not be written to; worth asking before training.

    Args:
        folder: Where a model is to go.
        overwrite: Whether a model there may be replaced.

    Returns:
        The place, with links and ``~`` resolved.

    Raises:
        ModelError: Something else is there, or a model and ``overwrite`` is off, or nothing can be
            written there.
    """
    try:
        target = folder.expanduser().resolve()
        if target.exists():
            _check_existing(target, folder, overwrite=overwrite)
        nearest = next(parent for parent in target.parents if parent.exists())
        tempfile.TemporaryDirectory(prefix=working_prefix(target), dir=nearest).cleanup()
    except (OSError, RuntimeError, ValueError) as error:  # no such user, a name with a NUL
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{folder} cannot be written ({reason}); choose another place") from error
    return target


def _check_existing(target: Path, folder: Path, *, overwrite: bool) -> None:
    if not target.is_dir() or (any(target.iterdir()) and not is_model(target)):
        raise ModelError(f"{folder} exists and is no model folder; choose another place")
    if any(target.iterdir()) and not overwrite:
        raise ModelError(
            f"{folder} already holds a model; choose another place, or replace it with overwrite "
            "(--overwrite)"
        )
    if target == Path.cwd() or target.is_mount():
        raise ModelError(f"{folder} is in use and cannot be replaced; choose another place")


def write_folder(
    folder: Path, weights: dict[str, Tensor], texts: dict[str, dict[str, Any]], *, overwrite: bool
) -> Path:
    """Write a model folder under a temporary name, then give it its own.

    When this returns, the model is on the disk and so is its name; only then is one that it
    replaces taken away. Whoever may read it is up to the umask.

    Args:
        folder: Where to; its parents are made.
        weights: Name to value.
        texts: File name to what its JSON holds.
        overwrite: Replace a model that is there already.

    Returns:
        The folder.

    Raises:
        ModelError: The folder exists and may not be replaced, or cannot be written; what was there
            is still there then.
    """
    from safetensors import SafetensorError

    target = check_target(folder, overwrite=overwrite)
    working = None
    try:
        make_folders(target.parent)
        working = Path(tempfile.mkdtemp(prefix=working_prefix(target), dir=target.parent))
        whole = working / "model"
        whole.mkdir()  # by the umask; the folder around it is private until it has its name
        _fill(whole, weights, texts)
        _swap(whole, target, working.with_name(working.name + REPLACED_SUFFIX))
    except OSError as error:
        raise ModelError(f"{folder} cannot be written: {error.strerror or error}") from error
    except SafetensorError as error:  # its own kind for a full disk
        raise ModelError(f"{folder} cannot be written: {error}") from error
    finally:
        if working is not None:
            shutil.rmtree(working, ignore_errors=True)
    return folder


def _fill(folder: Path, weights: dict[str, Tensor], texts: dict[str, dict[str, Any]]) -> None:
    from importlib.metadata import version

    from safetensors.torch import save_file

    (folder / WEIGHTS).touch()
    permissions = (folder / WEIGHTS).stat().st_mode
    save_file({name: value.contiguous().cpu() for name, value in weights.items()}, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(permissions)  # safetensors puts a file of its own there
    for name, content in texts.items():
        text = json.dumps(content, indent=None if name == VOCABULARY else 2, ensure_ascii=False)
        (folder / name).write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    (folder / MANIFEST).write_text(manifest_text(folder, version=version("sasrec")))
    for path in (*folder.iterdir(), folder):
        flush_to_disk(path)


def _swap(finished: Path, target: Path, aside: Path) -> None:
    """Put a finished folder in its place; if that fails, what was there stays or is put back.

    Args:
        finished: The folder; afterwards, where the system changes names in one step, what was in
            its place.
        target: The place.
        aside: Where what is there goes, where the system does not; it is removed then.
    """
    if not target.exists():
        finished.rename(target)
    elif not exchange_names(finished, target):
        target.rename(aside)
        try:
            finished.rename(target)
        except BaseException:
            aside.rename(target)
            raise
    flush_to_disk(target.parent)
    with suppress(OSError):
        shutil.rmtree(aside)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Args:
        path: The file.

    Returns:
        Its keys and values.

    Raises:
        ModelError: It cannot be read, or holds something else.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}") from error
    return parsed_json(raw, path)


def parsed_json(raw: bytes, path: Path, allowed_values: int = 0) -> dict[str, Any]:
    """Return the object in a JSON text.

    Args:
        raw: The text.
        path: Where it comes from.
        allowed_values: So many values are never too many for its size.

    Returns:
        Its keys and values.

    Raises:
        ModelError: It holds something else.
    """
    try:
        content = json_within_limits(raw, allowed_values)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no JSON object; the model folder is damaged")
    return content
