"""Evaluation protocol: everything besides the model that determines its metrics."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from sasrec.data.batches.cases import EvaluationCases
from sasrec.data.corpus import Corpus
from sasrec.data.splits import Cases, Split
from sasrec.errors import counted
from sasrec.evaluation.candidates import PAPER
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.metric_names import split_key
from sasrec.settings.time_point import time_point


@dataclass(frozen=True, slots=True)
class EvaluationProtocol:
    """How models are measured on a data set; the same for every model that is compared.

    Attributes:
        split: The validation and test cases, and the histories before them.
        settings: Metrics, cut-offs and candidates.
        counts: int64 [V], training events of each item; 0 for padding.
        max_history: Number of latest events of a history that the model uses.
        device: Device to compute on; models must be on it.
        asked_type: Number of the type of the event to be predicted, 0 for an event of any type.
        seen_events: bool [N], the events whose items count as seen by the user; None for all.
    """

    split: Split
    settings: EvaluationSettings
    counts: np.ndarray
    max_history: int
    device: torch.device
    asked_type: int = 0
    seen_events: np.ndarray | None = None

    @property
    def n_items(self) -> int:
        """Items in the catalogue, padding not counted."""
        return len(self.counts) - 1

    def cases(self, ends: Cases) -> EvaluationCases:
        """Return the histories and targets of some cases.

        Args:
            ends: M cases of the split.

        Returns:
            The same cases, with their histories.
        """
        return EvaluationCases(
            self.split.sequences,
            ends,
            self.max_history,
            self.device,
            asked_type=self.asked_type,
            seen_events=self.seen_events,
        )

    def limited_to(self, key: str) -> EvaluationProtocol:
        """Return a protocol that measures only one metric, at one cut-off.

        Args:
            key: The metric, such as ``ndcg@20``.

        Returns:
            The protocol, otherwise unchanged.
        """
        name, k = split_key(key)
        settings = self.settings
        only = EvaluationSettings(
            metrics=(name,),
            topk=(max(k, 1),),
            valid_metric=key,
            remove_seen=settings.remove_seen,
            seen_types=settings.seen_types,
            tail_ratio=settings.tail_ratio,
            sampled_by=settings.sampled_by,
        )
        return replace(self, settings=only)


def describe_protocol(
    corpus: Corpus, settings: EvaluationSettings, max_history: int | None = None
) -> str:
    """Return a sentence that describes how metrics are measured.

    Args:
        corpus: The data set.
        settings: Split and candidates.
        max_history: Number of latest events that the model uses; None if models differ in it.

    Returns:
        For example ``leave-one-out, full ranking over 1,682 items, ...``.
    """
    if settings.split == "none" and corpus.target_counts is None:
        return "trained on all events, not evaluated"
    seen = "" if max_history is None else f"last {counted(max_history, 'event')}, "
    ranked, ties = _candidates_in_words(corpus, settings)
    removed = _removed_in_words(settings)
    return f"{_split_in_words(corpus, settings)}, {ranked}, {removed}, {seen}{ties}"


def _removed_in_words(settings: EvaluationSettings) -> str:
    """Return which items are removed from rankings."""
    if settings.seen_types is not None:
        return f"items of earlier events of type {' or '.join(settings.seen_types)} removed"
    return "history removed" if settings.remove_seen else "history not removed"


def _split_in_words(corpus: Corpus, settings: EvaluationSettings) -> str:
    """Return how training, validation and test events were separated."""
    shares = "/".join(f"{ratio:g}" for ratio in settings.ratios)
    split = {
        "leave_one_out": "leave-one-out",
        "ratio": f"split {shares} " + ("by user" if settings.ratio_by == "user" else "of all"),
        "time": f"split {shares} by time",
        "recbole_time": f"split {shares} by RecBole's TS",
        "none": "",
    }[settings.split]
    if settings.has_dates:
        split = _dates_in_words(settings)
    if corpus.target_counts is not None:
        split = "split given by the files"
    elif settings.split == "leave_one_out" and settings.leave_out != "valid_and_test":
        split += f" ({settings.leave_out.replace('_', ' ')})"
    if settings.target_types is not None:
        split += f", targets of type {' or '.join(settings.target_types)}"
    if corpus.sequences.times is None:
        split += " in the order of the source, without times"
    return split


def _dates_in_words(settings: EvaluationSettings) -> str:
    """Return at which points in time the data were split."""
    begins = {"validation": settings.valid_from, "test": settings.test_from}
    parts = [f"{part} from {_point(begin)}" for part, begin in begins.items() if begin is not None]
    chosen = settings.period_targets
    targets = "" if chosen == "all" else f" ({chosen} event of each user)"
    if settings.valid_from is None:
        parts.append("validation as long before it")
    return " and ".join(parts) + targets


def _point(begin: str) -> str:
    """Return a point in time as the settings write it, with the event that a period refers to."""
    return f"{begin} before the last event" if time_point(begin).kind == "period" else begin


def _candidates_in_words(corpus: Corpus, settings: EvaluationSettings) -> tuple[str, str]:
    """Return which items a target is ranked against, and how ties count."""
    candidates, against = settings.candidates, "ties count against the target"
    if candidates == "full":
        return f"full ranking over {len(corpus.items):,} items", against
    if candidates.startswith(PAPER):
        ranked = (
            f"ranking against {candidates.removeprefix(PAPER)} items drawn uniformly outside "
            "the user's training events (one drawn twice counts twice, as in the code of 2018)"
        )
        return ranked, "ties count for the target"
    how = "uniformly" if candidates.startswith("uni") else "by popularity"
    ranked = f"ranking against {candidates[3:]} items drawn {how}"
    if settings.sampled_by == "user":
        ranked += " for each case, all cases of a user in one list"
    return ranked, against
