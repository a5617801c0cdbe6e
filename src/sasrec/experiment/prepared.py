"""Preparing data once for a run: split, item counts, and settings adapted to the data."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
import torch

from sasrec.data.batches.replay import Replay
from sasrec.data.content.encoding import ItemContent
from sasrec.data.content.of_corpus import content_of
from sasrec.data.corpus import Corpus
from sasrec.data.make_split import make_split
from sasrec.data.splits import Split
from sasrec.data.target_types import asked_type, seen_events
from sasrec.evaluation.protocol import EvaluationProtocol
from sasrec.experiment.facts import facts_of
from sasrec.models.popularity import item_counts
from sasrec.models.recent_windows import windows_for
from sasrec.settings.presets import DataFacts
from sasrec.settings.resolve import RunSettings, adapted
from sasrec.system.device import deterministic_operations, pick_device
from sasrec.system.processes import process_info

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Data and settings of a run.

    Attributes:
        corpus: The data set.
        split: Its training events, and the validation and test cases.
        counts: int64 [V], training events of each item; 0 for padding.
        facts: Facts about the data on which a preset may depend.
        run: All settings, with the values that the preset chose for these data.
        device: Device to compute on.
        content: Content of the items; None if the settings name none.
        replay: Earlier targets to train on again, in an update; None for a training.
    """

    corpus: Corpus
    split: Split
    counts: np.ndarray
    facts: DataFacts
    run: RunSettings
    device: torch.device
    content: ItemContent | None = None
    replay: Replay | None = None

    @property
    def n_items(self) -> int:
        """Items in the catalogue, padding not counted."""
        return len(self.corpus.items)

    @property
    def protocol(self) -> EvaluationProtocol:
        """How models are measured on these data."""
        return EvaluationProtocol(
            split=self.split,
            settings=self.run.evaluation,
            counts=self.counts,
            max_history=self.run.data.max_history,
            device=self.device,
            asked_type=asked_type(self.corpus.event_types, self.run.evaluation),
            seen_events=seen_events(self.corpus, self.run.evaluation),
        )


def prepare(corpus: Corpus, run: RunSettings, split: Split | None = None) -> Prepared:
    """Split a data set and count its items, once for a whole run.

    Args:
        corpus: The data set.
        run: All settings; the preset may change those that the user did not give.
        split: The split of the data set, if it exists already.

    Returns:
        The data and settings to train and evaluate models with.
    """
    split = make_split(corpus, run.evaluation) if split is None else split
    facts = facts_of(split, n_items=len(corpus.items))
    if run.evaluation.recent_window is not None:
        windows_for(split, run.evaluation)  # mistakes are told before training, not after it
    seen_events(corpus, run.evaluation)  # likewise
    counts = item_counts(split, len(corpus.items))
    content = content_of(corpus, counts, run.data.sequence_separator)
    return Prepared(
        corpus=corpus,
        split=split,
        counts=counts,
        facts=facts,
        run=adapted(run, facts),
        device=prepared_device(run),
        content=content,
    )


def with_settings(prepared: Prepared, run: RunSettings) -> Prepared:
    """Return the same data with other settings, such as another model's.

    Args:
        prepared: The data.
        run: All settings; those of data and split must not differ.

    Returns:
        The same split and counts, with the new settings.
    """
    return replace(prepared, run=adapted(run, prepared.facts), device=prepared_device(run))


def prepared_device(run: RunSettings) -> torch.device:
    """Return the device of a run.

    Args:
        run: All settings.

    Returns:
        The device.
    """
    return pick_device(run.training.device, run.training.gpu_id, process_info().local)


def repeatable(
    work: Callable[Concatenate[Prepared, P], R],
) -> Callable[Concatenate[Prepared, P], R]:
    """Decorate a function to use deterministic operations if the settings ask for them.

    Args:
        work: A function that computes on the device of its first argument.

    Returns:
        The decorated function; it restores PyTorch's settings after each call.
    """

    @wraps(work)
    def deterministic_work(prepared: Prepared, /, *args: P.args, **kwargs: P.kwargs) -> R:
        deterministic = prepared.run.training.deterministic
        with deterministic_operations(prepared.device) if deterministic else nullcontext():
            return work(prepared, *args, **kwargs)

    return deterministic_work
