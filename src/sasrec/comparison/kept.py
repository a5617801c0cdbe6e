"""Keeps finished trainings of an unfinished comparison on disk, so that it can be resumed.

A comparison may take days. The result of each training is written as soon as it is measured,
together with its data, settings, versions and machine. It is reused only if all of these are the
same.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec.comparison.entries import Timing, Training
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
"""Subfolder of the result folder that exists while a comparison is not finished."""
ONLY_REPORTED = ("metrics", "topk", "decimals")
"""Settings of evaluation that change neither weights nor ranks, only what is reported."""


class KeptTrainings:
    """Results of trainings on disk, in files named by model, seed and a hash of the rest."""

    def __init__(self, folder: Path) -> None:
        """Set the folder; nothing is read or written yet.

        Args:
            folder: Folder of the result.
        """
        self.folder = folder
        self._trainings_folder = folder / UNFINISHED
        self._used: list[Path] = []

    def open(self) -> None:
        """Create the folder now, so that a failure does not come after hours of training.

        Raises:
            SettingsError: It cannot be created.
        """
        try:
            self._trainings_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            is_file = self.folder.is_file()
            reason = "is a file" if is_file else f"cannot be created ({error.strerror or error})"
            raise SettingsError(f"{self.folder} {reason}; choose another output folder") from error

    def find(self, model: str, seed: int, about: dict[str, Any]) -> Training | None:
        """Return a kept training; None if there is none with these dependencies.

        Args:
            model: Name of the model.
            seed: Seed of the training.
            about: Everything its result depends on, from ``dependencies``.
        """
        path = self._path(model, seed, about)
        remove_leftovers(path)
        return _read(path, about) if path.is_file() else None

    def keep(self, model: str, seed: int, about: dict[str, Any], training: Training) -> None:
        """Write the result of a training; a failure leaves no partial file.

        Args:
            model: Name of the model.
            seed: Seed of the training.
            about: Everything its result depends on, from ``dependencies``.
            training: The result.

        Raises:
            DataError: It cannot be written.
        """
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        facts = {
            "course": asdict(training.timing),
            "parameters": training.parameters,
            "peak": training.peak,
            "about": about,
        }
        metadata = {"training": json.dumps(facts)}
        tensors = {"ranks": torch.from_numpy(training.ranks.astype(np.int64))}
        path = self._path(model, seed, about)
        try:
            write_atomically_with(path, lambda working: save_file(tensors, working, metadata))
        except SafetensorError as error:  # raised instead of OSError if the disk is full
            raise DataError(f"{path} cannot be written: {error}") from error

    def others(self) -> int:
        """Return the number of kept trainings with other settings or data, which are not reused."""
        used = set(self._used)
        return sum(path not in used for path in self._trainings_folder.glob("*.safetensors"))

    def forget(self) -> None:
        """Delete the trainings that were used, and empty folders, once the result is written."""
        for path in self._used:
            path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Delete the folders if they are empty."""
        for folder in (self._trainings_folder, self.folder):
            with suppress(OSError):
                folder.rmdir()

    def _path(self, model: str, seed: int, about: dict[str, Any]) -> Path:
        text = json.dumps(about, sort_keys=True)
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
        path = self._trainings_folder / f"{model}-{seed}-{digest}.safetensors"
        if path not in self._used:
            self._used.append(path)
        return path


def dependencies(
    corpus: Corpus, split: Split, run: RunSettings, device: torch.device
) -> dict[str, Any]:
    """Return everything the result of a training depends on, in types that JSON has.

    Args:
        corpus: The data set.
        split: Its split into training, validation and test.
        run: All settings, adapted to the data, with the seed.
        device: The device it is trained on.

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
    # Convert tuples to lists and so on, to compare equal to what is read from a file.
    as_read: dict[str, Any] = json.loads(json.dumps(about))
    return as_read


def fingerprint_of(split: Split) -> str:
    """Return a hash of a split, 16 hex digits; it changes if any event changes its part."""
    digest = hashlib.sha256()
    for cut in (split.train_starts, split.train_stops, split.validation.stops, split.test.stops):
        digest.update(np.int64(len(cut)).tobytes())
        digest.update(cut.astype(np.int64).tobytes())
    return digest.hexdigest()[:16]


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _read(path: Path, about: dict[str, Any]) -> Training | None:
    """Return the training in a file; None if it is damaged or has other dependencies."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            facts = json_within_limits((file.metadata() or {})["training"])
            ranks = file.get_tensor("ranks").numpy().astype(np.int64)
        if facts["about"] != about or ranks.ndim != 1 or (ranks < 1).any():
            return None
        timing = Timing([float(each) for each in facts["course"]["seconds"]], _best_epoch(facts))
        return Training(ranks, timing, int(facts["parameters"]), float(facts["peak"]))
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RecursionError):
        return None  # train it again: slow, but safe


def _best_epoch(facts: dict[str, Any]) -> int:
    best = int(facts["course"]["best_epoch"])
    if not 1 <= best <= len(facts["course"]["seconds"]):
        raise ValueError("the best epoch is not one of the trained epochs")
    return best
