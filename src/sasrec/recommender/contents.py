"""Reading a model folder: parsed and checked, but not yet turned into a model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from sasrec.errors import ModelError, did_you_mean
from sasrec.recommender.consistent_read import FolderFiles, folder_exists, read_consistently
from sasrec.recommender.folder import (
    CHECKPOINT,
    CONTENT,
    ENVIRONMENT,
    FORMAT,
    ITEM_COLUMNS,
    METRICS,
    NOTES,
    PARTS,
    SETTINGS,
    VOCABULARY,
    WEIGHTS,
    parsed_json,
)
from sasrec.recommender.manifest import Manifest

if TYPE_CHECKING:
    from torch import Tensor

MAX_COLUMNS = 64
"""Number of values of ``item_columns.json`` for each value that ``vocabulary.json`` may have."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Contents of a model folder; most values are not checked yet.

    Attributes:
        weights: Name to value.
        settings: All settings of the run, by group.
        vocabulary: Item tokens, counts and titles.
        metrics: Validation and test metrics; may be empty.
        environment: Versions and hardware; may be empty.
        version: Version of sasrec that wrote the folder.
        item_columns: Facts about items; may be empty.
        content: How the content of items was turned into numbers; may be empty.
        manifest: The manifest that the files match; None for a folder of 0.1.0, which has none.
    """

    weights: dict[str, Tensor]
    settings: dict[str, Any]
    vocabulary: dict[str, Any]
    metrics: dict[str, Any]
    environment: dict[str, Any]
    version: str
    item_columns: dict[str, Any]
    content: dict[str, Any]
    manifest: Manifest | None


def read_folder(path: Path) -> Contents:
    """Read a model folder, and check that its files were written together.

    Args:
        path: The folder.

    Returns:
        The contents; the weights are copies, so later changes to the file do not affect them.

    Raises:
        ModelError: It is not a model folder, cannot be read, was changed after it was written, or
            comes from a newer version.
    """
    files = _files(path, (*PARTS, *NOTES))
    settings, version = _settings(
        path, files
    )  # before the weights, which a newer version may store differently
    weights = _parsed_weights(files.contents.pop(WEIGHTS), path / WEIGHTS)
    # A model has at least one weight for each item, and vocabulary.json three values for each item.
    max_values = 4 * sum(value.numel() for value in weights.values())
    return _parsed(path, files, settings, version, weights=weights, max_values=max_values)


def read_without_weights(path: Path) -> Contents:
    """Read a model folder without PyTorch; of the weights, only the hash is checked.

    Args:
        path: The folder.

    Returns:
        The contents, without weights.

    Raises:
        ModelError: As for ``read_folder``, except that weights are not parsed.
    """
    files = _files(path, (SETTINGS, VOCABULARY, *NOTES))
    settings, version = _settings(path, files)
    max_values = (path / WEIGHTS).stat().st_size  # as in read_folder: four bytes for each weight
    return _parsed(path, files, settings, version, weights={}, max_values=max_values)


def _files(path: Path, returned: Collection[str]) -> FolderFiles:
    if not folder_exists(path):
        if _has_checkpoint(path):
            raise ModelError(
                f"{path} holds no model yet, because its training is unfinished; if it no longer "
                f"runs, continue it with 'sasrec train --resume {path}' (in Python: "
                f"sasrec.resume({str(path)!r}))"
            )
        raise ModelError(f"{path}: no such model folder{_suggestion(path)}")
    return read_consistently(path, PARTS, NOTES, returned=returned)


def _settings(path: Path, files: FolderFiles) -> tuple[dict[str, Any], str]:
    """Return the settings of a run and the version of sasrec that wrote them.

    Raises:
        ModelError: The file is not JSON, or comes from a newer version.
    """
    settings = parsed_json(files.contents[SETTINGS], path / SETTINGS)
    return settings, _checked_format(path, settings)


def _parsed(
    path: Path,
    files: FolderFiles,
    settings: dict[str, Any],
    version: str,
    *,
    weights: dict[str, Tensor],
    max_values: int,
) -> Contents:
    """Return the contents of a model folder from its JSON files and weights.

    Raises:
        ModelError: A file is not JSON, or ``metrics.json`` has the wrong form.
    """
    texts = files.contents
    metrics = parsed_json(texts[METRICS], path / METRICS) if METRICS in texts else {}
    _check_metrics(path, metrics)
    columns = texts.get(ITEM_COLUMNS, b"{}")
    return Contents(
        weights=weights,
        settings=settings,
        vocabulary=parsed_json(texts[VOCABULARY], path / VOCABULARY, max_values),
        metrics=metrics,
        environment=parsed_json(texts[ENVIRONMENT], path / ENVIRONMENT)
        if ENVIRONMENT in texts
        else {},
        version=version,
        item_columns=parsed_json(columns, path / ITEM_COLUMNS, MAX_COLUMNS * max_values),
        content=parsed_json(texts.get(CONTENT, b"{}"), path / CONTENT, max_values),
        manifest=files.manifest,
    )


class _Report(BaseModel):
    """Types of the values that this package reads from a report in ``metrics.json``."""

    model_config = ConfigDict(strict=True)
    dataset: dict[str, Any] = {}
    validation: dict[str, float] = {}
    test: dict[str, float] = {}


class _Metrics(BaseModel):
    """Types of the values that this package reads from ``metrics.json``."""

    model_config = ConfigDict(strict=True)
    reports: list[_Report] = []
    epochs: list[dict[str, Any]] = []
    remarks: list[dict[str, Any]] = []


def _check_metrics(path: Path, metrics: dict[str, Any]) -> None:
    """Reject metrics whose values have the wrong type.

    Args:
        path: The model folder.
        metrics: Contents of ``metrics.json``.

    Raises:
        ModelError: A value has the wrong type.
    """
    try:
        _Metrics(**{key: metrics[key] for key in _Metrics.model_fields if key in metrics})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ModelError(
            f"{path / METRICS} is damaged or was edited: {where}: {first['msg']}"
        ) from error


def _has_checkpoint(path: Path) -> bool:
    try:
        return path.with_name(path.name + CHECKPOINT).is_file()
    except (OSError, ValueError):  # no name, or one that becomes too long
        return False


def _suggestion(path: Path) -> str:
    """Return a similar name next to a missing folder, or else the names of the models there."""
    try:
        there = sorted(each.name for each in path.parent.iterdir() if (each / WEIGHTS).is_file())
    except OSError:
        return ""
    if near := did_you_mean(path.name, there):
        return near
    return f" (models in {path.parent}: {', '.join(there[:5])})" if there else ""


def _checked_format(path: Path, settings: dict[str, Any]) -> str:
    """Return the version that wrote a folder, and remove it and the format from the settings.

    Raises:
        ModelError: The format is missing, or newer than this version reads.
    """
    from importlib.metadata import version

    number, made_by = settings.pop("format", None), settings.pop("sasrec", "an unknown version")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ModelError(
            f"{path / SETTINGS} has no valid 'format'; the model folder is damaged or was edited"
        )
    if number > FORMAT:
        raise ModelError(
            f"{path} was written by sasrec {made_by} in format {number}; this is sasrec "
            f"{version('sasrec')}, which reads up to format {FORMAT}: upgrade with "
            "'pip install --upgrade sasrec'"
        )
    return str(made_by)[:40]


def _parsed_weights(raw: bytes, path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(raw)
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or ["unreadable"])[0]
        raise ModelError(f"{path} is damaged: {reason}") from error
