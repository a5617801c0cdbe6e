"""Computes average attention, and the effect of each event of a history on recommendations.

Attention shows which events a model reads, not which ones matter: an event may get attention and
change nothing. Therefore the effect of each event is also measured, by leaving the event out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from sasrec.data.batches.batching import Collator
from sasrec.data.batches.event_types import EventTargets
from sasrec.data.batches.grouping import sorted_groups
from sasrec.data.batches.windows import Windows
from sasrec.data.sequences import Sequences
from sasrec.errors import DataError
from sasrec.models.parts.recording import recorded_attention
from sasrec.recommender.recommender import Recommender
from sasrec.system.forking import use_one_thread_if_forked

Value = TypeVar("Value")
POSITIONS = 15
"""Number of newest positions in the average attention map, as in the paper's figure 4."""
BATCH_POSITIONS = 2**12
"""Number of positions in a batch."""
MAX_GROUPS = 40
"""Maximum number of item groups, the largest ones; a plot of more would be unreadable."""


@dataclass(frozen=True, slots=True)
class AverageAttention:
    """Attention averaged over many histories.

    Attributes:
        by_position: float [layers, K, K]; attention of position i (row) to position j (column).
            The last position is the newest event (for BERT4Rec, the mask in place of the next
            event). Mean over heads and over histories of at least K events.
        by_distance: float [layers, K]; attention of the newest event to the event 0, 1, …, K - 1
            events back. Mean over heads and over all histories that are long enough.
        histories: Number of histories.
        groups: Names of the G item groups; may be empty.
        between_groups: float [G, G]; attention of events of one group (row) to earlier events of
            another (column), divided by that of uniform attention; NaN without such pairs.
    """

    by_position: np.ndarray
    by_distance: np.ndarray
    histories: int
    groups: list[str]
    between_groups: np.ndarray


def average_attention(
    recommender: Recommender,
    sequences: Sequences,
    *,
    groups: dict[str, list[str]] | None = None,
    most: int = 1000,
    seed: int = 0,
) -> AverageAttention:
    """Return attention averaged over the histories of a data set.

    Args:
        recommender: A model with attention.
        sequences: Histories in the model's item numbers.
        groups: Item token to the groups it belongs to.
        most: Maximum number of histories; if there are more, a random sample is used.
        seed: Seed of the sample.

    Returns:
        The averages.

    Raises:
        DataError: The model has no attention, or no history has at least two events.
    """  # the latter in _sample
    windows = _sample(sequences, recommender.max_history, most, seed)
    names, members = _membership(recommender, groups or {})
    sums = _Sums(len(names))
    model = recommender.model
    device = next(model.parameters()).device
    collator = Collator(
        sequences,
        with_times=model.needs_times and sequences.times is not None,
        targets=EventTargets(recommender.answerer().scorer.asked_type),
    )
    for group in sorted_groups(windows, BATCH_POSITIONS):
        batch = collator.batch(windows.take(group)).to(device)
        use_one_thread_if_forked()
        with torch.inference_mode(), recorded_attention(model) as maps:
            model.encode(batch, batch.last)
        if not maps:
            raise DataError(
                f"{recommender.settings['model_name']} has no attention, so it cannot be "
                "explained; choose a model with attention, such as SASRec"
            )
        layers = torch.stack([each.mean(1) for each in maps], dim=1).float().cpu().numpy()
        items = batch.items.cpu().numpy()
        n_masks = layers.shape[-1] - batch.longest  # 1 for BERT4Rec: the mask after the events
        for row, begin, length in zip(
            layers, batch.offsets[:-1].tolist(), windows.lengths[group], strict=True
        ):
            event_groups = members[items[begin : begin + length]]
            size = length + n_masks
            sums.add(row[:, :size, :size], np.pad(event_groups, ((0, n_masks), (0, 0))))
    return sums.averages(names, len(windows.lengths))


def _sample(sequences: Sequences, max_history: int, most: int, seed: int) -> Windows:
    """Return the ends of a random sample of the histories with at least two events.

    Raises:
        DataError: There is none.
    """
    lengths = sequences.lengths()
    users = np.flatnonzero(lengths >= 2)
    if not len(users):
        raise DataError(
            "no history has at least two events, so there is no attention to average; give other "
            "data with --data"
        )
    users = np.sort(np.random.default_rng(seed).permutation(users)[:most])
    kept = np.minimum(lengths[users], max_history)
    return Windows(
        sequences.offsets[users + 1] - kept, kept, np.zeros_like(kept), np.zeros_like(kept)
    )


