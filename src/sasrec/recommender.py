"""Recommender: a trained model with its vocabulary; raw item tokens in, raw item tokens out."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from sasrec.data.batching import Collator, Windows
from sasrec.data.sequences import Sequences
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError, ModelError
from sasrec.evaluation.ranking import last_scores
from sasrec.models.contract import NextItemModel
from sasrec.registry import MODEL_SETTINGS, MODELS, resolve
from sasrec.training.trainer import pick_device

FORMAT = 1
"""Version of the folder; a reader refuses a higher one."""
WEIGHTS, SETTINGS, VOCABULARY = "model.safetensors", "settings.json", "vocabulary.json"
METRICS, ENVIRONMENT = "metrics.json", "environment.json"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to show one person.

    Attributes:
        items: Item tokens, best first.
        scores: Their scores; comparable within one list only.
        unknown: Tokens of the history the model does not know, skipped.
        by_popularity: Whether nothing of the history was left, so that these are the most
            popular items.
    """

    items: list[str]
    scores: list[float]
    unknown: list[str]
    by_popularity: bool


@dataclass(frozen=True, slots=True)
class Recommender:
    """A trained model and what its numbers mean.

    Attributes:
        model: The network, on the device it computes on, in evaluation mode.
        items: Item tokens by number.
        counts: int64 [V], training events of each item; for histories with nothing known in them.
        titles: Item token to the text a person knows it by; may be empty.
        settings: All settings of the training run, by group.
        metrics: What was measured after training.
        environment: Versions and machine of the training run.
    """

    model: NextItemModel
    items: Vocabulary
    counts: np.ndarray
    titles: dict[str, str]
    settings: dict[str, Any]
    metrics: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def max_history(self) -> int:
        """Longest history the model looks at."""
        return int(self.settings["data"]["max_history"])

    def recommend(
        self,
        histories: Sequence[Sequence[str]],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Sequence[str] | None = None,
    ) -> list[Recommendation]:
        """Return the k items most likely to come next, for each history.

        Args:
            histories: Item tokens of each person, oldest first; people and lengths are free.
            k: Length of the lists, from 1; shorter where fewer items are left.
            exclude_seen: Leave out the items of the history.
            candidates: Choose among these item tokens only; None allows the whole catalogue.

        Returns:
            One recommendation a history, in the same order.

        Raises:
            DataError: ``k`` is below 1, a history is a single text and not a list of tokens, or
                candidates are a single text or none of them is known.
        """
        if k < 1:
            raise DataError(f"k is {k}; a recommendation needs at least 1 item")
        numbers = [self._known(history) for history in histories]
        allowed = self._allowed(candidates)
        found: list[Recommendation | None] = [None] * len(histories)
        for places, scores in self._scores(numbers):
            ranked = scores.masked_fill(~allowed, -torch.inf)
            for row, place in enumerate(places):
                if exclude_seen:
                    ranked[row, torch.from_numpy(numbers[place])] = -torch.inf
            best = ranked.topk(min(k, ranked.shape[1] - 1), dim=1)
            for row, place in enumerate(places):
                kept = best.values[row] > -torch.inf
                found[place] = Recommendation(
                    items=self.items.tokens(best.indices[row][kept].numpy()),
                    scores=best.values[row][kept].tolist(),
                    unknown=[t for t in map(str, histories[place]) if t not in self.items],
                    by_popularity=not len(numbers[place]),
                )
        return [each for each in found if each is not None]

    def score(self, histories: Sequence[Sequence[str]], items: Sequence[str]) -> np.ndarray:
        """Return how well each of some items would follow each history.

        Args:
            histories: Item tokens of each person, oldest first.
            items: Item tokens to judge.

        Returns:
            float32 [histories, items]; NaN for an item the model does not know.

        Raises:
            DataError: A history is a single text and not a list of tokens.
        """
        wanted = self.items.numbers(items)
        table = np.full((len(histories), len(wanted)), np.nan, dtype=np.float32)
        numbers = [self._known(history) for history in histories]
        for places, scores in self._scores(numbers):
            table[places] = scores[:, torch.from_numpy(wanted).long()].numpy()
        table[:, wanted == 0] = np.nan
        return table

    def _known(self, history: Sequence[str]) -> np.ndarray:
        if isinstance(history, str):
            raise DataError(f"a history is a list of item tokens, not the text {history!r}")
        numbers = self.items.numbers(str(token) for token in history)
        return numbers[numbers > 0].astype(np.int64)

    def _allowed(self, candidates: Sequence[str] | None) -> Tensor:
        if isinstance(candidates, str):
            raise DataError(f"candidates are a list of item tokens, not the text {candidates!r}")
        if candidates is None:
            allowed = torch.ones(len(self.items) + 1, dtype=torch.bool)
        else:
            allowed = torch.zeros(len(self.items) + 1, dtype=torch.bool)
            allowed[torch.from_numpy(self.items.numbers(candidates)).long()] = True
        allowed[0] = False
        if not allowed.any():
            raise DataError("none of the candidates is an item the model knows")
        return allowed

    def _scores(self, numbers: list[np.ndarray]) -> list[tuple[np.ndarray, Tensor]]:
        """Return places and float32 scores [b, V] on the CPU; popularity for empty histories."""
        lengths = np.array([len(history) for history in numbers], dtype=np.int64)
        empty, filled = np.flatnonzero(lengths == 0), np.flatnonzero(lengths)
        scored: list[tuple[np.ndarray, Tensor]] = []
        if len(empty):
            popular = torch.from_numpy(self.counts).float()
            scored.append((empty, popular.repeat(len(empty), 1)))
        if len(filled):
            kept = np.minimum(lengths[filled], self.max_history)
            ends = np.cumsum(lengths[filled])
            flat = np.concatenate([numbers[place] for place in filled]).astype(np.int32)
            collator = Collator(Sequences(flat, None, np.concatenate(([0], ends))))
            none = np.zeros(len(filled), dtype=np.int64)
            windows = Windows(ends - kept, kept, none, none)
            device = next(self.model.parameters()).device
            for which, _, scores in last_scores(self.model, collator, windows, device):
                scored.append((filled[which], scores.float().cpu()))
        return scored

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model as a folder: whole or not at all.

        Args:
            folder: Where to; its parents are made.
            overwrite: Replace a model that is there already.

        Returns:
            The folder.

        Raises:
            ModelError: The folder exists and may not be replaced, or cannot be written.
        """
        from safetensors import SafetensorError

        target = Path(folder)
        check_target(target, overwrite=overwrite)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            working = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        except OSError as error:
            raise ModelError(f"{target} cannot be written: {error.strerror or error}") from error
        try:
            self._write(working)
            working.chmod(0o755)
            if target.exists():
                old = working.with_name(working.name + ".old")
                target.rename(old)
                working.rename(target)
                shutil.rmtree(old)
            else:
                working.rename(target)
        except OSError as error:
            raise ModelError(f"{target} cannot be written: {error.strerror or error}") from error
        except SafetensorError as error:  # its own kind for a full disk
            raise ModelError(f"{target} cannot be written: {error}") from error
        finally:
            shutil.rmtree(working, ignore_errors=True)
        return target

    def _write(self, folder: Path) -> None:
        from safetensors.torch import save_file

        weights = {
            name: value.contiguous().cpu() for name, value in self.model.state_dict().items()
        }
        save_file(weights, folder / WEIGHTS)
        texts = {
            SETTINGS: {"format": FORMAT, "sasrec": version("sasrec"), **self.settings},
            VOCABULARY: {
                "items": self.items.entries.to_list(),
                "counts": self.counts[1:].tolist(),
                "titles": self.titles,
            },
            METRICS: self.metrics,
            ENVIRONMENT: self.environment,
        }
        for name, content in texts.items():
            text = json.dumps(content, indent=None if name == VOCABULARY else 2, ensure_ascii=False)
            (folder / name).write_text(text + "\n", encoding="utf-8")


def check_target(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder a model must not be written to; worth asking before training.

    Args:
        folder: Where a model is to go.
        overwrite: Whether a model there may be replaced.

    Raises:
        ModelError: Something else is there, or a model and ``overwrite`` is off.
    """
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / SETTINGS).is_file()):
        raise ModelError(f"{folder} exists and is no model folder; choose another place")
    if (folder / SETTINGS).is_file() and not overwrite:
        raise ModelError(f"{folder} already holds a model; choose another place, or overwrite it")
    if not os.access(folder.parent, os.W_OK):
        raise ModelError(f"{folder.parent} cannot be written; choose another place")


