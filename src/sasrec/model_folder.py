"""The folder a trained model lives in: how it is written whole or not at all, and read with care.

Weights are safetensors, everything else is JSON; nothing is pickled, and reading executes nothing.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from sasrec.data.limits import json_within_limits
from sasrec.data.writing import ASIDE, working_prefix
from sasrec.errors import ModelError, did_you_mean

FORMAT = 1
"""Version of the folder; a reader refuses a higher one."""
WEIGHTS, SETTINGS, VOCABULARY = "model.safetensors", "settings.json", "vocabulary.json"
METRICS, ENVIRONMENT, CURVE = "metrics.json", "environment.json", "training.png"
EXPLANATION = re.compile(r"explanation(\.html|-[^/]*\.png)")
"""What ``sasrec explain`` writes there; it goes with the model."""
NAMES = frozenset({WEIGHTS, SETTINGS, VOCABULARY, METRICS, ENVIRONMENT, CURVE})


@dataclass(frozen=True, slots=True)
class Contents:
    """What a model folder holds, read but not yet understood.

    Attributes:
        weights: Name to value.
        settings: All settings of the run, by group.
        vocabulary: Item tokens, counts and titles.
        metrics: What was measured after training; may be empty.
        environment: Versions and machine; may be empty.
    """

    weights: dict[str, Tensor]
    settings: dict[str, Any]
    vocabulary: dict[str, Any]
    metrics: dict[str, Any]
    environment: dict[str, Any]


def is_model(folder: Path) -> bool:
    """Return whether a folder holds a model and nothing else.

    Args:
        folder: An existing folder.

    Returns:
        Whether it may be replaced by another model without loss of anything foreign.
    """
    names = {path.name for path in folder.iterdir()}
    names -= {name for name in names if EXPLANATION.fullmatch(name)}
    if not {WEIGHTS, SETTINGS, VOCABULARY} <= names <= NAMES:
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
        target.parent.mkdir(parents=True, exist_ok=True)
        working = Path(tempfile.mkdtemp(prefix=working_prefix(target), dir=target.parent))
        _fill(working, weights, texts)
        _swap(working, target)
    except OSError as error:
        raise ModelError(f"{folder} cannot be written: {error.strerror or error}") from error
    except SafetensorError as error:  # its own kind for a full disk
        raise ModelError(f"{folder} cannot be written: {error}") from error
    finally:
        if working is not None:
            shutil.rmtree(working, ignore_errors=True)
    return folder


def _fill(folder: Path, weights: dict[str, Tensor], texts: dict[str, dict[str, Any]]) -> None:
    from safetensors.torch import save_file

    save_file({name: value.contiguous().cpu() for name, value in weights.items()}, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(0o644)
    for name, content in texts.items():
        text = json.dumps(content, indent=None if name == VOCABULARY else 2, ensure_ascii=False)
        (folder / name).write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    folder.chmod(0o755)


def _swap(working: Path, target: Path) -> None:
    """Put a finished folder in its place; if that fails, put back what was there."""
    old = working.with_name(working.name + ASIDE)
    if target.exists():
        target.rename(old)
    try:
        working.rename(target)
    except BaseException:
        if old.exists():
            old.rename(target)
        raise
    with suppress(OSError):
        shutil.rmtree(old)


def read_folder(path: Path) -> Contents:
    """Read a model folder.

    Args:
        path: The folder.

    Returns:
        What it holds.

    Raises:
        ModelError: It is no model folder, cannot be read, or comes from a newer version.
    """
    if not path.is_dir():
        raise ModelError(f"{path}: no such model folder{_meant(path)}")
    missing = [name for name in (SETTINGS, VOCABULARY, WEIGHTS) if not (path / name).is_file()]
    if missing:
        raise ModelError(
            f"{path} is no model folder: it lacks {', '.join(missing)}; give the folder that "
            "'sasrec train' wrote"
        )
    settings = read_json(path / SETTINGS)
    _check_format(path, settings)
    weights = _read_weights(path / WEIGHTS)
    # Any model has at least one weight for each item, and an item three values there.
    most = 4 * sum(value.numel() for value in weights.values())
    return Contents(
        weights=weights,
        settings=settings,
        vocabulary=read_json(path / VOCABULARY, most),
        metrics=read_json(path / METRICS) if (path / METRICS).is_file() else {},
        environment=read_json(path / ENVIRONMENT) if (path / ENVIRONMENT).is_file() else {},
    )


def _meant(path: Path) -> str:
    """Return which model beside a missing folder may have been meant; or what is there."""
    try:
        there = sorted(each.name for each in path.parent.iterdir() if (each / WEIGHTS).is_file())
    except OSError:
        return ""
    if near := did_you_mean(path.name, there):
        return near
    return f" (models in {path.parent}: {', '.join(there[:5])})" if there else ""


def _check_format(path: Path, settings: dict[str, Any]) -> None:
    from importlib.metadata import version

    number, made_by = settings.pop("format", None), settings.pop("sasrec", "an unknown version")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ModelError(
            f"{path / SETTINGS} names no format; the model folder is damaged or was edited"
        )
    if number > FORMAT:
        raise ModelError(
            f"{path} was written by sasrec {made_by} in format {number}; this is sasrec "
            f"{version('sasrec')}, which reads up to format {FORMAT}: upgrade with "
            "'pip install --upgrade sasrec'"
        )


def _read_weights(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or ["unreadable"])[0]
        raise ModelError(f"{path} is damaged: {reason}") from error


def read_json(path: Path, most_values: int = 0) -> dict[str, Any]:
    """Return the object in a JSON file.

    Args:
        path: The file.
        most_values: So many values are never too many for its size.

    Returns:
        Its keys and values.

    Raises:
        ModelError: It cannot be read, or holds something else.
    """
    try:
        content = json_within_limits(path.read_bytes(), most_values)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no JSON object; the model folder is damaged")
    return content
