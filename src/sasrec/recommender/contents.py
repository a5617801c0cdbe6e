"""What a model folder holds, read with care: all of it was written together, or it is refused."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from sasrec.errors import ModelError, did_you_mean
from sasrec.recommender.consistent_read import FolderFiles, folder_exists, read_consistently
from sasrec.recommender.folder import (
    ENVIRONMENT,
    FORMAT,
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


@dataclass(frozen=True, slots=True)
class Contents:
    """What a model folder holds, read but not yet understood.

    Attributes:
        weights: Name to value.
        settings: All settings of the run, by group.
        vocabulary: Item tokens, counts and titles.
        metrics: What was measured after training; may be empty.
        environment: Versions and machine; may be empty.
        version: Of sasrec, that wrote it.
        manifest: What all this was compared with; None for a folder of 0.1.0, which had none.
    """

    weights: dict[str, Tensor]
    settings: dict[str, Any]
    vocabulary: dict[str, Any]
    metrics: dict[str, Any]
    environment: dict[str, Any]
    version: str
    manifest: Manifest | None


def read_folder(path: Path) -> Contents:
    """Read a model folder, and check that its files were written files.

    Args:
        path: The folder.

    Returns:
        What it holds; the weights are copies, which nothing that happens to the file changes.

    Raises:
        ModelError: It is no model folder, cannot be read, was changed after it was written, or
            comes from a newer version.
    """
    files = _files(path, (*PARTS, *NOTES))
    settings, version = _settings(path, files)  # first: a newer version may have other weights
    weights = _parsed_weights(files.contents.pop(WEIGHTS), path / WEIGHTS)
    # Any model has at least one weight for each item, and an item three values there.
    most = 4 * sum(value.numel() for value in weights.values())
    return _understood(path, files, settings, version, weights=weights, most_values=most)


def read_notes(path: Path) -> Contents:
    """Read all of a model folder but its weights, which are only checked; needs no PyTorch.

    Args:
        path: The folder.

    Returns:
        What it holds, without weights.

    Raises:
        ModelError: As ``read_folder``, but for weights that cannot be understood.
    """
    files = _files(path, (SETTINGS, VOCABULARY, *NOTES))
    settings, version = _settings(path, files)
    most = (path / WEIGHTS).stat().st_size  # four bytes a weight
    return _understood(path, files, settings, version, weights={}, most_values=most)


def _files(path: Path, returned: Collection[str]) -> FolderFiles:
    if not folder_exists(path):
        raise ModelError(f"{path}: no such model folder{_meant(path)}")
    return read_consistently(path, PARTS, NOTES, returned=returned)


def _settings(path: Path, files: FolderFiles) -> tuple[dict[str, Any], str]:
    """Return the settings of a run and the version of sasrec that wrote them.

    Raises:
        ModelError: They are no JSON, or come from a newer version.
    """
    settings = parsed_json(files.contents[SETTINGS], path / SETTINGS)
    return settings, _checked_format(path, settings)


def _understood(
    path: Path,
    files: FolderFiles,
    settings: dict[str, Any],
    version: str,
    *,
    weights: dict[str, Tensor],
    most_values: int,
) -> Contents:
    """Return what the texts of a model folder hold.

    Raises:
        ModelError: They are no JSON.
    """
    texts = files.contents
    metrics = parsed_json(texts[METRICS], path / METRICS) if METRICS in texts else {}
    _check_metrics(path, metrics)
    return Contents(
        weights=weights,
        settings=settings,
        vocabulary=parsed_json(texts[VOCABULARY], path / VOCABULARY, most_values),
        metrics=metrics,
        environment=parsed_json(texts[ENVIRONMENT], path / ENVIRONMENT)
        if ENVIRONMENT in texts
        else {},
        version=version,
        manifest=files.manifest,
    )


class _Report(BaseModel):
    """What those who read ``metrics.json`` rely on in a report."""

    model_config = ConfigDict(strict=True)
    dataset: dict[str, Any] = {}
    validation: dict[str, float] = {}
    test: dict[str, float] = {}


class _Metrics(BaseModel):
    """What those who read ``metrics.json`` rely on."""

    model_config = ConfigDict(strict=True)
    reports: list[_Report] = []
    epochs: list[dict[str, Any]] = []
    remarks: list[dict[str, Any]] = []


def _check_metrics(path: Path, metrics: dict[str, Any]) -> None:
    """Refuse figures of a form that is not ours.

    Args:
        path: Of the model folder.
        metrics: What ``metrics.json`` holds.

    Raises:
        ModelError: A value is of another kind.
    """
    try:
        _Metrics(**{key: metrics[key] for key in _Metrics.model_fields if key in metrics})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ModelError(
            f"{path / METRICS} is damaged or was edited: {where}: {first['msg']}"
        ) from error


def _meant(path: Path) -> str:
    """Return which model beside a missing folder may have been meant; or what is there."""
    try:
        there = sorted(each.name for each in path.parent.iterdir() if (each / WEIGHTS).is_file())
    except OSError:
        return ""
    if near := did_you_mean(path.name, there):
        return near
    return f" (models in {path.parent}: {', '.join(there[:5])})" if there else ""


def _checked_format(path: Path, settings: dict[str, Any]) -> str:
    """Return by which version a folder was written, and take that out of its settings.

    Raises:
        ModelError: It is of a newer format than this version reads, or of none.
    """
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
    return str(made_by)[:40]


def _parsed_weights(raw: bytes, path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(raw)
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or ["unreadable"])[0]
        raise ModelError(f"{path} is damaged: {reason}") from error