def load(folder: str | Path, *, device: str = "cpu") -> Recommender:
    """Read a model folder. Nothing in it is executed.

    Args:
        folder: Written by ``Recommender.save``.
        device: Where the model shall compute, ``cpu``, ``cuda`` or ``auto``.

    Returns:
        The recommender.

    Raises:
        ModelError: The folder is no model, is damaged, or comes from a newer version.
        DeviceError: A GPU was asked for and there is none.
    """  # DeviceError by pick_device
    path = Path(folder)
    if not path.is_dir():
        raise ModelError(f"{path}: no such model folder")
    missing = [name for name in (SETTINGS, VOCABULARY, WEIGHTS) if not (path / name).is_file()]
    if missing:
        raise ModelError(
            f"{path} is no model folder: it lacks {', '.join(missing)}; give the folder that "
            "'sasrec train' wrote"
        )
    settings = _read_json(path / SETTINGS)
    made_by = settings.pop("format", None), settings.pop("sasrec", "unknown")
    if not isinstance(made_by[0], int) or made_by[0] > FORMAT:
        raise ModelError(
            f"{path} was written by sasrec {made_by[1]} in format {made_by[0]}; this is sasrec "
            f"{version('sasrec')}, which reads up to format {FORMAT}: upgrade with "
            "'pip install --upgrade sasrec'"
        )
    words = _read_json(path / VOCABULARY)
    try:
        items = Vocabulary(words["items"])
        counts = np.array([0, *words["counts"]], dtype=np.int64)
        if len(counts) != len(items) + 1:
            raise ModelError(
                f"{path} is damaged or was edited: {VOCABULARY} holds {len(items)} items and "
                f"{len(counts) - 1} counts"
            )
        titles = dict(words["titles"])
        model = _build(settings, len(items))
        _load_weights(model, path / WEIGHTS)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        detail = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise ModelError(f"{path} is damaged or was edited: {detail}") from error
    model.to(pick_device(device)).eval()
    return Recommender(
        model=model,
        items=items,
        counts=counts,
        titles=titles,
        settings=settings,
        metrics=_read_json(path / METRICS) if (path / METRICS).is_file() else {},
        environment=_read_json(path / ENVIRONMENT) if (path / ENVIRONMENT).is_file() else {},
    )


def _build(settings: dict[str, Any], n_items: int) -> NextItemModel:
    name = settings["model_name"]
    group = resolve("model", MODEL_SETTINGS, name)(**settings["model"])
    model: NextItemModel = resolve("model", MODELS, name)(
        group, n_items=n_items, max_history=int(settings["data"]["max_history"])
    )
    return model


def _load_weights(model: NextItemModel, path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        model.load_state_dict(load_file(path))
    except (SafetensorError, OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or ["unreadable"])[0]
        raise ModelError(f"{path} does not fit its settings or is damaged: {reason}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no JSON object; the model folder is damaged")
    return content