class _Sums:
    """Sums attention maps of different sizes."""

    def __init__(self, n_groups: int) -> None:
        self.by_position: np.ndarray | None = None
        self.n_long = 0
        self.by_distance: np.ndarray | None = None
        self.counts = np.zeros(POSITIONS)
        self.between_groups = np.zeros((n_groups, n_groups))
        self.uniform = np.zeros((n_groups, n_groups))

    def add(self, maps: np.ndarray, members: np.ndarray) -> None:
        """Add the maps [layers, L, L] of one history; members [L, G] are its events' groups."""
        layers, length, _ = maps.shape
        if self.by_position is None or self.by_distance is None:
            self.by_position = np.zeros((layers, POSITIONS, POSITIONS))
            self.by_distance = np.zeros((layers, POSITIONS))
        reach = min(length, POSITIONS)
        self.by_distance[:, :reach] += maps[:, -1, ::-1][:, :reach]
        self.counts[:reach] += 1
        if length >= POSITIONS:
            self.by_position += maps[:, -POSITIONS:, -POSITIONS:]
            self.n_long += 1
        if members.shape[1]:
            earlier = np.tril(np.ones((length, length)), -1)
            self.between_groups += members.T @ (maps.mean(0) * earlier) @ members
            uniform = earlier / np.arange(1, length + 1)[:, None]
            self.uniform += members.T @ uniform @ members

    def averages(self, names: list[str], histories: int) -> AverageAttention:
        """Return the means.

        Args:
            names: Names of the groups.
            histories: Number of histories added.

        Returns:
            The averages.

        Raises:
            DataError: No history was added.
        """
        if self.by_position is None or self.by_distance is None:
            raise DataError("there is no history to average attention over")
        with np.errstate(invalid="ignore", divide="ignore"):
            return AverageAttention(
                by_position=self.by_position / self.n_long,
                by_distance=self.by_distance / self.counts,
                histories=histories,
                groups=names,
                between_groups=self.between_groups / self.uniform,
            )


def _membership(
    recommender: Recommender, groups: dict[str, list[str]]
) -> tuple[list[str], np.ndarray]:
    """Return group names, and float [V, G]: share of each item in each group, summing to 1."""
    sizes = Counter(group for some in groups.values() for group in some)
    names = sorted(name for name, _ in sizes.most_common(MAX_GROUPS))
    number = {name: index for index, name in enumerate(names)}
    members = np.zeros((len(recommender.items) + 1, len(names)))
    tokens = list(groups)
    for token, item in zip(tokens, recommender.items.numbers(tokens), strict=True):
        for group in number.keys() & groups[token] if item else ():
            members[item, number[group]] = 1 / len(groups[token])
    return names, members


def effects(
    recommender: Recommender,
    history: Sequence[str],
    items: Sequence[str],
    *,
    times: Sequence[float] | None = None,
    user: str | None = None,
    types: Sequence[str | None] | None = None,
) -> np.ndarray:
    """Return how much each event of a history changes the scores of some items.

    The effect of an event is the score with the whole history minus the score without the event
    (occlusion). Unlike attention, it shows which events matter.

    Args:
        recommender: The model.
        history: Item tokens, oldest first.
        items: Item tokens to score.
        times: Timestamp of each event, for models that use timestamps.
        user: User id, for models with user vectors.
        types: Type of each event, for models that use types.

    Returns:
        float32 [events, items]; NaN for a history of one event, which would be empty without it.
    """
    histories = _whole_and_shorter(history)
    scores = recommender.score(
        histories,
        items,
        times=None if times is None else _whole_and_shorter(times),
        users=[user] * len(histories),
        types=None if types is None else _whole_and_shorter(types),
    )
    change: np.ndarray = scores[0] - scores[1:]
    if len(history) == 1:
        change = np.full_like(change, np.nan)
    return change


def _whole_and_shorter(values: Sequence[Value]) -> list[list[Value]]:
    """Return a list, then the list without its first value, without its second one, and so on."""
    shorter = [
        [value for i, value in enumerate(values) if i != left_out]
        for left_out in range(len(values))
    ]
    return [list(values), *shorter]
