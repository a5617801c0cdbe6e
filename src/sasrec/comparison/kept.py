"""Kept: finished trainings of a comparison that is not, so that the same command can go on.

A comparison may take days. What each training came to is written as soon as it is measured, tied
to data, settings, versions and machine; a training of anything else is never taken for it.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec.comparison.entries import Course, Training
from sasrec.data.corpus import Corpus
from sasrec.data.splits import Split
from sasrec.errors import DataError, SettingsError
from sasrec.evaluation.report import environment
from sasrec.settings.resolve import RunSettings
from sasrec.system.json_limits import json_within_limits
from sasrec.system.writing import remove_leftovers, write_atomically_with

if TYPE_CHECKING:
    import torch

UNFINISHED = "unfinished"
"""Folder, within that of the result, which is there while a comparison is not finished."""
ONLY_REPORTED = ("metrics", "topk", "decimals")
"""Settings of evaluation that change neither weights nor ranks."""


class KeptTrainings:
    """Trainings on disk, each under a name that says what it is of."""

    def __init__(self, folder: Path) -> None:
        """Look nowhere yet.

        Args:
            folder: Of the result.
        """
        self.folder = folder
        self._place = folder / UNFINISHED
        self._used: list[Path] = []

    def open(self) -> None:
        """Make the folder, before hours of work and not after.

        Raises:
            SettingsError: It cannot be made.
        """
        try:
            self._place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            is_file = self.folder.is_file()
            reason = "is a file" if is_file else f"cannot be made ({error.strerror or error})"
            raise SettingsError(
                f"{self.folder} {reason}; choose another folder with --out"
            ) from error

    def find(self, model: str, seed: int, about: dict[str, Any]) -> Training | None:
        """Return a training that was kept; None if there is none of just this.

        Args:
            model: Its name.
            seed: Of its random numbers.
            about: All that its outcome depends on, from ``dependencies``.
        """
        path = self._path(model, seed, about)
        remove_leftovers(path)
        return _read(path, about) if path.is_file() else None

    def keep(self, model: str, seed: int, about: dict[str, Any], training: Training) -> None:
        """Write what a training came to, whole or not at all.

        Args:
            model: Its name.
            seed: Of its random numbers.
            about: All that its outcome depends on.
            training: The outcome.

        Raises:
            DataError: It cannot be written.
        """
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        facts = {**asdict(training), "about": about}
        del facts["ranks"]
        head = {"training": json.dumps(facts)}
        tensors = {"ranks": torch.from_numpy(training.ranks.astype(np.int64))}
        path = self._path(model, seed, about)
        try:
            write_atomically_with(path, lambda working: save_file(tensors, working, head))
        except SafetensorError as error:  # its own kind for a full disk
            raise DataError(f"{path} cannot be written: {error}") from error

    def others(self) -> int:
        """Return how many trainings are kept that were not asked for: of other settings or data."""
        used = set(self._used)
        return sum(path not in used for path in self._place.glob("*.safetensors"))

    def forget(self) -> None:
        """Remove what was asked for, once the comparison is written, and folders left empty."""
        for path in self._used:
            path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Remove folders in which nothing is kept."""
        for folder in (self._place, self.folder):
            with suppress(OSError):
                folder.rmdir()

    def _path(self, model: str, seed: int, about: dict[str, Any]) -> Path:
        text = json.dumps(about, sort_keys=True)
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
        path = self._place / f"{model}-{seed}-{digest}.safetensors"
        if path not in self._used:
            self._used.append(path)
        return path


def dependencies(
    corpus: Corpus, split: Split, run: RunSettings, device: torch.device
) -> dict[str, Any]:
    """Return all that the outcome of a training depends on, in types JSON has.

    Args:
        corpus: The data set.
        split: What of it trains, validates and tests.
        run: All settings, adapted to the data, with the seed.
        device: Where it is trained.

    Returns:
        Data, split, settings, versions and machine.
    """
    settings = run.as_json()
    settings.pop("output", None)
    settings["evaluation"] = {
        key: value for key, value in settings["evaluation"].items() if key not in ONLY_REPORTED
    }
    about = {
        "data": corpus.sequences.fingerprint(),
        "items": len(corpus.items),
        "split": fingerprint_of(split),
        "settings": settings,
        "environment": {**environment(), "device": _device_name(device)},
    }
    plain: dict[str, Any] = json.loads(json.dumps(about))  # as it is read again: no tuples
    return plain


def fingerprint_of(split: Split) -> str:
    """Return 16 hex digits that change when another event trains, validates or tests."""
    digest = hashlib.sha256()
    for cut in (split.train_starts, split.train_stops, split.validation.stops, split.test.stops):
        digest.update(np.int64(len(cut)).tobytes())
        digest.update(cut.astype(np.int64).tobytes())
    return digest.hexdigest()[:16]


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _read(path: Path, about: dict[str, Any]) -> Training | None:
    """Return what a file holds; None if it is damaged or of something else."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            facts = json_within_limits((file.metadata() or {})["training"])
            ranks = file.get_tensor("ranks").numpy().astype(np.int64)
        if facts["about"] != about or ranks.ndim != 1 or (ranks < 1).any():
            return None
        course = Course([float(each) for each in facts["course"]["seconds"]], _best_epoch(facts))
        return Training(ranks, course, int(facts["parameters"]), float(facts["peak"]))
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RecursionError):
        return None  # it is trained again, which is slow and right


def _best_epoch(facts: dict[str, Any]) -> int:
    best = int(facts["course"]["best_epoch"])
    if not 1 <= best <= len(facts["course"]["seconds"]):
        raise ValueError("the best epoch is none of those trained")
    return best
